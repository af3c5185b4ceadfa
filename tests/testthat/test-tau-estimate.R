test_that("known delays are found, the same from every container", {
    x <- simulateMultiome(900, 150, seed = 3)
    fit <- estimateTau(x, links = tauLinks(x), seed = 1, time = "time",
        timeUnit = "days"
    )
    expect_true(verdict(fit)$identifiable)
    expect_gt(recovered(fit, x), 0.5)
    t <- fit@table
    expect_true(all(t$low <= t$tau & t$tau <= t$high, na.rm = TRUE))
    expect_equal(stats::median(t$tau, na.rm = TRUE), 1, tolerance = 0.35)
    ## clock time
    truth <- simulatedTruth(x)
    use <- t$reported & truth$dynamic
    ratio <- stats::median(truth$tau[use] / t$tau[use])
    expect_lt(abs(fit@unit$scale - ratio), 2 * fit@unit$error)
    expect_identical(attr(tau(fit), "unit"), "days")
    ## links by coordinates, matrices, cells in another order, two threads
    rna <- SummarizedExperiment::assay(x)
    atac <- SummarizedExperiment::assay(SingleCellExperiment::altExp(x))
    order <- sample(ncol(rna))
    same <- estimateTau(rna, atac[, order], seed = 1, threads = 2,
        genes = S4Vectors::metadata(x)$genes
    )
    expect_setequal(paste(peakLinks(same)$gene, peakLinks(same)$peak),
        paste(tauLinks(x)$gene, tauLinks(x)$peak)
    )
    again <- estimateTau(x, links = peakLinks(same), seed = 1, threads = 1)
    expect_equal(again@table, same@table)
    expect_identical(verdict(again), verdict(same))
})

test_that("set.seed() governs a fit", {
    d <- tauCounts()
    fit <- function(...) estimateTau(d$rna, d$atac, d$links, ...)
    set.seed(9)
    a <- fit()
    set.seed(9)
    b <- fit()
    expect_identical(a@table, b@table)
    expect_identical(a@fit$embedding, b@fit$embedding)
    expect_false(identical(fit(seed = 1)@fit$embedding, a@fit$embedding))
})

test_that("data without delays are refused, whatever is wrong with them", {
    for (null in c("zeroDelay", "shuffledPairing", "permutedLinks",
        "resting")) {
        x <- simulateMultiome(600, 80, null = null, seed = 4)
        fit <- estimateTau(x, links = tauLinks(x), seed = 1)
        expect_false(verdict(fit)$identifiable)
        expect_gt(length(verdict(fit)$reasons), 0)
        expect_false(any(grepl("fastest|slowest", capture.output(fit))))
    }
})

test_that("given embeddings take the place of LSI and PCA", {
    x <- simulateMultiome(400, 40, seed = 3)
    e <- cbind(x$time, x$time^2)
    rownames(e) <- colnames(x)
    fit <- estimateTau(x, links = tauLinks(x), seed = 1,
        embedding = list(rna = e, atac = e)
    )
    expect_gte(verdict(fit)$axes, 1)
    expect_equal(ncol(fit@fit$embedding), 2L)
    ## scores by R are those by the engine: projected, both give the same z
    plain <- estimateTau(x, links = tauLinks(x), seed = 1)
    p <- plain@fit$projectRna
    input <- .cleanCounts(.readPairs(x), FALSE)
    scores <- .axisScores(.logNormalised(input$rna), p)
    u <- sweep(scores, 2L, p$mean) %*% p$rotation
    d <- seq_len(ncol(u))
    s <- pmin(p$cor[d], 0.999)
    got <- .Call(cw_r_tau_project, p, .sparseView(input$rna), "rna")
    expect_equal(got, sweep(u, 2L, s * sqrt((1 + s) / 2), `*`),
        tolerance = 1e-6
    )
    a <- plain@fit$projectAtac
    scores <- .axisScores(.lsiValues(input$atac, a$weight), a)
    v <- sweep(scores, 2L, a$mean) %*% a$rotation
    got <- .Call(cw_r_tau_project, a, .sparseView(input$atac), "atac")
    expect_equal(got, sweep(v, 2L, s * sqrt((1 + s) / 2), `*`),
        tolerance = 1e-6
    )
})

test_that("a gene embedding that knows the delays helps", {
    set.seed(1)
    x <- simulateMultiome(600, 80, seed = 2)
    truth <- simulatedTruth(x)
    e <- cbind(log(truth$tau), matrix(stats::rnorm(160), 80))
    rownames(e) <- truth$gene
    fit <- estimateTau(x, links = tauLinks(x), seed = 1, geneEmbedding = e)
    plain <- fit
    plain@table$tau <- ifelse(fit@table$usable, fit@fit$amortised$plain$tau,
        NA
    )
    expect_gt(recovered(fit, x), recovered(plain, x) + 0.05)
    expect_error(estimateTau(x, links = tauLinks(x), geneEmbedding = e[1:5, ]),
        "covers [0-9]+ usable genes"
    )
    expect_error(.tauGeneEmbedding(list(genes = "a"), e), "none of the genes")
    expect_error(.tauGeneEmbedding(list(genes = "a"), e * NA), "finite")
})

test_that("the order of cells, genes and peaks changes nothing", {
    x <- simulateMultiome(700, 90, seed = 3)
    rna <- SummarizedExperiment::assay(x)
    atac <- SummarizedExperiment::assay(SingleCellExperiment::altExp(x))
    one <- estimateTau(rna, atac, tauLinks(x), seed = 1, verbose = FALSE)
    turn <- function(n, by) (seq_len(n) * by) %% n + 1L
    cells <- turn(700, 11)
    other <- estimateTau(rna[turn(90, 7), cells],
        atac[turn(nrow(atac), nrow(atac) - 1L), rev(cells)],
        tauLinks(x)[rev(seq_len(nrow(tauLinks(x)))), ], seed = 1,
        verbose = FALSE
    )
    at <- match(geneNames(one), geneNames(other))
    for (column in c("tau", "sd", "low", "high", "beta", "signalRna")) {
        expect_equal(other@table[[column]][at], one@table[[column]],
            tolerance = 1e-10
        )
    }
    expect_equal(other@verdict, one@verdict, tolerance = 1e-10)
    expect_equal(other@fit$embedding[match(cellNames(one), cellNames(other)), ],
        one@fit$embedding, tolerance = 1e-10
    )
    key <- function(fit) paste(peakLinks(fit)$gene, peakLinks(fit)$peak)
    expect_equal(peakLinks(other)$weight[match(key(one), key(other))],
        peakLinks(one)$weight, tolerance = 1e-10
    )
})

test_that("a few deep cells and one huge gene don't decide", {
    clean <- simulateMultiome(900, 110, seed = 4)
    rho <- function(x) {
        recovered(estimateTau(x, links = tauLinks(x), seed = 1,
            verbose = FALSE
        ), x)
    }
    deep <- simulateMultiome(900, 110, seed = 4, deepCells = 3,
        deepFactor = 100
    )
    one <- clean
    SummarizedExperiment::assay(one)[1, 1:3] <- 1e5
    base <- rho(clean)
    fit <- estimateTau(deep, links = tauLinks(deep), seed = 1, verbose = FALSE)
    expect_gt(recovered(fit, deep), base - 0.05)
    expect_identical(metadata(fit)$capped[["rnaCells"]], 3L)
    expect_output(show(fit), "3 profiles of cells")
    expect_gt(rho(one), base - 0.05)
})
