test_that("moments joined from blocks are those of the whole", {
    set.seed(1)
    m <- matrix(rpois(35, 3), 5)
    m[2, ] <- 4
    m[3, ] <- 0
    sparse <- methods::as(m, "CsparseMatrix")
    got <- .geneMoments(sparse, 1:5, 1:7, chunks = list(1:3, 4L, 5:7)
    )
    expect_equal(got$mean, rowMeans(m))
    expect_equal(got$variance, apply(m, 1, var))
    expect_identical(got$variance[2:3], c(0, 0))
})
