## Containers, their modalities and assays.

counts <- function(x) SummarizedExperiment::assay(x, "counts")

test_that("a container is known by its class, those that extend it too", {
    x <- tinyCells()
    m <- counts(x)
    expect_identical(.kindOf(x), "SingleCellExperiment")
    for (y in list(m, as.matrix(m), DelayedArray::DelayedArray(m),
        methods::as(m, "TsparseMatrix"))) {
        expect_identical(.kindOf(y), "matrix")
    }
    y <- SummarizedExperiment::SummarizedExperiment(list(counts = m))
    expect_identical(.kindOf(y), "SummarizedExperiment")
    expect_true(.isExperiment(x) && .isExperiment(y) && !.isExperiment(m))
    expect_identical(.kindOf(as.data.frame(as.matrix(m))), "other")
    expect_identical(.kindOf(NULL), "other")
})

test_that("the main experiment and the others are modalities by name", {
    x <- tinyCells()
    adt <- SummarizedExperiment::SummarizedExperiment(
        list(counts = matrix(1, 2, ncol(x), dimnames = list(c("a", "b"), NULL)))
    )
    SingleCellExperiment::altExp(x, "ADT") <- adt
    found <- .modalities(x)
    expect_identical(names(found$parts), c("main", "ADT"))
    expect_identical(found$main, "main")
    expect_identical(found$parts$ADT$features, c("a", "b"))
    SingleCellExperiment::mainExpName(x) <- "RNA"
    expect_identical(.modalities(x)$main, "RNA")
    expect_identical(.readPart(.modalities(x)$parts$RNA)$cells, colnames(x))
})

test_that("reductions are found whatever their capitals, if one only is", {
    part <- list(reductions = list(UMAP = function() 1, PCA = function() 2,
        pca = function() 3))
    expect_identical(.reductionOf(part, "umap"), 1)
    expect_identical(.reductionOf(part, "PCA"), 2)
    expect_null(.reductionOf(part, "Pca"))
    expect_null(.reductionOf(part, "tsne"))
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

test_that("what is no container is refused with what to do", {
    m <- as.matrix(counts(tinyCells()))
    expect_error(.readCells(as.data.frame(m)), "it is a data.frame.*as.matrix")
    table <- data.frame(gene = rownames(m), m)
    expect_error(.readCells(table), "first column holds text.*rownames")
    expect_error(.readCells(S4Vectors::DataFrame(m)), "as.matrix")
    file <- tempfile()
    file.create(file)
    expect_error(.readCells(file), "is empty \\(0 bytes\\)")
    expect_error(.readCells(list(m)), "it is a list")
    expect_error(.readCells(m + 0i), "must hold numbers.*complex")
})
