## The anchored method: from paired counts to the engine's fit, and from that
## to a TauFit.

## A sparse matrix as the engine reads it.
.sparseView <- function(m) {
    list(p = m@p, i = m@i, x = m@x, rows = nrow(m), columns = ncol(m))
}

## Cells, genes and peaks go to the engine in the order of their names (C
## locale) and come back in their own: results don't depend on how the data
## were sorted.
.fitAnchored <- function(input, options, key, threads, verbose = FALSE) {
    names <- list(cells = enc2utf8(input$cells), genes = enc2utf8(input$genes),
        peaks = enc2utf8(input$peaks)
    )
    by <- lapply(names, order, method = "radix")
    links <- list(
        gene = match(input$links$gene, input$genes[by$genes]) - 1L,
        peak = match(input$links$peak, input$peaks[by$peaks]) - 1L
    )
    by$links <- order(links$gene, links$peak)
    links <- lapply(links, function(x) x[by$links])
    embedding <- lapply(input$embedding, function(e) {
        if (is.null(e)) NULL else e[by$cells, , drop = FALSE]
    })
    fit <- .Call(cw_r_tau_fit, .sparseView(input$atac), .sparseView(input$rna),
        links, if (length(embedding)) embedding, names,
        lapply(by[names(names)], function(x) x - 1L), options, key, threads,
        verbose
    )
    fit <- .ownOrder(fit, lapply(by, order))
    perGene <- c("chromatin", "rna", "smoothChromatin", "smoothRna",
        "fittedChromatin", "fittedRna"
    )
    for (name in intersect(perGene, names(fit))) {
        colnames(fit[[name]]) <- input$genes
    }
    fit$genes <- input$genes
    fit$peaks <- input$peaks
    fit$options <- options
    fit
}

## A fit in the order of names -> in the order of the data. `to`: the place of
## each cell, gene, peak and link in the order of names.
.ownOrder <- function(fit, to) {
    row <- function(m, by) if (is.matrix(m)) m[by, , drop = FALSE] else m[by]
    column <- function(m, by) m[, by, drop = FALSE]
    turn <- function(fit, names, how, by) {
        for (name in names) {
            if (length(fit[[name]])) {
                fit[[name]] <- how(fit[[name]], by)
            }
        }
        fit
    }
    fit <- turn(fit, c("embedding", "metacell"), row, to$cells)
    fit <- turn(fit, "peakWeight", row, to$links)
    fit <- turn(fit, c("chromatin", "rna", "smoothChromatin", "smoothRna",
        "fittedChromatin", "fittedRna", "weight", "deviance"), column, to$genes)
    fit <- turn(fit, c("signalChromatin", "signalRna", "correlation", "usable",
        "repressed", "alpha", "beta", "tau", "sd", "low", "high", "mode",
        "rim", "rimShare", "flowVariance", "clockVariance"), row, to$genes)
    fit$baselines <- turn(fit$baselines, names(fit$baselines), row, to$genes)
    own <- c("loading", "weight", "centre")
    fit$projectAtac <- turn(fit$projectAtac, own, row, to$peaks)
    fit$projectRna <- turn(fit$projectRna, own, row, to$genes)
    fit
}

## What the engine will need, before it starts.
.checkTauMemory <- function(input, options) {
    sizes <- c(
        cells = length(input$cells), genes = length(input$genes),
        peaks = length(input$peaks), links = nrow(input$links),
        nonzeroAtac = length(input$atac@x), nonzeroRna = length(input$rna@x)
    )
    need <- .Call(cw_r_tau_forecast, as.numeric(sizes), options)
    limit <- .memoryLimit()
    if (need > limit) {
        stop("not enough memory: delays of ", sizes[["genes"]], " genes from ",
            sizes[["cells"]], " cells and ", sizes[["peaks"]], " peaks need ",
            "about ", .bytes(need), ", and ", .bytes(limit), " may be used. ",
            "Take fewer genes or peaks, fewer 'metacells' in 'settings', or ",
            "raise options(causeway.memoryLimit = bytes).",
            call. = FALSE
        )
    }
    invisible(need)
}

.anchoredObject <- function(input, fit, options, timeUnit, key, threads,
    started) {
    fit$counts <- .geneCounts(input, fit$peakWeight)
    fit$rnaEmbedding <- input$embedding$rna
    table <- .tauTable(fit, input)
    verdict <- .tauVerdict(c(list(usable = sum(fit$usable, na.rm = TRUE)),
        fit[setdiff(.tauNumbers, "usable")]
    ))
    links <- input$links
    links$weight <- as.numeric(fit$peakWeight)
    unit <- list(name = "median delay", scale = NA_real_, error = NA_real_,
        method = "median of usable genes = 1"
    )
    if (!is.null(input$time)) {
        unit <- .calibrated(unit, fit, input$time, timeUnit, verdict, threads)
    }
    new("TauFit",
        table = table, verdict = verdict, method = "anchored", unit = unit,
        readout = as.character(fit$readout), fit = fit, links = links,
        genes = input$genes, cells = input$cells, cellData = input$cellData,
        metadata = list(
            engine = .engineText(), seed = .keyText(key), settings = options,
            shape = stats::setNames(fit$shape, .tauShapes),
            capped = .cappedCounts(fit$capped),
            coverage = .tauCoverage(input, fit),
            baselines = .tauBaselines(table, fit),
            seconds = proc.time()[["elapsed"]] - started
        )
    )
}

## What groups of cells are read from later: weighted counts of each gene's
## peaks and RNA counts, genes x cells, and depths.
.geneCounts <- function(input, weight) {
    weigh <- Matrix::sparseMatrix(
        i = match(input$links$gene, input$genes),
        j = match(input$links$peak, input$peaks), x = as.numeric(weight),
        dims = c(length(input$genes), length(input$peaks))
    )
    list(
        chromatin = Matrix::drop0(weigh %*% input$atac), rna = input$rna,
        depthChromatin = unname(Matrix::colSums(input$atac)),
        depthRna = unname(Matrix::colSums(input$rna))
    )
}

.tauCoverage <- function(input, fit) {
    list(
        cells = length(input$cells),
        rnaCells = input$parts$rna$size[[2L]],
        chromatinCells = input$parts$atac$size[[2L]],
        genes = length(input$genes), genesWithoutCount = input$dropped,
        genesLinked = length(unique(input$links$gene)),
        genesUsable = sum(fit$usable, na.rm = TRUE),
        peaks = length(input$peaks),
        peaksLinked = length(unique(input$links$peak)),
        links = nrow(input$links)
    )
}

.tauShapes <- c("delay", "between", "kinetics")

## What the engine capped: values, and cells thinned, of both modalities.
.cappedCounts <- function(n) {
    if (is.null(n)) {
        n <- numeric(4)
    }
    stats::setNames(as.integer(n),
        c("rnaValues", "rnaCells", "chromatinValues", "chromatinCells")
    )
}

.cappedText <- function(n) {
    if (!any(n > 0)) {
        return(NULL)
    }
    paste0(n[["rnaCells"]] + n[["chromatinCells"]], " profiles of cells ",
        "deeper than 10 times the median were thinned, ",
        n[["rnaValues"]] + n[["chromatinValues"]], " values above 10 times ",
        "their feature's 99% point cut"
    )
}

## Spearman of the delays with each baseline, over usable genes.
.tauBaselines <- function(table, fit) {
    vapply(c(xcorr = "xcorr", switchTime = "switchTime"), function(name) {
        b <- fit$baselines[[name]]
        if (is.null(b)) NA_real_ else
            .spearman(table$tau[table$usable], b[table$usable])
    }, numeric(1))
}

.spearman <- function(a, b) {
    ok <- is.finite(a) & is.finite(b)
    if (sum(ok) < 5L || length(unique(a[ok])) < 2L ||
        length(unique(b[ok])) < 2L) {
        return(NA_real_)
    }
    stats::cor(a[ok], b[ok], method = "spearman")
}

## A gene is usable when chromatin and RNA each explain more than this much
## deviance and correlate by more than that.
.tauSignal <- c(signal = 60, correlation = 0.2)

.tauTable <- function(fit, input) {
    usable <- fit$usable %in% TRUE
    ## repressed genes get a delay, but neither make the flow nor the verdict
    repressed <- if (is.null(fit$repressed)) rep(FALSE, length(usable)) else
        fit$repressed %in% TRUE & is.finite(fit$tau)
    given <- usable | repressed
    blank <- function(v) ifelse(given & is.finite(v), v, NA_real_)
    peaks <- tabulate(match(input$links$gene, input$genes),
        length(input$genes)
    )
    sd <- blank(fit$sd)
    rim <- if (is.null(fit$rim)) FALSE else fit$rim %in% TRUE
    beta <- blank(fit$beta)
    S4Vectors::DataFrame(
        gene = input$genes, tau = blank(fit$tau), sd = sd,
        low = blank(fit$low), high = blank(fit$high), mode = blank(fit$mode),
        usable = usable,
        reported = usable & !is.na(sd) & sd < .wideDelay & !rim,
        flag = .tauFlags(fit, given, sd, rim, repressed | beta < 0, peaks),
        beta = beta, alpha = blank(fit$alpha),
        signalChromatin = fit$signalChromatin, signalRna = fit$signalRna,
        correlation = fit$correlation, peaks = peaks
    )
}

.wideDelay <- 0.4

.tauFlags <- function(fit, usable, sd, rim, repressed, peaks) {
    marks <- list(
        wide = is.na(sd) | sd >= .wideDelay, rim = rim, repressed = repressed
    )
    flag <- character(length(usable))
    for (mark in names(marks)) {
        at <- usable & marks[[mark]] %in% TRUE
        flag[at] <- paste0(flag[at], ifelse(nzchar(flag[at]), ", ", ""), mark)
    }
    weak <- function(x) is.na(x) | x <= .tauSignal[["signal"]]
    apart <- fit$correlation < -.tauSignal[["correlation"]]
    reason <- ifelse(peaks == 0L, "no linked peak",
        ifelse(weak(fit$signalChromatin) & weak(fit$signalRna),
            "no chromatin signal, no RNA signal",
            ifelse(weak(fit$signalChromatin), "no chromatin signal",
                ifelse(weak(fit$signalRna), "no RNA signal",
                    "chromatin and RNA disagree"
                )
            )
        )
    )
    opposed <- reason == "chromatin and RNA disagree" & apart %in% TRUE
    ifelse(usable, flag, ifelse(opposed, "not usable: repressed",
        paste0("not usable: ", reason)
    ))
}

## Delays shrunken towards what a gene embedding predicts.
.amortised <- function(fit, embedding) {
    if (is.null(embedding)) {
        return(fit)
    }
    known <- rowSums(is.na(embedding)) == 0L
    use <- fit$usable %in% TRUE & known
    if (!any(is.finite(fit$tau))) {
        return(fit) # no flow: the verdict refuses all the same
    }
    if (sum(use) < .tauThresholds[["usable"]]) {
        .stopArgument("geneEmbedding", "covers ", sum(use), " usable genes; ",
            .tauThresholds[["usable"]], " are needed. Leave it NULL."
        )
    }
    e <- embedding
    e[!known, ] <- 0
    am <- .Call(cw_r_tau_amortise, fit$deviance, fit$grid, use, unname(e),
        matrix(0, 0L, ncol(e))
    )
    fit$amortised <- c(am, list(embedding = embedding, plain =
        fit[c("tau", "sd", "low", "high")]))
    tau <- am$tau[use]
    ## the posterior is near log-normal: its interval from mean and sd, with
    ## the errors of flow and clock
    more <- fit$flowVariance[use] + fit$clockVariance[use]
    s <- sqrt(log1p((am$sd[use] / tau)^2) + ifelse(is.na(more), 0, more))
    m <- log(tau) - s^2 / 2
    fit$tau[use] <- tau
    fit$sd[use] <- tau * sqrt(expm1(s^2))
    fit$low[use] <- exp(m - stats::qnorm(0.95) * s)
    fit$high[use] <- exp(m + stats::qnorm(0.95) * s)
    fit
}
