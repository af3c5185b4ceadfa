## Scores against their definitions, perturbation by perturbation.

set.seed(3)
true <- matrix(rnorm(360), 60)
predicted <- 0.5 * true + matrix(rnorm(360, sd = 0.5), 60)
base <- matrix(rnorm(60), 60, 6)
se2 <- matrix(runif(360, 0.05, 0.2), 60, 6)
own <- list(1L, 2L, integer(), c(1L, 3L), 4L, 5L)

test_that("errors, correlations and discrimination leave own genes out", {
    s <- causeway:::.scoreEffects(true, predicted, se2, base, own, 2L)
    for (p in 1:6) {
        k <- setdiff(1:60, own[[p]])
        expect_equal(s$mseMean[[p]], mean((true[k, p] - base[k, p])^2))
        expect_equal(s$noise[[p]], mean(se2[k, p]))
        expect_equal(s$mse[[p]], mean((true[k, p] - predicted[k, p])^2))
        expect_equal(s$rAll[[p]], cor(true[k, p], predicted[k, p]))
        expect_equal(s$rCentred[[p]], cor(true[k, p] - base[k, p],
            predicted[k, p] - base[k, p]))
        top <- k[order(-abs(true[k, p]) / sqrt(se2[k, p]))[1:20]]
        expect_equal(s$rTop[[p]], cor(true[top, p], predicted[top, p]))
        expect_equal(s$direction[[p]], mean(sign(true[top, p]) ==
            sign(predicted[top, p])))
        d <- vapply(1:6, function(q) {
            k <- setdiff(1:60, c(own[[p]], own[[q]]))
            mean((true[k, q] - predicted[k, p])^2)
        }, 0)
        expect_equal(s$discrimination[[p]], mean(d[-p] > d[[p]]))
    }
    expect_equal(causeway:::.skill(s), 1 - sum(s$mse) / sum(s$mseMean))
    at <- c(5L, 2L, 4L) # in any order, among themselves
    some <- causeway:::.scoreEffects(true, predicted, se2, base, own, 1L, at)
    alone <- causeway:::.scoreEffects(true[, at], predicted[, at], se2[, at],
        base[, at], own[at])
    expect_equal(some, alone)
    expect_equal(some$mse, s$mse[at])
})

test_that("a perfect prediction has skill 1, the mean 0, ties count half", {
    of <- function(p) causeway:::.scoreEffects(true, p, se2, base, own)
    expect_equal(causeway:::.skill(of(true)), 1)
    expect_equal(of(true)$discrimination, rep(1, 6))
    expect_equal(causeway:::.skill(of(base)), 0)
    zero <- of(0 * true)
    expect_equal(zero$direction, rep(0.5, 6))
    expect_equal(zero$rAll, rep(0, 6))
    two <- cbind(true[, 1], true[, 1])
    same <- causeway:::.scoreEffects(two, two, se2[, 1:2], base[, 1:2],
        list(1L, 1L))
    expect_equal(same$discrimination, c(0.5, 0.5))
    expect_identical(of(true)[1, -8], causeway:::.scoreEffects(true, true, se2,
        base, own, at = 1L)[-8])
    expect_true(is.na(causeway:::.scoreEffects(true, true, se2, base, own,
        at = 1L)$discrimination))
})

test_that("bootstrap samples are balanced and seeded", {
    v <- c(1, 2, 4, 8, 16)
    i <- causeway:::.bootInterval(5, function(i) mean(v[i]), c(1, 2), 1L, 400)
    expect_identical(i, causeway:::.bootInterval(5, function(i) mean(v[i]),
        c(1, 2), 1L, 400))
    expect_true(i[[1]] < mean(v) && i[[2]] > mean(v))
})

test_that("what the model gains over a method is paired by perturbation", {
    of <- function(p) causeway:::.scoreEffects(true, p, se2, base, own)
    scores <- list("no change" = of(0 * true), "mean perturbed" = of(base),
        "the model" = of(predicted), "half of the cells" = of(base))
    t <- causeway:::.scoreTable(scores, c(1, 2), 200)
    m <- scores[["the model"]]
    expect_equal(t$gain[1:2], c(causeway:::.skill(m, scores[[1]]$mse),
        causeway:::.skill(m)))
    ## over the mean it is the skill, interval and all
    expect_equal(unlist(t[2, c("gain", "gainLow", "gainHigh")]),
        unlist(t[3, c("skill", "low", "high")]), ignore_attr = TRUE)
    expect_true(all(is.na(t[3:4, c("gain", "gainLow", "gainHigh")])))
    ## a method that is always a tenth worse: no noise, in spite of the spread
    worse <- transform(m, mse = mse / 0.9)
    t <- causeway:::.scoreTable(list(a = worse, "the model" = m), c(1, 2), 200)
    expect_equal(unlist(t[1, c("gain", "gainLow", "gainHigh")]), rep(0.1, 3),
        ignore_attr = TRUE)
    expect_null(causeway:::.scoreTable(scores[1:2], c(1, 2), 20)$gain)
})
