## False discovery rates of edges against null networks.

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
#' in real data are indirect. The null keeps what factors share among
#' themselves and permutes targets, so that p is uniform for targets that
#' nothing explains (ridge, 20 collinear factors, 2 seeds: p < .05 in .041 and
#' .049 of their edges); of targets that some factors explain, the other
#' factors' p are too large for the ridge (.01 to .02). On
#' [simulateCells()] (1,000 cells, 100 genes, 15 TFs, means of 3 seeds) the
#' share of edges at q < 0.1 that are no regulation was .74 to .85 in four
#' contexts, .36 to .57 in one context, and .25 to .30 (finding .16 to .32 of
#' the true edges) in four contexts with values permuted within them by
#' `group`, Pearson correlation being worst each time. So q filters noise;
#' give `group`, and don't read it as the rate of wrong edges. Against degree,
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
#' null <- nullGRN(grn, "expression", nPerm = 10, cells = cells, seed = 1)
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
    .needsNull(null)
    method <- .oneOf(method, c("BH", "storey"), "method")
    if (null@type %in% c("marginal", "shuffle")) {
        .stopArgument("null", "is of type \"", null@type, "\", made of the ",
            "network's own scores: p values would be uniform by ",
            "construction. Use type \"expression\" or \"degree\"; for this ",
            "one see as.data.frame(null)."
        )
    }
    if (!isTRUE(all.equal(.scorePrint(x@scores), null@facts$print))) {
        .stopArgument("null", "was made from another network than 'x'.")
    }
    degree <- null@type == "degree"
    if (is.null(pool)) {
        pool <- if (degree || null@nPerm >= 1000L) "edge" else "TF"
    }
    pool <- .oneOf(pool, c("TF", "edge"), "pool")
    p <- if (pool == "edge") {
        (1 + null@atLeast) / (1 + null@nPerm)
    } else {
        (1 + null@pooled) / (1 + null@nPerm * (ncol(null@mean) - 1))
    }
    .fdrTable(x@scores, null, p, pool, method)
}

## edgeFDR(grn) alone, and edgeFDR(grn, cells), say what is missing.
.needsNull <- function(null) {
    if (missing(null)) {
        .stopArgument("null", "is missing: edgeFDR() compares the network ",
            "with null networks. Make them first: null <- nullGRN(x, ",
            "\"expression\", cells = <the cells x was inferred from>), then ",
            "edgeFDR(x, null)."
        )
    }
    .isReport(null, "GRNNull", "nullGRN", "null")
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
