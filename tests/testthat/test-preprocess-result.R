## Values and numbers put into the container that was given.

test_that("logarithms of scaled counts are sparse, or delayed as the counts", {
    m <- Matrix::Matrix(c(0, 2, 0, 3, 0, 6), 2, sparse = TRUE,
        dimnames = list(c("a", "b"), c("x", "y", "z")))
    by <- c(1, 2, 0.5)
    want <- log1p(t(t(as.matrix(m)) * by))
    got <- .logCounts(m, by)
    expect_s4_class(got, "dgCMatrix")
    expect_equal(as.matrix(got), want)
    delayed <- .logCounts(DelayedArray::DelayedArray(m), by)
    expect_s4_class(delayed, "DelayedMatrix")
    expect_equal(as.matrix(delayed), want)
})

test_that("an experiment keeps what it had; a matrix becomes one", {
    x <- exampleCells(30, 24)
    run <- function(x, ...) {
        preprocess(x, minGenes = 1, minCells = 1, maxMt = Inf, nTargets = 6,
            verbose = FALSE, ...)
    }
    out <- run(x)
    expect_identical(out$time, x$time)
    expect_identical(S4Vectors::metadata(out)$network,
        S4Vectors::metadata(x)$network)
    expect_identical(SummarizedExperiment::assayNames(out),
        c("counts", "logcounts"))
    chosen <- SummarizedExperiment::rowData(out)$highly_variable
    expect_true(any(chosen) && !all(chosen))
    ## the four factors stay
    some <- run(x, subset = TRUE)
    expect_identical(rownames(some), rownames(out)[chosen | seq_len(24) <= 4])
    bare <- run(SummarizedExperiment::assay(x))
    expect_s4_class(bare, "SingleCellExperiment")
    expect_identical(SummarizedExperiment::assay(bare, "logcounts"),
        SummarizedExperiment::assay(out, "logcounts"))
})
