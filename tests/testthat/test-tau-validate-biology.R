genes <- setGenes()

test_that("genetics: the four tests, both ways", {
    fit <- fastEarly()
    tau <- as.data.frame(fit)$tau
    slow <- genes[rank(-tau) <= 12]
    quick <- genes[rank(tau) <= 12]
    beta <- seq(0.1, 1.2, by = 0.1) * rep(c(1, -1), 6)
    smr <- rbind(data.frame(gene = slow, beta = beta),
        data.frame(gene = slow[[1L]], beta = -0.01),
        data.frame(gene = "ELSEWHERE", beta = 5)
    )
    effects <- data.frame(gene = tolower(genes), effect = 0)
    effects$effect[match(slow, genes)] <- beta^3
    effects$effect[match(slow[1:3], genes)] <- -beta[1:3]^3
    lead <- data.frame(gene = c(slow, quick), caQTL_p = 1e-8,
        eQTL_p = rep(c(1e-9, 0.5), each = 12)
    )
    out <- namedRows(fit, xqtl = list(smr = smr, lead = lead), effects = effects)
    row <- function(x) out[out$layer == 3, ][x, ]
    expect_identical(row(1:4)$status, rep("passed", 4))
    expect_equal(row(1)$statistic, 1)
    expect_equal(row(2)$statistic, 9 / 12)
    expect_equal(row(2)$n, 12L)
    expect_equal(row(3)$statistic, 1)
    expect_equal(row(4)$p, stats::wilcox.test(tau[genes %in% slow],
        tau[genes %in% quick], alternative = "greater", exact = FALSE
    )$p.value)
    lead$eQTL_p <- rev(lead$eQTL_p)
    smr$gene[1:12] <- quick
    out <- namedRows(fit, xqtl = list(smr = smr, lead = lead))
    expect_identical(out[out$layer == 3, "status"],
        c("FAILED", "not run", "not run", "FAILED")
    )
    lead$eQTL_p <- 0.01
    out <- namedRows(fit, xqtl = list(lead = lead))
    expect_identical(out[out$layer == 3, "status"][[4L]], "not run")
})

test_that("auxiliary: regulons, age, time, marks", {
    fit <- fastEarly()
    tau <- as.data.frame(fit)$tau
    slow <- genes[tau > stats::quantile(tau, 0.75)]
    regulons <- data.frame(TF = "SPI1", gene = c(slow[1:9], genes[1:3], "ZZ"))
    regulons <- rbind(regulons, data.frame(TF = "MYC", gene = genes))
    marks <- data.frame(gene = genes, H3K27me3 = genes %in% genes[20:30],
        openSilent = genes %in% genes[22:29]
    )
    out <- namedRows(fit, eregulons = regulons, age = slow, epigenome = marks,
        timeSeries = data.frame(gene = genes, time = tau^2)
    )
    five <- out[out$layer == 5, ]
    expect_identical(five$status, rep("passed", 4))
    n <- length(slow)
    table <- matrix(c(9, n - 9, 3, 50 - n - 3), 2)
    expect_equal(five$statistic[[1L]], 9 * table[2, 2] / (3 * (n - 9)))
    expect_equal(five$p[[1L]], stats::fisher.test(table)$p.value)
    expect_equal(five$statistic[[3L]], 1)
    expect_equal(five$statistic[[4L]], Inf)
    quick <- genes[tau < stats::quantile(tau, 0.25)]
    out <- namedRows(fit, eregulons = data.frame(TF = "GATA2", gene = quick),
        age = data.frame(Gene_signature_name = quick),
        epigenome = data.frame(gene = genes, H3K27me3 = seq_along(genes),
            openSilent = genes %in% genes[1:12]
        ), timeSeries = data.frame(gene = genes, time = -tau)
    )
    expect_identical(out[out$layer == 5, "status"], rep("FAILED", 4))
})

test_that("genes open but not expressed are found in the cells", {
    x <- simulateMultiome(nCells = 250, nGenes = 30, seed = 1)
    SummarizedExperiment::assay(x, "counts")[1:6, ] <- 0
    SummarizedExperiment::assay(x, "counts")[1:6, 1] <- 1
    fit <- estimateTau(x, links = S4Vectors::metadata(x)$links, seed = 1,
        verbose = FALSE
    )
    found <- .openSilent(fit, x)
    expect_true(all(toupper(rownames(x)[1:6]) %in% found$gene))
    silent <- found$gene[found$silent]
    expect_gt(length(silent), 0)
    expect_true(all(silent %in% toupper(rownames(x)[1:6])))
    marks <- data.frame(gene = rownames(x), H3K27me3 = 1:30 <= 6)
    out <- namedRows(fit, cells = x, epigenome = marks)
    expect_identical(out[out$layer == 5, "status"][[4L]], "passed")
})
