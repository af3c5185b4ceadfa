## Rankings of candidates against the definitions.

test_that("AUROC and values by TF are those of the definition", {
    case <- refCase()
    e <- evaluateGRN(case$grn, case$edges, nBoot = 40, seed = 1)
    t <- as.data.frame(e)
    hand <- handSet(case$s, case$edges, rownames(case$s)[1:3])
    expect_equal(t$auroc[[1]], bruteAuroc(hand$score, hand$positive))
    expect_true(t$aurocLow[[1]] < t$auroc[[1]] &&
        t$auroc[[1]] < t$aurocHigh[[1]])
    expect_equal(t$auroc[[2]], 0.5, tolerance = 0.05)
    by <- as.data.frame(e, which = "TF")
    expect_identical(by, as.data.frame(e, which = "TF"))
    expect_identical(by$TF, rownames(case$s)[1:3])
    for (i in 1:3) {
        one <- evaluateGRN(case$grn, case$edges[case$edges$TF == by$TF[[i]], ],
            nBoot = 0, seed = 1
        )
        want <- as.data.frame(one)[1, c("auprc", "auprcRatio", "auroc",
            "early", "earlyRatio")]
        expect_equal(unlist(by[i, names(want)]), unlist(want))
        expect_equal(by$positives[[i]], one@facts$positives)
        expect_equal(by$candidates[[i]], 13)
    }
})

test_that("other networks are ranked on the same candidates", {
    case <- refCase()
    turned <- case$s[4:1, 14:1]
    worse <- -case$s + 100
    e <- as.data.frame(evaluateGRN(case$grn, case$edges, nBoot = 50, seed = 2,
        compare = list(turned = turned, worse = PooledGRN(worse))
    ))
    expect_identical(e$method, c("model", "random", "turned", "worse"))
    expect_equal(e[3, 2:16], e[1, 2:16], ignore_attr = TRUE)
    expect_equal(e$auroc[[4]], 1 - e$auroc[[1]])
    expect_equal(e$modelAbove[[3]], 0)
    expect_s3_class(plotEvaluation(evaluateGRN(case$grn, case$edges,
        nBoot = 0, compare = list(worse = worse)
    )), "ggplot")
    bad <- function(compare) evaluateGRN(case$grn, case$edges, nBoot = 0,
        compare = compare
    )
    expect_error(bad(list(few = case$s[, 1:12])), "lacks 2 TFs or genes")
    expect_error(bad(list(turned)), "must have names")
    expect_error(bad(list(model = turned)), "must have names")
    expect_error(bad(case$grn), "must be a named list")
    expect_error(bad(list(a = "b")), "compare\\$a' must be a PooledGRN")
    expect_error(bad(list(a = PooledGRN(turned, filtered = TRUE))),
        "compare\\$a' is filtered"
    )
    expect_error(evaluateGRN(case$grn, case$edges, pairs = "all"),
        "aren't known"
    )
})
