test_that("a factor means what its levels say, not their codes", {
    expect_identical(.numbersOf(factor(c("9000", "5", "120000")), "x"),
        c(9000, 5, 120000)
    )
    expect_identical(.numbersOf(c(" 1e3", "NA", ""), "x"), c(1000, NA, NA))
    expect_identical(.numbersOf(1:3, "x"), c(1, 2, 3))
    expect_identical(.numbersOf(S4Vectors::Rle(c(2, 2)), "x"), c(2, 2))
    expect_identical(.numbersOf(c(NA, NA), "x"), c(NA_real_, NA_real_))
})

test_that("names in a factor are text", {
    expect_identical(.textOf(factor(c("b", "a"))), c("b", "a"))
    expect_identical(.textOf(3), 3)
})

test_that("what isn't a number is named", {
    expect_error(.numbersOf(c("1", "two", "3,000"), "genes", "a column start"),
        "'genes' has a column start of class character .* two, 3,000"
    )
    expect_error(.numbersOf(factor("early"), "time"),
        "'time' is factor with values that aren't numbers: early"
    )
    expect_error(.numbersOf(TRUE, "time"), "'time' is logical; it must hold")
    expect_error(.numbersOf(list(1), "time"), "'time' is list; it must hold")
})
