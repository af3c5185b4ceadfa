## Null networks, false discovery rates, stability.

cells <- simulateCells(nCells = 300, nGenes = 40, nTFs = 8, seed = 3)
truth <- S4Vectors::metadata(cells)$simulation$edges
grn <- inferGRN(cells, CorGRNParam(), nTargets = Inf)

test_that("the marginal null is least squares of TF and gene effects", {
    null <- nullGRN(grn, "marginal", reference = truth)
    s <- as.matrix(grn)
    d <- data.frame(score = as.vector(s), tf = rownames(s)[row(s)],
        gene = colnames(s)[col(s)]
    )
    use <- d$tf != d$gene
    fit <- fitted(lm(score ~ tf + gene, d[use, ]))
    expect_equal(as.vector(null@mean)[use], unname(fit), tolerance = 1e-6)
    expect_equal(null@n, 1L)
    m <- nullMetrics(null)
    e <- as.data.frame(evaluateGRN(grn, truth, nBoot = 0, seed = 1,
        compare = list(null = nullNetwork(null))
    ))
    expect_equal(m$auprc, e$auprc[c(1, 3)])
    expect_equal(m$auroc, e$auroc[c(1, 3)])
    expect_output(show(null), "TF and gene effects explain")
    ## scores that are marginals do not beat them
    flat <- s
    flat[] <- outer(seq_len(nrow(s)), rev(seq_len(ncol(s))), `+`)
    null <- nullGRN(PooledGRN(flat), "marginal", reference = truth)
    expect_equal(nullMetrics(null)$auroc[[1]], nullMetrics(null)$auroc[[2]],
        tolerance = 0.02
    )
    bad <- PooledGRN(max(s) - s)
    expect_output(show(nullGRN(bad, "shuffle", n = 20, reference = truth,
        seed = 1
    )), "does not beat this null")
})

test_that("rewired networks keep their degrees", {
    null <- nullGRN(grn, "degree", n = 30, top = 25, reference = truth,
        seed = 1
    )
    s <- as.matrix(grn)
    s[cbind(rownames(s), rownames(s))] <- 0
    high <- s * (s >= sort(s, decreasing = TRUE)[[25]])
    ## mean over null networks: TFs keep their score sums
    expect_equal(rowSums(null@mean), rowSums(high))
    one <- nullGRN(grn, "degree", n = 1, top = 25, seed = 1)
    expect_equal(colSums(one@mean > 0), colSums(high > 0))
    expect_equal(sum(one@mean > 0), 25)
    expect_true(all(one@mean[cbind(rownames(s), rownames(s))] == 0))
    expect_gt(sum((one@mean > 0) != (high > 0)), 4)
    edges <- edgeFDR(grn, null)
    expect_equal(nrow(edges), 25)
    expect_true(all(edges$p >= 1 / 31 & edges$p <= 1))
    at <- cbind(edges$Gene1, edges$Gene2)
    expect_equal(edges$p, (1 + null@atLeast[at]) / 31)
    expect_equal(edges$q, p.adjust(edges$p, "BH"))
    expect_equal(nrow(nullMetrics(null)), 31)
})

test_that("shuffled scores know nothing", {
    s <- as.matrix(grn)
    for (within in c("matrix", "TF")) {
        null <- nullGRN(grn, "shuffle", n = 60, within = within,
            reference = truth, seed = 2
        )
        m <- nullMetrics(null)
        expect_lt(abs(mean(m$auroc[-1]) - 0.5), if (within == "TF") 0.15 else
            0.03
        )
        expect_gt(m$auroc[[1]], quantile(m$auroc[-1], 0.9))
        use <- rownames(s)[[2]] != colnames(s)
        if (within == "TF") {
            expect_equal(sum(null@mean[2, use]), sum(s[2, use]))
        }
        expect_equal(sum(null@mean), sum(s))
    }
    set.seed(5)
    a <- nullGRN(grn, "shuffle", n = 3)
    b <- nullGRN(grn, "shuffle", n = 3)
    set.seed(5)
    expect_equal(nullGRN(grn, "shuffle", n = 3), a)
    expect_false(isTRUE(all.equal(a@mean, b@mean)))
    expect_error(edgeFDR(grn, a), "uniform by construction")
    expect_error(edgeFDR(grn, nullGRN(grn, "marginal")), "by construction")
})

test_that("on permuted data p is uniform and nothing is found", {
    x <- as.matrix(SummarizedExperiment::assay(cells, "counts"))
    x <- log1p(1e4 * t(t(x) / colSums(x)))
    set.seed(11)
    x <- t(apply(x, 1, sample))
    dimnames(x) <- dimnames(cells)
    for (param in list(RidgeGRNParam(), CorGRNParam("partial"),
        CombinedGRNParam(list(RidgeGRNParam(), CorGRNParam("spearman"))))) {
        g <- inferGRN(x, param, nTargets = Inf, alreadyNormalised = TRUE)
        null <- nullGRN(g, "expression", n = 20, cells = x, seed = 1)
        e <- edgeFDR(g, null)
        expect_equal(nrow(e), 8 * 39)
        ks <- suppressWarnings(stats::ks.test(e$p, "punif"))
        expect_gt(ks$p.value, 0.01)
        expect_equal(sum(e$q < 0.1), 0)
        each <- edgeFDR(g, null, pool = "edge")
        expect_lt(abs(mean(each$p) - 0.52), 0.05)
        expect_equal(sum(each$q < 0.1), 0)
    }
})

test_that("on simulated cells edges are found, more of them true", {
    cells <- simulateCells(nCells = 300, nGenes = 40, nTFs = 8, seed = 4,
        nContexts = 1
    )
    truth <- S4Vectors::metadata(cells)$simulation$edges
    grn <- inferGRN(cells, CorGRNParam(), nTargets = Inf)
    null <- nullGRN(grn, "expression", n = 15, cells = cells, seed = 1,
        reference = truth
    )
    e <- edgeFDR(grn, null)
    true <- paste(e$Gene1, e$Gene2) %in% paste(truth$Gene1, truth$Gene2)
    expect_gt(sum(e$q < 0.1), 5)
    expect_gt(mean(true[e$q < 0.1]), 1.5 * mean(true))
    expect_false(is.unsorted(e$p))
    expect_equal(e$score,
        as.matrix(grn)[cbind(e$Gene1, e$Gene2)]
    )
    storey <- edgeFDR(grn, null, method = "storey")
    expect_lte(attr(storey, "pi0"), 1)
    expect_true(all(storey$q <= e$q + 1e-12))
    expect_equal(attr(e, "pool"), "TF")
})

test_that("permuting within groups keeps what groups explain", {
    null <- nullGRN(grn, "expression", n = 10, cells = cells, seed = 1,
        groups = "context"
    )
    expect_output(show(null), "within 4 groups")
    loose <- nullGRN(grn, "expression", n = 10, cells = cells, seed = 1)
    expect_gt(mean(null@mean), 1.2 * mean(loose@mean))
    expect_gt(sum(edgeFDR(grn, loose)$q < 0.1),
        sum(edgeFDR(grn, null)$q < 0.1)
    )
})

test_that("pooled counts are those of all targets of the TF", {
    one <- nullGRN(grn, "expression", n = 1, cells = cells, seed = 4)
    s <- as.matrix(grn)
    t <- 3
    use <- rownames(s)[[t]] != colnames(s)
    want <- vapply(which(use), function(g) {
        sum(one@mean[t, use] >= s[t, g])
    }, numeric(1))
    expect_equal(unname(one@pooled[t, use]), want)
    expect_true(all(is.na(one@sd)))
    p <- edgeFDR(grn, one)
    p <- p[p$Gene1 == rownames(s)[[t]], ]
    expect_equal(p$p[match(colnames(s)[use], p$Gene2)], (1 + want) / 40)
})

test_that("the estimator is read from the network, trees too", {
    for (param in list(TreeGRNParam(trees = 8), CombinedGRNParam(list(
        TreeGRNParam(trees = 8), RidgeGRNParam(), CorGRNParam("partial")
    ), c(2, 1, 1)))) {
        g <- inferGRN(cells, param, nTargets = 20, seed = 8)
        null <- nullGRN(g, "expression", n = 2, cells = cells, seed = 1)
        expect_identical(dimnames(null@mean), dimnames(as.matrix(g)))
        expect_equal(
            causeway:::.paramOf(g, NULL), param
        )
    }
    with <- inferGRN(cells, RidgeGRNParam(), nTargets = 20, seed = 8)
    with@metadata$priorEvidence <- list(strength = 10)
    expect_error(nullGRN(with, "expression", cells = cells), "with a prior")
    with@metadata$priorEvidence$strength <- 1
    expect_equal(nullGRN(with, "expression", n = 1, cells = cells)@n, 1L)
    plain <- PooledGRN(as.matrix(grn))
    expect_error(nullGRN(plain, "expression", cells = cells), "'param' is")
    null <- nullGRN(plain, "expression", n = 2, cells = cells,
        param = CorGRNParam()
    )
    expect_equal(null@n, 2L)
    expect_error(nullGRN(plain, "expression", n = 2, cells = cells,
        param = CorGRNParam("spearman")
    ), "don't give 'x'")
})

test_that("a network centred on states is refitted centred", {
    x <- simulateCells(nCells = 600, nGenes = 80, nTFs = 6, seed = 2)
    g <- inferGRN(x, RidgeGRNParam(), nTargets = Inf, centre = TRUE, seed = 1)
    skip_if(!isTRUE(metadata(g)$centring$centred), "not centred")
    expect_equal(nullGRN(g, "expression", n = 1, cells = x, seed = 1)@n, 1L)
    g@metadata$centring <- NULL
    expect_error(nullGRN(g, "expression", n = 1, cells = x, seed = 1),
        "don't give 'x'"
    )
})

test_that("nulls that can't be are refused", {
    s <- as.matrix(grn)
    expect_error(nullGRN(PooledGRN(s, filtered = TRUE)), "is filtered")
    expect_error(nullGRN(PooledGRN(s * 0)), "equal scores for all edges")
    expect_error(nullGRN(grn, "expression"), "'cells' is needed")
    expect_error(nullGRN(grn, "magic"), "'type' must be one of")
    expect_error(nullGRN(grn, "shuffle", n = 0), "'n' must be")
    expect_error(nullGRN(grn, "shuffle", tops = 3), "aren't known")
    expect_error(nullGRN(grn, "expression", n = 1, cells = cells[1:20, ]),
        "'cells' lacks genes of the network"
    )
    expect_error(nullGRN(grn, "expression", n = 1, cells = cells,
        groups = "nothing"
    ), "isn't a column")
    expect_error(nullGRN(grn, "expression", n = 1, cells = cells,
        groups = seq_len(300)
    ), "puts every cell alone")
    expect_error(nullGRN(grn, "expression", n = 1, cells = cells,
        groups = 1:2
    ), "a value per cell")
    expect_error(nullGRN(grn, "expression", n = 1, cells = cells, colour = 1),
        "aren't known"
    )
    other <- nullGRN(PooledGRN(s + 1), "degree", n = 1)
    expect_error(edgeFDR(grn, other), "another network")
    expect_error(edgeFDR(grn, grn), "what nullGRN\\(\\) returns")
    expect_error(edgeFDR(s, other), "'x' must be a network")
    expect_s4_class(nullGRN(exampleGRN(), "shuffle", n = 2), "GRNNull")
})

test_that("stability is what overlaps say", {
    s <- stabilityGRN(cells, CorGRNParam(), seeds = 3, samples = 2, top = 20,
        seed = 1, nTargets = Inf
    )
    t <- as.data.frame(s)
    expect_identical(t$comparison, rep(c("seed", "cells", "one cell"),
        c(3, 2, 2)
    )[c(1:4, 6, 5, 7)])
    ## no random numbers: seeds change nothing
    expect_equal(t$jaccard[1:3], c(1, 1, 1))
    expect_equal(t$rankCorrelation[1:3], c(1, 1, 1))
    expect_equal(t$cells, c(300, 300, 300, 150, 299, 150, 299))
    halves <- t[t$comparison == "cells", ]
    one <- t[t$comparison == "one cell", ]
    expect_true(all(halves$jaccard < 0.95 & halves$jaccard > halves$chance))
    expect_true(all(one$jaccard > max(halves$jaccard)))
    expect_equal(t$jaccard, t$shared / (40 - t$shared))
    expect_equal(t$chance[[1]], (400 / 312) / (40 - 400 / 312))
    expect_output(show(s), "other half of the cells")
    expect_s3_class(plotStability(s), "ggplot")
    set.seed(2)
    a <- stabilityGRN(cells, CorGRNParam(), seeds = 0, samples = 1)
    set.seed(2)
    expect_equal(stabilityGRN(cells, CorGRNParam(), seeds = 0, samples = 1), a)
})

test_that("stability takes every estimator", {
    few <- stabilityGRN(cells, TreeGRNParam(trees = 5), seeds = 2,
        samples = 0, seed = 1, nTargets = Inf
    )
    expect_lt(as.data.frame(few)$jaccard, 1)
    part <- stabilityGRN(cells, RidgeGRNParam(), seeds = 0, samples = 1,
        leaveOut = 0.1, seed = 1, nTargets = Inf
    )
    expect_equal(as.data.frame(part)$cells, c(270, 299))
    expect_output(show(part), "10% of cells left out")
    states <- PerCellGRNParam(states = cells$context, permutations = 1)
    per <- stabilityGRN(cells, states, seeds = 2, samples = 1, seed = 1)
    expect_equal(nrow(as.data.frame(per)), 3)
    model <- newModel(tinyParam(), tinyCells(), seed = 1, threads = 1)
    sfm <- stabilityGRN(tinyCells(), model, seeds = 2, samples = 1, seed = 1)
    expect_equal(as.data.frame(sfm)$jaccard[[1]], 1)
})

test_that("stability that can't be is refused", {
    expect_error(stabilityGRN(cells, CorGRNParam(), seeds = 1, samples = 0),
        "nothing to compare"
    )
    expect_error(stabilityGRN(cells, CorGRNParam(), leaveOut = 1e-4),
        "leaves out 0 of 300"
    )
    expect_error(stabilityGRN(cells, CorGRNParam(), leaveOut = 0), "leaveOut")
    expect_error(stabilityGRN(cells, "magic"), "'model' must be")
    expect_error(plotStability(1), "must be what stabilityGRN")
})
