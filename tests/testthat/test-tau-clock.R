test_that("a clock calibrates the unit with its error", {
    set.seed(1) # of the times' noise
    d <- tauCounts()
    metacell <- rep_len(1:20, 230)
    clock <- 10 + 12 * metacell # three hours move one quarter: 48 a unit
    fit <- tauFit(time = clock + rnorm(230), d = d)
    expect_equal(fit@unit$scale, 48, tolerance = 0.02)
    expect_equal(fit@unit$error, 0.25 * fit@unit$scale, tolerance = 0.05)
    expect_equal(tau(fit)$tau, fit@table$tau * fit@unit$scale)
    expect_identical(attr(tau(fit), "unit"), "hours")
    expect_true(all(tau(fit)$sd > fit@table$sd * fit@unit$scale))
    expect_true(any(grepl("1 median delay = 4[78].* \\+- 12.* hours",
        capture.output(fit)
    )))
    ## a clock that cells of one state share less: wider, with a word
    expect_warning(rough <- tauFit(time = clock + stats::rnorm(230, sd = 90),
        d = d
    ), "agree poorly|doesn't advance")
    if (is.finite(rough@unit$scale)) {
        expect_gt(rough@unit$error, 1.3 * fit@unit$error)
    }
    expect_warning(back <- tauFit(time = -clock, d = d), "doesn't advance")
    expect_true(is.na(back@unit$scale))
    expect_identical(attr(tau(back), "unit"), "median delay")
    expect_false(any(grepl("hours", capture.output(back))))
    expect_warning(tauFit(time = rep_len(1:7, 230), d = d), "isn't used")
    null <- tauFit(list(lead = 0.5), time = clock, d = d)
    expect_true(is.na(null@unit$scale))
    expect_error(tauFit(time = rep(1, 230), d = d), "constant")
    ## cells without a time are left out
    some <- replace(clock, 1:15, NA)
    expect_equal(tauFit(time = some, d = d)@unit$scale, 48, tolerance = 0.02)
})
