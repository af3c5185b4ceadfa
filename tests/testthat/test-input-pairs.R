test_that("every container gives the same pairs", {
    d <- tauCounts()
    want <- .readPairs(d$rna, d$atac)
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
        .readPairs(x), .readPairs(x, altExp = "ATAC"), .readPairs(x, "ATAC"),
        .readPairs(delayed),
        .readPairs(as.matrix(d$rna), as.matrix(d$atac)[, shuffled]),
        .readPairs(d$rna, DelayedArray::DelayedArray(d$atac)),
        .readPairs(se(list(counts = d$rna)), se(list(counts = d$atac))),
        .readPairs(d$rna, d$atac[, c(shuffled, 1)[-231]])
    )
    for (got in same) {
        expect_equal(got$rna, want$rna)
        expect_equal(got$atac, want$atac)
        expect_identical(got$cells, want$cells)
    }
})

test_that("unpaired barcodes are counted, and what joins them is said", {
    d <- tauCounts()
    cells <- colnames(d$atac)
    renamed <- function(names) {
        colnames(d$atac) <- names
        d$atac
    }
    expect_error(.readPairs(d$rna, renamed(sub("-1$", "", cells))),
        "0 of 230 RNA barcodes.*Without an ending like \"-1\" 230 would match"
    )
    expect_error(.readPairs(d$rna, renamed(paste0("s1#", cells))),
        "before the last.*230 would match"
    )
    expect_error(.readPairs(d$rna, renamed(paste0("s:", sub("-1", "-7_4",
        cells
    )))), "all but the barcode itself 1?[0-9]* would match|barcode")
    expect_error(.readPairs(d$rna, renamed(chartr("ACGT", "TGCA", cells))),
        "must first be translated"
    )
    expect_error(.readPairs(d$rna, renamed(paste0("x", seq_along(cells)))),
        "0 of 230.*from one experiment"
    )
    expect_error(.readPairs(d$rna[, 1:150], d$atac),
        "150 cells .of 150 RNA and 230 chromatin barcodes.*at least 200"
    )
    expect_message(.readPairs(d$rna[, 1:220], d$atac, verbose = TRUE),
        "220 cells have both"
    )
    expect_identical(length(.readPairs(d$rna[, 230:11], d$atac)$cells), 220L)
    colnames(d$rna) <- NULL
    expect_message(.readPairs(d$rna, d$atac, verbose = TRUE), "by position")
    expect_error(.readPairs(d$rna, d$atac[, 1:210]), "can't be paired")
    d <- tauCounts()
    colnames(d$rna)[[2]] <- colnames(d$rna)[[1]]
    expect_error(.readPairs(d$rna, d$atac), "same name in its RNA")
})
