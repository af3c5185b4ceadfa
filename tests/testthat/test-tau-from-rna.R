made <- alteredTau()
fit <- made$fit
usable <- made$usable

test_that("delays are read from RNA alone", {
    rna <- simulateMultiome(nCells = 2200, nGenes = 180, altered = 0.25,
        seed = 5
    )
    rna <- SingleCellExperiment::removeAltExps(rna)
    d <- scRNAToTau(rna, fit)
    expect_identical(d$gene, geneNames(fit))
    expect_gt(attr(d, "agreement"), 0.6)
    expect_gt(median(d$tau, na.rm = TRUE), 0.5)
    expect_gt(attr(d, "cells"), 1200)
    expect_true(all(is.na(d$tau[!as.data.frame(fit)$usable])))
    few <- scRNAToTau(rna[-(1:30), ], fit)
    expect_true(all(is.na(few$tau[match(rownames(rna)[1:30], few$gene)])))
    expect_error(scRNAToTau(rna[1:20, ], fit), "20 of the 180 genes")
    other <- rna
    rownames(other) <- paste0("Q", rownames(rna))
    expect_error(scRNAToTau(other, fit), "holds 0 of the")
    expect_error(scRNAToTau(rna[, 1:20], fit), "50 are needed")
    expect_error(scRNAToTau(rna, fit, embedding = matrix(0, 2, 2)),
        "'embedding' must be NULL"
    )
})
