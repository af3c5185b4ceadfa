## Predictions: measured, unseen, unknown; intervals; cells.

test_that("profiles, changes and intervals fit together", {
    fit <- pertFit()
    p <- predictPerturbation(fit, c("FAC01", "SIG01+FAC02", "NOBODY"))
    expect_identical(colnames(p@delta), c("FAC01", "FAC02+SIG01", "NOBODY"))
    t <- as.data.frame(p)
    expect_identical(t$seen, c("measured", "genes measured", "unseen"))
    expect_match(t$flag[[3L]], "nothing is known")
    expect_identical(t$flag[1:2], c("", ""))
    expect_equal(p@profile, pmax(p@delta + fit@state$effects$mean, 0))
    ok <- !is.na(p@low)
    expect_true(all(p@low[ok] < p@delta[ok] & p@delta[ok] < p@high[ok]))
    expect_true(all(is.na(p@low["FAC01", "FAC01"])))
    expect_lt(p@delta["FAC01", "FAC01"], 0)
    wide <- predictPerturbation(fit, "FAC01", level = 0.99)
    expect_true(all((wide@high - wide@low >= p@high[, 1, drop = FALSE] -
        p@low[, 1, drop = FALSE])[ok[, 1]]))
    ## a gene that nobody knows has the mean effect, whatever its name
    q <- predictPerturbation(fit, c("NOBODY", "NOONE"))
    expect_equal(q@delta[, 1], q@delta[, 2])
    expect_lt(t$certain[[3L]], t$certain[[1L]])
})

test_that("intervals hold most of what is measured against other cells", {
    s <- pertFit()@state
    z <- (s$effects$T - s$crossed) / s$spread
    at <- which(lengths(s$perts) == 1L)
    expect_true(mean(abs(z[, at]), na.rm = TRUE) < 1)
})

test_that("cells are sampled around the predicted mean", {
    p <- predictPerturbation(pertFit(), c("FAC01", "FAC02"), cells = 300,
        seed = 1)
    expect_s4_class(p@cells, "SingleCellExperiment")
    expect_identical(ncol(p@cells), 600L)
    m <- rowMeans(SummarizedExperiment::assay(p@cells)[,
        p@cells$perturbation == "FAC02"])
    expect_gt(cor(m, p@profile[, "FAC02"]), 0.95)
    again <- predictPerturbation(pertFit(), c("FAC01", "FAC02"), cells = 300,
        seed = 1)
    expect_identical(p@cells, again@cells)
})

test_that("labels that can't be predicted are refused", {
    fit <- pertFit()
    expect_error(predictPerturbation(fit, "control"), "control")
    expect_error(predictPerturbation(fit, 1), "perturbations")
    expect_error(predictPerturbation(fit, character()), "perturbations")
    expect_error(predictPerturbation(fit, "FAC01", level = 2), "level")
    expect_error(predictPerturbation(1, "FAC01"), "fitPerturbation")
    expect_error(predictPerturbation(), "'fit' is missing")
    expect_error(predictPerturbation(pertFit(), "NO_SUCH"),
        "'perturbations'.*two ways.*Write pairs as \"A\\+B\"\\.$")
})
