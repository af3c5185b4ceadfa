## Simulated screens: labels, sizes, side information, truth, seeds.

small <- function(...) {
    simulatePerturbations(nPathways = 2, nTargets = 20, nPairs = 4,
        cells = c(10, 15), nControl = 40, ...)
}

test_that("cells, labels and side information fit together", {
    x <- small(seed = 1, truth = 40)
    expect_s4_class(SummarizedExperiment::assay(x, "counts"), "dgCMatrix")
    n <- table(x$perturbation)
    expect_identical(length(n), 12L + 4L + 1L)
    expect_identical(n[["control"]], 40L)
    expect_true(all(n[names(n) != "control"] %in% 10:15))
    expect_true(all(x$worked[x$perturbation == "control"] == 0))
    known <- S4Vectors::metadata(x)
    perturbed <- rownames(x)[1:12]
    expect_true(all(known$go$gene %in% perturbed))
    expect_true(all(unlist(known$graph) %in% perturbed))
    expect_true(all(known$network$from %in% perturbed))
    expect_true(all(known$network$to %in% rownames(x)))
    truth <- simulatedTruth(x)
    expect_identical(dim(truth), c(32L, 16L))
    own <- diag(truth[perturbed, perturbed])
    expect_gte(mean(own < 0), 10 / 12)
})

test_that("seeds, threads and settings do what they say", {
    a <- small(seed = 2)
    expect_identical(a, small(seed = 2, threads = 1))
    expect_false(identical(a, small(seed = 3)))
    set.seed(1)
    b <- small()
    set.seed(1)
    expect_identical(small(), b)
    every <- small(seed = 2, escape = FALSE)
    expect_true(all(every$worked[every$perturbation != "control"] > 0))
    up <- small(seed = 2, activation = TRUE, escape = FALSE)
    of <- function(x, p) {
        mean(SummarizedExperiment::assay(x)["FAC01", x$perturbation == p])
    }
    expect_gt(of(up, "FAC01"), of(up, "control"))
    expect_lt(of(every, "FAC01"), of(every, "control"))
})

test_that("bad settings are errors that name them", {
    expect_error(simulatePerturbations(nPathways = 0), "nPathways")
    expect_error(simulatePerturbations(nPathways = 1, nPairs = 50), "nPairs")
    expect_error(simulatePerturbations(cells = 5), "cells")
    expect_error(simulatedTruth(small(seed = 1)), "without its truth")
})
