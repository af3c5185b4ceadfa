## The baselines on effects small enough to follow.

Y <- matrix(c(1, 0, 0, 1, 2, 2, 3, 3), 2)
perts <- list("A", "B", "C", c("A", "B"))
genes <- c("A", "B", "C", "D")
K <- diag(4)
K[4, 2] <- K[2, 4] <- 0.9
K[4, 1] <- K[1, 4] <- 0.2

## Sums of the effects of `train` as they are.
spanOf <- function(Y, train) {
    e <- list(Y = Y, own = rep(list(integer()), ncol(Y)))
    causeway:::.spanOf(e, train, 2L)
}

test_that("each predicts what its name says", {
    all <- c(perts, list("D", c("A", "D")))
    expect_identical(causeway:::.noChange(2L, 1:3), matrix(0, 2, 3))
    expect_equal(causeway:::.meanPerturbed(spanOf(Y, 1:3), 1:3, 1)[, 1],
        c(1, 1))
    expect_equal(spanOf(Y, 1:3)(causeway:::.additiveWeights(all, 1:3, 4:6)),
        cbind(c(1, 1), c(1, 1), c(2, 1)))
    expect_identical(causeway:::.nearestOf(all, 1:4, 5:4, K, genes), c(2L, 4L))
    expect_identical(spanOf(Y, 1:4)(causeway:::.pick(c(2L, 4L), 4L)),
        Y[, c(2, 4)])
})

test_that("sums of effects fill own readings from the others of the fold", {
    set.seed(4)
    e <- list(Y = matrix(rnorm(600 * 40), 600), own = c(as.list(1:39),
        list(c(3L, 300L))))
    e$Y <- causeway:::.withoutOwn(e$Y, e$own)
    train <- c(2L, 40L, 5:30, 3L)
    filled <- causeway:::.filledEffects(e, train)
    W <- matrix(rnorm(29 * 7), 29)
    span <- causeway:::.spanOf(e, train, 2L)
    expect_equal(span(W), filled %*% W)
    expect_identical(causeway:::.spanOf(e, train, 1L)(W), span(W))
    expect_equal(span(causeway:::.pick(c(1L, 29L), 29L)), filled[, c(1, 29)])
    expect_equal(causeway:::.filledProducts(e, crossprod(e$Y), train),
        crossprod(filled))
    ## less what direct profiles say
    total <- matrix(rnorm(50 * 600), 50)
    member <- c(as.list(1:39), list(c(7L, 50L)))
    less <- vapply(member, function(g) colSums(total[g, , drop = FALSE]),
        numeric(600))
    direct <- list(total = total, start = as.integer(c(0:39, 41)),
        member = unlist(member) - 1L)
    expect_equal(span(W, direct), (filled - less[, train]) %*% W)
})

test_that("the bilinear ridge solves its equations", {
    set.seed(2)
    Y <- matrix(rnorm(200), 20)
    perts <- as.list(letters[1:10])
    K <- crossprod(matrix(rnorm(120), 12)) / 12
    job <- list(key = c(1, 2), threads = 2L)
    E <- causeway:::.kernelAxes(K, job)
    got <- causeway:::.bilinear(spanOf(Y, 1:8), crossprod(Y[, 1:8]), perts, 1:8,
        9:10, E, letters[1:10], job)
    b <- rowMeans(Y[, 1:8])
    u <- svd(Y[, 1:8] - b)
    G <- u$u[, 1:7] %*% diag(u$d[1:7]) / sqrt(8)
    e <- eigen(K, symmetric = TRUE)
    E <- e$vectors %*% diag(sqrt(pmax(e$values, 0)))
    W <- solve(crossprod(G) + 0.1 * diag(7), t(G) %*% (Y[, 1:8] - b) %*%
        E[1:8, ]) %*% solve(crossprod(E[1:8, ]) + 0.1 * diag(10))
    expect_equal(got, G %*% W %*% t(E[9:10, ]) + b, tolerance = 1e-6)
})

test_that("leading axes are those of all, also of a large matrix", {
    set.seed(3)
    K <- tcrossprod(matrix(rnorm(500 * 12), 500) %*% diag(2^-(1:12))) +
        diag(1e-5, 500)
    got <- causeway:::.leadingAxes(K, 6L, list(key = c(1, 2), threads = 2L))
    want <- eigen(K, symmetric = TRUE)
    expect_equal(got$values, want$values[1:6], tolerance = 1e-8)
    expect_equal(abs(colSums(got$vectors * want$vectors[, 1:6])), rep(1, 6),
        tolerance = 1e-8)
})
