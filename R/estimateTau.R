## Delays of genes: from containers to the engine's fit and back into them.

#' Estimate chromatin-to-RNA delays
#'
#' From cells with both chromatin accessibility and RNA: by how much the RNA
#' of each gene lags its own chromatin, and whether the data can tell.
#'
#' @details
#' The default method (`"anchored"`) reads a gene's RNA as its own linked
#' chromatin, seen back along the flow of cell states:
#' r(z) = alpha + beta c(phi_-tau(z)). Cell states are what chromatin and RNA
#' share; the flow comes from where RNA lies behind chromatin over all genes,
#' without a pseudotime or a root. Every fit is judged before it is shown: see
#' [TauFit-class] for the verdict and what it needs. Delays are identified up
#' to one unit, the median delay, and are never given in hours unless the cells
#' carry clock time (`time`).
#'
#' The method `"effendi"` trains the model of the written specification. Its
#' losses are symmetric in genes: permuting tau over genes leaves them
#' unchanged, so its delays can't rank genes, and it is never called
#' identifiable. Its settings are [EffendiParam()]'s. Where `embedding` or
#' `geneEmbedding` are NULL it takes log-normalised RNA's principal components,
#' LSI of chromatin, and the genes' loadings.
#'
#' With `time`, the clock time that lies behind one model unit along the flow
#' (median over metacells away from the rim) is the scale. It supposes that
#' cells move with the clock. The error adds what chance leaves open, what
#' cells of one state differ in, and a systematic part, because on simulations
#' with known delays the scale came out low: by up to 5% on loops, 10 to 15% on
#' lines, up to 25% at forks, and 25 to 45% where RNA follows first-order
#' kinetics on a line or fork. 25% (delay) and 35% (kinetics) are taken. When
#' flow and clock agree poorly there is a warning; when the flow doesn't
#' advance with the clock, no calibration.
#'
#' With `geneEmbedding` the anchored method shrinks delays towards what the
#' embedding predicts, as far as the data support it.
#'
#' @param x a SingleCellExperiment with chromatin in an altExp, a
#'   MultiAssayExperiment, a Seurat object with a chromatin assay, or RNA
#'   counts (genes x cells: matrix, dgCMatrix, DelayedMatrix or
#'   SummarizedExperiment) together with `atac`.
#' @param atac chromatin counts (peaks x cells, matched to `x` by cell names);
#'   for a MultiAssayExperiment or Seurat object the name of the experiment or
#'   assay. NULL: the one whose features look like peaks.
#' @param links data.frame with columns `gene` and `peak`; NULL: made by
#'   [linkPeaks()] from `genes`.
#' @param genes annotation as for [linkPeaks()]; NULL: coordinates that come
#'   with the data (row ranges, or the annotation of a ChromatinAssay).
#' @param window bases, as for [linkPeaks()].
#' @param method `"anchored"` or `"effendi"`.
#' @param readout `"delay"` (RNA repeats chromatin later), `"kinetics"` (RNA
#'   approaches chromatin at rate 1/tau) or `"auto"`: the one that fits better
#'   over all genes.
#' @param embedding NULL, or list with parts `rna` and `atac`: matrices (cells
#'   x dimensions) or names of reductions, in place of principal components
#'   and LSI.
#' @param geneEmbedding NULL, or matrix (genes x dimensions, with gene names as
#'   row names).
#' @param param settings of `"effendi"`, [EffendiParam()].
#' @param time NULL, or clock time of each cell: a vector (by name, or in the
#'   order of the RNA's cells), or a column of the cell data. NA: not known.
#' @param timeUnit what `time` counts.
#' @param genesUse names of the genes whose delay is wanted; NULL: all with a
#'   link. The others still shape the cell states.
#' @param rna name of the RNA experiment or assay.
#' @param altExp name of the altExp with chromatin.
#' @param assay.type name of the assay or layer of counts; for both, or as
#'   `c(rna = , atac = )`. NULL: `"counts"`, else the first.
#' @param settings list of settings of the anchored method: `metacells` (0:
#'   cells / 15 within 80 to 400), `landmarks`, `lambda`, `components`,
#'   `shuffles`, `minAxes`, `maxAxes`, `neighbours`, `iterations`, `gridMax`,
#'   `gridSize`, `peakWeights`, `leadSplits`.
#' @param dir folder for the checkpoints of `"effendi"`; NULL: none.
#' @param seed NULL: drawn from R's generator, so `set.seed()` governs it; or a
#'   whole number.
#' @param threads threads of the engine; NULL: option `causeway.threads`, else
#'   at most 2. Results don't depend on it.
#' @param verbose show messages.
#' @param ... not used.
#' @return A [TauFit-class]; its genes are those with a count.
#' @section Errors: cells that aren't paired (with the number that match and
#'   what would make them match); fewer than 200 cells with both; peaks
#'   without coordinates and no `links`; sequence names in different styles;
#'   no gene in the annotation; links that name nothing in the data; NA,
#'   negative or log-normalised values; duplicated names; constant `time`; not
#'   enough memory. Cells without structure (one cluster), wrong links or
#'   pairing are no errors: the verdict says so.
#' @seealso [TauFit-class], [linkPeaks()], [addTau()], [plotTau()], [plotLag()],
#'   [tauNull()], [validateTau()], [contrastTau()], [predictTau()],
#'   [scRNAToTau()], [intervene()], [EffendiParam()], [simulateMultiome()]
#' @references Cell states are shared axes of LSI (Cusanovich et al. 2015,
#'   Science 348, 910-914) and principal components by canonical correlation
#'   (Hotelling 1936, Biometrika 28, 321-377). The method is described in the
#'   package's vignette on methods.
#' @examples
#' x <- simulateMultiome(nCells = 600, nGenes = 100, seed = 1)
#' links <- S4Vectors::metadata(x)$links
#' fit <- estimateTau(x, links = links, seed = 1)
#' fit
#' head(tau(fit))
#' x <- addTau(x, fit)
#'
#' # the same cells with their chromatin exchanged: the verdict must refuse
#' null <- simulateMultiome(nCells = 600, nGenes = 100, seed = 1,
#'     null = "shuffledPairing"
#' )
#' estimateTau(null, links = links, seed = 1)
#' @export
setGeneric("estimateTau", function(x, ...) standardGeneric("estimateTau"))

#' @rdname estimateTau
#' @export
setMethod("estimateTau", "ANY", function(x, atac = NULL, links = NULL,
    genes = NULL, window = 1e5, method = c("anchored", "effendi"),
    readout = c("auto", "delay", "kinetics"), embedding = NULL,
    geneEmbedding = NULL, param = NULL, time = NULL, timeUnit = "hours",
    genesUse = NULL, rna = NULL, altExp = NULL, assay.type = NULL,
    settings = list(), dir = NULL, seed = NULL, threads = NULL,
    verbose = interactive(), ...) {
    .noDots(...)
    .checkFlag(verbose, "verbose")
    method <- .oneOf(method, c("anchored", "effendi"), "method")
    readout <- .oneOf(readout, c("auto", "delay", "kinetics"), "readout")
    .checkText(timeUnit, "timeUnit")
    options <- .tauOptions(settings, readout)
    param <- .effendiArgument(param, dir, method)
    key <- .newKey(seed)
    threads <- .threads(threads)
    started <- proc.time()[["elapsed"]]
    input <- .tauInput(x, atac, rna, altExp, assay.type, verbose = verbose)
    input <- .cleanCounts(input, verbose)
    input$links <- .useGenes(input,
        .tauLinks(input, links, genes, window, verbose), genesUse
    )
    input$embedding <- .tauEmbedding(input, embedding)
    input$time <- .tauTime(input, time)
    input$geneEmbedding <- .tauGeneEmbedding(input, geneEmbedding)
    .say(verbose, .count(length(input$cells), "cell"), ", ",
        .count(length(input$genes), "gene"), ", ",
        .count(length(input$peaks), "peak"), ", ",
        .count(nrow(input$links), "link"), "."
    )
    engine <- .fitAnchored(input, options, key, threads)
    if (method == "anchored") {
        engine <- .amortised(engine, input$geneEmbedding)
    }
    fit <- .anchoredObject(input, engine, options, timeUnit, key, threads,
        started
    )
    if (method == "effendi") {
        fit <- .effendiObject(input, fit, param, dir, key, threads, verbose,
            started
        )
    }
    if (!isTRUE(fit@verdict$identifiable)) {
        .say(verbose, "Delays are NOT identifiable: ",
            .reasonText(fit@verdict), "."
        )
    }
    fit
})

## ---- arguments -------------------------------------------------------------

## Defaults and ranges of the anchored method; `whole` ones are counted.
.tauDefaults <- list(
    metacells = c(0, 0, 1e5), landmarks = c(30, 2, 500),
    lambda = c(0.3, 0, 1e6), components = c(30, 2, 500),
    shuffles = c(5, 1, 1000), minAxes = c(2, 1, 100), maxAxes = c(10, 1, 100),
    neighbours = c(10, 1, 200), iterations = c(8, 1, 1000),
    gridMax = c(4, 0.1, 1000), gridSize = c(31, 3, 1001),
    peakWeights = c(1, 0, 1), leadSplits = c(6, 1, 1000)
)

.tauOptions <- function(settings, readout) {
    if (!is.list(settings) || length(settings) && is.null(names(settings))) {
        .stopArgument("settings", "must be a list of named settings; it is ",
            .show(settings), "."
        )
    }
    bad <- setdiff(names(settings), names(.tauDefaults))
    if (length(bad)) {
        .stopArgument("settings", "has no setting called ", .some(bad),
            "; there are ", .some(names(.tauDefaults), 20L), "."
        )
    }
    continuous <- c("lambda", "gridMax")
    options <- lapply(setNames(nm = names(.tauDefaults)), function(name) {
        d <- .tauDefaults[[name]]
        value <- settings[[name]]
        if (is.null(value)) {
            return(d[[1L]])
        }
        if (is.logical(value)) {
            value <- as.numeric(value)
        }
        as.numeric(.checkNumber(value, paste0("settings$", name), d[[2L]],
            d[[3L]], whole = !name %in% continuous
        ))
    })
    if (options$minAxes > options$maxAxes) {
        .stopArgument("settings$minAxes", "is above maxAxes.")
    }
    options$readout <- match(readout, c("auto", "delay", "kinetics")) - 1
    options
}

.effendiArgument <- function(param, dir, method) {
    if (method == "anchored") {
        for (arg in c("param", "dir")) {
            if (!is.null(get(arg))) {
                .stopArgument(arg, "is for method = \"effendi\"; leave it ",
                    "NULL, or name that method."
                )
            }
        }
        return(NULL)
    }
    if (is.null(param)) {
        return(EffendiParam())
    }
    if (!methods::is(param, "EffendiParam")) {
        .stopArgument("param", "must come from EffendiParam(); it is a ",
            class(param)[[1L]], "."
        )
    }
    param
}

.useGenes <- function(input, links, genesUse) {
    if (is.null(genesUse)) {
        return(links)
    }
    if (!is.character(genesUse) || !length(genesUse)) {
        .stopArgument("genesUse", "must be gene names; it is ",
            .show(genesUse), "."
        )
    }
    unknown <- setdiff(genesUse, c(input$genes, input$dropped))
    if (length(unknown)) {
        .stopArgument("genesUse", "names genes that aren't in 'x': ",
            .some(unknown), "."
        )
    }
    links <- links[links$gene %in% genesUse, , drop = FALSE]
    if (!nrow(links)) {
        .stopArgument("genesUse", "names no gene with a linked peak.")
    }
    rownames(links) <- NULL
    links
}

## Rows in the order of the input's genes; NA rows for genes it doesn't hold.
.tauGeneEmbedding <- function(input, e) {
    if (is.null(e)) {
        return(NULL)
    }
    e <- as.matrix(e)
    if (!is.numeric(e) || !ncol(e) || !all(is.finite(e))) {
        .stopArgument("geneEmbedding", "must hold finite numbers, genes x ",
            "dimensions; it is ", .show(e), "."
        )
    }
    if (is.null(rownames(e))) {
        if (nrow(e) != length(input$genes)) {
            .stopArgument("geneEmbedding", "needs gene names as row names.")
        }
        at <- seq_len(nrow(e))
    } else {
        at <- match(input$genes, rownames(e))
    }
    if (all(is.na(at))) {
        .stopArgument("geneEmbedding", "holds none of the genes: its are like ",
            .some(rownames(e), 3L), "; the data's like ",
            .some(input$genes, 3L), "."
        )
    }
    e <- e[at, , drop = FALSE]
    rownames(e) <- input$genes
    e
}

## ---- the anchored method ---------------------------------------------------

## A sparse matrix as the engine reads it.
.sparseView <- function(m) {
    list(p = m@p, i = m@i, x = m@x, rows = nrow(m), columns = ncol(m))
}

.fitAnchored <- function(input, options, key, threads) {
    links <- list(
        gene = match(input$links$gene, input$genes) - 1L,
        peak = match(input$links$peak, input$peaks) - 1L
    )
    .checkTauMemory(input, options)
    fit <- .Call(cw_r_tau_fit, .sparseView(input$atac), .sparseView(input$rna),
        links, input$embedding, options, key, threads
    )
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

## What the engine will need, before it starts.
.checkTauMemory <- function(input, options) {
    sizes <- c(
        cells = length(input$cells), genes = length(input$genes),
        peaks = length(input$peaks), links = nrow(input$links),
        nonzeroAtac = length(input$atac@x), nonzeroRna = length(input$rna@x),
        metacells = options$metacells, landmarks = options$landmarks,
        gridSize = options$gridSize, components = options$components
    )
    need <- .Call(cw_r_tau_forecast, as.numeric(sizes))
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
    verdict <- .tauVerdict(list(
        axes = fit$axes, usable = sum(fit$usable, na.rm = TRUE),
        concord = fit$concord, lead = fit$lead, leadZ = fit$leadZ,
        gain = fit$gain, heterogeneity = fit$heterogeneity
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

## ---- table -----------------------------------------------------------------

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

## ---- gene embeddings -------------------------------------------------------

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
    am <- .Call(cw_r_tau_amortise, fit$deviance[[fit$readout]], fit$grid, use,
        unname(e), matrix(0, 0L, ncol(e))
    )
    fit$amortised <- c(am, list(embedding = embedding, plain =
        fit[c("tau", "sd", "low", "high")]))
    tau <- am$tau[use]
    ## the posterior is near log-normal: its interval from mean and sd
    s <- sqrt(log1p((am$sd[use] / tau)^2))
    m <- log(tau) - s^2 / 2
    fit$tau[use] <- tau
    fit$sd[use] <- am$sd[use]
    fit$low[use] <- exp(m - stats::qnorm(0.95) * s)
    fit$high[use] <- exp(m + stats::qnorm(0.95) * s)
    fit
}

## ---- clock time ------------------------------------------------------------

## How much clock time lies behind a step back along the flow; that, at one
## model unit, is the scale. Places at the rim have no past to look at.
.calibrated <- function(unit, fit, time, timeUnit, verdict, threads) {
    left <- function(reason, warn = TRUE) {
        if (warn) {
            warning("'time' isn't used: ", reason, ".", call. = FALSE)
        }
        unit$reason <- reason
        unit
    }
    if (!isTRUE(verdict$identifiable)) {
        return(left("delays are not identifiable", FALSE))
    }
    s <- .clockFit(fit, time, threads)
    if (!is.finite(s$scale) || s$scale <= 0 || s$scale < 3 * s$chance) {
        return(left(paste0("the flow doesn't advance with the clock (",
            "correlation ", .rho(s$correlation), ")"
        )))
    }
    if (s$correlation < 0.7) {
        warning("flow and clock agree poorly (correlation ",
            .rho(s$correlation), "): ", timeUnit, " are rough.",
            call. = FALSE
        )
    }
    list(name = timeUnit, scale = s$scale,
        error = sqrt(s$chance^2 + s$spread^2 + s$systematic^2),
        method = paste0("clock time along the flow, median over ", s$n,
            " metacells; the error has a systematic part of ",
            round(100 * s$systematic / s$scale), " % as found on simulations"
        ), correlation = s$correlation
    )
}

## Error of the scale found on simulations with known delays, beyond chance.
.clockBias <- c(delay = 0.25, kinetics = 0.35)

## The clock of metacells is smoothed on the basis and read back along the
## flow. Cells of one state differ in clock time: their share of the variance
## (1 - r^2) may lie in the state or in the clock, so the slope is divided by
## r, between the two extremes, and half their distance is part of the error.
.clockFit <- function(fit, time, threads) {
    known <- is.finite(time)
    cell <- factor(fit$metacell[known], levels = seq_along(fit$size))
    n <- as.vector(table(cell))
    clock <- as.vector(tapply(time[known], cell, mean))
    clock[n == 0] <- mean(time[known])
    features <- .delayFeatures(fit, threads)
    now <- .slice(features, 1L)
    penalty <- 1e-3 * mean(n) * diag(ncol(now))
    origin <- mean(time[known])
    w <- solve(crossprod(now, now * n) + penalty,
        crossprod(now, n * (clock - origin))
    )
    steps <- which(fit$grid > 0 & fit$grid <= max(2, fit$grid[[2L]]))
    past <- vapply(steps, function(k) {
        as.vector((now - .slice(features, k)) %*% w)
    }, numeric(nrow(now)))
    g <- fit$grid[steps]
    slope <- as.vector(past %*% g) / sum(g^2)
    inner <- n > 0 & !(fit$rimMetacells %in% TRUE)
    r <- stats::cor(time[known], clock[as.integer(cell)])
    slope <- slope[inner]
    scale <- median(slope) / r
    list(
        scale = scale, n = length(slope), correlation = r,
        ## about one independent place per landmark
        chance = 1.25 * stats::mad(slope) / sqrt(min(length(slope),
            ncol(now)
        )) / r,
        spread = scale * (1 / r - r) / 2,
        systematic = scale * .clockBias[[fit$readout]]
    )
}

.slice <- function(features, k) {
    matrix(features[k, , ], dim(features)[[2L]])
}

## Basis along the flow, at points and not averaged as kinetics does.
.delayFeatures <- function(fit, threads) {
    if (fit$readout == "delay") {
        return(fit$features)
    }
    flow <- fit[c("landmarks", "bandwidth", "velocity", "z", "size")]
    .Call(cw_r_tau_features, fit$z, flow, fit$grid, 1L, threads)
}

## ---- back into the container -----------------------------------------------

#' Put delays into a container
#'
#' Writes delays and flags of a fit into the feature data of the RNA.
#'
#' @param x a SingleCellExperiment (or other SummarizedExperiment),
#'   MultiAssayExperiment or Seurat object.
#' @param fit a [TauFit-class].
#' @param rna name of the RNA experiment or assay, as for [estimateTau()].
#' @param force write numbers of a fit that isn't identifiable?
#' @param ... not used.
#' @return `x`, of the same class, with columns `tau`, `tauSd`, `tauLow`,
#'   `tauHigh`, `tauFlag` in `rowData()` (of the RNA experiment; in the
#'   feature meta data of a Seurat assay). Genes outside the fit, and all
#'   genes when delays aren't identifiable (with a warning), have NA. In
#'   containers with `metadata()` the verdict and unit are in
#'   `metadata(x)$tau`.
#' @section Errors: no gene of the fit in `x`.
#' @seealso [estimateTau()]
#' @examples
#' fit <- new("TauFit",
#'     table = S4Vectors::DataFrame(gene = c("A", "B"), tau = c(0.5, 1.5),
#'         sd = 0.1, low = c(0.3, 1.3), high = c(0.7, 1.7), usable = TRUE,
#'         reported = TRUE, flag = ""),
#'     verdict = list(identifiable = TRUE), method = "anchored",
#'     genes = c("A", "B"), unit = list(name = "median delay"),
#'     cellData = S4Vectors::DataFrame()
#' )
#' x <- SingleCellExperiment::SingleCellExperiment(
#'     list(counts = matrix(1, 3, 2, dimnames = list(c("B", "C", "A"), NULL)))
#' )
#' SummarizedExperiment::rowData(addTau(x, fit))
#' @export
addTau <- function(x, fit, rna = NULL, force = FALSE, ...) {
    .noDots(...)
    .checkTauFit(fit)
    if (methods::is(x, "SummarizedExperiment")) {
        return(.tauIntoSE(x, fit, force))
    }
    if (inherits(x, "MultiAssayExperiment")) {
        names <- names(x)
        if (is.null(rna)) {
            rna <- .guessRna(names, .guessChromatin(names, function(n) {
                rownames(x[[n]])
            }))
        }
        rna <- .chosen(rna, names, "rna", "an experiment")
        if (!methods::is(x[[rna]], "SummarizedExperiment")) {
            .stopArgument("x", "has a plain matrix for \"", rna, "\", without ",
                "room for gene data; make it a SingleCellExperiment."
            )
        }
        x[[rna]] <- .tauIntoSE(x[[rna]], fit, force)
        return(x)
    }
    if (inherits(x, "Seurat")) {
        return(.tauIntoSeurat(x, fit, rna, force))
    }
    .stopArgument("x", "must be a SingleCellExperiment, a ",
        "MultiAssayExperiment or a Seurat object; it is a ", class(x)[[1L]],
        "."
    )
}

.tauColumns <- function(names, fit, force) {
    values <- tau(fit, force = force)
    at <- match(names, values$gene)
    if (all(is.na(at))) {
        .stopArgument("fit", "has no gene of 'x': its are like ",
            .some(fit@genes, 3L), "; those of 'x' like ", .some(names, 3L), "."
        )
    }
    data.frame(tau = values$tau[at], tauSd = values$sd[at],
        tauLow = values$low[at], tauHigh = values$high[at],
        tauFlag = values$flag[at]
    )
}

.tauIntoSE <- function(x, fit, force) {
    columns <- .tauColumns(rownames(x), fit, force)
    for (name in colnames(columns)) {
        SummarizedExperiment::rowData(x)[[name]] <- columns[[name]]
    }
    S4Vectors::metadata(x)$tau <- list(verdict = fit@verdict, unit = fit@unit)
    x
}

.tauIntoSeurat <- function(x, fit, rna, force) {
    names <- names(methods::slot(x, "assays"))
    if (is.null(rna)) {
        rna <- if ("RNA" %in% names) "RNA" else SeuratObject::DefaultAssay(x)
    }
    rna <- .chosen(rna, names, "rna", "an assay")
    columns <- .tauColumns(rownames(x[[rna]]), fit, force)
    rownames(columns) <- rownames(x[[rna]])
    x[[rna]] <- SeuratObject::AddMetaData(x[[rna]], metadata = columns)
    x
}
