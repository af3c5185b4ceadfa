test_that("Mann-Whitney agrees with scipy", {
    ## scipy.stats.mannwhitneyu(x, y, alternative = "less"), version 1.17:
    ## exact without ties; normal with ties, U = 2, p = 0.030844582990462274
    f <- .mannWhitney
    expect_equal(f(c(1, 2, 3), c(4, 5, 6, 7), "less")$p, 1 / 35)
    tied <- f(c(1, 2, 2, 3), c(2, 4, 5, 6, 7), "less")
    expect_equal(tied$share * 20, 2)
    n <- 9
    s <- sqrt(4 * 5 / 12 * (n + 1 - (3^3 - 3) / (n * (n - 1))))
    expect_equal(tied$p, stats::pnorm((2 - 10 + 0.5) / s))
    expect_equal(tied$p, 0.030844582990462274)
    big <- f(as.numeric(1:60), as.numeric(31:90), "less")
    expect_lt(big$p, 1e-5)
    expect_true(is.nan(f(numeric(), 1, "less")$p))
})
