test_that("a model from another session says what to do", {
    d <- effendiData(64)
    m <- fitEffendi(d)$model
    file <- newFolder()
    path <- file.path(file, "m.rds")
    saveRDS(m, path)
    expect_error(.effendiTau(readRDS(path), d$zAtac, d$geneEmbedding),
        "memory is gone.*Fit again"
    )
})
