## Scores against their definitions, perturbation by perturbation.

set.seed(3)
true <- matrix(rnorm(120), 20)
predicted <- 0.5 * true + matrix(rnorm(120, sd = 0.5), 20)
base <- matrix(rnorm(20), 20, 6)
se2 <- matrix(0.1, 20, 6)
own <- list(1L, 2L, integer(), c(1L, 3L), 4L, 5L)

test_that("errors, correlations and discrimination leave own genes out", {
    s <- causeway:::.scoreEffects(true, predicted, se2, base, own,
        de = causeway:::.strongest(true, se2, own, top = 5L))
    for (p in 1:6) {
        k <- setdiff(1:20, own[[p]])
        expect_equal(s$mse[[p]], mean((true[k, p] - predicted[k, p])^2))
        expect_equal(s$rAll[[p]], cor(true[k, p], predicted[k, p]))
        expect_equal(s$rCentred[[p]], cor(true[k, p] - base[k, p],
            predicted[k, p] - base[k, p]))
        top <- k[order(-abs(true[k, p]))[1:5]]
        expect_equal(s$rTop[[p]], cor(true[top, p], predicted[top, p]))
        expect_equal(s$direction[[p]], mean(sign(true[top, p]) ==
            sign(predicted[top, p])))
        d <- vapply(1:6, function(q) {
            k <- setdiff(1:20, c(own[[p]], own[[q]]))
            mean((true[k, q] - predicted[k, p])^2)
        }, 0)
        expect_equal(s$discrimination[[p]], mean(d[-p] > d[[p]]))
    }
    expect_equal(causeway:::.skill(s), 1 - sum(s$mse) / sum(s$mseMean))
})

test_that("a perfect prediction has skill 1, the mean 0, ties count half", {
    of <- function(p) causeway:::.scoreEffects(true, p, se2, base, own)
    expect_equal(causeway:::.skill(of(true)), 1)
    expect_equal(of(true)$discrimination, rep(1, 6))
    expect_equal(causeway:::.skill(of(base)), 0)
    zero <- of(0 * true)
    expect_equal(zero$direction, rep(0.5, 6))
    expect_equal(zero$rAll, rep(0, 6))
    same <- causeway:::.discrimination(cbind(true[, 1], true[, 1]),
        cbind(true[, 1], true[, 1]), list(1L, 1L))
    expect_equal(same, c(0.5, 0.5))
})

test_that("bootstrap samples are balanced and seeded", {
    v <- c(1, 2, 4, 8, 16)
    i <- causeway:::.bootInterval(5, function(i) mean(v[i]), c(1, 2), 1L, 400)
    expect_identical(i, causeway:::.bootInterval(5, function(i) mean(v[i]),
        c(1, 2), 1L, 400))
    expect_true(i[[1]] < mean(v) && i[[2]] > mean(v))
})
