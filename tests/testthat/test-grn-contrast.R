## Differences between groups: against sums written out, and on data without a
## difference.

example <- exampleGRN()
cells <- contrastCells()
states <- contrastStates()

test_that("effects are differences of the groups' mean networks", {
    for (grn in list(example, states)) {
        group <- if (is(grn, "StateGRN")) {
            ifelse(grn$context == "context1", "late", "early")
        } else {
            grn$group
        }
        got <- contrastGRN(grn, group, top = 30, nPerm = 40, seed = 1)
        edges <- frame(got, "edges")
        pools <- lapply(poolGRN(grn, group = group), as.matrix)
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

test_that("permuted labels find nothing, real groups do", {
    real <- contrastGRN(states, "context", level = "context1", nPerm = 60,
        seed = 1
    )
    f <- real@facts
    expect_gt(f$edges$found, 50)
    expect_lt(f$edges$p, 0.05)
    expect_output(show(real), "edges differ at q < 0.05")
    set.seed(5)
    p <- unlist(lapply(1:8, function(i) {
        null <- contrastGRN(states, sample(cells$context == "context1"),
            nPerm = 40, top = 200
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
    expect_match(verdict(got)$text, "all cells have the same", all = FALSE)
    expect_false(verdict(got)$holds)
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

test_that("seeds", {
    go <- function(...) contrastGRN(example, "group", nPerm = 30, ...)
    expect_identical(go(seed = 2), go(seed = 2))
    set.seed(9)
    a <- go()
    set.seed(9)
    expect_identical(go(), a)
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
    expect_error(go("group", nPerm = 5), "'nPerm' must be")
    expect_error(go("group", top = 0), "'top' must be")
    expect_error(go("group", by = "cells"), "'by' must be")
    expect_error(go("group", signed = TRUE), "'signed' is TRUE")
    expect_error(go("group", lvl = "late"), "lvl")
    expect_error(go("group", block = "donor"), "'block' is \"donor\"")
    expect_error(go("group", block = example$group), "at least two, better")
    only <- contrastGRN(example, "group", by = "edges", seed = 1)
    expect_error(frame(only, "regulators"), "'which' must be")
    expect_identical(as.data.frame(only, "edges"), frame(only, "edges"))
    expect_error(plotContrast(1), "'x' must be")
    expect_error(plotContrast(only, "regulators"), "'which' must be")
})

test_that("networks in a file give what those in memory give", {
    file <- tempfile(fileext = ".h5")
    saveGRN(example, file)
    stored <- loadGRN(file)
    expect_false(is.list(stored@factors))
    a <- contrastGRN(example, "group", top = 20, nPerm = 20, seed = 1)
    b <- contrastGRN(stored, "group", top = 20, nPerm = 20, seed = 1)
    expect_equal(frame(b, "edges"), frame(a, "edges"))
    expect_equal(frame(b, "regulators"), frame(a, "regulators"))
    expect_equal(plotEdge(stored, "MYOG", "CKM")$data,
        plotEdge(example, "MYOG", "CKM")$data
    )
    unlink(file)
})
