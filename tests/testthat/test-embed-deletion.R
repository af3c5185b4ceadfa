model <- loadModel(geneformerFolder(), threads = 1)
counts <- geneformerCounts(20)

test_that("a deletion stands beside those of genes of equal rank", {
    genes <- rownames(counts)[c(3, 8, 20)]
    report <- deleteGenes(counts, model, genes, seed = 1, verbose = FALSE)
    expect_s4_class(report, "DeletionReport")
    table <- as.data.frame(report)
    expect_setequal(table$gene, genes)
    expect_true(all(table$shift > 0 & table$null > 0))
    expect_equal(table$difference, table$shift - table$null)
    expect_false(is.unsorted(-table$difference))
    expect_identical(table, as.data.frame(
        deleteGenes(counts, model, genes, seed = 1, verbose = FALSE)
    ))
    expect_match(verdict(report)$text, "3 genes")
    ## by hand: one gene, one cell
    gene <- match(rownames(counts)[1:30], model@vocab$gene)
    ranks <- causeway:::.rankTokens(model, counts[1:30, ], gene, 20)
    how <- causeway:::.geneformerReading(model)
    k <- model@vocab$token[match(genes[[1]], model@vocab$gene)]
    on <- vapply(ranks, function(r) k %in% r, NA)
    with <- causeway:::.embedRanks(model, ranks[on], how)
    without <- causeway:::.embedRanks(model,
        lapply(ranks[on], setdiff, k), how
    )
    shift <- 1 - rowSums(with * without) /
        sqrt(rowSums(with^2) * rowSums(without^2))
    expect_equal(table$shift[table$gene == genes[[1]]], mean(shift),
        tolerance = 1e-4
    )
    expect_identical(table$cells[table$gene == genes[[1]]], sum(on))
})

test_that("genes that aren't there, and other models, are refused", {
    expect_error(deleteGenes(counts, model, "NOSUCH", verbose = FALSE),
        "'genes' has 1 gene .*NOSUCH"
    )
    expect_error(deleteGenes(counts, model, "ENSG00000000901",
        verbose = FALSE
    ), "doesn't have")
    expect_error(deleteGenes(counts, "model", "A"), "'model' must be")
})
