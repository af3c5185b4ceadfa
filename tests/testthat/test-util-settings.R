## A table as the engine gives one.
madeTable <- function() {
    .settingsTable(list(
        name = c("a_b", "rate", "on", "how"),
        argument = c("aB", "rate", "on", "how"),
        type = c("integer", "number", "flag", "choice"),
        default = c(3, 0.5, 1, 1), min = c(1, 0, 0, 0), max = c(9, 1, 1, 0),
        open = c(0, 1, 0, 0), choices = c("", "", "", "one two"),
        help = c("A", "B", "C", "D")
    ))
}

test_that("settings are the table's unless given", {
    s <- .checkSettings(list(), madeTable())
    expect_identical(s, list(aB = 3L, rate = 0.5, on = TRUE, how = "two"))
    s <- .checkSettings(list(aB = 9, on = 0, how = "one"), madeTable())
    expect_identical(s, list(aB = 9L, rate = 0.5, on = FALSE, how = "one"))
})

test_that("what the table doesn't allow is named", {
    bad <- function(values, text) {
        expect_error(.checkSettings(values, madeTable(), "settings"), text)
    }
    bad(list(aB = 10), "'settings\\$aB' must be one whole number from 1 to 9")
    bad(list(aB = 1.5), "whole number")
    bad(list(rate = 0), "'settings\\$rate' must be one number greater than 0")
    bad(list(on = "yes"), "'settings\\$on' must be TRUE or FALSE")
    bad(list(how = "three"), "'settings\\$how' must be one of \"one\", \"two\"")
    bad(list(b = 1), "no setting called b; there are aB, rate, on, how")
    bad(list(1), "named settings")
    bad(3, "named settings")
    bad(list(rate = 1, rate = 1), "names rate more than once")
    expect_error(.checkSettings(list(rate = 2), madeTable()), "'rate' must be")
})

test_that("the help table has a row a setting", {
    help <- .settingsHelp(madeTable())
    expect_length(help, 6L)
    expect_identical(help[[6L]], "| `how` | \"two\" | D |")
})
