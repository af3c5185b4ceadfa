test_that("a run's folder tells its run from others", {
    data <- list(values = Matrix::Matrix(diag(3), sparse = TRUE), tokens = 1:3,
        class = c(0L, 1L, 0L))
    s <- list(lr = 1e-3, epochs = 5, train = "all")
    print <- causeway:::.tuningPrint
    longer <- replace(s, "epochs", 9)
    expect_identical(print(data, s), print(data, longer))
    expect_false(identical(print(data, s), print(data, replace(s, "lr", 2e-3))))
    other <- data
    other$class <- c(0L, 1L, 1L)
    expect_false(identical(print(data, s), print(other, s)))
    expect_null(causeway:::.tuningLast(data, s, NULL))
    empty <- tempfile("run-")
    expect_null(causeway:::.tuningLast(data, s, list(dir = empty, keep = 3)))
    expect_true(dir.exists(empty))
})
