## Drawing the result of stabilityGRN().

test_that("stability is drawn with title, meaning of the axis and ranges", {
    cells <- simulateCells(nCells = 150, nGenes = 30, nTFs = 5, seed = 1)
    s <- stabilityGRN(cells, RidgeGRNParam(), nSeeds = 2, nSamples = 3,
        seed = 1)
    p <- plotStability(s)
    t <- as.data.frame(s)
    kept <- mean(t$shared[t$comparison == "cells"]) / s@facts$top
    expect_match(p$labels$title, sprintf("%.1f%% of the edges stay",
        100 * kept), fixed = TRUE)
    expect_match(p$labels$x, "1: the same edges; dashed: random edges")
    span <- ggplot2::layer_data(p, 2L)
    halves <- t$jaccard[t$comparison == "cells"]
    expect_true(any(abs(span$xmin - min(halves)) < 1e-12 &
        abs(span$xmax - max(halves)) < 1e-12))
    expect_silent(ggplot2::ggplot_build(p))
    expect_identical(plot(s)$labels, p$labels)
    expect_error(plotStability(1), "must be what stabilityGRN")
})
