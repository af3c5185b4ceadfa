## Delays from chromatin to RNA: the result of estimateTau() and its accessors.

#' Chromatin-to-RNA delays of genes
#'
#' Made by [estimateTau()]. A delay says by how much the RNA of a gene lags its
#' own chromatin along the flow of cell states. It is relative to the model and
#' to the other genes: the unit is the median delay unless cells carry clock
#' time.
#'
#' @details
#' A delay here is the **total lag**: the mean of the kernel with which RNA
#' answers its chromatin, waiting and first-order response together (tau +
#' 1/gamma where a gene has both). Of one gene only the total is known, not its
#' shape; the shapes' shares over all genes are in `metadata(x)$shape`.
#'
#' Delays mean something only when the data can tell genes apart, so the
#' verdict comes first in `show()`. It makes two claims. **RNA follows
#' chromatin** (`follows`) when
#' \itemize{
#'   \item chromatin and RNA share at least one axis of variation beyond
#'     shuffled pairs (`axes`);
#'   \item at least 20 genes change in both and agree (`usable`);
#'   \item concordance, the share of usable genes among those that change in
#'     both, is at least 0.7 (`concord`; links to peaks of other genes fail
#'     here; those of another genome build need not, see [linkPeaks()]);
#'   \item `lead`, the share of held-out genes whose RNA follows their chromatin
#'     along the flow that other genes give, is at least 0.70, and its z
#'     (`leadZ`) at least 4. It is measured on halved counts: every count is
#'     split binomially, cells are placed by one half and seen in the other,
#'     both ways, of at most 3,000 cells. Noise that placed a cell is then not
#'     taken for a lag, as it would be in resting clusters. With fewer than 20
#'     usable genes in a half (`usableHalf`) the data are too shallow for this
#'     test. An embedding given to [estimateTau()] has seen all counts and isn't
#'     used in it.
#' }
#' **Genes differ** (`differ`) when, beyond that, their `reliability` is at
#' least 0.4: the variance of true log lags over that plus the error's, from a
#' model with errors of single genes, of the flow and of the clock (which genes
#' that change at one place share). Its root is about the rank correlation with
#' the truth to expect (`expected`): in simulations the two differed by 0.01 on
#' average, by 0.09 at most. `identifiable` means both claims; `tau()` gives
#' numbers only then, unless forced, and nothing else is ranked. `gain` (held-out
#' genes are explained better with a delay of 1 than with none, deviance per
#' gene) and `heterogeneity` (what single delays gain over one for all) are
#' shown, but decide nothing: they grow with depth.
#'
#' Intervals are nominal 90% intervals of a gene's total lag in units of the
#' median lag. They hold the gene's own error (basis and smoothing counted by a
#' factor of 1.25 on the variance), the error of the flow (flows from 12 halves
#' of the genes) and of the clock. In simulations they held the truth in about
#' 87% of genes, in no kind of data under about 80%; `bench/results/` of the
#' sources has the numbers by kind. Kinetics with long lags are a little short.
#'
#' A few cells or values can't decide: no value counts for more than 10 times
#' its feature's 99% point (plus 1), and cells more than 10 times as deep as the
#' median are thinned to that depth (`metadata(x)$capped`). Results don't depend
#' on the order of cells, genes or peaks.
#'
#' `table` holds model units, in which the median delay is 1; `tau()` converts
#' to clock units when there are. Rows of `table`, the vector `genes` and the
#' columns of matrices in `fit` run over the same genes in the same order.
#'
#' @slot table DataFrame with a row per gene: `gene`, `tau` (total lag), `sd`,
#'   `low`, `high` (90% interval; errors of flow and clock included), `mode`, `usable`,
#'   `reported`, `flag` (see `tau()`), `beta`, `alpha` (RNA = alpha + beta
#'   delayed chromatin, both scaled to mean 1), `signalChromatin`, `signalRna`
#'   (explained deviance), `correlation` of the two without delay, `peaks`
#'   (number linked).
#' @slot verdict list: `identifiable`, `reasons`, `follows`, `differ`,
#'   `expected`, and the numbers `axes`, `usable`, `concord`, `usableHalf`,
#'   `lead`, `leadZ`, `reliability`, `spread` and `clock` (sd of true log lags
#'   and of the clock's error), `gain`, `heterogeneity`.
#' @slot method `"anchored"` or `"effendi"`.
#' @slot unit list: `name` of the unit, `scale` (clock units in one model
#'   unit, or NA), `error` of `scale`, `method` of calibration.
#' @slot readout `"auto"` (all shapes), `"delay"` or `"kinetics"`.
#' @slot fit list, what the engine gave.
#' @slot links data.frame: `gene`, `peak`, `distance`, `weight`.
#' @slot genes,cells character, names.
#' @slot cellData DataFrame, a row per cell.
#' @slot metadata list: engine, seed, settings, shape, capped, coverage,
#'   baselines.
#' @param x,object a `TauFit`.
#' @param force give the numbers of a fit that isn't identifiable?
#' @param ... not used.
#' @return `tau()`: a data.frame with columns `gene`, `tau`, `sd`, `low`,
#'   `high`, `flag`, in the order of the genes; its attribute `unit` names the
#'   unit. When delays aren't identifiable all numbers are NA, with a warning
#'   that gives the reasons, unless `force = TRUE`. Flags: `""`; `"wide"`
#'   (sd above 0.4); `"rim"` (the gene changes only at the rim of
#'   the sampled states, where delays are biased); `"repressed"` (RNA falls
#'   where chromatin opens: the gene has a delay, less certain than others',
#'   but no part in flow and verdict); `"not usable: ..."`.
#'   `verdict()`: the list described above, led by `text`, a sentence, and
#'   `holds`, are delays identifiable? `tauCells()`: matrix of delays,
#'   cells x genes, of a fit with method `"effendi"`; an error for the
#'   anchored method, which has one delay per gene. `peakLinks()`: the links
#'   with the peaks' weights. `geneNames()`, `cellNames()`, `cellData()`,
#'   `metadata()`, `dim()` (genes, cells) as elsewhere. `as.data.frame()`: the
#'   whole table.
#' @seealso [estimateTau()], [addTau()], [plotTau()], [tauNull()],
#'   [validateTau()]
#' @examples
#' # a fit of data that were too few: not identifiable
#' fit <- new("TauFit",
#'     table = S4Vectors::DataFrame(gene = "A", tau = 1, sd = 0.5, low = 0.3,
#'         high = 2, mode = 1, usable = TRUE, reported = FALSE, flag = "wide"),
#'     verdict = list(identifiable = FALSE, reasons = "only 1 usable gene"),
#'     method = "anchored", genes = "A", readout = "delay",
#'     cellData = S4Vectors::DataFrame(),
#'     unit = list(name = "median delay", scale = NA_real_)
#' )
#' fit
#' tau(fit, force = TRUE)
#' @name TauFit-class
#' @aliases TauFit
#' @exportClass TauFit
setClass("TauFit", slots = c(
    table = "DataFrame", verdict = "list", method = "character",
    unit = "list", readout = "character", fit = "list", links = "data.frame",
    genes = "character", cells = "character", cellData = "DataFrame",
    metadata = "list"
))

setValidity("TauFit", function(object) {
    need <- c("gene", "tau", "sd", "low", "high", "usable", "reported", "flag")
    missing <- setdiff(need, colnames(object@table))
    c(
        if (length(missing)) paste("the table lacks", .some(missing, 9L)),
        if (nrow(object@table) != length(object@genes))
            "the table needs one row per gene",
        if (!length(missing) &&
            !identical(as.character(object@table$gene), object@genes))
            "genes and table differ in order",
        if (ncol(object@cellData) &&
            nrow(object@cellData) != length(object@cells))
            "cellData needs one row per cell",
        if (length(object@method) != 1L ||
            !object@method %in% c("anchored", "effendi"))
            "method must be \"anchored\" or \"effendi\"",
        if (!is.logical(object@verdict$identifiable) ||
            length(object@verdict$identifiable) != 1L)
            "the verdict lacks 'identifiable'"
    )
})

.checkTauFit <- function(x, arg = "x") {
    if (!methods::is(x, "TauFit")) {
        .stopArgument(arg, "must be a TauFit, as estimateTau() gives; it is a ",
            class(x)[[1L]], "."
        )
    }
    invisible(x)
}

## For verbs of cells and a fit, cells first; `call` says how.
.checkCellsFirst <- function(x, fit, call) {
    if (missing(x) || missing(fit)) {
        .stopArgument(if (missing(x)) "x" else "fit", "is missing: ", call,
            " takes cells and what estimateTau() gave for them."
        )
    }
    if (methods::is(x, "TauFit")) {
        .stopArgument("x", "is the fit: cells come first, ", call, ".")
    }
    .checkTauFit(fit, "fit")
}

## Is there a clock, and what does one model unit come to?
.clocked <- function(x) isTRUE(is.finite(x@unit$scale))

#' @rdname TauFit-class
#' @export
setMethod("tau", "TauFit", function(x, ..., force = FALSE) {
    .noDots(...)
    .checkFlag(force, "force")
    out <- as.data.frame(
        x@table[c("gene", "tau", "sd", "low", "high", "flag")]
    )
    numbers <- c("tau", "sd", "low", "high")
    if (.clocked(x)) {
        out[numbers] <- .clockDelays(out, x@unit)
    }
    if (!isTRUE(x@verdict$identifiable) && !force) {
        warning("delays are not identifiable: ", .reasonText(x@verdict),
            ". The table is given without numbers; force = TRUE gives them ",
            "all the same.",
            call. = FALSE
        )
        out[numbers] <- NA_real_
    }
    attr(out, "unit") <- x@unit$name
    out
})

## To clock units; the error of the calibration adds to a delay's own, and
## widens its interval by the same factor.
.clockDelays <- function(out, unit) {
    mean <- out$tau * unit$scale
    own <- out$sd * unit$scale
    sd <- sqrt(own^2 + (out$tau * unit$error)^2)
    wider <- ifelse(own > 0, sd / own, 1)
    data.frame(
        tau = mean, sd = sd,
        low = pmax(0, mean - (out$tau - out$low) * unit$scale * wider),
        high = mean + (out$high - out$tau) * unit$scale * wider
    )
}

#' @rdname TauFit-class
#' @export
setMethod("verdict", "TauFit", function(x, ...) {
    .noDots(...)
    c(.verdict(.identifiableText(x@verdict),
        isTRUE(x@verdict$identifiable)), x@verdict)
})

#' @rdname TauFit-class
#' @export
setMethod("peakLinks", "TauFit", function(x, ...) {
    .noDots(...)
    x@links
})

#' @rdname TauFit-class
#' @export
setMethod("geneNames", "TauFit", function(x) x@genes)

#' @rdname TauFit-class
#' @export
setMethod("cellNames", "TauFit", function(x) x@cells)

#' @rdname TauFit-class
#' @export
setMethod("cellData", "TauFit", function(x) {
    data <- x@cellData
    if (nrow(data) == length(x@cells)) {
        rownames(data) <- x@cells
    }
    data
})

#' @rdname TauFit-class
#' @importMethodsFrom S4Vectors metadata
#' @export
setMethod("metadata", "TauFit", function(x, ...) {
    .noDots(...)
    x@metadata
})

#' @rdname TauFit-class
#' @export
setMethod("dim", "TauFit", function(x) {
    c(genes = length(x@genes), cells = length(x@cells))
})

#' @rdname TauFit-class
#' @method as.data.frame TauFit
#' @param row.names,optional as in [base::as.data.frame()]; not used.
#' @export
as.data.frame.TauFit <- function(x, row.names = NULL, optional = FALSE, ...) {
    .noDots(...)
    as.data.frame(x@table)
}

#' @rdname TauFit-class
#' @export
setMethod("tauCells", "TauFit", function(x, ...) {
    .noDots(...)
    if (x@method != "effendi") {
        stop("the anchored method estimates one delay per gene, the same in ",
            "all cells: see tau(x). Only method = \"effendi\" has delays per ",
            "cell.",
            call. = FALSE
        )
    }
    values <- x@fit$tauCells
    if (is.null(values)) {
        values <- .effendiTau(x@fit$model, x@fit$zAtac, x@fit$geneEmbedding)
    }
    dimnames(values) <- list(x@cells, x@genes)
    values
})

## ---- what isn't a fit ------------------------------------------------------

#' @rdname TauFit-class
#' @aliases tau,ANY-method tauCells,ANY-method peakLinks,ANY-method
#' @name TauFit-class
NULL

setMethod("tau", "ANY", function(x, ...) .checkTauFit(x))

setMethod("tauCells", "ANY", function(x, ...) .checkTauFit(x))

setMethod("peakLinks", "ANY", function(x, ...) .checkTauFit(x))
