test_that("assays are named by what they hold", {
    kind <- function(data, type = "f32") {
        steps <- c(Filter(function(s) !startsWith(s$name, "X"), tinySteps()),
            sparseSteps("X", data, type = type)
        )
        x <- openCells(stepsFile(steps), verbose = FALSE)
        SummarizedExperiment::assayNames(x)
    }
    expect_identical(kind(c(1, 2, 3, 4, 5, 6)), "counts")
    expect_identical(kind(c(1, 2, 3, 4, 5, 6), "i32"), "counts")
    expect_identical(kind(c(1.5, 2, 3, 4, 5, 6)), "logcounts")
    expect_identical(kind(c(1.5, 2, 300, 4, 5, 6)), "normcounts")
    expect_identical(kind(c(-1.5, 2, 3, 4, 5, 6)), "scaled")
    expect_identical(kind(c(NaN, 2, 3, 4, 5, 6)), "counts")
})

test_that("counts come first and scaled values last", {
    steps <- c(tinySteps(), .putDict("layers"),
        sparseSteps("layers/spliced"), sparseSteps("layers/scaled")
    )
    x <- openCells(stepsFile(steps), verbose = FALSE)
    expect_identical(SummarizedExperiment::assayNames(x),
        c("counts", "spliced", "scaled")
    )
})

test_that("contents are a report", {
    report <- fileContents(cellsFile())
    expect_s4_class(report, "CausewayReport")
    expect_match(verdict(report)$text[[1L]], "120 cells x 140 genes")
    contents <- as.data.frame(report)
    expect_identical(contents$name[contents$what == "assay"], "counts")
    expect_match(contents$how, "sparse, by cell")
    columns <- as.data.frame(report, which = "columns")
    expect_true(all(c("context", "species", "tf") %in% columns$column))
    expect_output(show(report), "counts")
})
