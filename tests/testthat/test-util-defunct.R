## Functions that are gone name what took their place.

test_that("functions that are gone say what to use", {
    expect_error(tauVerdict(1), "verdict(x)", fixed = TRUE)
    expect_error(nullMetrics(1), "as.data.frame(x)", fixed = TRUE)
    expect_error(nullNetwork(1), "poolGRN(x)", fixed = TRUE)
    expect_error(byTF(1), "which = \"TF\"", fixed = TRUE)
    expect_error(writeBenchmark(1, "a"), "write(x, file)", fixed = TRUE)
})
