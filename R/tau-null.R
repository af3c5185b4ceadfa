## The verdict's numbers beside those of permuted data.

#' The verdict's numbers beside those of permuted data
#'
#' Estimates delays again after the pairing of chromatin and RNA, or the links
#' of peaks to genes, were permuted. What the data show beyond these is what
#' they know about delays. Each run costs as much as the fit itself; by
#' default there are six.
#'
#' @param x what the fit was made from: any `x` of [estimateTau()].
#'   `plotTauNull()` also takes what `tauNull()` gave: nothing is fitted again.
#' @param fit a [TauFit-class] of method `"anchored"`.
#' @param nPerm runs of each kind.
#' @param what kinds of null: `"pairing"`: every cell gets the chromatin of
#'   another one; `"links"`: every gene gets the peaks of another one.
#' @param seed NULL: drawn from R's generator; or a whole number.
#' @param ... further arguments that say where the counts are, as they were
#'   given to [estimateTau()]: `atac`, `rna`, `altExp`, `assay.type`; for
#'   `plotTauNull()` all arguments of `tauNull()`.
#' @param threads threads of the engine; NULL: `causeway.threads`.
#' @param BPPARAM see [severalProcesses].
#' @param verbose say how long it will take, and after every run how far it is.
#' @return `tauNull()`: a data.frame with a row for the data and one per run:
#'   `data` (`observed`, `pairing`, `links`), `run`, `identifiable` and the
#'   verdict's numbers `axes`, `usable`, `concord`, `lead`, `leadZ`,
#'   `reliability`, `gain`, `heterogeneity`; NaN where a run had too few usable genes for them.
#'   Its attribute `verdict` is that of the fit.
#'   `plotTauNull()`: a `ggplot` of it, a panel per number, with the
#'   threshold of the verdict; the panels say what each null must fail.
#' @section What a null must fail: with another cell's chromatin (`"pairing"`)
#'   chromatin and RNA share no axes of variation and few genes are usable:
#'   `axes` and `usable` must be below their thresholds; nothing else can be
#'   estimated. With other genes' peaks (`"links"`) cells still share axes, and
#'   some genes happen to agree: `axes` and `usable` may pass, `concord` and
#'   `lead` must fail. `reliability`, `gain` and `heterogeneity` of wrong links
#'   may be large: alone they show nothing. `plotTauNull()` marks the panels accordingly.
#' @section Errors: `x` isn't what the fit was made from (its genes or peaks are
#'   missing); a fit of another method.
#' @seealso [estimateTau()], [validateTau()], [TauFit-class] for what the
#'   numbers mean
#' @examples
#' x <- simulateMultiome(nCells = 600, nGenes = 80, seed = 1)
#' fit <- estimateTau(x, links = S4Vectors::metadata(x)$links, seed = 1)
#' null <- tauNull(x, fit, nPerm = 1, seed = 1)
#' null
#' plotTauNull(null)
#' @name tauNull
#' @export
tauNull <- function(x, fit, nPerm = 3, what = c("pairing", "links"),
    seed = NULL, ..., threads = NULL, BPPARAM = NULL, verbose = TRUE) {
    .checkCellsFirst(x, fit, "tauNull(x, fit)")
    if (fit@method != "anchored") {
        .stopArgument("fit", "must be of method = \"anchored\".")
    }
    nPerm <- .checkNumber(nPerm, "nPerm", 1, 1000, whole = TRUE)
    .checkFlag(verbose, "verbose")
    what <- .someOf(what, c("pairing", "links"), "what")
    input <- .nullInput(x, fit, ...)
    key <- .newKey(seed)
    runs <- data.frame(data = rep(what, each = nPerm),
        run = rep(seq_len(nPerm), length(what))
    )
    bar <- .progressStart("Permuted data ", nrow(runs), verbose)
    on.exit(.progressDone(bar))
    workers <- .startWorkers(BPPARAM)
    on.exit(.stopWorkers(workers), add = TRUE)
    threads <- .partThreads(threads, workers)
    run <- .partsAhead(nrow(runs), .nullRuns(input, runs$data, key, threads),
        workers
    )
    found <- lapply(seq_len(nrow(runs)), function(i) {
        v <- run(i)
        .progressTick(bar, i, runs$data[[i]])
        v
    })
    out <- rbind(
        cbind(data.frame(data = "observed", run = 1L),
            .verdictRow(fit@verdict)
        ),
        cbind(runs, do.call(rbind, found))
    )
    attr(out, "verdict") <- .identifiableText(fit@verdict)
    out
}

.verdictNumbers <- c("axes", "usable", "concord", "lead", "leadZ",
    "reliability", "gain", "heterogeneity"
)

.verdictRow <- function(v) {
    numbers <- lapply(v[.verdictNumbers], function(x) {
        if (length(x) == 1L) as.numeric(x) else NaN
    })
    names(numbers) <- .verdictNumbers
    cbind(identifiable = isTRUE(v$identifiable), as.data.frame(numbers))
}

## A seed below 2^53 for the i-th run.
.nthKey <- function(key, i) {
    (key[[1L]] * 2^20 + key[[2L]] + 7919 * i) %% 2^53
}

.nullInput <- function(x, fit, ...) {
    input <- .readPairs(x, ..., verbose = FALSE)
    links <- peakLinks(fit)[c("gene", "peak")]
    lost <- c(setdiff(links$gene, input$genes), setdiff(links$peak,
        input$peaks
    ))
    cells <- match(cellNames(fit), input$cells)
    if (length(lost) || anyNA(cells)) {
        .stopArgument("x", "isn't what the fit was made from: it lacks ",
            if (length(lost)) paste("features such as", .some(lost, 3L)) else
                paste(sum(is.na(cells)), "of its cells"), "."
        )
    }
    input <- .keepCells(input, cells)
    input$links <- links
    input$settings <- .fitSettings(fit)
    input
}

## The settings a fit was made with, as estimateTau() takes them.
.fitSettings <- function(fit) {
    used <- metadata(fit)$settings
    used[setdiff(names(used), "readout")]
}

## The verdict of the i-th run, as a function of i.
.nullRuns <- function(input, kinds, key, threads) {
    force(list(input, kinds, key, threads))
    function(i) .nullRun(input, kinds[[i]], .nthKey(key, i), threads)
}

.nullRun <- function(input, kind, seed, threads) {
    if (kind == "pairing") {
        to <- .shuffled(ncol(input$atac), .newKey(seed), 0L)
        cells <- colnames(input$atac)
        input$atac <- input$atac[, to]
        colnames(input$atac) <- cells
    } else {
        genes <- unique(input$links$gene)
        other <- genes[.shuffled(length(genes), .newKey(seed), 0L)]
        input$links$gene <- other[match(input$links$gene, genes)]
    }
    clean <- .cleanCounts(input, FALSE)
    clean$links <- .givenLinks(clean, input$links, FALSE)
    fit <- .tauFromCounts(clean, list(
        method = "anchored", options = .tauOptions(input$settings, "auto"),
        key = .newKey(seed), threads = .threads(threads), verbose = FALSE,
        started = proc.time()[["elapsed"]]
    ))
    .verdictRow(fit@verdict)
}
