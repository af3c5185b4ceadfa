## Verbs given something else than their networks say what they need.

test_that("verbs of networks name what they were given", {
    p <- poolGRN(exampleGRN())
    for (verb in list(edgeTable, plotGRN, toIgraph, poolGRN, cellNetwork)) {
        expect_error(verb(1:3), "must be a network.* it is a integer")
    }
    expect_error(poolGRN(p), "one network for all cells already")
    expect_error(cellNetwork(p, 1), "as.matrix\\(x\\) gives its scores")
    expect_error(memberships(p), "must be a StateGRN")
    expect_error(edgeTable(matrix(1)), "PooledGRN\\(scores\\)")
})
