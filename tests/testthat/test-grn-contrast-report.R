## What a contrast of networks says, from counts written by hand.

counted <- function(found, p, ...) {
    list(tested = 800L, found = found, null = 0.13, nullMost = 2, p = p, ...)
}

test_that("found edges are told beside those of permuted labels", {
    expect_identical(.foundText(counted(12, 0.0123), "edges"), paste(
        "12 of 800 edges differ at q < 0.05 (permuted labels: 0.1 on average,",
        "at most 2; p = 0.012)"))
    expect_match(.foundText(counted(12, 0.2), "edges"),
        "^edges differ no more than under permuted labels \\(12 of 800;")
    expect_match(.foundText(counted(0, 0.01), "edges"), "no more")
})

test_that("edges count beyond noise where noise is known", {
    expect_identical(.edgesFound(counted(12, 0.06, beyondNoise = 5)), 0L)
    expect_identical(.edgesFound(counted(12, 0.01, beyondNoise = 5)), 5)
    expect_identical(.edgesFound(counted(12, 0.01)), 12)
})

test_that("the verdict holds for regulators or edges, never without variation", {
    facts <- function(sets, edges, noVariation = FALSE) {
        list(level = "late", ref = "early", noVariation = noVariation,
            edges = edges, regulators = list(sets = sets,
                activity = list(tested = 9L)))
    }
    v <- .contrastVerdict(facts(2L, counted(3, 0.01, beyondNoise = 0)))
    expect_true(v$holds)
    expect_match(v$text, paste("^late against early: targets of 2 of 9",
        "regulators .*; 0 of 800 edges differ by more than the noise"))
    expect_false(.contrastVerdict(facts(0L, counted(3, 0.2)))$holds)
    expect_true(.contrastVerdict(facts(0L, counted(3, 0.01)))$holds)
    same <- .contrastVerdict(facts(2L, counted(3, 0.01), noVariation = TRUE))
    expect_false(same$holds)
    expect_match(same$text, "all cells have the same", all = FALSE)
})
