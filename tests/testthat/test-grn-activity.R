## Regulon activity against its definition in R.

test_that("activity is the score-weighted mean of z over the best targets", {
    grn <- exampleGRN(nCells = 9, nGenes = 30)
    x <- as.matrix(grn@expression)
    z <- (x - rowMeans(x)) / apply(x, 1, sd)
    z[!is.finite(z)] <- 0
    for (top in c(4, 100)) {
        want <- vapply(seq_along(cellNames(grn)), function(c) {
            s <- cellNetwork(grn, c)
            vapply(seq_along(tfNames(grn)), function(i) {
                row <- s[i, ]
                row[[tfNames(grn)[[i]]]] <- 0
                best <- head(order(-row), top)
                if (sum(row[best]) > 0) {
                    sum(row[best] * z[best, c]) / sum(row[best])
                } else {
                    0
                }
            }, numeric(1))
        }, numeric(8))
        got <- regulonActivity(grn, top = top)
        expect_equal(unname(got), want, tolerance = 1e-5)
    }
    expect_identical(dimnames(got), list(tfNames(grn), cellNames(grn)))
    expect_identical(regulonActivity(grn, threads = 1),
        regulonActivity(grn, threads = 2)
    )
})

test_that("strength is the mean score without the self edge", {
    grn <- exampleGRN(nCells = 5)
    got <- regulonActivity(grn, "strength")
    s <- cellNetwork(grn, 4)
    want <- vapply(tfNames(grn), function(t) {
        mean(s[t, colnames(s) != t])
    }, numeric(1))
    expect_equal(got[, 4], want, tolerance = 1e-6)
})

test_that("the example's regulons peak in the order they were made", {
    peak <- max.col(regulonActivity(exampleGRN())[2:8, ])
    expect_false(is.unsorted(peak))
})

test_that("a SingleCellExperiment gets an altExp", {
    grn <- exampleGRN()
    cells <- c(rev(cellNames(grn)), "other")
    sce <- SingleCellExperiment::SingleCellExperiment(list(
        counts = matrix(1, 3, 41, dimnames = list(letters[1:3], cells))
    ))
    expect_warning(out <- regulonActivity(sce, grn), "1 of 41 cells")
    alt <- SingleCellExperiment::altExp(out, "regulons")
    got <- SummarizedExperiment::assay(alt, "activity")
    expect_equal(got[, cellNames(grn)], regulonActivity(grn))
    expect_true(all(is.na(got[, "other"])))
    expect_identical(colnames(out), cells)
    colnames(sce) <- NULL
    expect_error(regulonActivity(sce, grn), "shares no cell names")
    expect_error(regulonActivity(sce), "'grn' is missing")
})

test_that("expression that doesn't vary gives activity 0", {
    grn <- exampleGRN()
    grn@expression <- causeway:::.asSparse(matrix(2.5, 40, 40))
    expect_true(all(regulonActivity(grn) == 0))
    expect_true(all(regulonActivity(grn[1]) == 0))
    expect_error(regulonActivity(grn, top = 0), "'top' must be")
})

test_that("a Seurat object gets an assay", {
    skip_if_not_installed("SeuratObject")
    grn <- exampleGRN()
    counts <- matrix(1, 3, 40, dimnames = list(letters[1:3], cellNames(grn)))
    x <- SeuratObject::CreateSeuratObject(counts = counts)
    out <- regulonActivity(x, grn)
    expect_s4_class(out, "Seurat")
    read <- SeuratObject::GetAssayData
    where <- if ("layer" %in% names(formals(getS3method("GetAssayData",
        "Assay", envir = asNamespace("SeuratObject"))))) "layer" else "slot"
    got <- do.call(read, c(list(out[["regulons"]]),
        stats::setNames(list("data"), where)
    ))
    expect_equal(as.matrix(got), regulonActivity(grn))
    expect_error(regulonActivity(1:3, grn), "must be per-cell networks")
})

test_that("a pooled network needs the cells, and scores them by its targets", {
    cells <- exampleCells()
    grn <- inferGRN(cells, RidgeGRNParam(), nTargets = 30, verbose = FALSE)
    out <- regulonActivity(cells, grn, top = 5)
    got <- SummarizedExperiment::assay(
        SingleCellExperiment::altExp(out, "regulons"), "activity"
    )
    expect_identical(dimnames(got), list(tfNames(grn), colnames(cells)))
    counts <- as.matrix(SummarizedExperiment::assay(cells, "counts"))
    total <- colSums(counts)
    x <- log1p(t(t(counts) / total) * 1e4)[geneNames(grn), ]
    z <- (x - rowMeans(x)) / apply(x, 1, sd)
    s <- as.matrix(grn)
    tf <- tfNames(grn)[[2]]
    w <- s[tf, ]
    w[[tf]] <- 0
    best <- order(-w)[1:5]
    weight <- w[best] * edgeSign(grn)[tf, best] / sum(w[best])
    expect_equal(got[tf, ], colSums(weight * z[best, ]), tolerance = 1e-6)
    ## a matrix of log-normalised values
    m <- regulonActivity(x, grn, top = 5)
    expect_equal(m, got, tolerance = 1e-6)
    expect_equal(regulonActivity(x, grn, "strength")[tf, 1],
        sum(w) / (ncol(s) - 1)
    )
    plain <- regulonActivity(x, grn, top = 5, signed = FALSE)
    expect_equal(plain[tf, ], colSums(w[best] / sum(w[best]) * z[best, ]))
    expect_error(regulonActivity(grn), "give the cells first")
    expect_error(regulonActivity(grn, cells), "give the cells first")
    expect_error(regulonActivity(exampleGRN(), cells), "the cells come first")
    expect_error(regulonActivity(cells, 3), "'grn' must be networks")
    expect_error(regulonActivity(x[-1, ], grn), "lacks genes|row names")
    expect_error(regulonActivity(cells, grn, tops = 3), "tops")
})

test_that("the activity of a file's cells is written block by block", {
    cells <- exampleCells()
    path <- tempfile(fileext = ".h5ad")
    out <- tempfile(fileext = ".h5ad")
    writeH5AD(cells, path, verbose = FALSE)
    on.exit(unlink(c(path, out)))
    grn <- inferGRN(cells, RidgeGRNParam(), nTargets = 30, verbose = FALSE)
    want <- SummarizedExperiment::assay(SingleCellExperiment::altExp(
        regulonActivity(cells, grn, top = 5)))
    old <- options(causeway.blockBytes = 2e4)
    on.exit(options(old), add = TRUE)
    expect_gt(length(.columnChunks(SummarizedExperiment::assay(openCells(path,
        verbose = FALSE)))), 2L)
    memory <- SummarizedExperiment::assay(SingleCellExperiment::altExp(
        regulonActivity(path, grn, top = 5)))
    expect_equal(memory, want, tolerance = 1e-12)
    x <- regulonActivity(path, grn, top = 5, file = out)
    file <- SummarizedExperiment::assay(SingleCellExperiment::altExp(x))
    expect_s4_class(file, "DelayedMatrix")
    expect_identical(as.matrix(file), memory)
    read <- openCells(out, verbose = FALSE)
    expect_identical(dimnames(read), dimnames(want))
    strength <- regulonActivity(path, grn, "strength", file = out,
        overwrite = TRUE)
    expect_equal(as.matrix(SummarizedExperiment::assay(
        SingleCellExperiment::altExp(strength))),
        SummarizedExperiment::assay(SingleCellExperiment::altExp(
            regulonActivity(cells, grn, "strength"))))
    expect_error(regulonActivity(path, grn, file = out), "exists|overwrite")
})
