## Five layers: known answers by hand, both signs, what is missing, bad tables.

named <- function(fit, ...) {
    out <- as.data.frame(validateTau(fit, ...))
    rownames(out) <- out$test
    out
}
sets <- tauGeneSets()
genes <- c(sets$immediateEarly, sets$pioneer, sprintf("GENE%02d", 1:37))
fastEarly <- function(...) {
    shapedTau(genes, tau = c(seq(0.3, 0.42, by = 0.02),
        seq(2.4, 2.9, by = 0.1), seq(0.76, 1.3, length.out = 37)^3
    ), ...)
}

test_that("gene sets are the specification's", {
    expect_identical(sets$immediateEarly,
        c("FOS", "JUN", "JUNB", "EGR1", "NR4A1", "NR4A2", "ATF3")
    )
    expect_setequal(sets$pioneer,
        c("SPI1", "CEBPA", "CEBPB", "GATA2", "IRF8", "RUNX1")
    )
    expect_length(sets$immediateEarlyWide, 141L)
    expect_true(all(sets$immediateEarly %in% sets$immediateEarlyWide))
})

test_that("without tables only health and biology run", {
    out <- named(fastEarly())
    expect_identical(sort(unique(out$layer)), 1:5)
    expect_true(all(out$status[out$layer > 2] == "not run"))
    expect_true(all(is.na(out$passed[out$layer > 2])))
    expect_true(all(grepl("^needs", out$note[out$status == "not run"])))
    expect_true(all(out$status[out$layer == 1] == "passed"))
    early <- out["immediate-early genes faster than pioneer factors", ]
    expect_identical(early$status, "passed")
    expect_equal(early$statistic, 0)
    ## exact: one of choose(13, 6) orders
    expect_equal(early$p, 1 / choose(13, 6))
    first <- out["immediate-early genes in the fastest quarter", ]
    expect_equal(first$statistic, 100 * 3.5 / 50)
    expect_identical(out["feedback genes", "status"], "listed")
    expect_match(out["feedback genes", "note"], "NR4A1 0.38")
})

test_that("the opposite order fails, and is printed as failed", {
    fit <- shapedTau(genes, tau = c(seq(2.4, 3, by = 0.1),
        seq(0.3, 0.4, by = 0.02), seq(0.76, 1.3, length.out = 37)^3
    ))
    report <- validateTau(fit)
    out <- as.data.frame(report)
    two <- out[out$layer == 2 & out$status != "listed", ]
    expect_true(all(two$status == "FAILED"))
    expect_identical(two$passed, rep(FALSE, 4))
    expect_equal(two$statistic[[1L]], 1)
    text <- capture.output(report)
    expect_true(any(grepl("FAILED  immediate-early genes faster", text)))
    expect_match(text[[2L]], "4 FAILED")
})

test_that("what isn't identifiable never passes", {
    series <- data.frame(gene = genes, time = seq_along(genes))
    effects <- data.frame(gene = genes, effect = rep(c(1, -1), 25))
    smr <- data.frame(gene = genes[1:20], beta = rep(c(2, -2), 10))
    fit <- fastEarly(identifiable = FALSE)
    report <- validateTau(fit, timeSeries = series, effects = effects,
        xqtl = list(smr = smr)
    )
    out <- as.data.frame(report)
    ran <- out$status %in% c("passed", "FAILED")
    expect_true(all(out$layer[ran] == 1))
    expect_false(any(grepl("skewed|normal", out$test[ran])))
    early <- out[out$layer == 2, ][1L, ]
    expect_identical(early$status, "not meaningful")
    expect_true(is.na(early$passed))
    expect_equal(early$statistic, 0)
    direction <- out[out$test == "direction of effects as in SMR", ]
    expect_identical(direction$status, "not meaningful")
    own <- named(fit, effects = effects, xqtl = list(smr = smr),
        effectsFromFit = FALSE
    )
    expect_identical(own["direction of effects as in SMR", "status"], "passed")
    text <- capture.output(report)
    expect_match(text[[1L]], "NOT identifiable")
    expect_true(any(grepl("not meaningful: delays not ident", text)))
})

test_that("Mann-Whitney agrees with scipy", {
    ## scipy.stats.mannwhitneyu(x, y, alternative = "less"), version 1.17:
    ## exact without ties; normal with ties, U = 2, p = 0.030844582990462274
    f <- causeway:::.mannWhitney
    expect_equal(f(c(1, 2, 3), c(4, 5, 6, 7), "less")$p, 1 / 35)
    tied <- f(c(1, 2, 2, 3), c(2, 4, 5, 6, 7), "less")
    expect_equal(tied$share * 20, 2)
    n <- 9
    s <- sqrt(4 * 5 / 12 * (n + 1 - (3^3 - 3) / (n * (n - 1))))
    expect_equal(tied$p, stats::pnorm((2 - 10 + 0.5) / s))
    expect_equal(tied$p, 0.030844582990462274)
    big <- f(as.numeric(1:60), as.numeric(31:90), "less")
    expect_lt(big$p, 1e-5)
    expect_true(is.nan(f(numeric(), 1, "less")$p))
})

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
    out <- named(fit, xqtl = list(smr = smr, lead = lead), effects = effects)
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
    out <- named(fit, xqtl = list(smr = smr, lead = lead))
    expect_identical(out[out$layer == 3, "status"],
        c("FAILED", "not run", "not run", "FAILED")
    )
    lead$eQTL_p <- 0.01
    out <- named(fit, xqtl = list(lead = lead))
    expect_identical(out[out$layer == 3, "status"][[4L]], "not run")
})

test_that("perturbation: statistics by hand", {
    set.seed(4)
    n <- 200
    de <- data.frame(gene = sprintf("P%03d", 1:n), y_before = c(rep(0, 40),
        runif(160, 0.5, 2)))
    de$y_after <- de$y_before
    de$y_after[1:10] <- 0.5
    change <- rnorm(160)
    de$y_after[41:200] <- de$y_before[41:200] * 2^change
    de$log2FC <- c(rep(0, 40), change)
    effects <- data.frame(gene = de$gene, effect = 0)
    effects$effect[1:6] <- 0.2
    effects$effect[11:12] <- -0.2
    effects$effect[41:200] <- change + rnorm(160)
    out <- named(fastEarly(), perturbation = de, effects = effects)
    own <- function(x) out[x, "statistic"]
    expect_equal(own("silence precision"), 1 - 2 / 30)
    expect_equal(own("silence recall"), 6 / 10)
    e <- effects$effect[41:200]
    expect_equal(own("direction rate"), mean(sign(change) == sign(e)))
    expect_equal(own("Spearman with log2 fold changes"),
        stats::cor(change, e, method = "spearman")
    )
    top <- function(x) order(-abs(x))[1:50]
    expect_equal(own("recall at 50"), length(intersect(top(change), top(e))) /
        50)
    expect_true(all(out[out$layer == 4, "passed"]))
    effects$effect[11:40] <- 1
    effects$effect[1:8] <- 0
    effects$effect[41:200] <- -effects$effect[41:200]
    names(de)[[4L]] <- "DE_log2FC"
    out <- named(fastEarly(), perturbation = de, effects = effects)
    expect_identical(out[out$layer == 4, "status"],
        c("FAILED", "FAILED", "FAILED", "FAILED", "passed")
    )
    few <- named(fastEarly(), perturbation = de[41:80, ], effects = effects)
    expect_identical(few[few$layer == 4, "status"],
        c("not run", "not run", "FAILED", "FAILED", "not run")
    )
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
    out <- named(fit, eregulons = regulons, age = slow, epigenome = marks,
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
    out <- named(fit, eregulons = data.frame(TF = "GATA2", gene = quick),
        age = data.frame(Gene_signature_name = quick),
        epigenome = data.frame(gene = genes, H3K27me3 = seq_along(genes),
            openSilent = genes %in% genes[1:12]
        ), timeSeries = data.frame(gene = genes, time = -tau)
    )
    expect_identical(out[out$layer == 5, "status"], rep("FAILED", 4))
})

test_that("health: a flow that breaks its thresholds fails", {
    fit <- fastEarly()
    fit@fit$velocity <- cbind(rep(c(8, -8), 15), 0)
    out <- named(fit)
    expect_identical(out["Lipschitz constant of the flow", "status"], "FAILED")
    ## derivative by differences
    engine <- fit@fit
    v <- causeway:::.flowAt(engine)
    h <- 1e-5
    norms <- vapply(seq_len(nrow(engine$z)), function(i) {
        j <- vapply(1:2, function(k) {
            d <- replace(numeric(2), k, h)
            as.vector(v(engine$z[i, , drop = FALSE] + d) -
                v(engine$z[i, , drop = FALSE] - d)) / (2 * h)
        }, numeric(2))
        svd(j)$d[[1L]]
    }, 0)
    expect_equal(out["Lipschitz constant of the flow", "statistic"],
        max(norms), tolerance = 1e-5
    )
    fit@fit$z[3, 1] <- NaN
    expect_identical(named(fit)["numbers that aren't finite", "status"],
        "FAILED"
    )
    none <- fastEarly()
    none@fit$velocity[] <- NaN
    out <- named(none)
    expect_identical(out["reversibility error", "status"], "not run")
    left <- shapedTau(genes, tau = 3 - exp(seq(-3, 0.9, length.out = 50)))
    expect_identical(named(left)["delays skewed to the right", "status"],
        "FAILED"
    )
    set.seed(1)
    normal <- shapedTau(genes, tau = 1 + 0.1 * stats::qnorm(ppoints(50)))
    expect_identical(named(normal)["delays not normal (Shapiro-Wilk)",
        "status"], "FAILED")
    flat <- shapedTau(genes, tau = rep(1, 50))
    expect_identical(named(flat)["delays skewed to the right", "status"],
        "not run"
    )
})

test_that("a trained model's own numbers are used", {
    fit <- fastEarly()
    fit@method <- "effendi"
    fit@fit <- list(lipschitz = 0.98, reversibility = 0.2, tau = 1:3,
        losses = data.frame(stage = 1, epoch = 1:2, reverse = c(1, 0.05))
    )
    out <- named(fit)
    expect_identical(out[out$layer == 1, "status"][1:5],
        c("passed", "FAILED", "passed", "passed", "not run")
    )
    expect_equal(out["reverse consistency loss", "statistic"], 0.05)
})

test_that("bad tables are named", {
    fit <- fastEarly()
    expect_error(validateTau(1), "'fit' must be a TauFit")
    expect_error(validateTau(fit, genesets = "FOS"), "'genesets' must be")
    expect_error(validateTau(fit, xqtl = data.frame(gene = "a")),
        "'xqtl' must be a list with tables"
    )
    expect_error(validateTau(fit, xqtl = list(smr = data.frame(gene = "a"))),
        "'xqtl\\$smr' lacks the columns beta"
    )
    expect_error(validateTau(fit, xqtl = list(lead = data.frame(gene = "a",
        caQTL_p = "x", eQTL_p = 1))), "column caQTL_p of class character")
    expect_error(validateTau(fit, timeSeries = 1:3),
        "'timeSeries' must be a data.frame with columns gene, time"
    )
    expect_error(validateTau(fit, eregulons = data.frame(gene = "a")),
        "'eregulons' lacks the columns TF"
    )
    expect_error(validateTau(fit, age = 3), "'age' must be gene names")
    expect_error(validateTau(fit, epigenome = data.frame(gene = "a")),
        "'epigenome' lacks the columns H3K27me3"
    )
    expect_error(validateTau(fit, effects = data.frame(gene = c("a", "A"),
        effect = 1:2)), "'effects' names genes more than once: A")
    expect_error(validateTau(fit, perturbation = data.frame(gene = "Q",
        y_before = 1, y_after = 1, log2FC = 0),
    effects = data.frame(gene = "a", effect = 1)), "share no gene")
    expect_error(validateTau(fit, effectsFromFit = NA), "'effectsFromFit'")
    expect_error(validateTau(fit, sets = 1), "aren't known here: sets")
})

test_that("genes open but not expressed are found in the cells", {
    x <- simulateMultiome(nCells = 250, nGenes = 30, seed = 1)
    SummarizedExperiment::assay(x, "counts")[1:6, ] <- 0
    SummarizedExperiment::assay(x, "counts")[1:6, 1] <- 1
    fit <- estimateTau(x, links = S4Vectors::metadata(x)$links, seed = 1,
        verbose = FALSE
    )
    found <- causeway:::.openSilent(fit, x)
    expect_true(all(toupper(rownames(x)[1:6]) %in% found$gene))
    silent <- found$gene[found$silent]
    expect_gt(length(silent), 0)
    expect_true(all(silent %in% toupper(rownames(x)[1:6])))
    marks <- data.frame(gene = rownames(x), H3K27me3 = 1:30 <= 6)
    out <- named(fit, cells = x, epigenome = marks)
    expect_identical(out[out$layer == 5, "status"][[4L]], "passed")
})

test_that("effects of silencing a gene come from the fit", {
    x <- simulateMultiome(nCells = 600, nGenes = 80, seed = 1)
    fit <- estimateTau(x, links = S4Vectors::metadata(x)$links, seed = 1,
        verbose = FALSE
    )
    usable <- geneNames(fit)[as.data.frame(fit)$usable]
    own <- intervene(fit, usable[[1L]], alpha = -1, n = 20, force = TRUE,
        seed = 1
    )
    de <- data.frame(gene = own$gene, y_before = 1, y_after = 1 + own$effect,
        log2FC = own$effect
    )
    out <- named(fit, perturbation = de, effects = usable[[1L]])
    expect_equal(out["direction rate", "statistic"], 1)
    expect_equal(out["Spearman with log2 fold changes", "statistic"], 1)
    expect_identical(out["direction rate", "status"],
        if (tauVerdict(fit)$identifiable) "passed" else "not meaningful"
    )
    de$y_after <- 1 - own$effect
    out <- named(fit, perturbation = de, effects = usable[[1L]])
    expect_equal(out["direction rate", "statistic"], 0)
    expect_error(validateTau(fit, effects = "nope"), "the fit doesn't hold")
})
