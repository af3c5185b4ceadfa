test_that("peak names are read in every common form", {
    names <- c("chr1:100-200", "chr1-100-200", "chr1_100_200", "1:100-200",
        "chr1:100-200:+", "GL000194.1-100-200", "chrUn_KI270742v1_100_200",
        "chr1:1,100-1e+05", "chr1:100..200", " chrX:5-5:* ",
        "HLA-A*01:01:01:01:5-9"
    )
    p <- .parsePeaks(names)
    expect_identical(p$chr, c("chr1", "chr1", "chr1", "1", "chr1",
        "GL000194.1", "chrUn_KI270742v1", "chr1", "chr1", "chrX",
        "HLA-A*01:01:01:01"
    ))
    expect_identical(p$start, c(rep(100, 7), 1100, 100, 5, 5))
    expect_identical(p$end, c(rep(200, 7), 1e5, 200, 5, 9))
    none <- .parsePeaks(c("peak12", "100-200", NA, "", "chr1:100", "GATA1"))
    expect_true(all(is.na(none$chr)))
    expect_identical(nrow(.parsePeaks(character())), 0L)
})

test_that("annotations come as tables and ranges, with many records a gene", {
    g <- genesTable()
    peaks <- c("chr1:9000-9500", "chr2:2500-2600")
    want <- linkPeaks(peaks, g)
    names(g) <- c("SYMBOL", "CHROM", "txStart", "txEnd", "Strand")
    expect_identical(linkPeaks(peaks, g), want)
    exons <- rbind(genesTable(), genesTable())
    exons$start[1:3] <- exons$start[1:3] + 300
    exons$end[4:6] <- exons$end[4:6] - 400
    expect_equal(linkPeaks(peaks, exons), want)
    far <- genesTable()[c(1, 1), ]
    far$start[[2]] <- 9e6
    far$end[[2]] <- 9.1e6
    expect_identical(nrow(.joinRecords(
        transform(far, strand = 1)
    )), 2L)
    skip_if_not_installed("GenomicRanges")
    g <- genesTable()
    ranges <- GenomicRanges::GRanges(g$chr, IRanges::IRanges(g$start, g$end),
        strand = g$strand
    )
    names(ranges) <- g$gene
    expect_equal(linkPeaks(peaks, ranges), want)
    names(ranges) <- NULL
    ranges$gene_name <- g$gene
    ranges$gene_id <- paste0("ENSG", 1:3)
    expect_equal(linkPeaks(peaks, ranges), want)
    p <- GenomicRanges::GRanges(c("chr1", "chr2"),
        IRanges::IRanges(c(9000, 2500), c(9500, 2600))
    )
    expect_equal(linkPeaks(p, ranges), want)
    expect_identical(unique(linkPeaks(p, ranges, features = c("ensg3", "x"))
        $gene), "ensg3")
})

test_that("names are matched exactly, without versions, without case", {
    expect_identical(.matchNames(c("a", "B", "ENSG01.4", "z"),
        c("ENSG01", "b", "a", "A")
    ), c(3L, 2L, 1L, NA))
    ## two of the same name but for case: not guessed
    expect_identical(.matchNames("AA", c("aA", "Aa")), NA_integer_)
})

test_that("bad coordinates and annotations are named", {
    g <- genesTable()
    expect_error(linkPeaks(c("chr1:1-2", "peak7"), g),
        "1 of 2 peaks without coordinates: peak7"
    )
    expect_error(linkPeaks("chr1:20-10", g), "start after their end")
    expect_error(linkPeaks(c("chr1:1-2", "chr1:1-2"), g), "the same name")
    expect_error(linkPeaks("1:1-2", g), "take \"chr\" from those of the genes")
    plain <- transform(g, chr = sub("chr", "", chr))
    expect_error(linkPeaks("chr1:1-2", plain), "seqlevelsStyle.*UCSC")
    expect_error(linkPeaks("scaffold_9-1-2", g), "same species and assembly")
    expect_error(linkPeaks("chr1:1-2", g[-3]), "of these start isn't there")
    expect_error(linkPeaks("chr1:1-2", g[0, ]), "no gene")
    expect_error(linkPeaks("chr1:1-2", 7), "must be a GRanges")
    expect_error(linkPeaks("chr1:1-2"), "'genes' is missing")
    expect_error(linkPeaks("chr1:1-2", transform(g, start = c(1, NA, 1))),
        "without a valid start"
    )
    expect_error(linkPeaks("chr1:1-2", g, features = c("ENSMUSG01", "x")),
        "none of the 2 genes of the data"
    )
    expect_error(linkPeaks("chr1:1-2", g, window = -1), "'window'")
    expect_error(linkPeaks("chr1:1-2", g, windw = 1), "windw")
    expect_message(linkPeaks("chr1:1-2", g[-5], verbose = TRUE), "no strand")
    expect_message(linkPeaks(c("chr1:1-2", "chr9:1-2"), g, verbose = TRUE),
        "1 peak on sequences without an annotated gene: chr9"
    )
    empty <- linkPeaks("chr1:9000000-9000010", g)
    expect_identical(dim(empty), c(0L, 4L))
})

test_that("coordinates in a factor or in text are what they say", {
    peaks <- c("chr1:9000-9500", "chr1:61500-61600")
    g <- genesTable()
    want <- linkPeaks(peaks, g)
    for (as in list(factor, as.character, function(x) factor(x, rev(x)))) {
        odd <- transform(g, start = as(start), end = as(end))
        expect_identical(linkPeaks(peaks, odd), want)
        expect_identical(linkPeaks(peaks, S4Vectors::DataFrame(odd)), want)
    }
    expect_identical(linkPeaks(peaks, transform(g, gene = factor(gene),
        chr = factor(chr), strand = factor(strand))), want)
    expect_error(linkPeaks(peaks, transform(g, start = c("5,000", "1", "2"))),
        "'genes' has a column start of class character .* 5,000"
    )
    expect_error(linkPeaks(peaks, transform(g, end = I(list(1, 2, 3)))), "end")
})

test_that("strands are understood in words, or refused", {
    peaks <- c("chr1:9000-9500", "chr1:61500-61600")
    g <- genesTable()
    want <- linkPeaks(peaks, g)
    for (words in list(c("plus", "minus"), c("forward", "reverse"),
        c("F", "R"), c("1", "-1"), c("+1", "-1"), c("Sense", "Antisense"),
        c(" + ", " - "), list(1, -1), list(1L, -1L))) {
        odd <- g
        odd$strand <- unlist(words[c(1, 2, 1)])
        expect_identical(linkPeaks(peaks, odd), want)
        odd$strand <- factor(odd$strand)
        expect_identical(linkPeaks(peaks, odd), want)
    }
    none <- linkPeaks(peaks, g[-5])
    for (word in list("*", ".", NA, "0", 0, "", "?")) {
        expect_identical(linkPeaks(peaks, transform(g, strand = word)), none)
    }
    expect_error(linkPeaks(peaks, transform(g, strand = c("+", "back", "+"))),
        "column strand with back"
    )
    expect_error(linkPeaks(peaks, transform(g, strand = TRUE)), "strand with")
    expect_error(linkPeaks(peaks, transform(g, strand = 2)), "strand with 2")
})

test_that("annotations are read from files", {
    read <- function(file) .geneTable(file, NULL, FALSE)
    gtf <- tempfile(fileext = ".gtf")
    line <- function(kind, start, end, strand, gene) {
        paste("chr1", "test", kind, start, end, ".", strand, ".", paste0(
            "gene_id \"ENSG", gene, "\"; gene_name \"", gene, "\";"
        ), sep = "\t")
    }
    writeLines(c("#!genome-build test", line("gene", 100, 900, "+", "A"),
        line("exon", 100, 200, "+", "A"), line("gene", 2000, 2500, "-", "B")
    ), gtf)
    found <- read(gtf)
    expect_identical(found$gene, c("A", "B"))
    expect_equal(found$start, c(100, 2000))
    expect_equal(found$strand, c(1, -1))
    ## of exons alone the genes are joined
    writeLines(c(line("exon", 100, 200, "+", "A"),
        line("exon", 700, 900, "+", "A")
    ), gtf)
    expect_equal(read(gtf)[c("start", "end")], data.frame(start = 100,
        end = 900
    ), ignore_attr = TRUE)
    csv <- tempfile(fileext = ".csv.gz")
    con <- gzfile(csv, "w")
    write.csv(data.frame(gene = "A", chr = "chr1", start = 5, end = 9,
        strand = "-"
    ), con, row.names = FALSE)
    close(con)
    expect_identical(read(csv)$strand, -1)
    expect_error(read("nowhere.gtf"), "'genes' names no file")
    expect_error(read(tempdir()), "read from .gtf")
    broken <- tempfile(fileext = ".gtf")
    writeLines("chr1\tx\tgene\tten\t20", broken)
    expect_error(read(broken), "can't be read as GTF")
})
