## Effects against dense arithmetic; what can't be used is refused.

effectsOf <- function(x, ..., block = NULL, nTargets = Inf) {
    input <- causeway:::.readCells(x)
    input$labels <- causeway:::.readoutNames(input)
    plan <- causeway:::.perturbationPlan(input, "perturbation", NULL, block,
        10, NULL, TRUE)
    list(plan = plan, e = causeway:::.measuredEffects(input, plan, NULL,
        list(nTargets = nTargets, key = c(1, 2), threads = 2L)))
}

test_that("sums streamed give the effects that dense values give", {
    x <- pertScreen()
    x$batch <- rep(c("a", "b"), length.out = ncol(x))
    found <- effectsOf(x, block = "batch")
    e <- found$e
    label <- found$plan$labels
    label <- label$perturbation[match(x$perturbation, label$label)]
    m <- as.matrix(SummarizedExperiment::assay(x))
    total <- colSums(m)
    v <- log1p(t(t(m) / total) * median(total))[e$readouts, ]
    control <- x$perturbation == "control"
    half <- causeway:::.halves(found$plan$of * 2L + found$plan$batch,
        c(1, 2), 1)
    delta <- function(cells, h) { # batch by batch against a half of controls
        base <- sapply(c("a", "b"), function(b) {
            rowMeans(v[, control & x$batch == b & half == h])
        })
        rowMeans(v[, cells] - base[, x$batch[cells]])
    }
    sd <- sqrt(rowSums(sapply(c("a", "b"), function(b) {
        c <- control & x$batch == b & half == 0L
        (sum(c) - 1) * apply(v[, c], 1, var)
    })) / (sum(control & half == 0L) - 2))
    sd <- pmax(sd, sqrt(quantile(sd[sd > 0]^2, 0.1)))
    expect_equal(e$sd, unname(sd), tolerance = 1e-10)
    for (p in c(1L, 10L, 27L)) {
        cells <- which(label == found$plan$names[[p]])
        other <- setdiff(seq_along(e$readouts), e$own[[p]])
        expect_equal((e$Y[, p] * e$sd)[other], unname(delta(cells, 0L))[other],
            tolerance = 1e-10)
        expect_equal((e$T[, p] * e$sd)[other], unname(delta(cells, 1L))[other],
            tolerance = 1e-10)
    }
    expect_identical(unname(e$n), as.integer(table(label)[found$plan$names]))
})

test_that("a perturbed gene's own reading is not among its effects", {
    e <- effectsOf(pertScreen())$e
    own <- which(lengths(e$own) == 1L)
    expect_identical(length(own), 24L)
    p <- own[[3L]]
    row <- e$own[[p]]
    train <- c(p, seq_along(e$own)[seq(2, length(e$own), 2)])
    others <- Filter(function(q) !row %in% e$own[[q]], train)
    filled <- causeway:::.filledEffects(e, train)
    expect_identical(c(e$Y[row, p], e$T[row, p]), c(0, 0))
    expect_equal(filled[row, 1L], mean(e$Y[row, others]))
    expect_identical(filled[row, match(others, train)], e$Y[row, others])
    expect_identical(causeway:::.filledEffects(e, p)[row, 1L], 0)
    expect_lt(median(e$ownChange), 0)
})

test_that("escaped cells are found by moments", {
    x <- simulatePerturbations(nPathways = 2, nTargets = 60, nPairs = 0,
        cells = c(200, 200), nControl = 600, seed = 8)
    works <- S4Vectors::metadata(x)$simulation$works
    found <- effectsOf(x)
    r <- setNames(found$e$responded, found$plan$names)
    clear <- names(r)[r < 1]
    expect_gte(length(clear), 4L)
    expect_gt(cor(r[clear], works[clear]), 0.5)
    expect_true(all(r >= 0.2 & r <= 1))
})

test_that("cells that can't be used are errors that say what to do", {
    x <- pertScreen()
    none <- x[, x$perturbation != "control"]
    expect_error(effectsOf(none), "no control cells")
    x$perturbation[] <- NA
    expect_error(effectsOf(x), "missing for all")
    x <- pertScreen()
    expect_error(effectsOf(x[, x$perturbation == "control"]),
        "no perturbed cells")
    first <- x[, !duplicated(x$perturbation) | x$perturbation == "control"]
    expect_error(effectsOf(first), "minCells.*1 cell")
    x$batch <- ifelse(x$perturbation == "FAC01", "b", "a")
    expect_error(effectsOf(x, block = "batch"), "fewer than 4 control.* b:")
    x$batch <- NULL
    bad <- x
    SummarizedExperiment::assay(bad)@x[[1L]] <- NaN
    expect_error(effectsOf(bad), "NaN")
    few <- x[, c(which(x$perturbation == "control")[1:3],
        which(x$perturbation != "control"))]
    expect_error(effectsOf(few), "at least 4")
    log <- x
    SummarizedExperiment::assay(log)@x <- log1p(
        SummarizedExperiment::assay(log)@x)
    expect_warning(effectsOf(log), "looks log-normalised")
})
