## Folds, calibration, conformal sets, null and pairs.

test_that("folds keep blocks whole, and types even without", {
    y <- rep(1:2, 30)
    block <- rep(letters[1:6], 10)
    f <- causeway:::.folds(y, block, NULL, 3L)
    expect_true(all(tapply(f, block, function(v) length(unique(v))) == 1))
    expect_identical(length(unique(f)), 3L)
    f <- causeway:::.folds(y, NULL, sample(60), 5L)
    expect_true(all(table(y, f) == 6))
})

test_that("conformal sets hold what they promise", {
    set.seed(1)
    y <- sample(3, 4000, TRUE)
    s <- matrix(rnorm(12000), 4000)
    s[cbind(1:4000, y)] <- s[cbind(1:4000, y)] + 1
    p <- exp(causeway:::.logSoftmax(s))
    threshold <- causeway:::.conformalThresholds(p[1:2000, ], y[1:2000], 3L)
    inside <- sweep(1 - p[2001:4000, ], 2, threshold, "<=")
    expect_equal(mean(inside[cbind(1:2000, y[2001:4000])]), 0.9,
        tolerance = 0.03)
})

test_that("pairs without a difference are named", {
    set.seed(2)
    y <- rep(1:3, each = 40)
    s <- matrix(rnorm(360), 120)
    s[y == 3, 3] <- s[y == 3, 3] + 5
    pairs <- causeway:::.pairTable(causeway:::.logSoftmax(s), y,
        c("a", "b", "c"))
    bad <- pairs[!pairs$distinguishable, ]
    expect_identical(paste(bad$a, bad$b), "a b")
})

test_that("the null is passed by chance less than once in a hundred", {
    set.seed(3)
    above <- replicate(2000, {
        f1 <- rnorm(10, .2, .03)
        causeway:::.isAbove(f1[[1]], f1[-1])
    })
    expect_lt(mean(above), 0.01)
    expect_true(causeway:::.isAbove(.9, rnorm(9, .2, .03)))
    ## Three that vary so much that nothing could be above: nothing is said.
    few <- c(.3, .38, .44)
    expect_identical(causeway:::.isAbove(1, few), NA)
    expect_false(causeway:::.isAbove(.4, few))
})

test_that("labels are permuted within blocks", {
    y <- 1:12
    block <- rep(c("a", "b"), 6)
    new <- causeway:::.permuteLabels(y, block, sample(12))
    expect_identical(sort(new[block == "a"]), y[block == "a"])
    expect_false(identical(new, y))
})

test_that("donors of one size come into the same folds in every locale", {
    block <- rep(c("ctrl", "Stim", "b", "A"), each = 5)
    expect_length(inLocales(function() {
        causeway:::.folds(rep(1:2, 10), block, NULL, 3L)
    }), 1L)
})
