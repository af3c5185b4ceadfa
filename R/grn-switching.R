## Edges whose slopes differ between states.

#' Edges that may switch between states
#'
#' For every edge 1 - min_k(s slope_k) / max_k |slope_k|, over states k, on the
#' shrunken slopes, s being the sign of the largest: 0 for an edge of equal
#' strength in all states, 1 for one that is absent in a state, above 1 for one
#' that changes its sign. It ranks edges; it is no test, and saturation and
#' noise make slopes differ too.
#'
#' @param x a [StateGRN-class].
#' @param top the strongest edges of the pooled network that are listed; NULL:
#'   6% of all, as many as the method was checked on.
#' @return A data.frame, highest `switching` first: `Gene1`, `Gene2`, `score`
#'   (absolute pooled slope), `sign`, `switching`, `strongest` and `weakest`
#'   (states). All `switching` is 0 where the verdict is "not distinguishable".
#' @section Errors: an `x` that is no `StateGRN`; a `top` below 1.
#' @seealso [PerCellGRNParam()] for the verdict, [cellNetwork()] for a state
#' @examples
#' cells <- simulateCells(nCells = 600, nGenes = 90, nTFs = 10, seed = 1)
#' grn <- inferGRN(cells, PerCellGRNParam(nPerm = 3), seed = 1)
#' head(switchingEdges(grn, top = 100))
#' @export
switchingEdges <- function(x, top = NULL) {
    if (!methods::is(x, "StateGRN")) {
        .stopArgument("x", "must be a StateGRN, as inferGRN() with ",
            "PerCellGRNParam() returns; it is a ", class(x)[[1L]], "."
        )
    }
    pooled <- .nameScores(abs(x@pooled), x)
    if (is.null(top)) {
        top <- max(1, round(0.06 * length(pooled)))
    }
    edges <- .matrixEdges(pooled, .edgeFilter(NULL, top), FALSE)
    at <- cbind(match(edges$Gene1, x@tfs), match(edges$Gene2, x@genes))
    flat <- matrix(x@slope, length(x@pooled))
    flat <- flat[(at[, 2L] - 1L) * length(x@tfs) + at[, 1L], , drop = FALSE]
    big <- max.col(abs(flat), ties.method = "first")
    s <- sign(flat[cbind(seq_along(big), big)])
    low <- max.col(-flat * s, ties.method = "first")
    peak <- abs(flat[cbind(seq_along(big), big)])
    names <- colnames(x@memberships)
    edges$sign <- as.integer(sign(x@pooled[at]))
    edges$switching <- ifelse(peak > 0,
        1 - s * flat[cbind(seq_along(low), low)] / pmax(peak, 1e-300), 0
    )
    edges$strongest <- names[big]
    edges$weakest <- names[low]
    edges[order(-edges$switching), , drop = FALSE]
}
