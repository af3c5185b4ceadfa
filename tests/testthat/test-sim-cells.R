## Simulated cells: sizes, seeds, truth.

test_that("cells, edges and truth fit together", {
    x <- simulateCells(nCells = 120, nGenes = 41, nTFs = 7, seed = 3)
    expect_s4_class(x, "SingleCellExperiment")
    expect_identical(dim(x), c(41L, 120L))
    expect_identical(sum(SummarizedExperiment::rowData(x)$tf), 7L)
    sim <- S4Vectors::metadata(x)$simulation
    expect_true(all(sim$edges$Gene1 %in% rownames(x)[1:7]))
    expect_true(all(sim$edges$Gene2 %in% rownames(x)))
    expect_true(all(sim$edges$sign %in% c(-1L, 1L)))
    truth <- simulatedTruth(x)
    expect_identical(dim(truth), c(nrow(sim$edges), 120L))
    one <- simulatedTruth(x, "cell007")
    expect_identical(dim(one), c(7L, 41L))
    expect_equal(sum(one), sum(truth[, "cell007"]))
    expect_identical(
        one[cbind(sim$edges$Gene1, sim$edges$Gene2)],
        unname(truth[, "cell007"])
    )
    ## an edge that is active works
    expect_true(all(simulatedTruth(x, switching = TRUE)[truth]))
    ## by hand: works and TF on, in more than half of the context
    w <- sim$context[, 11]
    active <- vapply(seq_len(nrow(sim$edges)), function(e) {
        sum(w[sim$works[, e]]) > 0.5 &&
            sum(w[sim$on[, sim$edges$Gene1[[e]]]]) > 0.5
    }, logical(1))
    expect_identical(unname(truth[, 11]), active)
    ## a subset keeps its truth
    expect_identical(simulatedTruth(x[, 5:9]), truth[, 5:9])
})

test_that("the seed governs, the threads don't", {
    draw <- function(...) {
        SummarizedExperiment::assay(
            simulateCells(nCells = 60, nGenes = 30, nTFs = 5, ...)
        )
    }
    expect_identical(draw(seed = 1), draw(seed = 1, threads = 1))
    expect_false(identical(draw(seed = 1), draw(seed = 2)))
    set.seed(9)
    a <- draw()
    set.seed(9)
    expect_identical(draw(), a)
})

test_that("every trajectory works, and depth is met", {
    for (t in c("mixed", "discrete", "branching", "cycle")) {
        x <- simulateCells(nCells = 300, nGenes = 50, nTFs = 8, depth = 3,
            trajectory = t, seed = 5
        )
        depth <- mean(as.matrix(SummarizedExperiment::assay(x)))
        expect_gt(depth, 2.2)
        expect_lt(depth, 4)
        expect_equal(all(is.na(x$position)), t == "discrete")
    }
})

test_that("bad values are named", {
    expect_error(simulateCells(nCells = 0), "'nCells' must be")
    expect_error(simulateCells(nGenes = 5, nTFs = 6), "'nTFs' must be")
    expect_error(simulateCells(depth = -1), "'depth' must be")
    expect_error(simulateCells(switching = 2), "'switching' must be")
    expect_error(simulateCells(trajectory = "loop"), "'trajectory' must be")
    expect_error(simulateCells(nContexts = 33), "'nContexts' must be")
    expect_error(simulatedTruth(exampleCells()), "'x' holds no simulation")
    x <- simulateCells(nCells = 10, nGenes = 9, nTFs = 3, seed = 1)
    expect_error(simulatedTruth(x, 11), "'cell' must be one")
    expect_error(simulatedTruth(x, "none"), "'cell' must be one")
})
