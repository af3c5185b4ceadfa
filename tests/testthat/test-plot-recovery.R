## Known edges along a ranking.

example <- exampleGRN()

test_that("recovery counts known edges, ties shared", {
    got <- .recoveryCurve(c(5, 4, 4, 4, 1), c(TRUE, TRUE, FALSE, FALSE, TRUE))
    expect_identical(got$n, c(1, 2, 3, 4, 5))
    expect_equal(got$found, c(1, 1 + 1 / 3, 1 + 2 / 3, 2, 3))
    all <- .recoveryCurve(rep(1, 10), rep(c(TRUE, FALSE), 5))
    expect_equal(all$found, all$n / 2)
})

test_that("plotRankRecovery compares on the same candidates", {
    reference <- data.frame(TF = rep(tfNames(example)[1:2], each = 4),
        target = geneNames(example)[c(9, 17, 25, 33, 10, 18, 26, 34)]
    )
    p <- plotRankRecovery(example, reference)
    expect_silent(ggplot2::ggplot_build(p))
    at <- .recoveryPairs(as.matrix(poolGRN(example)),
        .referenceEdges(reference)
    )
    facts <- evaluateGRN(example, reference, nBoot = 0)@facts
    expect_identical(length(at$at), facts$candidates)
    expect_identical(sum(at$positive), facts$positives)
    expect_setequal(levels(p$data$method),
        c("network", "pearson", "spearman", "marginal")
    )
    pooled <- poolGRN(example)
    two <- plotRankRecovery(list(a = pooled, b = example), reference)
    expect_identical(levels(two$data$method), c("a", "b", "marginal"))
    expect_error(plotRankRecovery(pooled, reference, "pearson"),
        "'expression' is needed"
    )
    expect_error(plotRankRecovery(list(pooled), reference), "'x' must be")
    expect_error(plotRankRecovery(list(a = pooled, b = PooledGRN(
        as.matrix(pooled)[-1L, ])), reference), "different TFs or genes")
    expect_error(plotRankRecovery(PooledGRN(as.matrix(pooled),
        filtered = TRUE), reference), "unfiltered")
    expect_error(plotRankRecovery(pooled, data.frame(TF = "A", target = "B")),
        "'reference' has no edge"
    )
})
