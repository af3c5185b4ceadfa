## GEARS on a screen.

gearsSmall <- GEARSParam(hiddenSize = 8, epochs = 2)

test_that("it learns what was measured, and its best epoch is kept", {
    x <- pertScreen()
    run <- function(epochs, ...) {
        trainModel(x, GEARSParam(hiddenSize = 16, epochs = epochs, lr = 0.01,
            decay = 0.9), "perturbation", go = S4Vectors::metadata(x)$go,
            seed = 1, verbose = FALSE, ...)
    }
    model <- run(5)
    h <- trainingHistory(model)
    expect_identical(h$epoch, 1:5)
    expect_lt(h$autofocus[[5L]], h$autofocus[[1L]])
    expect_equal(h$lr[[2L]], h$lr[[1L]] * 0.9, tolerance = 1e-6)
    fit <- pertFit()
    told <- predictPerturbation(model, fit@state$names)
    both <- intersect(rownames(told@delta), fit@state$effects$readouts)
    true <- fit@state$effects$T * fit@state$effects$sd
    rownames(true) <- fit@state$effects$readouts
    expect_gt(cor(c(told@delta[both, ]), c(true[both, ])), 0.2)
    best <- run(which.min(h$valid), threads = 1)
    expect_identical(predictPerturbation(best, fit@state$names)@delta,
        told@delta)
    expect_identical(trainingHistory(best)[1:4],
        h[seq_len(which.min(h$valid)), 1:4])
})

test_that("unseen genes are flagged", {
    x <- pertScreen()
    model <- trainModel(x, gearsSmall, "perturbation",
        go = S4Vectors::metadata(x)$go, seed = 1, verbose = FALSE)
    p <- predictPerturbation(model, c("FAC01", "GENE01", "NOSUCH",
        "FAC01+NOSUCH"))
    t <- as.data.frame(p)
    expect_identical(t$seen[c(1L, 3L)], c("measured", "unseen"))
    expect_identical(t$flag[[1L]], "")
    expect_match(t$flag[[2L]], "shares no terms")
    expect_match(t$flag[3:4], "mean effect", all = TRUE)
    expect_equal(unname(p@delta[, 3L]), model@state$meanDelta)
    expect_true(is.na(verdict(p)$holds))
    expect_error(predictPerturbation(model, "FAC01", cells = 5),
        "'cells' must be 0 for GEARS")
})

test_that("it is scored beside the baselines, on cells no test has seen", {
    x <- pertScreen()
    fit <- pertFit()
    ev <- evaluatePerturbationModel(fit, "single, unseen",
        list(GEARS = gearsSmall), x = x, folds = 2, verbose = FALSE)
    t <- as.data.frame(ev)
    expect_true(all(c("GEARS", "mean perturbed", "bilinear ridge",
        "no change") %in% t$method))
    m <- as.data.frame(ev, "models")
    expect_identical(m$model, "GEARS")
    expect_false(m$baseline %in% c("GEARS", "the model"))
    expect_match(verdict(ev)$text, "GEARS .*the best baseline", all = FALSE)
    d <- .gearsScreen(fit@state, x)
    expect_identical(sum(d$of == 0L), as.integer(fit@state$effects$nControl[[1L]]))
    published <- evaluatePerturbationModel(fit, "gears",
        list(GEARS = gearsSmall), x = x, seed = 1, verbose = FALSE)
    expect_true("GEARS" %in% as.data.frame(published, "published")$method)
})

test_that("what can't be trained is refused", {
    x <- pertScreen()
    fit <- pertFit()
    known <- x$perturbation
    run <- function(...) trainModel(x, gearsSmall, ..., verbose = FALSE)
    expect_error(run(), "perturbation")
    expect_error(run(ifelse(known == "control", NA, known)), "control")
    expect_error(run(make.unique(paste0(known, "x"))), "control|minCells")
    expect_error(run("perturbation", minCells = 1e4), "minCells")
    expect_error(run("perturbation", go = 1), "go")
    expect_error(evaluatePerturbationModel(fit, models = list(g = gearsSmall)),
        "'x'")
    expect_error(evaluatePerturbationModel(fit, models = list(g = gearsSmall),
        x = x[, -1]), "other cells")
})
