loomSteps <- function() {
    list(.putTable("matrix", as.numeric(t(tinyValues)), "f32", c(3, 4)),
        .putGroup("layers"),
        .putTable("layers/spliced", as.numeric(t(tinyValues)), "i32", c(3, 4)),
        .putGroup("row_attrs"),
        .putTable("row_attrs/Gene", c("A", "B", "C"), "text"),
        .putTable("row_attrs/Accession", c("g1", "g2", "g3"), "text"),
        .putGroup("col_attrs"),
        .putTable("col_attrs/CellID", paste0("c", 1:4), "text"),
        .putTable("col_attrs/batch", c(1, 1, 2, 2), "i32"),
        .putTable("col_attrs/PCA", as.numeric(1:8), "f64", c(4, 2))
    )
}

test_that("loom files are read with layers and attributes", {
    x <- openCells(stepsFile(loomSteps(), ".loom"), verbose = FALSE)
    expect_identical(SummarizedExperiment::assayNames(x),
        c("counts", "spliced")
    )
    for (i in 1:2) {
        expect_equal(unname(inMemory(x, i)), unname(tinyValues))
    }
    expect_identical(rownames(x), c("g1", "g2", "g3"))
    expect_identical(colnames(x), paste0("c", 1:4))
    expect_identical(x$batch, c(1L, 1L, 2L, 2L))
    expect_identical(SingleCellExperiment::reducedDimNames(x), "PCA")
    expect_equal(unname(as.matrix(SummarizedExperiment::assay(x)[3:2, 4:3])),
        unname(tinyValues[3:2, 4:3])
    )
})

test_that("attributes of the wrong length are refused", {
    steps <- loomSteps()
    steps[[9L]] <- .putTable("col_attrs/batch", c(1, 1, 2), "i32")
    expect_error(openCells(stepsFile(steps, ".loom")),
        "3 values in col_attrs/batch, and 4"
    )
    steps <- without(loomSteps(), c("col_attrs/CellID"))
    x <- openCells(stepsFile(steps, ".loom"), verbose = FALSE)
    expect_null(colnames(x))
})
