## Networks against a reference.

#' Result of comparing networks with a reference
#'
#' Made by [evaluateGRN()].
#'
#' A [CausewayReport-class] with the tables `methods`, one row per method, see
#' [evaluateGRN()], and `TF`, one row per method and TF: `method`, `TF`,
#' `candidates`, `positives`, `positiveRate`, `auprc`, `auprcRatio`, `auroc`,
#' `early`, `earlyRatio`, each TF's targets ranked among its own candidates.
#' TFs without a positive are left out, `auroc` is NA for a TF without a
#' negative; TFs with few positives have wild ratios: weigh them by
#' `positives`; and `popularity`, one or two rows per method: of the `top`
#' highest candidates how many are `known`, how many are `expected` in random
#' networks that keep how many known targets every factor and how many known
#' factors every gene has (maximum entropy), `z`, and `auprcOverDegree`, AUPRC
#' over that of such networks. Its facts are `candidates`, `positives`, `positiveRate`, `tfs`,
#' `genes`, `referenceEdges`, `unknownGenes`, `lostEdges`, `selfEdges`,
#' `duplicates`, `candidateSet` (in words), `split` (what a held-out reference
#' was split by, or NA), `nBoot`, `nCells`. It holds when the model is above
#' random rankings and above every other method.
#'
#' @return An object of this class; [verdict()] says what it gives.
#' @seealso [evaluateGRN()], [plotEvaluation()]
#' @examples
#' grn <- exampleGRN()
#' reference <- data.frame(Gene1 = "MYOD1", Gene2 = c("ACTA1", "FOS", "ENO3"))
#' e <- evaluateGRN(grn, reference, nBoot = 20)
#' as.data.frame(e)
#' as.data.frame(e, which = "TF")
#' @name GRNEvaluation-class
#' @exportClass GRNEvaluation
setClass("GRNEvaluation", contains = "CausewayReport")

.evaluationMethods <- c("model", "pearson", "spearman", "random")

#' How well networks find known edges
#'
#' Ranks all candidate edges by the pooled network and, on the same cells and
#' candidates, by absolute Pearson and Spearman correlation, by any other
#' networks given, and at random, and compares each ranking with a reference.
#'
#' @details
#' Candidates are, by default, the pairs of a TF that is a source in the
#' reference (and a TF of the network) with any gene of the network; all other
#' TFs are not judged. `candidates = "all"` takes every TF of the network,
#' which counts TFs the reference knows nothing about as without targets; a
#' data.frame takes its pairs. Self edges are never candidates. A held-out
#' reference of [splitReference()] restricts them further: split by TF, to the
#' held-out TFs; by target, to the held-out targets; by edge, pairs that are
#' training edges are left out altogether.
#'
#' `AUPRC` is the average precision by steps, edges with equal scores taken
#' together. Early precision is the precision among the first K candidates, K
#' the number of positives; a group of equal scores across that border counts
#' in proportion. Both are also given as ratios over the positive rate. AUROC
#' is the chance that a known edge stands above another candidate, ties
#' counting one half. A random ranking's early precision ratio is 1 on average,
#' its AUROC 0.5; its AUPRC ratio is near 1 for many candidates and above 1 for
#' few, so compare with the row `random`. Intervals are 95% percentile
#' intervals from bootstrap samples stratified over positives and negatives,
#' the same samples for all methods; they say how much the result hangs on
#' single edges, not how it would be on other data. For `random`, mean and
#' interval are those of random rankings (`nBoot`, at least 200; where more than
#' a million edges are known, at least 50).
#'
#' Where the networks' expression stays in a file and more than
#' `options(causeway.sampleCells)` cells (10,000) are used, Pearson's are from
#' sums over all cells, and Spearman's of a sample of so many.
#'
#' Ten million candidates are ranked in two to three seconds; each bootstrap
#' sample of so many takes a few tenths of a second, so set `nBoot` low there.
#'
#' @param x a [CellGRN-class] or [StateGRN-class] (pooled over its cells) or a
#'   [PooledGRN-class] that isn't filtered.
#' @param reference the known edges: a data.frame with columns Gene1 and Gene2
#'   (or TF and target, or source and target and other common names; rows with 0
#'   in a column of 0 and 1 are no edges; see [readReference()]), a directed
#'   `igraph`, the path of a csv or tsv file (also compressed), a filtered
#'   [PooledGRN-class] (its edges above 0), or a [ReferenceSplit-class] (its
#'   held-out part).
#' @param methods which of `"model"`, `"pearson"`, `"spearman"`, `"random"`.
#' @param nBoot bootstrap samples; 0: no intervals.
#' @param seed NULL: drawn from R's generator, so `set.seed()` governs it; or
#'   a number.
#' @param expression for a [PooledGRN-class]: genes x cells matrix with the
#'   network's genes as row names, for the correlations; without it they are
#'   left out. Give what the network saw, log-normalised values; counts
#'   correlate otherwise.
#' @param cells for per-cell networks: cells to use; NULL: all.
#' @param candidates `"reference TFs"`, `"all"`, or a data.frame of pairs (as
#'   for `reference`), such as a prior network; pairs the network lacks are
#'   left out and counted.
#' @param compare named list of other networks ([PooledGRN-class], score
#'   matrices, TFs x genes, or a [GRNNull-class]: its mean network) to rank the
#'   same candidates by.
#' @param threads threads of the engine for the bootstrap; NULL:
#'   `causeway.threads`. Results don't depend on it.
#' @param ... not used.
#' @return A [GRNEvaluation-class]. Its table has the columns `method`,
#'   `auprc`, `auprcLow`, `auprcHigh`, `auprcRatio`, `auprcRatioLow`,
#'   `auprcRatioHigh`, the same six for `early` (early precision), `auroc`,
#'   `aurocLow`, `aurocHigh`, and `modelAbove`: the share of bootstrap samples
#'   in which the model's AUPRC is above this method's (for `random`: of random
#'   rankings). Reference edges with genes that the network lacks are left out
#'   and counted.
#' @section Errors: no positive or no negative candidate; columns missing;
#'   files that can't be read; filtered networks; networks in `compare` that
#'   lack a candidate's TF or gene.
#' @references Pratapa et al. (2020) Nature Methods 17, 147-154 (AUPRC ratio,
#'   early precision ratio).
#' @seealso [plotEvaluation()], [plotRankRecovery()], [readReference()],
#'   [splitReference()], [benchmarkGRN()], [nullGRN()],
#'   [summary()][GRNSummary-class]
#' @examples
#' grn <- exampleGRN()
#' reference <- data.frame(
#'     TF = rep(tfNames(grn)[1:2], each = 4),
#'     target = geneNames(grn)[c(9, 17, 25, 33, 10, 18, 26, 34)]
#' )
#' evaluateGRN(grn, reference, nBoot = 50, seed = 1)
#' ## the same candidates by another network
#' other <- poolGRN(grn, cells = 1:5)
#' evaluateGRN(grn, reference, nBoot = 50, seed = 1, methods = "model",
#'     compare = list(few = other)
#' )
#' @rdname evaluateGRN
#' @aliases evaluateGRN,PerCellNetworks,ANY-method
#' @export
setMethod("evaluateGRN", c("PerCellNetworks", "ANY"), function(x, reference,
    methods = c("model", "pearson", "spearman", "random"), nBoot = 200,
    seed = NULL, cells = NULL, candidates = "reference TFs", compare = NULL,
    ..., threads = NULL) {
    .noDots(...)
    .given(reference, "reference", "the known edges, as readReference() gives")
    at <- .someCells(x, cells)
    ## scores, candidates and rankings; values and ranks of the cells held
    held <- min(length(at), .mostCells())
    .checkEstimatorMemory(64 * length(x@tfs) * length(x@genes) +
        if (.isDelayed(x@expression)) held * (12 * length(x@genes) + 16 *
            length(x@tfs)) + .blockBytes() else 0, "the candidate edges")
    .evaluate(poolGRN(x, at), reference, methods, nBoot, seed,
        .expressionFor(x, at), candidates, compare, threads
    )
})

#' @rdname evaluateGRN
#' @export
setMethod("evaluateGRN", c("PooledGRN", "ANY"), function(x, reference,
    methods = NULL, nBoot = 200, seed = NULL, expression = NULL,
    candidates = "reference TFs", compare = NULL, ..., threads = NULL) {
    .noDots(...)
    .given(reference, "reference", "the known edges, as readReference() gives")
    if (is.null(methods)) {
        methods <- if (is.null(expression)) c("model", "random") else
            .evaluationMethods
    }
    if (is.null(expression) && any(c("pearson", "spearman") %in% methods)) {
        .stopArgument("expression", "is needed for correlations: give the ",
            "genes x cells matrix, or leave them out of 'methods'."
        )
    }
    .refuseFiltered(x, "x")
    .evaluate(x, reference, methods, nBoot, seed, expression, candidates,
        compare, threads
    )
})

.refuseFiltered <- function(x, arg) {
    if (x@filtered) {
        .stopArgument(arg, "is filtered: the scores of removed edges are ",
            "gone, so a ranking of all candidates can't be made and AUPRC ",
            "would be wrong. Use the unfiltered network, as poolGRN() or ",
            "inferGRN() gives it."
        )
    }
    invisible(x)
}

.evaluate <- function(pooled, reference, methods, nBoot, seed, expression,
    candidates = "reference TFs", compare = NULL, threads = NULL) {
    unknown <- setdiff(methods, .evaluationMethods)
    if (length(methods) == 0L || length(unknown)) {
        .stopArgument("methods", "must be among ",
            paste(.evaluationMethods, collapse = ", "), "; it has ",
            .show(unknown), "."
        )
    }
    nBoot <- .checkNumber(nBoot, "nBoot", 0, 1e5, whole = TRUE)
    threads <- .threads(threads)
    key <- .newKey(seed)
    compare <- .compareScores(compare)
    set <- .candidates(pooled@scores, reference, candidates)
    scores <- c(
        .methodScores(pooled@scores, set, methods, expression),
        lapply(setNames(names(compare), names(compare)), function(name) {
            .chosenScores(compare[[name]], set, name)
        })
    )
    runs <- lapply(scores, .rankScores, set = set, key = key, nBoot = nBoot,
        threads = threads
    )
    if ("random" %in% methods) {
        runs$random <- .rankRandom(set, key, nBoot, threads)
    }
    methods <- c(methods, names(compare))
    rate <- mean(set$positive)
    rows <- lapply(methods, function(m) {
        .evaluationRow(m, runs[[m]], runs$model, rate)
    })
    byTF <- do.call(rbind, lapply(setdiff(methods, "random"), function(m) {
        cbind(method = m, runs[[m]]$byTF)
    }))
    table <- do.call(rbind, rows)
    popular <- .popularity(scores, set, threads)
    .report("GRNEvaluation", .evaluationVerdict(table, popular), list(
        methods = table, TF = if (is.null(byTF)) data.frame() else byTF,
        popularity = if (is.null(popular)) data.frame() else popular
    ), c(set$facts, nBoot = nBoot, nCells = pooled@nCells), .keyText(key))
}

## `compare` as a named list of score matrices.
.compareScores <- function(compare) {
    if (is.null(compare)) {
        return(list())
    }
    if (is(compare, "PooledGRN") || is.matrix(compare) ||
        !is.list(compare) || length(compare) == 0L) {
        .stopArgument("compare", "must be a named list of networks; it is ",
            "a ", class(compare)[[1L]], "."
        )
    }
    names <- names(compare)
    if (is.null(names) || !all(nzchar(names)) || anyDuplicated(names) ||
        any(names %in% .evaluationMethods)) {
        .stopArgument("compare", "must have names, each once and other than ",
            paste(.evaluationMethods, collapse = ", "), "; it has ",
            .show(names), "."
        )
    }
    lapply(setNames(names, names), function(name) {
        x <- compare[[name]]
        arg <- paste0("compare$", name)
        if (is.matrix(x)) {
            x <- PooledGRN(x)
        } else if (is(x, "PerCellNetworks") || is(x, "GRNNull")) {
            x <- poolGRN(x)
        }
        if (!is(x, "PooledGRN")) {
            .stopArgument(arg, "must be a PooledGRN or a matrix; it is a ",
                class(x)[[1L]], "."
            )
        }
        .refuseFiltered(x, arg)@scores
    })
}

## Scores of the candidates from a matrix that may have other TFs and genes.
.chosenScores <- function(scores, set, name) {
    used <- matrix(set$use, length(set$tfs))
    genes <- set$genes[colSums(used) > 0]
    lost <- c(setdiff(set$tfs, rownames(scores)),
        setdiff(genes, colnames(scores))
    )
    if (length(lost)) {
        .stopArgument(paste0("compare$", name), "lacks ", length(lost),
            " TFs or genes of the candidates: ", .some(unique(lost)),
            "; infer it from the same genes, or choose 'candidates' that ",
            "both have."
        )
    }
    at <- match(set$genes, colnames(scores))
    as.vector(scores[set$tfs, at, drop = FALSE])[set$use]
}

## ---- the result -----------------------------------------------------------

setMethod(".showBody", "GRNEvaluation", function(x) {
    f <- x@facts
    cat("Pooled network", if (!is.na(f$nCells))
        paste(" of", .count(f$nCells, "cell")), " against a ",
    if (is.na(f$split)) "" else paste0("held-out (by ", f$split, ") "),
    "reference\n", sep = "")
    cat("Candidates: ", f$candidateSet, ": ",
        format(f$candidates, big.mark = ","), " of ", .count(f$tfs, "TF"),
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
    .catEvaluationTable(x@tables$methods)
    .catPopularity(x@tables$popularity)
    if (!any(c("pearson", "spearman") %in% x@tables$methods$method)) {
        cat("No correlations beside it: a pooled network needs 'expression' ",
            "for them.\n", sep = ""
        )
    }
})

## The method leads each row as its row name, so that a narrow screen repeats
## it beside every part of the table.
.catEvaluationTable <- function(t) {
    span <- function(x, low, high) {
        ifelse(is.na(low), sprintf("%.3f", x),
            sprintf("%.3f (%.3f-%.3f)", x, low, high)
        )
    }
    above <- ifelse(is.na(t$modelAbove), "",
        sprintf("%.0f%%", 100 * t$modelAbove)
    )
    columns <- cbind(
        AUPRC = span(t$auprc, t$auprcLow, t$auprcHigh),
        ratio = sprintf("%.2f", t$auprcRatio),
        early = span(t$early, t$earlyLow, t$earlyHigh),
        ratio = sprintf("%.2f", t$earlyRatio),
        AUROC = span(t$auroc, t$aurocLow, t$aurocHigh),
        `model above` = above
    )
    rownames(columns) <- t$method
    print(columns, quote = FALSE, right = FALSE)
    cat("early: precision among as many edges as are known; ratio: over the ",
        "share known\n", sep = ""
    )
}

## Beside popularity: a network that knows nothing of regulation and ranks
## well-studied factors and genes high finds as many.
.catPopularity <- function(p) {
    if (is.null(p) || !nrow(p)) {
        return(invisible())
    }
    cat("Known edges in the highest, and expected from popularity alone:\n")
    shown <- data.frame(p["method"], top = p$top, known = p$known,
        expected = sprintf("%.1f", p$expected), z = sprintf("%.1f", p$z),
        `AUPRC over it` = sprintf("%.2f", p$auprcOverDegree),
        check.names = FALSE
    )
    print(shown, row.names = FALSE)
}

## The model against random rankings, popularity and the best other method.
.evaluationVerdict <- function(t, popular = NULL) {
    model <- t[t$method == "model", ]
    if (nrow(model) == 0L) {
        return(.verdict(paste0("AUPRC ratios: ", paste(t$method,
            sprintf("%.2f", t$auprcRatio), collapse = ", "))))
    }
    ratio <- function(row) {
        text <- sprintf("%.2f", row$auprcRatio)
        if (is.na(row$auprcRatioLow)) text else sprintf("%s (%.2f-%.2f)",
            text, row$auprcRatioLow, row$auprcRatioHigh)
    }
    others <- t[!t$method %in% c("model", "random"), ]
    others$method[others$method %in% c("pearson", "spearman")] <- paste(
        others$method[others$method %in% c("pearson", "spearman")],
        "correlation")
    random <- t[t$method == "random", ]
    best <- others[which.max(others$auprc), ]
    text <- paste0("AUPRC ratio of the model: ", ratio(model),
        if (nrow(best)) paste0("; of ", best$method, ": ", ratio(best)),
        if (nrow(random)) paste0("; of random rankings: ", ratio(random))
    )
    chance <- nrow(random) > 0L && model$auprc <= random$auprcHigh
    beaten <- nrow(best) > 0L && best$auprc >= model$auprc
    mine <- popular[popular$method == "model", ]
    if (NROW(mine)) {
        text <- c(text, paste0(.popularLine(mine), "."))
        if (!chance && mine$z[[nrow(mine)]] < 2) {
            text <- c(paste("! Known edges are no more frequent than the",
                "popularity of factors and genes alone makes them."), text)
        }
    }
    if (chance) {
        text <- c("! The model can't be told from a random ranking here.",
            text)
    }
    if (beaten) {
        text <- c(text, paste0("! The model does not beat ", best$method,
            sprintf(" (AUPRC ratio %.2f against %.2f).", model$auprcRatio,
                best$auprcRatio)))
    }
    compared <- nrow(random) + nrow(best) > 0L
    .verdict(text, if (compared) !chance && !beaten else NA)
}
