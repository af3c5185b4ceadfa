## Networks per cell state: the estimator and the verdict.

switchers <- simulateCells(nCells = 700, nGenes = 90, nTFs = 9, seed = 4)
fitted <- inferGRN(switchers, PerCellGRNParam(permutations = 3), seed = 1,
    verbose = FALSE
)

## Mean AUPRC ratio over some cells of their own and of the pooled network.
evaluateCells <- function(grn, pooled) {
    precision <- function(y, score) {
        y <- y[order(-score)]
        mean((cumsum(y) / seq_along(y))[y]) / mean(y)
    }
    keep <- outer(tfNames(grn), geneNames(grn), "!=")
    at <- seq(1L, length(grn), by = 23L)
    each <- vapply(at, function(c) {
        y <- simulatedTruth(switchers, c)[tfNames(grn), geneNames(grn)]
        c(own = precision(y[keep], cellNetwork(grn, c)[keep]),
            pooled = precision(y[keep], pooled[keep])
        )
    }, numeric(2))
    rowMeans(each)
}

test_that("switching edges are seen, and the verdict comes first", {
    v <- stateVerdict(fitted)
    expect_true(v$distinguishable)
    expect_true(v$centred)
    expect_gt(v$gain, 3 * max(v$nullGain, 1))
    expect_match(capture.output(show(fitted))[[1L]],
        "^Per-cell variation is distinguishable from the pooled network"
    )
    expect_equal(rowSums(memberships(fitted)), setNames(rep(1, 700),
        cellNames(fitted)
    ), tolerance = 1e-6)
    ## better than the pooled network in the cells themselves
    found <- evaluateCells(fitted, abs(fitted@pooled))
    expect_gt(found[["own"]], 1.05 * found[["pooled"]])
    expect_gt(found[["own"]], 3)
})

test_that("the slopes are the ridge's", {
    ## given states, never centred: the definition in a few lines of R
    p <- PerCellGRNParam(states = "context", centre = FALSE, a = 0.01,
        rho = 0.1, permutations = 1
    )
    grn <- inferGRN(switchers, p, seed = 1, verbose = FALSE)
    z <- t(as.matrix(grn@expression))
    z <- sweep(z, 2L, colMeans(z))
    z <- sweep(z, 2L, sqrt(colMeans(z^2)), "/")
    g <- 50L
    x <- z[, match(tfNames(grn), geneNames(grn))]
    fit <- function(f, prior) {
        s <- 0.8
        for (step in 1:2) {
            b <- solve(crossprod(f) / s + diag(1 / prior),
                crossprod(f, z[, g]) / s
            )
            if (step == 1L) {
                s <- max(1e-3, mean((z[, g] - f %*% b)^2))
            }
        }
        as.vector(b)
    }
    expect_equal(grn@pooled[, g], fit(x, rep(0.01, 9)), tolerance = 1e-4)
    skip_if_not(stateVerdict(grn)$distinguishable)
    w <- memberships(grn)
    f <- do.call(cbind, c(list(x), lapply(seq_len(ncol(w)), function(k) {
        x * w[, k]
    })))
    b <- matrix(fit(f, rep(c(0.01, 0.001), c(9, 9 * ncol(w)))), 9)
    expect_equal(unname(grn@slope[, g, ]), b[, 1L] + b[, -1L],
        tolerance = 1e-4
    )
})

test_that("one cell type, and permuted states, give the pooled network", {
    plain <- simulateCells(nCells = 600, nGenes = 85, nTFs = 8,
        switching = 0, off = 0, tfSpread = 0, geneSpread = 0,
        trajectory = "discrete", seed = 2
    )
    one <- inferGRN(plain, PerCellGRNParam(permutations = 3), seed = 1,
        verbose = FALSE
    )
    expect_false(stateVerdict(one)$distinguishable)
    expect_match(capture.output(show(one))[[1L]], "not distinguishable")
    expect_equal(cellNetwork(one, 1), cellNetwork(one, 600))
    expect_equal(unname(cellNetwork(one, 1)), abs(one@pooled))
    expect_true(all(switchingEdges(one)$switching == 0))
    set.seed(1)
    null <- inferGRN(switchers, PerCellGRNParam(
        states = sample(switchers$context), permutations = 3
    ), seed = 1, verbose = FALSE)
    expect_false(stateVerdict(null)$distinguishable)
    few <- inferGRN(switchers[, 1:60], PerCellGRNParam(permutations = 1),
        seed = 1, verbose = FALSE
    )
    expect_false(stateVerdict(few)$distinguishable)
    expect_match(stateVerdict(few)$reason, "too few")
})

test_that("seeds and threads", {
    again <- function(...) {
        inferGRN(switchers, PerCellGRNParam(permutations = 3),
            verbose = FALSE, ...
        )
    }
    expect_identical(again(seed = 1, threads = 1)@slope, fitted@slope)
    expect_identical(again(seed = 1, threads = 2)@verdict, fitted@verdict)
    set.seed(3)
    a <- again()
    set.seed(3)
    expect_identical(again(), a)
})

test_that("states and coordinates can be given", {
    point <- cbind(rnorm(700, as.integer(factor(switchers$context)), 0.1), 0)
    grn <- inferGRN(switchers, PerCellGRNParam(embedding = point,
        permutations = 1
    ), seed = 1, verbose = FALSE)
    expect_identical(ncol(memberships(grn)), 4L)
    given <- inferGRN(switchers, PerCellGRNParam(states = "context",
        permutations = 1
    ), seed = 1, verbose = FALSE)
    expect_identical(colnames(memberships(given)),
        sort(unique(switchers$context))
    )
    expect_equal(dim(stateNetwork(given, "context2")), c(9L, 90L))
    expect_error(stateNetwork(given, "context9"), "'state' must be one of")
})

test_that("bad input is named", {
    expect_error(PerCellGRNParam(nStates = 1), "'nStates' must be")
    expect_error(PerCellGRNParam(rho = 0), "'rho' must be")
    expect_error(PerCellGRNParam(gate = c(cells = 1)), "'gate' must be")
    expect_error(PerCellGRNParam(states = 1, embedding = 2), "together")
    go <- function(...) {
        inferGRN(switchers, PerCellGRNParam(...), verbose = FALSE)
    }
    expect_error(go(states = "type"), "'states' is \"type\"")
    expect_error(go(states = 1:3), "'states' must have a label per cell")
    expect_error(go(embedding = "PCA"), "'embedding' is \"PCA\"")
    expect_error(go(embedding = matrix(1, 3, 2)), "'embedding' must be finite")
    expect_error(inferGRN(switchers[, 1:3], PerCellGRNParam(nStates = 5),
        verbose = FALSE
    ), "too few")
    expect_error(inferGRN(switchers, PerCellGRNParam(), tfs = "none",
        verbose = FALSE
    ), "no transcription factor")
    expect_error(edgeTable(fitted, 1, topp = 3), "topp")
    expect_error(fitted[1, 2], "'j' can't be used")
    expect_error(fitted[c(1, 1)], "twice")
    expect_error(switchingEdges(exampleGRN()), "'x' must be a StateGRN")
})

test_that("the prior shrinks with the number of TFs", {
    expect_identical(.priorGrid(NULL, 24L), c(0.001, 0.003, 0.01))
    expect_equal(min(.priorGrid(NULL, 240L)), 1e-4)
    expect_equal(max(.priorGrid(NULL, 240L)), 0.01)
    expect_identical(.priorGrid(0.5, 240L), 0.5)
    expect_output(show(PerCellGRNParam()), "by the number of TFs")
})

test_that("what can't fit is refused before it starts, all genes can be read", {
    cells <- simulateCells(nCells = 300, nGenes = 60, nTFs = 6, seed = 9)
    old <- options(causeway.memoryLimit = 1e5)
    on.exit(options(old))
    expect_error(inferGRN(cells, PerCellGRNParam(permutations = 1)),
        "networks per state need about .* use fewer"
    )
    options(old)
    grn <- inferGRN(cells, PerCellGRNParam(permutations = 1), nTargets = Inf,
        seed = 1
    )
    expect_length(geneNames(grn), 60)
})
