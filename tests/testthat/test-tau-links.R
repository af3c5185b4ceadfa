genesTable <- function() {
    data.frame(
        gene = c("A", "B", "C"), chr = c("chr1", "chr1", "chr2"),
        start = c(10000, 50000, 1000), end = c(20000, 60000, 2000),
        strand = c("+", "-", "+")
    )
}

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

test_that("distances are signed by strand and 0 in the body", {
    peaks <- c("chr1:9000-9500", "chr1:15000-15100", "chr1:20001-20100",
        "chr1:59000-61000", "chr1:61500-61600", "chr1:49000-49999",
        "chr2:2500-2600", "chr1:8000-9999"
    )
    l <- linkPeaks(peaks, genesTable(), window = 5000)
    at <- function(gene, peak) l[l$gene == gene & l$peak == peak, ]
    expect_identical(at("A", peaks[[1]])$distance, -500)
    expect_identical(at("A", peaks[[8]])$distance, -1)
    expect_identical(at("A", peaks[[2]])[c("distance", "type")]$distance, 0)
    expect_identical(at("A", peaks[[2]])$type, "body")
    expect_identical(at("A", peaks[[3]])$distance, 10001)
    expect_identical(at("A", peaks[[3]])$type, "distal")
    expect_identical(at("B", peaks[[4]])$distance, 0)
    expect_identical(at("B", peaks[[4]])$type, "promoter")
    expect_identical(at("B", peaks[[5]])$distance, -1500)
    expect_identical(at("B", peaks[[6]])$distance, 10001)
    expect_identical(at("C", peaks[[7]])$distance, 1500)
    expect_identical(nrow(l), 8L)
    expect_identical(l$gene, rep(c("A", "B", "C"), c(4, 3, 1)))
    up <- linkPeaks(peaks, genesTable(), window = 0, upstream = 2000)
    expect_setequal(up$peak[up$gene == "B"], peaks[4:5])
    expect_setequal(up$peak[up$gene == "A"], peaks[c(1, 2, 8)])
})

test_that("overlaps agree with looking at all pairs", {
    random <- function(n, width) {
        start <- floor(runif(n, 1, 1e4))
        list(chr = sample(c("a", "b", "c_d"), n, TRUE), start = start,
            end = start + floor(runif(n, 0, width))
        )
    }
    for (k in seq_len(20)) {
        q <- random(17, 800)
        s <- random(40, if (k %% 2) 100 else 3000)
        got <- .overlaps(q, s)
        all <- expand.grid(q = seq_len(17), s = seq_len(40))
        hit <- q$chr[all$q] == s$chr[all$s] & q$start[all$q] <= s$end[all$s] &
            q$end[all$q] >= s$start[all$s]
        expect_setequal(paste(got$query, got$subject),
            paste(all$q, all$s)[hit]
        )
    }
    ## touching ends count, and a neighbour on the next chromosome doesn't
    one <- list(chr = "a", start = 5, end = 10)
    expect_length(.overlaps(one, list(chr = "a", start = 10, end = 12))$query,
        1L
    )
    expect_length(.overlaps(one, list(chr = "b", start = 5, end = 10))$query,
        0L
    )
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

test_that("links of the real 10x data are found again", {
    folder <- "/work/shared/data/02_multiome/muon_10x_multiome_1000"
    coordinates <- file.path("/work/shared/data/04_resources",
        "gene_coordinates", "gene_coordinates_homo_sapiens.csv.gz"
    )
    file <- file.path(folder, "test_rna_atac.h5mu")
    skip_if_not(file.exists(file) && file.exists(coordinates),
        "the shared data aren't here"
    )
    skip_if_not_installed("rhdf5")
    known <- rhdf5::h5read(file, "mod/atac/uns/atac/peak_annotation")
    peaks <- as.vector(rhdf5::h5read(file, "mod/atac/var/_index"))
    genes <- as.vector(rhdf5::h5read(file, "mod/rna/var/_index"))
    links <- linkPeaks(peaks, read.csv(coordinates), features = genes)
    expect_setequal(links$peak, peaks)
    pairs <- merge(links, data.frame(gene = as.vector(known$gene),
        peak = as.vector(known$peak), known = as.numeric(known$distance)
    ))
    ## the others have genes under names the annotation has changed since
    expect_gt(nrow(pairs), 0.8 * length(known$gene))
    out <- pairs$distance != 0 & pairs$known != 0
    expect_gt(sum(out), 10)
    expect_gt(mean(sign(pairs$distance[out]) == sign(pairs$known[out])), 0.95)
})
