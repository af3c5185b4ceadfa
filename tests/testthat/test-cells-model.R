test_that("a fine-tuned model annotates, its held-out cells in the verdict", {
    x <- exampleCells(nCells = 40, nGenes = 40)
    x$kind <- rep(c("B cell", "T cell"), 20)
    counts <- as.matrix(SummarizedExperiment::assay(x))
    is <- x$kind == "B cell"
    counts[1:15, is] <- counts[1:15, is] * 6 + 3
    SummarizedExperiment::assay(x) <- counts
    model <- trainModel(x, tinyScGPT(x, dropout = 0), group = "kind", epochs = 25,
        batchSize = 8, lr = 3e-3, values = FALSE, seed = 1, verbose = FALSE
    )
    labels <- annotateCells(x, model, verbose = FALSE)
    expect_s4_class(labels, "CellLabels")
    found <- predictClasses(x, model, verbose = FALSE)
    cells <- as.data.frame(labels)
    expect_identical(cells$label, found$class)
    expect_gt(mean(cells$label == x$kind), 0.8)
    last <- utils::tail(trainingHistory(model), 1L)
    expect_identical(verdict(labels)$holds, last$macroF1 > last$centroidF1)
    expect_match(verdict(labels)$text[[1L]], "macro-F1")
    expect_true(all(cells$broad %in% c(cells$label, "unassigned")))
    expect_identical(cells$broad == "unassigned", cells$probability < 0.8)
    expect_false("set" %in% names(cells))
    named <- addLabels(x, labels)
    expect_identical(named$cellType, cells$label)
    expect_false("cellTypeSet" %in%
        colnames(SummarizedExperiment::colData(named)))
    expect_output(print(labels), "calibrated")
    expect_error(annotateCells(x, tinyScGPT(x), verbose = FALSE),
        "knows no classes"
    )
    expect_error(annotateCells(x, model, level = 2), "'level'")
})
