popularSet <- function() {
    set.seed(2)
    use <- matrix(TRUE, 8, 30)
    use[cbind(1:8, 1:8)] <- FALSE
    known <- matrix(runif(240), 8) < outer(seq(0.5, 0.05, length.out = 8),
        seq(1, 0.2, length.out = 30)) & use
    list(tfs = letters[1:8], use = as.vector(use),
        positive = as.vector(known)[as.vector(use)], known = known)
}

test_that("the null keeps degrees, and popularity alone gains nothing", {
    set <- popularSet()
    p <- matrix(.Call(cw_r_null_degrees, as.raw(set$use), as.raw(set$known), 8,
        1L
    ), 8)
    expect_equal(rowSums(p), rowSums(set$known), tolerance = 1e-3)
    expect_equal(colSums(p), colSums(set$known), tolerance = 1e-3)
    expect_identical(diag(p[, 1:8]), numeric(8))
    scores <- list(model = set$positive + 0, popular = as.vector(p)[set$use])
    got <- .popularity(scores, set, 1L, top = c(10, 40))
    expect_identical(got$method, rep(c("model", "popular"), each = 2))
    expect_identical(got$known[1:2], c(10, min(40, sum(set$known))))
    expect_true(all(got$z[1:2] > 2) && all(abs(got$z[3:4]) < 2))
    at <- order(-scores$popular)[1:40]
    expect_equal(got$expected[[4]], sum(as.vector(p)[set$use][at]))
    expect_lt(abs(log(got$auprcOverDegree[[3]])), 0.7)
})

test_that("evaluations and summaries tell it", {
    cells <- simulateCells(nCells = 200, nGenes = 40, nTFs = 6, seed = 1)
    grn <- inferGRN(cells, CorGRNParam(), verbose = FALSE)
    truth <- S4Vectors::metadata(cells)$simulation$edges
    e <- evaluateGRN(grn, truth, "model", nBoot = 0)
    rows <- as.data.frame(e, which = "popularity")
    expect_identical(unique(rows$method), "model")
    expect_match(paste(verdict(e)$text, collapse = " "),
        "expected from the popularity of factors and genes alone"
    )
    expect_output(print(e), "expected from popularity alone")
    x <- log1p(as.matrix(SummarizedExperiment::assay(cells, "counts")))
    s <- summary(grn, expression = x, reference = truth,
        group = rep(c("a", "b"), 100)
    )
    expect_identical(as.list(s)$popularity$known[[1]], rows$known[[1]])
    expect_true(as.list(s)$within < 1)
    expect_output(print(s), "in cells held out")
    expect_error(summary(grn, group = 1:3), "'group' must have a label")
})

test_that("what factors explain within groups is that of cells held out", {
    set.seed(5)
    n <- 400
    group <- rep(c("a", "b"), each = n / 2)
    tf <- matrix(rnorm(3 * n), 3)
    own <- tf[c(1, 2, 3, 1), ] + matrix(rnorm(4 * n), 4)
    expect_gt(.withinExplained(rbind(tf, own), 1:3, group, c(0, 1), 1L), 0.35)
    ## groups differ, nothing within them
    shift <- 3 * (group == "a")
    null <- rbind(tf, matrix(rnorm(4 * n), 4)) + rep(shift, each = 7)
    expect_lt(.withinExplained(null, 1:3, group, c(0, 1), 1L), 0.03)
    expect_identical(.withinExplained(null[, 1:9], 1:3, group[1:9], c(0, 1),
        1L), NA_real_)
})
