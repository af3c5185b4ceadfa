## Scores of responses.

test_that("distances are those of their definitions", {
    set.seed(3)
    A <- matrix(rnorm(60), 20)
    B <- matrix(rnorm(45, 1), 15)
    far <- as.matrix(dist(rbind(A, B)))
    i <- 1:20
    j <- 21:35
    r <- causeway:::.cellDistances(A, B, c(1, 2), 400L, gammas = c(1, 0.1))
    energy <- 2 * mean(far[i, j]) - sum(far[i, i]) / (20 * 19) -
        sum(far[j, j]) / (15 * 14)
    expect_equal(r$energy, energy)
    expect_equal(r$mmd, vapply(c(1, 0.1), function(g) {
        k <- exp(-g * far^2)
        mean(k[i, i]) + mean(k[j, j]) - 2 * mean(k[i, j])
    }, 0))
    ## samples scatter around what all cells give
    expect_length(r$samples, 400L)
    expect_lt(abs(mean(r$samples) - energy), 0.1 * energy)
    expect_gt(sd(r$samples), 0.02 * energy)
    same <- causeway:::.cellDistances(A, A, c(1, 2), 2L)
    expect_lt(max(abs(same$mmd)), 1e-12)
})

test_that("the marginal distance is in standard deviations of the truth", {
    Y <- cbind(seq(-1, 1, length.out = 400), seq(0, 10, length.out = 400))
    P <- Y + rep(2 * apply(Y, 2L, sd), each = 400)
    expect_equal(causeway:::.marginalDistance(P, Y), 2, tolerance = 1e-6)
    expect_equal(causeway:::.marginalDistance(Y, Y), 0)
})
