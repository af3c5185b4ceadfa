## What a comparison of methods says, from a table written by hand.

## Two sets, two methods (the first with two seeds), two nulls.
hand <- function() {
    row <- function(data, method, seed, ratio, high, chance) {
        data.frame(data = data, method = method,
            null = method %in% c("random", "marginal"), seed = seed,
            auprc = ratio / 10, auprcRatio = ratio, auprcRatioHigh = high,
            auroc = 0.6, earlyRatio = 2, aboveChance = chance, seconds = 1,
            error = NA_character_)
    }
    rbind(row("A", "x", 1, 2, 3, TRUE), row("A", "x", 2, 4, 5, TRUE),
        row("A", "y", 1, 3.5, 3.6, TRUE), row("B", "x", 1, 2, 2.5, TRUE),
        row("B", "y", 1, 1, 1.2, FALSE), row("A", "random", 1, 1, NA, FALSE),
        row("B", "random", 1, 1, NA, FALSE),
        row("A", "marginal", 1, 1.5, NA, FALSE),
        row("B", "marginal", 1, 1.5, NA, FALSE))
}

test_that("seeds are averaged, then sets are counted", {
    s <- .benchmarkSummary(hand())
    expect_identical(s$method, c("x", "y", "random", "marginal"))
    expect_equal(s$ratio, c(sqrt(6), sqrt(3.5), 1, 1.5))
    expect_equal(s$meanRank, c(1.5, 1.5, NA, NA))
    expect_equal(s$best, c(1, 1, 0, 0))
    expect_equal(s$withinBest[1:2], c(2, 1))
    expect_equal(s$aboveChance, c(2, 1, 0, 0))
    expect_equal(s$aboveMarginal[1:2], c(2, 1))
    expect_equal(.wide(.overSeeds(hand()), "auprcRatio")["A", "x"], 3)
})

test_that("the verdict holds where a method beats chance and the marginal", {
    says <- function(t) .benchmarkVerdict(.benchmarkSummary(t), t)
    v <- says(hand())
    expect_match(v$text[[1L]], "2 methods on 2 sets: x (1.5)", fixed = TRUE)
    expect_match(v$text, "half of the sets or more: y", all = FALSE)
    expect_true(v$holds)
    t <- hand()
    t$aboveChance[t$data == "B"] <- FALSE
    expect_match(says(t)$text, "chance on 1 of 2 sets: B", all = FALSE)
    t$auprcRatio[t$method == "marginal"] <- 10
    expect_false(says(t)$holds)
})
