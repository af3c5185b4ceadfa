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
#' @export
setGeneric("nullGRN", function(x, ...) standardGeneric("nullGRN"))

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

## ---- the four kinds --------------------------------------------------------
## A job: `observed` (matrix), `draw` (function of 1..n -> matrix), `facts`.

.marginalJob <- function(job) {
    fit <- .marginalFit(job$x@scores, job$self)
    job$n <- 1L
    job$observed <- job$x@scores
    job$draw <- function(i) fit
    job$facts <- list(share = .marginalShare(job$x@scores, job$self))
    job
}

## TF + gene effects by least squares on what isn't a self edge: alternating,
## which needs row and column sums only.
.marginalFit <- function(scores, self) {
    s <- scores
    s[self] <- 0
    use <- 1 - self
    column <- numeric(ncol(s))
    for (step in seq_len(500L)) {
        row <- (rowSums(s) - as.vector(use %*% column)) / pmax(1, rowSums(use))
        new <- (colSums(s) - as.vector(row %*% use)) / pmax(1, colSums(use))
        moved <- max(abs(new - column))
        column <- new
        if (moved <= 1e-12 * max(abs(s))) break
    }
    fit <- outer(row, column, `+`)
    fit[self] <- scores[self]
    dimnames(fit) <- dimnames(scores)
    fit
}

.degreeJob <- function(job, top) {
    s <- job$x@scores
    possible <- sum(!job$self)
    if (is.null(top)) {
        top <- 10 * nrow(s)
    }
    top <- .checkNumber(top, "top", 1, whole = TRUE)
    top <- max(2, min(top, floor(possible / 10)))
    s[job$self] <- -Inf
    at <- utils::head(order(-s, method = "radix"), top)
    at <- at[s[at] > 0]
    if (length(at) < 2L) {
        .stopArgument("x", "has fewer than two edges above 0: nothing can be ",
            "rewired."
        )
    }
    tf <- (at - 1L) %% nrow(s)
    gene <- (at - 1L) %/% nrow(s)
    job$observed <- job$x@scores * 0
    job$observed[at] <- job$x@scores[at]
    job$draw <- function(i) {
        drawn <- .Call(cw_r_null_rewire, tf, gene, job$tf, ncol(s),
            20 * length(at), job$key, i
        )
        out <- job$observed * 0
        out[cbind(tf, drawn$gene) + 1L] <- job$x@scores[at]
        out
    }
    job$facts <- list(top = length(at), edges = at)
    job
}

.shuffleJob <- function(job, within) {
    s <- job$x@scores
    storage.mode(s) <- "double"
    job$observed <- s
    job$draw <- function(i) {
        .Call(cw_r_null_shuffle, s, job$tf, within == "TF", job$key, i)
    }
    job$facts <- list(within = within)
    job
}

.expressionJob <- function(job, cells, param, groups, args) {
    if (is.null(cells)) {
        .stopArgument("cells", "is needed for type = \"expression\": the ",
            "cells the network was inferred from."
        )
    }
    param <- .paramOf(job$x, param)
    fit <- .refitCells(job$x, cells, param, args, job$threads)
    group <- .permutationGroups(groups, fit$prepared)
    view <- fit$view
    job$observed <- job$x@scores
    job$draw <- function(i) {
        drawn <- .Call(cw_r_null_permute, view[c("dim", "p", "i", "x")],
            group$of, group$n, job$key, i
        )
        null <- view
        null$i <- drawn$i
        null$x <- drawn$x
        null$genes <- Matrix::t(Matrix::sparseMatrix(i = drawn$i, p = view$p,
            x = drawn$x, dims = view$dim, index1 = FALSE
        ))
        key <- c(job$key[[1L]], (job$key[[2L]] + i) %% 2^32)
        .estimateFrozen(param, null, key, job$threads, fit$frozen)[fit$rows,
            fit$columns, drop = FALSE
        ]
    }
    job$facts <- list(estimator = .estimatorName(param), groups = group$n)
    job
}

## The estimator's settings of a network, as recorded by inferGRN().
.paramOf <- function(x, param) {
    meta <- x@metadata
    if (is.null(param) && is(meta$param, "GRNParam")) {
        param <- meta$param
    }
    if (is.null(param) && !is.null(meta$estimator)) {
        param <- .rebuildParam(meta$estimator, meta$settings)
    }
    if (is.null(param)) {
        .stopArgument("param", "is needed: 'x' doesn't say which estimator ",
            "made it. Give the GRNParam that inferGRN() was given (networks ",
            "of a model or per cell can't be made again here; of ",
            "PerCellGRNParam see stateVerdict())."
        )
    }
    if (!is(param, "GRNParam")) {
        .stopArgument("param", "must be a GRNParam, such as ",
            "RidgeGRNParam(); it is a ", class(param)[[1L]], "."
        )
    }
    strength <- meta$priorEvidence$strength
    if (length(strength) && strength > 1) {
        .stopArgument("x", "was inferred with a prior network, which permuted ",
            "expression would keep: its edges would come back in the null. ",
            "Make the null of the network without it."
        )
    }
    param
}

.rebuildParam <- function(class, s) {
    if (class == "CombinedGRNParam") {
        parts <- s[!names(s) %in% "weights"]
        kinds <- vapply(parts, function(p) {
            if ("variance" %in% names(p)) "RidgeGRNParam" else
                if ("trees" %in% names(p)) "TreeGRNParam" else "CorGRNParam"
        }, "")
        return(CombinedGRNParam(unname(Map(.rebuildParam, kinds, parts)),
            s$weights
        ))
    }
    ## a prior that the evidence rejected is as none
    do.call(class, if (class == "RidgeGRNParam") s["variance"] else s)
}

## The cells as the estimator reads them, and the places of the network's TFs
## and genes among its; stops when they do not give the network again.
.refitCells <- function(x, cells, param, args, threads) {
    s <- x@scores
    seen <- x@metadata$coverage
    known <- list(assay.type = NULL, symbols = NULL,
        species = x@metadata$species, preprocess = list(),
        alreadyNormalised = isTRUE(seen$logged)
    )
    bad <- setdiff(names(args), names(known))
    if (length(args) && is.null(names(args))) {
        .noDots(1)
    }
    if (length(bad)) {
        do.call(.noDots, stats::setNames(as.list(bad), bad))
    }
    known[names(args)] <- args
    prepared <- tryCatch(.estimatorCells(cells, c(known, list(
        tfs = rownames(s), genes = colnames(s), nTargets = 0, keep = NULL
    )), NULL, FALSE), error = .orLacking)
    rows <- match(rownames(s), prepared$labels[!prepared$nonTF])
    columns <- match(colnames(s), prepared$labels)
    if (anyNA(rows) || anyNA(columns)) {
        .stopArgument("cells", "lacks TFs or genes of the network: ",
            .some(c(rownames(s)[is.na(rows)], colnames(s)[is.na(columns)])),
            "; give the cells 'x' was inferred from."
        )
    }
    key <- .keyOfText(x@metadata$seed)
    if (isTRUE(x@metadata$centring$centred)) {
        prepared <- .centreStates(prepared, param, TRUE, key, threads,
            FALSE
        )$prepared
    }
    view <- .estimatorView(prepared)
    frozen <- .shrinkageOf(x, param, view)
    again <- .estimateFrozen(param, view, key, threads, frozen)[rows, columns,
        drop = FALSE
    ]
    .checkRefit(s, again, .selfEdges(s))
    list(prepared = prepared, view = view, rows = rows, columns = columns,
        frozen = frozen
    )
}

## Shrinkage that the estimators choose from the data stays as it was chosen
## for the observed network. Chosen again on permuted data it would be
## stronger, and null scores lower than those of edges that are noise.
.shrinkageOf <- function(x, param, view) {
    variance <- unique(x@metadata$targets$variance)
    parts <- if (is(param, "CombinedGRNParam")) param@estimators else
        list(param)
    is <- function(class, test = function(p) TRUE) {
        any(vapply(parts, function(p) methods::is(p, class) && test(p), NA))
    }
    if (is("RidgeGRNParam") && length(variance) != 1L) {
        variance <- .estimate(parts[[which(vapply(parts, methods::is, NA,
            class2 = "RidgeGRNParam"
        ))[[1L]]]], view, c(0, 0), .threads())$targets$variance[[1L]]
    }
    partial <- is("CorGRNParam", function(p) p@method == "partial")
    list(variance = variance, lambda = if (partial)
        .shrinkage(Matrix::t(view$genes), view$tf + 1L)
    )
}

## Scores of an estimator with given shrinkage.
.estimateFrozen <- function(param, view, key, threads, frozen) {
    if (is(param, "CombinedGRNParam")) {
        weights <- .weightsOf(param) / sum(.weightsOf(param))
        parts <- Map(function(p, w) {
            .estimateFrozen(p, view, key, threads, frozen)^w
        }, param@estimators, weights)
        return(Reduce(`*`, parts))
    }
    if (is(param, "CorGRNParam") && param@method == "partial") {
        at <- view$tf + 1L
        r <- .partialCorrelations(view$genes, at, frozen$lambda)
        r[cbind(seq_along(at), at)] <- 0
        return(abs(r))
    }
    if (is(param, "RidgeGRNParam")) {
        param <- RidgeGRNParam(frozen$variance)
    }
    .estimate(param, view, key, threads)$scores
}

.checkRefit <- function(scores, again, self) {
    r <- .rankCorrelation(rank(scores[!self]), again[!self])
    if (is.na(r) || r < 0.99) {
        .stopArgument("cells", "don't give 'x' when it is inferred again ",
            "from them (rank correlation of scores ",
            if (is.na(r)) "not defined" else sprintf("%.2f", r),
            "); give the same cells, 'param' and settings as for inferGRN()."
        )
    }
}

## The reader's word for genes it can't find names arguments of its own.
.orLacking <- function(e) {
    text <- conditionMessage(e)
    if (startsWith(text, "'genes' names genes")) {
        .stopArgument("cells", "lacks genes of the network: ",
            sub(".*not in 'x': ", "", text),
            " Give the cells 'x' was inferred from."
        )
    }
    stop(e)
}

## "high:low" -> a key; NULL -> 0:0
.keyOfText <- function(text) {
    parts <- suppressWarnings(as.numeric(
        strsplit(paste(text, collapse = ""), ":", fixed = TRUE)[[1L]]
    ))
    if (length(parts) != 2L || anyNA(parts)) c(0, 0) else parts
}

.permutationGroups <- function(groups, prepared) {
    if (is.null(groups)) {
        return(list(of = NULL, n = 1L))
    }
    n <- length(prepared$cells)
    if (is.character(groups) && length(groups) == 1L && n > 1L) {
        if (!groups %in% colnames(prepared$cellData)) {
            .stopArgument("groups", "is \"", groups, "\", which isn't a ",
                "column of colData(cells): ",
                .some(colnames(prepared$cellData), 8L), "."
            )
        }
        groups <- prepared$cellData[[groups]]
    }
    if (length(groups) != n || anyNA(groups)) {
        .stopArgument("groups", "must have a value per cell, ", n, ", none ",
            "missing; it has ", length(groups), " with ", sum(is.na(groups)),
            " missing."
        )
    }
    groups <- factor(groups)
    if (max(table(groups)) < 2L) {
        .stopArgument("groups", "puts every cell alone: nothing can be ",
            "permuted."
        )
    }
    list(of = as.integer(groups) - 1L, n = nlevels(groups))
}

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
        model = paste("null:", x@type), prior = "none"
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

## ---- false discovery rates -------------------------------------------------

#' Edges that null networks don't have
#'
#' Empirical p values of edges against the null networks of [nullGRN()], and
#' their false discovery rates (q).
#'
#' @details With the nulls pooled within a TF, p = (1 + null scores of any
#' target of the TF that reach the edge's score) / (1 + null networks x
#' targets). That resolves small p with few null networks, but takes all
#' targets of a TF to have one null distribution; `pool = "edge"` does not: p =
#' (1 + null networks that reach the score) / (1 + null networks), whose
#' smallest value, 1 / (1 + n), must be well below the FDR divided by the share
#' of true edges. q is Benjamini and Hochberg's, or Storey's with the share of
#' null edges estimated from p > 0.5.
#'
#' Against permuted expression, q is the rate of edges whose genes are *not
#' associated at all*; a discovery is an association, and most associations
#' in real data are indirect. On permuted data p is uniform. On
#' [simulateCells()] (1,000 cells, 100 genes, 15 TFs, means of 3 seeds) the
#' share of edges at q < 0.1 that are no regulation was .74 to .85 in four
#' contexts, .36 to .57 in one context, and .13 to .28 (finding .16 to .24 of
#' the true edges) in four contexts with values permuted within them by
#' `groups`, Pearson correlation being worst each time. So q filters noise;
#' give `groups`, and don't read it as the rate of wrong edges. Against degree,
#' the table has the `top` edges only, and p asks whether the degrees alone
#' would put the edge there.
#'
#' @param x the network `null` was made from.
#' @param null a [GRNNull-class] of type expression or degree.
#' @param pool `"TF"`, `"edge"` or NULL: `"TF"` for fewer than 1,000 null
#'   networks of type expression, else `"edge"`.
#' @param method `"BH"` or `"storey"`.
#' @return A data.frame, smallest p first: `Gene1`, `Gene2`, `score`,
#'   `nullMean`, `nullSd`, `p`, `q`. Its attributes `pool`, `method` and `pi0`
#'   (Storey's share of null edges, else 1) say how. Self edges are left out.
#' @section Errors: a null of another network, or of type marginal or shuffle:
#'   their p would be uniform by construction.
#' @references Benjamini and Hochberg (1995) J. R. Stat. Soc. B 57, 289-300.
#'   Storey (2002) J. R. Stat. Soc. B 64, 479-498.
#' @seealso [nullGRN()], [evaluateGRN()]
#' @examples
#' cells <- simulateCells(nCells = 200, nGenes = 40, nTFs = 6, seed = 1)
#' grn <- inferGRN(cells, CorGRNParam(), seed = 1)
#' null <- nullGRN(grn, "expression", n = 10, cells = cells, seed = 1)
#' edges <- edgeFDR(grn, null)
#' head(edges)
#' sum(edges$q < 0.1)
#' @export
edgeFDR <- function(x, null, pool = NULL, method = c("BH", "storey")) {
    x <- if (is(x, "PerCellNetworks")) poolGRN(x) else x
    if (!is(x, "PooledGRN")) {
        .stopArgument("x", "must be a network, the one 'null' was made from; ",
            "it is a ", class(x)[[1L]], "."
        )
    }
    .isNull(null, "null")
    method <- .oneOf(method, c("BH", "storey"), "method")
    if (null@type %in% c("marginal", "shuffle")) {
        .stopArgument("null", "is of type \"", null@type, "\", made of the ",
            "network's own scores: p values would be uniform by ",
            "construction. Use type \"expression\" or \"degree\"; for this ",
            "one see nullMetrics()."
        )
    }
    if (!isTRUE(all.equal(.scorePrint(x@scores), null@facts$print))) {
        .stopArgument("null", "was made from another network than 'x'.")
    }
    degree <- null@type == "degree"
    if (is.null(pool)) {
        pool <- if (degree || null@n >= 1000L) "edge" else "TF"
    }
    pool <- .oneOf(pool, c("TF", "edge"), "pool")
    p <- if (pool == "edge") {
        (1 + null@atLeast) / (1 + null@n)
    } else {
        (1 + null@pooled) / (1 + null@n * (ncol(null@mean) - 1))
    }
    .fdrTable(x@scores, null, p, pool, method)
}

.fdrTable <- function(s, null, p, pool, method) {
    at <- if (null@type == "degree") sort(null@facts$edges) else
        which(!.selfEdges(s))
    p <- p[at]
    pi0 <- if (method == "storey") min(1, 2 * mean(p > 0.5)) else 1
    pi0 <- max(pi0, 1 / length(p))
    table <- data.frame(
        Gene1 = rownames(s)[(at - 1L) %% nrow(s) + 1L],
        Gene2 = colnames(s)[(at - 1L) %/% nrow(s) + 1L],
        score = s[at], nullMean = null@mean[at], nullSd = null@sd[at], p = p,
        q = pmin(1, pi0 * stats::p.adjust(p, "BH"))
    )
    table <- table[order(table$p, -table$score), ]
    rownames(table) <- NULL
    attr(table, "pool") <- pool
    attr(table, "method") <- method
    attr(table, "pi0") <- pi0
    table
}
