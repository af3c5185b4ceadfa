## Parts of a call over other processes give what one process gives.

cells <- simulateCells(nCells = 150, nGenes = 30, nTFs = 5, seed = 3)

test_that("rounds of parts come in order, and errors with their words", {
    skip_if_not_installed("BiocParallel")
    here <- .startWorkers(BiocParallel::SerialParam())
    on.exit(.stopWorkers(here))
    part <- .partsAhead(11L, function(i) c(i, i^2), here)
    expect_identical(lapply(1:11, part), lapply(1:11, function(i) c(i, i^2)))
    bad <- .partsAhead(3L, function(i) if (i == 2L) stop("part two") else i, here)
    expect_error(bad(1L), "^part two$")
    expect_error(nullGRN(PooledGRN(matrix(1:6 + 0, 2,
        dimnames = list(c("A", "B"), c("A", "B", "C"))
    )), "shuffle", nPerm = 1, BPPARAM = 2), "'BPPARAM' must be NULL or a Bioc")
    expect_identical(.partThreads(NULL, here), 1L)
    expect_null(.partThreads(NULL, NULL))
    own <- length(.workerTable)
    .stopWorkers(.startWorkers(BiocParallel::SerialParam()))
    expect_length(.workerTable, own)
})

test_that("two processes give what one gives, and stay as they were", {
    skip_if_not_installed("BiocParallel")
    skip_on_os("windows") # no forks
    two <- BiocParallel::MulticoreParam(2L)
    same <- function(call) expect_identical(call(two), call(NULL))
    model <- CombinedGRNParam(list(TreeGRNParam(trees = 5), RidgeGRNParam()))
    grn <- inferGRN(cells, model, seed = 1, verbose = FALSE)
    shared <- inferGRN(cells, model, seed = 1, BPPARAM = two, verbose = FALSE)
    expect_identical(edgeTable(shared), edgeTable(grn))
    expect_identical(shared@metadata$targets, grn@metadata$targets)
    same(function(by) nullGRN(grn, "expression", nPerm = 3, cells = cells,
        seed = 1, BPPARAM = by
    ))
    expect_false(BiocParallel::bpisup(two))
    BiocParallel::bpstart(two)
    same(function(by) stabilityGRN(cells, RidgeGRNParam(), nSeeds = 0,
        nSamples = 1, seed = 1, BPPARAM = by
    ))
    per <- exampleGRN()
    same(function(by) contrastGRN(per, "group", ref = "early", level = "late",
        nPerm = 19, top = 20, by = "edges", seed = 1, BPPARAM = by
    ))
    expect_true(BiocParallel::bpisup(two))
    BiocParallel::bpstop(two)
})
