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
