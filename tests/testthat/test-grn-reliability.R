test_that("the tail is that of a Pearson III variable, both ways", {
    ## skewness 2, sd 1: an exponential variable less its mean
    p <- pexp(3 + 1, lower.tail = FALSE)
    expect_equal(.pearsonQuantile(3, 2), qnorm(p, lower.tail = FALSE))
    p <- pexp(1 - 0.9)
    expect_equal(.pearsonQuantile(0.9, -2), qnorm(p, lower.tail = FALSE))
    expect_identical(.pearsonQuantile(c(1.5, 4), c(0, 5e-4)), c(1.5, 4))
    expect_identical(.pearsonQuantile(3, -2), 38)
    expect_true(all(.pearsonQuantile(c(5, 8), 1) < c(5, 8)))
})

test_that("beyond what coincidence reaches z is left as it is", {
    ## skewness 2: exponential less its mean; once in 1,000 times above this
    v <- log(1000) - 1
    q <- qnorm(1e-3, lower.tail = FALSE)
    expect_equal(.pearsonValue(1000, 2), v)
    expect_equal(.beyondChance(c(v, v + 4), c(2, 2), 1000), c(q, q + 4))
    expect_equal(.beyondChance(v + 4, 2, 1e6), .pearsonQuantile(v + 4, 2))
    ## just below and above there is no step
    near <- .beyondChance(v + c(-1e-6, 1e-6), c(2, 2), 1000)
    expect_lt(diff(near), 1e-5)
    expect_gt(diff(near), 0)
    expect_identical(.beyondChance(c(9, 3), c(0, -2), 1000), c(9, 38))
    ## nor is what one cell makes
    expect_identical(.beyondChance(20, 3, 1000), .pearsonQuantile(20, 3))
})

test_that("coincidences of rare genes are told from correlation", {
    set.seed(1)
    n <- 1000
    seen <- sample(3:60, 120, TRUE)
    x <- t(vapply(seen, function(k) {
        v <- numeric(n)
        v[sample(n, k)] <- log1p(10 * rexp(k, 0.5) + 5)
        v
    }, numeric(n)))
    sparse <- methods::as(x, "CsparseMatrix")
    rel <- .edgeReliability(.sumsOf(sparse, 0:119))
    r <- cor(t(x))
    z <- abs(r) * sqrt(n - 1)
    off <- upper.tri(r) & r > 0
    expect_gt(mean(z[off] > 4.26), 5e-4)
    expect_lt(mean((z * rel)[off] > 4.26), 3e-4)
    expect_true(all(rel >= 0 & rel <= 1))
    expect_equal(rel, t(rel))
    ## what rests on all cells is left alone
    y <- matrix(rnorm(3 * 500), 3)
    y[2, ] <- y[1, ] + y[2, ]
    expect_gt(.edgeReliability(.sumsOf(y, 0:1))[1, 2], 0.95)
    expect_identical(.cellsOfBoth(.sumsOf(sparse, 0:1)),
        structure(as.integer(tcrossprod(x[1:2, ] > 0, x > 0)),
            dim = c(2L, 120L)
        )
    )
})

test_that("scores are multiplied, tables say by what", {
    x <- pooledCells()
    a <- infer(RidgeGRNParam(), x, reliability = FALSE)
    b <- infer(RidgeGRNParam(), x)
    rel <- metadata(b)$reliability
    expect_equal(as.matrix(b), as.matrix(a) * rel)
    expect_null(metadata(a)$reliability)
    expect_identical(names(edgeTable(a, top = 2)),
        c("Gene1", "Gene2", "score", "cells")
    )
    e <- edgeTable(b, top = 3, self = FALSE)
    expect_identical(e$reliability, rel[cbind(e$Gene1, e$Gene2)])
    expect_identical(e$cells, metadata(b)$cells[cbind(e$Gene1, e$Gene2)])
    some <- b[1:2, 1:4]
    expect_identical(dim(metadata(some)$reliability), dim(as.matrix(some)))
    expect_error(infer(RidgeGRNParam(), x, reliability = 2), "'reliability'")
})
