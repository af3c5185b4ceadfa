test_that("the default's weights follow the data", {
    prepared <- function(genes, zeros) {
        m <- matrix(1, genes, 50)
        m[seq_len(round(zeros * length(m)))] <- 0
        list(values = methods::as(m, "CsparseMatrix"))
    }
    settle <- function(genes, zeros, centred = FALSE) {
        .settleWeights(CombinedGRNParam(), prepared(genes, zeros),
            list(centred = centred), FALSE
        )@settings
    }
    expect_identical(settle(40, 0.3)$choice, "counts")
    expect_identical(settle(40, 0.3)$byTarget, 10)
    expect_identical(settle(40, 0.3)$estimators[[4L]], CorGRNParam("spearman"))
    expect_identical(settle(40, 0.05)$choice, "trees")
    expect_length(settle(40, 0.05)$estimators, 2L)
    expect_identical(settle(20, 0.3)$choice, "few")
    expect_length(settle(20, 0.3)$estimators, 4L)
    expect_identical(settle(20, 0.05)$choice, "trees")
    expect_identical(settle(40, 0.3, TRUE)$weights, c(1, 1, 3))
    own <- CombinedGRNParam(weights = c(1, 1, 1))
    expect_identical(.settleWeights(own, prepared(40, 0.3), list(), FALSE), own)
})

test_that("time courses are told by a column's name or values", {
    times <- function(...) .timeColumn(S4Vectors::DataFrame(...))
    d <- rep(c(0, 2, 4), 5)
    expect_identical(times(type = letters[1:15], Day = d), "Day")
    expect_identical(times(label = paste("day", d)), "label")
    expect_identical(times(label = c("mES cells", paste0(d[-1], "h"))), "label")
    expect_null(times(type = rep(c("B", "T", "NK"), 5), time = 3))
    expect_null(times(donor = rep(c("d", "e", "f"), 5), depth = runif(15)))
})

test_that("a time course is not centred, and warns when it is asked for", {
    x <- simulateCells(nCells = 320, nGenes = 85, nTFs = 8, depth = 8,
        seed = 2
    )
    p <- CombinedGRNParam(list(RidgeGRNParam(), CorGRNParam()))
    run <- function(x, ...) inferGRN(x, p, seed = 1, verbose = FALSE, ...)
    x$day <- rep(c(0, 2, 4, 7), 80)
    expect_false(metadata(run(x))$centring$centred)
    expect_warning(run(x, centre = TRUE), "\"day\" .* time course")
    x$day <- NULL
    centring <- metadata(run(x))$centring
    expect_true(centring$centred)
    expect_gte(centring$halvesCentred, centring$halves / 3)
    expect_identical(metadata(run(x))$centring, centring)
})

test_that("targets that something explains come first with byTarget", {
    set.seed(3)
    n <- 300
    tf <- rnorm(n)
    x <- rbind(TF1 = tf, TF2 = rnorm(n), g1 = tf + rnorm(n), g2 = rnorm(n))
    x <- exp(x / 3)
    colnames(x) <- paste0("c", seq_len(n))
    estimators <- list(TreeGRNParam(trees = 30), CorGRNParam())
    run <- function(by) {
        as.matrix(inferGRN(x, CombinedGRNParam(estimators, byTarget = by),
            tfs = c("TF1", "TF2"), alreadyNormalised = TRUE, seed = 1,
            reliability = FALSE, verbose = FALSE
        ))
    }
    r <- abs(cor(t(x)))["TF1", "g1"]
    expect_equal(run(2)["TF1", "g1"], run(0)["TF1", "g1"] * r)
    expect_error(CombinedGRNParam(estimators, byTarget = -1), "'byTarget'")
})
