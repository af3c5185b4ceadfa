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

ensemblCells <- function() {
    x <- simulateCells(nCells = 60, nGenes = 30, nTFs = 6, seed = 1)
    m <- as.matrix(SummarizedExperiment::assay(x, "counts"))
    tfs <- c("MYOG", "MYOD1", "SOX2", "GATA1", "TP53", "FOS")
    catalogue <- tfCatalogue("human")
    rownames(m) <- c(catalogue$ensembl[match(tfs, catalogue$TF)],
        sprintf("ENSG%011d", 900001:900024)
    )
    list(m = m, tfs = tfs, symbols = c(tfs, paste0("T", 1:24)))
}

test_that("a transgene among Ensembl identifiers changes nothing", {
    d <- ensemblCells()
    for (odd in list("EGFP", c("Cre", "ERCC-00002", "HTO1"))) {
        m <- d$m
        rownames(m)[31 - seq_along(odd)] <- odd
        for (param in list(RidgeGRNParam(), PerCellGRNParam(nPerm = 1))) {
            grn <- inferGRN(m, param, seed = 1)
            expect_identical(tfNames(grn), d$tfs)
            expect_true(all(toupper(odd) %in% toupper(geneNames(grn))))
        }
        x <- SingleCellExperiment::SingleCellExperiment(list(counts = m),
            rowData = S4Vectors::DataFrame(Symbol = d$symbols)
        )
        expect_identical(tfNames(inferGRN(x, RidgeGRNParam())), d$tfs)
        ## a symbol that is missing there: its own name
        SummarizedExperiment::rowData(x)$Symbol[30] <- NA
        expect_true(odd[[1L]] %in% geneNames(inferGRN(x, RidgeGRNParam())) ||
            toupper(odd[[1L]]) %in% geneNames(inferGRN(x, RidgeGRNParam())))
        model <- newModel(tinyParam(), x, seed = 1, threads = 1)
        expect_identical(tfNames(inferGRN(x, model, verbose = FALSE)), d$tfs)
    }
    m <- d$m
    rownames(m)[1:20] <- paste0("GENE", 1:20)
    expect_false(.isEnsembl(rownames(m)))
})

test_that("mouse identifiers alone get the symbols of the shipped table", {
    d <- ensemblCells()
    ids <- reconcileGenes(c("Myog", "Myod1", "Sox2", "Gata1", "Trp53", "Fos"),
        "ensembl", "mouse"
    )$output
    rownames(d$m) <- c(ids, sprintf("ENSMUSG%011d", 900001:900024))
    expect_identical(tfNames(inferGRN(d$m, RidgeGRNParam(),
        species = "mouse"
    )), c("Myog", "Myod1", "Sox2", "Gata1", "Trp53", "Fos"))
    expect_warning(try(inferGRN(d$m, RidgeGRNParam()), silent = TRUE),
        "say species = \"mouse\""
    )
})

test_that("genes may be a flag, a list of metadata, or variable features", {
    x <- tinyCells()
    genes <- c("MYOD1", "MYOG", "TARGET001", "TARGET004")
    SummarizedExperiment::rowData(x)$hvg <- rownames(x) %in% genes
    SummarizedExperiment::rowData(x)$subset <- rownames(x) %in% genes[1:3]
    S4Vectors::metadata(x)$chosen <- c(genes, "GONE")
    run <- function(...) geneNames(inferGRN(x, RidgeGRNParam(), ...))
    expect_setequal(run(genes = "hvg"), genes)
    expect_setequal(run(genes = "chosen"), genes)
    expect_setequal(run(genes = "VariableFeatures"), genes[1:3])
    expect_true(all(genes %in% run(keep = "hvg", nTargets = 1)))
    expect_error(run(genes = "nothing"),
        "'genes' is \"nothing\", which isn't a gene of 'x'.*hvg.*chosen"
    )
    expect_error(run(genes = c("MYOD1", "GONE")), "not in 'x': GONE")
    expect_error(run(genes = c("TARGET001", "TARGET002")),
        "'genes' has no transcription factor.*keep ="
    )
})
