## The sums behind the tables of evaluatePerturbation().

test_that("intervals are quantiles; draws lose their mean", {
    expect_equal(.interval(0:1000), c(25, 975))
    expect_identical(.interval(c(1, NA)), c(NA_real_, NA_real_))
    expect_identical(.interval(NULL), c(NA_real_, NA_real_))
    m <- .aboutMean(cbind(c(1, 3), c(10, 14)))
    expect_equal(m, cbind(c(-1, 1), c(-2, 2)))
})

test_that("random targets are drawn evenly, one choice gives itself", {
    at <- .randomPlaces(3000, 1L, 3L, .newKey(1), 7)
    expect_identical(range(at), c(1L, 3L))
    expect_true(all(abs(table(at) - 1000) < 150))
    expect_equal(.meansOfChoices(list(2, 4), 5L, .newKey(1), 7), rep(3, 5))
})

test_that("the mean percentile is compared with that of uniform ones", {
    ## the mean of 12 uniform numbers has the standard deviation 1/12
    expect_equal(.percentileP(c(rep(0.5 + 1.96 / 12, 12), NA)),
        pnorm(-1.96))
    expect_equal(.percentileP(rep(0.5, 7)), 0.5)
})

test_that("directions follow sign and kind of perturbation", {
    grn <- PooledGRN(matrix(1, 1, 3, dimnames = list("A", c("A", "B", "C"))),
        metadata = list(sign = matrix(c(1L, 1L, -1L), 1,
            dimnames = list("A", c("A", "B", "C")))))
    edges <- data.frame(Gene1 = "A", Gene2 = c("B", "C", "B", "C"),
        shift = c(-1, -1, 1, 1))
    ## with its regulator lost an activated gene goes down
    loss <- .edgeDirections(edges, grn, "loss")
    expect_identical(loss$direction, c(1L, -1L, -1L, 1L))
    expect_identical(.edgeDirections(edges, grn, "gain")$direction,
        -loss$direction)
    row <- .directionRow(loss)
    expect_equal(c(row$value, row$null), c(0.5, 0.5))
    expect_null(.directionRow(edges))
})

test_that("the verdict names targets that don't move", {
    says <- function(matchedP, halfP) .perturbationVerdict(data.frame(
        measure = c("against expression-matched genes",
            "mean percentile among matched genes"),
        value = c(0.3, 0.6), null = c(0.2, 0.5), p = c(matchedP, halfP)), 40L)
    expect_true(says(0.01, 0.01)$holds)
    expect_match(says(0.01, 0.2)$text, "A few targets move far", all = FALSE)
    expect_match(says(0.2, 0.2)$text, "move no more than", all = FALSE)
    expect_false(says(0.2, 0.01)$holds)
})
