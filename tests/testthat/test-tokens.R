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

test_that("tokens come from symbols or Ensembl ids; unknown is -1", {
    vocab <- data.frame(
        token_index = 0:4, gene_symbol = c(NA, "A", "B", "A", NA),
        gene_id = c("<pad>", "ENSG01", "ENSG02", "ENSG03", "ENSG04")
    )
    expect_identical(
        .lookupTokens(vocab, c("A", "B", "Z", "<PAD>"), "symbol"),
        c(3L, 2L, -1L, -1L)
    )
    expect_identical(
        .lookupTokens(vocab, c("ENSG04", "ENSG09"), "ensembl"), c(4L, -1L)
    )
})

test_that("a new vocabulary has the pad at 0 and unique names", {
    model <- tinyModel()
    v <- model@vocab
    expect_identical(v$token_index, seq_len(nrow(v)) - 1L)
    expect_identical(v$gene_id[[1]], "<pad>")
    expect_identical(.padIndex(v), 0L)
    expect_false(anyDuplicated(v$gene_id) > 0)
})

test_that("Ensembl row names use the symbols of rowData", {
    x <- tinyCells()
    ids <- sprintf("ENSG%011d.%d", seq_len(nrow(x)), 3L)
    SummarizedExperiment::rowData(x)$gene_short_name <- rownames(x)
    rownames(x) <- ids
    model <- newModel(tinyParam(), x, seed = 1)
    expect_identical(model@vocab$gene_id[[2]], "ENSG00000000001")
    expect_identical(model@vocab$gene_symbol[[2]], "MYOD1")
    p <- .preprocess(.cellInput(x), model@vocab, model@tfs$human, "infer")
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
    p <- .preprocess(.cellInput(x), model@vocab, model@tfs$human, "infer")
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

test_that("the TF catalogue is what its page says", {
    human <- tfCatalogue("human")
    mouse <- tfCatalogue("Mus musculus")
    expect_identical(nrow(human), 1430L)
    expect_identical(nrow(mouse), 1014L)
    expect_true(all(c("MYOG", "MEF2C", "MYF5", "MYOD1") %in% human$TF))
    expect_false(any(c("ID1", "ID2", "ID3", "ID4") %in% human$TF))
    expect_true(all(mouse$human %in% human$TF))
    expect_false(anyDuplicated(mouse$TF) > 0)
})

test_that("TF tables may be symbols, a data.frame or a list", {
    expect_identical(.resolveTfs(c("a", " b "), "human")$human, c("a", "b"))
    expect_identical(
        .resolveTfs(data.frame(TF = "x"), "mouse")$mouse, "x"
    )
    expect_identical(.resolveTfs(list(human = "q"), "mouse")$human, "q")
    expect_error(.resolveTfs(data.frame(gene = "x"), "human"), "column 'TF'")
    expect_error(.resolveTfs(3, "human"), "'tfs'")
    expect_identical(.isTf(c("Gata1", NA, "X"), "GATA1"), c(TRUE, FALSE, FALSE))
})

test_that("species names are understood, mixed ones refused", {
    expect_identical(.resolveSpecies(NULL), "human")
    expect_identical(.resolveSpecies(" Homo sapiens "), "human")
    expect_identical(.resolveSpecies("mm"), "mouse")
    data <- data.frame(organism = c("hs", "human"))
    expect_identical(.resolveSpecies("organism", data), "human")
    expect_error(.resolveSpecies("zebrafish"), "'species'.*zebrafish")
    expect_error(.resolveSpecies(c("human", "mouse")), "mixed")
})

test_that("conditions are cleaned, learnt in training and frozen after", {
    x <- tinyCells()
    x$tissue <- rep(c(" Muscle", "nan", NA), length.out = ncol(x))
    model <- tinyModel(x)
    args <- list(
        assay.type = NULL, symbols = NULL, species = "human", tfs = NULL,
        nTargets = 10L, genes = NULL, preprocess = list(),
        alreadyNormalised = FALSE, tissue = "tissue", platform = "10x v3"
    )
    p <- .prepareCells(model, x, "train", args, FALSE)
    table <- conditionTable(model)
    expect_identical(
        table$cond_value, c("<unk>", "human", "mouse", "10x v3", "muscle")
    )
    expect_identical(dim(p$conditions), c(4L, ncol(x)))
    expect_identical(unname(p$conditions[, 1]), c(3L, 1L, 4L, 0L))
    expect_identical(unname(p$conditions[3, 2:3]), c(0L, 0L))
    args$disease <- "flu"
    expect_message(
        q <- .prepareCells(model, x, "infer", args, TRUE), "flu"
    )
    expect_identical(conditionTable(model), table)
    expect_true(all(q$conditions[4, ] == 0L))
    args$disease <- c("a", "b")
    expect_error(.prepareCells(model, x, "infer", args, FALSE), "'disease'")
})

test_that("a full condition table gives <unk> to what doesn't fit", {
    table <- data.frame(cond_value = "<unk>", token_index = 0L)
    grown <- .growConditions(table, c("a", "b", "c"), 3L)
    expect_identical(grown$cond_value, c("<unk>", "a", "b"))
    expect_identical(grown$token_index, 0:2)
})

test_that("masking hits the share asked for and never the species", {
    conditions <- matrix(rep(1:4, 100), 4)
    masked <- .maskConditions(conditions, 0.1, c(1, 2), 0L)
    expect_identical(masked[2, ], conditions[2, ])
    expect_identical(sum(masked == 0L), 30L)
    expect_identical(
        masked, .maskConditions(conditions, 0.1, c(1, 2), 0L)
    )
    expect_false(identical(
        masked, .maskConditions(conditions, 0.1, c(1, 2), 1L)
    ))
    expect_identical(.maskConditions(conditions, 0, c(1, 2), 0L), conditions)
})
