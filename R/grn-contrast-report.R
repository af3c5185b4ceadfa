## The report of contrastGRN().

#' Differences of networks between two groups
#'
#' What [contrastGRN()] returns: a [CausewayReport-class] with the tables that
#' were asked for.
#'
#' `edges`, lowest p first: `Gene1`, `Gene2`, `sign` (pooled; where known), the
#' mean scores `ref` and `level`, `effect` (level - ref) with `low` and `high`,
#' `z`, `p`, `q`; for a [StateGRN-class] of all its cells, with at most 2,000
#' TFs x (1 + states), also `pNoise` and `qNoise`.
#'
#' `regulators`, those that differ otherwise than random genes (lowest `pSets`)
#' first: `TF`; of its activity the means `ref` and
#' `level`, `effect`, `low`, `high`, `z`, `p`, `q`; `pSets`, `qSets`;
#' `strength` and `expression` (differences), each with `...Low`, `...High`,
#' `...P`, `...Q`.
#'
#' Facts: `level`, `ref`, `nLevel`, `nRef`, `nPerm`, `permuted` (what),
#' `units`, `top`, `targets`, `signed`; for `edges` and, under `regulators`,
#' for `activity`, `strength` and `expression`: `tested`, `found` (q < 0.05),
#' `null` and `nullMost` (mean and most found with permuted labels), `p` (of the
#' mean z^2 over all, among the permutations); for edges also `beyondNoise` (q
#' and qNoise < 0.05), under `regulators` also `sets` (q of pSets < 0.05);
#' `pooled`, states among those compared that have the pooled network. It
#' holds when regulators differ otherwise than random genes, or edges by more
#' than noise and permuted labels.
#'
#' @return An object of this class; [verdict()] says what it gives. The verdict
#'   leads with what differs beyond random genes and the noise of estimation.
#' @seealso [contrastGRN()], [plotContrast()]
#' @examples
#' change <- contrastGRN(exampleGRN(), "group", top = 50, seed = 1)
#' as.data.frame(change, "regulators")[1:3, 1:6]
#' @name GRNContrast-class
#' @exportClass GRNContrast
setClass("GRNContrast", contains = "CausewayReport")

.contrastName <- function(f) {
    sprintf("%s (%s cells) and %s (%s)", f$level,
        format(f$nLevel, big.mark = ","), f$ref,
        format(f$nRef, big.mark = ",")
    )
}

## "12 of 800 edges differ (q < 0.05; permuted labels: 0.1 on average, ...)"
.foundText <- function(f, what) {
    null <- sprintf("permuted labels: %.1f on average, at most %d; p = %s",
        f$null, as.integer(f$nullMost), format(signif(f$p, 2L))
    )
    if (f$found > 0 && f$p <= 0.05) {
        sprintf("%d of %d %s differ at q < 0.05 (%s)", as.integer(f$found),
            f$tested, what, null
        )
    } else {
        sprintf("%s differ no more than under permuted labels (%d of %d; %s)",
            what, as.integer(f$found), f$tested, null
        )
    }
}

## The edges that count: beyond the noise of estimation where it is known.
.edgesFound <- function(f) {
    if (f$p > 0.05) 0L else if (is.null(f$beyondNoise)) f$found else
        f$beyondNoise
}

## Regulators whose targets differ otherwise than random genes, and edges
## beyond noise, first: where half of all genes differ, so does nearly every
## regulon by its activity.
.contrastVerdict <- function(f) {
    e <- f$edges
    r <- f$regulators
    lead <- c(
        if (!is.null(r)) sprintf(
            "targets of %d of %d regulators differ otherwise than random genes",
            r$sets, r$activity$tested),
        if (!is.null(e)) sprintf("%d of %d edges differ by more than %s",
            as.integer(.edgesFound(e)), e$tested,
            if (is.null(e$beyondNoise)) "permuted labels do" else
                "the noise of their estimation")
    )
    text <- paste0(f$level, " against ", f$ref, ": ",
        paste(lead, collapse = "; "), " (q < 0.05)")
    if (length(f$pooled) && !f$noVariation) {
        text <- c(text, paste0("! Compared are also states with the pooled ",
            "network: ", .some(f$pooled, 6L), "."))
    }
    if (f$noVariation) {
        text <- c(text, paste("! Per-cell variation wasn't distinguishable",
            "from the pooled network: all cells have the same."))
    }
    holds <- (!is.null(r) && r$sets > 0) || (!is.null(e) && .edgesFound(e) > 0)
    .verdict(text, holds && !f$noVariation)
}

setMethod(".showBody", "GRNContrast", function(x) {
    f <- x@facts
    r <- f$regulators
    cat("Networks of ", .contrastName(f), "; effect: ", f$level, " less ",
        f$ref, "\nAgainst permuted labels alone:\n", sep = ""
    )
    if (!is.null(f$edges)) {
        cat("  ", .foundText(f$edges, "edges"), "\n", sep = "")
        if (!is.null(f$edges$beyondNoise)) {
            cat("    (cells of a state share one network, so permuted labels ",
                "prove little)\n", sep = "")
        }
    }
    if (!is.null(r)) {
        cat("  ", .foundText(r$activity, "regulators by activity"), "\n  ",
            .foundText(r$strength, "regulators by strength"), "\n",
            "  baseline: ", r$expression$found, " of ", r$expression$tested,
            " TFs differ in their own expression\n", sep = ""
        )
    }
    cat("Permuted: ", f$permuted, ", ", f$nPerm, " times",
        if (f$permuted == "cells") paste0(" (as if independent; with donors ",
            "or batches give 'block')"), "\n", sep = ""
    )
    .showTop(x@tables$regulators, "regulators", c("TF", "effect", "low",
        "high", "qSets", "q", "expression"))
    if (any(x@tables$edges$effect != 0)) {
        .showTop(x@tables$edges, "edges", intersect(c("Gene1", "Gene2", "ref",
            "level", "effect", "q", "qNoise"), names(x@tables$edges)))
    }
})

.showTop <- function(table, what, columns) {
    if (is.null(table) || !nrow(table)) {
        return(invisible())
    }
    cat("Strongest ", what, ":\n", sep = "")
    .showRows(table[columns])
}
