test_that("names are cleaned as the published tokenizer does", {
    expect_identical(.cleanSymbol(c(" gata1", "Myod1 ")), c("GATA1", "MYOD1"))
    expect_identical(
        .cleanEnsembl(c(" ensg00000000003.10", "ENSMUSG0001.2")),
        c("ENSG00000000003", "ENSMUSG0001.2")
    )
    expect_true(.isEnsembl(c("ENSG01", " ensg02.3")))
    expect_false(.isEnsembl(c("ENSG01", "GATA1")))
    expect_false(.isEnsembl(character()))
})

test_that("Ensembl row names use the symbols of rowData", {
    x <- tinyCells()
    ids <- sprintf("ENSG%011d.%d", seq_len(nrow(x)), 3L)
    SummarizedExperiment::rowData(x)$gene_short_name <- rownames(x)
    rownames(x) <- ids
    model <- newModel(tinyParam(), x, seed = 1)
    expect_identical(model@vocab$gene_id[[2]], "ENSG00000000001")
    expect_identical(model@vocab$gene_symbol[[2]], "MYOD1")
    p <- .preprocess(.readCells(x), model@vocab, model@tfs$human, "infer")
    expect_true("MYOD1" %in% p$labels)
    expect_identical(sum(!p$nonTF), 5L)
})

test_that("two Ensembl genes with one symbol stay apart", {
    x <- tinyCells()
    symbols <- rownames(x)
    symbols[7] <- symbols[6]
    SummarizedExperiment::rowData(x)$Symbol <- symbols
    rownames(x) <- sprintf("ENSG%011d", seq_len(nrow(x)))
    model <- newModel(tinyParam(), x, seed = 1)
    p <- .preprocess(.readCells(x), model@vocab, model@tfs$human, "infer")
    expect_false(anyDuplicated(p$labels) > 0)
    expect_match(p$labels[6], "|ENSG00000000006", fixed = TRUE)
})

test_that("mouse Ensembl names give way to the symbols beside them", {
    x <- tinyCells()
    SummarizedExperiment::rowData(x)$symbol <- rownames(x)
    rownames(x) <- sprintf("ENSMUSG%011d", seq_len(nrow(x)))
    model <- newModel(tinyParam(), x, species = "mouse", seed = 1)
    expect_identical(model@vocab$gene_symbol[[2]], "MYOD1")
    expect_true(any(.isTf(model@vocab$gene_symbol, model@tfs$mouse)))
})
