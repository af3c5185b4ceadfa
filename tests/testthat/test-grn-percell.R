## Networks per cell state: the estimator and the verdict.

switchers <- simulateCells(nCells = 700, nGenes = 90, nTFs = 9, seed = 4)
fitted <- inferGRN(switchers, PerCellGRNParam(nPerm = 3), seed = 1,
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
    v <- verdict(fitted)
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
        rho = 0.1, nPerm = 1
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
    expect_true(verdict(grn)$distinguishable)
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
    one <- inferGRN(plain, PerCellGRNParam(nPerm = 3), seed = 1,
        verbose = FALSE
    )
    expect_false(verdict(one)$distinguishable)
    expect_match(capture.output(show(one))[[1L]], "not distinguishable")
    expect_equal(cellNetwork(one, 1), cellNetwork(one, 600))
    expect_equal(unname(cellNetwork(one, 1)), abs(one@pooled))
    expect_true(all(switchingEdges(one)$switching == 0))
    set.seed(1)
    null <- inferGRN(switchers, PerCellGRNParam(
        states = sample(switchers$context), nPerm = 3
    ), seed = 1, verbose = FALSE)
    expect_false(verdict(null)$distinguishable)
    few <- inferGRN(switchers[, 1:60], PerCellGRNParam(nPerm = 1),
        seed = 1, verbose = FALSE
    )
    expect_false(verdict(few)$distinguishable)
    expect_match(verdict(few)$reason, "too few")
})

test_that("seeds and threads", {
    again <- function(...) {
        inferGRN(switchers, PerCellGRNParam(nPerm = 3),
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
        nPerm = 1
    ), seed = 1, verbose = FALSE)
    expect_identical(ncol(memberships(grn)), 4L)
    given <- inferGRN(switchers, PerCellGRNParam(states = "context",
        nPerm = 1
    ), seed = 1, verbose = FALSE)
    expect_identical(colnames(memberships(given)),
        sort(unique(switchers$context))
    )
    expect_equal(dim(cellNetwork(given, state = "context2")), c(9L, 90L))
    expect_error(cellNetwork(given, state = "context9"),
        "'state' must be one of"
    )
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
    ), "'tfs' names no gene of 'x': none")
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
    expect_error(inferGRN(cells, PerCellGRNParam(nPerm = 1)),
        "networks per state need about .* use fewer"
    )
    options(old)
    grn <- inferGRN(cells, PerCellGRNParam(nPerm = 1), nTargets = Inf,
        seed = 1
    )
    expect_length(geneNames(grn), 60)
})

test_that("states that are given keep their names, distinguishable or not", {
    plain <- simulateCells(nCells = 600, nGenes = 85, nTFs = 8,
        switching = 0, off = 0, tfSpread = 0, geneSpread = 0,
        trajectory = "discrete", seed = 2
    )
    label <- rep(c("B", "CD4 T", "NK"), 200)
    for (centre in list(NULL, FALSE)) {
        grn <- inferGRN(plain, PerCellGRNParam(states = label, nPerm = 2,
            centre = centre
        ), seed = 1, verbose = FALSE)
        expect_identical(colnames(memberships(grn)), c("B", "CD4 T", "NK"))
        expect_equal(unname(memberships(grn)[, "NK"]), (label == "NK") + 0)
        b <- cellNetwork(grn, state = "B")
        expect_identical(b, cellNetwork(grn, state = 1))
        expect_equal(unname(b), abs(grn@pooled))
        expect_equal(b, cellNetwork(grn, 2))
        v <- verdict(grn)
        expect_false(v$holds)
        expect_match(v$text, "not distinguishable")
        expect_match(v$help, "keep their names; all have the pooled network")
        expect_match(v$help, "cells = which\\(group")
        expect_output(show(grn), "keep their names")
    }
    ## permuted states that gain more are explained
    v <- list(distinguishable = FALSE, reason = "permuted states do as well",
        gain = 3.25, nullGain = c(9, 12.5), labelled = FALSE
    )
    expect_match(.verdictHelp(v), "gain 3.2 nats, permuted ones up to 12.5")
    expect_match(.verdictHelp(v), "spans all cells")
    v$gain <- -1
    v$nullGain <- -2
    expect_false(grepl("spans all cells", .verdictHelp(v)))
    expect_identical(.verdictHelp(list(distinguishable = TRUE)), "")
})

test_that("a long call says what it does unless verbose is FALSE", {
    p <- PerCellGRNParam(states = "context", nPerm = 1)
    cells <- switchers[, 1:120]
    expect_message(inferGRN(cells, p, seed = 1),
        "9 TFs x 90 genes, 120 cells, 4 states, 1 permutation; about .* or less"
    )
    expect_silent(inferGRN(cells, p, seed = 1, verbose = FALSE))
})

test_that("names that arguments had before are refused", {
    expect_error(PerCellGRNParam(permutations = 3), "now called 'nPerm'")
    expect_error(RidgeGRNParam(nulls = 3), "now called 'nPerm'")
    expect_error(poolGRN(fitted, groups = "context"), "now called 'group'")
    expect_error(edgeTable(fitted, 1, top = 3, sign = TRUE), "called 'signed'")
    expect_error(stateVerdict(fitted), "verdict\\(x\\)")
    expect_s4_class(PerCellGRNParam(), "GRNParam")
})
