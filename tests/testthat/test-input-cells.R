counts <- function(x) SummarizedExperiment::assay(x, "counts")

test_that("every container gives the same cells", {
    x <- tinyCells()
    model <- tinyModel(x)
    want <- .preprocess(.readCells(x), model@vocab, model@tfs$human, "train")
    m <- counts(x)
    delayed <- x
    SummarizedExperiment::assay(delayed, "counts") <-
        DelayedArray::DelayedArray(as.matrix(m))
    sparseDelayed <- x
    SummarizedExperiment::assay(sparseDelayed, "counts") <-
        DelayedArray::DelayedArray(m)
    triplet <- methods::as(m, "TsparseMatrix")
    integers <- as.matrix(m)
    storage.mode(integers) <- "integer"
    for (y in list(
        m, as.matrix(m), integers, triplet, DelayedArray::DelayedArray(m),
        delayed, sparseDelayed,
        SummarizedExperiment::SummarizedExperiment(list(counts = m))
    )) {
        got <- .preprocess(.readCells(y), model@vocab, model@tfs$human, "train")
        expect_equal(got$values, want$values)
        expect_identical(got$labels, want$labels)
        expect_identical(got$cells, want$cells)
    }
})

test_that("assays are chosen by name, number or default", {
    x <- tinyCells()
    expect_identical(.readCells(x)$assay, "counts")
    y <- x
    SummarizedExperiment::assayNames(y) <- "fpkm"
    expect_message(i <- .readCells(y, verbose = TRUE), "fpkm")
    expect_identical(i$assay, "fpkm")
    expect_identical(.readCells(y, .inputArgs(1))$assay, "fpkm")
    expect_error(.readCells(y, .inputArgs("counts")), "'assay.type'.*counts.*fpkm")
    expect_error(.readCells(y, .inputArgs(2)), "'assay.type'")
    expect_error(.readCells(counts(x), .inputArgs("counts")), "no meaning for a matrix")
})

test_that("cells without names are numbered", {
    m <- counts(tinyCells())
    colnames(m) <- NULL
    expect_message(i <- .readCells(m, verbose = TRUE), "cell1")
    expect_identical(i$cells[[2]], "cell2")
})

test_that("symbols may be a column or a vector", {
    x <- tinyCells()
    symbols <- rownames(x)
    rownames(x) <- paste0("row", seq_len(nrow(x)))
    SummarizedExperiment::rowData(x)$mine <- symbols
    expect_identical(.readCells(x, .inputArgs(symbols = "mine"))$names, symbols)
    expect_identical(.readCells(x, .inputArgs(symbols = symbols))$names, symbols)
    expect_error(.readCells(x, .inputArgs(symbols = "yours")), "'symbols'.*yours.*mine")
    expect_error(.readCells(x, .inputArgs(symbols = c("a", "b"))), "one name per gene")
})
