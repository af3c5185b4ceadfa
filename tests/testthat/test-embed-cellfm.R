cells <- exampleCells(nCells = 30, nGenes = 40)
model <- tinyCellFM(cells)
vectors <- function(x, m = model, ...) {
    SingleCellExperiment::reducedDim(
        embedCells(x, m, verbose = FALSE, ...), "CellFM"
    )
}

test_that("golden slots give the golden values and classes", {
    golden <- loadModel(cellfmFolder(), threads = 1)
    of <- function(name) goldenTensor("cellfm_pt_a", name)
    found <- causeway:::.engineRun(golden, "predict", list(
        gene = apply(t(of("nonz_gene")), 2, as.integer),
        data = aperm(of("masked_nzdata"), 3:1), zero = t(of("zero_idx"))
    ), list(gene = TRUE, cell = TRUE, class = TRUE))
    expect_equal(t(found$gene), of("expect.gw_pred"), tolerance = 1e-4)
    expect_equal(t(found$cell), of("expect.cw_pred"), tolerance = 1e-4)
    expect_equal(t(found$class), of("expect.labelpred1"), tolerance = 1e-4)
})

test_that("states of genes are golden, and each cell's own", {
    golden <- loadModel(cellfmFolder(), threads = 1)
    of <- function(name) goldenTensor("cellfm_pt_a", name)
    found <- goldenStates(golden, list(gene = of("nonz_gene"),
        data = aperm(of("masked_nzdata"), 3:1), zero = t(of("zero_idx"))))
    expect_equal(found, of("expect.layer1")[, -1L, ], tolerance = 1e-5)
    expectStates(cells, model, 16)
})

test_that("gene vectors are rows of the table", {
    golden <- loadModel(cellfmFolder("cellfm_b"), threads = 1)
    said <- causeway:::.engineRun(golden, "genes", list(token = 0:3))
    expect_equal(t(said$gene), modelTensor(golden, "gene_emb")[1:4, ],
        ignore_attr = TRUE)
    expect_identical(dim(embedGenes(golden)), c(61L, 24L))
    genes <- embedGenes(c("G2", "none"), golden)
    expect_equal(genes[1, ], modelTensor(golden, "gene_emb")[3, ])
    expect_identical(attr(genes, "missing"), "none")
})

test_that("a vector depends on the cell alone", {
    whole <- vectors(cells)
    expect_identical(dim(whole), c(30L, 16L))
    expect_equal(whole[7:9, ], vectors(cells[, 7:9]), tolerance = 1e-5,
        ignore_attr = TRUE)
    expect_equal(whole, vectors(cells, batchSize = 3), tolerance = 1e-5)
    double <- cells
    SingleCellExperiment::counts(double) <-
        2 * SingleCellExperiment::counts(cells)
    expect_equal(whole, vectors(double), tolerance = 1e-5)
    unit <- vectors(cells, unit = TRUE)
    expect_equal(unname(rowSums(unit^2)), rep(1, 30), tolerance = 1e-5)
    few <- vectors(cells, maxLength = 5)
    expect_false(isTRUE(all.equal(few, whole, tolerance = 1e-3)))
    expect_identical(few, vectors(cells, maxLength = 5))
    expect_false(identical(few, vectors(cells, maxLength = 5, seed = 2)))
})

test_that("logarithms are refused unless they are said", {
    counts <- as.matrix(SingleCellExperiment::counts(cells))
    logged <- log1p(sweep(counts, 2, colSums(counts), "/") * 1e4)
    expect_error(embedCells(logged, model, verbose = FALSE),
        "looks log-normalised")
    for (value in c(NA, -1)) {
        odd <- counts
        odd[2, 2] <- value
        expect_error(embedCells(odd, model, verbose = FALSE),
            "'x' has (1 value that is NA|negative values)")
    }
    expect_equal(embedCells(logged, model, alreadyNormalised = TRUE,
        verbose = FALSE), vectors(cells), tolerance = 1e-4,
        ignore_attr = TRUE)
    expect_error(embedCells(counts * 100, model, alreadyNormalised = TRUE,
        verbose = FALSE), "stay below 50")
    names <- counts
    rownames(names) <- paste0("X", seq_len(40))
    expect_error(embedCells(names, model, verbose = FALSE), "vocabulary")
})
