columnsFile <- function(parts, order = names(parts)) {
    at <- .h5Path("obs", names(parts))
    steps <- unlist(unname(Map(.putColumn, at, parts)), recursive = FALSE)
    all <- tinySteps()
    which <- vapply(all, function(s) identical(s$attribute, "column-order"), NA)
    all[[which(which)[[1L]]]] <- .putAttribute("obs", "column-order", order,
        dims = length(order)
    )
    stepsFile(c(all, steps))
}

test_that("columns of every kind keep type and missing values", {
    columns <- list(text = letters[1:4], flag = c(TRUE, FALSE, TRUE, TRUE),
        maybe = c(TRUE, NA, FALSE, TRUE), whole = 1:4,
        lacking = c(1L, NA, 3L, 4L), real = c(1.5, NaN, 3, 4),
        type = factor(c("b", NA, "a", "b"), c("b", "a")),
        rank = factor(c("lo", "hi", "lo", NA), c("lo", "hi"), ordered = TRUE)
    )
    x <- openCells(columnsFile(columns), verbose = FALSE)
    got <- as.list(SummarizedExperiment::colData(x))
    expect_identical(got, columns)
})

test_that("categories before AnnData 0.8 and 0.7 are read", {
    dir <- sharedData("06_h5_fixtures")
    file <- file.path(dir, "anndata_archives/v0.7.0_adata.h5ad")
    frame <- .h5Frame(file, "obs")
    expect_s3_class(frame$data$obs_cat, "factor")
    expect_s3_class(frame$data$cat_ordered, "ordered")
    file <- file.path(dir, "tiledb_soma/f8b5af_categorical_int_nan.h5ad")
    frame <- .h5Frame(file, "obs")
    expect_s3_class(frame$data$categ_int_nan, "factor")
    expect_identical(sum(is.na(frame$data$categ_int_nan)), 80L)
})

test_that("frames that contradict themselves are refused", {
    expect_error(openCells(columnsFile(list(a = 1:4), c("a", "b"))),
        "obs has the column b, which isn't there"
    )
    expect_error(openCells(columnsFile(list(a = 1:3))),
        "3 values in obs/a, and 4 rows in obs"
    )
    expect_error(openCells(stepsFile(without(tinySteps(), "obs/_index"))),
        "has no obs/_index"
    )
    bad <- .putColumn("obs/f", factor(c("a", "b", "a", "b")))
    codes <- vapply(bad, function(s) identical(s$what, "table"), NA)
    bad[[which(codes)[[1L]]]]$data <- c(0L, 7L, 1L, 1L)
    all <- tinySteps()
    which <- vapply(all, function(s) identical(s$attribute, "column-order"), NA)
    all[[which(which)[[1L]]]] <- .putAttribute("obs", "column-order", "f",
        dims = 1
    )
    expect_error(openCells(stepsFile(c(all, bad))),
        "codes in obs/f that stand for none of its 2 categories"
    )
    expect_error(.h5Frame(cellsFile(), "obs", 121L), "120 rows in obs")
})
