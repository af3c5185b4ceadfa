good <- list(axes = 3, usable = 60, concord = 0.9, lead = 0.85, leadZ = 8,
    gain = 5, heterogeneity = 3
)

test_that("each number of the verdict can refuse alone, with its reason", {
    expect_true(.tauVerdict(good)$identifiable)
    expect_identical(.tauVerdict(good)$reasons, character())
    bad <- list(
        axes = list(0, "share no axis"), usable = list(19, "only 19 genes"),
        concord = list(0.69, "disagree in many genes.*0.69"),
        lead = list(0.69, "doesn't follow chromatin"),
        leadZ = list(3.9, "could be chance"), gain = list(0, "better than"),
        heterogeneity = list(1.4, "one delay for all")
    )
    expect_setequal(names(bad), names(.tauThresholds))
    for (name in names(bad)) {
        v <- .tauVerdict(replace(good, name, bad[[name]][1L]))
        expect_false(v$identifiable)
        expect_length(v$reasons, 1L)
        expect_match(v$reasons, bad[[name]][[2L]])
        expect_false(.tauVerdict(replace(good, name, NaN))$identifiable)
        expect_false(.tauVerdict(good[setdiff(names(good), name)])$identifiable)
    }
    ## exactly at the threshold is enough, except for the gain
    edge <- as.list(.tauThresholds)
    edge$gain <- 1e-9
    expect_true(.tauVerdict(edge)$identifiable)
    expect_match(.tauVerdict(replace(good, "usable", 1))$reasons,
        "only 1 gene changes"
    )
    few <- .tauVerdict(list(axes = 2, usable = 3, concord = NaN, lead = NaN,
        leadZ = NaN, gain = NaN, heterogeneity = NaN
    ))
    expect_length(few$reasons, 1L)
    expect_length(.tauVerdict(list())$reasons, 1L)
})

test_that("a fit shows its verdict first and ranks only when it may", {
    fit <- tauFit()
    expect_true(validObject(fit))
    text <- capture.output(fit)
    expect_identical(text[[1L]], "Delays are identifiable.")
    expect_true(any(grepl("fastest: +gene1 0.30, gene2", text)))
    expect_true(any(grepl("slowest: +gene30 2.00", text)))
    expect_true(any(grepl("unit: +median delay, relative", text)))
    expect_true(any(grepl("cross-correlation 1.00", text)))
    expect_true(any(grepl("switch times -1.00", text)))
    expect_false(any(grepl("hour", text)))
    expect_true(all(nchar(text) <= 80L))
    expect_equal(tau(fit)$tau, seq(0.3, 2, length.out = 30))
    expect_identical(attr(tau(fit), "unit"), "median delay")
    expect_identical(dim(fit), c(genes = 30L, cells = 230L))
    expect_identical(geneNames(fit), paste0("gene", 1:30))
    expect_identical(nrow(cellData(fit)), 230L)
    expect_identical(peakLinks(fit)$weight, rep(1, 60))
    expect_identical(as.data.frame(fit)$peaks, rep(2L, 30))
    expect_error(tauCells(fit), "one delay per gene")
    expect_error(tau(fit, forse = TRUE), "forse")

    null <- tauFit(list(lead = 0.52, gain = -3))
    text <- capture.output(null)
    expect_match(text[[1L]], "^Delays are NOT identifiable: RNA doesn't follow")
    expect_true(any(grepl("lead: .*0.52 .needed 0.70. FAILED", text)))
    expect_false(any(grepl("fastest|slowest", text)))
    expect_true(all(nchar(text) <= 80L))
    expect_warning(t <- tau(null), "not identifiable: RNA doesn't follow")
    expect_true(all(is.na(unlist(t[c("tau", "sd", "low", "high")]))))
    expect_identical(t$gene, geneNames(null))
    expect_silent(t <- tau(null, force = TRUE))
    expect_false(anyNA(t$tau))
    expect_identical(tauVerdict(null)$lead, 0.52)
})

test_that("an engine that stopped early gives a clear refusal", {
    none <- rep(NaN, 30)
    fit <- tauFit(list(usable = rep(FALSE, 30), tau = none, sd = none,
        low = none, high = none, mode = none, beta = none, alpha = none,
        signalChromatin = rep(5, 30), concord = NaN, lead = NaN, leadZ = NaN,
        gain = NaN, heterogeneity = NaN, readout = "none"
    ))
    text <- capture.output(fit)
    expect_match(text[[1L]], "only 0 genes change")
    expect_true(any(grepl("lead: +not computed", text)))
    expect_true(all(is.na(fit@table$tau)))
    expect_identical(unique(fit@table$flag), "not usable: no chromatin signal")
})

test_that("flags say why a delay isn't reported", {
    d <- tauCounts()
    d$links <- d$links[d$links$gene != "gene8", ]
    fit <- tauFit(list(
        sd = replace(rep(0.2, 30), c(1, 2), 0.4),
        rim = seq_len(30) %in% c(2, 3),
        beta = replace(rep(1, 30), 4, -1),
        usable = !seq_len(30) %in% 5:10,
        signalChromatin = replace(rep(99, 30), c(5, 7), 60),
        signalRna = replace(rep(99, 30), c(6, 7), NaN),
        correlation = replace(rep(0.5, 30), 9:10, c(0.2, -0.6))
    ), d = d)
    expect_identical(fit@table$flag[1:11], c("wide", "wide, rim", "rim",
        "repressed", "not usable: no chromatin signal",
        "not usable: no RNA signal",
        "not usable: no chromatin signal, no RNA signal",
        "not usable: no linked peak", "not usable: chromatin and RNA disagree",
        "not usable: repressed", ""
    ))
    expect_identical(which(fit@table$reported), c(4L, 11:30))
    expect_true(all(is.na(fit@table$tau[5:10])))
    expect_identical(fit@table$peaks[[8]], 0L)
    ## a repressed gene has a delay, but isn't one of the usable
    fit <- tauFit(list(usable = seq_len(30) != 2, repressed = seq_len(30) == 2,
        correlation = replace(rep(0.5, 30), 2, -0.6)
    ), d = d)
    expect_identical(fit@table$flag[1:3], c("", "repressed", ""))
    expect_true(is.finite(fit@table$tau[[2]]))
    expect_false(fit@table$reported[[2]])
    expect_identical(tauVerdict(fit)$usable, 29)
})

test_that("a clock calibrates the unit with its error", {
    d <- tauCounts()
    metacell <- rep_len(1:20, 230)
    clock <- 10 + 12 * metacell # three hours move one quarter: 48 a unit
    fit <- tauFit(time = clock + rnorm(230), d = d)
    expect_equal(fit@unit$scale, 48, tolerance = 0.02)
    expect_equal(fit@unit$error, 0.25 * fit@unit$scale, tolerance = 0.05)
    expect_equal(tau(fit)$tau, fit@table$tau * fit@unit$scale)
    expect_identical(attr(tau(fit), "unit"), "hours")
    expect_true(all(tau(fit)$sd > fit@table$sd * fit@unit$scale))
    expect_true(any(grepl("1 median delay = 4[78].* \\+- 12.* hours",
        capture.output(fit)
    )))
    ## a clock that cells of one state share less: wider, with a word
    expect_warning(rough <- tauFit(time = clock + stats::rnorm(230, sd = 90),
        d = d
    ), "agree poorly|doesn't advance")
    if (is.finite(rough@unit$scale)) {
        expect_gt(rough@unit$error, 1.3 * fit@unit$error)
    }
    expect_warning(back <- tauFit(time = -clock, d = d), "doesn't advance")
    expect_true(is.na(back@unit$scale))
    expect_identical(attr(tau(back), "unit"), "median delay")
    expect_false(any(grepl("hours", capture.output(back))))
    expect_warning(tauFit(time = rep_len(1:7, 230), d = d), "isn't used")
    null <- tauFit(list(lead = 0.5), time = clock, d = d)
    expect_true(is.na(null@unit$scale))
    expect_error(tauFit(time = rep(1, 230), d = d), "constant")
    ## cells without a time are left out
    some <- replace(clock, 1:15, NA)
    expect_equal(tauFit(time = some, d = d)@unit$scale, 48, tolerance = 0.02)
})

test_that("delays go into containers", {
    d <- tauCounts()
    fit <- tauFit(d = d)
    x <- tauSCE(d)[c(5, 1, 30), ]
    y <- addTau(x, fit)
    expect_s4_class(y, "SingleCellExperiment")
    data <- SummarizedExperiment::rowData(y)
    expect_equal(data$tau, fit@table$tau[c(5, 1, 30)])
    expect_identical(data$tauFlag, c("", "", ""))
    expect_true(S4Vectors::metadata(y)$tau$verdict$identifiable)
    null <- tauFit(list(lead = 0.5), d = d)
    expect_warning(z <- addTau(x, null), "not identifiable")
    expect_true(all(is.na(SummarizedExperiment::rowData(z)$tau)))
    expect_silent(z <- addTau(x, null, force = TRUE))
    expect_false(anyNA(SummarizedExperiment::rowData(z)$tau))
    rownames(x) <- c("a", "b", "c")
    expect_error(addTau(x, fit), "no gene of 'x'")
    expect_error(addTau(1, fit), "must be a SingleCell")
    expect_error(addTau(tauSCE(d), 1), "must be a TauFit")

    skip_if_not_installed("MultiAssayExperiment")
    m <- MultiAssayExperiment::MultiAssayExperiment(
        list(atac = d$atac, rna = tauSCE(d))
    )
    m <- addTau(m, fit)
    expect_s4_class(m, "MultiAssayExperiment")
    expect_equal(SummarizedExperiment::rowData(m[["rna"]])$tau, fit@table$tau)
    skip_if_not_installed("SeuratObject")
    s <- suppressWarnings(SeuratObject::CreateSeuratObject(d$rna))
    s <- addTau(s, fit)
    expect_s4_class(s, "Seurat")
    expect_equal(s[["RNA"]][["tau"]][, 1], fit@table$tau)
})

test_that("settings of the anchored method are checked", {
    o <- .tauOptions(list(metacells = 100, peakWeights = FALSE), "kinetics")
    expect_identical(o$metacells, 100)
    expect_identical(o$peakWeights, 0)
    expect_identical(o$readout, 2)
    expect_error(.tauOptions(list(metacels = 1), "auto"), "metacels")
    expect_error(.tauOptions(list(3), "auto"), "named settings")
    expect_error(.tauOptions(list(lambda = -1), "auto"), "settings.lambda")
    expect_error(.tauOptions(list(landmarks = 2.5), "auto"), "whole")
    expect_error(.tauOptions(list(minAxes = 5, maxAxes = 3), "auto"), "above")
    d <- tauCounts()
    expect_error(estimateTau(d$rna, d$atac, d$links, method = "x"), "'method'")
    expect_error(estimateTau(d$rna, d$atac, d$links, readot = "x"), "readot")
    expect_error(estimateTau(d$rna, d$atac, d$links, dir = "x"), "effendi")
    expect_error(estimateTau(d$rna, d$atac, d$links, readout = "x"), "readout")
})
