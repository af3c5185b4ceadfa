test_that("links are checked", {
    d <- tauCounts()
    input <- .cleanCounts(.readPairs(d$rna, d$atac), FALSE)
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
    input <- .cleanCounts(.readPairs(x), FALSE)
    expect_equal(.tauLinks(input, NULL, NULL, 1e5, FALSE), want)
    ## peaks named without coordinates, with row ranges
    rownames(d$atac) <- paste0("peak", seq_len(60))
    x <- tauSCE(d)
    names <- SingleCellExperiment::altExpNames(x)
    y <- x
    SingleCellExperiment::altExpNames(y) <- sub("ATAC", "more", names)
    expect_error(.readPairs(y), "has no chromatin")
    input <- .readPairs(x, altExp = "ATAC")
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
