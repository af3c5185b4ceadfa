## The interactive network: what is in it, and that its page is one file.

example <- exampleGRN()
hasVis <- requireNamespace("visNetwork", quietly = TRUE) &&
    requireNamespace("htmlwidgets", quietly = TRUE)
pageData <- function(file) {
    page <- paste(readLines(file, encoding = "UTF-8"), collapse = "\n")
    data <- sub("(?s).*<script id=\"data\"[^>]*>(.*?)</script>.*", "\\1", page,
        perl = TRUE
    )
    jsonlite::fromJSON(data)
}
outside <- "(src|href)=\"(?!data:)|@import|url\\((?!#|data:)"

test_that("the edges shown are the strongest ones", {
    file <- tempfile(fileext = ".html")
    expect_identical(networkWidget(example, file, top = 25,
        engine = "builtin"
    ), file)
    data <- pageData(file)
    edges <- edgeTable(poolGRN(example), top = 25, self = FALSE)
    expect_identical(paste(data$edges$from, data$edges$to),
        paste(edges$Gene1, edges$Gene2)
    )
    expect_equal(data$edges$score, edges$score, tolerance = 1e-4)
    expect_true(all(data$edges$sign == 0L))
    expect_setequal(data$nodes$name, c(edges$Gene1, edges$Gene2))
    expect_identical(data$nodes$tf, data$nodes$name %in% tfNames(example))
    expect_match(data$edges$title[[1L]], "acts on .*\nscore .*rank 1$")
    page <- paste(readLines(file), collapse = "\n")
    expect_false(grepl(outside, page, perl = TRUE))
    again <- tempfile(fileext = ".html")
    networkWidget(example, again, top = 25, engine = "builtin")
    expect_identical(readLines(again), readLines(file))
    some <- networkWidget(example, tempfile(), tfs = "MYOG", cells = 1:3,
        engine = "builtin", title = "<MYOG>"
    )
    expect_true(all(pageData(some)$edges$from == "MYOG"))
    expect_true(any(grepl("&lt;MYOG&gt;", readLines(some), fixed = TRUE)))
})

test_that("signs and names of any kind", {
    scores <- matrix(c(0, 3, 2, 0, 1, 0.5), 2, dimnames = list(
        c("</script><b>A", "B\"'&"), c("</script><b>A", "B\"'&", "C\\n")
    ))
    sign <- matrix(c(0L, -1L, 1L, 0L, 1L, -1L), 2, dimnames = dimnames(scores))
    x <- PooledGRN(scores, metadata = list(sign = sign))
    file <- tempfile(fileext = ".html")
    networkWidget(x, file, engine = "builtin")
    data <- pageData(file)
    expect_setequal(data$nodes$name, colnames(scores))
    expect_identical(data$edges$sign, c(-1L, 1L, 1L, -1L))
    expect_match(data$edges$title[[1L]], "represses", fixed = TRUE)
    page <- paste(readLines(file), collapse = "\n")
    expect_identical(lengths(regmatches(page, gregexpr("</script", page))),
        2L
    )
    skip_if_not(hasVis, "visNetwork is not installed")
    networkWidget(x, file, engine = "visNetwork", overwrite = TRUE)
    page <- paste(readLines(file, encoding = "UTF-8"), collapse = "\n")
    expect_false(grepl("</script><b>A", page, fixed = TRUE))
    expect_false(.loadsMore(page))
})

test_that("with visNetwork: a widget, or one page", {
    skip_if_not(hasVis, "visNetwork is not installed")
    w <- networkWidget(example, top = 20)
    expect_s3_class(w, "htmlwidget")
    expect_identical(nrow(w$x$edges), 20L)
    file <- tempfile(fileext = ".html")
    networkWidget(example, file, top = 20)
    page <- paste(readLines(file, encoding = "UTF-8"), collapse = "\n")
    expect_false(.loadsMore(page))
    expect_true(grepl("default-src 'none'", page, fixed = TRUE))
    expect_gt(nchar(page), 3e5)
})

test_that("pages that load something are seen", {
    expect_true(.loadsMore("<p><script src=\"a.js\">"))
    expect_true(.loadsMore("<link href=\"a.css\" rel=\"stylesheet\"/>"))
    expect_false(.loadsMore("<script>\"<img >\"</script><p>"))
})

test_that("bad input is named", {
    file <- tempfile()
    writeLines("keep", file)
    expect_error(networkWidget(example, file), "'file' exists")
    expect_identical(readLines(file), "keep")
    expect_error(networkWidget(example, tempdir()), "is a folder")
    expect_error(networkWidget(example, top = 0), "'top' must be")
    new <- function() tempfile(fileext = ".html")
    expect_error(networkWidget(example, new(), tfs = "CKM"), "'tfs' has names")
    expect_error(networkWidget(1, new()), "'x' must be")
    expect_error(networkWidget(poolGRN(example), new(), cells = 1), "'cells'")
    expect_error(networkWidget(PooledGRN(as.matrix(poolGRN(example)) * 0),
        new(), engine = "builtin"
    ), "no edge with a positive score")
    expect_error(networkWidget(example, new(), engine = "d3"), "'engine' must")
    expect_error(networkWidget(example, new(), topp = 3), "topp")
    if (hasVis) {
        expect_error(networkWidget(example, engine = "builtin"),
            "writes pages only"
        )
    } else {
        expect_error(networkWidget(example), "needs the package visNetwork")
    }
})
