## cellCyclePhase().

cycling <- function(strength) {
    set.seed(4)
    genes <- c(head(causeway:::.cycleGenes$S, 15),
        head(causeway:::.cycleGenes$G2M, 15), sprintf("OTHER%03d", 1:200))
    phase <- rep(c("G1", "S", "G2M"), 40)
    level <- matrix(rnorm(230, 0.5, 0.5), 230, 120)
    level[1:15, phase == "S"] <- level[1:15, phase == "S"] + strength
    level[16:30, phase == "G2M"] <- level[16:30, phase == "G2M"] + strength
    m <- matrix(rpois(length(level), exp(level)), 230,
        dimnames = list(genes, sprintf("c%03d", 1:120)))
    list(m = m, phase = phase)
}

test_that("cycling cells get their phases, others a verdict", {
    x <- cycling(1.2)
    p <- cellCyclePhase(x$m, nPerm = 50, seed = 1)
    expect_true(verdict(p)$holds)
    expect_gt(mean(as.data.frame(p)$label == x$phase), 0.8)
    none <- cellCyclePhase(cycling(0)$m, nPerm = 50, seed = 1)
    expect_false(verdict(none)$holds)
    expect_match(verdict(none)$text[[1]], "not distinguishable")
})

test_that("phases go into a container; too few markers are refused", {
    x <- cycling(1)$m
    s <- SingleCellExperiment::SingleCellExperiment(list(counts = x))
    s <- addLabels(s, cellCyclePhase(s, nPerm = 10, seed = 1), "phase")
    expect_true(all(s$phase %in% c("G1", "S", "G2M")))
    expect_error(cellCyclePhase(x[20:230, ], nPerm = 10), "0 genes")
})

test_that("random sets are like the set", {
    bins <- rep(1:4, each = 10)
    like <- causeway:::.likeSet(c(1, 2, 35), bins, sample(40))
    expect_identical(as.vector(table(factor(bins[like], 1:4))),
        c(2L, 0L, 0L, 1L))
    w <- causeway:::.setWeight(c(1, 2, 35), bins)
    expect_equal(sum(w), 0)
    expect_equal(w[[1]], 1 / 3)
})
