## The summary of networks.

test_that("the summary says when there is nothing beyond the null", {
    u <- array(rep(c(0.2, 0.5, 0.9), each = 4), c(4, 3, 1))
    v <- array(rep(seq_len(7) / 7, each = 4), c(4, 7, 1))
    u <- array(c(u, u^0), c(4, 3, 2))
    v <- array(c(v^0, v), c(4, 7, 2))
    genes <- letters[1:7]
    same <- CellGRN(genes[1:3], genes, paste0("c", 1:4), 2, 2,
        causeway:::.factorsFromDense(u, v, 2L), matrix(1:28 %% 5, 7)
    )
    expect_output(show(summary(same)), "mostly its marginals")
    expect_output(show(summary(same)), "nearly the same in all cells")
    flat <- CellGRN(genes[1:3], genes, paste0("c", 1:4), 2, 2,
        causeway:::.factorsFromDense(u * 0 + 1, v * 0 + 1, 2L), matrix(0, 7, 4)
    )
    expect_output(show(summary(flat)), "All pooled scores are equal")
})
