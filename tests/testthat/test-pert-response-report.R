## The verdict of a predicted response.

test_that("no response is no prediction", {
    set.seed(3)
    m <- matrix(rpois(12000, 4), 30, dimnames = list(sprintf("G%02d", 1:30),
        sprintf("c%03d", 1:400)))
    r <- predictResponse(m, rep(c("no", "yes"), 200), "no", "yes",
        group = rep(c("a", "b"), each = 200), nComponents = 5, seed = 1)
    expect_false(verdict(r)$holds)
    expect_match(verdict(r)$text[[1L]], "no, not better")
    expect_output(show(r), "energy distance")
    expect_identical(dim(SingleCellExperiment::reducedDim(r@cells, "PCA")),
        c(200L, 5L))
})
