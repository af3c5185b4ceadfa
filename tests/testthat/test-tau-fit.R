links <- function(x) S4Vectors::metadata(x)$links

recovered <- function(fit, x) {
    truth <- simulatedTruth(x)
    truth <- truth[match(geneNames(fit), truth$gene), ]
    use <- fit@table$usable & truth$dynamic
    stats::cor(fit@table$tau[use], truth$tau[use], method = "spearman")
}

test_that("known delays are found, the same from every container", {
    x <- simulateMultiome(900, 150, seed = 3)
    fit <- estimateTau(x, links = links(x), seed = 1, time = "time",
        timeUnit = "days"
    )
    expect_true(tauVerdict(fit)$identifiable)
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
        paste(links(x)$gene, links(x)$peak)
    )
    again <- estimateTau(x, links = peakLinks(same), seed = 1, threads = 1)
    expect_equal(again@table, same@table)
    expect_identical(tauVerdict(again), tauVerdict(same))
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
        fit <- estimateTau(x, links = links(x), seed = 1)
        expect_false(tauVerdict(fit)$identifiable)
        expect_gt(length(tauVerdict(fit)$reasons), 0)
        expect_false(any(grepl("fastest|slowest", capture.output(fit))))
    }
})

test_that("cells without structure end in a verdict, not in an error", {
    d <- tauCounts()
    fit <- estimateTau(d$rna, d$atac, d$links, seed = 1,
        geneEmbedding = matrix(stats::rnorm(60), 30)
    )
    expect_false(tauVerdict(fit)$identifiable)
    expect_warning(t <- tau(fit), "not identifiable")
    expect_true(all(is.na(t$tau)))
    expect_output(show(fit), "no flow could be estimated")
    few <- estimateTau(d$rna, d$atac, d$links, seed = 1,
        genesUse = c("gene3", "gene7")
    )
    expect_identical(which(few@table$peaks > 0), c(3L, 7L))
    expect_identical(few@table$flag[[1L]], "not usable: no linked peak")
    ## the same cell again and again
    one <- matrix(rep(d$rna[, 1] + 1, 230), 30, dimnames = dimnames(d$rna))
    open <- matrix(rep(d$atac[, 1] + 1, 230), 60, dimnames = dimnames(d$atac))
    expect_error(estimateTau(one, open, d$links, seed = 1),
        "1 different places"
    )
})

test_that("a fit that can't be held in memory is refused before it starts", {
    old <- options(causeway.memoryLimit = 1000)
    on.exit(options(old))
    d <- tauCounts()
    expect_error(estimateTau(d$rna, d$atac, d$links), "not enough memory")
})

test_that("a gene embedding that knows the delays helps", {
    x <- simulateMultiome(600, 80, seed = 2)
    truth <- simulatedTruth(x)
    e <- cbind(log(truth$tau), matrix(stats::rnorm(160), 80))
    rownames(e) <- truth$gene
    fit <- estimateTau(x, links = links(x), seed = 1, geneEmbedding = e)
    plain <- fit
    plain@table$tau <- ifelse(fit@table$usable, fit@fit$amortised$plain$tau,
        NA
    )
    expect_gt(recovered(fit, x), recovered(plain, x) + 0.05)
    expect_error(estimateTau(x, links = links(x), geneEmbedding = e[1:5, ]),
        "covers [0-9]+ usable genes"
    )
    expect_error(.tauGeneEmbedding(list(genes = "a"), e), "none of the genes")
    expect_error(.tauGeneEmbedding(list(genes = "a"), e * NA), "finite")
})

test_that("given embeddings take the place of LSI and PCA", {
    x <- simulateMultiome(400, 40, seed = 3)
    e <- cbind(x$time, x$time^2)
    rownames(e) <- colnames(x)
    fit <- estimateTau(x, links = links(x), seed = 1,
        embedding = list(rna = e, atac = e)
    )
    expect_gte(tauVerdict(fit)$axes, 1)
    expect_equal(ncol(fit@fit$embedding), 2L)
    ## scores by R are those by the engine: projected, both give the same z
    plain <- estimateTau(x, links = links(x), seed = 1)
    p <- plain@fit$projectRna
    input <- .cleanCounts(.tauInput(x), FALSE)
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

test_that("Effendi runs on the same data and doesn't rank", {
    x <- simulateMultiome(300, 30, seed = 3)
    small <- EffendiParam(fieldEpochs = 1, stage1Epochs = 1, stage2Epochs = 1,
        nSteps = 5, nStepsField = 5, alignHidden = 16, nProjections = 10
    )
    fit <- estimateTau(x, links = links(x), seed = 1, method = "effendi",
        param = small
    )
    expect_identical(fit@method, "effendi")
    expect_false(tauVerdict(fit)$identifiable)
    expect_match(tauVerdict(fit)$reasons, "exchangeable over genes")
    text <- capture.output(fit)
    expect_true(any(grepl("untrained model -?[01][.]", text)))
    expect_true(any(grepl("shuffled run -?[01][.]", text)))
    expect_false(any(grepl("fastest", text)))
    expect_warning(t <- tau(fit), "exchangeable")
    expect_true(all(is.na(t$tau)))
    t <- tau(fit, force = TRUE)
    cells <- tauCells(fit)
    expect_identical(dimnames(cells), list(colnames(x), geneNames(fit)))
    expect_equal(unname(colMeans(cells)), t$tau, tolerance = 1e-4)
    e <- fit@fit
    expect_true(all(abs(colMeans(e$zRna)) < 1e-8))
    values <- .unitExpression(.logNormalised(
        SummarizedExperiment::assay(x)
    ))
    expect_identical(range(values), c(0, 1))
    gene <- EffendiParam(fieldEpochs = 1, stage1Epochs = 1, stage2Epochs = 1,
        nSteps = 5, nStepsField = 5, nProjections = 10, alignHidden = 16,
        readout = "gene"
    )
    fit <- estimateTau(x, links = links(x), seed = 1, method = "effendi",
        param = gene, embedding = list(rna = unname(e$zRna[, 1:6])),
        geneEmbedding = e$geneEmbedding[, 1:6]
    )
    expect_match(tauVerdict(fit)$reasons, "not tested against the data")
    expect_error(estimateTau(x, links = links(x), method = "effendi",
        param = gene, geneEmbedding = e$geneEmbedding[, 1:5]
    ), "has 5 dimensions and the RNA embedding")
    expect_error(estimateTau(x, links = links(x), method = "effendi",
        param = 1
    ), "'param'")
})
