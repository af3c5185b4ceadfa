## What users are told, and checks of arguments.

test_that("names, times and sizes are written short", {
    expect_identical(.some(letters[1:5]), "a, b, c, d, e")
    expect_identical(.some(letters[1:5], 2L), "a, b (and 3 more)")
    expect_identical(.duration(c(89)), "89 s")
    expect_identical(.duration(90), "2 min")
    expect_identical(.duration(5400), "1.5 h")
    expect_identical(.bytes(1023), "1023 B")
    expect_identical(.bytes(1.5 * 1024^3), "1.5 GB")
    expect_identical(.bytes(0), "0 B")
    expect_message(.say(TRUE, "told"), "told")
    expect_silent(.say(FALSE, "told"))
})

test_that("numbers out of range are named with what they are", {
    expect_identical(.checkNumber(3, "n", 1, 5, TRUE), 3L)
    expect_identical(.checkNumber(2.5, "n"), 2.5)
    expect_error(.checkNumber(6, "n", 1, 5, TRUE),
        "'n' must be one whole number from 1 to 5; it is 6.", fixed = TRUE)
    expect_error(.checkNumber(2.5, "n", 1, 5, TRUE), "whole")
    expect_error(.checkNumber(0, "n", 0, open = TRUE), "greater than 0; it is")
    for (bad in list(NA_real_, Inf, 1:2, "1", NULL)) {
        expect_error(.checkNumber(bad, "n", 0), "'n' must be one number")
    }
    expect_error(.checkFlag(NA, "f"), "'f' must be TRUE or FALSE; it is NA")
    expect_error(.checkText("", "t"), "'t' must be one character string")
    expect_identical(.checkText("a", "t"), "a")
})

test_that("arguments that aren't known are errors, old names tell the new", {
    f <- function(...) .noDots(..., renamed = c(n = "nPerm"))
    expect_silent(f())
    expect_error(f(n = 3), "'n' is now called 'nPerm'.", fixed = TRUE)
    expect_error(f(topp = 3), "known here: topp")
    expect_error(f(3), "without a name")
    expect_identical(.nearestWord("pearsn", c("ridge", "pearson")), "pearson")
    expect_length(.nearestWord("xyz", c("ridge", "pearson")), 0L)
    expect_error(.noBrackets(RidgeGRNParam, "model"), "RidgeGRNParam\\(\\)")
    expect_silent(.noBrackets(sum, "model"))
})

test_that("keys are halves below 2^32, each seed its own", {
    seeds <- c(0:3, -4:-1, 2^32, -2^32, 1 - 2^53, 2 - 2^53, 2^53)
    keys <- lapply(seeds, .newKey)
    expect_identical(anyDuplicated(keys), 0L)
    expect_true(all(unlist(keys) >= 0 & unlist(keys) < 2^32))
    expect_identical(.newKey(2^32 + 5), c(1, 5))
    expect_identical(.newKey(-2), c(2^22 - 1, 2^32 - 2))
    expect_error(.newKey(-2^53), "'seed'")
    set.seed(1)
    a <- .newKey()
    set.seed(1)
    expect_identical(.newKey(), a)
    expect_false(identical(.newKey(), a))
})

test_that("progress off a terminal is a line per tenth", {
    lines <- function(verbose) {
        bar <- .progressStart("epoch", 20, verbose)
        out <- capture_messages(for (i in 1:20) .progressTick(bar, i, "loss 1"))
        .progressDone(bar)
        out
    }
    skip_if(cli::is_dynamic_tty(), "a terminal shows a bar")
    out <- lines(TRUE)
    expect_length(out, 10L)
    expect_match(out[[1L]], "^epoch 2/20 loss 1 \\(.* s left\\)")
    expect_length(lines(FALSE), 0L)
})

test_that("values in messages are as they were given", {
    show <- causeway:::.show
    expect_identical(show(c("ADNP", "A")), "ADNP, A")
    expect_identical(show(c(1, 10)), "1, 10")
    expect_identical(show(c(TRUE, NA)), "TRUE, NA")
    expect_identical(show(factor("b")), "b")
    expect_identical(show(""), "\"\"")
    expect_identical(show(data.frame(a = 1)), "a data.frame")
    expect_identical(show(NULL), "NULL")
})
