tenxSteps <- function(types = rep("Gene Expression", 3), shape = c(3, 4)) {
    c(list(.putGroup("matrix"),
        .putTable("matrix/data", as.numeric(1:6), "i32"),
        .putTable("matrix/indices", c(0, 2, 1, 0, 1, 2), "i64"),
        .putTable("matrix/indptr", c(0, 2, 2, 3, 6), "i64"),
        .putTable("matrix/shape", shape, "i32"),
        .putTable("matrix/barcodes", paste0("c", 1:4), "text"),
        .putGroup("matrix/features"),
        .putTable("matrix/features/id", c("g1", "g2", "g3"), "text"),
        .putTable("matrix/features/name", c("A", "B", "C"), "text"),
        .putTable("matrix/features/feature_type", types, "text"),
        .putTable("matrix/features/genome", c("hs", "hs", "mm"), "text")
    ))
}

test_that("version 3: features by their type, one genome on request", {
    x <- openCells(stepsFile(tenxSteps(), ".h5"), verbose = FALSE)
    expect_equal(unname(inMemory(x)), unname(tinyValues))
    expect_identical(rownames(x), c("g1", "g2", "g3"))
    expect_identical(SummarizedExperiment::rowData(x)$Symbol, c("A", "B", "C"))
    file <- stepsFile(tenxSteps(c("Gene Expression", "Peaks",
        "Gene Expression"
    )), ".h5")
    x <- openCells(file, verbose = FALSE)
    expect_identical(rownames(x), c("g1", "g3"))
    expect_identical(SingleCellExperiment::altExpNames(x), "Peaks")
    expect_equal(unname(inMemory(SingleCellExperiment::altExp(x))),
        unname(tinyValues[2, , drop = FALSE])
    )
    expect_equal(unname(inMemory(x)), unname(tinyValues[c(1, 3), ]))
    x <- openCells(stepsFile(tenxSteps(), ".h5"), "mm", FALSE)
    expect_identical(rownames(x), "g3")
    expect_error(openCells(file, "rat", FALSE), "genome")
    expect_error(openCells(cellsFile(), "hs"), "CellRanger only")
})

test_that("version 3 that lies is refused", {
    expect_error(openCells(stepsFile(tenxSteps(shape = c(4, 4)), ".h5")),
        "4 features x 4 cells in matrix, but names of 3 and 4"
    )
    steps <- without(tenxSteps(), c("matrix/features/id",
        "matrix/features/name"
    ))
    expect_error(openCells(stepsFile(steps, ".h5")), "names no features")
})

test_that("folders are read, gzipped or not, and must be whole", {
    dir <- tempfile()
    dir.create(dir)
    m <- methods::as(tinyValues, "dgCMatrix")
    Matrix::writeMM(m, file.path(dir, "matrix.mtx"))
    writeLines(colnames(m), file.path(dir, "barcodes.tsv"))
    expect_error(openCells(dir), "lacks features.tsv")
    con <- gzfile(file.path(dir, "features.tsv.gz"), "w")
    writeLines(paste0(c("g1", "g2", "g3"), "\t", rownames(m),
        "\tGene Expression"
    ), con)
    close(con)
    x <- openCells(dir, verbose = FALSE)
    expect_equal(unname(inMemory(x)), unname(tinyValues))
    expect_identical(rownames(x), c("g1", "g2", "g3"))
    writeLines(colnames(m)[1:3], file.path(dir, "barcodes.tsv"))
    expect_error(openCells(dir, verbose = FALSE),
        "3 x 4, and there are 3 features and 3 barcodes"
    )
    writeLines("%%MatrixMarket nonsense", file.path(dir, "matrix.mtx"))
    expect_error(openCells(dir, verbose = FALSE),
        "no matrix in MatrixMarket format"
    )
    unlink(dir, recursive = TRUE)
})

test_that("CellRanger's own files and folders agree", {
    dir <- sharedData("06_h5_fixtures/cellranger_h5")
    x <- openCells(file.path(dir,
        "anndata_3.0.0_filtered_feature_bc_matrix.h5"
    ), verbose = FALSE)
    y <- openCells(file.path(dir, "mex_3.0.0"), verbose = FALSE)
    expect_identical(dimnames(x), dimnames(y))
    expect_equal(inMemory(x), inMemory(y))
    x <- openCells(file.path(dir,
        "anndata_1.2.0_filtered_gene_bc_matrices_h5.h5"
    ), verbose = FALSE)
    y <- openCells(file.path(dir, "mex_1.2.0_hg19_chr21"), verbose = FALSE)
    expect_equal(inMemory(x), inMemory(y))
})
