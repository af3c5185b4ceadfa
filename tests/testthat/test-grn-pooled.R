## Pooled networks without a model, from cells.

test_that("every estimator finds the known regulators and their signs", {
    for (name in names(params)) {
        grn <- infer(params[[name]], seed = 1)
        expect_s4_class(grn, "PooledGRN")
        s <- as.matrix(grn)
        expect_identical(dim(s), c(5L, 10L), label = name)
        expect_true(all(is.finite(s)) && all(s >= 0), label = name)
        best <- function(g) rownames(s)[which.max(s[, g])]
        expect_identical(best("TA"), "TF1", label = name)
        expect_identical(best("TB"), "TF2", label = name)
        expect_setequal(names(sort(-s[, "TC"]))[1:2], c("TF1", "TF3"))
        sign <- edgeSign(grn)
        expect_identical(dimnames(sign), dimnames(s), label = name)
        expect_identical(unname(sign["TF1", "TA"]), 1L, label = name)
        expect_identical(unname(sign["TF2", "TB"]), -1L, label = name)
        expect_true(all(s[cbind(pooledTFs, pooledTFs)] == 0), label = name)
        expect_true(all(s[, "TK"] < 1e-6), label = name)
    }
})

test_that("the verbs of pooled networks work", {
    x <- pooledCells()
    grn <- infer(params$all, x, seed = 1)
    edges <- edgeTable(grn, top = 6, self = FALSE)
    expect_identical(names(edges),
        c("Gene1", "Gene2", "score", "cells", "reliability")
    )
    edges$sign <- edgeSign(grn, edges)
    expect_true(all(edges$sign %in% c(-1L, 1L)))
    expect_s3_class(as(grn, "igraph"), "igraph")
    file <- tempfile(fileext = ".csv")
    on.exit(unlink(file))
    writeGRN(grn, file, top = 6)
    expect_identical(nrow(read.csv(file)), 6L)
    reference <- data.frame(Gene1 = c("TF1", "TF2", "TF1", "TF3"),
        Gene2 = c("TA", "TB", "TC", "TC")
    )
    table <- as.data.frame(evaluateGRN(grn, reference, nBoot = 0,
        expression = x
    ))
    expect_gt(table$auprcRatio[table$method == "model"], 3)
    expect_output(show(grn), "PooledGRN")
})

test_that("counts, containers and choices of genes", {
    cells <- exampleCells()
    grn <- inferGRN(cells, RidgeGRNParam(), nTargets = 20)
    expect_identical(ncol(as.matrix(grn)) - nrow(as.matrix(grn)), 20L)
    some <- inferGRN(cells, RidgeGRNParam(), nTargets = 5, cells = 1:30)
    expect_identical(some@nCells, 30)
    all <- inferGRN(cells, CorGRNParam(), nTargets = Inf)
    expect_gt(ncol(as.matrix(all)), 25)
    named <- inferGRN(cells, CorGRNParam(),
        genes = c("MYOD1", "MYOG", "TARGET001")
    )
    expect_identical(dim(named), c(TFs = 2L, genes = 3L),
        ignore_attr = TRUE
    )
})

test_that("bad cells are refused", {
    x <- pooledCells()
    expect_error(infer(RidgeGRNParam(), x, cells = 1, nTargets = 2), "one cell")
    expect_error(
        inferGRN(x, RidgeGRNParam(), tfs = "NOPE", alreadyNormalised = TRUE),
        "'tfs' names no gene of 'x': NOPE"
    )
    bad <- x
    bad[2, 3] <- NaN
    expect_error(infer(RidgeGRNParam(), bad), "finite")
    expect_error(infer(RidgeGRNParam(), x[, 0]), "empty")
    expect_error(infer(RidgeGRNParam(), x, nTargets = -1), "'nTargets'")
    expect_error(inferGRN(RidgeGRNParam(), x), "cells come first")
    expect_error(inferGRN(RidgeGRNParam()), "cells come first")
    old <- options(causeway.memoryLimit = 1000)
    on.exit(options(old))
    expect_error(infer(TreeGRNParam(), x), "memory")
    expect_error(infer(RidgeGRNParam(), x), "memory")
})

test_that("signs are asked for properly", {
    grn <- infer(RidgeGRNParam())
    expect_error(edgeSign(3), "'x'")
    expect_error(edgeSign(poolGRN(exampleGRN())), "no signs")
    expect_error(edgeSign(grn, 3), "'edges'")
    expect_error(edgeSign(grn, data.frame(Gene1 = "TF1", Gene2 = "ZZ")), "ZZ")
})

test_that("the default centres on states where that helps, and says so", {
    cells <- simulateCells(nCells = 800, nGenes = 100, nTFs = 10, seed = 4)
    edges <- do.call(rbind, strsplit(rownames(simulatedTruth(cells)), ">",
        fixed = TRUE
    ))
    reference <- data.frame(Gene1 = edges[, 1], Gene2 = edges[, 2])
    param <- CombinedGRNParam(list(TreeGRNParam(trees = 60), RidgeGRNParam()))
    grn <- function(...) inferGRN(cells, param, seed = 1, ...)
    ratio <- function(x) {
        as.data.frame(evaluateGRN(x, reference, "model", nBoot = 0))$auprcRatio
    }
    gated <- grn()
    never <- grn(centre = FALSE)
    expect_true(metadata(gated)$centring$centred)
    expect_gt(metadata(gated)$centring$states, 1)
    expect_gt(metadata(gated)$centring$gain, 5e-4)
    expect_false(metadata(never)$centring$centred)
    expect_gt(ratio(gated), 1.3 * ratio(never))
    expect_identical(as.matrix(grn(centre = TRUE)), as.matrix(gated))
    ## too few cells, and single estimators: not asked
    few <- inferGRN(cells[, 1:250], param, seed = 1)
    expect_false(metadata(few)$centring$centred)
    expect_false(metadata(inferGRN(cells, RidgeGRNParam()))$centring$centred)
    expect_error(grn(centre = NA), "'centre' must be TRUE or FALSE")
})

test_that("cells that can't tell anything are told", {
    cells <- exampleCells(nCells = 40)
    same <- cells[, rep(1, 40)]
    colnames(same) <- paste0("c", 1:40)
    expect_warning(inferGRN(same, verbose = FALSE), "every score .* is 0")
    expect_warning(inferGRN(same, CorGRNParam(), verbose = FALSE), "is 0")
    expect_warning(inferGRN(cells[, 1:2], verbose = FALSE), "every score")
    expect_warning(inferGRN(same, PerCellGRNParam(states = rep(1:2, 20),
        nPerm = 1), verbose = FALSE), "every score")
})

test_that("long calls tell how far they are, and give the same network", {
    cells <- simulateCells(nCells = 900, nGenes = 80, nTFs = 8, seed = 3)
    p <- TreeGRNParam(trees = 800, response = "value")
    said <- testthat::capture_messages(
        loud <- inferGRN(cells, p, seed = 1)
    )
    expect_match(said[[1L]], "8 TFs x 80 genes, 900 cells")
    expect_identical(sum(grepl("Trees of value for gene .*left", said)), 10L)
    expect_silent(quiet <- inferGRN(cells, p, seed = 1, verbose = FALSE))
    expect_identical(as.matrix(loud), as.matrix(quiet))
    expect_identical(metadata(loud)$targets, metadata(quiet)$targets)
})

test_that("options for the engine are checked by name and type", {
    x <- list(dim = c(4L, 3L), p = c(0L, 2L, 3L, 5L),
        i = c(0L, 2L, 1L, 0L, 3L), x = c(1, 2, 3, 1, 5)
    )
    good <- .treeOptions(TreeGRNParam(trees = 2, response = "value")@settings,
        list(tf = 0L), 2
    )
    grow <- function(options) {
        .Call(cw_r_forest, x, 0L, 0:2, options, c(0, 1), 1L)
    }
    expect_length(grow(good)$r2, 3L)
    expect_error(grow(c(good, tres = 3)), "tres")
    bad <- good
    bad$kind <- "forest"
    expect_error(grow(bad), "kind")
    expect_error(grow(good[names(good) != "rate"]), "rate")
    bad <- good
    bad$trees <- "many"
    expect_error(grow(bad), "trees")
})

test_that("the order of genes and cells doesn't matter", {
    cells <- simulateCells(nCells = 320, nGenes = 80, nTFs = 8, seed = 3)
    x <- SummarizedExperiment::assay(cells, "counts")
    set.seed(1)
    mixed <- x[sample(nrow(x)), sample(ncol(x))]
    infer <- function(x, param) {
        inferGRN(x, param, tfs = rownames(cells)[1:8], nTargets = Inf,
            seed = 2, verbose = FALSE
        )
    }
    for (param in list(TreeGRNParam(trees = 6),
        TreeGRNParam("boosting", trees = 20), CombinedGRNParam())) {
        a <- infer(x, param)
        b <- infer(mixed, param)
        expect_identical(as.matrix(b)[rownames(a@scores), colnames(a@scores)],
            as.matrix(a)
        )
        expect_identical(metadata(b)$sign[rownames(a@scores),
            colnames(a@scores)], metadata(a)$sign)
        expect_identical(metadata(b)$halves, metadata(a)$halves)
        at <- match(metadata(a)$targets$gene, metadata(b)$targets$gene)
        expect_equal(metadata(b)$targets[at, ], metadata(a)$targets,
            ignore_attr = TRUE
        )
    }
})
