cells <- exampleCells(nCells = 40, nGenes = 40)
counts <- as.matrix(SummarizedExperiment::assay(cells))
kind <- rep(c("T cell", "B cell"), 20)
counts[1:15, kind == "B cell"] <- counts[1:15, kind == "B cell"] * 30 + 20
SummarizedExperiment::assay(cells) <- counts
cells$kind <- kind
model <- tinyKCellFM(cells, dropout = 0)
tune <- function(..., m = model, epochs = 2, group = "kind", seed = 1) {
    trainModel(cells, m, group = group, epochs = epochs, batchSize = 8,
        seed = seed, verbose = FALSE, threads = 1, ...)
}
moved <- function(tuned, of = model) {
    names <- modelTensors(of)$name
    names[vapply(names, function(n) {
        !identical(modelTensor(tuned, n), modelTensor(of, n))
    }, NA)]
}

test_that("classes are learnt, in a new model that can be saved", {
    before <- embedGenes(model)
    tuned <- tune(epochs = 15, lr = 1e-3, weightDecay = 0, valid = 0.1,
        keepBest = FALSE)
    expect_identical(embedGenes(model), before)
    history <- trainingHistory(tuned)
    expect_identical(nrow(history), 15L)
    expect_true(all(is.na(history$mlm)) && all(is.na(history$ranking)))
    told <- predictClasses(cells, tuned, verbose = FALSE)
    expect_gt(mean(told$class == kind), 0.75)
    dir <- tempfile("t-")
    saveModel(tuned, dir)
    expect_equal(predictClasses(cells, loadModel(dir, threads = 1),
        verbose = FALSE), told)
})

test_that("layers are frozen as published, and the unused head is left", {
    tuned <- tune(tuneLayers = 1, lr = 1e-3, weightDecay = 0.1,
        keepBest = FALSE)
    changed <- moved(tuned)
    expect_false(any(grepl("^decoder|^mamba_encoder\\.0\\.", changed)))
    expect_true(all(grep("^mamba_encoder\\.1\\.|^value_encoder|^cls_decoder",
        modelTensors(model)$name, value = TRUE) %in% changed))
    expect_true(any(grepl("^encoder\\.embedding", changed)))
    expect_true("mamba_encoder.0.mamba_fwd.A_log" %in%
        moved(tune(tuneLayers = NULL, lr = 1e-3, keepBest = FALSE)))
    expect_false(any(grepl("^mamba_encoder", moved(tune(tuneLayers = 0,
        lr = 1e-3, keepBest = FALSE)))))
})

test_that("the class head's last layer is drawn anew for other classes", {
    name <- "cls_decoder.out_layer.weight"
    first <- tune(epochs = 1, lr = 1e-12, keepBest = FALSE, weightDecay = 0)
    again <- tune(m = first, epochs = 1, lr = 1e-12, keepBest = FALSE,
        weightDecay = 0)
    expect_equal(modelTensor(again, name), modelTensor(first, name))
    other <- tune(m = first, epochs = 1, lr = 1e-12, keepBest = FALSE,
        weightDecay = 0, group = sub("T cell", "NK cell", kind), seed = 2)
    expect_gt(max(abs(modelTensor(other, name) - modelTensor(first, name))),
        0.1)
    expect_equal(modelTensor(other, "decoder.fc.0.weight"),
        modelTensor(first, "decoder.fc.0.weight"))
})

test_that("the best epoch comes back", {
    tuned <- tune(epochs = 8, lr = 3e-2)
    history <- trainingHistory(tuned)
    best <- which.max(history$accuracy)
    until <- tune(epochs = best, lr = 3e-2, keepBest = FALSE)
    expect_identical(moved(tuned, until), character())
    if (best < 8) {
        expect_match(tuned@state$status, paste("weights of epoch", best))
    }
    dir <- tempfile("best-")
    tune(epochs = best, lr = 3e-2, dir = dir)
    expect_identical(moved(tune(epochs = 8, lr = 3e-2, dir = dir), tuned),
        character())
    expect_error(tune(epochs = 8, lr = 2e-2, dir = dir), "another run")
})

test_that("hidden values and ranks are learnt beside", {
    types <- rbind("t cell" = sin(1:16), "B cell" = cos(3 * (1:16)),
        other = cos(1:16))
    rownames(types)[[2L]] <- "b cell"
    ## by how much a cell is nearer to its type than to the other
    nearer <- function(m) {
        v <- SingleCellExperiment::reducedDim(embedCells(cells, m, unit = TRUE,
            verbose = FALSE), "KCellFM")
        cosine <- v %*% t(types[1:2, ] / sqrt(rowSums(types[1:2, ]^2)))
        mean((cosine[, 1L] - cosine[, 2L]) * ifelse(kind == "T cell", 1, -1))
    }
    tuned <- tune(types = types, values = TRUE, tuneLayers = NULL, epochs = 12,
        lr = 5e-3)
    history <- trainingHistory(tuned)
    for (loss in c("mlm", "class", "ranking")) {
        expect_lt(history[[loss]][[12]], history[[loss]][[1]])
    }
    expect_gt(nearer(tuned), nearer(model) + 0.05)
    expect_equal(history$total, 0.5 * history$mlm + history$class +
        0.5 * history$ranking, tolerance = 1e-5)
    ## nothing stays bound
    expect_s3_class(predictClasses(cells, tuned, verbose = FALSE), "data.frame")
    scratch <- trainModel(cells, KCellFMParam(embedDim = 16, layers = 1,
        stateDim = 6, headDim = 8), epochs = 6, batchSize = 8, lr = 5e-3,
        seed = 1, threads = 1, verbose = FALSE)
    history <- trainingHistory(scratch)
    expect_lt(history$mlm[[6]], history$mlm[[1]])
    expect_true(all(is.na(history$class)))
})

test_that("what can't be is refused", {
    expect_error(tune(group = NULL, values = FALSE), "'group'")
    expect_error(tune(types = diag(16)), "'types'")
    types <- matrix(1, 2, 16, dimnames = list(c("T cell", "monocyte")))
    expect_error(tune(types = types), "no vector of B cell")
    rownames(types) <- c("T cell", "B cell")
    expect_error(tune(types = types[, 1:8]), "8 columns.*16")
    expect_error(tune(types = types, group = NULL, values = TRUE), "'group'")
    expect_error(tune(relations = data.frame()), "'types' is NULL")
    expect_error(tune(tuneLayers = -1), "'tuneLayers'")
    expect_error(predictClasses(cells, model), "no classes")
})
