## Donors and batches: their means are taken out before anything else.

## Two donors far apart in half of the genes; G1 drives G5 in every cell.
donorCells <- function(n = 120) {
    set.seed(2)
    donor <- rep(c("d1", "d2"), each = n / 2)
    x <- matrix(rnorm(n * 12), 12)
    x[5, ] <- x[5, ] + x[1, ]
    x[c(2, 7:9), ] <- x[c(2, 7:9), ] + rep(c(0, 3), each = n / 2)[col(x[1:4, ])]
    dimnames(x) <- list(paste0("G", 1:12), paste0("cell", seq_len(n)))
    list(x = x - min(x), donor = donor, label = rep(c("a", "b"), n / 2))
}

fitDonors <- function(d, model = CorGRNParam(), ..., x = d$x) {
    inferGRN(x, model, tfs = paste0("G", 1:4), genes = rownames(d$x),
        alreadyNormalised = TRUE, seed = 1, verbose = FALSE, ...,
        preprocess = list(dropQC = FALSE, minCells = 0)
    )
}

test_that("what differs between donors alone is no edge", {
    d <- donorCells()
    plain <- as.matrix(fitDonors(d))
    grn <- fitDonors(d, block = d$donor)
    expect_gt(plain["G2", "G7"], 0.6)
    expect_lt(as.matrix(grn)["G2", "G7"], 0.3)
    expect_gt(as.matrix(grn)["G1", "G5"], 0.5)
    expect_identical(metadata(grn)$block, c("d1", "d2"))
    ## the definition: correlation within donors
    z <- t(d$x) - apply(t(d$x), 2L, stats::ave, d$donor)
    expect_equal(as.matrix(fitDonors(d, block = d$donor,
        reliability = FALSE))["G2", "G7"], abs(cor(z[, 2], z[, 7])),
        tolerance = 1e-6)
})

test_that("every estimator takes it, by name or by value, also of a part", {
    d <- donorCells()
    cells <- SingleCellExperiment::SingleCellExperiment(
        list(logcounts = d$x), colData = S4Vectors::DataFrame(d[2:3]))
    for (model in list(RidgeGRNParam(), TreeGRNParam(trees = 20),
        CorGRNParam("partial"))) {
        a <- fitDonors(d, model, block = "donor", x = cells)
        expect_identical(as.matrix(a),
            as.matrix(fitDonors(d, model, block = factor(d$donor))))
        expect_false(identical(as.matrix(a), as.matrix(fitDonors(d, model))))
    }
    part <- fitDonors(d, block = d$donor, cells = 31:90)
    expect_identical(as.matrix(part), as.matrix(
        fitDonors(d, block = d$donor[31:90], cells = 31:90)))
})

test_that("networks of states keep the values and remember the blocks", {
    d <- donorCells()
    p <- PerCellGRNParam(states = d$label, nPerm = 1)
    grn <- fitDonors(d, p, block = d$donor)
    expect_equal(unname(as.matrix(grn@expression)), unname(d$x))
    expect_identical(grn@pooled, fitDonors(d, PerCellGRNParam(
        states = d$label, nPerm = 1, block = d$donor))@pooled)
    expect_lt(abs(grn@pooled[2, 7]), 0.3 * abs(fitDonors(d, p)@pooled[2, 7]))
    expect_length(metadata(grn[1:10])$block, 10)
    expect_no_match(verdict(grn)$text, "no block")
    same <- fitDonors(d, PerCellGRNParam(states = d$donor, nPerm = 1),
        block = d$donor)
    expect_match(verdict(same)$text, "no block has cells of two states")
    expect_error(fitDonors(d, PerCellGRNParam(block = d$donor),
        block = d$donor), "'block' is given twice")
})

test_that("blocks that can't be used are refused or said", {
    d <- donorCells()
    expect_error(fitDonors(d, block = c(NA, d$donor[-1])),
        "'block' must have a value per cell, 120.* 1 missing")
    expect_error(fitDonors(d, block = d$donor[1:5]), "it has 5")
    expect_error(fitDonors(d, block = paste0("x", 1:120)),
        "'block' has another value for every cell")
    expect_error(fitDonors(d, block = "nobody"), "isn't a column of colData")
    expect_message(one <- fitDonors(d, block = rep("d1", 120)),
        "one value, d1: nothing to take out")
    expect_identical(as.matrix(one), as.matrix(fitDonors(d)))
})
