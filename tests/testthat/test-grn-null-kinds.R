## The four kinds of null networks against their definitions.

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
    expect_equal(null@nPerm, 1L)
    m <- as.data.frame(null)
    e <- as.data.frame(evaluateGRN(grn, truth, nBoot = 0, seed = 1,
        compare = list(null = poolGRN(null))
    ))
    expect_equal(m$auprc, e$auprc[c(1, 3)])
    expect_equal(m$auroc, e$auroc[c(1, 3)])
    expect_output(show(null), "TF and gene effects explain")
    ## scores that are marginals do not beat them
    flat <- s
    flat[] <- outer(seq_len(nrow(s)), rev(seq_len(ncol(s))), `+`)
    null <- nullGRN(PooledGRN(flat), "marginal", reference = truth)
    expect_equal(as.data.frame(null)$auroc[[1]], as.data.frame(null)$auroc[[2]],
        tolerance = 0.02
    )
    bad <- PooledGRN(max(s) - s)
    expect_output(show(nullGRN(bad, "shuffle", nPerm = 20, reference = truth,
        seed = 1
    )), "does not beat this null")
})

test_that("rewired networks keep their degrees", {
    null <- nullGRN(grn, "degree", nPerm = 30, top = 25, reference = truth,
        seed = 1
    )
    s <- as.matrix(grn)
    s[cbind(rownames(s), rownames(s))] <- 0
    high <- s * (s >= sort(s, decreasing = TRUE)[[25]])
    ## mean over null networks: TFs keep their score sums
    expect_equal(rowSums(null@mean), rowSums(high))
    one <- nullGRN(grn, "degree", nPerm = 1, top = 25, seed = 1)
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
    expect_equal(nrow(as.data.frame(null)), 31)
})

test_that("shuffled scores know nothing", {
    s <- as.matrix(grn)
    for (within in c("matrix", "TF")) {
        null <- nullGRN(grn, "shuffle", nPerm = 60, within = within,
            reference = truth, seed = 2
        )
        m <- as.data.frame(null)
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
    a <- nullGRN(grn, "shuffle", nPerm = 3)
    b <- nullGRN(grn, "shuffle", nPerm = 3)
    set.seed(5)
    expect_equal(nullGRN(grn, "shuffle", nPerm = 3), a)
    expect_false(isTRUE(all.equal(a@mean, b@mean)))
    expect_error(edgeFDR(grn, a), "uniform by construction")
    expect_error(edgeFDR(grn, nullGRN(grn, "marginal")), "by construction")
})

test_that("permuting within groups keeps what groups explain", {
    null <- nullGRN(grn, "expression", nPerm = 10, cells = cells, seed = 1,
        group = "context"
    )
    expect_match(verdict(null)$text, "within 4 groups")
    loose <- nullGRN(grn, "expression", nPerm = 10, cells = cells, seed = 1)
    expect_gt(mean(null@mean), 1.2 * mean(loose@mean))
    expect_gt(sum(edgeFDR(grn, loose)$q < 0.1),
        sum(edgeFDR(grn, null)$q < 0.1)
    )
})

test_that("the estimator is read from the network, trees too", {
    for (param in list(TreeGRNParam(trees = 8), CombinedGRNParam(list(
        TreeGRNParam(trees = 8), RidgeGRNParam(), CorGRNParam("partial")
    ), c(2, 1, 1)))) {
        g <- inferGRN(cells, param, nTargets = 20, seed = 8)
        null <- nullGRN(g, "expression", nPerm = 2, cells = cells, seed = 1)
        expect_identical(dimnames(null@mean), dimnames(as.matrix(g)))
        expect_equal(
            causeway:::.paramOf(g, NULL), param
        )
    }
    with <- inferGRN(cells, RidgeGRNParam(), nTargets = 20, seed = 8)
    with@metadata$priorEvidence <- list(strength = 10)
    expect_error(nullGRN(with, "expression", cells = cells), "with a prior")
    with@metadata$priorEvidence$strength <- 1
    null <- nullGRN(with, "expression", nPerm = 1, cells = cells)
    expect_equal(null@nPerm, 1L)
    plain <- PooledGRN(as.matrix(grn))
    expect_error(nullGRN(plain, "expression", cells = cells), "'param' is")
    null <- nullGRN(plain, "expression", nPerm = 2, cells = cells,
        param = CorGRNParam()
    )
    expect_equal(null@nPerm, 2L)
    expect_error(nullGRN(plain, "expression", nPerm = 2, cells = cells,
        param = CorGRNParam("spearman")
    ), "don't give 'x'")
})

test_that("a network centred on states is refitted centred", {
    x <- simulateCells(nCells = 600, nGenes = 80, nTFs = 6, seed = 2)
    g <- inferGRN(x, RidgeGRNParam(), nTargets = Inf, centre = TRUE, seed = 1)
    skip_if(!isTRUE(metadata(g)$centring$centred), "not centred")
    null <- nullGRN(g, "expression", nPerm = 1, cells = x, seed = 1)
    expect_equal(null@nPerm, 1L)
    g@metadata$centring <- NULL
    expect_error(nullGRN(g, "expression", nPerm = 1, cells = x, seed = 1),
        "don't give 'x'"
    )
})

test_that("a network less the means of blocks is inferred again so", {
    donor <- rep(c("a", "b", "c"), length.out = ncol(cells))
    shifted <- SummarizedExperiment::assay(cells, "counts")
    shifted[, donor == "b"] <- shifted[, donor == "b"] *
        rep(1 + 9 * (seq_len(nrow(shifted)) %% 2), sum(donor == "b"))
    given <- SummarizedExperiment::SummarizedExperiment(
        list(counts = shifted), colData = S4Vectors::DataFrame(donor = donor,
            row.names = colnames(shifted)))
    infer <- function(block) {
        inferGRN(given, CorGRNParam(), tfs = tfNames(grn), seed = 1,
            genes = geneNames(grn), block = block, verbose = FALSE
        )
    }
    g <- infer("donor")
    null <- nullGRN(g, "expression", nPerm = 2, cells = given, seed = 1)
    expect_equal(null@nPerm, 2L)
    g <- infer(donor)
    expect_error(nullGRN(g, "expression", nPerm = 2, cells = given),
        "'block' is needed.*a, b, c")
    other <- nullGRN(g, "expression", nPerm = 2, cells = given, seed = 1,
        block = donor
    )
    expect_identical(other@mean, null@mean)
})
