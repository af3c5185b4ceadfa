counts <- function(x) SummarizedExperiment::assay(x, "counts")

test_that("a Seurat object gives the same cells", {
    skip_if_not_installed("SeuratObject")
    x <- tinyCells()
    s <- suppressWarnings(SeuratObject::CreateSeuratObject(
        counts(x), meta.data = as.data.frame(SummarizedExperiment::colData(x))
    ))
    i <- .readCells(s)
    expect_equal(as.matrix(i$matrix), as.matrix(counts(x)))
    expect_identical(as.character(i$cellData$group), x$group)
    expect_error(.readCells(s, .inputArgs("nothing")), "'assay.type' is \"nothing\"")
})

test_that("layers of newer Seurat objects are found by feature", {
    ## A stand-in for SeuratObject 5: Layers() and LayerData() exist.
    ns <- new.env()
    ns$Layers <- function(object) names(object)
    ns$LayerData <- function(object, layer) object[[layer]]
    expect_identical(.seuratLayer(list(counts = 1), "counts", ns), 1)
    part <- function(genes, cells) {
        Matrix::Matrix(matrix(seq_len(length(genes) * length(cells)) + 0,
            length(genes), dimnames = list(genes, cells)
        ), sparse = TRUE)
    }
    one <- part(c("A", "B"), c("c1", "c2"))
    expect_identical(.seuratLayer(list(counts.1 = one), "counts", ns), one)
    ## split layers are joined; a gene that a layer lacks is 0 there
    two <- part(c("B", "C"), "c3")
    joined <- .seuratLayer(list(counts.1 = one, counts.x.2 = two), "counts", ns)
    expect_equal(as.matrix(joined), matrix(c(1, 2, 0, 3, 4, 0, 0, 1, 2), 3,
        dimnames = list(c("A", "B", "C"), c("c1", "c2", "c3"))
    ))
    expect_identical(
        colnames(.joinLayers(list(one, two), c("c3", "c1", "c2"))),
        c("c3", "c1", "c2")
    )
    old <- new.env()
    old$GetAssayData <- function(object, slot) object[[slot]]
    expect_identical(.seuratLayer(list(counts = 3), "counts", old), 3)
    mid <- new.env()
    mid$GetAssayData <- function(object, layer) object[[layer]]
    mid$GetAssayData.Assay <- function(object, layer, slot) NULL
    expect_identical(.seuratLayer(list(counts = 4), "counts", mid), 4)
})

test_that("a Seurat object gives its assays", {
    skip_if_not_installed("SeuratObject")
    d <- tauCounts()
    rownames(d$atac) <- gsub(":", "-", rownames(d$atac), fixed = TRUE)
    x <- suppressWarnings(SeuratObject::CreateSeuratObject(d$rna))
    x[["peaks"]] <- suppressWarnings(
        SeuratObject::CreateAssayObject(counts = d$atac)
    )
    got <- .readPairs(x)
    expect_equal(as.matrix(got$rna), as.matrix(d$rna))
    expect_equal(as.matrix(got$atac), as.matrix(d$atac))
    expect_error(.readPairs(x, "RNB"), "isn't an assay")
    x[["peaks"]] <- NULL
    expect_error(.readPairs(x), "no chromatin: none of its assays .RNA. has")
    file <- sharedData("02_multiome", "signac_atac_small", "atac_small.rda")
    e <- new.env()
    load(file, e)
    ## Signac isn't here: its assay is read all the same
    expect_error(suppressWarnings(.readPairs(get(ls(e)[[1L]], e))),
        "100 cells.*at least 200"
    )
})
