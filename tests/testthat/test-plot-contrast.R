## Drawing differences between groups.

states <- contrastStates()

test_that("plots", {
    got <- contrastGRN(states, "context", level = "context1", seed = 1)
    for (p in list(plotContrast(got, top = 5), plotContrast(got, "edges"),
        plotContrast(got, measure = "strength"),
        plotContrast(got, "edges", tfs = tfNames(states)[[1L]]))) {
        expect_s3_class(p, "ggplot")
        expect_silent(ggplot2::ggplot_build(p))
    }
    expect_identical(nrow(plotContrast(got, top = 5)$data), 5L)
    expect_error(plotContrast(got, tfs = "NONE"), "'tfs' has names")
})
