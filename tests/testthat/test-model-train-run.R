test_that("windows of cells cover an epoch once", {
    order <- sample(23)
    s <- list(batchSize = 5L, accumulate = 2L)
    parts <- lapply(0:2, function(w) .windowCells(order, w, s))
    expect_identical(unlist(parts), order)
    expect_identical(lengths(parts[[1]]), c(5L, 5L))
    expect_identical(lengths(parts[[3]]), 3L)
})

test_that("runs end, are extended, and begin anew", {
    x <- tinyCells()
    model <- tinyTrain(tinyModel(x), x, epochs = 1)
    w <- weightsOf(model)
    tinyTrain(model, x, epochs = 1)
    expect_identical(weightsOf(model), w)
    tinyTrain(model, x, epochs = 2)
    expect_identical(trainingHistory(model)$step, 1:4)
    tinyTrain(model, x, epochs = 1, resume = FALSE)
    expect_identical(trainingHistory(model)$run, c(2L, 2L))
    expect_identical(nrow(trainingHistory(model, "all")), 6L)
    expect_error(
        trainModel(x[1:20, ], model, resume = TRUE, verbose = FALSE),
        "'genes'|'resume'|'x'"
    )
    expect_error(
        trainModel(x, tinyModel(x), resume = TRUE), "'resume' is TRUE"
    )
})

test_that("losses that are off are NA", {
    x <- tinyCells()
    model <- tinyTrain(tinyModel(x), x, epochs = 1, lambdaDag = 0)
    expect_true(all(is.na(trainingHistory(model)$dag)))
    expect_false(anyNA(trainingHistory(model)$sparsity))
})
