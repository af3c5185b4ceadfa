## The report of contrastGRN().

#' Differences of networks between two groups
#'
#' What [contrastGRN()] returns.
#'
#' @slot edges data.frame, lowest p first: `Gene1`, `Gene2`, `sign` (pooled;
#'   where known), the mean scores `ref` and `level`, `effect` (level - ref)
#'   with `low` and `high`, `z`, `p`, `q`; for a [StateGRN-class] of all its
#'   cells, with at most 2,000 TFs x (1 + states), also `pNoise` and `qNoise`.
#' @slot regulators data.frame, lowest p first: `TF`; of its activity the means
#'   `ref` and `level`, `effect`, `low`, `high`, `z`, `p`, `q`; `pSets`;
#'   `strength` and `expression` (differences), each with `...Low`, `...High`,
#'   `...P`, `...Q`.
#' @slot facts list: `level`, `ref`, `nLevel`, `nRef`, `n` (permutations),
#'   `permuted` (what), `units`, `top`, `targets`, `signed`, `seed`; for
#'   `edges` and, under `regulators`, for `activity`, `strength` and
#'   `expression`: `tested`, `found` (q < 0.05), `null` and `nullMost` (mean
#'   and most found with permuted labels), `p` (of the mean z^2 over all, among
#'   the permutations); for edges also `beyondNoise` (q and qNoise < 0.05).
#' @param x,object a `GRNContrast`.
#' @param row.names,optional,... not used.
#' @param which `"edges"` or `"regulators"`.
#' @return `as.data.frame()` gives a table; `show()` prints the verdict first.
#' @section Errors: an unknown `which`, or a table that wasn't asked for
#'   with `by`, is an error.
#' @seealso [contrastGRN()], [plotContrast()]
#' @examples
#' change <- contrastGRN(exampleGRN(), "group", top = 50, seed = 1)
#' as.data.frame(change, "regulators")[1:3, 1:6]
#' @name GRNContrast-class
#' @exportClass GRNContrast
setClass("GRNContrast", slots = c(
    edges = "data.frame", regulators = "data.frame", facts = "list"
))

#' @rdname GRNContrast-class
#' @method as.data.frame GRNContrast
#' @export
as.data.frame.GRNContrast <- function(x, row.names = NULL, optional = FALSE,
    which = c("edges", "regulators"), ...) {
    ## as.data.frame(x, "edges") names the table first
    if (is.character(row.names)) {
        which <- row.names
    }
    which <- .oneOf(which, c("edges", "regulators"), "which")
    table <- if (which == "edges") x@edges else x@regulators
    if (!ncol(table)) {
        .stopArgument("which", "is \"", which, "\", which contrastGRN() was ",
            "not asked for ('by')."
        )
    }
    table
}

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

#' @rdname GRNContrast-class
#' @export
setMethod("show", "GRNContrast", function(object) {
    f <- object@facts
    cat("Networks of ", .contrastName(f), "; effect: ", f$level, " less ",
        f$ref, "\n", sep = ""
    )
    if (!is.null(f$edges)) {
        if (!is.null(f$edges$beyondNoise)) {
            cat("  ", f$edges$beyondNoise, " of ", f$edges$tested,
                " edges differ by more than the noise of their estimation ",
                "(q and qNoise < 0.05);\n  cells of a state share one ",
                "network, so permuted labels alone prove less:\n", sep = ""
            )
        }
        cat("  ", .foundText(f$edges, "edges"), "\n", sep = "")
        if (f$noVariation) {
            cat("    (per-cell variation wasn't distinguishable from the ",
                "pooled network: all cells have the same)\n", sep = ""
            )
        }
    }
    if (!is.null(f$regulators)) {
        r <- f$regulators
        cat("  ", .foundText(r$activity, "regulators by activity"), "\n  ",
            .foundText(r$strength, "regulators by strength"), "\n",
            "  baseline: ", r$expression$found, " of ", r$expression$tested,
            " TFs differ in their own expression; targets of ", r$sets,
            " differ otherwise than random genes\n", sep = ""
        )
    }
    cat("Permuted: ", f$permuted, ", ", f$n, " times",
        if (f$permuted == "cells") paste0(" (as if independent; with donors ",
            "or batches give 'block')"), "\n", sep = ""
    )
    .showTop(object@regulators, "regulators", c("TF", "effect", "low", "high",
        "q", "pSets", "expression"))
    if (any(object@edges$effect != 0)) {
        .showTop(object@edges, "edges", intersect(c("Gene1", "Gene2", "ref",
            "level", "effect", "q", "qNoise"), names(object@edges)))
    }
    cat("Go on with as.data.frame(x, \"edges\" or \"regulators\"), ",
        "plotContrast()\n", sep = ""
    )
})

.showTop <- function(table, what, columns) {
    if (!nrow(table)) {
        return(invisible())
    }
    cat("Strongest ", what, ":\n", sep = "")
    few <- head(table[columns], 6L)
    number <- vapply(few, is.numeric, logical(1))
    few[number] <- lapply(few[number], function(v) format(signif(v, 2L)))
    print(few, row.names = FALSE)
}
