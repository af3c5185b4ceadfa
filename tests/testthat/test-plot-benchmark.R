## Drawing a comparison of methods.

test_that("methods are told apart, none by the null's black", {
    cells <- simulateCells(nCells = 60, nGenes = 20, nTFs = 4, seed = 1)
    truth <- S4Vectors::metadata(cells)$simulation$edges
    one <- function(x, seed) {
        inferGRN(x, CorGRNParam(), nTargets = Inf, verbose = FALSE)
    }
    got <- benchmarkGRN(cells, truth, list(m1 = one), nBoot = 5)
    t <- got@tables$table # as if 13 others had done the same
    got@tables$table <- rbind(t, do.call(rbind, lapply(2:14, function(i) {
        replace(t[!t$null, ], "method", paste0("m", i))
    })))
    data <- ggplot2::layer_data(plotBenchmark(got), 5L)
    look <- unique(data[c("colour", "shape")])
    expect_identical(nrow(look), 14L)
    expect_false(any(look$colour == "#000000"))
    expect_silent(ggplot2::ggplot_build(plot(got, measure = "earlyRatio")))
    expect_error(plotBenchmark(1), "'x' must be")
})
