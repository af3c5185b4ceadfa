## A comparison of methods as one page.

cells <- simulateCells(nCells = 220, nGenes = 40, nTFs = 8, seed = 1)
truth <- S4Vectors::metadata(cells)$simulation$edges
two <- benchmarkMethods()[c("pearson", "ridge")]

test_that("the page is one file, escaped, not half written", {
    names(two) <- c("<script>alert(1)</script>", "a & \"b\" {{verdict}}")
    folder <- tempfile()
    dir.create(folder)
    file <- file.path(folder, "page.html")
    got <- benchmarkGRN(setNames(list(cells), "x'<img src=q>"),
        setNames(list(truth), "x'<img src=q>"), two, nBoot = 10,
        title = "A <b>title</b>", file = file
    )
    page <- paste(readLines(file, encoding = "UTF-8"), collapse = "\n")
    expect_false(grepl("<script", page, fixed = TRUE))
    expect_false(grepl("<img src=q", page, fixed = TRUE))
    expect_false(grepl("<b>", page, fixed = TRUE))
    expect_true(grepl("&lt;script&gt;alert(1)", page, fixed = TRUE))
    ## filled in once only
    expect_true(grepl("a &amp; \"b\" {{verdict}}", page, fixed = TRUE))
    expect_false(grepl("https?://|src=\"[^d]|href=\"[^d]|@import", page))
    ## the tables are in it
    csv <- sub(".*download=\"table.csv\" href=\"data:text/csv;base64,([^\"]*)\".*",
        "\\1", page)
    table <- utils::read.csv(text = rawToChar(jsonlite::base64_dec(csv)))
    expect_equal(table$auprc, as.data.frame(got)$auprc)
    expect_identical(table$method, as.data.frame(got)$method)
    expect_true(grepl("src=\"data:image/png;base64,", page, fixed = TRUE))
    expect_match(page, "mean rank", ignore.case = TRUE)
    expect_error(write(got, file), "'file' exists")
    write(got, file, overwrite = TRUE)
    expect_error(write(got, tempdir()), "is a folder")
    expect_error(write(got, file.path(tempfile(), "a.html")),
        "doesn't exist"
    )
    expect_identical(list.files(folder, all.files = TRUE, no.. = TRUE),
        "page.html"
    )
    unlink(folder, recursive = TRUE)
})
