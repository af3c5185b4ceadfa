## What someone new to the package meets: a wrong object given to a verb, a
## short summary, a table on a narrow screen, names that aren't there.

small <- function(...) {
    simulateCells(nCells = 120, nGenes = 40, nTFs = 6, seed = 1, ...)
}

shown <- function(x) {
    paste(utils::capture.output(methods::show(x)), collapse = "\n")
}

test_that("verbs say what they need when given something else", {
    g <- exampleGRN()
    p <- poolGRN(g)
    for (verb in list(evaluateGRN, nullGRN, edgeTable, plotGRN, poolGRN,
        cellNetwork, contrastGRN)) {
        expect_error(verb(3), "'x' must be a network.*it is a numeric")
    }
    expect_error(writeGRN(3, "a.csv"), "'x' must be a network")
    expect_error(saveGRN(3, "a.h5"), "'x' must be a network")
    expect_error(evaluateGRN(as.matrix(p), NULL), "PooledGRN\\(scores\\)")
    expect_error(evaluateGRN(as(p, "igraph"), NULL), "chosen edges")
    expect_error(contrastGRN(p, 1:2), "one network for all cells.*PerCell")
    expect_error(poolGRN(p), "one network for all cells already")
    expect_error(cellNetwork(p, 1), "as.matrix")
    expect_error(saveGRN(p, "a.h5"), "saveRDS")
    expect_error(memberships(g), "must be a StateGRN.*it is a CellGRN")
    expect_true(is.na(verdict(p)$holds))
    expect_error(loadGRN(tempdir()), "is a folder")
})

test_that("summary() of every kind of network says something", {
    cells <- small()
    p <- inferGRN(cells, RidgeGRNParam(), seed = 1)
    s <- summary(p)
    expect_match(shown(s), "One network: 120 cells, 6 TFs x 40 genes")
    expect_match(shown(s), "give summary\\(\\) the log-normalised")
    expect_equal(nrow(as.data.frame(s)), 0)
    x <- log1p(as.matrix(SummarizedExperiment::assay(cells)))
    with <- as.data.frame(summary(p, expression = x))
    expect_setequal(with$baseline, c("pearson |r|", "pearson r",
        "spearman |r|", "spearman r"))
    expect_error(summary(p, expression = x[1:3, ]), "'expression' lacks genes")
    expect_no_error(shown(summary(PooledGRN(as.matrix(p)))))
    states <- inferGRN(cells, PerCellGRNParam(nPerm = 1), seed = 1)
    expect_match(shown(summary(states)),
        "Per-cell variation is not distinguishable")
    expect_match(shown(summary(states)), "use the pooled one")
    expect_equal(as.list(summary(states))$overlap,
        as.data.frame(summary(poolGRN(states),
            expression = `rownames<-`(states@expression, states@genes)
        ))
    )
})

test_that("a StateGRN's between-cell share is that of its cells' scores", {
    g <- inferGRN(simulateCells(nCells = 600, nGenes = 90, nTFs = 10,
        seed = 1), PerCellGRNParam(nPerm = 2), seed = 1)
    at <- causeway:::.evenly(length(g), 7L)
    scores <- vapply(at, function(c) {
        s <- cellNetwork(g, c)
        s[outer(rownames(s), colnames(s), `!=`)]
    }, numeric(10 * 90 - 10))
    share <- sum((scores - rowMeans(scores))^2) /
        sum((scores - mean(scores))^2)
    s <- as.list(summary(g, sampleCells = 7))
    expect_equal(s$betweenCells, share)
    expect_true(share > 0 && share < 1)
})

test_that("the verdict says what was too few, and with which numbers", {
    g <- inferGRN(small(), PerCellGRNParam(nPerm = 1), seed = 1)
    expect_match(verdict(g)$reason, "120 cells where 500 are asked for")
    expect_match(verdict(g)$reason, "40 genes where 80 are asked for")
})

test_that("an evaluation reads on a narrow screen and without intervals", {
    g <- exampleGRN()
    ref <- data.frame(Gene1 = "MYOD1", Gene2 = c("ACTA1", "FOS", "ENO3"))
    e <- evaluateGRN(g, ref, nBoot = 0, seed = 1)
    old <- options(width = 60)
    text <- utils::capture.output(show(e))
    options(old)
    expect_false(any(grepl("NA", text)))
    ## every part of the table names its methods
    expect_equal(sum(grepl("^pearson ", text)), sum(grepl("^random ", text)))
    expect_gt(sum(grepl("^pearson ", text)), 1)
    expect_error(evaluateGRN(g, ref[0, ]), "0 of 0 genes unknown\\)")
})

test_that("TFs that aren't there are told; a catalogue's aren't", {
    cells <- small()
    tfs <- rownames(cells)[1:4]
    expect_warning(g <- inferGRN(cells, CorGRNParam(), tfs = c(tfs, "FOO")),
        "'tfs' names 1 of 5 that aren't among the genes of 'x': FOO")
    expect_equal(tfNames(g), tfs)
    expect_warning(inferGRN(cells, PerCellGRNParam(nPerm = 1),
        tfs = c(tfs, "FOO"), seed = 1), "FOO")
    expect_no_warning(inferGRN(cells, CorGRNParam(), tfs = tfs))
    expect_no_warning(inferGRN(cells, CorGRNParam(), tfs = c(tolower(tfs))))
    expect_no_warning(inferGRN(cells, CorGRNParam(),
        tfs = tfCatalogue("human")$TF))
})

test_that("values that look like logs are told", {
    x <- as.matrix(SummarizedExperiment::assay(small()))
    expect_warning(inferGRN(log1p(x), CorGRNParam()), "looks log-normalised")
    expect_no_warning(inferGRN(log1p(x), CorGRNParam(),
        alreadyNormalised = TRUE))
    expect_no_warning(inferGRN(x, CorGRNParam()))
    expect_no_warning(inferGRN(x * 10.5, CorGRNParam()))
})

test_that("networks of hardly any cells, and without edges, say so", {
    x <- as.matrix(SummarizedExperiment::assay(small()))
    expect_match(shown(inferGRN(x[, 1:4], CorGRNParam())), "From 4 cells only")
    x[] <- 1
    expect_match(shown(inferGRN(x, CorGRNParam())), "All scores are 0")
})

test_that("the expression null names the genes its cells lack", {
    cells <- small()
    g <- inferGRN(cells, CorGRNParam())
    expect_error(nullGRN(g, "expression", nPerm = 2, cells = cells[1:10, ]),
        "'cells' lacks genes of the network: TARGET0005")
})

test_that("labels of a perturbation are shown as they were given", {
    cells <- small()
    g <- inferGRN(cells, CorGRNParam())
    label <- rep(c("mock", tfNames(g)[1:2]), 40)
    expect_error(evaluatePerturbation(cells, g, label, "control"),
        "the labels are mock, ADNP")
})

test_that("methods of a benchmark can be named", {
    cells <- small()
    ref <- S4Vectors::metadata(cells)$simulation$edges
    b <- benchmarkGRN(cells, ref, c("pearson", "ridge"), nBoot = 0)
    expect_true(all(c("pearson", "ridge") %in% as.data.frame(b)$method))
    expect_error(benchmarkGRN(cells, ref, c("pearson", "foo")),
        "'methods' has foo; names must be among pearson, ")
})

test_that("Ensembl names: symbols from the shipped table, or what to do", {
    x <- as.matrix(SummarizedExperiment::assay(small()))
    unknown <- sprintf("ENSG99%09d", seq_len(nrow(x)))
    rownames(x) <- unknown
    expect_error(inferGRN(x, CorGRNParam()), "not Ensembl's of human")
    expect_error(inferGRN(x, PerCellGRNParam()), "see reconcileGenes")
    expect_error(newModel(SFMParam(), x), "identifiers and no symbols.*reconc")
    tfs <- c("STAT1", "JUN", "MYC")
    rownames(x)[1:3] <- reconcileGenes(tfs, "ensembl", "human")$output
    g <- inferGRN(x, CorGRNParam())
    expect_equal(tfNames(g), tfs)
    expect_setequal(geneNames(g), c(tfs, unknown[-(1:3)]))
    expect_equal(tfNames(inferGRN(x, PerCellGRNParam(nPerm = 1),
        tfs = tfs[-1L], seed = 1)), tfs[-1L])
    expect_s4_class(nullGRN(g, "expression", nPerm = 1, cells = x), "GRNNull")
    ## a user's own symbols go first
    own <- SummarizedExperiment::SummarizedExperiment(list(counts = x),
        rowData = S4Vectors::DataFrame(symbol = c("FOS", "SPI1", "SOX2",
            unknown[-(1:3)])))
    expect_equal(tfNames(inferGRN(own, CorGRNParam())),
        c("FOS", "SPI1", "SOX2"))
    rownames(x) <- paste0("g", seq_len(nrow(x)))
    expect_error(inferGRN(x, CorGRNParam()), "\\(G1, G2, G3.*species right")
})

test_that("genes seen in one or two cells make no perfect edges", {
    x <- as.matrix(SummarizedExperiment::assay(small()))
    x[1:2, ] <- 0
    x[1:2, 7] <- 5
    g <- inferGRN(x, CorGRNParam())
    expect_false(any(rownames(x)[1:2] %in% geneNames(g)))
    expect_lt(max(as.matrix(g)), 0.99)
    ## asked for, they are used
    few <- list(minCells = 1)
    g <- inferGRN(x, CorGRNParam(), preprocess = few,
        reliability = FALSE)
    expect_gt(as.matrix(g)[1L, 2L], 0.999)
    ## one cell is little evidence
    g <- inferGRN(x, CorGRNParam(), preprocess = few)
    expect_lt(as.matrix(g)[1L, 2L], 0.5)
    expect_true(rownames(x)[[1L]] %in%
        geneNames(inferGRN(x, CorGRNParam(), keep = rownames(x)[[1L]])))
    p <- inferGRN(x, PerCellGRNParam(nPerm = 1), seed = 1)
    expect_false(any(rownames(x)[1:2] %in% geneNames(p)))
})

test_that("mouse cells without 'species' are told", {
    x <- as.matrix(SummarizedExperiment::assay(small()))
    rownames(x)[1:6] <- c("Myod1", "Myog", "Fos", "Trp53", "Sox2", "Pax6")
    rownames(x)[7:40] <- sprintf("Target%d", 7:40)
    expect_warning(inferGRN(x, CorGRNParam()), "mouse genes \\(Myod1.*say spec")
    expect_warning(preprocess(x, minGenes = 1, nTargets = 10), "mouse genes")
    expect_no_warning(inferGRN(x, CorGRNParam(), species = "mouse"))
    expect_no_warning(inferGRN(x, CorGRNParam(), tfs = "Myod1"))
    rownames(x) <- toupper(rownames(x))
    expect_no_warning(inferGRN(x, CorGRNParam()))
})

test_that("edges of a pooled network come with their sign when asked", {
    g <- inferGRN(small(), CorGRNParam())
    e <- edgeTable(g, top = 9, signed = TRUE)
    expect_identical(e$sign, edgeSign(g, e))
    expect_setequal(unique(edgeTable(g, self = FALSE, signed = TRUE)$sign),
        c(-1, 1))
    expect_identical(edgeTable(g, top = 9), e[, names(e) != "sign"])
    expect_identical(names(e), c("Gene1", "Gene2", "score", "sign",
        "cells", "reliability"))
    expect_error(edgeTable(g, signed = 3), "'signed' must be TRUE or FALSE")
    expect_error(edgeTable(poolGRN(exampleGRN()), sign = TRUE), "sign")
    expect_match(shown(g), "edgeSign\\(\\)")
    expect_match(shown(poolGRN(nullGRN(g, "shuffle", nPerm = 2, seed = 1))),
        "mean of 2 null networks \\(shuffle\\)")
    expect_error(toIgraph(3), "'x' must be a network")
})
