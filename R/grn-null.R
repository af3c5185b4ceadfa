## Null networks: what a network scores without what is claimed for it.

#' Null networks
#'
#' Made by [nullGRN()].
#'
#' A [CausewayReport-class] with the table `metrics`, one row per network:
#' `network` (`"observed"`, then the nulls), `auprc`, `auprcRatio`, `early`,
#' `earlyRatio`, `auroc`; it has no rows when no reference was given. It holds
#' when the network beats the null.
#'
#' @slot type character, the kind of null.
#' @slot nPerm integer, networks drawn.
#' @slot mean,sd matrices, TFs x genes: over the null networks.
#' @slot atLeast matrix: null networks in which the edge's score is at least
#'   the observed one.
#' @slot pooled matrix: null scores, of any target of the same TF and over all
#'   null networks, that are at least the observed one.
#' @param x a `GRNNull`.
#' @param row.names,optional,stringsAsFactors,... see [verdict()].
#' @param which `"metrics"`, or `"network"`: the edges of the mean null
#'   network, `Gene1`, `Gene2`, `nullMean`, `nullSd`, highest first.
#' @return `as.data.frame()` gives a table; `poolGRN()` the mean null network
#'   as a [PooledGRN-class], for [evaluateGRN()]'s `compare`. [verdict()] says
#'   what else there is.
#' @section Errors: an unknown `which` is an error naming it.
#' @seealso [nullGRN()], [edgeFDR()]
#' @examples
#' grn <- poolGRN(exampleGRN())
#' reference <- data.frame(TF = "MYOG", target = c("CKM", "MYL1", "FOS"))
#' null <- nullGRN(grn, "marginal", reference = reference)
#' as.data.frame(null)
#' poolGRN(null)
#' @name GRNNull-class
#' @exportClass GRNNull
setClass("GRNNull", contains = "CausewayReport", slots = c(
    type = "character", nPerm = "integer", mean = "matrix", sd = "matrix",
    atLeast = "matrix", pooled = "matrix"
))

.nullTypes <- c("marginal", "degree", "shuffle", "expression")

#' What a network scores without what is claimed for it
#'
#' Draws networks from which something was taken away, and keeps of them what
#' is needed to judge the observed one: means, standard deviations, how often
#' an edge's null score reaches the observed one, and, with a reference, the
#' measures of [evaluateGRN()] of each null network.
#'
#' @details
#' \describe{
#'   \item{marginal}{One number per TF plus one per gene, fitted to the scores
#'     by least squares. There is one such network, whatever `nPerm`. A network
#'     that scores no better knows TFs and genes, not edges.}
#'   \item{degree}{The `top` highest edges, all others set to 0 (in the
#'     observed network too), rewired so that every TF keeps its number of
#'     targets and every target its number of regulators: 20 swaps are tried
#'     per edge (Maslov and Sneppen). An edge takes its TF's score along.}
#'   \item{shuffle}{The scores in random order over the whole matrix, or with
#'     `within = "TF"` within each TF.}
#'   \item{expression}{The estimator run again on the same cells after each
#'     gene's values were permuted over cells, gene by gene, within `group` if
#'     given. Here nothing is related to anything but through the groups. It
#'     is a null of no association at all: indirect, shared and technical
#'     association (library size, batches, cell types that aren't in `group`)
#'     count as signal against it. Shrinkage that the estimator chose from the
#'     data, and the states whose means it removed, stay as they were.}
#' }
#' Marginal and shuffle use the network's own scores, so they are for measures;
#' [edgeFDR()] takes degree and expression.
#'
#' @param x a [PooledGRN-class] that isn't filtered, or per-cell networks,
#'   which are pooled.
#' @param type the kind of null.
#' @param nPerm null networks; NULL: 100, for expression 20.
#' @param reference,candidates NULL, or as for [evaluateGRN()].
#' @param cells expression: the cells `x` was inferred from.
#' @param param expression: the [GRNParam-class] `x` was inferred with; NULL:
#'   taken from `x`.
#' @param group expression: NULL, or groups of cells within which values are
#'   permuted: the name of a column of `colData(cells)` or a value per cell.
#' @param top degree: edges kept; NULL: as many as there are TFs x 10, but at
#'   most a tenth of all.
#' @param within shuffle: over the `"matrix"` or within each `"TF"`.
#' @param seed NULL: drawn from R's generator, so `set.seed()` governs it; or a
#'   whole number.
#' @param threads threads of the engine; NULL: `causeway.threads`. Results
#'   don't depend on it.
#' @param BPPARAM see [severalProcesses].
#' @param verbose show progress.
#' @param ... expression: `assay.type`, `symbols`, `species`, `preprocess`,
#'   `alreadyNormalised`, `block` as they were given to [inferGRN()].
#' @return A [GRNNull-class].
#' @section Errors: filtered networks; networks whose scores are all equal;
#'   for expression, no `cells`, an estimator that isn't known, a network
#'   inferred with a prior, cells or settings that don't give `x` when it is
#'   inferred again.
#' @references Maslov and Sneppen (2002) Science 296, 910-913.
#' @seealso [edgeFDR()], [stabilityGRN()], [evaluateGRN()], [tauNull()] for
#'   delays
#' @examples
#' cells <- simulateCells(nCells = 200, nGenes = 40, nTFs = 6, seed = 1)
#' grn <- inferGRN(cells, RidgeGRNParam(), seed = 1)
#' truth <- S4Vectors::metadata(cells)$simulation$edges
#' nullGRN(grn, "degree", nPerm = 20, reference = truth, seed = 1)
#' null <- nullGRN(grn, "expression", nPerm = 5, cells = cells, seed = 1)
#' head(edgeFDR(grn, null))
#' @rdname nullGRN
#' @aliases nullGRN,PerCellNetworks-method
#' @export
setMethod("nullGRN", "PerCellNetworks", function(x, ...) {
    nullGRN(poolGRN(x), ...)
})

#' @rdname nullGRN
#' @export
setMethod("nullGRN", "PooledGRN", function(x,
    type = c("marginal", "degree", "shuffle", "expression"), nPerm = NULL,
    reference = NULL, candidates = "reference TFs", cells = NULL,
    param = NULL, group = NULL, top = NULL, within = c("matrix", "TF"),
    seed = NULL, ..., threads = NULL, BPPARAM = NULL,
    verbose = interactive()) {
    type <- .oneOf(type, .nullTypes, "type")
    .refuseFiltered(x, "x")
    .checkFlag(verbose, "verbose")
    .noRenamed(..., renamed = c(groups = "group", permutations = "nPerm"))
    if (type != "expression") {
        .noDots(...)
    }
    if (is.null(nPerm)) {
        nPerm <- if (type == "expression") 20L else 100L
    }
    nPerm <- .checkNumber(nPerm, "nPerm", 1, 2^20 - 1, whole = TRUE)
    self <- .selfEdges(x@scores)
    if (sum(!self) < 2L || diff(range(x@scores[!self])) == 0) {
        .stopArgument("x", "has equal scores for all edges: there is nothing ",
            "to compare with a null."
        )
    }
    workers <- .startWorkers(BPPARAM)
    on.exit(.stopWorkers(workers))
    job <- list(x = x, n = nPerm, key = .newKey(seed),
        threads = .threads(.partThreads(threads, workers)), self = self,
        tf = match(rownames(x@scores), colnames(x@scores)) - 1L
    )
    job <- switch(type,
        marginal = .marginalJob(job),
        degree = .degreeJob(job, top),
        shuffle = .shuffleJob(job, .oneOf(within, c("matrix", "TF"), "within")),
        expression = .expressionJob(job, cells, param, group, list(...))
    )
    job$set <- if (!is.null(reference)) {
        .candidates(x@scores, reference, candidates)
    }
    .runNull(job, type, workers, verbose)
})

## ---- running ---------------------------------------------------------------

.runNull <- function(job, type, workers, verbose) {
    observed <- job$observed
    storage.mode(observed) <- "double"
    mean <- square <- atLeast <- pooled <- observed * 0
    measures <- list(.nullMeasures(observed, job$set))
    bar <- .progressStart("Null network ", job$n, verbose)
    on.exit(.progressDone(bar))
    draw <- .partsAhead(job$n, job$draw, workers)
    for (i in seq_len(job$n)) {
        null <- draw(i)
        dimnames(null) <- dimnames(observed)
        step <- null - mean
        mean <- mean + step / i
        square <- square + step * (null - mean)
        atLeast <- atLeast + (null >= observed)
        pooled <- pooled +
            .Call(cw_r_null_above, observed, null, job$tf, job$threads)
        measures[[i + 1L]] <- .nullMeasures(null, job$set)
        .progressTick(bar, i)
    }
    metrics <- do.call(rbind, measures)
    if (is.null(metrics)) {
        metrics <- data.frame()
    } else {
        metrics <- cbind(network = c("observed", seq_len(job$n)), metrics)
    }
    sd <- if (job$n > 1L) sqrt(square / (job$n - 1)) else square * NA
    dimnames(pooled) <- dimnames(observed)
    facts <- c(list(type = type, nPerm = job$n), job$facts, list(
        print = .scorePrint(job$x@scores), nCells = job$x@nCells,
        set = job$set$facts
    ))
    .report("GRNNull", .nullVerdict(metrics, facts), list(metrics = metrics),
        facts, .keyText(job$key), type = type, nPerm = job$n, mean = mean,
        sd = sd, atLeast = atLeast, pooled = pooled
    )
}

.nullMeasures <- function(scores, set) {
    if (is.null(set)) {
        return(NULL)
    }
    scores <- as.vector(scores[set$tfs, , drop = FALSE])[set$use]
    rank <- .Call(cw_r_rank_sort, as.double(scores))
    m <- .Call(cw_r_rank_metrics, rank$order, rank$group,
        as.raw(set$positive)
    )
    rate <- mean(set$positive)
    data.frame(auprc = m$auprc, auprcRatio = m$auprc / rate, early = m$early,
        earlyRatio = m$early / rate, auroc = m$auroc
    )
}

## Tells whether a null belongs to a network.
.scorePrint <- function(scores) {
    w <- seq_along(scores) %% 97 + 1
    c(dim(scores), sum(scores), sum(scores * w))
}

#' @rdname GRNNull-class
#' @method as.data.frame GRNNull
#' @export
as.data.frame.GRNNull <- function(x, row.names = NULL, optional = FALSE, ...,
    which = NULL, stringsAsFactors = FALSE) {
    .noDots(...)
    if (is.null(which) && is.character(row.names)) {
        which <- row.names
    }
    which <- if (is.null(which)) "metrics" else
        .oneOf(which, c("metrics", "network"), "which")
    if (which == "metrics") {
        return(x@tables$metrics)
    }
    at <- which(!.selfEdges(x@mean), arr.ind = TRUE)
    out <- data.frame(Gene1 = rownames(x@mean)[at[, 1L]],
        Gene2 = colnames(x@mean)[at[, 2L]], nullMean = x@mean[at],
        nullSd = x@sd[at]
    )
    out <- out[order(-out$nullMean, method = "radix"), ]
    rownames(out) <- NULL
    out
}

#' @rdname GRNNull-class
#' @export
setMethod("poolGRN", "GRNNull", function(x, ...) {
    .noDots(...)
    PooledGRN(x@mean, nCells = x@facts$nCells, metadata = list(
        model = paste("null:", x@type), prior = "none", nulls = x@nPerm
    ))
})

.nullWhat <- function(f) {
    switch(f$type,
        marginal = "one number per TF plus one per gene",
        degree = sprintf("the %d highest edges rewired, degrees kept", f$top),
        shuffle = paste("scores in random order within the", f$within),
        expression = paste0(f$estimator, " on permuted expression",
            if (f$groups > 1L) paste(" within", f$groups, "groups"))
    )
}

## Beaten where at most a twentieth of the null networks score as high.
.nullVerdict <- function(m, f) {
    what <- paste0("Null networks (", f$type, "): ", .nullWhat(f), "; nPerm = ",
        f$nPerm)
    if (nrow(m) == 0L) {
        return(.verdict(what))
    }
    beaten <- mean(m$auprcRatio[-1L] >= m$auprcRatio[[1L]]) <= 0.05
    .verdict(c(sprintf("%s: AUPRC ratio %.2f against %.2f of null networks",
        if (beaten) "The network beats this null" else
            "! The network does not beat this null",
        m$auprcRatio[[1L]], mean(m$auprcRatio[-1L])), what), beaten)
}

setMethod(".showBody", "GRNNull", function(x) {
    if (x@type == "marginal") {
        cat("TF and gene effects explain ", .percent(x@facts$share),
            " of the variance of the scores\n", sep = ""
        )
    }
    .catNullMetrics(x@tables$metrics)
    if (x@type %in% c("degree", "expression")) {
        cat("Go on with edgeFDR()\n")
    }
})

.catNullMetrics <- function(m) {
    if (nrow(m) == 0L) {
        return(invisible())
    }
    names <- c(auprcRatio = "AUPRC ratio", earlyRatio = "early precision ratio",
        auroc = "AUROC"
    )
    rows <- lapply(names(names), function(name) {
        null <- m[[name]][-1L]
        data.frame(measure = names[[name]],
            observed = sprintf("%.3f", m[[name]][[1L]]),
            null = sprintf("%.3f", mean(null)),
            `95%` = if (length(null) < 2L) "" else paste(
                sprintf("%.3f", stats::quantile(null, c(0.025, 0.975))),
                collapse = " to "
            ),
            p = if (length(null) < 2L) "" else sprintf("%.3f",
                (1 + sum(null >= m[[name]][[1L]])) / (1 + length(null))
            ), check.names = FALSE
        )
    })
    print(do.call(rbind, rows), row.names = FALSE, right = FALSE)
}
