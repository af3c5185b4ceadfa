test_that("what is in a file is looked up by name", {
    file <- stepsFile(c(tinySteps(), list(
        .putTable("flags", c(TRUE, FALSE), "flag"),
        .putTable("words", c("a", "\u00e9", ""), "text"),
        .putTable("box", as.numeric(1:6), "f64", c(2, 3)),
        .putTable("big", 3e9, "i64")
    )))
    expect_null(.h5Look(file, "nothing"))
    expect_error(.h5Need(file, "nothing"), "has no nothing")
    expect_error(.h5Need(file, "X", "numbers"), "of the kind \"group\"")
    root <- .h5Look(file, "/")
    expect_true(all(c("X", "obs", "var") %in% root$children))
    expect_identical(.h5Values(file, "flags"), c(TRUE, FALSE))
    expect_identical(.h5Values(file, "words"), c("a", "\u00e9", ""))
    expect_identical(.h5Values(file, "big"), 3e9)
    expect_identical(.h5Values(file, "X/indices"), c(0L, 2L, 1L, 0L, 1L, 2L))
    box <- .h5Look(file, "box")
    expect_identical(.h5Matrix(file, "box", box),
        matrix(as.numeric(1:6), 2, byrow = TRUE)
    )
    expect_identical(.h5Text(.h5Look(file, "X"), "encoding-type"),
        "csr_matrix"
    )
    expect_identical(.h5Look(file, "X")$attributes$shape, c(4, 3))
    expect_error(.h5Values(file, "X"), "can't be read")
})

test_that("small things come as nested lists, large ones don't", {
    uns <- list(a = 1.5, b = list(c = "text", d = 1:3), e = seq_len(2000))
    file <- stepsFile(.putTree("uns", uns))
    expect_identical(.h5Tree(file, "uns"),
        list(a = 1.5, b = list(c = "text", d = 1:3))
    )
})
