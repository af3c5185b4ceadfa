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
