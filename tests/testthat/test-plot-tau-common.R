test_that("the verdict heads every figure, broken to its width", {
    fit <- shapedTau(identifiable = FALSE)
    text <- strsplit(.tauSubtitle(fit, "More."), "\n")[[1L]]
    expect_match(text[[1L]], "^Delays are NOT identifiable")
    expect_identical(text[[length(text)]], "More.")
    expect_true(all(nchar(text) <= 92L))
})

test_that("the axis names the unit", {
    expect_identical(.tauAxis(shapedTau()), "delay (1 = the median gene's)")
    expect_identical(.tauAxis(shapedTau(clock = TRUE)), "delay (hours)")
    expect_identical(.unitScale(shapedTau(clock = TRUE)), 2)
    expect_identical(.unitScale(shapedTau()), 1)
    model <- shapedTau()
    model@method <- "effendi"
    expect_match(.tauAxis(model), "own time")
})
