## inst/scripts/norman-reverse.R, sourced.

norman <- new.env()
sys.source(system.file("scripts", "norman-reverse.R", package = "causeway"),
    norman)

test_that("the protocol ranks what was left out among all of the 210", {
    x <- simulatePerturbations(nPathways = 4, nTargets = 40, nPairs = 40,
        cells = c(30, 40), nControl = 160, seed = 2)
    k <- S4Vectors::metadata(x)
    found <- norman$normanProtocol(x, "perturbation", seed = 1,
        network = k$network, go = k$go, nPerm = 1, nBoot = 0, verbose = FALSE)
    expect_length(found$genes, 20L)
    expect_identical(found$candidates, 210)
    n <- table(found$split$set)
    expect_equal(n[["test"]], round(nrow(found$split) * 11 / 47))
    expect_equal(n[["valid"]], round(nrow(found$split) * 3 / 47))
    ## neither test nor validation cells, nor half of the controls, were learnt
    names <- found$fit@state$names
    expect_setequal(names, found$split$condition[found$split$set == "train"])
    expect_equal(sum(found$fit@state$effects$nControl), 80)
    r <- found$recall
    of <- function(m, column) r[r$method == m, column]
    expect_true(all(diff(of("model", "found")) >= 0))
    expect_true(all(of("model", "near") >= of("model", "found")))
    expect_gt(of("model", "found")[[6L]], 2 * of("model", "chance")[[6L]])
    ## what was never measured can't be retrieved
    expect_true(all(of("measured", "found") == 0))
    expect_identical(unique(found$ranks$method),
        c("model", "additive", "measured"))
})

test_that("genes are those of most sets, splits have the published shares", {
    sets <- strsplit(c("A", "B", "C", "A+B", "A+C", "D", "B+C", "D+E"), "+",
        fixed = TRUE)
    expect_identical(norman$normanGenes(sets, 3L), c("A", "B", "C"))
    expect_identical(as.vector(table(norman$normanSplit(47))[c("test", "train",
        "valid")]), c(11L, 33L, 3L))
    expect_error(norman$normanMain("data=/no/such/file.h5ad"), "not there")
    expect_error(norman$normanArguments("cells=3"), "isn't understood")
})
