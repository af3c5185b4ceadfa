## Permuted nulls against the analytic one.

test_that("the analytic null is that of permuted labels", {
    y <- rep(c(TRUE, FALSE, TRUE, FALSE), c(6, 9, 4, 5))
    b <- rep(1:2, c(15, 9))
    key <- .newKey(4)
    labels <- .permutedLabels(y, b, 3000L, key)
    ## every labelling keeps the counts of each block
    expect_true(all(colSums(labels[b == 1, ] == 1) == 6))
    expect_true(all(colSums(labels[b == 2, ] == 1) == 4))
    design <- .contrastWeights(labels, y, b)
    v <- rbind(sin(1:24), 10 + (1:24)^2 / 100 + 5 * (b == 2))
    sums <- .contrastSums(function(i) v[, i, drop = FALSE], 24L, 1:24, design)
    effect <- vapply(1:2, function(r) {
        d <- vapply(1:2, function(k) {
            mean(v[r, b == k & y]) - mean(v[r, b == k & !y])
        }, 0)
        stats::weighted.mean(d, c(6 * 9 / 15, 4 * 5 / 9))
    }, 0)
    expect_equal(sums$effect[, 1L], effect)
    test <- .contrastTest(sums, design)
    z <- sums$effect[, -1L] / (test$table$effect / test$table$z)
    expect_equal(rowMeans(z), c(0, 0), tolerance = 0.06)
    expect_equal(apply(z, 1L, stats::sd), c(1, 1), tolerance = 0.05)
})
