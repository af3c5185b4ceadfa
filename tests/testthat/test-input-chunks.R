counts <- function(x) SummarizedExperiment::assay(x, "counts")

test_that("an HDF5 assay is read in parts", {
    skip_if_not_installed("HDF5Array")
    x <- tinyCells()
    m <- as.matrix(counts(x))
    h <- HDF5Array::writeHDF5Array(m, tempfile(), "m", with.dimnames = TRUE)
    model <- tinyModel(x)
    want <- .preprocess(.readCells(x), model@vocab, model@tfs$human, "train")
    parts <- .columnChunks(h, bytes = 8 * nrow(m) * 4)
    expect_length(parts, 6L)
    expect_identical(unlist(parts, use.names = FALSE), seq_len(ncol(m)))
    got <- .preprocess(.readCells(h), model@vocab, model@tfs$human, "train")
    expect_equal(got$values, want$values)
})

test_that("chunks cover the columns once, in order, and agree", {
    m <- matrix(as.numeric(1:35), 5)
    for (bytes in c(1, 80, 200, 1e9)) {
        parts <- .columnChunks(m, c(2L, 3L, 5L, 7L), bytes = bytes)
        expect_identical(
            unlist(parts, use.names = FALSE), c(2L, 3L, 5L, 7L)
        )
    }
    expect_equal(as.matrix(.columnChunk(m, 2:3, c(1L, 4L))), m[c(1, 4), 2:3])
})

test_that("columns are bound as cbind() binds them", {
    m <- methods::as(Matrix::rsparsematrix(6, 9, 0.4), "CsparseMatrix")
    dimnames(m) <- list(letters[1:6], LETTERS[1:9])
    parts <- lapply(list(1:3, 4L, 5:9), function(at) m[, at, drop = FALSE])
    expect_identical(.bindColumns(parts), m)
    expect_identical(.bindColumns(parts[2]), m[, 4, drop = FALSE])
    colnames(parts[[2L]]) <- NULL
    names <- list(letters[1:6], NULL)
    dimnames(m) <- names
    expect_identical(.bindColumns(parts), m)
})
