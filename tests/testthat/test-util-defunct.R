test_that("a name that is gone says the new one", {
    expect_error(tauVerdict(1), "verdict.*instead")
})
