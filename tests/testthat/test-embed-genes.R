cells <- exampleCells(nCells = 30, nGenes = 40)
model <- tinyScGPT(cells)

test_that("genes have the vectors the model reads", {
    all <- embedGenes(model)
    expect_identical(rownames(all), rownames(cells))
    some <- embedGenes(c(rownames(cells)[3:4], "NOSUCHGENE"), model)
    expect_identical(some[1:2, ], all[3:4, ], ignore_attr = TRUE)
    expect_identical(attr(some, "missing"), "NOSUCHGENE")
    expect_identical(attr(embedGenes(cells, model), "missing"), character())
    file <- tempfile(fileext = ".h5ad")
    writeH5AD(cells, file, verbose = FALSE)
    expect_identical(embedGenes(file, model), embedGenes(cells, model))
    ## norm of a table's row, as written
    table <- modelTensor(model, "encoder.embedding.weight")[3, ]
    expect_equal(some[1, ], (table - mean(table)) /
        sqrt(mean((table - mean(table))^2) + 1e-5), tolerance = 1e-5,
    ignore_attr = TRUE)
    expect_error(embedGenes("NOSUCHGENE", model), "no gene")
    expect_error(embedGenes(cells), "'model'")
})

test_that("states of genes are golden, and each cell's own", {
    golden <- loadModel(scgptFolder())
    of <- function(name) goldenTensor("scgpt_a", name)
    found <- goldenStates(golden, list(src = of("src"),
        values = t(of("values")), padding = of("src_key_padding_mask")))
    read <- of("src_key_padding_mask") == 0
    expect_identical(!is.na(found[, , 1L]), read)
    expect_equal(found[read], of("expect.transformer_output")[read],
        tolerance = 1e-5)
    all <- expectStates(cells, model, model@config$embsize)
    ## of another set of genes: those that the model doesn't know are named
    more <- SummarizedExperiment::assay(cells)
    rownames(more)[[2L]] <- "NOSUCHGENE"
    more[5L, ] <- 0
    few <- embedGenes(more, model, perCell = TRUE, verbose = FALSE)
    expect_identical(attr(few, "missing"), rownames(more)[c(2L, 5L)])
    expect_false(any(rownames(more)[c(2L, 5L)] %in% dimnames(few)[[2L]]))
    more[, 3L] <- 0
    more[2L, 3L] <- 7
    expect_warning(blind <- embedGenes(more, model, perCell = TRUE,
        verbose = FALSE), "1 cell without counts of any known gene")
    expect_equal(blind[3L, 1L, ], colMeans(blind[-3L, 1L, ]), tolerance = 0.5)
    expect_false(anyNA(blind))
    file <- tempfile(fileext = ".h5ad")
    writeH5AD(cells, file, verbose = FALSE)
    expect_equal(embedGenes(file, model, perCell = TRUE, verbose = FALSE), all)
    expect_error(embedGenes(model, perCell = TRUE), "perCell")
    withr::local_options(causeway.memoryLimit = 8 * prod(dim(all)))
    expect_error(embedGenes(cells, model, perCell = TRUE, verbose = FALSE),
        "result takes about.*Give the cells that need states only")
})

test_that("masked values are held against the truth and a baseline", {
    r <- predictMasked(cells, model, share = 0.2, seed = 1, verbose = FALSE)
    table <- as.data.frame(r, which = "cells")
    expect_identical(nrow(table), 30L)
    facts <- r@facts
    expect_identical(sum(table$hidden), facts$hidden)
    expect_match(verdict(r)$text, "no more than that|more than that")
    again <- predictMasked(cells, model, share = 0.2, seed = 1,
        verbose = FALSE, batchSize = 7)
    expect_equal(again@facts$correlation, facts$correlation, tolerance = 1e-4)
    mvc <- predictMasked(cells, model, head = "mvc", seed = 1, verbose = FALSE)
    expect_true(is.finite(mvc@facts$correlation))
    expect_error(predictMasked(cells, model, share = 0), "'share'")
    expect_error(predictMasked(cells, "scGPT"), "must be an scGPT model")
})
