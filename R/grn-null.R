## Null networks: what a network scores without what is claimed for it.

#' Null networks
#'
#' Made by [nullGRN()].
#'
#' @slot type character, the kind of null.
#' @slot n integer, networks drawn.
#' @slot mean,sd matrices, TFs x genes: over the null networks.
#' @slot atLeast matrix: null networks in which the edge's score is at least
#'   the observed one.
#' @slot pooled matrix: null scores, of any target of the same TF and over all
#'   null networks, that are at least the observed one.
#' @slot metrics data.frame, see `nullMetrics()`.
#' @slot facts list: what was done.
#' @param x,object a `GRNNull`.
#' @return `nullMetrics()` gives a data.frame, one row per network: `network`
#'   (`"observed"`, then the nulls), `auprc`, `auprcRatio`, `early`,
#'   `earlyRatio`, `auroc`; it has no rows when no reference was given.
#'   `nullNetwork()` gives the mean null network as a [PooledGRN-class], for
#'   [evaluateGRN()]'s `compare`. `show()` prints.
#' @section Errors: an `x` that is something else stops.
#' @seealso [nullGRN()], [edgeFDR()]
#' @examples
#' grn <- poolGRN(exampleGRN())
#' reference <- data.frame(TF = "MYOG", target = c("CKM", "MYL1", "FOS"))
#' null <- nullGRN(grn, "marginal", reference = reference)
#' nullMetrics(null)
#' nullNetwork(null)
#' @name GRNNull-class
#' @exportClass GRNNull
setClass("GRNNull", slots = c(
    type = "character", n = "integer", mean = "matrix", sd = "matrix",
    atLeast = "matrix", pooled = "matrix", metrics = "data.frame",
    facts = "list"
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
#'     by least squares. There is one such network, whatever `n`. A network
#'     that scores no better knows TFs and genes, not edges.}
#'   \item{degree}{The `top` highest edges, all others set to 0 (in the
#'     observed network too), rewired so that every TF keeps its number of
#'     targets and every target its number of regulators: 20 swaps are tried
#'     per edge (Maslov and Sneppen). An edge takes its TF's score along.}
#'   \item{shuffle}{The scores in random order over the whole matrix, or with
#'     `within = "TF"` within each TF.}
#'   \item{expression}{The estimator run again on the same cells after each
#'     gene's values were permuted over cells, gene by gene, within `groups`
#'     if given. Here nothing is related to anything but through the groups. It
#'     is a null of no association at all: indirect, shared and technical
#'     association (library size, batches, cell types that aren't in `groups`)
#'     count as signal against it. Shrinkage that the estimator chose from the
#'     data, and the states whose means it removed, stay as they were.}
#' }
#' Marginal and shuffle use the network's own scores, so they are for measures;
#' [edgeFDR()] takes degree and expression.
#'
#' @param x a [PooledGRN-class] that isn't filtered, or per-cell networks,
#'   which are pooled.
#' @param type the kind of null.
#' @param n null networks; NULL: 100, for expression 20.
#' @param reference,candidates NULL, or as for [evaluateGRN()].
#' @param cells expression: the cells `x` was inferred from.
#' @param param expression: the [GRNParam-class] `x` was inferred with; NULL:
#'   taken from `x`.
#' @param groups expression: NULL, or groups of cells within which values are
#'   permuted: the name of a column of `colData(cells)` or a value per cell.
#' @param top degree: edges kept; NULL: as many as there are TFs x 10, but at
#'   most a tenth of all.
#' @param within shuffle: over the `"matrix"` or within each `"TF"`.
#' @param seed NULL: drawn from R's generator, so `set.seed()` governs it; or a
#'   whole number.
#' @param threads threads of the engine; NULL: `causeway.threads`. Results
#'   don't depend on it.
#' @param verbose show progress.
#' @param ... expression: `assay.type`, `symbols`, `species`, `preprocess`,
#'   `alreadyNormalised` as they were given to [inferGRN()].
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
#' nullGRN(grn, "degree", n = 20, reference = truth, seed = 1)
#' null <- nullGRN(grn, "expression", n = 5, cells = cells, seed = 1)
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
    type = c("marginal", "degree", "shuffle", "expression"), n = NULL,
    reference = NULL, candidates = "reference TFs", cells = NULL,
    param = NULL, groups = NULL, top = NULL, within = c("matrix", "TF"),
    seed = NULL, ..., threads = NULL, verbose = interactive()) {
    type <- .oneOf(type, .nullTypes, "type")
    .refuseFiltered(x, "x")
    .checkFlag(verbose, "verbose")
    if (type != "expression") {
        .noDots(...)
    }
    if (is.null(n)) {
        n <- if (type == "expression") 20L else 100L
    }
    n <- .checkNumber(n, "n", 1, 2^20 - 1, whole = TRUE)
    self <- .selfEdges(x@scores)
    if (sum(!self) < 2L || diff(range(x@scores[!self])) == 0) {
        .stopArgument("x", "has equal scores for all edges: there is nothing ",
            "to compare with a null."
        )
    }
    job <- list(x = x, n = n, key = .newKey(seed), threads = .threads(threads),
        self = self, tf = match(rownames(x@scores), colnames(x@scores)) - 1L
    )
    job <- switch(type,
        marginal = .marginalJob(job),
        degree = .degreeJob(job, top),
        shuffle = .shuffleJob(job, .oneOf(within, c("matrix", "TF"), "within")),
        expression = .expressionJob(job, cells, param, groups, list(...))
    )
    job$set <- if (!is.null(reference)) {
        .candidates(x@scores, reference, candidates)
    }
    .runNull(job, type, verbose)
})

## ---- running ---------------------------------------------------------------

.runNull <- function(job, type, verbose) {
    observed <- job$observed
    storage.mode(observed) <- "double"
    mean <- square <- atLeast <- pooled <- observed * 0
    measures <- list(.nullMeasures(observed, job$set))
    bar <- .progressStart("Null network ", job$n, verbose)
    on.exit(.progressDone(bar))
    for (i in seq_len(job$n)) {
        null <- job$draw(i)
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
    new("GRNNull", type = type, n = job$n, mean = mean, sd = sd,
        atLeast = atLeast, pooled = pooled, metrics = metrics,
        facts = c(job$facts, list(
            seed = .keyText(job$key), print = .scorePrint(job$x@scores),
            nCells = job$x@nCells, set = job$set$facts
        ))
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
#' @export
nullMetrics <- function(x) {
    .isNull(x)
    x@metrics
}

#' @rdname GRNNull-class
#' @export
nullNetwork <- function(x) {
    .isNull(x)
    PooledGRN(x@mean, nCells = x@facts$nCells, metadata = list(
        model = paste("null:", x@type), prior = "none", nulls = x@n
    ))
}

.isNull <- function(x, arg = "x") {
    if (!is(x, "GRNNull")) {
        .stopArgument(arg, "must be what nullGRN() returns; it is a ",
            class(x)[[1L]], "."
        )
    }
}

#' @rdname GRNNull-class
#' @export
setMethod("show", "GRNNull", function(object) {
    what <- switch(object@type,
        marginal = "one number per TF plus one per gene",
        degree = sprintf("the %d highest edges rewired, degrees kept",
            object@facts$top
        ),
        shuffle = paste("scores in random order within the",
            object@facts$within
        ),
        expression = paste0(object@facts$estimator,
            " on permuted expression", if (object@facts$groups > 1L)
                paste(" within", object@facts$groups, "groups")
        )
    )
    cat("Null networks (", object@type, "): ", what, "; n = ", object@n, "\n",
        sep = ""
    )
    if (object@type == "marginal") {
        cat("TF and gene effects explain ", .percent(object@facts$share),
            " of the variance of the scores\n", sep = ""
        )
    }
    .catNullMetrics(object@metrics)
    if (object@type %in% c("degree", "expression")) {
        cat("Go on with edgeFDR(), nullMetrics()\n")
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
    if (mean(m$auprcRatio[-1L] >= m$auprcRatio[[1L]]) > 0.05) {
        cat("! The network does not beat this null.\n")
    }
}
