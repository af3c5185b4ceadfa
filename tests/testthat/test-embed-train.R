cells <- exampleCells(nCells = 40, nGenes = 40)
## two classes that one gene's level tells apart
counts <- as.matrix(SummarizedExperiment::assay(cells))
kind <- rep(c("low", "high"), 20)
counts[1:15, kind == "high"] <- counts[1:15, kind == "high"] * 6 + 3
SummarizedExperiment::assay(cells) <- counts
cells$kind <- kind
model <- tinyScGPT(cells, dropout = 0)
tune <- function(..., m = model, epochs = 2) {
    trainModel(cells, m, group = "kind", epochs = epochs, batchSize = 8,
        seed = 1, verbose = FALSE, threads = 1, ...)
}

test_that("classes are learnt, in a new model", {
    before <- embedGenes(model)
    tuned <- tune(epochs = 12, lr = 5e-3, values = FALSE)
    expect_identical(embedGenes(model), before)
    history <- trainingHistory(tuned)
    expect_identical(nrow(history), 12L)
    expect_gt(history$macroF1[[12]], 0.8)
    expect_lt(history$class[[12]], history$class[[1]])
    told <- predictClasses(cells, tuned, verbose = FALSE)
    expect_gt(mean(told$class == kind), 0.8)
    expect_equal(rowSums(told[, c("high", "low")]), rep(1, 40),
        tolerance = 1e-6, ignore_attr = TRUE)
    dir <- file.path(tempfile("t-"), "model")
    dir.create(dirname(dir))
    saveModel(tuned, dir)
    again <- loadModel(dir, threads = 1)
    expect_equal(predictClasses(cells, again, verbose = FALSE), told)
})

test_that("a seed gives one run", {
    a <- tune()
    b <- tune()
    drop <- function(h) h[names(h) != "seconds"]
    expect_identical(drop(trainingHistory(a)), drop(trainingHistory(b)))
    expect_identical(embedGenes(a), embedGenes(b))
    expect_false(identical(embedGenes(a), embedGenes(model)))
})

test_that("heads and LoRA leave the rest to the bit", {
    for (train in c("heads", "lora")) {
        tuned <- tune(train = train, loraRank = 2)
        names <- modelTensors(model)$name
        rest <- grep("decoder", names, invert = TRUE, value = TRUE)
        for (name in rest) {
            expect_identical(modelTensor(tuned, name),
                modelTensor(model, name))
        }
        pairs <- grep("lora_up", modelTensors(tuned)$name, value = TRUE)
        expect_length(pairs, if (train == "lora") 8L else 0L)
        moved <- vapply(pairs, function(n) any(modelTensor(tuned, n) != 0), NA)
        expect_true(all(moved))
    }
})

test_that("masked values are trained without classes", {
    tuned <- trainModel(cells, model, epochs = 20, batchSize = 8, lr = 5e-3,
        seed = 1, verbose = FALSE)
    history <- trainingHistory(tuned)
    for (loss in c("mlm", "mvc")) {
        expect_lt(mean(history[[loss]][16:20]), 0.9 * history[[loss]][[1]])
    }
    expect_true(all(is.na(history$macroF1)))
    expect_error(predictClasses(cells, tuned), "knows no classes")
})

test_that("what can't be trained is refused", {
    expect_error(tune(train = "some"), "'train'")
    expect_error(trainModel(cells, model, group = "nosuch"), "no column")
    expect_error(trainModel(cells, model, group = 1:3), "one value per cell")
    expect_error(trainModel(cells, model, group = rep("a", 40)), "1 class")
    expect_error(trainModel(cells, model, values = FALSE), "nothing")
    expect_error(tune(lr = 0), "'lr'")
    expect_error(tune(misspelt = 1), "misspelt")
})

test_that("whole blocks are held out", {
    data <- list(cells = 1:40, class = rep(0:1, 20), block = rep(1:8, each = 5))
    held <- causeway:::.tuningHeld(data, 0.25, c(0, 1))
    expect_length(held, 10L)
    expect_length(unique(data$block[held]), 2L)
    expect_equal(causeway:::.macroF1(c(0, 1, 1, 1), c(0, 0, 1, 1)),
        mean(c(2 / 3, 4 / 5)))
})

test_that("classes have the same numbers in every locale", {
    x <- exampleCells(nCells = 30, nGenes = 40)
    model <- tinyScGPT(x)
    kind <- rep(c("ctrl", "Stim", "b"), 10)
    weights <- inLocales(function() {
        tuned <- trainModel(x, model, group = kind, epochs = 1, seed = 1,
            valid = 0, verbose = FALSE)
        modelTensor(tuned, "cls_decoder.out_layer.weight")
    })
    expect_length(weights, 1L)
})
