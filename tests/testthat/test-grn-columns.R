## cellData and metadata as tables of a file.

test_that("metadata come back from a file to the last bit", {
    x <- list(none = NA_real_, empty = numeric(), some = c(0.1 + 0.2, NA, NaN),
        loss = data.frame(prior = NA_real_, elbo = 2), text = NA_character_,
        flag = c(a = TRUE), accent = "\u00e9\n\"", nothing = NULL,
        level = factor(c("b", "a"), c("b", "a")), day = as.Date("2026-01-02"),
        deep = list(list(1L, NULL, "x")), big = 2^1023 * 1.9, whole = -5L
    )
    expect_identical(.fromText(.toText(x)), x)
    old <- options(OutDec = ",", scipen = -9, digits = 3)
    on.exit(options(old))
    expect_identical(.fromText(.toText(x)), x)
})

test_that("what isn't data is kept as text", {
    x <- list(f = function(a) a + 1, e = globalenv(), q = quote(a + b))
    back <- .fromText(.toText(x))
    expect_true(all(vapply(back, is.character, NA)))
    expect_match(back$f[[1]], "a + 1", fixed = TRUE)
    expect_identical(back$q, "a + b")
})
