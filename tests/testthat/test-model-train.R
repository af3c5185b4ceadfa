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

test_that("training from the settings makes the model first", {
    x <- tinyCells()
    model <- trainModel(x, tinyParam(),
        epochs = 1, seed = 2, threads = 1, verbose = FALSE
    )
    expect_s4_class(model, "FoundationModel")
    expect_identical(nrow(trainingHistory(model)), 2L)
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
