## What tauNull() gives, of made-up numbers.
madeNull <- function() {
    structure(data.frame(data = c("observed", "pairing", "links"), run = 1L,
        identifiable = c(TRUE, FALSE, FALSE), axes = c(3, 0, 3),
        usable = c(60, 1, 40), concord = c(0.9, 0.1, 0.4),
        lead = c(0.9, NaN, 0.6), leadZ = c(6, NaN, 2),
        reliability = c(0.7, NaN, 0.5), gain = c(5, NaN, -1), heterogeneity = c(3, NaN, 1)
    ), verdict = "Delays are identifiable.")
}

test_that("permuted data are drawn beside the data", {
    plot <- plotTauNull(madeNull())
    drawn(plot)
    expect_match(plot$labels$subtitle, "identifiable.*\n2 of 2 permuted data")
    expect_match(plot$labels$subtitle, "All that must fail does")
    expect_identical(plotTauNull(madeNull(), title = "A")$data, plot$data)
})

test_that("bad arguments of plotTauNull are named", {
    expect_error(plotTauNull(shapedTau()), "cells come first, plotTauNull")
    expect_error(plotTauNull(data.frame(a = 1)), "'x' must come from tauNull")
    expect_error(plotTauNull(null = madeNull()), "'null' is now called 'x'")
    expect_error(plotTauNull(madeNull(), tittle = "A"), "tittle")
})

test_that("panels say which nulls must fail them", {
    long <- plotTauNull(madeNull())$data
    role <- function(panel, kind) {
        as.character(long$role[grepl(panel, long$panel) &
            grepl(kind, long$kind)])
    }
    expect_identical(role("^shared axes", "pairing"), "permuted, must fail")
    expect_identical(role("^shared axes", "links"), "permuted, may pass")
    expect_identical(role("^concordance", "links"), "permuted, must fail")
    expect_identical(role("^lead", "links"), "permuted, must fail")
    expect_identical(role("^reliability", "links"), "permuted, may pass")
    expect_identical(role("^reliability", "data"), "the data")
    expect_true(any(grepl("links must fail", long$panel)))
    wrong <- madeNull()
    wrong$concord[[3L]] <- 0.9
    expect_match(plotTauNull(wrong)$labels$subtitle, "1 numbers that must fail")
})
