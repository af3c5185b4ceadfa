test_that("inference gives the networks of the cells asked for", {
    x <- tinyCells()
    model <- tinyTrain(tinyModel(x), x, epochs = 1)
    grn <- inferGRN(x, model, batchSize = 4, verbose = FALSE)
    expect_identical(cellNames(grn), colnames(x))
    expect_identical(tfNames(grn), rownames(x)[1:5])
    some <- inferGRN(x, model, cells = c("cell003", "cell001"),
        verbose = FALSE
    )
    expect_identical(cellNames(some), c("cell003", "cell001"))
    expect_equal(as.matrix(some, "cell003"), as.matrix(grn, "cell003"),
        tolerance = 1e-6
    )
    meta <- S4Vectors::metadata(grn)
    expect_identical(meta$prior, "none")
    expect_identical(meta$coverage$matched, nrow(x))
    expect_identical(meta$species, "human")
    two <- inferGRN(x, model, genes = c("MYOD1", "TARGET001", "TARGET002"),
        verbose = FALSE
    )
    expect_identical(unname(dim(two)[1:2]), c(1L, 3L))
    expect_error(inferGRN(x, model, cells = "nobody"), "'cells'.*nobody")
    expect_error(inferGRN(x, model, cells = 99), "'cells'")
    expect_error(inferGRN(model, x), "cells come first")
})

test_that("scores agree with the dense forward pass", {
    x <- tinyCells()
    model <- tinyModel(x)
    grn <- inferGRN(x, model, verbose = FALSE)
    p <- .modelCells(model, x, "infer", .inputArgs(), FALSE)
    out <- .engineRun(model, "trace", .tokenBatch(p, seq_len(3)))
    u <- aperm(out$u)[2, !p$nonTF, ]
    v <- aperm(out$v)[2, , ]
    expect_equal(unname(as.matrix(grn, 2)), u %*% t(v), tolerance = 1e-5)
})

test_that("one cell is enough when the genes are known", {
    x <- tinyCells()
    model <- tinyTrain(tinyModel(x), x, epochs = 1)
    one <- inferGRN(x[, 4], model,
        preprocess = list(minCells = 0), verbose = FALSE
    )
    expect_identical(length(one), 1L)
    expect_error(
        inferGRN(x[, 4], model, nTargets = 5, verbose = FALSE), "one cell"
    )
})

test_that("a cell's network does not depend on the cells that come with it", {
    cells <- exampleCells()
    model <- newModel(SFMParam(), cells, seed = 5)
    trainModel(cells, model, epochs = 1, seed = 5, verbose = FALSE)
    all <- inferGRN(cells, model, verbose = FALSE)
    few <- inferGRN(cells[, c(7, 3)], model, verbose = FALSE)
    expect_identical(geneNames(few), geneNames(all))
    expect_equal(cellNetwork(few, 1), cellNetwork(all, 7), tolerance = 1e-5)
    ## a gene none of these cells has is read as 0
    gene <- which(rowSums(SingleCellExperiment::counts(cells)[, 1:2]) == 0)
    skip_if(!length(gene), "every gene is seen in the first two cells")
    two <- inferGRN(cells[, 1:2], model, genes = rownames(cells),
        verbose = FALSE
    )
    expect_true(all(rownames(cells)[gene] %in% geneNames(two)))
})

test_that("cells are chosen by number, name and logical, in the order asked", {
    model <- tinyModel()
    all <- inferGRN(tinyCells(), model, verbose = FALSE)
    names <- cellNames(all)
    for (pick in list(c(5, 2), names[c(5, 2)])) {
        some <- inferGRN(tinyCells(), model, cells = pick, verbose = FALSE)
        expect_identical(cellNames(some), names[c(5, 2)])
        expect_equal(cellNetwork(some, 1), cellNetwork(all, 5),
            tolerance = 1e-5
        )
    }
    first <- seq_along(names) <= 3
    expect_identical(cellNames(inferGRN(tinyCells(), model, cells = first,
        verbose = FALSE
    )), names[1:3])
    for (bad in list("nobody", 99, c(1, 1), 1.5, c(TRUE, FALSE))) {
        expect_error(inferGRN(tinyCells(), model, cells = bad,
            verbose = FALSE
        ), "'cells'")
    }
    expect_error(inferGRN(model, tinyCells()), "the cells come first")
})

test_that("a key is written as it can be given again", {
    expect_identical(.keyText(c(0, 7)), "0:7")
    expect_null(.keyText(NULL))
})
