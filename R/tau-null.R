## The verdict's numbers beside those of permuted data.

#' The verdict's numbers beside those of permuted data
#'
#' Estimates delays again after the pairing of chromatin and RNA, or the links
#' of peaks to genes, were permuted. What the data show beyond these is what
#' they know about delays. Each run costs as much as the fit itself; by
#' default there are six.
#'
#' @param fit a [TauFit-class] of method `"anchored"`.
#' @param x what the fit was made from: any `x` of [estimateTau()].
#' @param n runs of each kind.
#' @param what kinds of null: `"pairing"`: every cell gets the chromatin of
#'   another one; `"links"`: every gene gets the peaks of another one.
#' @param seed NULL: drawn from R's generator; or a whole number.
#' @param ... further arguments that say where the counts are, as they were
#'   given to [estimateTau()]: `atac`, `rna`, `altExp`, `assay.type`.
#' @param threads threads of the engine; NULL: `causeway.threads`.
#' @param verbose show messages.
#' @return `tauNull()`: a data.frame with a row for the data and one per run:
#'   `data` (`observed`, `pairing`, `links`), `run`, `identifiable` and the
#'   verdict's numbers `axes`, `usable`, `concord`, `lead`, `leadZ`, `gain`,
#'   `heterogeneity`; NaN where a run had too few usable genes for them.
#'   Its attribute `verdict` is that of the fit.
#'   `plotTauNull()`: a `ggplot` of it, a panel per number, with the
#'   threshold of the verdict.
#' @section Errors: `x` isn't what the fit was made from (its genes or peaks are
#'   missing); a fit of another method.
#' @seealso [estimateTau()], [validateTau()], [TauFit-class] for what the
#'   numbers mean
#' @examples
#' x <- simulateMultiome(nCells = 600, nGenes = 80, seed = 1)
#' fit <- estimateTau(x, links = S4Vectors::metadata(x)$links, seed = 1)
#' null <- tauNull(fit, x, n = 1, seed = 1)
#' null
#' plotTauNull(null)
#' @name tauNull
#' @export
tauNull <- function(fit, x, n = 3, what = c("pairing", "links"), seed = NULL,
    ..., threads = NULL, verbose = interactive()) {
    .checkTauFit(fit)
    if (methods::slot(fit, "method") != "anchored") {
        .stopArgument("fit", "must be of method = \"anchored\".")
    }
    n <- .checkNumber(n, "n", 1, 1000, whole = TRUE)
    .checkFlag(verbose, "verbose")
    if (!is.character(what) || !length(what) ||
        !all(what %in% c("pairing", "links"))) {
        .stopArgument("what", "must be \"pairing\", \"links\" or both; it is ",
            .show(what), "."
        )
    }
    input <- .nullInput(fit, x, ...)
    key <- .newKey(seed)
    runs <- data.frame(data = rep(what, each = n),
        run = rep(seq_len(n), length(what))
    )
    started <- proc.time()[["elapsed"]]
    found <- lapply(seq_len(nrow(runs)), function(i) {
        v <- .nullRun(input, runs$data[[i]], .nthKey(key, i), threads)
        spent <- proc.time()[["elapsed"]] - started
        .say(verbose, "Null ", i, " of ", nrow(runs), " (", runs$data[[i]],
            "), ", .duration(spent / i * (nrow(runs) - i)), " left."
        )
        v
    })
    out <- rbind(
        cbind(data.frame(data = "observed", run = 1L),
            .verdictRow(tauVerdict(fit))
        ),
        cbind(runs, do.call(rbind, found))
    )
    attr(out, "verdict") <- .tauSubtitle(fit)
    out
}

.verdictNumbers <- c("axes", "usable", "concord", "lead", "leadZ", "gain",
    "heterogeneity"
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

.nullInput <- function(fit, x, ...) {
    input <- .tauInput(x, ..., verbose = FALSE)
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
    list(rna = input$rna[, cells, drop = FALSE],
        atac = input$atac[, cells, drop = FALSE], links = links,
        settings = .fitSettings(fit)
    )
}

## The settings a fit was made with, as estimateTau() takes them.
.fitSettings <- function(fit) {
    used <- metadata(fit)$settings
    used[intersect(names(used), setdiff(names(.tauDefaults), "readout"))]
}

.nullRun <- function(input, kind, seed, threads) {
    if (kind == "pairing") {
        to <- .permuted(ncol(input$atac), seed)
        cells <- colnames(input$atac)
        input$atac <- input$atac[, to]
        colnames(input$atac) <- cells
    } else {
        genes <- unique(input$links$gene)
        other <- genes[.permuted(length(genes), seed)]
        input$links$gene <- other[match(input$links$gene, genes)]
    }
    fit <- estimateTau(input$rna, input$atac, input$links, seed = seed,
        settings = input$settings, threads = threads, verbose = FALSE
    )
    .verdictRow(tauVerdict(fit))
}

.permuted <- function(n, seed) {
    .Call(cw_r_permutation, as.numeric(n), .newKey(seed), 0) + 1L
}
