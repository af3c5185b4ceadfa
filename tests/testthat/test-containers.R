counts <- function(x) SummarizedExperiment::assay(x, "counts")

test_that("every container gives the same cells", {
    x <- tinyCells()
    model <- tinyModel(x)
    want <- .preprocess(.cellInput(x), model@vocab, model@tfs$human, "train")
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
        got <- .preprocess(.cellInput(y), model@vocab, model@tfs$human, "train")
        expect_equal(got$values, want$values)
        expect_identical(got$labels, want$labels)
        expect_identical(got$cells, want$cells)
    }
})

test_that("an HDF5 assay is read in parts", {
    skip_if_not_installed("HDF5Array")
    x <- tinyCells()
    m <- as.matrix(counts(x))
    h <- HDF5Array::writeHDF5Array(m, tempfile(), "m", with.dimnames = TRUE)
    model <- tinyModel(x)
    want <- .preprocess(.cellInput(x), model@vocab, model@tfs$human, "train")
    parts <- .columnChunks(h, bytes = 8 * nrow(m) * 4)
    expect_length(parts, 6L)
    expect_identical(unlist(parts, use.names = FALSE), seq_len(ncol(m)))
    got <- .preprocess(.cellInput(h), model@vocab, model@tfs$human, "train")
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

test_that("assays are chosen by name, number or default", {
    x <- tinyCells()
    expect_identical(.cellInput(x)$assay, "counts")
    y <- x
    SummarizedExperiment::assayNames(y) <- "fpkm"
    expect_message(i <- .cellInput(y, verbose = TRUE), "fpkm")
    expect_identical(i$assay, "fpkm")
    expect_identical(.cellInput(y, 1)$assay, "fpkm")
    expect_error(.cellInput(y, "counts"), "'assay.type'.*counts.*fpkm")
    expect_error(.cellInput(y, 2), "'assay.type'")
    expect_error(.cellInput(counts(x), "counts"), "no meaning for a matrix")
})

test_that("a Seurat object gives the same cells", {
    skip_if_not_installed("SeuratObject")
    x <- tinyCells()
    s <- suppressWarnings(SeuratObject::CreateSeuratObject(
        counts(x), meta.data = as.data.frame(SummarizedExperiment::colData(x))
    ))
    i <- .cellInput(s)
    expect_equal(as.matrix(i$matrix), as.matrix(counts(x)))
    expect_identical(as.character(i$cellData$group), x$group)
    expect_error(.cellInput(s, "nothing"), "'assay.type' is \"nothing\"")
})

test_that("layers of newer Seurat objects are found by feature", {
    ## A stand-in for SeuratObject 5: Layers() and LayerData() exist.
    ns <- new.env()
    ns$Layers <- function(object) names(object)
    ns$LayerData <- function(object, layer) object[[layer]]
    expect_identical(.seuratLayer(list(counts = 1), "counts", ns), 1)
    expect_identical(.seuratLayer(list(counts.1 = 2), "counts", ns), 2)
    expect_error(
        .seuratLayer(list(counts.1 = 1, counts.2 = 2), "counts", ns),
        "JoinLayers"
    )
    old <- new.env()
    old$GetAssayData <- function(object, slot) object[[slot]]
    expect_identical(.seuratLayer(list(counts = 3), "counts", old), 3)
    mid <- new.env()
    mid$GetAssayData <- function(object, layer) object[[layer]]
    mid$GetAssayData.Assay <- function(object, layer, slot) NULL
    expect_identical(.seuratLayer(list(counts = 4), "counts", mid), 4)
})

test_that("cells without names are numbered", {
    m <- counts(tinyCells())
    colnames(m) <- NULL
    expect_message(i <- .cellInput(m, verbose = TRUE), "cell1")
    expect_identical(i$cells[[2]], "cell2")
})

test_that("symbols may be a column or a vector", {
    x <- tinyCells()
    symbols <- rownames(x)
    rownames(x) <- paste0("row", seq_len(nrow(x)))
    SummarizedExperiment::rowData(x)$mine <- symbols
    expect_identical(.cellInput(x, symbols = "mine")$names, symbols)
    expect_identical(.cellInput(x, symbols = symbols)$names, symbols)
    expect_error(.cellInput(x, symbols = "yours"), "'symbols'.*yours.*mine")
    expect_error(.cellInput(x, symbols = c("a", "b")), "one name per gene")
})
