skip_if_not_installed("rhdf5")
cells <- exampleCells(nCells = 30, nGenes = 40)
model <- tinyScGPT(cells)
hyena <- tinyHyena()
set.seed(1)
genome <- c(chr1 = paste(sample(c("A", "C", "G", "T"), 900, TRUE),
    collapse = ""))
peaks <- sprintf("chr1:%d-%d", seq(1, 801, 100), seq(60, 860, 100))
open <- matrix(rpois(9 * 30, 1) + 1, 9, dimnames = list(peaks, colnames(cells)))
both <- cells
SingleCellExperiment::altExp(both, "ATAC") <-
    SummarizedExperiment::SummarizedExperiment(list(counts = open))

test_that("the file holds what the verbs give, and goes on after a stop", {
    file <- tempfile(fileext = ".h5")
    run <- function(...) precomputeEmbeddings(both, file, rna = model,
        atac = hyena, genome = genome, verbose = FALSE, ...)
    run(blockSize = 7)
    e <- readEmbeddings(file)
    want <- SingleCellExperiment::reducedDim(
        embedCells(cells, model, verbose = FALSE), "scGPT")
    expect_equal(e$rna, want, tolerance = 1e-6, ignore_attr = TRUE)
    expect_identical(rownames(e$rna), colnames(cells))
    expect_equal(e$atac, embedATAC(open, genome, hyena, verbose = FALSE),
        tolerance = 1e-6, ignore_attr = TRUE)
    expect_equal(e$genes, embedGenes(cells, model), tolerance = 1e-6,
        ignore_attr = TRUE)
    ## as a kill between two blocks leaves it
    rhdf5::h5write(14L, file, "rnaDone")
    zero <- matrix(0, 16, 16)
    rhdf5::h5write(zero, file, "rna", index = list(NULL, 15:30))
    expect_error(readEmbeddings(file), "14 of 30 cells")
    run(blockSize = 7)
    expect_equal(readEmbeddings(file), e)
    expect_error(precomputeEmbeddings(cells, file, rna = tinyScGPT(cells,
        seed = 9), verbose = FALSE), "other embeddings")
    precomputeEmbeddings(cells, file, rna = model, overwrite = TRUE,
        verbose = FALSE)
    expect_null(readEmbeddings(file)$atac)
})

test_that("what isn't such a file, or nothing to do, is refused", {
    expect_error(precomputeEmbeddings(cells, tempfile()), "nothing to do")
    expect_error(precomputeEmbeddings(both, tempfile(), atac = hyena),
        "'genome' is missing")
    other <- tempfile()
    writeLines("text", other)
    expect_error(readEmbeddings(other), "no file of")
    expect_error(precomputeEmbeddings(cells, other, rna = model,
        verbose = FALSE), "or something else")
})

test_that("encoders stand in for embeddings of delays", {
    input <- list(rna = SummarizedExperiment::assay(cells), atac = open,
        genes = rownames(cells), cells = colnames(cells))
    z <- causeway:::.encoderEmbedding(input, model, "rna", NULL)
    expect_identical(dim(z), c(30L, 16L))
    expect_error(causeway:::.encoderEmbedding(input, hyena, "atac", NULL),
        "no part 'genome'")
    expect_error(causeway:::.encoderEmbedding(input, model, "atac", genome),
        "must be HyenaDNA")
    z <- causeway:::.encoderEmbedding(input, hyena, "atac", genome)
    expect_identical(dim(z), c(30L, 8L))
    e <- causeway:::.tauGeneEmbedding(input, model)
    expect_identical(dim(e), c(40L, 16L))
})
