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
    ## the title leads with what differs beyond random genes
    expect_match(plotContrast(got)$labels$title, sprintf(
        "targets of %d of 8 regulators", got@facts$regulators$sets))
    expect_match(plotContrast(got, "edges")$labels$title, sprintf(
        "%d of %d edges", got@facts$edges$beyondNoise, got@facts$edges$tested))
    expect_identical(plot(got, which = "edges")$labels,
        plotContrast(got, "edges")$labels)
    ## no argument is swallowed
    expect_error(plotContrast(got, n = 5), "now called 'top'")
    expect_error(plot(got, state = 1), "state")
    expect_error(plotContrast(got, tfs = "NONE"), "'tfs' has names")
})
