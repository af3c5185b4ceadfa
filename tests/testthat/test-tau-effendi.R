test_that("Effendi runs on the same data and doesn't rank", {
    x <- simulateMultiome(300, 30, seed = 3)
    small <- EffendiParam(fieldEpochs = 1, stage1Epochs = 1, stage2Epochs = 1,
        nSteps = 5, nStepsField = 5, alignHidden = 16, nProjections = 10
    )
    fit <- estimateTau(x, links = tauLinks(x), seed = 1, method = "effendi",
        param = small
    )
    expect_identical(fit@method, "effendi")
    expect_false(verdict(fit)$identifiable)
    expect_match(verdict(fit)$reasons, "exchangeable over genes")
    text <- capture.output(fit)
    expect_true(any(grepl("untrained model -?[01][.]", text)))
    expect_true(any(grepl("shuffled run -?[01][.]", text)))
    expect_false(any(grepl("fastest", text)))
    expect_warning(t <- tau(fit), "exchangeable")
    expect_true(all(is.na(t$tau)))
    t <- tau(fit, force = TRUE)
    cells <- tauCells(fit)
    expect_identical(dimnames(cells), list(colnames(x), geneNames(fit)))
    expect_equal(unname(colMeans(cells)), t$tau, tolerance = 1e-4)
    e <- fit@fit
    expect_true(all(abs(colMeans(e$zRna)) < 1e-8))
    values <- .unitExpression(.logNormalised(
        SummarizedExperiment::assay(x)
    ))
    expect_identical(range(values), c(0, 1))
    gene <- EffendiParam(fieldEpochs = 1, stage1Epochs = 1, stage2Epochs = 1,
        nSteps = 5, nStepsField = 5, nProjections = 10, alignHidden = 16,
        readout = "gene"
    )
    fit <- estimateTau(x, links = tauLinks(x), seed = 1, method = "effendi",
        param = gene, embedding = list(rna = unname(e$zRna[, 1:6])),
        geneEmbedding = e$geneEmbedding[, 1:6]
    )
    expect_match(verdict(fit)$reasons, "not tested against the data")
    expect_error(estimateTau(x, links = tauLinks(x), method = "effendi",
        param = gene, geneEmbedding = e$geneEmbedding[, 1:5]
    ), "has 5 dimensions and the RNA embedding")
    expect_error(estimateTau(x, links = tauLinks(x), method = "effendi",
        param = 1
    ), "'param'")
})
