test_that("set.seed governs a new model, seed overrides it", {
    x <- tinyCells()
    set.seed(5)
    a <- newModel(tinyParam(), x, threads = 1)
    set.seed(5)
    b <- newModel(tinyParam(), x, threads = 1)
    c <- newModel(tinyParam(), x, threads = 1)
    expect_identical(weightsOf(a), weightsOf(b))
    expect_false(identical(weightsOf(a), weightsOf(c)))
    set.seed(9)
    before <- .Random.seed
    d <- newModel(tinyParam(), x, seed = 3, threads = 1)
    expect_identical(.Random.seed, before)
    e <- newModel(tinyParam(), x, seed = 3, threads = 1)
    expect_identical(weightsOf(d), weightsOf(e))
})

test_that("a new model is initialised as published", {
    w <- weightsOf(newModel(SFMParam(), exampleCells(200, 90), seed = 1))
    at <- function(name) w[[paste0("foundation_modules.sfm.", name)]]
    gene <- at("embedding.gene_embedding.weight")
    expect_identical(dim(gene), c(91L, 64L))
    expect_true(all(gene[1, ] == 0))
    expect_equal(sd(gene[-1, ]), 0.02, tolerance = 0.05)
    q <- at("backbone.layers.0.attn.qkv_proj.weight")
    expect_identical(dim(q), c(192L, 64L))
    bound <- sqrt(6 / (192 + 64))
    expect_lte(max(abs(q)), bound)
    expect_equal(sd(q), bound / sqrt(3), tolerance = 0.05)
    expect_true(all(at("backbone.layers.0.attn.qkv_proj.bias") == 0))
    expect_true(all(at("backbone.final_norm.weight") == 1))
    expect_true(all(at("tf_router.gating.beta_qb") == 0))
})

test_that("tensors can be read and written, row-major kept right", {
    model <- tinyModel()
    name <- "foundation_modules.sfm.backbone.layers.0.attn.out_proj.weight"
    value <- matrix(seq_len(16 * 16) / 8, 16)
    setModelTensor(model, name, value)
    expect_identical(modelTensor(model, name), value)
    expect_error(modelTensor(model, "nothing"), "'name' is \"nothing\"")
    expect_error(setModelTensor(model, name, 1:3), "256 numbers")
})

test_that("training fills the history and lowers the loss", {
    x <- tinyCells()
    model <- tinyModel(x)
    before <- weightsOf(model)
    back <- withVisible(tinyTrain(model, x, epochs = 15))
    expect_false(back$visible)
    h <- trainingHistory(back$value)
    expect_identical(names(h), c(
        "step", "epoch", "elbo", "prior", "dag", "sparsity", "total",
        "gradNorm", "lr", "seconds", "run"
    ))
    expect_identical(h$step, seq_len(30L))
    expect_identical(h$epoch, rep(1:15, each = 2))
    expect_true(all(is.na(h$prior)))
    expect_true(all(is.finite(as.matrix(h[, c("elbo", "total", "lr")]))))
    expect_lt(mean(tail(h$elbo, 4)), mean(head(h$elbo, 4)))
    expect_lt(tail(h$lr, 1), max(h$lr))
    expect_gte(min(tail(h$lr, 1)), 1e-4 * 0.999)
    expect_false(identical(before, weightsOf(model)))
    expect_output(show(model), "finished after 30 of 30 steps")
    expect_output(print(summary(model)), "prior: none")
})

test_that("the same key gives the same run, bit for bit", {
    x <- tinyCells()
    a <- tinyTrain(tinyModel(x), x)
    b <- tinyTrain(tinyModel(x), x)
    expect_identical(weightsOf(a), weightsOf(b))
})

## Raises an interrupt as Ctrl-C would, once the run reaches a step.
stopAt <- function(step, code) {
    ns <- asNamespace("causeway")
    old <- get(".progressTick", envir = ns)
    swap <- function(value) {
        unlockBinding(".progressTick", ns)
        assign(".progressTick", value, envir = ns)
        lockBinding(".progressTick", ns)
    }
    swap(function(bar, at, terms = "") {
        if (at == step) {
            stop(structure(
                class = c("interrupt", "condition"),
                list(message = "", call = NULL)
            ))
        }
    })
    on.exit(swap(old))
    force(code)
}

test_that("a stopped run goes on as if it had not stopped", {
    x <- tinyCells()
    whole <- tinyTrain(tinyModel(x), x, epochs = 3)
    model <- tinyModel(x)
    expect_message(
        stopAt(3, {
            m <- tinyTrain(model, x, epochs = 3)
        }), "stopped after 3 of 6"
    )
    expect_output(show(model), "stopped after 3 of 6")
    expect_s4_class(inferGRN(x, model, verbose = FALSE), "CellGRN")
    trainModel(x, model, resume = TRUE, verbose = FALSE)
    expect_identical(weightsOf(model), weightsOf(whole))
    drop <- "seconds"
    expect_identical(
        trainingHistory(model)[setdiff(names(trainingHistory(model)), drop)],
        trainingHistory(whole)[setdiff(names(trainingHistory(whole)), drop)]
    )
})

test_that("a stopped run goes on from disk, too", {
    x <- tinyCells()
    whole <- tinyTrain(tinyModel(x), x, epochs = 3)
    model <- tinyModel(x)
    suppressMessages(stopAt(3, tinyTrain(model, x, epochs = 3)))
    folder <- tempfile()
    saveModel(model, folder)
    again <- loadModel(folder, threads = 1, verbose = FALSE)
    unlink(folder, recursive = TRUE)
    tinyTrain(again, x, epochs = 3)
    expect_identical(weightsOf(again), weightsOf(whole))
    expect_identical(nrow(trainingHistory(again)), 6L)
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

test_that("a prior is used, and its terms are reported", {
    x <- tinyCells()
    model <- tinyModel(x)
    prior <- S4Vectors::metadata(x)$network
    tinyTrain(model, x, epochs = 1, prior = prior)
    h <- trainingHistory(model)
    expect_true(all(is.finite(h$prior)))
    expect_output(show(model), paste("prior", nrow(unique(prior)), "edges"))
    expect_error(tinyTrain(model, x, prior = data.frame(a = 1)), "'prior'")
    expect_error(
        tinyTrain(model, x, prior = data.frame(Gene1 = "A", Gene2 = "B")),
        "no edge between genes"
    )
    expect_equal(.priorWeightAt(c(20, 10), 0, 4), 20)
    expect_equal(.priorWeightAt(c(20, 10), 2, 4), 15)
    expect_equal(.priorWeightAt(c(20, 10), 4, 4), 10)
})

test_that("losses that are off are NA", {
    x <- tinyCells()
    model <- tinyTrain(tinyModel(x), x, epochs = 1, lambdaDag = 0)
    expect_true(all(is.na(trainingHistory(model)$dag)))
    expect_false(anyNA(trainingHistory(model)$sparsity))
})

test_that("training from the settings makes the model first", {
    x <- tinyCells()
    model <- trainModel(x, tinyParam(),
        epochs = 1, seed = 2, threads = 1, verbose = FALSE
    )
    expect_s4_class(model, "FoundationModel")
    expect_identical(nrow(trainingHistory(model)), 2L)
})

test_that("windows of cells cover an epoch once", {
    order <- sample(23)
    s <- list(batchSize = 5L, accumulate = 2L)
    parts <- lapply(0:2, function(w) .windowCells(order, w, s))
    expect_identical(unlist(parts), order)
    expect_identical(lengths(parts[[1]]), c(5L, 5L))
    expect_identical(lengths(parts[[3]]), 3L)
})

test_that("inference gives the networks of the cells asked for", {
    x <- tinyCells()
    model <- tinyTrain(tinyModel(x), x, epochs = 1)
    grn <- inferGRN(x, model, batchSize = 4, verbose = FALSE)
    expect_identical(cellNames(grn), colnames(x))
    expect_identical(tfNames(grn), rownames(x)[1:5])
    some <- inferGRN(x, model, cells = c("cell003", "cell001"),
        verbose = FALSE
    )
    expect_identical(cellNames(some), c("cell003", "cell001"))
    expect_equal(as.matrix(some, "cell003"), as.matrix(grn, "cell003"),
        tolerance = 1e-6
    )
    meta <- S4Vectors::metadata(grn)
    expect_identical(meta$prior, "none")
    expect_identical(meta$coverage$matched, nrow(x))
    expect_identical(meta$species, "human")
    two <- inferGRN(x, model, genes = c("MYOD1", "TARGET001", "TARGET002"),
        verbose = FALSE
    )
    expect_identical(unname(dim(two)[1:2]), c(1L, 3L))
    expect_error(inferGRN(x, model, cells = "nobody"), "'cells'.*nobody")
    expect_error(inferGRN(x, model, cells = 99), "'cells'")
    expect_error(inferGRN(model, x), "cells come first")
})

test_that("scores agree with the dense forward pass", {
    x <- tinyCells()
    model <- tinyModel(x)
    grn <- inferGRN(x, model, verbose = FALSE)
    p <- .prepareCells(model, x, "infer", list(
        species = "human", nTargets = 1000L, preprocess = list(),
        alreadyNormalised = FALSE
    ), FALSE)
    out <- .engineRun(model, "trace", .tokenBatch(p, seq_len(3)))
    u <- aperm(out$u)[2, !p$nonTF, ]
    v <- aperm(out$v)[2, , ]
    expect_equal(unname(as.matrix(grn, 2)), u %*% t(v), tolerance = 1e-5)
})

test_that("one cell is enough when the genes are known", {
    x <- tinyCells()
    model <- tinyTrain(tinyModel(x), x, epochs = 1)
    one <- inferGRN(x[, 4], model,
        preprocess = list(minCells = 0), verbose = FALSE
    )
    expect_identical(length(one), 1L)
    expect_error(
        inferGRN(x[, 4], model, nTargets = 5, verbose = FALSE), "one cell"
    )
})

test_that("the engine describes itself", {
    info <- engineInfo()
    expect_s3_class(info, "engineInfo")
    expect_output(print(info), "causeway engine")
    expect_true(length(info$threads) == 1L && info$threads >= 1)
})

test_that("R's random numbers are left alone by inference and examples", {
    x <- tinyCells()
    model <- tinyModel(x)
    set.seed(1)
    before <- .Random.seed
    exampleCells()
    inferGRN(x, model, verbose = FALSE)
    tinyTrain(model, x, epochs = 1)
    expect_identical(.Random.seed, before)
})

test_that("a cell's network does not depend on the cells that come with it", {
    cells <- exampleCells()
    model <- newModel(SFMParam(), cells, seed = 5)
    trainModel(cells, model, epochs = 1, seed = 5, verbose = FALSE)
    all <- inferGRN(cells, model, verbose = FALSE)
    few <- inferGRN(cells[, c(7, 3)], model, verbose = FALSE)
    expect_identical(geneNames(few), geneNames(all))
    expect_equal(cellNetwork(few, 1), cellNetwork(all, 7), tolerance = 1e-5)
    ## a gene none of these cells has is read as 0
    gene <- which(rowSums(SingleCellExperiment::counts(cells)[, 1:2]) == 0)
    skip_if(!length(gene), "every gene is seen in the first two cells")
    two <- inferGRN(cells[, 1:2], model, genes = rownames(cells),
        verbose = FALSE
    )
    expect_true(all(rownames(cells)[gene] %in% geneNames(two)))
})
