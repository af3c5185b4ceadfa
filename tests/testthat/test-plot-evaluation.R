## Drawing the result of evaluateGRN().

test_that("plotEvaluation draws every method", {
    ref <- data.frame(Gene1 = "MYOG", Gene2 = c("CKM", "MYL1"))
    e <- evaluateGRN(exampleGRN(), ref, nBoot = 20, seed = 1)
    expect_equal(nrow(plotEvaluation(e)$data), 8)
    ggplot2::ggplot_build(plotEvaluation(e))
    ggplot2::ggplot_build(plotEvaluation(evaluateGRN(exampleGRN(), ref, nBoot = 0, seed = 1)))
    expect_error(plotEvaluation(1), "evaluateGRN")
})
