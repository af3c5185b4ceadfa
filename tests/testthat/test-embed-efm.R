## What a trained EFM gives.

cells <- exampleCells(nCells = 30)
model <- trainModel(cells, EFMParam(embedDim = 16, layers = 1, heads = 2),
    nTargets = 15, epochs = 2, batchSize = 10, seed = 1, verbose = FALSE
)

test_that("cells get vectors in their container", {
    x <- embedCells(cells, model, verbose = FALSE)
    values <- SingleCellExperiment::reducedDim(x, "EFM")
    expect_identical(dim(values), c(30L, 16L))
    expect_true(all(is.finite(values)))
    one <- embedCells(cells[, 1:7], model, genes = .efmCells(cells, model,
        NULL, .inputArgs(), 8, FALSE)$labels, batchSize = 3, verbose = FALSE)
    expect_equal(unname(SingleCellExperiment::reducedDim(one, "EFM")),
        unname(values[1:7, ]), tolerance = 1e-4)
    expect_error(embedCells(cells, "model"), "'model' must be an encoder")
})

test_that("genes get vectors by group, which are means of cells", {
    all <- contextGenes(cells, model, verbose = FALSE)
    group <- rep(c("a", "b", "b"), 10)
    by <- contextGenes(cells, model, group = group, verbose = FALSE)
    expect_identical(dim(by)[3], 2L)
    expect_equal(by[, , "a"] / 3 + by[, , "b"] * 2 / 3, all[, , 1],
        tolerance = 1e-5)
})

test_that("expression is decoded beside its baseline", {
    told <- generateExpression(cells, model, verbose = FALSE)
    expect_identical(ncol(told), 30L)
    expect_true(all(is.finite(told)))
    expect_named(attr(told, "baseline"), c("model", "geneMean"))
    expect_equal(told, generateExpression(cells, model, batchSize = 4,
        verbose = FALSE), tolerance = 1e-5)
    expect_error(generateExpression(cells, 1), "'model' must be an EFModel")
})

test_that("many cells are decoded into a file", {
    path <- tempfile(fileext = ".h5ad")
    file <- tempfile(fileext = ".h5ad")
    on.exit(unlink(c(path, file)))
    writeH5AD(cells, path, verbose = FALSE)
    sfm <- newModel(SFMParam(embedDim = 16, layers = 1, heads = 2,
        factors = 8, topk = 2), cells, seed = 2)
    known <- newModel(EFMParam(embedDim = 16, layers = 1, heads = 2), cells,
        seed = 1)
    for (network in list(NULL, sfm)) {
        read <- if (is.null(network)) model else known
        held <- generateExpression(cells, read, network, nTargets = 15,
            verbose = FALSE)
        observed <- .modelCells(read, cells, "infer",
            .inputArgs(nTargets = 15), FALSE)$values
        means <- Matrix::rowMeans(observed)
        expect_equal(attr(held, "baseline"), c(
            model = cor(c(held), c(as.matrix(observed))),
            geneMean = cor(rep(means, 30), c(as.matrix(observed)))))
        old <- options(causeway.sampleCells = 10, causeway.blockBytes = 2e4)
        told <- generateExpression(path, read, network, nTargets = 15,
            batchSize = 8, file = file, overwrite = TRUE, verbose = FALSE)
        options(old)
        expect_s4_class(told, "DelayedMatrix")
        expect_identical(dimnames(told), dimnames(held))
        expect_equal(as.matrix(told), held, ignore_attr = TRUE,
            tolerance = 1e-5)
        expect_equal(attr(told, "baseline"), attr(held, "baseline"),
            tolerance = 1e-5)
    }
    old <- options(causeway.memoryLimit = .engineForecast(model, cells = 1,
        genes = 20, tfs = 5, train = FALSE) + 1)
    on.exit(options(old), add = TRUE)
    expect_error(generateExpression(cells, model, verbose = FALSE),
        "not enough memory")
})
