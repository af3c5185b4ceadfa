cells <- exampleCells(nCells = 30, nGenes = 40)
model <- tinyKCellFM(cells)
vectors <- function(x, ..., m = model) {
    SingleCellExperiment::reducedDim(embedCells(x, m, ..., verbose = FALSE),
        "KCellFM")
}

test_that("golden vectors of cells come out of published weights", {
    folder <- kcellfmFolder("kcfm_tune_a")
    golden <- loadModel(folder, threads = 1)
    want <- goldenTensor("kcfm_tune_a", "expect.cell_emb")
    src <- goldenTensor("kcfm_tune_a", "src")[1, , ]
    values <- goldenTensor("kcfm_tune_a", "values")[1, , ]
    pad <- goldenTensor("kcfm_tune_a", "src_key_padding_mask")[1, , ]
    for (i in seq_len(nrow(src))) {
        token <- src[i, -1L][pad[i, -1L] == 0]
        x <- list(counts = Matrix::Matrix(values[i, -1L][pad[i, -1L] == 0],
            ncol = 1, sparse = TRUE), token = as.integer(token))
        got <- .engineRun(golden, "embed", x, c(.kcellfmReading(2049, NULL,
            TRUE, TRUE)))$cell
        expect_equal(as.vector(got), want[i, ], tolerance = 1e-4)
    }
})

test_that("a cell's vector is its own", {
    all <- vectors(cells)
    expect_identical(dim(all), c(30L, 16L))
    expect_equal(vectors(cells[, 7:9]), all[7:9, ], tolerance = 1e-5,
        ignore_attr = "coverage")
    expect_equal(vectors(cells, batchSize = 3), all, tolerance = 1e-5)
    ## depth plays no part; logarithms of the genes known are the same
    counts <- SummarizedExperiment::assay(cells)
    deep <- cells
    SummarizedExperiment::assay(deep) <- counts * 2
    expect_equal(vectors(deep), all, tolerance = 1e-5)
    logs <- log1p(1e4 * sweep(as.matrix(counts), 2L, Matrix::colSums(counts),
        "/"))
    logged <- embedCells(logs, model, alreadyNormalised = TRUE, verbose = FALSE)
    expect_equal(unname(logged), unname(all), tolerance = 1e-4,
        ignore_attr = TRUE)
    expect_error(embedCells(logs, model, verbose = FALSE), "log-normalised")
    ## the order of genes does
    expect_gt(max(abs(vectors(cells[40:1, ]) - all)), 1e-3)
    ## few places: the same genes unless a seed draws
    expect_equal(vectors(cells, maxLength = 9), vectors(cells, maxLength = 9))
    expect_false(isTRUE(all.equal(vectors(cells, maxLength = 9, seed = 1),
        vectors(cells, maxLength = 9, seed = 2))))
    expect_gt(max(abs(vectors(cells, zeros = TRUE) - all)), 1e-3)
    expect_equal(unname(rowSums(vectors(cells, unit = TRUE)^2)), rep(1, 30),
        tolerance = 1e-5)
})

test_that("states of genes are golden, and each cell's own", {
    golden <- loadModel(kcellfmFolder(), threads = 1)
    of <- function(name) goldenTensor("kcfm_b", name)
    found <- goldenStates(golden, list(src = of("src"),
        values = t(of("values")), padding = of("src_key_padding_mask")))
    read <- of("src_key_padding_mask") == 0
    expect_identical(!is.na(found[, , 1L]), read)
    expect_equal(found[read], of("expect.layer2")[read], tolerance = 1e-5)
    expectStates(cells, model, 16)
})

test_that("genes have vectors", {
    genes <- embedGenes(model)
    expect_identical(rownames(genes), rownames(cells))
    expect_equal(embedGenes(cells, model), genes, ignore_attr = "missing")
    expect_identical(attr(embedGenes(c(rownames(cells)[1:2], "NOSUCH"), model),
        "missing"), "NOSUCH")
})

test_that("what can't be is refused", {
    expect_error(embedCells(cells, model, maxLength = 1), "'maxLength'")
    expect_error(embedCells(model, cells), "the cells come first")
    other <- cells
    rownames(other) <- paste0("X", seq_len(40))
    expect_error(embedCells(other, model), "vocabulary")
})
