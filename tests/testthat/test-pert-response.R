## Unpaired shifts: maps, scores, refusals.

test_that("a shift is learnt and tested on groups left out", {
    d <- treatedCells()
    r <- predictResponse(d$m, d$condition, "none", "drug", group = d$group,
        nComponents = 10, seed = 1)
    expect_true(verdict(r)$holds)
    expect_match(verdict(r)$text[[1L]], "doing nothing in 3 of 3 groups")
    expect_match(verdict(r)$text[[3L]], "^Beside moving all cells alike")
    s <- as.data.frame(r)
    of <- function(m, v) s[s$method == m, v]
    expect_equal(of("identity", "explained"), 0)
    for (m in c("mean shift", "local shift", "Gaussian transport")) {
        expect_gt(of(m, "explained"), 0.5)
        expect_lt(of(m, "energy"), of("identity", "energy"))
        expect_lt(of(m, "wasserstein"), of("identity", "wasserstein"))
        expect_lt(of(m, "mmd"), of("identity", "mmd"))
        expect_gte(of(m, "de"), 0.5)
    }
    expect_lt(of("floor", "energy"), of("local shift", "energy"))
    expect_identical(nrow(as.data.frame(r, "groups")), 18L)
    expect_identical(r, predictResponse(d$m, d$condition, "none", "drug",
        group = d$group, nComponents = 10, seed = 1))
})

test_that("groups never treated are the ones moved", {
    d <- treatedCells()
    keep <- !(d$group == "c" & d$condition == "drug")
    r <- predictResponse(d$m[, keep], d$condition[keep], "none", "drug",
        group = d$group[keep], nComponents = 10, seed = 1)
    expect_identical(as.list(r)$moved, "c")
    expect_identical(ncol(r@cells), 60L)
    expect_true(all(r@cells$group == "c"))
    genes <- as.data.frame(r, "genes")
    expect_gt(mean(genes$gene[1:10] %in% sprintf("G%02d", 1:10)), 0.8)
    one <- predictResponse(d$m, d$condition, "none", "drug", nComponents = 5,
        seed = 1)
    expect_identical(as.list(one)$method, "Gaussian transport")
})

test_that("what is left out decides neither genes nor scale nor components", {
    d <- treatedCells()
    out <- d$group == "c" & d$condition == "drug"
    changed <- d$m
    set.seed(4) # other genes, other depth
    changed[, out] <- 7 * d$m[sample(30), out] + c(90, rep(0, 29))
    seen <- function(m, group = d$group, at = "c") {
        job <- list(nTargets = 12, minCells = 20, nComponents = 5,
            key = c(1, 2), threads = 1L)
        cells <- .responseCells(.readCells(m), d$condition, "none", "drug",
            group, NULL, job)
        f <- cells$folds[[at]]
        mine <- .withGenes(cells, f$columns)
        mine$x <- mine$x[f$view, ]
        list(f = f, mine = mine[c("x", "genes")], rest = cells$whole,
            axes = .responseAxes(mine, seq_len(nrow(mine$x)), 5)$axes)
    }
    a <- seen(d$m)
    b <- seen(changed)
    expect_identical(sum(a$f$hold), 60L)
    expect_length(a$mine$genes, 12L)
    expect_identical(b$mine, a$mine)
    expect_identical(b$axes, a$axes)
    ## of all cells they are others
    expect_false(identical(b$rest, a$rest))
    ## one group: half of its cells is left out
    held <- seen(d$m, NULL, "all")$f$hold
    changed <- d$m
    changed[, held] <- 7 * d$m[sample(30), held]
    expect_identical(seen(changed, NULL, "all")$mine,
        seen(d$m, NULL, "all")$mine)
})

test_that("what can't be predicted is refused", {
    d <- treatedCells()
    p <- function(...) predictResponse(d$m, d$condition, ...)
    expect_error(p("none"), "'level' is missing")
    expect_error(p("none", "other"), "level.*drug")
    expect_error(p("none", "none"), "same as 'ref'")
    expect_error(p("none", "drug", method = "cellot"), "method")
    expect_error(p("none", "drug", method = c("scGen", "scGen")), "twice")
    expect_error(p("none", "drug", method = list("scGen", 3)), "method")
    expect_error(p("none", "drug", nBoot = 1), "nBoot")
    expect_error(predictResponse(d$m, rep(c("none", "drug"), c(357, 3)),
        "none", "drug"), "no group")
    expect_error(predictResponse(d$m, rep(NA, ncol(d$m)), "none", "drug"),
        "'condition' is missing for all")
})
