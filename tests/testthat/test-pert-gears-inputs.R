## Graphs and gene vectors that GEARS is told.

test_that("links are the strongest of each target", {
    go <- data.frame(gene = c("A", "A", "B", "B", "C", "D"),
        term = c("s", "t", "s", "t", "s", "u"))
    s <- list(overlap = 0.1, neighbours = 1, threshold = 0.5)
    links <- .termLinks(go, c("A", "B", "C", "D", "E"), s)
    expect_equal(links$target, c(0, 0, 1, 1, 2, 2, 3))
    expect_equal(links$weight[links$target == 2 & links$source == 2], 1)
    expect_equal(links$weight[links$target == 2 & links$source == 0], 0.5)
    expect_equal(links$source[links$target == 0], c(0, 1))
    set.seed(1)
    z <- matrix(rnorm(40), 2)
    v <- rbind(z[1, ], z[1, ] + 0.1 * z[2, ], -z[1, ], z[2, ], 1)
    r <- suppressWarnings(abs(cor(t(v))))
    links <- .coexpressionLinks(v, list(threshold = 0.4, neighbours = 4), 1L)
    got <- matrix(0, 5, 5)
    got[cbind(links$target, links$source) + 1] <- links$weight
    r[5, ] <- r[, 5] <- 0
    diag(r) <- 1
    expect_equal(got, unname(r * (r > 0.4)), tolerance = 1e-6)
})

test_that("embeddings stand in place of what is learnt", {
    x <- pertScreen()
    set.seed(1)
    e <- matrix(rnorm(nrow(x) * 5), nrow(x), dimnames = list(rownames(x), NULL))
    model <- trainModel(x, GEARSParam(hiddenSize = 8, epochs = 1,
        geneEmbedding = e[-1, ], uncertainty = TRUE), "perturbation", seed = 1,
        verbose = FALSE)
    expect_identical(model@config$external_embedding, 5L)
    p <- predictPerturbation(model, "FAC01")
    expect_true(all(is.finite(p@delta)))
    expect_gt(as.data.frame(p)$certain, 0)
    dir <- file.path(withr::local_tempdir(), "gears")
    saveModel(model, dir)
    expect_equal(predictPerturbation(loadModel(dir, verbose = FALSE),
        "FAC01")@delta, p@delta, tolerance = 1e-6)
    rownames(e) <- paste0("other", seq_len(nrow(e)))
    expect_error(trainModel(x, GEARSParam(geneEmbedding = e), "perturbation",
        verbose = FALSE), "none of the screen's genes")
})

test_that("embeddings of control cells, and those of a model, stand there too", {
    x <- pertScreen()
    names <- colnames(x)[x$perturbation == "control"]
    set.seed(2)
    e <- array(rnorm(length(names) * nrow(x) * 4), c(length(names), nrow(x), 4),
        dimnames = list(names, rownames(x), NULL))
    run <- function(e, ...) {
        trainModel(x, GEARSParam(hiddenSize = 8, epochs = 1, geneEmbedding = e,
            ...), "perturbation", seed = 1, verbose = FALSE)
    }
    model <- run(e[-(1:100), -1, ], uncertainty = TRUE)
    expect_identical(dim(model@state$own$vectors), c(4L, nrow(x), 64L))
    p <- predictPerturbation(model, c("FAC01", "FAC01+SIG02"))
    expect_true(all(is.finite(p@delta)))
    expect_true(all(as.data.frame(p)$certain > 0))
    ## the cells' vectors matter, and a gene that has none has the mean
    moved <- run(e[-(1:100), -1, ] + 1)
    expect_gt(max(abs(predictPerturbation(moved, "FAC01")@delta -
        p@delta[, 1L])), 1e-5)
    v <- model@state$own$vectors
    gene <- match(rownames(x)[[1L]], model@state$readouts)
    expect_equal(v[, gene, 1L], rowMeans(v[, -gene, 1L]), tolerance = 1e-6)
    dir <- file.path(withr::local_tempdir(), "gears")
    saveModel(model, dir)
    expect_equal(predictPerturbation(loadModel(dir, verbose = FALSE),
        "FAC01")@delta[, 1L], p@delta[, 1L], tolerance = 1e-5)
    unlink(file.path(dir, "vectors.safetensors"))
    expect_error(loadModel(dir, verbose = FALSE), "vectors.safetensors")
    dimnames(e)[[1L]] <- paste0("other", seq_along(names))
    expect_error(run(e), "0 control cells")
    expect_error(GEARSParam(geneEmbedding = unname(e)), "names of the cells")
    ## all cells the same: as one matrix for all
    scgpt <- newModel(ScGPTParam(embedDim = 4, layers = 1, heads = 2),
        rownames(x), seed = 1)
    expect_output(show(GEARSParam(geneEmbedding = scgpt)), "ScGPTModel")
    expect_error(GEARSParam(geneEmbedding = model), "GEARSModel.*no gene")
    given <- predictPerturbation(run(embedGenes(rownames(x), scgpt)), "FAC01")
    ## states of genes in control cells are taken as embedGenes() gives them
    states <- embedGenes(x[, x$perturbation == "control"], scgpt,
        perCell = TRUE, verbose = FALSE)
    own <- run(states)
    at <- match(dimnames(states)[[2L]], own@state$readouts)
    expect_equal(own@state$own$vectors[, at[!is.na(at)], 1L],
        t(states[1L, !is.na(at), ]), tolerance = 1e-6, ignore_attr = TRUE)
    expect_true(all(is.finite(predictPerturbation(own, "FAC01")@delta)))
    expect_identical(predictPerturbation(run(scgpt), "FAC01")@delta,
        given@delta)
})
