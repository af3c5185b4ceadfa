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

test_that("verbs of models name what they were given", {
    for (verb in list(trainingHistory, modelReport, saveModel)) {
        expect_error(verb(3, "d"), "'model' must be a FoundationModel.*numeric")
    }
    for (verb in list(modelTensors, conditionTable)) {
        expect_error(verb(3), "'x' must be a FoundationModel.* it is a numeric")
    }
    expect_error(plotTraining(3), "'x' must be a trained model .* a numeric")
    cells <- exampleCells(nCells = 20)
    expect_error(newModel(SFMParam, cells), "'param' is the function SFMParam")
    expect_error(newModel(cells, SFMParam()), "The settings come first")
    expect_error(trainModel(cells, SFMParam), "'model' is the function SFMP")
    expect_error(trainModel(SFMParam(), cells), "the cells come first")
    expect_error(inferGRN(cells, "ridge"), "it is \"ridge\"")
})
