prepare <- function(x, model = tinyModel(), mode = "train", nTargets = 10,
    ...) {
    input <- .cellInput(x)
    .preprocess(input, model@vocab, model@tfs$human, mode,
        nTargets = nTargets, ...
    )
}

test_that("mitochondrial, ribosomal and haemoglobin genes are left out", {
    qc <- .qcGenes(c(
        "MT-ND1", "MTOR", "RPS3", "RPL4", "HBA1", "HBP1", "HB", NA
    ))
    expect_identical(which(qc$mt), 1L)
    expect_identical(which(qc$ribo), 3:4)
    expect_identical(which(qc$hb), c(5L, 7L))
})

test_that("cells are filtered in training only, and with a message", {
    x <- tinyCells()
    m <- as.matrix(SummarizedExperiment::assay(x))
    rownames(m)[31] <- "MT-ND1"
    m[31, 2] <- 1e4
    model <- tinyModel(m)
    input <- .cellInput(m)
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
