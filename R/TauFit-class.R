## Delays from chromatin to RNA: the result of estimateTau(), its verdict,
## accessors and show().

#' Chromatin-to-RNA delays of genes
#'
#' Made by [estimateTau()]. A delay says by how much the RNA of a gene lags its
#' own chromatin along the flow of cell states. It is relative to the model and
#' to the other genes: the unit is the median delay unless cells carry clock
#' time.
#'
#' @details
#' Delays mean something only when the data can tell genes apart, so the
#' verdict comes first in `show()`. The anchored method's delays are called
#' identifiable when
#' \itemize{
#'   \item chromatin and RNA share at least one axis of variation beyond
#'     shuffled pairs;
#'   \item at least 20 genes change in both and agree (usable genes);
#'   \item concordance, the share of usable genes among those that change in
#'     both, is at least 0.7 (a wrong peak map, for instance of another genome
#'     build, fails here);
#'   \item lead, the share of held-out genes whose RNA follows their chromatin
#'     along the flow that other genes give, is at least 0.70, and its z at
#'     least 4;
#'   \item gain: held-out genes are explained better with a delay of 1 than
#'     with none;
#'   \item heterogeneity: delays of single genes explain the data better than
#'     one delay for all, by at least 1.5 (deviance per gene).
#' }
#' Otherwise `tau()` gives no numbers unless forced, and nothing is ranked.
#'
#' Intervals and sd come from each gene's own fit, with the flow taken as known;
#' the flow's own error is not in them. In simulations of 1,200 cells and 150
#' genes the true delay was inside the 90% interval of 75 to 86% of genes on
#' lines and loops, and of 56 to 65% where paths fork; read them as a lower
#' bound of what isn't known.
#'
#' `table` holds model units, in which the median delay is 1; `tau()` converts
#' to clock units when there are. Rows of `table`, the vector `genes` and the
#' columns of matrices in `fit` run over the same genes in the same order.
#'
#' @slot table DataFrame with a row per gene: `gene`, `tau` (posterior mean),
#'   `sd`, `low`, `high` (90% posterior interval), `mode`, `usable`,
#'   `reported`, `flag` (see `tau()`), `beta`, `alpha` (RNA = alpha + beta
#'   delayed chromatin, both scaled to mean 1), `signalChromatin`, `signalRna`
#'   (explained deviance), `correlation` of the two without delay, `peaks`
#'   (number linked).
#' @slot verdict list: `identifiable`, `reasons`, and the numbers `axes`,
#'   `usable`, `concord`, `lead`, `leadZ`, `gain`, `heterogeneity`.
#' @slot method `"anchored"` or `"effendi"`.
#' @slot unit list: `name` of the unit, `scale` (clock units in one model
#'   unit, or NA), `error` of `scale`, `method` of calibration.
#' @slot readout `"delay"` or `"kinetics"`.
#' @slot fit list, what the engine gave.
#' @slot links data.frame: `gene`, `peak`, `distance`, `weight`.
#' @slot genes,cells character, names.
#' @slot cellData DataFrame, a row per cell.
#' @slot metadata list: engine, seed, settings, coverage, baselines.
#' @param x,object a `TauFit`.
#' @param force give the numbers of a fit that isn't identifiable?
#' @param ... not used.
#' @return `tau()`: a data.frame with columns `gene`, `tau`, `sd`, `low`,
#'   `high`, `flag`, in the order of the genes; its attribute `unit` names the
#'   unit. When delays aren't identifiable all numbers are NA, with a warning
#'   that gives the reasons, unless `force = TRUE`. Flags: `""`; `"wide"`
#'   (posterior sd above 0.4); `"rim"` (the gene changes only at the rim of
#'   the sampled states, where delays are biased); `"repressed"` (RNA falls
#'   where chromatin opens: the gene has a delay, less certain than others',
#'   but no part in flow and verdict); `"not usable: ..."`.
#'   `tauVerdict()`: the list described above. `tauCells()`: matrix of delays,
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

## ---- verdict ---------------------------------------------------------------

.tauThresholds <- c(axes = 1, usable = 20, concord = 0.7, lead = 0.7,
    leadZ = 4, gain = 0, heterogeneity = 1.5
)

## What each number must reach and what it means when it does not. NaN, as
## of steps that could not be run, fails too.
.tauVerdict <- function(numbers) {
    need <- .tauThresholds
    n <- lapply(setNames(nm = names(need)), function(what) {
        value <- numbers[[what]]
        if (is.null(value)) NA_real_ else as.numeric(value)[[1L]]
    })
    reached <- function(what) {
        isTRUE(if (what == "gain") n[[what]] > 0 else n[[what]] >= need[[what]])
    }
    ok <- vapply(names(need), reached, logical(1))
    known <- !vapply(n, is.na, logical(1))
    ## what was not computed follows from an earlier failure: not listed twice;
    ## concordance of a handful of genes says nothing; z only adds to a lead
    known[["leadZ"]] <- known[["leadZ"]] && ok[["lead"]]
    known[["concord"]] <- known[["concord"]] &&
        (ok[["usable"]] || isTRUE(n$usable / n$concord >= need[["usable"]]))
    reasons <- vapply(names(need)[!ok & known], .verdictReason, "", n = n,
        USE.NAMES = FALSE
    )
    if (!all(ok) && !length(reasons)) {
        reasons <- "the numbers that decide it couldn't be computed"
    }
    c(list(identifiable = all(ok), reasons = reasons), n)
}

## Without "-0.0".
.fixed <- function(x, digits) {
    formatC(round(x, digits) + 0, digits = digits, format = "f")
}

.verdictReason <- function(what, n) {
    at <- function(x, digits = 2L) .fixed(x, digits)
    switch(what,
        axes = paste0("chromatin and RNA share no axis of variation beyond ",
            "shuffled pairs, as in unpaired cells"
        ),
        usable = paste0("only ", .count(n$usable, "gene"), " change",
            if (isTRUE(n$usable == 1)) "s", " in both chromatin and RNA ",
            "beyond noise and agree; ", .tauThresholds[["usable"]],
            " are needed"
        ),
        concord = paste0("chromatin and RNA disagree in many genes ",
            "(concordance ", at(n$concord), ", needed 0.70), as with links to ",
            "wrong peaks or another genome build"
        ),
        lead = paste0("RNA doesn't follow chromatin in genes held out (lead ",
            at(n$lead), ", needed 0.70; without a delay 0.50)"
        ),
        leadZ = paste0("that RNA follows chromatin could be chance (lead z ",
            at(n$leadZ, 1L), ", needed 4)"
        ),
        gain = paste0("a delay doesn't explain held-out genes better than ",
            "none (gain ", at(n$gain, 1L), ")"
        ),
        heterogeneity = paste0("delays of single genes explain no more than ",
            "one delay for all (heterogeneity ", at(n$heterogeneity, 1L),
            ", needed 1.5)"
        )
    )
}

.reasonText <- function(verdict) paste(verdict$reasons, collapse = "; ")

.checkTauFit <- function(x, arg = "fit") {
    if (!methods::is(x, "TauFit")) {
        .stopArgument(arg, "must be a TauFit, as estimateTau() gives; it is a ",
            class(x)[[1L]], "."
        )
    }
    invisible(x)
}

## ---- access ----------------------------------------------------------------

#' @rdname TauFit-class
#' @export
setGeneric("tau", function(x, ...) standardGeneric("tau"))

#' @rdname TauFit-class
#' @export
setGeneric("tauVerdict", function(x) standardGeneric("tauVerdict"))

#' @rdname TauFit-class
#' @export
setGeneric("tauCells", function(x) standardGeneric("tauCells"))

#' @rdname TauFit-class
#' @export
setGeneric("peakLinks", function(x) standardGeneric("peakLinks"))

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
setMethod("tauVerdict", "TauFit", function(x) x@verdict)

#' @rdname TauFit-class
#' @export
setMethod("peakLinks", "TauFit", function(x) x@links)

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
setMethod("metadata", "TauFit", function(x, ...) x@metadata)

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
setMethod("tauCells", "TauFit", function(x) {
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

## ---- show ------------------------------------------------------------------

#' @rdname TauFit-class
#' @export
setMethod("show", "TauFit", function(object) {
    v <- object@verdict
    lines <- c(
        if (isTRUE(v$identifiable)) "Delays are identifiable." else
            .wrapped("Delays are NOT identifiable: ", v$reasons),
        paste0("TauFit (", object@method, "): ",
            .count(length(object@genes), "gene"), ", ",
            .count(length(object@cells), "cell")
        ),
        .unitLine(object),
        if (object@method == "effendi") .effendiLines(object) else
            .anchoredLines(object),
        .nextLine(object)
    )
    cat(lines, sep = "\n")
})

## Reasons one after another, lines broken at 80 columns.
.wrapped <- function(head, parts) {
    strwrap(paste0(head, paste(parts, collapse = "; "), "."), 80L, exdent = 2L)
}

.field <- function(name, ...) {
    paste0("  ", formatC(paste0(name, ":"), width = -15L), ...)
}

.unitLine <- function(x) {
    if (.clocked(x)) {
        .field("unit", x@unit$name, "; 1 median delay = ",
            signif(x@unit$scale, 3), " +- ", signif(x@unit$error, 2), " ",
            x@unit$name
        )
    } else {
        .field("unit", x@unit$name, ", relative: no clock time",
            if (length(x@unit$reason)) paste0(" (", x@unit$reason, ")")
        )
    }
}

.anchoredLines <- function(x) {
    v <- x@verdict
    mark <- function(value, digits, need, pass) {
        paste0(if (is.null(value) || is.na(value)) "not computed" else
            .fixed(value, digits),
        " (needed ", need, ")", if (!isTRUE(pass)) " FAILED")
    }
    t <- .tauThresholds
    table <- x@table
    count <- function(n) if (is.null(n) || is.na(n)) "not computed" else n
    c(
        .readoutLine(x),
        .field("usable genes", count(v$usable), " of ", length(x@genes),
            " (needed ", t[["usable"]], "); ", sum(table$reported),
            " reported (sd < 0.4, not rim)"
        ),
        .field("shared axes", count(v$axes), " (needed ", t[["axes"]], ")"),
        .field("lead", mark(v$lead, 2L, "0.70", v$lead >= t[["lead"]]), ", z ",
            mark(v$leadZ, 1L, "4", v$leadZ >= t[["leadZ"]])
        ),
        .field("gain", mark(v$gain, 1L, "> 0", v$gain > 0)),
        .field("heterogeneity", mark(v$heterogeneity, 1L, "1.5",
            v$heterogeneity >= t[["heterogeneity"]]
        )),
        .field("concordance", mark(v$concord, 2L, "0.70",
            v$concord >= t[["concord"]]
        )),
        .baselineLine(x),
        if (isTRUE(v$identifiable)) .extremeLines(x)
    )
}

.readoutLine <- function(x) {
    what <- c(
        delay = "delay (RNA repeats chromatin later)",
        kinetics = "kinetics (RNA approaches chromatin at rate 1/tau)"
    )
    known <- length(x@readout) == 1L && x@readout %in% names(what)
    flow <- any(is.finite(x@table$tau))
    .field("readout", if (known && flow) what[[x@readout]] else
        "none: no flow could be estimated"
    )
}

## Spearman of the estimate with each baseline over usable genes.
.baselineLine <- function(x) {
    b <- x@metadata$baselines
    if (is.null(b) || all(is.na(b))) {
        return(NULL)
    }
    .field("baselines", "Spearman of tau with lag of cross-correlation ",
        .rho(b[["xcorr"]]), ",\n", strrep(" ", 17L),
        "difference of switch times ", .rho(b[["switchTime"]])
    )
}

.rho <- function(r) {
    if (is.null(r) || is.na(r)) "-" else formatC(r, digits = 2L, format = "f")
}

.extremeLines <- function(x, n = 5L) {
    good <- which(x@table$reported & is.finite(x@table$tau))
    if (length(good) < 2L * n) {
        return(.field("ranking", "fewer than ", 2L * n, " genes reported"))
    }
    o <- good[order(x@table$tau[good])]
    scale <- if (.clocked(x)) x@unit$scale else 1
    one <- function(at) {
        paste0(x@genes[at], " ", formatC(x@table$tau[at] * scale, digits = 2L,
            format = "f"
        ), collapse = ", ")
    }
    c(
        .field("fastest", one(head(o, n))), .field("slowest", one(rev(tail(o,
            n
        ))))
    )
}

.effendiLines <- function(x) {
    rank <- x@fit$rank
    value <- function(what) {
        if (is.null(rank) || !what %in% names(rank)) "not run" else
            .rho(rank[[what]])
    }
    c(
        paste("  tau is exchangeable over genes: permuting tau over genes",
            "leaves the loss"
        ),
        "  unchanged, so these numbers don't rank genes.",
        .field("rank cor.", "Spearman with an untrained model ",
            value("untrained"), ", with a shuffled run ", value("shuffled")
        ),
        if (length(x@metadata$anchored)) {
            .field("anchored", "method = \"anchored\" finds delays ",
                if (!isTRUE(x@metadata$anchored$identifiable)) "NOT ",
                "identifiable in these cells"
            )
        }
    )
}

.nextLine <- function(x) {
    if (isTRUE(x@verdict$identifiable)) {
        "Go on with tau(), plotTau(), plotLag(), plotTauNull(), validateTau()"
    } else if (x@method == "effendi") {
        "For delays that may be told apart: estimateTau(method = \"anchored\")"
    } else {
        paste("Nothing is ranked. Look at tauVerdict(), peakLinks() and",
            "plotTauNull(); tau(x,\nforce = TRUE) gives the numbers all the",
            "same"
        )
    }
}
