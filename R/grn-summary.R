## The honest summary: a network beside its baselines and its null.

#' Summary of networks, with baselines
#'
#' `summary(grn)` puts the networks beside what simpler means give from the
#' same cells: how far the strongest pooled edges are those of Pearson or
#' Spearman correlation, how much of the scores is explained by one number per
#' TF plus one per gene (the marginal null), and how much they differ between
#' cells at all. It prints plainly when there is little beyond.
#'
#' @section How it is computed:
#' Self edges are left out everywhere. Overlaps are between the `top` highest
#' edges of the pooled network and of each baseline, on the same TFs and
#' genes; the overlap expected by chance is `top` / number of possible edges.
#' The marginal share is the R^2 of a least-squares fit of TF + gene effects to
#' the scores. The between-cell share is, over the cells sampled, the variance
#' of scores within edges (between cells) divided by their total variance.
#' Cells are sampled evenly along the object, without random numbers.
#'
#' @param object a [CellGRN-class], [StateGRN-class] or [PooledGRN-class].
#' @param expression for a [PooledGRN-class], which holds none: genes x cells,
#'   log-normalised, row names as genes; without it correlations are left out.
#' @param reference for a [PooledGRN-class]: known edges, as for
#'   [evaluateGRN()]; they are counted among the highest edges beside what the
#'   popularity of factors and genes alone would give.
#' @param group for a [PooledGRN-class]: a label (such as the type) of each
#'   cell of `expression`; the share of the variance within labels that factors
#'   explain in cells held out is told.
#' @param top edges compared with each baseline; more than a tenth of all
#'   possible edges is cut to that.
#' @param sampleCells cells for the between-cell share and (at most 10 of
#'   them) the marginal share of single cells.
#' @param ... not used.
#' @return A `GRNSummary`, a [CausewayReport-class] with the tables `overlap`
#'   (columns `baseline`, `shared` edges, `fraction` of top, `jaccard`,
#'   `chance` = expected fraction, `rankCorrelation` over all edges) and
#'   `topEdges` (the strongest edges), and the facts `top` (the number of edges
#'   compared), `marginalShare`, `marginalShareCells`, `betweenCells` and more;
#'   `as.list()` gives all of them. See [verdict()].
#' @section Errors: numbers out of range; an `expression` that lacks genes of
#'   the network.
#' @seealso [nullGRN()], [stabilityGRN()]; [evaluateGRN()] when a reference
#'   network is known.
#' @examples
#' summary(exampleGRN())
#' @name GRNSummary-class
#' @exportClass GRNSummary
setClass("GRNSummary", contains = "CausewayReport")

#' @rdname GRNSummary-class
#' @export
setMethod("summary", "CellGRN", function(object, top = 1000,
    sampleCells = 64, ...) {
    .noDots(...)
    top <- .checkNumber(top, "top", 1, 2^31, whole = TRUE)
    sampleCells <- .checkNumber(sampleCells, "sampleCells", 1, 2^31,
        whole = TRUE
    )
    pooled <- poolGRN(object)
    self <- .selfEdges(pooled@scores)
    sample <- .evenly(length(object), sampleCells)
    single <- vapply(.evenly(length(object), min(10L, sampleCells)),
        function(c) .marginalShare(cellNetwork(object, c), self), numeric(1)
    )
    .summaryReport(c(
        list(
            size = c(dim(object), factors = object@nFactors, k = object@k),
            metadata = object@metadata
        ),
        .pooledParts(pooled, .expressionFor(object), top),
        list(
            marginalShareCells = mean(single), singleCells = length(single),
            betweenCells = .betweenCells(object, sample,
                length(self) - sum(self)
            ), sampledCells = length(sample)
        )
    ))
})

#' @rdname GRNSummary-class
#' @export
setMethod("summary", "StateGRN", function(object, top = 1000,
    sampleCells = 64, ...) {
    .noDots(...)
    top <- .checkNumber(top, "top", 1, 2^31, whole = TRUE)
    sampleCells <- .checkNumber(sampleCells, "sampleCells", 1, 2^31,
        whole = TRUE
    )
    sample <- .evenly(length(object), sampleCells)
    moments <- .stateMoments(object, sample)
    .summaryReport(c(
        list(
            size = c(dim(object), states = ncol(object@memberships)),
            states = object@verdict, metadata = object@metadata
        ),
        .pooledParts(poolGRN(object), object@expression, top),
        moments, list(sampledCells = length(sample))
    ))
})

#' @rdname GRNSummary-class
#' @export
setMethod("summary", "PooledGRN", function(object, top = 1000,
    expression = NULL, reference = NULL, group = NULL, ...) {
    .noDots(...)
    top <- .checkNumber(top, "top", 1, 2^31, whole = TRUE)
    s <- object@scores
    if (!is.null(expression)) {
        at <- match(colnames(s), rownames(expression))
        if (anyNA(at)) {
            .stopArgument("expression", "lacks genes of the network: ",
                .some(colnames(s)[is.na(at)]), "; give genes x cells with ",
                "gene names as row names."
            )
        }
        expression <- .asSparse(expression)[at, , drop = FALSE]
    }
    group <- .summaryGroup(group, expression)
    .summaryReport(c(
        list(
            size = c(cells = object@nCells, tfs = nrow(s), genes = ncol(s)),
            metadata = object@metadata
        ),
        .pooledParts(object, expression, top),
        .knownParts(object, reference, expression),
        if (!is.null(group)) list(within = .withinExplained(expression,
            match(rownames(s), colnames(s)), group, c(0, 0), .threads()
        ))
    ))
})

.summaryGroup <- function(group, expression) {
    if (is.null(group)) {
        return(NULL)
    }
    if (is.null(expression) || length(group) != ncol(expression) ||
        anyNA(group)) {
        .stopArgument("group", "must have a label per cell of 'expression', ",
            "none missing; it has length ", length(group), "."
        )
    }
    group
}

## Known edges of `reference` against popularity, of the network and, where
## expression is at hand, of Pearson correlation.
.knownParts <- function(object, reference, expression) {
    if (is.null(reference)) {
        return(NULL)
    }
    .refuseFiltered(object, "object")
    set <- .candidates(object@scores, reference, "reference TFs")
    scores <- .methodScores(object@scores, set,
        c("model", if (!is.null(expression)) "pearson"), expression
    )
    list(popularity = .popularity(scores, set, .threads()))
}

.summaryReport <- function(parts) {
    tables <- c("overlap", "topEdges")
    facts <- parts[setdiff(names(parts), tables)]
    .report("GRNSummary", .summaryVerdict(facts), parts[tables], facts)
}

setMethod(".showBody", "GRNSummary", function(x) {
    p <- as.list(x)
    .catSize(p)
    .catProvenance(p$metadata)
    cat("\nStrongest edges of the pooled network:\n")
    print(p$topEdges, row.names = FALSE, digits = 3L)
    .catOverlap(p)
    cat("\nShare of score variance explained by TF + gene marginals: ",
        .percent(p$marginalShare), " pooled", if (.ofCells(p)) paste0(", ",
            .percent(p$marginalShareCells), " in single cells (mean of ",
            p$singleCells, ")"
        ), "\n", sep = ""
    )
    if (.ofCells(p)) {
        cat("Share of score variance between cells: ",
            .percent(p$betweenCells), " (", p$sampledCells, " cells)\n",
            sep = ""
        )
    }
    .catPopularity(p$popularity)
    if (!is.null(p$within)) {
        cat("Share of the variance within labels that factors explain in ",
            "cells held out: ", .percent(p$within), "\n", sep = ""
        )
    }
    cat("Whether edges are true isn't known from this: see evaluateGRN().\n")
})

.ofCells <- function(p) !is.null(p$sampledCells)

.catSize <- function(p) {
    s <- as.list(p$size)
    cat(if (.ofCells(p)) "Per-cell networks: " else "One network: ",
        if (!is.na(s$cells)) paste0(.count(s$cells, "cell"), ", "),
        .count(s$tfs, "TF"), " x ", .count(s$genes, "gene"),
        if (!is.null(s$factors)) paste0("; ", s$factors, " factors, ", s$k,
            " kept per row"),
        if (!is.null(s$states)) paste0("; ", .count(s$states, "state")),
        "\n", sep = ""
    )
}

.catOverlap <- function(p) {
    if (!nrow(p$overlap)) {
        cat("\nCorrelations aren't shown beside: give summary() the ",
            "log-normalised genes x cells as 'expression'.\n", sep = ""
        )
        return(invisible())
    }
    cat("\nAgainst correlations on the same cells (top ", p$top, " of ",
        format(p$possible, big.mark = ","), " possible edges):\n", sep = ""
    )
    shown <- p$overlap
    names(shown)[names(shown) == "rankCorrelation"] <- "rank.cor"
    print(shown, row.names = FALSE, digits = 2L)
}

.percent <- function(x, digits = 1L) {
    if (is.na(x)) "not defined" else
        sprintf("%.*f%%", digits, 100 * x)
}

.catProvenance <- function(meta) {
    text <- function(name) {
        value <- meta[[name]]
        if (is.null(value)) "not recorded" else
            paste(trimws(format(unlist(value))), collapse = " ")
    }
    cover <- meta$coverage
    cat("Model: ", if (is.null(meta$model)) "SFM" else text("model"),
        "; prior ", .priorWord(meta), "; seed ", text("seed"), "\n", sep = ""
    )
    cat("Engine: ", text("engine"), "\n", sep = "")
    if (!is.null(cover$matched) && !is.null(cover$total)) {
        cat("Genes: ", cover$matched, " of ", cover$total,
            " known to the model (", .percent(cover$matched / cover$total),
            ")\n", sep = ""
        )
    } else {
        cat("Genes: coverage not recorded\n")
    }
}

## Says so when the networks are little more than their null.
.summaryVerdict <- function(p) {
    states <- p$states
    doubt <- if (is.na(p$marginalShare)) {
        "! All pooled scores are equal: there is no network here."
    } else if (p$marginalShare > 0.9) {
        paste("! The pooled network is mostly its marginals: a number per TF",
            "plus one per gene gives nearly the same scores. Don't read",
            "single edges.")
    }
    doubt <- c(doubt, if (!.ofCells(p)) {
        NULL
    } else if (is.na(p$betweenCells)) {
        "! Variation between cells can't be told from these cells."
    } else if (p$betweenCells < 0.05) {
        paste("! The networks are nearly the same in all cells: use the",
            "pooled one.")
    })
    known <- p$popularity[p$popularity$method == "model", ]
    line <- if (NROW(known)) paste0(.popularLine(known), ".")
    doubt <- c(if (NROW(known) && known$z[[nrow(known)]] < 2) {
        paste("! Known edges are no more frequent than the popularity of",
            "factors and genes alone makes them.")
    }, if (!is.null(p$within) && !is.na(p$within) && p$within < 0.01) {
        paste0("! Within labels factors explain ", .percent(p$within),
            " of the variance in cells held out: no network is seen there.")
    }, doubt)
    halves <- p$metadata$halves
    line <- c(line, if (!is.null(halves)) paste0(.halvesText(halves), "."))
    lead <- if (!is.null(states)) {
        text <- .verdictText(states)
        paste0(toupper(substr(text, 1L, 1L)), substring(text, 2L), ".")
    } else if (!length(doubt)) {
        paste0("TF + gene marginals explain ", .percent(p$marginalShare),
            " of the scores' variance; the rest may be edges.")
    }
    text <- c(doubt, lead, line)
    .verdict(text[nzchar(text)], holds = !length(doubt))
}
