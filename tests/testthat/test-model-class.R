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
