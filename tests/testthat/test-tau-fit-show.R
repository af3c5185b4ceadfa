test_that("a fit shows its verdict first and ranks only when it may", {
    fit <- tauFit()
    expect_true(validObject(fit))
    text <- capture.output(fit)
    expect_match(text[[1L]], "^Delays are identifiable: RNA follows")
    expect_true(any(grepl("fastest: +gene1 0.30, gene2", text)))
    expect_true(any(grepl("slowest: +gene30 2.00", text)))
    expect_true(any(grepl("unit: +median delay, relative", text)))
    expect_true(any(grepl("cross-correlation 1.00", text)))
    expect_true(any(grepl("switch times -1.00", text)))
    expect_false(any(grepl("hour", text)))
    expect_true(all(nchar(text) <= 80L))

    null <- tauFit(list(lead = 0.52, gain = -3))
    text <- capture.output(null)
    expect_match(text[[1L]], "^Delays are NOT identifiable: RNA doesn't follow")
    expect_true(any(grepl("lead: .*0.52 .needed 0.70. FAILED", text)))
    expect_false(any(grepl("fastest|slowest", text)))
    expect_true(all(nchar(text) <= 80L))
})

test_that("an engine that stopped early gives a clear refusal", {
    none <- rep(NaN, 30)
    fit <- tauFit(list(usable = rep(FALSE, 30), tau = none, sd = none,
        low = none, high = none, mode = none, beta = none, alpha = none,
        signalChromatin = rep(5, 30), concord = NaN, lead = NaN, leadZ = NaN,
        gain = NaN, heterogeneity = NaN, readout = "none"
    ))
    text <- capture.output(fit)
    expect_match(text[[1L]], "only 0 genes change")
    expect_true(any(grepl("lead: +not computed", text)))
    expect_true(all(is.na(fit@table$tau)))
    expect_identical(unique(fit@table$flag), "not usable: no chromatin signal")
})
