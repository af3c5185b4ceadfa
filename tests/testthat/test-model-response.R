## CellOT and scGen kept as models.

d <- treatedCells()

trained <- function(param, cells = TRUE, ...) {
    trainModel(d$m[, cells], param, d$condition[cells], "none", "drug",
        nComponents = 5, seed = 1, verbose = FALSE, ...)
}

small <- ScGenParam(hidden = 32, code = 4, steps = 200, batchSize = 64)

models <- list(
    CellOTParam(hidden = c(64, 64), steps = 150, batchSize = 64),
    CellOTParam(hidden = c(64, 64), space = "codes", steps = 150,
        batchSize = 64, scgen = small),
    ScGenParam(hidden = 32, code = 5, steps = 300, batchSize = 64),
    ScGenParam(hidden = 32, code = 4, steps = 300, batchSize = 64,
        conditional = TRUE)
)

test_that("what is trained moves other cells, and the same when loaded again", {
    new <- seq_len(360) %% 3L == 0L # not trained on
    for (param in models) {
        model <- trained(param, !new)
        r <- predictResponse(d$m[, new], d$condition[new], "none", "drug",
            method = model, seed = 1, nBoot = 10)
        s <- as.data.frame(r)
        energy <- setNames(s$energy, s$method)
        expect_lt(energy[["the model"]], 0.7 * energy[["identity"]])
        expect_true(is.na(verdict(r)$holds))
        expect_identical(ncol(r@cells), sum(new & d$condition == "none"))
        up <- as.data.frame(r, "genes")
        expect_gt(mean(sprintf("G%02d", 1:10) %in%
            up$gene[up$delta > 0][1:10]), 0.6)
        dir <- file.path(withr::local_tempdir(), "net")
        saveModel(model, dir)
        again <- loadModel(dir, verbose = FALSE)
        expect_s4_class(again, class(model))
        told <- predictResponse(d$m[, new], d$condition[new], "none", "drug",
            method = again, seed = 1, nBoot = 10)
        expect_equal(SummarizedExperiment::assay(told@cells),
            SummarizedExperiment::assay(r@cells), tolerance = 1e-5)
        expect_error(saveModel(model, dir), "exists")
        saveModel(model, dir, overwrite = TRUE)
    }
})

test_that("a history is kept, the best weights, and names in show()", {
    model <- trained(models[[1L]])
    h <- trainingHistory(model)
    expect_true(all(c("step", "g", "f", "penalty", "mmd") %in% names(h)))
    expect_identical(h$step[[nrow(h)]], 1650L)
    expect_lt(min(h$mmd), h$mmd[[1L]])
    expect_true(all(is.finite(as.matrix(h))))
    expect_output(show(model), "CellOT.*none.*drug")
    h <- trainingHistory(trained(models[[3L]]))
    expect_lt(h$mse[[20L]], h$mse[[1L]])
    expect_identical(modelTensors(model)$name[[1L]], "f.W.0.weight")
})

test_that("cells are put on the model's scale, by names", {
    model <- trained(models[[1L]])
    untreated <- d$m[, d$condition == "none"]
    move <- function(m) {
        SingleCellExperiment::reducedDim(predictResponse(m,
            method = model, seed = 1)@cells)
    }
    a <- move(untreated)
    ## other order, depth and company
    b <- move(rbind(untreated[30:1, ] * 3)[, 1:50])
    expect_equal(b, a[1:50, ], tolerance = 1e-5)
    r <- predictResponse(untreated[-3, ], method = model)
    expect_match(verdict(r)$text, "Without 1 gene .*G03", all = FALSE)
    expect_match(verdict(r)$text, "Not tested", all = FALSE)
    expect_error(move(untreated[1:4, ]), "4 of the model's 30 genes")
    expect_error(predictResponse(log1p(untreated), method = model,
        alreadyNormalised = TRUE), "trained on counts")
    expect_error(predictResponse(d$m, d$condition, "none", "other",
        method = model), "level")
})

test_that("folders that lack something say so", {
    dir <- file.path(withr::local_tempdir(), "net")
    saveModel(trained(small), dir)
    unlink(file.path(dir, "centre.csv"))
    expect_error(loadModel(dir), "centre.csv")
    writeLines("{\"model_type\": \"scgen\"}", file.path(dir, "config.json"))
    expect_error(loadModel(dir), "lacks")
    expect_error(trainModel(d$m, small, d$condition, verbose = FALSE), "'ref'")
    expect_error(trained(small, nTargets = 1), "nTargets")
})
