## A file of counts by gene, of more than one block.

cscFile <- function(m, whole = FALSE) {
    path <- tempfile(fileext = ".h5ad")
    sce <- SingleCellExperiment::SingleCellExperiment(list(counts = m))
    writeH5AD(sce, path, verbose = FALSE)
    byGene <- Matrix::t(m)
    rhdf5::h5delete(path, "X")
    type <- if (whole) "i32" else "f64"
    .h5Put(path, c(list(.putGroup("X")),
        .putEncoding("X", "csc_matrix", "0.1.0"),
        list(.putAttribute("X", "shape", as.numeric(dim(byGene)), "i64", 2),
            .putTable("X/data", byGene@x, type),
            .putTable("X/indices", byGene@i, "i32"),
            .putTable("X/indptr", as.numeric(byGene@p), "i64"))))
    path
}

test_that("counts by gene are turned once and read by cell", {
    set.seed(1)
    m <- methods::as(Matrix::rsparsematrix(30, 200, 0.2,
        rand.x = function(n) rpois(n, 3) + 1), "CsparseMatrix")
    m[, 17] <- 0
    m[5, ] <- 0
    m <- Matrix::drop0(m)
    dimnames(m) <- list(paste0("g", 1:30), paste0("c", 1:200))
    for (whole in c(FALSE, TRUE)) {
        path <- cscFile(m, whole)
        x <- SummarizedExperiment::assay(openCells(path, verbose = FALSE))
        seed <- .fileView(x)$seed
        expect_false(seed@layout$byCell)
        ## one block: nothing is turned
        expect_length(.columnChunks(x, bytes = 1e8), 1L)
        expect_identical(.byCellSeed(seed), seed)
        expect_message(parts <- .columnChunks(x, bytes = 2e4),
            "stored by gene. They are turned once")
        expect_gt(length(parts), 3L)
        expect_true(.byCellSeed(seed)@layout$byCell)
        expect_identical(.byCellSeed(seed)@layout$entries, seed@layout$entries)
        expect_silent(again <- .columnChunks(x, bytes = 2e4))
        expect_identical(again, parts)
        got <- .bindColumns(lapply(parts, function(p) .columnChunk(x, p)))
        expect_equal(got, m)
        expect_equal(as.matrix(.columnChunk(x, c(9L, 3L, 100L), c(7L, 2L))),
            as.matrix(m[c(7, 2), c(9, 3, 100)]))
        unlink(path)
        expect_error(.columnChunk(x, 1:2), "is gone")
        unlink(.byCellSeed(seed)@file)
        expect_identical(.byCellSeed(seed), seed)
    }
})

test_that("an index that is no cell is said of the gene it is in", {
    m <- methods::as(matrix(1, 4, 60), "CsparseMatrix")
    dimnames(m) <- list(paste0("g", 1:4), paste0("c", 1:60))
    path <- cscFile(m)
    rhdf5::h5write(99L, path, "X/indices", start = 70, count = 1)
    seed <- .cellSeed(path, list(name = "X", sparse = TRUE, byCell = FALSE,
        cells = 60L, genes = 4L))
    before <- list.files(tempdir())
    expect_error(suppressMessages(.turnSeed(seed, 60, 1e3)),
        "names cell 99 in gene")
    expect_identical(list.files(tempdir()), before)
    unlink(path)
})
