test_that("embeddings and times follow the cells", {
    d <- tauCounts()
    d$atac[, 7] <- 0
    x <- tauSCE(d)
    pca <- matrix(seq_len(460) + 0, 230)
    SingleCellExperiment::reducedDim(x, "PCA") <- pca
    x$hour <- seq_len(230)
    input <- .cleanCounts(.readPairs(x), FALSE)
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
    expect_error(.tauTime(input, rep("day1", 230)), "aren.t numbers: day1")
    expect_identical(.checkTime(factor(rep(c(20, 5), 115))),
        rep(c(20, 5), 115)
    )
    expect_error(.tauTime(input, replace(x$hour + 0, 9, Inf)), "infinite")
    expect_error(.tauTime(input, replace(x$hour + 0, 9:90, NA)), "known of")
})
