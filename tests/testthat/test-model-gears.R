## GEARS: settings, folder.

gearsTrained <- function(...) {
    x <- pertScreen()
    trainModel(x, GEARSParam(hiddenSize = 8, epochs = 2, ...), "perturbation",
        go = S4Vectors::metadata(x)$go, seed = 1, verbose = FALSE)
}

test_that("settings are checked", {
    p <- GEARSParam()
    expect_identical(p@settings$hiddenSize, 64L)
    expect_equal(p@settings$weightDecay, 5e-4)
    expect_equal(p@settings$clipValue, 1)
    expect_error(GEARSParam(hiddenSize = 0), "hiddenSize")
    expect_error(GEARSParam(threshold = 2), "threshold")
    expect_error(GEARSParam(epochs = 0), "epochs")
    expect_error(GEARSParam(geneEmbedding = matrix(1, 2, 2)), "geneEmbedding")
    expect_output(show(GEARSParam(uncertainty = TRUE)), "uncertainty")
})

test_that("a saved model tells the same", {
    model <- gearsTrained(uncertainty = TRUE)
    dir <- file.path(withr::local_tempdir(), "gears")
    saveModel(model, dir)
    again <- loadModel(dir, verbose = FALSE)
    asked <- c("FAC01", "FAC01+SIG02", "GENE003")
    a <- predictPerturbation(model, asked)
    b <- predictPerturbation(again, asked)
    expect_equal(a@delta, b@delta, tolerance = 1e-6)
    expect_equal(as.data.frame(a), as.data.frame(b), tolerance = 1e-6)
    expect_error(saveModel(model, dir), "exists")
    expect_error(predictPerturbation(again, model@state$screen$control[[1L]]),
        "control")
    expect_output(show(again), "GEARS")
})

test_that("published weights need the names of their rows", {
    model <- gearsTrained()
    dir <- withr::local_tempdir()
    .engineSave(model, file.path(dir, "model.safetensors"))
    expect_error(loadModel(dir, verbose = FALSE), "genes.txt")
    writeLines(model@state$readouts, file.path(dir, "genes.txt"))
    writeLines(model@state$vocab[-1], file.path(dir, "perturbations.txt"))
    expect_error(loadModel(dir, verbose = FALSE), "perturbations")
    writeLines(model@state$vocab, file.path(dir, "perturbations.txt"))
    bare <- loadModel(dir, verbose = FALSE)
    expect_match(modelReport(bare)$notes, "graph", all = TRUE)
    write.csv(model@state$go, file.path(dir, "go.csv"), row.names = FALSE)
    with <- loadModel(dir, verbose = FALSE)
    expect_length(modelReport(with)$notes, 1L)
    told <- predictPerturbation(with, "FAC01")
    expect_true(all(is.finite(told@delta)))
    expect_gt(max(abs(told@delta - predictPerturbation(bare, "FAC01")@delta)),
        1e-6)
    expect_error(predictPerturbation(with), "perturbations")
    unlink(file.path(dir, "go.csv"))
    file.copy(file.path(fixture("checkpoints"), "gears_config.pkl"),
        file.path(dir, "config.pkl"))
    kept <- loadModel(dir, verbose = FALSE)
    expect_length(modelReport(kept)$notes, 0L)
    expect_equal(kept@state$go, data.frame(target = c(1L, 1L, 0L),
        source = 0:2, weight = c(1, 0.5, 0.25)))
    expect_equal(kept@state$coexpression, data.frame(target = c(1L, 1L, 0L),
        source = c(0L, 2L, 3L), weight = c(0.75, 0.5, 1)))
    writeLines("garbage", file.path(dir, "config.pkl"))
    expect_error(loadModel(dir, verbose = FALSE), "config.pkl")
    unlink(file.path(dir, "config.pkl"))
    write.csv(transform(model@state$go, source = source + 1000L),
        file.path(dir, "go.csv"), row.names = FALSE)
    expect_error(loadModel(dir, verbose = FALSE), "go.csv")
})
