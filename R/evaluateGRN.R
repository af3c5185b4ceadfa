## Networks against a reference.

#' Result of comparing networks with a reference
#'
#' Made by [evaluateGRN()].
#'
#' @slot table data.frame, one row per method, see [evaluateGRN()].
#' @slot byTF data.frame, one row per method and TF, see `byTF()`.
#' @slot facts list: `candidates`, `positives`, `positiveRate`, `tfs`,
#'   `genes`, `referenceEdges`, `unknownGenes`, `lostEdges`, `selfEdges`,
#'   `duplicates`, `candidateSet` (in words), `split` (what a held-out
#'   reference was split by, or NA), `nBoot`, `nCells`.
#' @param x,object a `GRNEvaluation`.
#' @param which `"methods"`: one row per method; `"TF"`: as `byTF()`.
#' @param row.names,optional,... not used.
#' @return `as.data.frame()` gives the table. `byTF()` gives a data.frame with
#'   the columns `method`, `TF`, `candidates`, `positives`, `positiveRate`,
#'   `auprc`, `auprcRatio`, `auroc`, `early`, `earlyRatio`: each TF's targets
#'   ranked among its own candidates; TFs without a positive are left out,
#'   `auroc` is NA for a TF without a negative. TFs with few positives have
#'   wild ratios: weigh them by `positives`. `show()` prints.
#' @seealso [evaluateGRN()], [plotEvaluation()]
#' @examples
#' grn <- exampleGRN()
#' reference <- data.frame(Gene1 = "MYOD1", Gene2 = c("ACTA1", "FOS", "ENO3"))
#' e <- evaluateGRN(grn, reference, nBoot = 20)
#' as.data.frame(e)
#' byTF(e)
#' @name GRNEvaluation-class
#' @exportClass GRNEvaluation
setClass("GRNEvaluation", slots = c(
    table = "data.frame", byTF = "data.frame", facts = "list"
))

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
#' Ten million candidates are ranked in two to three seconds; each bootstrap
#' sample of so many takes a few tenths of a second, so set `nBoot` low there.
#'
#' @param x a [CellGRN-class] or [StateGRN-class] (pooled over its cells) or a
#'   [PooledGRN-class] that isn't filtered.
#' @param reference the known edges: a data.frame with columns Gene1 and Gene2
#'   (or TF and target, or source and target; case does not matter; others are
#'   ignored), a directed `igraph`, the path of a csv or tsv file (also
#'   compressed, see [readReference()]), a filtered [PooledGRN-class] (its
#'   edges above 0), or a [ReferenceSplit-class] (its held-out part).
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
#' @param compare named list of other networks ([PooledGRN-class] or score
#'   matrices, TFs x genes) to rank the same candidates by.
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
    at <- .someCells(x, cells)
    expression <- x@expression[, at, drop = FALSE]
    rownames(expression) <- x@genes
    .evaluate(poolGRN(x, at), reference, methods, nBoot, seed, expression,
        candidates, compare, threads
    )
})

#' @rdname evaluateGRN
#' @export
setMethod("evaluateGRN", c("PooledGRN", "ANY"), function(x, reference,
    methods = NULL, nBoot = 200, seed = NULL, expression = NULL,
    candidates = "reference TFs", compare = NULL, ..., threads = NULL) {
    .noDots(...)
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
    new("GRNEvaluation", table = do.call(rbind, rows),
        byTF = if (is.null(byTF)) data.frame() else byTF,
        facts = c(set$facts, nBoot = nBoot, nCells = pooled@nCells)
    )
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
        } else if (is(x, "PerCellNetworks")) {
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

## ---- candidates -----------------------------------------------------------

## The candidates and which of them are known edges. `use`: logical, TFs x
## genes as a vector; `positive`: by candidate.
.candidates <- function(scores, reference, candidates = "reference TFs") {
    split <- .splitParts(reference)
    edges <- split$edges
    cleaned <- .cleanEdges(edges, scores)
    pairs <- .candidatePairs(candidates, scores)
    tfs <- .candidateTfs(candidates, scores, cleaned$edges, pairs, split)
    genes <- colnames(scores)
    use <- matrix(TRUE, length(tfs), length(genes))
    if (!is.null(pairs)) {
        use[] <- FALSE
        mine <- pairs$Gene1 %in% tfs
        use[cbind(match(pairs$Gene1, tfs), match(pairs$Gene2, genes))[mine, ,
            drop = FALSE
        ]] <- TRUE
    }
    use[cbind(seq_along(tfs), match(tfs, genes))] <- FALSE
    use <- .restrictToSplit(use, split, tfs, genes)
    positive <- matrix(FALSE, length(tfs), length(genes))
    known <- cleaned$edges[cleaned$edges$Gene1 %in% tfs, ]
    positive[cbind(match(known$Gene1, tfs), match(known$Gene2, genes))] <- TRUE
    use <- as.vector(use)
    positive <- as.vector(positive)[use]
    if (!any(positive) || all(positive)) {
        .stopArgument("reference", if (any(positive)) paste(
            "has every candidate edge, so nothing can be told apart."
        ) else "has no edge among the candidates; see 'candidates'.")
    }
    list(tfs = tfs, genes = genes, use = use, positive = positive,
        facts = c(list(
            candidates = length(positive), positives = sum(positive),
            positiveRate = mean(positive), tfs = length(tfs),
            genes = length(genes)
        ), cleaned$facts, list(
            candidateSet = .candidateText(candidates, pairs, split),
            split = if (is.null(split$by)) NA_character_ else split$by
        ))
    )
}

## Reference edges without duplicates and self edges, of known genes.
.cleanEdges <- function(edges, scores) {
    all <- nrow(edges)
    names <- unique(c(edges$Gene1, edges$Gene2))
    from <- match(edges$Gene1, names)
    to <- match(edges$Gene2, names)
    keep <- !is.na(edges$Gene1) & !is.na(edges$Gene2)
    keep[keep] <- !duplicated(from[keep] * (length(names) + 1) + to[keep])
    twice <- sum(!keep)
    self <- keep & from == to
    keep <- keep & !self
    names <- names[unique(c(from[keep], to[keep]))]
    unknown <- setdiff(names, colnames(scores))
    known <- keep & edges$Gene1 %in% rownames(scores) &
        edges$Gene2 %in% colnames(scores)
    if (!any(known)) {
        .stopArgument("reference", "has no edge from a TF of the network to a ",
            "gene of the network (", all, " edges given, ", sum(self),
            " of them self edges, ", length(unknown), " of ", length(names),
            " genes unknown", if (length(unknown)) ", such as ",
            .some(unknown, 3L), "); check the kind of gene names."
        )
    }
    edges <- data.frame(Gene1 = edges$Gene1[known], Gene2 = edges$Gene2[known])
    list(edges = edges, facts = list(
        referenceEdges = all, unknownGenes = length(unknown),
        lostEdges = sum(keep & !known), selfEdges = sum(self),
        duplicates = twice
    ))
}

## `candidates` as pairs that the network has, or NULL for a rule.
.candidatePairs <- function(candidates, scores) {
    if (is.character(candidates) && length(candidates) == 1L) {
        .oneOf(candidates, c("reference TFs", "all"), "candidates")
        return(NULL)
    }
    pairs <- .referenceEdges(candidates, "candidates")
    known <- pairs$Gene1 %in% rownames(scores) &
        pairs$Gene2 %in% colnames(scores) & pairs$Gene1 != pairs$Gene2
    if (!any(known)) {
        .stopArgument("candidates", "has no pair of a TF and a gene of the ",
            "network among its ", nrow(pairs), " rows."
        )
    }
    kept <- unique(pairs[known, ])
    attr(kept, "given") <- nrow(pairs)
    kept
}

.candidateTfs <- function(candidates, scores, edges, pairs, split) {
    tfs <- rownames(scores)
    if (!is.null(pairs)) {
        tfs <- tfs[tfs %in% pairs$Gene1]
    } else if (candidates == "reference TFs") {
        tfs <- tfs[tfs %in% edges$Gene1]
    }
    if (identical(split$by, "TF")) {
        tfs <- tfs[tfs %in% split$tfs]
    }
    tfs
}

.restrictToSplit <- function(use, split, tfs, genes) {
    if (identical(split$by, "target")) {
        use[, !genes %in% split$targets] <- FALSE
    } else if (identical(split$by, "edge")) {
        seen <- split$train
        seen <- seen[seen$Gene1 %in% tfs & seen$Gene2 %in% genes, ]
        use[cbind(match(seen$Gene1, tfs), match(seen$Gene2, genes))] <- FALSE
    }
    use
}

.candidateText <- function(candidates, pairs, split) {
    text <- if (!is.null(pairs)) {
        paste0("the ", format(nrow(pairs), big.mark = ","), " of ",
            format(attr(pairs, "given"), big.mark = ","),
            " given pairs that the network has"
        )
    } else if (candidates == "all") {
        "all TFs of the network x all genes"
    } else {
        "TFs that are sources in the reference x all genes"
    }
    held <- switch(if (is.null(split$by)) "none" else split$by,
        none = "",
        TF = ", held-out TFs only", target = ", held-out targets only",
        edge = ", without the training edges"
    )
    paste0(text, held, ", no self edges")
}

## ---- rankings -------------------------------------------------------------

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

## One ranking: its point values, bootstrap samples and values by TF.
.rankScores <- function(score, set, key, nBoot, threads) {
    rank <- .Call(cw_r_rank_sort, as.double(score))
    labels <- as.raw(set$positive)
    point <- .Call(cw_r_rank_metrics, rank$order, rank$group, labels)
    draws <- if (nBoot > 0L) {
        .Call(cw_r_rank_bootstrap, rank$order, rank$group, labels, key, nBoot,
            threads
        )
    }
    list(point = point, draws = draws, byTF = .rankByTF(rank, labels, set))
}

.rankByTF <- function(rank, labels, set) {
    n <- length(set$tfs)
    member <- rep(seq_len(n) - 1L, length.out = length(set$use))[set$use]
    s <- .Call(cw_r_rank_by, rank$order, rank$group, labels, member, n)
    rate <- s$positives / s$candidates
    table <- data.frame(
        TF = set$tfs, candidates = s$candidates, positives = s$positives,
        positiveRate = rate, auprc = s$auprc, auprcRatio = s$auprc / rate,
        auroc = ifelse(is.nan(s$auroc), NA_real_, s$auroc), early = s$early,
        earlyRatio = s$early / rate
    )
    table <- table[table$positives > 0, ]
    rownames(table) <- NULL
    table
}

.rankRandom <- function(set, key, nBoot, threads) {
    known <- sum(set$positive)
    draws <- as.integer(max(nBoot, min(200, max(50, 2e8 / known))))
    draws <- .Call(cw_r_rank_random, as.numeric(length(set$positive)),
        as.numeric(known), key, draws, threads
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
    o <- interval(run$draws$auroc)
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
        earlyRatioHigh = e[[2L]] / rate, auroc = run$point$auroc,
        aurocLow = o[[1L]], aurocHigh = o[[2L]], modelAbove = above
    )
}

## ---- the result -----------------------------------------------------------

#' @rdname GRNEvaluation-class
#' @export
setGeneric("byTF", function(x) standardGeneric("byTF"))

#' @rdname GRNEvaluation-class
#' @export
setMethod("byTF", "GRNEvaluation", function(x) x@byTF)

#' @rdname GRNEvaluation-class
#' @method as.data.frame GRNEvaluation
#' @export
as.data.frame.GRNEvaluation <- function(x, row.names = NULL,
    optional = FALSE, ..., which = c("methods", "TF")) {
    which <- .oneOf(which, c("methods", "TF"), "which")
    if (which == "TF") x@byTF else x@table
}

#' @rdname GRNEvaluation-class
#' @export
setMethod("show", "GRNEvaluation", function(object) {
    f <- object@facts
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
    .catEvaluationTable(object@table)
    if (!any(c("pearson", "spearman") %in% object@table$method)) {
        cat("No correlations beside it: a pooled network needs 'expression' ",
            "for them.\n", sep = ""
        )
    }
    .catEvaluation(object@table)
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

.catEvaluation <- function(t) {
    model <- t[t$method == "model", ]
    if (nrow(model) == 0L) {
        return(invisible())
    }
    random <- t[t$method == "random", ]
    if (nrow(random) && model$auprc <= random$auprcHigh) {
        cat("! The model can't be told from a random ranking here.\n")
    }
    others <- t[!t$method %in% c("model", "random"), ]
    if (nrow(others) && any(others$auprc >= model$auprc)) {
        best <- others[which.max(others$auprc), ]
        plain <- best$method %in% c("pearson", "spearman")
        cat("! The model does not beat ", best$method,
            if (plain) " correlation", " (AUPRC ratio ",
            sprintf("%.2f", model$auprcRatio), " against ",
            sprintf("%.2f", best$auprcRatio), ").\n", sep = ""
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
        method = factor(rep(t$method, 2L), levels = rev(unique(c(
            setdiff(t$method, "random"), "random"
        )))),
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
