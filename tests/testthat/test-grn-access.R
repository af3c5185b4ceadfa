## Access to networks: subsets, pooling by group.

test_that("pooling by group gives the mean over each group", {
    grn <- fromDense(denseFactors(), 2L)
    groups <- poolGRN(grn, group = "group")
    expect_named(groups, c("a", "b"))
    expect_equal(groups$b, poolGRN(grn, cells = c(2, 4)))
    expect_message(
        some <- poolGRN(grn, group = c("x", NA, "x", "y", NA)), "2 cells"
    )
    expect_equal(some$y, poolGRN(grn, cells = 4))
    expect_error(poolGRN(grn, group = "nothing"), "isn't a column")
    expect_error(poolGRN(grn, group = 1:3), "value per cell, 5")
})

test_that("subsets hold what the whole holds", {
    grn <- fromDense(denseFactors(), 2L)
    expect_length(grn, 5)
    part <- grn[c(4, 2)]
    expect_identical(cellNames(part), c("c4", "c2"))
    expect_true(validObject(part))
    expect_equal(cellNetwork(part, 1), cellNetwork(grn, 4))
    expect_equal(part$group, c("b", "b"))
    expect_equal(part@expression, grn@expression[, c(4, 2)])
    expect_equal(grn["c3"], grn[3])
    expect_equal(grn[c(FALSE, TRUE, FALSE, FALSE, TRUE)], grn[c(2, 5)])
    expect_equal(grn[-1], grn[2:5])
    expect_equal(grn[], grn)
    expect_error(grn[1, 2], "one dimension")
    expect_error(grn[6], "cell 6 of 5")
    expect_error(grn["zzz"], "aren't in the object: zzz")
    expect_error(grn[c(TRUE, FALSE)], "one TRUE or FALSE per cell")
    expect_error(grn[c(1, 1)], "twice")
    expect_error(grn[1.5], "cell numbers")
    expect_error(grn[integer()], "no cell")
    expect_error(cellNetwork(grn), "missing")
    expect_error(cellNetwork(grn, 1:2), "one cell")
})
