## What is said of states that can't be told apart, and what would help.

test_that("every reason has its advice", {
    v <- list(distinguishable = FALSE, gain = 1, nullGain = c(2, 7),
        labelled = TRUE, reason = "permuted states do as well"
    )
    said <- function(reason) {
        v$reason <- reason
        .verdictHelp(v)
    }
    expect_match(said(v$reason), "gain 1.0 nats, permuted ones up to 7.0")
    expect_match(said("too few to ask, 9 cells"), "More cells and genes")
    expect_match(said("no network is seen within states"), "centre = FALSE")
    expect_match(said("no separate states are seen (silhouette 0.1)"),
        "can be given"
    )
    expect_match(said("the slopes hardly differ"), "all have the pooled")
    expect_match(.verdictText(v), "not distinguishable.*permuted states do")
})

test_that("what is too small is counted", {
    s <- list(centre = NULL, gate = c(cells = 500, genes = 80))
    expect_match(.tooLittle(c(cells = 120, genes = 40), s),
        "120 cells where 500 .* and 40 genes where 80"
    )
    s$centre <- TRUE
    expect_identical(.tooLittle(c(cells = 2, genes = 2), s),
        "there is one state"
    )
})
