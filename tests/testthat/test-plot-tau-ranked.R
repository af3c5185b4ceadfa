test_that("plotTau ranks what is reported, with sets and units", {
    reported <- rep(TRUE, 40)
    reported[[7]] <- FALSE
    fit <- shapedTau(tau = rev(seq(0.4, 2.2, length.out = 40)),
        reported = reported
    )
    plot <- plotTau(fit, sets = list(fast = c("gene040", "gene039")))
    drawn(plot)
    expect_identical(nrow(plot$data), 39L)
    expect_identical(plot$data$gene[1:2], c("gene040", "gene039"))
    expect_false(is.unsorted(plot$data$tau))
    expect_identical(as.character(plot$data$set[1:3]), c("fast", "fast", NA))
    expect_match(plot$labels$subtitle, "Delays are identifiable")
    expect_match(plot$labels$subtitle, "1 without a reliable delay")
    expect_match(plot$labels$y, "median")
    for (n in c(1L, 5L, 20L)) {
        expect_identical(nrow(plotTau(fit, list(), top = n)$data), n)
    }
    expect_identical(nrow(plotTau(fit, list(), top = 99)$data), 39L)
    expect_match(plotTau(fit, list(), top = 5)$labels$subtitle,
        "The 3 fastest and 2 slowest of 39"
    )
    with <- plotTau(fit, sets = list(a = "gene020"), top = 5)
    expect_true("gene020" %in% with$data$gene)
    expect_match(plotTau(shapedTau(clock = TRUE))$labels$y, "hours")
    drawn(plotTau(shapedTau(sprintf("g%03d", 1:90)),
        sets = list(a = c("g001", "g005"), b = "g002")
    ))
})

test_that("the sets of the specification are the default, in any case", {
    genes <- c("Fos", "Gata2", sprintf("gene%03d", 1:20))
    plot <- plotTau(shapedTau(genes))
    expect_identical(as.character(stats::na.omit(plot$data$set)),
        c("immediate-early", "pioneer factor")
    )
    expect_true(all(is.na(plotTau(shapedTau())$data$set)))
})

test_that("what isn't identifiable is not ranked", {
    fit <- shapedTau(tau = rev(seq(0.4, 2.2, length.out = 40)),
        identifiable = FALSE
    )
    plot <- plotTau(fit)
    drawn(plot)
    expect_identical(plot$data$gene, geneNames(fit))
    expect_match(plot$labels$subtitle, "NOT identifiable: RNA doesn't follow")
    expect_match(plot$labels$x, "not ranked")
})

test_that("bad arguments of plotTau are named", {
    fit <- shapedTau()
    expect_error(plotTau(1), "'x' must be a TauFit")
    expect_error(plotTau(fit, sets = "FOS"), "'sets' must be a list")
    expect_error(plotTau(fit, sets = list("FOS")), "'sets' must be a list")
    expect_identical(plotTau(fit, list(a = factor("gene003")))$data$set,
        plotTau(fit, list(a = "gene003"))$data$set
    )
    expect_error(plotTau(fit, colour = 1), "colour")
    expect_error(plotTau(fit = fit), "'fit' is now called 'x'")
    expect_error(plotTau(fit, top = 0), "'top' must be")
    none <- shapedTau(tau = rep(NA_real_, 40))
    expect_error(plotTau(none), "'x' has no gene with a delay")
    fit@method <- "effendi"
    expect_match(plotTau(fit)$labels$caption, "over cells")
})
