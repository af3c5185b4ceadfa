## Networks against a reference.

#' Result of comparing networks with a reference
#'
#' Made by [evaluateGRN()].
#'
#' @slot table data.frame, one row per method, see [evaluateGRN()].
#' @slot facts list: `candidates`, `positives`, `positiveRate`, `tfs`,
#'   `genes`, `referenceEdges`, `unknownGenes`, `lostEdges`, `selfEdges`,
#'   `duplicates`, `nBoot`, `nCells`.
#' @param x,object a `GRNEvaluation`.
#' @param row.names,optional,... not used.
#' @return `as.data.frame()` gives the table; `show()` prints.
#' @seealso [evaluateGRN()], [plotEvaluation()]
#' @examples
#' grn <- exampleGRN()
#' reference <- data.frame(Gene1 = "MYOD1", Gene2 = c("ACTA1", "FOS", "ENO3"))
#' as.data.frame(evaluateGRN(grn, reference, nBoot = 20))
#' @name GRNEvaluation-class
#' @exportClass GRNEvaluation
setClass("GRNEvaluation", slots = c(table = "data.frame", facts = "list"))

.evaluationMethods <- c("model", "pearson", "spearman", "random")

#' How well networks find known edges
#'
#' Ranks all candidate edges by the pooled network and, on the same cells and
#' candidates, by absolute Pearson and Spearman correlation and at random, and
#' compares each ranking with a reference.
#'
#' @details
#' Candidates are the pairs of a TF that is a source in the reference (and a TF
#' of the network) with any gene of the network, self edges left out; all
#' other TFs are not judged. `AUPRC` is the average precision by steps, edges
#' with equal scores taken together. Early precision is the precision among
#' the first K candidates, K the number of positives; a group of equal scores
#' across that border counts in proportion. Both are also given as ratios over
#' the positive rate. A random ranking's early precision ratio is 1 on average;
#' its AUPRC ratio is near 1 for many candidates and above 1 for few, so compare
#' with the row `random`. Intervals
#' are 95% percentile intervals from bootstrap samples stratified over
#' positives and negatives, the same samples for all methods; they say how
#' much the result hangs on single edges, not how it would be on other data.
#' For `random`, mean and interval are those of `nBoot` random rankings.
#'
#' @param x a [CellGRN-class] (pooled over its cells) or a [PooledGRN-class]
#'   that isn't filtered.
#' @param reference the known edges: a data.frame with columns Gene1 and Gene2
#'   (or TF and target, or source and target; case does not matter; others are
#'   ignored), or a directed `igraph`.
#' @param methods which of `"model"`, `"pearson"`, `"spearman"`, `"random"`.
#' @param nBoot bootstrap samples; 0: no intervals.
#' @param seed NULL: drawn from R's generator, so `set.seed()` governs it; or
#'   a number.
#' @param expression for a [PooledGRN-class]: genes x cells matrix with the
#'   network's genes as row names, for the correlations; without it they are
#'   left out.
#' @param cells for a [CellGRN-class]: cells to use; NULL: all.
#' @param ... for a [CellGRN-class]: not used.
#' @return A [GRNEvaluation-class]. Its table has the columns `method`,
#'   `auprc`, `auprcLow`, `auprcHigh`, `auprcRatio`, `auprcRatioLow`,
#'   `auprcRatioHigh`, the same six for `early` (early precision), and
#'   `modelAbove`: the share of bootstrap samples in which the model's AUPRC is
#'   above this method's (for `random`: of random rankings). Reference edges
#'   with genes that the network lacks are left out and counted. Stops when no
#'   positive or no negative candidate remains, when columns are missing, and
#'   for filtered networks.
#' @references Pratapa et al. (2020) Nature Methods 17, 147-154 (AUPRC ratio,
#'   early precision ratio).
#' @seealso [plotEvaluation()], [summary()][GRNSummary-class]
#' @examples
#' grn <- exampleGRN()
#' reference <- data.frame(
#'     TF = rep(tfNames(grn)[1:2], each = 4),
#'     target = geneNames(grn)[c(9, 17, 25, 33, 10, 18, 26, 34)]
#' )
#' evaluateGRN(grn, reference, nBoot = 50, seed = 1)
#' @rdname evaluateGRN
#' @export
setMethod("evaluateGRN", c("CellGRN", "ANY"), function(x, reference,
    methods = c("model", "pearson", "spearman", "random"), nBoot = 200,
    seed = NULL, cells = NULL, ...) {
    at <- .someCells(x, cells)
    pooled <- .poolCells(x, at)
    expression <- x@expression[, at, drop = FALSE]
    rownames(expression) <- x@genes
    .evaluate(pooled, reference, methods, nBoot, seed, expression)
})

#' @rdname evaluateGRN
#' @export
setMethod("evaluateGRN", c("PooledGRN", "ANY"), function(x, reference,
    methods = NULL, nBoot = 200, seed = NULL, expression = NULL, ...) {
    if (is.null(methods)) {
        methods <- if (is.null(expression)) c("model", "random") else
            .evaluationMethods
    }
    if (is.null(expression) && any(c("pearson", "spearman") %in% methods)) {
        .stopArgument("expression", "is needed for correlations: give the ",
            "genes x cells matrix, or leave them out of 'methods'."
        )
    }
    if (x@filtered) {
        .stopArgument("x", "is filtered: the scores of removed edges are ",
            "gone, so a ranking of all candidates can't be made and AUPRC ",
            "would be wrong. Evaluate the unfiltered network, as poolGRN() ",
            "gives it."
        )
    }
    .evaluate(x, reference, methods, nBoot, seed, expression)
})

.evaluate <- function(pooled, reference, methods, nBoot, seed, expression) {
    unknown <- setdiff(methods, .evaluationMethods)
    if (length(methods) == 0L || length(unknown)) {
        .stopArgument("methods", "must be among ",
            paste(.evaluationMethods, collapse = ", "), "; it has ",
            .show(unknown), "."
        )
    }
    nBoot <- .checkNumber(nBoot, "nBoot", 0, 1e5, whole = TRUE)
    key <- .newKey(seed)
    set <- .candidates(pooled@scores, .referenceEdges(reference))
    scores <- .methodScores(pooled@scores, set, methods, expression)
    runs <- lapply(scores, .rankScores, positive = set$positive, key = key,
        nBoot = nBoot
    )
    if ("random" %in% methods) {
        runs$random <- .rankRandom(set, key, nBoot)
    }
    rate <- mean(set$positive)
    rows <- lapply(methods, function(m) {
        .evaluationRow(m, runs[[m]], runs$model, rate)
    })
    facts <- c(set$facts, nBoot = nBoot, nCells = pooled@nCells)
    new("GRNEvaluation", table = do.call(rbind, rows), facts = facts)
}

## data.frame or igraph -> data.frame with the columns Gene1, Gene2.
.referenceEdges <- function(reference) {
    if (inherits(reference, "igraph")) {
        ends <- igraph::as_edgelist(reference, names = TRUE)
        reference <- data.frame(Gene1 = ends[, 1L], Gene2 = ends[, 2L])
    }
    if (is.matrix(reference) || is(reference, "DataFrame")) {
        reference <- as.data.frame(reference)
    }
    if (!is.data.frame(reference)) {
        .stopArgument("reference", "must be a data.frame with columns Gene1 ",
            "and Gene2, or an igraph; it is a ", class(reference)[[1L]], "."
        )
    }
    column <- function(names) {
        match(names, tolower(colnames(reference)), nomatch = 0L)
    }
    from <- column(c("gene1", "tf", "source", "from", "regulator"))
    to <- column(c("gene2", "target", "to", "targets"))
    if (!any(from) || !any(to)) {
        .stopArgument("reference", "needs the columns Gene1 and Gene2 (or TF ",
            "and target); it has ", .some(colnames(reference)), "."
        )
    }
    data.frame(
        Gene1 = trimws(as.character(reference[[from[from > 0L][[1L]]]])),
        Gene2 = trimws(as.character(reference[[to[to > 0L][[1L]]]]))
    )
}

## The candidates and which of them are known edges.
.candidates <- function(scores, edges) {
    all <- nrow(edges)
    edges <- unique(edges[!is.na(edges$Gene1) & !is.na(edges$Gene2), ])
    twice <- all - nrow(edges)
    self <- edges$Gene1 == edges$Gene2
    edges <- edges[!self, ]
    names <- unique(c(edges$Gene1, edges$Gene2))
    unknown <- setdiff(names, colnames(scores))
    known <- edges$Gene1 %in% rownames(scores) &
        edges$Gene2 %in% colnames(scores)
    tfs <- rownames(scores)[rownames(scores) %in% edges$Gene1]
    lost <- sum(!known)
    edges <- edges[known, ]
    if (nrow(edges) == 0L) {
        .stopArgument("reference", "has no edge from a TF of the network to a ",
            "gene of the network (", all, " edges given, ", length(unknown),
            " of ", length(names), " genes unknown, such as ",
            .some(unknown, 3L), "); check the kind of gene names."
        )
    }
    use <- rep(tfs, times = ncol(scores)) !=
        rep(colnames(scores), each = length(tfs))
    at <- match(edges$Gene1, tfs) +
        (match(edges$Gene2, colnames(scores)) - 1L) * length(tfs)
    positive <- logical(length(use))
    positive[at] <- TRUE
    positive <- positive[use]
    if (all(positive)) {
        .stopArgument("reference", "has every candidate edge, so nothing can ",
            "be told apart."
        )
    }
    list(tfs = tfs, use = use, positive = positive, facts = list(
        candidates = length(positive), positives = sum(positive),
        positiveRate = mean(positive), tfs = length(tfs),
        genes = ncol(scores), referenceEdges = all,
        unknownGenes = length(unknown), lostEdges = lost,
        selfEdges = sum(self), duplicates = twice
    ))
}

## method -> score of every candidate
.methodScores <- function(scores, set, methods, expression) {
    out <- list()
    if ("model" %in% methods) {
        out$model <- as.vector(scores[set$tfs, , drop = FALSE])[set$use]
    }
    for (m in intersect(c("pearson", "spearman"), methods)) {
        at <- match(colnames(scores), rownames(expression))
        if (anyNA(at)) {
            .stopArgument("expression", "lacks genes of the network: ",
                .some(colnames(scores)[is.na(at)]),
                "; its row names must have all of them."
            )
        }
        values <- .asSparse(expression)[at, , drop = FALSE]
        tfAt <- match(set$tfs, colnames(scores))
        r <- .correlations(values, tfAt, m)
        ## equal but for rounding counts as equal
        out[[m]] <- signif(abs(as.vector(r)), 12L)[set$use]
    }
    out
}

.rankScores <- function(score, positive, key, nBoot) {
    order <- order(-score, method = "radix")
    sorted <- score[order]
    group <- cumsum(c(TRUE, sorted[-1L] != sorted[-length(sorted)]))
    labels <- as.raw(positive)
    point <- .Call(cw_r_rank_metrics, order - 1L, as.integer(group), labels)
    draws <- if (nBoot > 0L) {
        .Call(cw_r_rank_bootstrap, order - 1L, as.integer(group), labels, key,
            nBoot
        )
    }
    list(point = point, draws = draws)
}

.rankRandom <- function(set, key, nBoot) {
    draws <- .Call(cw_r_rank_random, as.numeric(length(set$positive)),
        as.numeric(sum(set$positive)), key, max(200L, nBoot)
    )
    list(point = lapply(draws, mean), draws = draws)
}

.evaluationRow <- function(method, run, model, rate) {
    interval <- function(draws) {
        if (is.null(draws)) c(NA_real_, NA_real_) else
            unname(stats::quantile(draws, c(0.025, 0.975)))
    }
    a <- interval(run$draws$auprc)
    e <- interval(run$draws$early)
    above <- NA_real_
    if (method == "random" && !is.null(model)) {
        above <- mean(model$point$auprc > run$draws$auprc)
    } else if (method != "model" && !is.null(model$draws)) {
        above <- mean(model$draws$auprc > run$draws$auprc)
    }
    data.frame(
        method = method,
        auprc = run$point$auprc, auprcLow = a[[1L]], auprcHigh = a[[2L]],
        auprcRatio = run$point$auprc / rate, auprcRatioLow = a[[1L]] / rate,
        auprcRatioHigh = a[[2L]] / rate,
        early = run$point$early, earlyLow = e[[1L]], earlyHigh = e[[2L]],
        earlyRatio = run$point$early / rate, earlyRatioLow = e[[1L]] / rate,
        earlyRatioHigh = e[[2L]] / rate, modelAbove = above
    )
}

#' @rdname GRNEvaluation-class
#' @method as.data.frame GRNEvaluation
#' @export
as.data.frame.GRNEvaluation <- function(x, row.names = NULL,
    optional = FALSE, ...) {
    x@table
}

#' @rdname GRNEvaluation-class
#' @export
setMethod("show", "GRNEvaluation", function(object) {
    f <- object@facts
    cat("Pooled network", if (!is.na(f$nCells))
        paste(" of", .count(f$nCells, "cell")), " against a reference\n",
    sep = "")
    cat("Candidates: ", .count(f$tfs, "TF"),
        " that are sources in the reference x ", .count(f$genes, "gene"),
        ", no self edges: ", format(f$candidates, big.mark = ","),
        ", of which ", format(f$positives, big.mark = ","), " known (",
        .percent(f$positiveRate, 2L), ")\n", sep = ""
    )
    if (f$lostEdges || f$duplicates || f$selfEdges) {
        cat("Left out of ", format(f$referenceEdges, big.mark = ","),
            " reference edges: ", f$lostEdges,
            " with a gene or TF the network lacks (", f$unknownGenes,
            " unknown genes), ", f$selfEdges, " self, ", f$duplicates,
            " duplicated or missing\n", sep = ""
        )
    }
    print(.evaluationText(object@table), row.names = FALSE, right = FALSE)
    .catEvaluation(object@table)
})

.evaluationText <- function(t) {
    span <- function(x, low, high) {
        if (all(is.na(low))) sprintf("%.3f", x) else
            sprintf("%.3f (%.3f-%.3f)", x, low, high)
    }
    data.frame(
        method = t$method,
        AUPRC = span(t$auprc, t$auprcLow, t$auprcHigh),
        ratio = sprintf("%.2f", t$auprcRatio),
        `early precision` = span(t$early, t$earlyLow, t$earlyHigh),
        `ratio ` = sprintf("%.2f", t$earlyRatio),
        `model above` = ifelse(is.na(t$modelAbove), "",
            sprintf("%.0f%%", 100 * t$modelAbove)
        ), check.names = FALSE
    )
}

.catEvaluation <- function(t) {
    model <- t[t$method == "model", ]
    if (nrow(model) == 0L) {
        return(invisible())
    }
    random <- t[t$method == "random", ]
    if (nrow(random) && model$auprc <= random$auprcHigh) {
        cat("! The model can't be told from a random ranking here.\n")
    }
    others <- t[t$method %in% c("pearson", "spearman"), ]
    if (nrow(others) && any(others$auprc >= model$auprc)) {
        best <- others[which.max(others$auprc), ]
        cat("! The model does not beat ", best$method,
            " correlation (AUPRC ratio ", sprintf("%.2f", model$auprcRatio),
            " against ", sprintf("%.2f", best$auprcRatio), ").\n", sep = ""
        )
    }
}

#' Plot the result of evaluateGRN
#'
#' @param x a [GRNEvaluation-class].
#' @return A `ggplot`: AUPRC ratio and early precision ratio of each method
#'   with their intervals; the row `random` is what chance gives.
#' @examples
#' grn <- exampleGRN()
#' reference <- data.frame(Gene1 = "MYOD1", Gene2 = c("ACTA1", "FOS", "ENO3"))
#' plotEvaluation(evaluateGRN(grn, reference, nBoot = 20))
#' @export
plotEvaluation <- function(x) {
    if (!is(x, "GRNEvaluation")) {
        .stopArgument("x", "must be what evaluateGRN() returns.")
    }
    t <- x@table
    long <- data.frame(
        method = factor(rep(t$method, 2L), levels = rev(.evaluationMethods)),
        measure = rep(c("AUPRC ratio", "early precision ratio"),
            each = nrow(t)
        ),
        value = c(t$auprcRatio, t$earlyRatio),
        low = c(t$auprcRatioLow, t$earlyRatioLow),
        high = c(t$auprcRatioHigh, t$earlyRatioHigh)
    )
    .data <- ggplot2::.data
    plot <- ggplot2::ggplot(long, ggplot2::aes(.data$value, .data$method)) +
        ggplot2::geom_vline(xintercept = 1, linetype = 2, colour = "grey50")
    if (!all(is.na(long$low))) {
        plot <- plot + ggplot2::geom_linerange(
            ggplot2::aes(xmin = .data$low, xmax = .data$high),
            colour = "#0072B2"
        )
    }
    plot + ggplot2::geom_point(size = 3, colour = "#D55E00") +
        ggplot2::facet_wrap(~measure) +
        ggplot2::labs(x = "times the positive rate (dashed: 1)", y = NULL,
            title = sprintf("%d known among %d candidate edges",
                x@facts$positives, x@facts$candidates
            )
        ) +
        ggplot2::theme_bw()
}
