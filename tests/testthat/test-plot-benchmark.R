## Drawing a comparison of methods.

test_that("methods are told apart, none by the null's black", {
    cells <- simulateCells(nCells = 60, nGenes = 20, nTFs = 4, seed = 1)
    truth <- S4Vectors::metadata(cells)$simulation$edges
    one <- function(x, seed) {
        inferGRN(x, CorGRNParam(), nTargets = Inf, verbose = FALSE)
    }
    methods <- setNames(rep(list(one), 14), paste0("m", 1:14))
    got <- benchmarkGRN(cells, truth, methods, nBoot = 5)
    data <- ggplot2::layer_data(plotBenchmark(got), 5L)
    look <- unique(data[c("colour", "shape")])
    expect_identical(nrow(look), 14L)
    expect_false(any(look$colour == "#000000"))
    expect_silent(ggplot2::ggplot_build(plot(got, measure = "earlyRatio")))
    expect_error(plotBenchmark(1), "'x' must be")
})
