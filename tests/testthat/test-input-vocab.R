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
