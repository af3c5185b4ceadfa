## Values of many cells in a temporary file.

storedCells <- simulateCells(300, 50, 8, seed = 2)
storedPath <- tempfile(fileext = ".h5ad")
writeH5AD(storedCells, storedPath, verbose = FALSE)
storedTfs <- rownames(storedCells)[1:8]
withr <- function(code) {
    old <- options(causeway.sampleCells = 100, causeway.blockBytes = 2e4)
    on.exit(options(old))
    force(code)
}
leftBehind <- function() {
    list.files(tempdir(), "^values.*h5$")
}

test_that("stored values are those in memory, in any order", {
    how <- .inputArgs(tfs = storedTfs)
    model <- newModel(SFMParam(), storedCells, tfs = storedTfs, seed = 1,
        threads = 1)
    held <- .modelCells(model, storedCells, "infer", how, FALSE)
    stored <- withr(.modelCells(model, storedPath, "infer", how, FALSE,
        store = TRUE))
    expect_s4_class(stored$values, "DelayedMatrix")
    at <- c(7L, 300L, 1L, 41L)
    expect_identical(.cellsRead(stored$values, at), held$values[, at])
    blocks <- withr(.valueBlocks(stored$values, function(v, at) v))
    expect_gt(length(blocks), 3L)
    expect_identical(.bindColumns(blocks), held$values)
    expect_identical(.valuesMark(stored$values), .valuesMark(stored$values,
        4096L))
    expect_false(identical(.valuesMark(stored$values[, 2:300]),
        .valuesMark(stored$values)))
    .dropStored(stored$values)
    expect_error(.cellsRead(stored$values, 1L), "is gone")
    expect_silent(.dropStored(held$values))
})

test_that("training reads them to the same weights, and drops them", {
    fit <- function(x) {
        model <- trainModel(x, SFMParam(embedDim = 16, layers = 1, heads = 2,
            factors = 8, topk = 2), tfs = storedTfs, nTargets = 20, epochs = 1,
            seed = 1, threads = 1, verbose = FALSE)
        .modelHash(model)
    }
    memory <- fit(storedCells)
    before <- leftBehind()
    expect_identical(withr(fit(storedPath)), memory)
    expect_identical(leftBehind(), before)
})

test_that("an EFM's cells are the same", {
    model <- newModel(EFMParam(embedDim = 16, layers = 1, heads = 2),
        storedCells, tfs = storedTfs, seed = 1, threads = 1)
    of <- function(x) {
        x <- embedCells(x, model, nTargets = 20, tfs = storedTfs,
            verbose = FALSE)
        SingleCellExperiment::reducedDim(x, "EFM")
    }
    memory <- of(storedCells)
    before <- leftBehind()
    expect_equal(withr(of(openCells(storedPath, verbose = FALSE))), memory)
    expect_identical(leftBehind(), before)
})

test_that("a temporary folder without room is said", {
    source <- list(columns = 1:10, rows = 1:5)
    expect_error(.storeValues(source, 1e17), "set TMPDIR to another folder")
})
