## Candidate edges: what was asked for, and what was held out.

test_that("the candidate set is what was asked for, and is said", {
    case <- refCase()
    all <- evaluateGRN(case$grn, case$edges, nBoot = 0, seed = 1,
        candidates = "all"
    )
    expect_equal(all@facts$candidates, 4 * 13)
    expect_output(show(all), "all TFs of the network")
    expect_false("g11" %in% as.data.frame(all, which = "TF")$TF)
    pairs <- data.frame(
        Gene1 = c("g2", "g2", "g2", "g5", "g11", "g5", "nobody"),
        Gene2 = c("g1", "g6", "g6", "g12", "g2", "g5", "g1")
    )
    e <- evaluateGRN(case$grn, case$edges, nBoot = 0, seed = 1,
        candidates = pairs
    )
    expect_equal(e@facts$candidates, 4)
    expect_equal(e@facts$positives, 2)
    expect_match(e@facts$candidateSet, "4 of 7 given pairs")
    score <- case$s[cbind(c("g2", "g2", "g5", "g11"),
        c("g1", "g6", "g12", "g2"))]
    expect_equal(as.data.frame(e)$auroc[[1]],
        bruteAuroc(score, c(TRUE, FALSE, TRUE, FALSE))
    )
    expect_error(evaluateGRN(case$grn, case$edges, candidates = "some"),
        "'candidates' must be one of"
    )
    expect_error(evaluateGRN(case$grn, case$edges,
        candidates = data.frame(TF = "g2", target = "g2")
    ), "no pair of a TF")
    expect_error(evaluateGRN(case$grn, case$edges,
        candidates = data.frame(TF = "g2", target = "g6")
    ), "no edge among the candidates")
})

test_that("what a network learnt from training edges does not count", {
    case <- refCase()
    ## a network that knows the training part by heart, and nothing else
    cheat <- function(split) {
        s <- case$s * 0
        s[as.matrix(split$train)] <- 1
        PooledGRN(s)
    }
    for (by in c("TF", "target", "edge")) {
        split <- splitReference(case$edges, by, 0.4, seed = 3)
        e <- evaluateGRN(cheat(split), split, nBoot = 0, seed = 1)
        t <- as.data.frame(e)
        ## all candidates tie: no better and no worse than chance
        expect_equal(t$auroc[[1]], 0.5)
        expect_equal(t$auprcRatio[[1]], 1)
        expect_equal(e@facts$positives, nrow(split$test))
        expect_output(show(e), paste0("held-out \\(by ", by))
        tfs <- rownames(case$s)[rownames(case$s) %in% split$test$Gene1]
        hand <- switch(by,
            TF = handSet(case$s, split$test, tfs),
            target = handSet(case$s, split$test, tfs, unique(split$test$Gene2)),
            edge = handSet(case$s, split$test, tfs, without = split$train)
        )
        expect_equal(e@facts$candidates, nrow(hand))
        full <- as.data.frame(
            evaluateGRN(case$grn, split, nBoot = 0, seed = 1)
        )
        expect_equal(full$auroc[[1]], bruteAuroc(hand$score, hand$positive))
        ## on the unsplit reference the cheat is well ahead
        whole <- evaluateGRN(cheat(split), case$edges, nBoot = 0, seed = 1)
        expect_gt(as.data.frame(whole)$auprcRatio[[1]], 2)
    }
})
