genes <- setGenes()

test_that("without tables only health and biology run", {
    out <- namedRows(fastEarly())
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
    expect_match(text[[2L]], "Evidence: 0 of 4 tests passed, 4 FAILED")
    expect_match(text[[3L]], "^Self-checks of the model, no evidence: 7 of 7")
    expect_false(verdict(report)$holds)
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
    own <- namedRows(fit, effects = effects, xqtl = list(smr = smr),
        effectsFromFit = FALSE
    )
    expect_identical(own["direction of effects as in SMR", "status"], "passed")
    text <- capture.output(report)
    expect_match(text[[1L]], "NOT identifiable")
    expect_true(any(grepl("not meaningful: delays not ident", text)))
})

test_that("bad tables are named", {
    fit <- fastEarly()
    expect_error(validateTau(1), "'x' must be a TauFit")
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

test_that("effects of silencing a gene come from the fit", {
    x <- simulateMultiome(nCells = 600, nGenes = 80, seed = 1)
    fit <- estimateTau(x, links = S4Vectors::metadata(x)$links, seed = 1,
        verbose = FALSE
    )
    usable <- geneNames(fit)[as.data.frame(fit)$usable]
    own <- intervene(fit, usable[[1L]], alpha = -1, nBoot = 20, force = TRUE,
        seed = 1
    )
    de <- data.frame(gene = own$gene, y_before = 1, y_after = 1 + own$effect,
        log2FC = own$effect
    )
    out <- namedRows(fit, perturbation = de, effects = usable[[1L]])
    expect_equal(out["direction rate", "statistic"], 1)
    expect_equal(out["Spearman with log2 fold changes", "statistic"], 1)
    expect_identical(out["direction rate", "status"],
        if (verdict(fit)$identifiable) "passed" else "not meaningful"
    )
    de$y_after <- 1 - own$effect
    out <- namedRows(fit, perturbation = de, effects = usable[[1L]])
    expect_equal(out["direction rate", "statistic"], 0)
    expect_error(validateTau(fit, effects = "nope"), "the fit doesn't hold")
})

test_that("tables whose numbers are factors mean what these say", {
    genes <- setGenes()
    fit <- fastEarly()
    series <- data.frame(gene = factor(genes), time = seq_along(genes) * 10)
    want <- namedRows(fit, timeSeries = series)
    series$time <- factor(series$time)
    expect_identical(namedRows(fit, timeSeries = series), want)
    series$time <- as.character(series$time)
    expect_identical(namedRows(fit, timeSeries = series), want)
    series$time[[1L]] <- "soon"
    expect_error(validateTau(fit, timeSeries = series),
        "'timeSeries' has a column time of class character .* soon"
    )
})

test_that("evidence is counted apart from self-checks", {
    report <- validateTau(fastEarly())
    expect_s4_class(report, "CausewayReport")
    table <- as.data.frame(report, "tests")
    expect_identical(table$kind == "self-check", table$layer == 1L)
    v <- verdict(report)
    expect_true(v$holds)
    expect_match(v$text[[2L]], "^Evidence: 4 of 4 tests passed")
    expect_identical(report@facts$evidence$passed, 4L)
    none <- verdict(validateTau(shapedTau()))
    expect_true(is.na(none$holds))
    expect_match(none$text[[2L]], "Evidence: no test could be run; 1[0-9] not")
    refused <- verdict(validateTau(fastEarly(identifiable = FALSE)))
    expect_false(refused$holds)
    expect_match(refused$text[[2L]], "Evidence: no test could be run; 4 not m")
})
