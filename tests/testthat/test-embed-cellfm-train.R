cells <- exampleCells(nCells = 40, nGenes = 40)
## two classes that one gene's level tells apart
counts <- as.matrix(SummarizedExperiment::assay(cells))
kind <- rep(c("low", "high"), 20)
counts[1:15, kind == "high"] <- counts[1:15, kind == "high"] * 6 + 3
SummarizedExperiment::assay(cells) <- counts
cells$kind <- kind
model <- tinyCellFM(cells, dropout = 0)
tune <- function(..., m = model, epochs = 2) {
    trainModel(cells, m, group = "kind", epochs = epochs, batchSize = 8,
        seed = 1, verbose = FALSE, threads = 1, ...)
}

test_that("classes are learnt both ways, in a new model", {
    before <- embedGenes(model)
    for (head in c("query", "cls")) {
        tuned <- tune(epochs = 15, lr = 3e-3, head = head, values = FALSE)
        expect_identical(embedGenes(model), before)
        history <- trainingHistory(tuned)
        expect_identical(nrow(history), 15L)
        told <- predictClasses(cells, tuned, verbose = FALSE)
        expect_gt(mean(told$class == kind), 0.8)
        dir <- tempfile("t-")
        saveModel(tuned, dir)
        expect_equal(predictClasses(cells, loadModel(dir, threads = 1),
            verbose = FALSE), told)
    }
})

test_that("what is frozen keeps its bits", {
    moved <- function(tuned, pattern, of = model) {
        names <- grep(pattern, modelTensors(of)$name, value = TRUE)
        vapply(names, function(n) {
            there <- intersect(c(n, paste0("extractor.", n)),
                modelTensors(tuned)$name)
            !identical(modelTensor(tuned, there[[1]]), modelTensor(of, n))
        }, NA)
    }
    back <- "^encoder|^gene_emb|^value_enc|^cls_token"
    expect_false(any(moved(tune(train = "heads"), back)))
    lora <- tune(train = "lora", loraRank = 2)
    expect_false(any(moved(lora, back)))
    ups <- grep("lora_.*B", modelTensors(lora)$name, value = TRUE)
    expect_length(ups, 16L)
    expect_true(all(vapply(ups, function(n) any(modelTensor(lora, n) != 0),
        NA)))
    port <- tune(train = "encoder", head = "cls", lr = 1e-3)
    expect_false(any(moved(port, "^gene_emb|^value_enc|^cls_token")))
    expect_true(all(moved(port, "^encoder.*(v_proj|norm1)")))
})

test_that("hidden values are learnt; from scratch by a param", {
    for (pad in c(TRUE, FALSE)) {
        tuned <- trainModel(cells, CellFMParam(embedDim = 16, layers = 2,
            heads = 4, valueDim = 12, dropout = 0, padZero = pad), epochs = 15,
            batchSize = 8, lr = 5e-3, seed = 1, threads = 1, verbose = FALSE)
        history <- trainingHistory(tuned)
        expect_lt(history$gene[[15]], history$gene[[1]])
        expect_identical(anyNA(history$geneZero), pad)
    }
})

test_that("a run that was stopped goes on to the same numbers", {
    dir <- tempfile("run-")
    whole <- tune(epochs = 3, lr = 1e-3)
    tune(epochs = 1, lr = 1e-3, dir = dir)
    rest <- tune(epochs = 3, lr = 1e-3, dir = dir)
    drop <- function(h) h[names(h) != "seconds"]
    expect_identical(drop(trainingHistory(rest)), drop(trainingHistory(whole)))
    for (name in modelTensors(whole)$name) {
        expect_identical(modelTensor(rest, name), modelTensor(whole, name))
    }
    expect_error(tune(epochs = 3, lr = 2e-3, dir = dir), "another run")
})

test_that("what can't be is refused", {
    expect_error(tune(train = "some"), "'train'")
    annotator <- tune(epochs = 1)
    expect_error(trainModel(cells, annotator, verbose = FALSE), "'group'")
    expect_error(tune(m = annotator, head = "cls"), "'head'")
    expect_error(predictClasses(cells, model), "no classes")
    empty <- cells
    SummarizedExperiment::assay(empty)[, 3] <- 0
    expect_error(trainModel(empty, model, verbose = FALSE), "without any count")
})
