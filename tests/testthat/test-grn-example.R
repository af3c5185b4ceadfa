## The small network object of examples.

test_that("its regulators drive their targets, most of all at their time", {
    grn <- exampleGRN()
    expect_identical(dim(grn), c(tfs = 8L, genes = 40L, cells = 40L))
    best <- tfNames(grn)[max.col(t(as.matrix(poolGRN(grn)))[9:32, ])]
    expect_identical(best, tfNames(grn)[(8:31) %% 8 + 1])
    expect_identical(exampleGRN(), grn)
    expect_error(exampleGRN(nCells = 3), "'nCells'")
    expect_error(exampleGRN(nGenes = 61), "'nGenes'")
})
