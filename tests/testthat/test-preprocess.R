prepare <- function(x, model = tinyModel(), mode = "train", nTargets = 10,
    ...) {
    input <- .cellInput(x)
    .preprocess(input, model@vocab, model@tfs$human, mode,
        nTargets = nTargets, ...
    )
}

test_that("values are log1p of 1e4-scaled counts over the usable genes", {
    x <- tinyCells()
    p <- prepare(x, nTargets = 100)
    m <- as.matrix(SummarizedExperiment::assay(x))
    keep <- rowSums(m > 0) >= 3
    m <- m[keep, ]
    want <- log1p(sweep(m, 2, colSums(m), "/") * 1e4)
    expect_identical(p$labels, rownames(m))
    expect_equal(as.matrix(p$values), unname(want), tolerance = 1e-12)
    expect_identical(p$cells, colnames(x))
    expect_s4_class(p$values, "dgCMatrix")
})

test_that("all factors are kept, targets are chosen among the others", {
    x <- tinyCells()
    p <- prepare(x, nTargets = 4)
    tf <- rownames(x) %in% tfCatalogue("human")$TF
    expect_identical(p$labels[!p$nonTF], rownames(x)[tf])
    expect_identical(sum(p$nonTF), 4L)
    expect_identical(p$labels, rownames(x)[rownames(x) %in% p$labels])
    q <- prepare(x, nTargets = 4, keep = "TARGET026")
    expect_true("TARGET026" %in% q$labels)
    rare <- as.matrix(SummarizedExperiment::assay(x))
    rare["TARGET026", -2] <- 0
    rare["TARGET026", 2] <- 5
    expect_false("TARGET026" %in% prepare(rare, nTargets = 99)$labels)
    r <- prepare(rare, nTargets = 4, keep = "target026 ")
    expect_true("TARGET026" %in% r$labels)
    expect_error(prepare(x, keep = "NOGENE"), "'keep'.*NOGENE")
})

test_that("the dispersion agrees with a plain computation", {
    set.seed(3)
    v <- matrix(rexp(40 * 15), 40)
    v[7, ] <- 0
    got <- .normalisedDispersion(rowSums(v), rowSums(v^2), ncol(v), bins = 5L)
    mean <- rowMeans(v)
    mean[mean == 0] <- 1e-12
    d <- apply(v, 1, var) / mean
    d[d == 0] <- NA
    d <- log(d)
    bin <- as.integer(cut(log1p(mean), 5, labels = FALSE))
    want <- numeric(40)
    for (b in unique(bin)) {
        here <- bin == b
        s <- sd(d[here], na.rm = TRUE)
        c <- mean(d[here], na.rm = TRUE)
        want[here] <- if (is.na(s)) d[here] / c else (d[here] - c) / s
    }
    want[!is.finite(want)] <- 0
    expect_equal(got, want, tolerance = 1e-8)
})

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

test_that("values that are not counts are accepted and said to be so", {
    x <- tinyCells()
    m <- as.matrix(SummarizedExperiment::assay(x)) * 0.37
    model <- tinyModel(m)
    expect_message(
        p <- .preprocess(.cellInput(m), model@vocab, model@tfs$human, "train",
            verbose = TRUE
        ), "not whole numbers"
    )
    expect_equal(p$values, prepare(x, nTargets = 1000)$values)
})

test_that("normalised values pass unchanged", {
    x <- tinyCells()
    m <- as.matrix(SummarizedExperiment::assay(x))
    lognorm <- log1p(sweep(m, 2, colSums(m), "/") * 1e4)
    model <- tinyModel(m)
    p <- .preprocess(.cellInput(lognorm), model@vocab, model@tfs$human,
        "infer", logged = TRUE
    )
    expect_equal(as.matrix(p$values), unname(lognorm))
    expect_error(
        .preprocess(.cellInput(m * 100), model@vocab, model@tfs$human,
            "infer", logged = TRUE
        ), "'alreadyNormalised' is TRUE"
    )
})

test_that("settings of the preprocessing are checked", {
    x <- tinyCells()
    expect_error(prepare(x, preprocess = list(minGene = 3)), "minGene")
    expect_error(prepare(x, preprocess = list(3)), "named list")
    expect_error(prepare(x, preprocess = list(maxMt = 200)), "maxMt")
    expect_error(
        prepare(x, preprocess = list(minGenes = 1000)), "keeps no cell"
    )
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
