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

test_that("one pass gives what its definition says", {
    set.seed(2)
    m <- matrix(rpois(40 * 30, 0.4) * 1, 40)
    m[m > 2] <- 0
    m[1:3, ] <- 0
    m[1, 4] <- 2
    m[2, c(4, 9)] <- 1
    colnames(m) <- paste0("c", 1:30)
    rownames(m) <- paste0("g", 1:40)
    x <- methods::as(m, "CsparseMatrix")
    flags <- list(known = 1:40 != 7, mt = 1:40 %in% 5:8, ribo = 1:40 == 9,
        hb = 1:40 == 10, counted = 1:40 > 4)
    old <- options(causeway.blockBytes = 40 * 8 * 7)
    on.exit(options(old))
    seen <- list()
    got <- .qualityPass(list(matrix = DelayedArray::DelayedArray(x),
        names = rownames(m), cells = colnames(m)), flags, 10, 2L,
        each = function(x, columns, cells) seen <<- c(seen, list(columns)))
    expect_gt(length(seen), 2L)
    expect_identical(unlist(seen), 1:30)
    k <- m[flags$known, ]
    expect_equal(got$cells, list(total = unname(colSums(m)),
        known = unname(colSums(k)), detected = unname(colSums(k > 0)),
        counted = unname(colSums(m[flags$known & flags$counted, ])),
        mt = unname(colSums(m[c(5, 6, 8), ])), ribo = unname(m[9, ]),
        hb = unname(m[10, ])))
    enough <- colSums(k > 0) >= 10
    expect_equal(got$sum, unname(rowSums(m)))
    expect_equal(got$seen, unname(rowSums(m > 0)))
    expect_equal(got$enough, unname(rowSums(m[, enough] > 0)))
    expect_true(any(!enough))
    for (g in 4:40) {
        expect_equal(got$first[, g], unname(head(which(m[g, ] > 0 &
            enough), 2)))
    }
    expect_true(got$whole)
    expect_identical(got$largest, 2)
    m[3, 11] <- -0.5
    expect_error(.qualityPass(list(matrix = m, names = rownames(m),
        cells = colnames(m)), flags, 10), "holds -0.5 for gene g3 in cell c11")
})

test_that("genes in too few cells leave no trace in the moments of others", {
    set.seed(3)
    m <- matrix(rpois(60 * 50, 0.6) * 1, 60, dimnames = list(
        paste0("g", 1:60), paste0("c", 1:50)))
    m[1:6, ] <- 0
    m[1:5, 7] <- 40
    m[6, c(7, 9)] <- 3
    x <- methods::as(m, "CsparseMatrix")
    for (flavor in c("seurat", "cell_ranger", "seurat_v3")) {
        got <- suppressWarnings(preprocess(x, flavor, minGenes = 0,
            nTargets = 20, tfs = "g50", maxMt = Inf, verbose = FALSE))
        expect_identical(nrow(got), 54L)
        y <- m[-(1:6), ]
        s <- if (flavor == "seurat_v3") y else
            sweep(y, 2, 1e4 / colSums(y), "*")
        if (flavor == "cell_ranger") s <- log1p(s)
        mean <- unname(rowMeans(s))
        data <- SummarizedExperiment::rowData(got)
        expect_equal(data$means, if (flavor == "seurat") log1p(mean) else mean)
        v <- unname(apply(s, 1, var))
        if (flavor == "seurat_v3") expect_equal(data$variances, v) else
            expect_equal(data$dispersions, if (flavor == "seurat")
                log(v / mean) else v / mean)
    }
    ## where the total isn't known beforehand, and where many cells are hit
    a <- preprocess(x, minGenes = 0, nTargets = 20, tfs = "g50", maxMt = Inf,
        targetSum = NULL, verbose = FALSE)
    total <- S4Vectors::metadata(a)$preprocess$target
    expect_identical(total, stats::median(colSums(m[-(1:6), ])))
    b <- preprocess(x, minGenes = 0, nTargets = 20, tfs = "g50", maxMt = Inf,
        targetSum = total, verbose = FALSE)
    expect_equal(SummarizedExperiment::rowData(b)$dispersions_norm,
        SummarizedExperiment::rowData(a)$dispersions_norm)
})
