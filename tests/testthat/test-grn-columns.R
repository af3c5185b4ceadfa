## cellData as tables of a file.

test_that("a column comes back as what it was, or the file is damaged", {
    levels <- function() c("b", "a")
    expect_identical(.tableColumn(c(2L, 0L), "text", levels), c("a", NA))
    expect_identical(.tableColumn(c(1L, 2L), "ordered", levels),
        factor(c("b", "a"), c("b", "a"), ordered = TRUE)
    )
    expect_identical(.tableColumn(c(1L, NA), "logical"), c(TRUE, NA))
    expect_identical(.tableColumn(2, "date"), as.Date(2, "1970-01-01"))
    expect_error(.tableColumn(3L, "factor", levels), "damaged")
    expect_error(.tableColumn(0.5, "factor", levels), "damaged")
    expect_error(.tableColumn(1L, "double"), "damaged")
    expect_error(.tableColumn(1L, "closure"), "kind closure")
})
