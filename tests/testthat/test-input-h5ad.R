replaced <- function(...) {
    c(Filter(function(s) !startsWith(s$name, "X"), tinySteps()),
        sparseSteps("X", ...)
    )
}

test_that("X is read by cell, by gene and dense, whatever its type", {
    dense <- c(Filter(function(s) !startsWith(s$name, "X"), tinySteps()),
        .putArray("X", as.numeric(tinyValues), "f64", c(4, 3))
    )
    byGene <- replaced(c(1, 4, 3, 5, 2, 6), c(0L, 3L, 2L, 3L, 0L, 3L),
        c(0, 2, 4, 6), encoding = "csc_matrix"
    )
    for (steps in list(tinySteps(), dense, byGene, replaced(type = "i32"),
        replaced(type = "f64"), replaced(type = "i8"),
        replaced(indices = c(0L, 2L, 1L, 0L, 1L, 2L)[c(2:1, 3:6)],
            data = c(2, 1, 3, 4, 5, 6)))) {
        x <- openCells(stepsFile(steps), verbose = FALSE)
        expect_equal(inMemory(x), tinyValues)
    }
})

test_that("X of truth values (accessibility as yes and no) is read", {
    yes <- tinyValues > 0
    dense <- c(Filter(function(s) !startsWith(s$name, "X"), tinySteps()),
        .putArray("X", as.vector(yes), "flag", c(4, 3))
    )
    for (steps in list(dense, replaced(rep(TRUE, 6), type = "flag"))) {
        x <- openCells(stepsFile(steps), verbose = FALSE)
        expect_equal(inMemory(x), yes * 1)
        expect_identical(SummarizedExperiment::assayNames(x), "counts")
    }
    expect_error(openCells(stepsFile(replaced(letters[1:6], type = "text"))),
        "X/data is no line of numbers"
    )
})

test_that("what lies about X is refused, with file, key and remedy", {
    refused <- function(steps, says) {
        file <- stepsFile(steps)
        expect_error(openCells(file), says)
        expect_error(openCells(file), basename(file))
    }
    refused(replaced(indptr = c(0, 2, 2, 3, 7)), "X/indptr says that cell")
    refused(replaced(indptr = c(0, 3, 2, 3, 6)), "X/indptr gives cell 2 -1")
    refused(replaced(indptr = c(0, 2, 2, 6)), "X/indptr must hold 5")
    refused(replaced(shape = c(5, 3)), "5 cells x 3 genes in X, but 4 rows")
    refused(replaced(shape = 4), "doesn't say how large X is")
    refused(replaced(encoding = "coo"), "encoding.*\"coo\".*csr_matrix\\(")
    refused(Filter(function(s) !startsWith(s$name, "X"), tinySteps()),
        "has no matrix: neither X nor raw/X nor layers"
    )
    refused(without(tinySteps(), "X/indices"), "has no X/indices")
    bad <- stepsFile(replaced(indices = c(0L, 2L, 1L, 0L, 1L, 3L)))
    expect_error(openCells(bad), "X/indices names gene 3 in cell 3")
    bad <- stepsFile(replaced(indices = c(0L, 2L, 1L, 0L, 1L, 1L)))
    expect_error(openCells(bad), "sum_duplicates")
})

test_that("an empty X opens, and verbs say that there are no counts", {
    file <- stepsFile(replaced(numeric(), integer(), rep(0, 5)))
    x <- openCells(file, verbose = FALSE)
    expect_equal(sum(inMemory(x)), 0)
    expect_error(inferGRN(file, CorGRNParam()))
})

test_that("NaN in X is told by the verb", {
    x <- simulateCells(60, seed = 1)
    m <- SummarizedExperiment::assay(x)
    m[1, 1] <- NaN
    SummarizedExperiment::assay(x) <- m
    file <- tempfile(fileext = ".h5ad")
    writeH5AD(x, file)
    expect_error(inferGRN(file, CorGRNParam(), verbose = FALSE),
        "NaN|NA|finite"
    )
})

test_that("raw with other genes stands beside X; it leads where X is scaled", {
    raw <- c(list(.putGroup("raw")), .putDict("raw/var"), list(
        .putAttribute("raw/var", "_index", "_index"),
        .putTable("raw/var/_index", c("A", "B", "C", "D"), "text")
    ), sparseSteps("raw/X", shape = c(4, 4)))
    x <- openCells(stepsFile(c(tinySteps(), raw)), verbose = FALSE)
    expect_identical(SingleCellExperiment::altExpNames(x), "raw")
    expect_identical(dim(x), c(3L, 4L))
    x <- openCells(stepsFile(c(replaced(data = c(-1.5, 2:6)), raw)),
        verbose = FALSE
    )
    expect_identical(SingleCellExperiment::mainExpName(x), "raw")
    expect_identical(SingleCellExperiment::altExpNames(x), "X")
    expect_identical(rownames(x), c("A", "B", "C", "D"))
})

test_that("embeddings and loadings come along, if they have a row each", {
    more <- c(.putDict("obsm"), .putArray("obsm/X_pca", as.numeric(1:8), "f64",
        c(4, 2)), .putArray("obsm/own", as.numeric(1:4), "f64"),
        .putDict("varm"), .putArray("varm/PCs", as.numeric(1:6), "f64", c(3, 2))
    )
    x <- openCells(stepsFile(c(tinySteps(), more)), verbose = FALSE)
    expect_identical(SingleCellExperiment::reducedDimNames(x), c("PCA", "own"))
    expect_equal(unname(SingleCellExperiment::reducedDim(x, "PCA")),
        matrix(as.numeric(1:8), 4, byrow = TRUE)
    )
    expect_identical(dim(S4Vectors::metadata(x)$loadings$PCs), c(3L, 2L))
    bad <- .putArray("obsm/X_pca", as.numeric(1:6), "f64", c(3, 2))
    expect_error(openCells(stepsFile(c(tinySteps(), .putDict("obsm"), bad))),
        "3 rows in obsm/X_pca, and 4 in obs"
    )
})

test_that("modalities become altExps of the cells that all have", {
    mod <- function(name, cells, genes) {
        steps <- lapply(tinySteps(), function(s) {
            s$name <- .h5Path("mod", name, s$name)
            if (grepl("obs/_index$", s$name)) s$data <- cells
            if (grepl("var/_index$", s$name)) s$data <- genes
            s
        })
        c(list(.putGroup(.h5Path("mod", name))), steps)
    }
    file <- stepsFile(c(list(.putGroup("mod")),
        mod("atac", paste0("c", 4:1), paste0("chr1:", 1:3, "-9")),
        mod("rna", paste0("c", c(1:3, 9)), c("A", "B", "C"))
    ), ".h5mu")
    ## MuData has a block of 512 bytes of its own before HDF5's
    bytes <- readBin(file, "raw", file.size(file))
    writeBin(c(charToRaw("MuData"), raw(506), bytes), file)
    x <- openCells(file, verbose = FALSE)
    expect_identical(SingleCellExperiment::mainExpName(x), "rna")
    expect_identical(SingleCellExperiment::altExpNames(x), "atac")
    expect_identical(sort(colnames(x)), c("c1", "c2", "c3"))
    atac <- inMemory(SingleCellExperiment::altExp(x))
    at <- match(colnames(x), paste0("c", 4:1))
    expect_equal(unname(atac), unname(tinyValues[, at]))
    expect_equal(inMemory(x), tinyValues[, colnames(x)])
})

test_that("MuData's own obs and var, and any order of cells, keep pairs right", {
    mod <- function(name, cells, genes) {
        steps <- lapply(tinySteps(), function(s) {
            s$name <- .h5Path("mod", name, s$name)
            if (grepl("obs/_index$", s$name)) s$data <- cells
            if (grepl("var/_index$", s$name)) s$data <- genes
            s
        })
        c(list(.putGroup(.h5Path("mod", name))), steps)
    }
    above <- c(Filter(function(s) !startsWith(s$name, "X"), tinySteps()),
        list(.putGroup("obsm")),
        .putArray("obsm/X_umap", c(1, 2, 3, 4, 5, 6, 7, 8), "f64", c(4, 2)),
        .putArray("obsm/rna", rep(TRUE, 4), "flag")
    )
    peaks <- paste0("chr1:", 1:3, "-9")
    open <- function(rna, atac) {
        openCells(stepsFile(c(above, list(.putGroup("mod")),
            mod("atac", atac, peaks), mod("rna", rna, c("A", "B", "C"))
        ), ".h5mu"), verbose = FALSE)
    }
    c4 <- paste0("c", 1:4)
    for (rna in list(c4, rev(c4), c("c9", "c2", "c1", "c3"))) {
        for (atac in list(c4, rev(c4), c("c3", "c7", "c2", "c4"))) {
            x <- open(rna, atac)
            expect_identical(S4Vectors::metadata(x)$file$kind, "h5mu")
            expect_identical(colnames(x), intersect(rna, atac))
            if (!"c9" %in% colnames(x)) {
                umap <- SingleCellExperiment::reducedDim(x, "UMAP")
                at <- match(colnames(x), c4)
                expect_equal(unname(umap), matrix(1:8, 4, 2, TRUE)[at, ])
            }
            expect_equal(unname(inMemory(x)),
                unname(tinyValues[, match(colnames(x), rna)]))
            expect_equal(unname(inMemory(SingleCellExperiment::altExp(x))),
                unname(tinyValues[, match(colnames(x), atac)]))
        }
    }
    ## a file of AnnData stays one, whatever else is in it
    file <- stepsFile(c(tinySteps(), list(.putGroup("mod"))))
    expect_equal(inMemory(openCells(file, verbose = FALSE)), tinyValues)
})

test_that("files of old and new AnnData give the same kinds of columns", {
    dir <- sharedData("06_h5_fixtures/anndata_archives")
    old <- openCells(file.path(dir, "v0.5.0_adata.h5ad"), verbose = FALSE)
    expect_s3_class(old$bulk_labels, "factor")
    expect_identical(SummarizedExperiment::assayNames(old),
        c("logcounts", "scaled")
    )
    expect_identical(SingleCellExperiment::reducedDimNames(old),
        c("PCA", "UMAP")
    )
    new <- openCells(file.path(dir, "v0.7.8_adata.h5ad"), verbose = FALSE)
    expect_s3_class(new$cat_ordered, "ordered")
    expect_type(new$int64, "integer")
})
