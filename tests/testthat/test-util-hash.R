test_that("a hash tells data apart to the last bit, type and name", {
    x <- list(a = c(u = 1, v = NA), b = factor(c("p", "q")), c = NULL)
    h <- .hash(x)
    expect_match(h, "^[0-9a-f]{64}$")
    expect_identical(.hash(x), h)
    changed <- list(
        replace(x, "a", list(c(u = 1 + 2^-52, v = NA))),
        replace(x, "a", list(c(u = 1, v = NaN))),
        replace(x, "a", list(c(u = 1, w = NA))),
        replace(x, "a", list(c(1, NA))),
        replace(x, "b", list(factor(c("p", "q"), c("q", "p")))),
        replace(x, "b", list(c("p", "q"))),
        x[c(2, 1, 3)], x[1:2], unname(x)
    )
    others <- vapply(changed, .hash, character(1))
    expect_false(any(others == h))
    expect_false(anyDuplicated(others) > 0)
    expect_false(.hash(1L) == .hash(1))
    expect_false(.hash(list("ab", "c")) == .hash(list("a", "bc")))
})

test_that("text counts as what it says, not as its bytes", {
    latin <- "caf\xe9"
    Encoding(latin) <- "latin1"
    expect_identical(.hash(latin), .hash(enc2utf8(latin)))
    expect_false(.hash(NA_character_) == .hash("NA"))
})

test_that("every element of a long vector and every slot counts", {
    x <- rep(0, 2^20 + 5)
    h <- .hash(x)
    for (i in c(1, 2^20, 2^20 + 1, length(x))) {
        expect_false(.hash(replace(x, i, 1)) == h)
    }
    expect_false(.hash(rev(replace(x, 1, 1))) == .hash(replace(x, 1, 1)))
    m <- Matrix::sparseMatrix(i = 1:3, j = 1:3, x = 1:3)
    n <- m
    n@x[[3]] <- 4
    expect_false(.hash(m) == .hash(n))
    expect_error(.hash(list(function() 1)), "closure has no hash")
})
