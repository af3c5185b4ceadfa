prepare <- function(x, model = tinyModel(), mode = "train", nTargets = 10,
    ...) {
    input <- .readCells(x)
    .preprocess(input, model@vocab, model@tfs$human, mode,
        nTargets = nTargets, ...
    )
}

test_that("mitochondrial, ribosomal and haemoglobin genes are left out", {
    qc <- .qcGenes(c(
        "MT-ND1", "MTOR", "RPS3", "RPL4", "HBA1", "HBP1", "HBEGF", NA, "HBS1L",
        "HBB-BS", "HBQ1"
    ))
    expect_identical(which(qc$mt), 1L)
    expect_identical(which(qc$ribo), 3:4)
    expect_identical(which(qc$hb), c(5L, 10L, 11L))
    ## other separators, a genome's prefix, mouse
    forms <- c("MT.CO1", "MT_CO1", "MT:CO1", "GRCh38_MT-CO1", "GRCh38-MT-CO1",
        "mm10___mt-Co1", "hg19_MT-ND4", "mt-Nd1"
    )
    expect_true(all(.qcGenes(forms)$mt))
    expect_false(any(.qcGenes(c("MT1X", "MTOR", "MTF1", "mm10___Mtor"))$mt))
    ## Entrez's names: several together
    entrez <- c("ND1", "ND2", "COX1", "ATP6", "CYTB", "TP53")
    expect_identical(which(.qcGenes(entrez)$mt), 1:5)
    expect_false(any(.qcGenes(c("COX1", "TP53"))$mt))
})

test_that("cells are filtered in training only, and with a message", {
    x <- tinyCells()
    m <- as.matrix(SummarizedExperiment::assay(x))
    rownames(m)[31] <- "MT-ND1"
    m[31, 2] <- 1e4
    model <- tinyModel(m)
    input <- .readCells(m)
    run <- function(mode) {
        .preprocess(input, model@vocab, model@tfs$human, mode, verbose = TRUE)
    }
    expect_message(p <- run("train"), "mitochondrial")
    expect_identical(p$cells, colnames(m)[-2])
    expect_false("MT-ND1" %in% p$labels)
    q <- suppressMessages(run("infer"))
    expect_identical(q$cells, colnames(m))
})

test_that("sanitize turns non-finite values into zeros, only when asked", {
    m <- as.matrix(SummarizedExperiment::assay(tinyCells()))
    model <- tinyModel(m)
    n <- m
    n[20, 3] <- NA
    n[21, 4] <- Inf
    expect_error(prepare(n, model), "preprocess = list\\(sanitize")
    p <- prepare(n, model,
        nTargets = 100, preprocess = list(sanitize = TRUE)
    )
    m[20, 3] <- 0
    m[21, 4] <- 0
    expect_equal(p$values, prepare(m, model, nTargets = 100)$values)
})
