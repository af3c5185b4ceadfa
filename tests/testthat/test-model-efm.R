## The EFM: settings, orders, training, packages.

efm <- function(...) {
    EFMParam(embedDim = 16, layers = 1, heads = 2, exprBins = 4,
        exprHidden = 6, batchBins = 4, batchHidden = 6, mlpHidden = 16, ...
    )
}
cells <- exampleCells(nCells = 60)

test_that("settings are the engine's, and what doesn't fit is named", {
    s <- EFMParam()@settings
    expect_identical(s$embedDim, 64L)
    expect_identical(EFMParam(preset = "published")@settings$embedDim, 768L)
    expect_output(show(EFMParam()), "laptop.*width 64")
    expect_error(EFMParam(embedDim = 10, heads = 4), "'embedDim' must be a mu")
    expect_error(EFMParam(heads = 0), "'heads'")
    expect_error(EFMParam(rotary = "round"), "'rotary'")
    expect_error(EFMParam(preset = "huge"), "'preset'")
})

test_that("training learns, goes on after a stop, and survives a package", {
    folder <- file.path(withr_dir <- tempfile("efm"), "model")
    dir.create(withr_dir)
    on.exit(unlink(withr_dir, recursive = TRUE))
    arguments <- list(nTargets = 15, batchSize = 20, seed = 3, verbose = FALSE,
        lr = 0.01)
    once <- newModel(efm(), cells, seed = 1)
    do.call(trainModel, c(list(cells, once, epochs = 6), arguments))
    log <- trainingHistory(once)
    expect_named(log, .logColumns$efm)
    expect_lt(mean(tail(log$total, 3)), mean(head(log$total, 3)))
    ## half of it, put away, fetched, and the rest
    half <- newModel(efm(), cells, seed = 1)
    do.call(trainModel, c(list(cells, half, epochs = 6, dir = folder,
        saveEvery = 5), arguments))
    again <- loadModel(folder)
    expect_s4_class(again, "EFModel")
    expect_identical(
        embedCells(cells, again, verbose = FALSE),
        embedCells(cells, once, verbose = FALSE)
    )
    expect_equal(trainingHistory(again)$total, log$total)
    expect_output(show(again), "EFM, 1 layers|FoundationModel: EFM")
    expect_error(loadModel(folder, module = "sfm"), "not an SFM package")
})

test_that("the order is that of the cells' networks", {
    sfm <- newModel(SFMParam(embedDim = 16, heads = 2, layers = 1,
        factors = 4, topk = 2), cells, seed = 1)
    model <- newModel(efm(), cells, seed = 2)
    how <- .inputArgs(nTargets = 15, species = "human")
    prepared <- .modelCells(model, cells, "infer", how, FALSE)
    orders <- .withOrder(prepared, model, sfm, FALSE)$order
    expect_identical(dim(orders), dim(prepared$values))
    expect_identical(unname(apply(orders, 2, sort)),
        matrix(as.integer(seq_len(nrow(orders)) - 1L), nrow(orders),
            ncol(orders)))
    ## the first gene of a cell: no TF's target, or of the largest ratio
    grn <- inferGRN(cells, sfm, nTargets = 15, verbose = FALSE)
    w <- matrix(0, nrow(orders), nrow(orders))
    tf <- which(!prepared$nonTF)
    w[tf, ] <- as.matrix(cellNetwork(grn, 1))
    diag(w) <- 0
    free <- which(colSums(w) == 0)
    first <- if (length(free)) free[which.max(rowSums(w)[free])] else
        which.max(rowSums(w) / (colSums(w) + 1e-12))
    expect_identical(orders[1, 1] + 1L, first)
    pooled <- inferGRN(cells, CorGRNParam(), nTargets = 15, verbose = FALSE)
    one <- .withOrder(prepared, model, pooled, FALSE)$order
    expect_identical(dim(one), c(nrow(orders), 1L))
    expect_error(.withOrder(prepared, model, "grn", FALSE), "'network' must")
    other <- newModel(efm(), genes = c("MYOG", "GAPDH", "ACTB"), seed = 1)
    expect_error(.withOrder(prepared, other, sfm, FALSE), "other vocabulary|another vocabulary")
})

test_that("one module's package isn't lost to the other", {
    folder <- tempfile("package")
    on.exit(unlink(folder, recursive = TRUE))
    saveModel(newModel(SFMParam(embedDim = 16, heads = 2), cells, seed = 1),
        folder
    )
    before <- list.files(folder, recursive = TRUE)
    model <- newModel(efm(), cells, seed = 2)
    expect_error(saveModel(model, folder, overwrite = TRUE),
        "also holds files that would be lost: models/sfm/sfm_config")
    expect_error(trainModel(cells, model, nTargets = 15, epochs = 1, seed = 3,
        dir = folder, verbose = FALSE), "which holds another run or model")
    expect_identical(list.files(folder, recursive = TRUE), before)
})
