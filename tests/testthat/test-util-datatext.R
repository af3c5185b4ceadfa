## Data as text and back.

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

test_that("tables, factors and rows with names come back", {
    x <- list(d = S4Vectors::DataFrame(a = c(0.1, NA), b = factor(c("u", NA)),
        row.names = c("r1", "r2")), e = S4Vectors::DataFrame(),
        t = as.POSIXct("2026-01-02", tz = "UTC"), m = matrix(1:4, 2, dimnames =
            list(c("a", "b"), NULL)), v = packageVersion("base"),
        raw = as.raw(c(0, 255)), minus = -0, inf = c(-Inf, Inf)
    )
    back <- .fromText(.toText(x))
    expect_identical(back, x)
    expect_identical(1 / back$minus, -Inf)
})

test_that("a text that isn't data is refused and nothing in it is run", {
    for (text in c("", "nonsense", "[1,2]", '{"type":"closure","value":[]}',
        '{"type":"double","value":["x"]}', '{"type":"integer","value":[1]}',
        '{"type":"list","value":[{"type":"environment"}]}',
        '{"type":"logical","value":["maybe"]}', '{"type":"raw","value":["1ff"]}',
        '{"type":"double","value":["1"],"names":["class"],"attributes":[
            {"type":"character","value":["lm"]}]}',
        '{"type":"double","value":["1"],"names":["dim"],"attributes":[
            {"type":"integer","value":["7"]}]}')) {
        expect_null(.fromText(text))
    }
    deep <- paste0(strrep('{"type":"list","value":[', 500), strrep("]}", 500))
    expect_null(.fromText(deep))
})
