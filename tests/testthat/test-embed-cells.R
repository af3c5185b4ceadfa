cells <- exampleCells(nCells = 30, nGenes = 40)
model <- tinyScGPT(cells)
vectors <- function(x, m = model, ...) {
    SingleCellExperiment::reducedDim(
        embedCells(x, m, verbose = FALSE, ...), "scGPT"
    )
}

test_that("golden counts give the golden vectors", {
    golden <- loadModel(scgptFolder())
    found <- causeway:::.engineRun(golden, "embed", list(
        counts = t(goldenTensor("scgpt_a", "embed.counts")),
        token = as.integer(goldenTensor("scgpt_a", "embed.gene_ids")),
        draws = t(goldenTensor("scgpt_a", "embed.rands"))
    ))
    expect_equal(t(found$cell),
        goldenTensor("scgpt_a", "expect.embed.cell_embedding"),
        tolerance = 1e-4
    )
    ## and by the verb: the genes by name, ties by the genes' own numbers
    counts <- t(goldenTensor("scgpt_a", "embed.counts"))
    rownames(counts) <- paste0("G", goldenTensor("scgpt_a", "embed.gene_ids"))
    z <- embedCells(counts, golden, verbose = FALSE)
    expect_equal(unname(rowSums(z^2)), rep(1, 4), tolerance = 1e-5)
    expect_identical(attr(z, "coverage")$read,
        as.integer(colSums(counts > 0)))
})

test_that("a vector depends on the cell alone, not on company or threads", {
    whole <- vectors(cells)
    expect_identical(dim(whole), c(30L, 16L))
    expect_equal(whole[7:9, ], vectors(cells[, 7:9]), tolerance = 1e-5,
        ignore_attr = TRUE)
    expect_equal(whole, vectors(cells, batchSize = 3), tolerance = 1e-5)
    two <- newModel(ScGPTParam(embedDim = 16, layers = 2, heads = 4,
        hiddenDim = 24), cells, seed = 3, threads = 2)
    expect_identical(whole, vectors(cells, two))
    ## monotone: counts or their logarithms
    expect_equal(whole, vectors(preprocess(cells, minGenes = 0),
        assay.type = "logcounts"), tolerance = 1e-4, ignore_attr = TRUE)
})

test_that("seeds draw, few tokens are a choice", {
    one <- vectors(cells, seed = 1)
    expect_identical(one, vectors(cells, seed = 1))
    expect_false(isTRUE(all.equal(one, vectors(cells, seed = 2))))
    short <- vectors(cells, maxLength = 10)
    expect_identical(attr(short, "coverage")$read, rep(9L, 30))
})

test_that("every container gets its vectors", {
    counts <- SummarizedExperiment::assay(cells)
    m <- embedCells(as.matrix(counts), model, verbose = FALSE)
    expect_equal(unname(m), unname(vectors(cells)), ignore_attr = TRUE)
    se <- SummarizedExperiment::SummarizedExperiment(list(counts = counts))
    expect_s4_class(embedCells(se, model, verbose = FALSE),
        "SingleCellExperiment")
    skip_if_not_installed("HDF5Array")
    lazy <- cells
    SummarizedExperiment::assay(lazy) <- methods::as(
        SummarizedExperiment::assay(lazy), "HDF5Array")
    expect_equal(vectors(lazy), vectors(cells), tolerance = 1e-6)
    skip_if_not_installed("SeuratObject")
    seurat <- SeuratObject::CreateSeuratObject(counts)
    seurat <- embedCells(seurat, model, verbose = FALSE)
    expect_equal(unname(SeuratObject::Embeddings(seurat[["scGPT"]])),
        unname(vectors(cells)), tolerance = 1e-6, ignore_attr = TRUE)
})

test_that("genes the model doesn't know are told, too few are refused", {
    expect_message(embedCells(cells, model), "knows 40 of 40")
    other <- cells
    rownames(other) <- paste0("X", seq_len(40))
    expect_error(vectors(other), "has 0 genes of 40 in the model's vocabulary")
    rownames(other)[1:12] <- rownames(cells)[1:12]
    expect_identical(attr(vectors(other), "coverage")$known, 12L)
    other <- other[13:40, ]
    half <- cells
    SummarizedExperiment::assay(half)[, 3] <- 0
    expect_warning(out <- vectors(half), "1 cell without counts")
    expect_true(all(is.na(out[3, ])) && !anyNA(out[-3, ]))
})

test_that("what can't be is refused", {
    expect_error(embedCells(model, cells), "the cells come first")
    expect_error(embedCells(cells, tinyHyena()), "an encoder of cells")
    expect_error(embedCells(cells), "'model' is missing")
    expect_error(vectors(cells, maxLenth = 5), "maxLenth")
    expect_error(vectors(cells, batchSize = 0), "'batchSize'")
    expect_error(vectors(cells, maxLength = 1), "'maxLength'")
    bad <- cells
    SummarizedExperiment::assay(bad)[2, 2] <- -1
    expect_error(vectors(bad), "finite and >= 0|negative")
    dead <- model
    dead@ptr <- new("externalptr")
    expect_error(vectors(cells, dead), "lost its weights")
    withr <- options(causeway.memoryLimit = 1e4)
    on.exit(options(withr))
    expect_error(vectors(cells), "not enough memory")
})
