## Pooled estimators without a model.

## 3 TFs that matter, 2 that don't, targets with known regulators and signs.
pooledCells <- function(n = 240) {
    wave <- function(k) {
        x <- sin(seq_len(n) * (0.7 + 0.37 * k) + k) +
            sin(seq_len(n) * (1.3 + 0.21 * k)^2)
        round(x - min(x), 3)
    }
    tf <- vapply(1:5, wave, numeric(n))
    noise <- vapply(11:16, wave, numeric(n))
    x <- rbind(
        t(tf),
        TA = 2 * tf[, 1] + 0.3 * noise[, 1],
        TB = 8 - 2 * tf[, 2] + 0.3 * noise[, 2],
        TC = tf[, 1] + 1.2 * tf[, 3] + 0.3 * noise[, 3],
        TN = noise[, 4], TK = rep(2, n)
    )
    rownames(x) <- c(paste0("TF", 1:5), "TA", "TB", "TC", "TN", "TK")
    colnames(x) <- paste0("cell", seq_len(n))
    x
}
pooledTFs <- paste0("TF", 1:5)

infer <- function(param, x = pooledCells(), ...) {
    inferGRN(x, param, tfs = pooledTFs, alreadyNormalised = TRUE, ...)
}

params <- list(
    extra = TreeGRNParam(trees = 60), boost = TreeGRNParam("boosting"),
    ridge = RidgeGRNParam(), pearson = CorGRNParam(),
    spearman = CorGRNParam("spearman"), partial = CorGRNParam("partial"),
    all = CombinedGRNParam(list(TreeGRNParam(trees = 60), RidgeGRNParam()))
)

test_that("every estimator finds the known regulators and their signs", {
    for (name in names(params)) {
        grn <- infer(params[[name]], seed = 1)
        expect_s4_class(grn, "PooledGRN")
        s <- as.matrix(grn)
        expect_identical(dim(s), c(5L, 10L), label = name)
        expect_true(all(is.finite(s)) && all(s >= 0), label = name)
        best <- function(g) rownames(s)[which.max(s[, g])]
        expect_identical(best("TA"), "TF1", label = name)
        expect_identical(best("TB"), "TF2", label = name)
        expect_setequal(names(sort(-s[, "TC"]))[1:2], c("TF1", "TF3"))
        sign <- edgeSign(grn)
        expect_identical(dimnames(sign), dimnames(s), label = name)
        expect_identical(unname(sign["TF1", "TA"]), 1L, label = name)
        expect_identical(unname(sign["TF2", "TB"]), -1L, label = name)
        expect_true(all(s[cbind(pooledTFs, pooledTFs)] == 0), label = name)
        expect_true(all(s[, "TK"] < 1e-6), label = name)
    }
})

test_that("tree scores of a gene add up to 1, by trees to their number", {
    for (p in list(TreeGRNParam(trees = 20), TreeGRNParam("boosting"))) {
        grn <- infer(p, seed = 2)
        sums <- colSums(as.matrix(grn))
        expect_equal(unname(sums), c(rep(1, 9), 0), tolerance = 1e-9)
        p@settings$byTrees <- TRUE
        by <- infer(p, seed = 2)
        trees <- metadata(by)$targets$trees
        expect_equal(unname(colSums(as.matrix(by))),
            trees * c(rep(1, 9), 0), tolerance = 1e-9
        )
    }
    targets <- metadata(infer(TreeGRNParam("boosting"), seed = 2))$targets
    expect_true(targets$r2[[6]] > 0.7 && all(targets$trees[-10] >= 25))
    held <- infer(TreeGRNParam(trees = 60, sampleSize = 150,
        response = "value"
    ), seed = 2)
    expect_gt(metadata(held)$targets$r2[[6]], 0.6)
})

test_that("seeds and threads", {
    for (p in params[c("extra", "boost", "all")]) {
        a <- as.matrix(infer(p, seed = 3, threads = 1))
        expect_identical(as.matrix(infer(p, seed = 3, threads = 2)), a)
        expect_false(identical(as.matrix(infer(p, seed = 4)), a))
        set.seed(5)
        b <- as.matrix(infer(p))
        set.seed(5)
        expect_identical(as.matrix(infer(p)), b)
    }
})

test_that("ranks make extremely randomised trees blind to the scale", {
    x <- pooledCells()
    p <- TreeGRNParam(trees = 20, response = "rank")
    a <- as.matrix(infer(p, x, seed = 1))
    expect_equal(as.matrix(infer(p, x^1.3, seed = 1)), a)
})

test_that("ranks keep zeros, and are R's but for a shift", {
    m <- cbind(c(0, 3, 1, 0, 3), c(2, 2, 5, 1, 9), 0)
    x <- as(Matrix::Matrix(m, sparse = TRUE), "dgCMatrix")
    r <- causeway:::.rankColumns(list(dim = dim(x), p = x@p, i = x@i, x = x@x))
    x@x <- r
    full <- apply(m, 2, rank)
    expect_equal(as.matrix(x), full - rep(c(1.5, 0, 3), each = 5),
        ignore_attr = TRUE
    )
})

test_that("partial correlation is the textbook's when shrinkage is small", {
    x <- pooledCells(2000)
    s <- as.matrix(infer(CorGRNParam("partial"), x))
    sign <- edgeSign(infer(CorGRNParam("partial"), x))
    direct <- function(genes) {
        p <- solve(stats::cor(t(x[genes, ])))
        -p[1, -1] / sqrt(p[1, 1] * diag(p)[-1])
    }
    expect_equal(s[, "TC"] * sign[, "TC"], direct(c("TC", pooledTFs)),
        tolerance = 0.02
    )
    expect_equal((s * sign)[-1, "TF1"], direct(pooledTFs), tolerance = 0.05)
})

test_that("correlations are R's", {
    x <- pooledCells()
    s <- as.matrix(infer(CorGRNParam("spearman"), x))
    expect_equal(s["TF3", "TC"],
        abs(stats::cor(x["TF3", ], x["TC", ], method = "spearman"))
    )
})

test_that("combined scores are geometric means; the default is trees x ridge", {
    x <- pooledCells()
    trees <- as.matrix(infer(TreeGRNParam(), x, seed = 9))
    ridge <- as.matrix(infer(RidgeGRNParam(), x))
    grn <- inferGRN(x, tfs = pooledTFs, alreadyNormalised = TRUE, seed = 9)
    expect_equal(as.matrix(grn), trees^0.9 * ridge^0.1)
    equal <- CombinedGRNParam(list(TreeGRNParam(), RidgeGRNParam()))
    expect_equal(as.matrix(infer(equal, x, seed = 9)), sqrt(trees * ridge))
    expect_identical(metadata(grn)$estimator, "CombinedGRNParam")
})

test_that("the verbs of pooled networks work", {
    x <- pooledCells()
    grn <- infer(params$all, x, seed = 1)
    edges <- edgeTable(grn, top = 6, self = FALSE)
    expect_identical(names(edges), c("Gene1", "Gene2", "score"))
    edges$sign <- edgeSign(grn, edges)
    expect_true(all(edges$sign %in% c(-1L, 1L)))
    expect_s3_class(as(grn, "igraph"), "igraph")
    file <- tempfile(fileext = ".csv")
    on.exit(unlink(file))
    writeGRN(grn, file, top = 6)
    expect_identical(nrow(read.csv(file)), 6L)
    reference <- data.frame(Gene1 = c("TF1", "TF2", "TF1", "TF3"),
        Gene2 = c("TA", "TB", "TC", "TC")
    )
    table <- as.data.frame(evaluateGRN(grn, reference, nBoot = 0,
        expression = x
    ))
    expect_gt(table$auprcRatio[table$method == "model"], 3)
    expect_output(show(grn), "PooledGRN")
})

test_that("counts, containers and choices of genes", {
    cells <- exampleCells()
    grn <- inferGRN(cells, RidgeGRNParam(), nTargets = 20)
    expect_identical(ncol(as.matrix(grn)) - nrow(as.matrix(grn)), 20L)
    some <- inferGRN(cells, RidgeGRNParam(), nTargets = 5, cells = 1:30)
    expect_identical(some@nCells, 30)
    all <- inferGRN(cells, CorGRNParam(), nTargets = Inf)
    expect_gt(ncol(as.matrix(all)), 25)
    named <- inferGRN(cells, CorGRNParam(),
        genes = c("MYOD1", "MYOG", "TARGET001")
    )
    expect_identical(dim(named), c(TFs = 2L, genes = 3L),
        ignore_attr = TRUE
    )
})

test_that("settings are checked, with argument, value and remedy", {
    expect_error(TreeGRNParam("forest"), "'method'.*extratrees")
    expect_error(TreeGRNParam(trees = 0), "'trees'.*it is 0")
    expect_error(TreeGRNParam(features = -1), "'features'")
    expect_error(TreeGRNParam(features = "log"), "'features'.*sqrt")
    expect_error(TreeGRNParam(features = 2.5), "'features'.*whole")
    expect_error(TreeGRNParam(minLeaf = NA), "'minLeaf'")
    expect_error(TreeGRNParam(sampleSize = 1), "'sampleSize'")
    expect_error(TreeGRNParam(cut = "x"), "'cut'")
    expect_error(TreeGRNParam("boosting", response = "both"), "'response'")
    expect_error(TreeGRNParam("boosting", depth = 9), "'depth'.*1 to 6")
    expect_error(TreeGRNParam("boosting", rate = 0), "'rate'")
    expect_error(TreeGRNParam("boosting", subsample = 2), "'subsample'")
    expect_error(TreeGRNParam("boosting", window = -1), "'window'")
    expect_error(TreeGRNParam(byTrees = NA), "'byTrees'")
    expect_error(RidgeGRNParam(c(1, -1)), "'variance'")
    expect_error(CorGRNParam("kendall"), "'method'.*kendall")
    expect_error(CombinedGRNParam(list(RidgeGRNParam())), "'estimators'")
    expect_error(CombinedGRNParam(list(RidgeGRNParam(), 1)), "'estimators'")
    expect_error(CombinedGRNParam(weights = 1), "'weights'.*2 numbers")
    expect_error(CombinedGRNParam(weights = c(1, 0)), "'weights'")
    for (p in params) {
        expect_output(show(p), class(p))
    }
})

test_that("bad cells are refused", {
    x <- pooledCells()
    expect_error(infer(RidgeGRNParam(), x, cells = 1, nTargets = 2), "one cell")
    expect_error(
        inferGRN(x, RidgeGRNParam(), tfs = "NOPE", alreadyNormalised = TRUE),
        "transcription factor"
    )
    bad <- x
    bad[2, 3] <- NaN
    expect_error(infer(RidgeGRNParam(), bad), "finite")
    expect_error(infer(RidgeGRNParam(), x[, 0]), "empty")
    expect_error(infer(RidgeGRNParam(), x, nTargets = -1), "'nTargets'")
    expect_error(inferGRN(RidgeGRNParam(), x), "cells come first")
    expect_error(inferGRN(RidgeGRNParam()), "cells come first")
    old <- options(causeway.memoryLimit = 1000)
    on.exit(options(old))
    expect_error(infer(TreeGRNParam(), x), "memory")
    expect_error(infer(RidgeGRNParam(), x), "memory")
})

test_that("signs are asked for properly", {
    grn <- infer(RidgeGRNParam())
    expect_error(edgeSign(3), "'x'")
    expect_error(edgeSign(poolGRN(exampleGRN())), "no signs")
    expect_error(edgeSign(grn, 3), "'edges'")
    expect_error(edgeSign(grn, data.frame(Gene1 = "TF1", Gene2 = "ZZ")), "ZZ")
})

test_that("the default centres on states where that helps, and says so", {
    cells <- simulateCells(nCells = 800, nGenes = 100, nTFs = 10, seed = 4)
    edges <- do.call(rbind, strsplit(rownames(simulatedTruth(cells)), ">",
        fixed = TRUE
    ))
    reference <- data.frame(Gene1 = edges[, 1], Gene2 = edges[, 2])
    param <- CombinedGRNParam(list(TreeGRNParam(trees = 60), RidgeGRNParam()))
    grn <- function(...) inferGRN(cells, param, seed = 1, ...)
    ratio <- function(x) {
        as.data.frame(evaluateGRN(x, reference, "model", nBoot = 0))$auprcRatio
    }
    gated <- grn()
    never <- grn(centre = FALSE)
    expect_true(metadata(gated)$centring$centred)
    expect_gt(metadata(gated)$centring$states, 1)
    expect_gt(metadata(gated)$centring$gain, 5e-4)
    expect_false(metadata(never)$centring$centred)
    expect_gt(ratio(gated), 1.3 * ratio(never))
    expect_identical(as.matrix(grn(centre = TRUE)), as.matrix(gated))
    ## too few cells, and single estimators: not asked
    few <- inferGRN(cells[, 1:300], param, seed = 1)
    expect_false(metadata(few)$centring$centred)
    expect_false(metadata(inferGRN(cells, RidgeGRNParam()))$centring$centred)
    expect_error(grn(centre = NA), "'centre' must be TRUE or FALSE")
})

test_that("ranks keep zeros at zero on both sides of them", {
    column <- function(x) list(dim = c(5L, 1L), p = c(0L, sum(x != 0)),
        x = x[x != 0]
    )
    for (x in list(c(0, 2, 0, 5, 2), c(-1, 0, 3, 0, -4), c(-1, 2, 3, -5, 4))) {
        r <- causeway:::.rankColumns(column(x))
        want <- rank(x)
        if (any(x == 0)) want <- want - want[match(0, x)]
        expect_equal(r, want[x != 0])
    }
})
