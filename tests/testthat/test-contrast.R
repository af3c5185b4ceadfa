## Differences between groups: against sums written out, and on data without a
## difference.

example <- exampleGRN()
cells <- simulateCells(nCells = 400, nGenes = 90, nTFs = 8, seed = 3)
states <- inferGRN(cells, PerCellGRNParam(states = "context",
    permutations = 3, centre = TRUE
), seed = 1, verbose = FALSE)
frame <- function(x, which) as.data.frame(x, which = which)

test_that("effects are differences of the groups' mean networks", {
    for (grn in list(example, states)) {
        group <- if (is(grn, "StateGRN")) {
            ifelse(grn$context == "context1", "late", "early")
        } else {
            grn$group
        }
        got <- contrastGRN(grn, group, top = 30, n = 40, seed = 1)
        edges <- frame(got, "edges")
        pools <- lapply(poolGRN(grn, groups = group), as.matrix)
        at <- cbind(edges$Gene1, edges$Gene2)
        ## scores of a CellGRN have single precision
        expect_equal(edges$ref, pools$early[at], tolerance = 1e-6)
        expect_equal(edges$level, pools$late[at], tolerance = 1e-6)
        expect_equal(edges$effect, (pools$late - pools$early)[at],
            tolerance = 1e-6
        )
        ## tested: the top of either group, no self edges
        tops <- lapply(pools, function(p) {
            edgeTable(PooledGRN(p), top = 30, self = FALSE)[1:2]
        })
        want <- unique(do.call(rbind, tops))
        expect_setequal(paste(edges$Gene1, edges$Gene2),
            paste(want$Gene1, want$Gene2)
        )
        ## z: over the standard deviation of all permutations
        score <- vapply(seq_along(cellNames(grn)), function(c) {
            cellNetwork(grn, c)[at]
        }, numeric(nrow(at)))
        late <- group == "late"
        s <- apply(score, 1L, stats::var)
        z <- edges$effect / sqrt(s * (1 / sum(late) + 1 / sum(!late)))
        vary <- s > 1e-12
        expect_equal(edges$z[vary], z[vary], tolerance = 1e-6)
        se <- sqrt(apply(score[, late], 1L, stats::var) / sum(late) +
            apply(score[, !late], 1L, stats::var) / sum(!late))
        expect_equal(edges$high - edges$effect, stats::qnorm(0.975) * se,
            tolerance = 1e-5
        )
        expect_equal(edges$q, p.adjust(edges$p, "BH"))
    }
})

test_that("the sign of an effect follows who is the reference", {
    a <- frame(contrastGRN(example, "group", ref = "early", level = "late",
        seed = 1, top = 20
    ), "edges")
    b <- frame(contrastGRN(example, "group", ref = "late", level = "early",
        seed = 1, top = 20
    ), "edges")
    b <- b[match(paste(a$Gene1, a$Gene2), paste(b$Gene1, b$Gene2)), ]
    expect_equal(a$effect, -b$effect)
    expect_equal(a$low, -b$high)
    expect_true(any(a$effect > 0) && any(a$effect < 0))
})

test_that("the analytic null is that of permuted labels", {
    y <- rep(c(TRUE, FALSE, TRUE, FALSE), c(6, 9, 4, 5))
    b <- rep(1:2, c(15, 9))
    key <- .newKey(4)
    labels <- .permutedLabels(y, b, 3000L, key)
    ## every labelling keeps the counts of each block
    expect_true(all(colSums(labels[b == 1, ]) == 6))
    expect_true(all(colSums(labels[b == 2, ]) == 4))
    design <- .contrastWeights(labels, y, b)
    design$mean <- NULL
    v <- rbind(sin(1:24), 10 + (1:24)^2 / 100 + 5 * (b == 2))
    sums <- .contrastSums(function(i) v[, i, drop = FALSE], 24L, 1:24, design)
    effect <- vapply(1:2, function(r) {
        d <- vapply(1:2, function(k) {
            mean(v[r, b == k & y]) - mean(v[r, b == k & !y])
        }, 0)
        stats::weighted.mean(d, c(6 * 9 / 15, 4 * 5 / 9))
    }, 0)
    expect_equal(sums$effect[, 1L], effect)
    test <- .contrastTest(sums, design)
    z <- sums$effect[, -1L] / (test$table$effect / test$table$z)
    expect_equal(rowMeans(z), c(0, 0), tolerance = 0.06)
    expect_equal(apply(z, 1L, stats::sd), c(1, 1), tolerance = 0.05)
})

test_that("few units are permuted in every way, once", {
    y <- c(TRUE, TRUE, FALSE, FALSE, FALSE)
    labels <- .permutedLabels(y, rep(1L, 5), 100L, .newKey(1))
    expect_identical(ncol(labels), 10L)
    expect_identical(labels[, 1L], y)
    expect_false(anyDuplicated(t(labels)) > 0)
})

test_that("permuted labels find nothing, real groups do", {
    real <- contrastGRN(states, "context", level = "context1", n = 60,
        seed = 1
    )
    f <- real@facts
    expect_gt(f$edges$found, 50)
    expect_lt(f$edges$p, 0.05)
    expect_output(show(real), "edges differ at q < 0.05")
    set.seed(5)
    p <- unlist(lapply(1:8, function(i) {
        null <- contrastGRN(states, sample(cells$context == "context1"),
            n = 40, top = 200
        )
        expect_lt(null@facts$edges$found, f$edges$found / 2)
        regulators <- frame(null, "regulators")
        c(mean(regulators$p < 0.2), mean(regulators$pSets < 0.2))
    }))
    expect_lt(mean(p), 0.4)
})

test_that("equal networks differ in no edge", {
    flat <- states
    flat@slope[] <- flat@pooled
    flat@sd[] <- 1
    flat@verdict$distinguishable <- FALSE
    got <- contrastGRN(flat, "context", level = "context1", seed = 1)
    edges <- frame(got, "edges")
    expect_true(all(edges$effect == 0 & edges$p == 1))
    expect_output(show(got), "differ no more than under permuted labels")
    expect_output(show(got), "all cells have the same")
})

test_that("regulators: activity, strength and the TF's own expression", {
    group <- example$group
    r <- frame(contrastGRN(example, group, seed = 1, targets = 10),
        "regulators")
    activity <- regulonActivity(example, top = 10)
    by <- function(m) {
        rowMeans(m[, group == "late"]) - rowMeans(m[, group == "early"])
    }
    expect_equal(r$effect, unname(by(activity)[r$TF]))
    strength <- regulonActivity(example, "strength")
    expect_equal(r$strength, unname(by(strength)[r$TF]))
    z <- t(scale(t(as.matrix(example@expression))))
    rownames(z) <- geneNames(example)
    expect_equal(r$expression, unname(by(z)[r$TF]), tolerance = 1e-6)
    expect_true(all(r$pSets > 0 & r$pSets <= 1))
})

test_that("with signs repressed targets count negatively", {
    top <- 7
    got <- regulonActivity(states, top = top)
    tf <- tfNames(states)[[3L]]
    s <- cellNetwork(states, 11, signed = TRUE)[tf, ]
    s[[tf]] <- 0
    expect_true(any(s < 0) && any(s > 0))
    best <- order(-abs(s))[seq_len(top)]
    z <- scale(t(as.matrix(states@expression)))
    expect_equal(got[tf, 11], sum(s[best] * z[11, best]) / sum(abs(s[best])))
    plain <- contrastGRN(states, "context", level = "context2", seed = 1,
        signed = FALSE, by = "regulators"
    )
    signed <- contrastGRN(states, "context", level = "context2", seed = 1,
        by = "regulators"
    )
    expect_true(signed@facts$signed)
    expect_false(isTRUE(all.equal(frame(plain, "regulators")$effect,
        frame(signed, "regulators")$effect
    )))
})

test_that("blocks: within them, or whole", {
    donor <- rep(c("a", "b", "c", "d", "e"), 8)
    within <- contrastGRN(example, "group", block = donor, seed = 1)
    expect_match(within@facts$permuted, "cells within 5 blocks")
    ## a block of one group is left out
    alone <- ifelse(seq_along(donor) <= 3, "first", donor)
    expect_message(got <- contrastGRN(example, "group", block = alone,
        seed = 1
    ), "3 cells of blocks with one group")
    expect_match(got@facts$permuted, "within 5 blocks")
    whole <- rep(c("a", "b", "c", "d", "e", "f"), c(7, 7, 6, 7, 7, 6))
    got <- contrastGRN(example, "group", block = whole, top = 20, seed = 1)
    expect_match(got@facts$permuted, "whole blocks, 6")
    expect_identical(got@facts$n, 19L)
    expect_identical(got@facts$units, c(3L, 3L))
    expect_gte(got@facts$edges$p, 1 / 20)
    edges <- frame(got, "edges")
    at <- cbind(edges$Gene1, edges$Gene2)
    means <- vapply(poolGRN(example, groups = whole), function(p) {
        as.matrix(p)[at]
    }, numeric(nrow(at)))
    expect_equal(edges$effect,
        rowMeans(means[, 4:6]) - rowMeans(means[, 1:3]), tolerance = 1e-6
    )
})

test_that("seeds", {
    go <- function(...) contrastGRN(example, "group", n = 30, ...)
    expect_identical(go(seed = 2), go(seed = 2))
    set.seed(9)
    a <- go()
    set.seed(9)
    expect_identical(go(), a)
})

test_that("groups and levels", {
    three <- rep(c(0, 24, 72), c(10, 10, 20))
    got <- contrastGRN(example, three, level = 72, ref = 0, seed = 1)
    expect_identical(got@facts[c("level", "ref")],
        list(level = "72", ref = "0")
    )
    expect_identical(got@facts$nLevel + got@facts$nRef, 30L)
    rest <- contrastGRN(example, three, level = 72, seed = 1)
    expect_identical(rest@facts$ref, "all others")
    expect_identical(rest@facts$nRef, 20L)
    two <- factor(rep(c("x", "y"), 20), levels = c("y", "x"))
    expect_identical(contrastGRN(example, two, seed = 1)@facts$ref, "y")
    expect_identical(contrastGRN(example, two, ref = "x",
        seed = 1)@facts$level, "y")
    three[1:4] <- NA
    expect_message(contrastGRN(example, three, level = 72, seed = 1),
        "4 cells without a group"
    )
})

test_that("bad input is named", {
    go <- function(...) contrastGRN(example, ...)
    expect_error(go(), "'group' is missing")
    expect_error(go("nothing"), "'group' is \"nothing\"")
    expect_error(go(1:3), "'group' must have a value per cell")
    expect_error(go(rep("a", 40)), "'group' has 1 value")
    three <- rep(1:3, c(10, 10, 20))
    expect_error(go(three), "'level' is needed")
    expect_error(go(three, level = 7), "'level' must be one value")
    expect_error(go(three, ref = 1), "'level' is needed")
    expect_error(go(three, ref = 1, level = 1), "both 1")
    expect_error(go(rep(1:2, c(1, 39))), "at least two")
    expect_error(go("group", n = 5), "'n' must be")
    expect_error(go("group", top = 0), "'top' must be")
    expect_error(go("group", by = "cells"), "'by' must be")
    expect_error(go("group", signed = TRUE), "'signed' is TRUE")
    expect_error(go("group", lvl = "late"), "lvl")
    expect_error(go("group", block = "donor"), "'block' is \"donor\"")
    expect_error(go("group", block = example$group), "at least two, better")
    only <- contrastGRN(example, "group", by = "edges", seed = 1)
    expect_error(frame(only, "regulators"), "not asked for")
    expect_identical(as.data.frame(only, "edges"), frame(only, "edges"))
    expect_error(plotContrast(1), "'x' must be")
    expect_error(plotContrast(only, "regulators"), "not asked for")
})

test_that("plots", {
    got <- contrastGRN(states, "context", level = "context1", seed = 1)
    for (p in list(plotContrast(got, n = 5), plotContrast(got, "edges"),
        plotContrast(got, measure = "strength"),
        plotContrast(got, "edges", tfs = tfNames(states)[[1L]]))) {
        expect_s3_class(p, "ggplot")
        expect_silent(ggplot2::ggplot_build(p))
    }
    expect_identical(nrow(plotContrast(got, n = 5)$data), 5L)
    expect_error(plotContrast(got, tfs = "NONE"), "'tfs' has names")
})

test_that("networks in a file give what those in memory give", {
    file <- tempfile(fileext = ".h5")
    saveGRN(example, file)
    stored <- loadGRN(file)
    expect_false(is.list(stored@factors))
    a <- contrastGRN(example, "group", top = 20, n = 20, seed = 1)
    b <- contrastGRN(stored, "group", top = 20, n = 20, seed = 1)
    expect_equal(frame(b, "edges"), frame(a, "edges"))
    expect_equal(frame(b, "regulators"), frame(a, "regulators"))
    expect_equal(plotEdge(stored, "MYOG", "CKM")$data,
        plotEdge(example, "MYOG", "CKM")$data
    )
    unlink(file)
})

test_that("the noise of slopes is that of the ridge", {
    design <- .contrastDesign(states, .contrastGroups(states, "context",
        "context1", "context2"), NULL, 20L, .newKey(1))
    at <- cbind(c(1L, 3L, 5L), c(20L, 40L, 60L))
    got <- .slopeNoiseP(states, design, at)
    v <- stateVerdict(states)
    skip_if_not(v$distinguishable)
    ## the definition: features, prior, the covariance of the estimate
    w <- memberships(states)
    x <- .fittedValues(states, match(tfNames(states), geneNames(states)))
    f <- do.call(cbind, c(list(x), lapply(seq_len(ncol(w)), function(k) {
        x * w[, k]
    })))
    prior <- rep(v$a * c(1, v$rho), c(8, 8 * ncol(w)))
    one <- colMeans(w[states$context == "context2", ])
    two <- colMeans(w[states$context == "context1", ])
    for (r in 1:3) {
        t <- at[r, 1L]
        g <- at[r, 2L]
        noise <- .slopeResiduals(states, x, g)
        m <- solve(crossprod(f) / noise + diag(1 / prior))
        cov <- m %*% (crossprod(f) / noise) %*% m
        sd <- sqrt(states@sd[t, ]^2 %*% cbind(one, two))
        contrast <- numeric(ncol(f))
        contrast[t + 8 * (0:ncol(w))] <- c(sd[[1L]] - sd[[2L]],
            sd[[1L]] * one - sd[[2L]] * two)
        d <- sum(states@slope[t, g, ] * one) * sd[[1L]] -
            sum(states@slope[t, g, ] * two) * sd[[2L]]
        z <- abs(d) / sqrt(as.vector(contrast %*% cov %*% contrast))
        expect_equal(got[[r]], 2 * pnorm(-z), tolerance = 1e-5)
    }
    ## the slopes are this ridge's: residuals fit
    g <- 30L
    b <- solve(crossprod(f) / 0.8 + diag(1 / prior),
        crossprod(f, .fittedValues(states, g)) / 0.8
    )
    expect_equal(.slopeResiduals(states, x, g), mean((.fittedValues(states,
        g) - f %*% b)^2), tolerance = 0.05)
})

test_that("noise of slopes: where it can't be had it isn't given", {
    all <- frame(contrastGRN(states, "context", level = "context1", n = 19,
        seed = 1, by = "edges"), "edges")
    expect_true(all(all$pNoise > 0 & all$pNoise <= 1))
    expect_false(is.unsorted(pmax(all$p, all$pNoise)))
    part <- frame(contrastGRN(states[1:300], "context", level = "context1",
        n = 19, seed = 1, by = "edges"), "edges")
    expect_null(part$pNoise)
    expect_null(frame(contrastGRN(example, "group", seed = 1,
        by = "edges"), "edges")$pNoise)
})
