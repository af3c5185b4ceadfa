## Blocks of cells as models and estimators see them.

test_that("blocks are what all cells at once are", {
    x <- simulateCells(120, 40, 6, seed = 5)
    path <- tempfile(fileext = ".h5ad")
    writeH5AD(x, path, verbose = FALSE)
    m <- SummarizedExperiment::assay(x)
    file <- SummarizedExperiment::assay(openCells(path, verbose = FALSE))
    columns <- c(100:31, 2L)
    source <- function(m) list(matrix = m, rows = c(3L, 9L, 20L),
        columns = columns, total = Matrix::colSums(m[, columns]),
        target = 100, logged = FALSE, sanitize = FALSE)
    want <- log1p(100 * t(t(as.matrix(m)[c(3, 9, 20), columns]) /
        colSums(as.matrix(m)[, columns])))
    old <- options(causeway.blockBytes = 1e4)
    on.exit({
        options(old)
        unlink(path)
    })
    of <- source(m)
    of$matrix <- file
    at <- integer()
    parts <- .eachBlock(of, function(x, here) {
        at <<- c(at, here)
        as.matrix(x)
    })
    expect_gt(length(parts), 2L)
    expect_identical(at, seq_along(columns))
    expect_equal(unname(do.call(cbind, parts)), unname(want))
    expect_equal(as.matrix(.sourceValues(of, c(71L, 5L))),
        unname(want[, c(71, 5)]))
    expect_equal(as.matrix(.sourceValues(source(methods::as(m,
        "CsparseMatrix")))), unname(want))
})
