model <- loadModel(geneformerFolder(), threads = 1)
counts <- geneformerCounts()

test_that("a cell is the mean of its genes' states, and no one else's", {
    z <- embedCells(counts, model, verbose = FALSE)
    expect_identical(dim(z), c(12L, 24L))
    expect_identical(rownames(z), colnames(counts))
    expect_identical(attr(z, "coverage")$known, 30L)
    one <- embedCells(counts[, 3, drop = FALSE], model, verbose = FALSE)
    expect_equal(one[1, ], z[3, ], tolerance = 1e-5)
    ## depth plays no part; ranks do
    deep <- embedCells(counts * 10, model, verbose = FALSE)
    expect_equal(deep, z, tolerance = 1e-6)
    ## by hand, from the engine's states of the layer before the last
    gene <- match(rownames(counts)[1:30], model@vocab$gene)
    tokens <- causeway:::.rankTokens(model, counts[1:30, 3, drop = FALSE],
        gene, 20
    )[[1]]
    states <- causeway:::.engineRun(model, "states",
        list(id = tokens, length = length(tokens)), list(early = 1)
    )$hidden
    expect_equal(unname(z[3, ]), rowMeans(states[, -c(1, length(tokens))]),
        tolerance = 1e-5
    )
    cls <- embedCells(counts, model, pool = "cls", layer = 0, verbose = FALSE)
    expect_gt(max(abs(cls - z)), 0.01)
})

test_that("containers, symbols and empty cells", {
    sce <- SingleCellExperiment::SingleCellExperiment(list(counts = counts))
    out <- embedCells(sce, model, verbose = FALSE)
    expect_equal(
        unname(SingleCellExperiment::reducedDim(out, "Geneformer")[2, ]),
        unname(embedCells(counts, model, verbose = FALSE)[2, ])
    )
    named <- counts
    rownames(named) <- c(paste0("SYM", 1:30), "X1", "X2", "X3")
    expect_equal(embedCells(named, model, verbose = FALSE)[5, ],
        embedCells(counts, model, verbose = FALSE)[5, ],
        tolerance = 1e-6
    )
    plain <- loadModel(geneformerFolder(symbols = FALSE), threads = 1)
    expect_error(embedCells(named, plain, verbose = FALSE),
        "0 genes of 33.*gene_name_id_dict"
    )
    counts[1:30, 4] <- 0
    expect_warning(z <- embedCells(counts, model, verbose = FALSE), "1 cell")
    expect_true(all(is.na(z[4, ])))
    expect_false(anyNA(z[-4, ]))
})

test_that("genes: mean states over cells, and rows of the table", {
    g <- embedGenes(counts, model, verbose = FALSE)
    expect_true(all(rownames(g) %in% rownames(counts)[1:30]))
    gene <- match(rownames(counts)[1:30], model@vocab$gene)
    ranks <- causeway:::.rankTokens(model, counts[1:30, ], gene, 20)
    token <- model@vocab$token[match(rownames(g), model@vocab$gene)]
    expect_identical(attr(g, "cells"), vapply(token, function(k) {
        sum(vapply(ranks, function(r) k %in% r, NA))
    }, 0L))
    table <- embedGenes(model)
    expect_identical(dim(table), c(100L, 24L))
    words <- modelTensor(model, "bert.embeddings.word_embeddings.weight")
    expect_equal(unname(table[7, ]), words[11, ])
})

test_that("what can't be ranked is refused", {
    expect_error(embedCells(counts / 2, model, verbose = FALSE), "no counts")
    plain <- loadModel(geneformerFolder(special = FALSE), threads = 1)
    expect_error(embedCells(counts, plain, pool = "cls"), "first version")
    expect_error(embedCells(counts, model, layer = 1), "'layer'")
    expect_error(embedCells(counts, model, maxLength = 21), "'maxLength'")
    expect_error(embedCells(counts[1:5, ], model), "fewer than 10")
})
