counts <- function(x) SummarizedExperiment::assay(x, "counts")

test_that("every container gives the same pairs", {
    d <- tauCounts()
    want <- .tauInput(d$rna, d$atac)
    expect_identical(want$genes, rownames(d$rna))
    expect_identical(want$peaks, rownames(d$atac))
    expect_identical(want$rna, d$rna)
    shuffled <- sample(ncol(d$rna))
    x <- tauSCE(d)
    se <- SummarizedExperiment::SummarizedExperiment
    delayed <- x
    SummarizedExperiment::assay(delayed, "counts") <-
        DelayedArray::DelayedArray(as.matrix(d$rna))
    same <- list(
        .tauInput(x), .tauInput(x, altExp = "ATAC"), .tauInput(x, "ATAC"),
        .tauInput(delayed),
        .tauInput(as.matrix(d$rna), as.matrix(d$atac)[, shuffled]),
        .tauInput(d$rna, DelayedArray::DelayedArray(d$atac)),
        .tauInput(se(list(counts = d$rna)), se(list(counts = d$atac))),
        .tauInput(d$rna, d$atac[, c(shuffled, 1)[-231]])
    )
    for (got in same) {
        expect_equal(got$rna, want$rna)
        expect_equal(got$atac, want$atac)
        expect_identical(got$cells, want$cells)
    }
})

test_that("a MultiAssayExperiment pairs by cell or by primary", {
    skip_if_not_installed("MultiAssayExperiment")
    d <- tauCounts()
    cells <- colnames(d$rna)
    data <- S4Vectors::DataFrame(day = seq_along(cells), row.names = cells)
    x <- MultiAssayExperiment::MultiAssayExperiment(
        list(peaks = d$atac, rna = d$rna), data
    )
    got <- .tauInput(x)
    expect_equal(got$rna, d$rna)
    expect_equal(got$atac, d$atac)
    expect_identical(got$cellData$day, seq_along(cells))
    expect_error(.tauInput(x, rna = "x"), "isn't an experiment of 'x'")
    ## columns named apart, joined by their primary
    colnames(d$atac) <- paste0("a_", seq_along(cells))
    map <- S4Vectors::DataFrame(
        assay = factor(rep(c("peaks", "rna"), each = length(cells))),
        primary = c(cells, cells), colname = c(colnames(d$atac), cells)
    )
    x <- MultiAssayExperiment::MultiAssayExperiment(
        list(peaks = d$atac, rna = d$rna), data, map
    )
    got <- .tauInput(x)
    expect_identical(got$cells, cells)
    expect_equal(unname(as.matrix(got$atac)), unname(as.matrix(d$atac)))
    ## primaries that are donors: the column names pair
    d <- tauCounts()
    map <- S4Vectors::DataFrame(
        assay = factor(rep(c("peaks", "rna"), each = length(cells))),
        primary = "donor", colname = c(cells, cells)
    )
    x <- MultiAssayExperiment::MultiAssayExperiment(
        list(peaks = d$atac, rna = d$rna),
        S4Vectors::DataFrame(age = 5, row.names = "donor"), map
    )
    got <- .tauInput(x)
    expect_identical(got$cells, cells)
    expect_true(all(got$cellData$age == 5))
})

test_that("a Seurat object gives its assays", {
    skip_if_not_installed("SeuratObject")
    d <- tauCounts()
    rownames(d$atac) <- gsub(":", "-", rownames(d$atac), fixed = TRUE)
    x <- suppressWarnings(SeuratObject::CreateSeuratObject(d$rna))
    x[["peaks"]] <- suppressWarnings(
        SeuratObject::CreateAssayObject(counts = d$atac)
    )
    got <- .tauInput(x)
    expect_equal(as.matrix(got$rna), as.matrix(d$rna))
    expect_equal(as.matrix(got$atac), as.matrix(d$atac))
    expect_error(.tauInput(x, "RNB"), "isn't an assay")
    x[["peaks"]] <- NULL
    expect_error(.tauInput(x), "no chromatin assay")
    file <- file.path("/work/shared/data/02_multiome/signac_atac_small",
        "atac_small.rda"
    )
    skip_if_not(file.exists(file), "the shared data aren't here")
    e <- new.env()
    load(file, e)
    ## Signac isn't here: its assay is read all the same
    expect_error(suppressWarnings(.tauInput(get(ls(e)[[1L]], e))),
        "100 cells.*at least 200"
    )
})

test_that("unpaired barcodes are counted, and what joins them is said", {
    d <- tauCounts()
    cells <- colnames(d$atac)
    renamed <- function(names) {
        colnames(d$atac) <- names
        d$atac
    }
    expect_error(.tauInput(d$rna, renamed(sub("-1$", "", cells))),
        "0 of 230 RNA barcodes.*Without an ending like \"-1\" 230 would match"
    )
    expect_error(.tauInput(d$rna, renamed(paste0("s1#", cells))),
        "before the last.*230 would match"
    )
    expect_error(.tauInput(d$rna, renamed(paste0("s:", sub("-1", "-7_4",
        cells
    )))), "all but the barcode itself 1?[0-9]* would match|barcode")
    expect_error(.tauInput(d$rna, renamed(chartr("ACGT", "TGCA", cells))),
        "must first be translated"
    )
    expect_error(.tauInput(d$rna, renamed(paste0("x", seq_along(cells)))),
        "0 of 230.*from one experiment"
    )
    expect_error(.tauInput(d$rna[, 1:150], d$atac),
        "150 cells .of 150 RNA and 230 chromatin barcodes.*at least 200"
    )
    expect_message(.tauInput(d$rna[, 1:220], d$atac, verbose = TRUE),
        "220 cells have both"
    )
    expect_identical(length(.tauInput(d$rna[, 230:11], d$atac)$cells), 220L)
    colnames(d$rna) <- NULL
    expect_message(.tauInput(d$rna, d$atac, verbose = TRUE), "by position")
    expect_error(.tauInput(d$rna, d$atac[, 1:210]), "can't be paired")
    d <- tauCounts()
    colnames(d$rna)[[2]] <- colnames(d$rna)[[1]]
    expect_error(.tauInput(d$rna, d$atac), "same name in its RNA")
})

test_that("counts that can't be used are refused", {
    d <- tauCounts()
    clean <- function(rna = d$rna, atac = d$atac) {
        .cleanCounts(.tauInput(rna, atac), FALSE)
    }
    for (bad in c(NA, NaN, Inf)) {
        rna <- d$rna
        rna@x[[5]] <- bad
        expect_error(clean(rna), "1 values that are NA, NaN or infinite.*RNA")
    }
    atac <- d$atac
    atac@x[1:2] <- -1
    expect_error(clean(atac = atac), "2 negative values in its chromatin")
    expect_error(clean(log1p(d$rna * 1.3)), "no counts in its RNA.*counts")
    expect_error(clean(d$rna * 0), "has 0 cells with both.*at least 200")
    expect_error(.tauInput(d$rna[0, ], d$atac), "is empty")
    rownames(d$rna)[[2]] <- "gene1"
    expect_error(.tauInput(d$rna, d$atac), "same name: gene1")
    rownames(d$rna) <- NULL
    expect_error(.tauInput(d$rna, d$atac), "no names of genes")
    expect_error(.tauInput(d$rna), "holds one modality")
    expect_error(.tauInput("a", d$atac), "must be counts")
    expect_error(.tauInput(d$rna, matrix("a", 2, 2)), "of type character")
    expect_error(.tauInput(tauCounts()$rna, tauCounts()$atac, rna = "x"),
        "no meaning"
    )
})

test_that("empty cells, genes and peaks are dropped and said", {
    d <- tauCounts()
    d$rna[3, ] <- 0
    d$atac[c(1, 60), ] <- 0
    d$atac[, 7] <- 0
    input <- .tauInput(d$rna, d$atac)
    expect_message(out <- .cleanCounts(input, TRUE), "1 gene without a count")
    expect_message(.cleanCounts(input, TRUE), "2 peaks without a count")
    expect_message(.cleanCounts(input, TRUE), "1 cell without a count")
    expect_identical(out$dropped, "gene3")
    expect_identical(dim(out$rna), c(29L, 229L))
    expect_identical(dim(out$atac), c(58L, 229L))
    expect_identical(out$cells, colnames(d$rna)[-7])
    expect_identical(out$rnaAt, seq_len(230)[-7])
    ## a link to a gene without counts is no surprise, one to a peak is
    expect_warning(l <- .givenLinks(out, d$links, FALSE), "2 of 60 links")
    expect_false("gene3" %in% l$gene)
})

test_that("links are checked", {
    d <- tauCounts()
    input <- .cleanCounts(.tauInput(d$rna, d$atac), FALSE)
    given <- function(l) .tauLinks(input, l, NULL, 1e5, FALSE)
    expect_identical(given(d$links)[1:2], d$links)
    dash <- transform(d$links, peak = gsub(":", "-", peak))
    expect_identical(given(dash)[1:2], d$links)
    expect_identical(nrow(given(rbind(d$links, d$links))), 60L)
    expect_warning(l <- given(rbind(d$links, data.frame(gene = "GATA1",
        peak = "chr1:1000-1500"
    ))), "1 of 61 links.*GATA1")
    expect_identical(nrow(l), 60L)
    expect_error(given(transform(d$links, gene = paste0("x", gene))),
        "no pair of this data"
    )
    expect_error(given(d$links[0, ]), "no row")
    expect_error(given(transform(d$links, peak = NA)), "missing names")
    expect_error(given(list(1)), "columns gene and peak")
    expect_error(given(d$links["gene"]), "columns gene and peak")
    expect_error(given(NULL), "'links' or 'genes' is needed")
    made <- .tauLinks(input, NULL, tauGenes(), 1000, FALSE)
    expect_identical(made[c("gene", "peak")],
        linkPeaks(rownames(d$atac), tauGenes(), 1000)[c("gene", "peak")]
    )
    expect_warning(.tauLinks(input, NULL, tauGenes()[1:5, ], 1000, FALSE),
        "25 of 30 genes aren't in the annotation"
    )
    far <- transform(tauGenes(), start = start + 9e6, end = end + 9e6)
    expect_error(.tauLinks(input, NULL, far, 1000, FALSE), "links no peak")
    expect_identical(
        unique(.useGenes(input, given(d$links), c("gene2", "gene9"))$gene),
        c("gene2", "gene9")
    )
    expect_error(.useGenes(input, given(d$links), "TP53"), "TP53")
})

test_that("coordinates that come with the data are used", {
    skip_if_not_installed("GenomicRanges")
    d <- tauCounts()
    x <- tauSCE(d)
    g <- tauGenes()
    ranges <- GenomicRanges::GRanges(g$chr, IRanges::IRanges(g$start, g$end),
        strand = g$strand
    )
    names(ranges) <- g$gene
    SummarizedExperiment::rowRanges(x) <- ranges
    want <- linkPeaks(rownames(d$atac), g)
    expect_equal(linkPeaks(x), want)
    input <- .cleanCounts(.tauInput(x), FALSE)
    expect_equal(.tauLinks(input, NULL, NULL, 1e5, FALSE), want)
    ## peaks named without coordinates, with row ranges
    rownames(d$atac) <- paste0("peak", seq_len(60))
    x <- tauSCE(d)
    names <- SingleCellExperiment::altExpNames(x)
    y <- x
    SingleCellExperiment::altExpNames(y) <- sub("ATAC", "more", names)
    expect_error(.tauInput(y), "has no chromatin")
    input <- .tauInput(x, altExp = "ATAC")
    expect_error(.tauLinks(input, NULL, g, 1e5, FALSE),
        "60 of 60 peaks without coordinates"
    )
    at <- 1000 * seq_len(60)
    open <- SingleCellExperiment::altExp(x, "ATAC")
    SummarizedExperiment::rowRanges(open) <- GenomicRanges::GRanges("chr1",
        IRanges::IRanges(at, at + 500)
    )
    rownames(open) <- paste0("peak", seq_len(60))
    SingleCellExperiment::altExp(x, "ATAC") <- open
    got <- linkPeaks(x, g, altExp = "ATAC")
    expect_identical(got$distance, want$distance)
    expect_identical(got$gene, want$gene)
})

test_that("embeddings and times follow the cells", {
    d <- tauCounts()
    d$atac[, 7] <- 0
    x <- tauSCE(d)
    pca <- matrix(seq_len(460) + 0, 230)
    SingleCellExperiment::reducedDim(x, "PCA") <- pca
    x$hour <- seq_len(230)
    input <- .cleanCounts(.tauInput(x), FALSE)
    e <- .tauEmbedding(input, list(rna = "PCA", atac = pca))
    expect_equal(e$rna, pca[-7, ])
    expect_equal(e$atac, pca[-7, ])
    named <- pca[230:1, ]
    rownames(named) <- rev(colnames(x))
    expect_equal(.tauEmbedding(input, list(rna = named))$rna, pca[-7, ])
    expect_null(.tauEmbedding(input, NULL))
    expect_null(.tauEmbedding(input, list(rna = pca))$atac)
    for (bad in list(pca, list(pca), list(dna = pca), "PCA")) {
        expect_error(.tauEmbedding(input, bad), "'embedding' must be a list")
    }
    expect_error(.tauEmbedding(input, list(rna = "UMAP")), "isn't a reduction")
    expect_error(.tauEmbedding(input, list(rna = pca[1:50, ])), "row per cell")
    expect_error(.tauEmbedding(input, list(rna = pca * NA)), "finite")

    expect_identical(.tauTime(input, "hour"), as.numeric(seq_len(230)[-7]))
    expect_identical(.tauTime(input, x$hour), as.numeric(seq_len(230)[-7]))
    named <- setNames(rev(x$hour), rev(colnames(x)))
    expect_identical(.tauTime(input, named), as.numeric(seq_len(230)[-7]))
    expect_null(.tauTime(input, NULL))
    expect_error(.tauTime(input, "day"), "isn't a column")
    expect_error(.tauTime(input, 1:7), "one number per cell")
    expect_error(.tauTime(input, rep(3, 230)), "constant")
    expect_error(.tauTime(input, rep("day1", 230)), "must be numbers")
    expect_error(.tauTime(input, replace(x$hour + 0, 9, Inf)), "infinite")
    expect_error(.tauTime(input, replace(x$hour + 0, 9:90, NA)), "known of")
})
