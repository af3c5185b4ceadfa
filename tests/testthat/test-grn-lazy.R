## Networks that the model makes when they are asked for.

test_that("lazy networks say why they can't be made", {
    x <- tinyCells()
    model <- tinyModel(x)
    lazy <- inferGRN(x, model, backing = "lazy", verbose = FALSE)
    rds <- tempfile(fileext = ".rds")
    file <- h5File()
    on.exit(unlink(c(rds, file)))
    saveRDS(lazy, rds)
    expect_error(poolGRN(readRDS(rds)), "the model is gone.*saveGRN")
    saveGRN(lazy, file)
    before <- poolGRN(lazy)
    tinyTrain(model, x, epochs = 1)
    expect_error(poolGRN(lazy), "has changed since")
    expect_equal(poolGRN(loadGRN(file))@scores, before@scores,
        tolerance = 1e-6
    )
})

test_that("a change in any weight is noticed", {
    x <- tinyCells()
    model <- tinyModel(x)
    lazy <- inferGRN(x, model, backing = "lazy", verbose = FALSE)
    for (name in modelTensors(model)$name) {
        old <- modelTensor(model, name)
        setModelTensor(model, name, rev(old) + 2^-10)
        expect_error(cellNetwork(lazy, 1), "has changed since")
        setModelTensor(model, name, old)
    }
    expect_true(is.matrix(as.matrix(cellNetwork(lazy, 1))))
})
