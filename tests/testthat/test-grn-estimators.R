## Estimators against their definitions.

test_that("tree scores of a gene add up to 1, by trees to their number", {
    for (p in list(TreeGRNParam(trees = 20), TreeGRNParam("boosting"))) {
        grn <- infer(p, seed = 2, reliability = FALSE)
        sums <- colSums(as.matrix(grn))
        expect_equal(unname(sums), c(rep(1, 9), 0), tolerance = 1e-9)
        p@settings$byTrees <- TRUE
        by <- infer(p, seed = 2, reliability = FALSE)
        trees <- metadata(by)$targets$trees
        expect_equal(unname(colSums(as.matrix(by))),
            trees * c(rep(1, 9), 0), tolerance = 1e-9
        )
    }
    targets <- metadata(infer(TreeGRNParam("boosting"), seed = 2))$targets
    ## .67 to .75 over eight seeds
    expect_true(targets$r2[[6]] > 0.6 && all(targets$trees[-10] >= 25))
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
    scores <- function(x) {
        as.matrix(infer(p, x, seed = 1, reliability = FALSE))
    }
    expect_equal(scores(x^1.3), scores(x))
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
