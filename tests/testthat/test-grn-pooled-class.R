## PooledGRN: construction.

test_that("a pooled network can be made from a matrix", {
    s <- matrix(c(0, 2, 1, 0, 3, 1), 2,
        dimnames = list(c("A", "B"), c("A", "B", "C"))
    )
    p <- PooledGRN(s)
    expect_identical(as.matrix(p), s)
    expect_identical(geneNames(p), c("A", "B", "C"))
    expect_error(PooledGRN(unname(s)), "row and column names")
    expect_error(PooledGRN(as.data.frame(s)), "must be a matrix")
    expect_error(PooledGRN(s[, -1]), "must be among the genes")
    s[[1]] <- NA
    expect_error(PooledGRN(s), "finite")
})
