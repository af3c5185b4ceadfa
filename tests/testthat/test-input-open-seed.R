seedOf <- function() {
    SummarizedExperiment::assay(openCells(stepsFile(tinySteps()),
        verbose = FALSE
    ), withDimnames = FALSE)
}

test_that("blocks are read in any order, with repeats", {
    m <- seedOf()
    want <- unname(tinyValues)
    seed <- DelayedArray::seed(m)
    expect_equal(unname(as.matrix(m)), want)
    for (genes in list(NULL, 3:1, c(2L, 2L, 1L), 2L)) {
        for (cells in list(NULL, 4:1, c(3L, 1L, 3L), 2L)) {
            got <- .readSeed(seed, genes, cells)
            rows <- if (is.null(genes)) 1:3 else genes
            columns <- if (is.null(cells)) 1:4 else cells
            expect_equal(unname(as.matrix(got)),
                want[rows, columns, drop = FALSE]
            )
        }
    }
    expect_identical(dim(as.matrix(m[, integer()])), c(3L, 0L))
})

test_that("chunks of a chosen part are read from the file at once", {
    m <- seedOf()[c(3L, 1L), 4:2]
    dimnames(m) <- list(c("C", "A"), c("c4", "c3", "c2"))
    want <- tinyValues[c("C", "A"), c("c4", "c3", "c2")]
    expect_equal(as.matrix(.fileColumns(m, 1:3)), want)
    expect_equal(as.matrix(.columnChunk(m, c(3L, 1L), 2L)),
        want[2L, c(3L, 1L), drop = FALSE]
    )
    expect_null(.fileColumns(m * 2, 1:3))
    expect_equal(as.matrix(.columnChunk(m * 2, 1:3)), 2 * want)
    expect_true(DelayedArray::is_sparse(m))
    expect_equal(as.matrix(methods::as(m, "dgCMatrix")), want)
})

test_that("blocks take the bytes that are asked for", {
    m <- openCells(cellsFile(), verbose = FALSE)
    m <- SummarizedExperiment::assay(m)
    expect_length(.columnChunks(m), 1L)
    expect_gt(length(.columnChunks(m, bytes = 1e5)), 2L)
    expect_gt(.fileWidth(m, 2e5, ncol(m)), .fileWidth(m, 1e5, ncol(m)))
})

test_that("a file that changed or went is told", {
    file <- stepsFile(tinySteps())
    x <- openCells(file, verbose = FALSE)
    Sys.setFileTime(file, Sys.time() + 60)
    expect_error(inMemory(x), "has changed since it was opened")
    unlink(file)
    expect_error(inMemory(x), "is gone")
})

test_that("a seed shows where it is", {
    expect_output(show(DelayedArray::seed(seedOf())),
        "3 genes x 4 cells, 6 values, stored by cell"
    )
})
