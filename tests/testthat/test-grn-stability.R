## Stability over seeds and cells.

cells <- simulateCells(nCells = 300, nGenes = 40, nTFs = 8, seed = 3)

test_that("stability is what overlaps say", {
    s <- stabilityGRN(cells, CorGRNParam(), nSeeds = 3, nSamples = 2, top = 20,
        seed = 1, nTargets = Inf
    )
    t <- as.data.frame(s)
    expect_identical(t$comparison, rep(c("seed", "cells", "one cell"),
        c(3, 2, 2)
    )[c(1:4, 6, 5, 7)])
    ## no random numbers: seeds change nothing
    expect_equal(t$jaccard[1:3], c(1, 1, 1))
    expect_equal(t$rankCorrelation[1:3], c(1, 1, 1))
    expect_equal(t$cells, c(300, 300, 300, 150, 299, 150, 299))
    halves <- t[t$comparison == "cells", ]
    one <- t[t$comparison == "one cell", ]
    expect_true(all(halves$jaccard < 0.95 & halves$jaccard > halves$chance))
    expect_true(all(one$jaccard > max(halves$jaccard)))
    expect_equal(t$jaccard, t$shared / (40 - t$shared))
    expect_equal(t$chance[[1]], (400 / 312) / (40 - 400 / 312))
    expect_output(show(s), "other half of the cells")
    expect_s3_class(plotStability(s), "ggplot")
    set.seed(2)
    a <- stabilityGRN(cells, CorGRNParam(), nSeeds = 0, nSamples = 1)
    set.seed(2)
    expect_equal(stabilityGRN(cells, CorGRNParam(), nSeeds = 0, nSamples = 1), a)
})

test_that("stability takes every estimator", {
    few <- stabilityGRN(cells, TreeGRNParam(trees = 5), nSeeds = 2,
        nSamples = 0, seed = 1, nTargets = Inf
    )
    expect_lt(as.data.frame(few)$jaccard, 1)
    part <- stabilityGRN(cells, RidgeGRNParam(), nSeeds = 0, nSamples = 1,
        leaveOut = 0.1, seed = 1, nTargets = Inf
    )
    expect_equal(as.data.frame(part)$cells, c(270, 299))
    expect_output(show(part), "10% of cells left out")
    states <- PerCellGRNParam(states = cells$context, nPerm = 1)
    per <- stabilityGRN(cells, states, nSeeds = 2, nSamples = 1, seed = 1)
    expect_equal(nrow(as.data.frame(per)), 3)
    model <- newModel(tinyParam(), tinyCells(), seed = 1, threads = 1)
    sfm <- stabilityGRN(tinyCells(), model, nSeeds = 2, nSamples = 1, seed = 1)
    expect_equal(as.data.frame(sfm)$jaccard[[1]], 1)
})

test_that("stability that can't be is refused", {
    expect_error(stabilityGRN(cells, CorGRNParam(), nSeeds = 1, nSamples = 0),
        "nothing to compare"
    )
    expect_error(stabilityGRN(cells, CorGRNParam(), leaveOut = 1e-4),
        "leaves out 0 of 300"
    )
    expect_error(stabilityGRN(cells, CorGRNParam(), leaveOut = 0), "leaveOut")
    expect_error(stabilityGRN(cells, "magic"), "'model' must be")
    expect_error(plotStability(1), "must be what stabilityGRN")
})
