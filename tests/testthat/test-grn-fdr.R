## False discovery rates of edges.

cells <- simulateCells(nCells = 300, nGenes = 40, nTFs = 8, seed = 3)
truth <- S4Vectors::metadata(cells)$simulation$edges
grn <- inferGRN(cells, CorGRNParam(), nTargets = Inf)

test_that("on permuted data p is uniform and nothing is found", {
    x <- as.matrix(SummarizedExperiment::assay(cells, "counts"))
    x <- log1p(1e4 * t(t(x) / colSums(x)))
    set.seed(11)
    x <- t(apply(x, 1, sample))
    dimnames(x) <- dimnames(cells)
    for (param in list(RidgeGRNParam(), CorGRNParam("partial"),
        CombinedGRNParam(list(RidgeGRNParam(), CorGRNParam("spearman"))))) {
        g <- inferGRN(x, param, nTargets = Inf, alreadyNormalised = TRUE)
        null <- nullGRN(g, "expression", nPerm = 20, cells = x, seed = 1)
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
    null <- nullGRN(grn, "expression", nPerm = 15, cells = cells, seed = 1,
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

test_that("what is missing is said", {
    expect_error(edgeFDR(grn), "'null' is missing.*nullGRN")
    expect_error(edgeFDR(grn, cells), "'null' must be what nullGRN")
})

test_that("a Param without brackets is recognised", {
    expect_error(inferGRN(cells, RidgeGRNParam), "call it: RidgeGRNParam\\(\\)")
    expect_error(stabilityGRN(cells, CorGRNParam), "call it: CorGRNParam")
    expect_error(nullGRN(grn, "expression", cells = cells,
        param = CorGRNParam), "call it: CorGRNParam")
    expect_error(benchmarkGRN(cells, truth, list(a = TreeGRNParam)),
        "'methods\\$a' is the function TreeGRNParam")
})
