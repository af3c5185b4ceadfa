prepare <- function(x, model = tinyModel(), mode = "train", nTargets = 10,
    ...) {
    input <- .readCells(x)
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

test_that("values that are not counts are accepted and said to be so", {
    x <- tinyCells()
    m <- as.matrix(SummarizedExperiment::assay(x)) * 0.37
    model <- tinyModel(m)
    expect_message(
        p <- .preprocess(.readCells(m), model@vocab, model@tfs$human, "train",
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
    p <- .preprocess(.readCells(lognorm), model@vocab, model@tfs$human,
        "infer", logged = TRUE
    )
    expect_equal(as.matrix(p$values), unname(lognorm))
    expect_error(
        .preprocess(.readCells(m * 100), model@vocab, model@tfs$human,
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
