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

test_that("accessors name what they were given", {
    for (verb in list(tfNames, geneNames, cellNames, cellData)) {
        expect_error(verb(1:3), "'x' must be a network.* it is a integer")
    }
    expect_error(cellNames(poolGRN(exampleGRN())), "needs per-cell networks")
})

test_that("an error inside an argument is told as it is", {
    for (verb in list(edgeTable, poolGRN, tfNames, modelReport, tau)) {
        expect_error(verb(loadGRN("none.h5")), "^the file .*none.h5 does not")
    }
    grn <- poolGRN(exampleGRN())
    expect_error(evaluateGRN(grn, readReference("none.csv")), "^'file' must")
})

test_that("an argument left out is named with what it is for", {
    grn <- exampleGRN()
    cells <- exampleCells(nCells = 20)
    expect_error(evaluateGRN(grn), "'reference' is missing: the known edges")
    expect_error(evaluateGRN(poolGRN(grn)), "'reference' is missing")
    expect_error(writeGRN(grn), "'file' is missing")
    expect_error(saveGRN(grn), "'file' is missing")
    expect_error(trainModel(cells), "'model' is missing: SFMParam\\(\\)")
    expect_error(regulonActivity(cells), "'grn' is missing: the networks")
    expect_error(regulonActivity(cells, 3), "it is a numeric")
    expect_error(benchmarkGRN(cells), "'reference' is missing")
    expect_error(evaluatePerturbation(cells), "'grn' is missing")
    expect_error(evaluatePerturbation(cells, grn), "'perturbation' is missing")
    expect_error(evaluatePerturbation(cells, grn, "g"), "isn't a column")
    expect_error(plotEdge(grn), "'tf' is missing: one of tfNames")
    expect_error(plotEdge(grn, "NOPE", "CKM"), "'tf' has names .* NOPE")
})
