reconcileCounts <- function() {
    matrix(as.integer(c(1, 2, 3, 4, 5, 10, 20, 30, 40, 50, 0, 0, 7, 0, 9)), 5,
        dimnames = list(c("KMT2A", "nothing", "MLL", "MYC", "CXXC7"),
            c("a", "b", "c")
        )
    )
}

test_that("rows of one gene are added up in every kind of matrix", {
    m <- reconcileCounts()
    want <- rbind(KMT2A = m[1, ] + m[3, ] + m[5, ], MYC = m[4, ])
    got <- reconcileGenes(m)
    expect_identical(got, want)
    sparse <- methods::as(m * 1, "CsparseMatrix")
    got <- reconcileGenes(sparse)
    expect_s4_class(got, "CsparseMatrix")
    expect_equal(as.matrix(got), want)
    skip_if_not_installed("HDF5Array")
    disk <- methods::as(m, "HDF5Array")
    dimnames(disk) <- dimnames(m)
    got <- reconcileGenes(disk)
    expect_s4_class(got, "DelayedMatrix")
    expect_equal(as.matrix(got), want)
    kept <- reconcileGenes(m, lost = "keep")
    expect_identical(rownames(kept), c("KMT2A", "nothing", "MYC"))
    expect_identical(kept["nothing", ], m["nothing", ])
})

test_that("a SingleCellExperiment keeps what can be kept, with a report", {
    m <- reconcileCounts()
    sce <- SingleCellExperiment::SingleCellExperiment(
        list(counts = m, logcounts = log1p(m)),
        rowData = S4Vectors::DataFrame(id = letters[1:5], old = rownames(m)),
        colData = S4Vectors::DataFrame(day = 1:3)
    )
    expect_warning(out <- reconcileGenes(sce), "logcounts can't be added up")
    expect_identical(SummarizedExperiment::assayNames(out), "counts")
    expect_identical(SummarizedExperiment::assay(out, "counts"),
        reconcileGenes(m)
    )
    expect_identical(SummarizedExperiment::rowData(out)$id, c("a", "d"))
    expect_identical(out$day, 1:3)
    report <- S4Vectors::metadata(out)$reconcileGenes
    expect_identical(report$table$merged, c(TRUE, FALSE, TRUE, FALSE, TRUE))
    expect_identical(report$summary[["lost"]], 1L)
    ## nothing to merge: every assay stays
    few <- reconcileGenes(sce[3:4, ])
    expect_identical(SummarizedExperiment::assayNames(few),
        c("counts", "logcounts")
    )
    expect_identical(rownames(few), c("KMT2A", "MYC"))
    rownames(sce) <- NULL
    expect_identical(
        rownames(suppressWarnings(reconcileGenes(sce, symbols = "old"))),
        c("KMT2A", "MYC")
    )
    expect_error(reconcileGenes(sce, symbols = "new"), "'symbols' is \"new\"")
})

test_that("a Seurat object is made anew from its counts", {
    skip_if_not_installed("SeuratObject")
    m <- reconcileCounts()
    x <- suppressWarnings(SeuratObject::CreateSeuratObject(
        methods::as(m * 1, "CsparseMatrix")
    ))
    x$day <- 1:3
    out <- suppressWarnings(reconcileGenes(x))
    expect_s4_class(out, "Seurat")
    expect_identical(rownames(out), c("KMT2A", "MYC"))
    expect_equal(unname(out$day), 1:3)
    expect_equal(
        as.matrix(SeuratObject::GetAssayData(out, slot = "counts")),
        reconcileGenes(m * 1)
    )
})
