test_that("steps are placed in epochs, files and windows", {
    s <- list(batchSize = 5, accumulate = 2)
    windows <- causeway:::.windowsOf(c(22, 18, 1), s)
    expect_identical(windows, c(3, 2, 1))
    at <- lapply(0:12, causeway:::.stepPlace, windows = windows)
    expect_identical(vapply(at, `[[`, 1L, "file"),
        c(1L, 1L, 1L, 2L, 2L, 3L, 1L, 1L, 1L, 2L, 2L, 3L, 1L)
    )
    expect_identical(vapply(at, `[[`, 1, "window"),
        c(0, 1, 2, 0, 1, 0, 0, 1, 2, 0, 1, 0, 0)
    )
    expect_identical(vapply(at, `[[`, 1L, "epoch"), rep(0:2, c(6, 6, 1)))
})

test_that("files that didn't change aren't read again", {
    file <- tempfile()
    writeLines("a", file)
    old <- causeway:::.filePrints(file)
    old$sha256 <- "noted"
    expect_identical(causeway:::.filePrints(file, old)$sha256, "noted")
    writeLines("b!", file)
    expect_identical(causeway:::.filePrints(file, old)$sha256,
        causeway:::.sha256(file)
    )
})

test_that("trainModel() takes several files", {
    x <- exampleCells(nCells = 40, nGenes = 31)
    files <- file.path(tempfile("files"), c("a.h5ad", "b.h5ad"))
    dir.create(dirname(files[[1L]]))
    writeH5AD(x[, 1:20], files[[1L]], verbose = FALSE)
    writeH5AD(x[, 21:40], files[[2L]], verbose = FALSE)
    model <- tinyTrain(tinyModel(x), files, epochs = 1)
    expect_identical(nrow(trainingHistory(model)), 4L)
    expect_error(tinyTrain(tinyModel(x), c(files, files[[1L]])), "twice")
    expect_error(tinyTrain(tinyModel(x), c(files, "none.h5ad")), "not there")
    writeBin(as.raw(1:9), files[[2L]])
    expect_error(tinyTrain(tinyModel(x), files), "b.h5ad': ")
})
