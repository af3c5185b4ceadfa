## Networks of cell states, mixed in each cell: class and access.

#' Gene regulatory networks of cell states
#'
#' What `inferGRN(x, PerCellGRNParam())` returns. Kept are the pooled slopes,
#' those of every state, each TF's standard deviation in every state, and the
#' memberships; the network of a cell is computed when asked for,
#' `score = |sum_k W_ck slope_ktg| sqrt(sum_k W_ck sd_kt^2)`. Cells with equal
#' memberships have equal networks. The verbs are those of [CellGRN-class], but
#' for [saveGRN()], which isn't needed: this is an ordinary R object, which
#' `saveRDS()` keeps. [evaluateGRN()] pools over the cells asked for,
#' [contrastGRN()] compares groups of them.
#'
#' @slot tfs,genes,cells character, names.
#' @slot pooled matrix, TFs x genes: signed slopes of the pooled network, per
#'   standard deviation of gene and TF.
#' @slot slope array, TFs x genes x states: the same in every state.
#' @slot sd matrix, TFs x states.
#' @slot memberships matrix, cells x states; rows sum to 1.
#' @slot expression `dgCMatrix`, genes x cells: normalised values used.
#' @slot cellData `DataFrame` with one row per cell.
#' @slot verdict list: `distinguishable`, `reason`, `gain` (nats), `nullGain`,
#'   `variation` (median coefficient of variation), `a`, `rho`, `centred`,
#'   `gateGain`, `components`, `silhouette`.
#' @slot metadata list: where it comes from.
#' @param x,object a `StateGRN`.
#' @param i cells: numbers, names, or a logical vector.
#' @param j,drop,... not used.
#' @param cell one cell, by number or name.
#' @param signed multiply scores by the sign of the slope? In the activity of
#'   regulons: count targets that the TF represses negatively, so that it is
#'   high when activated targets are up and repressed ones down?
#' @param top in `edgeTable()` see there; of regulons the targets counted.
#' @param cells,threshold,self as for [edgeTable()].
#' @param sign add the column `sign`, 1 for activation and -1 for repression?
#' @param groups as for [poolGRN()].
#' @param method,file,overwrite,verbose as for the same verb of
#'   [CellGRN-class].
#' @param tfs as for [plotGRN()].
#' @return As the verbs of [CellGRN-class]; `memberships()` the matrix cells x
#'   states; `stateVerdict()` the list; `stateNetwork()` the scores of one
#'   state.
#' @section Errors: as for [CellGRN-class]; `memberships()`, `stateVerdict()`
#'   and `stateNetwork()` stop where `x` is no `StateGRN`, and for an unknown
#'   state.
#' @seealso [PerCellGRNParam()], [switchingEdges()], [contrastGRN()],
#'   [regulonActivity()]
#' @examples
#' cells <- simulateCells(nCells = 600, nGenes = 90, nTFs = 10, seed = 1)
#' grn <- inferGRN(cells, PerCellGRNParam(permutations = 3), seed = 1)
#' grn
#' edgeTable(grn, cells = 1, top = 5, sign = TRUE)
#' poolGRN(grn)
#' memberships(grn)[1:3, ]
#' head(switchingEdges(grn))
#' @name StateGRN-class
#' @aliases StateGRN
#' @exportClass StateGRN
setClass("StateGRN", contains = "PerCellNetworks", slots = c(
    pooled = "matrix", slope = "array", sd = "matrix",
    memberships = "matrix", verdict = "list"
))

setValidity("StateGRN", function(object) {
    problem <- c(
        .namesProblem(object@tfs, "tfs"), .namesProblem(object@genes, "genes"),
        .namesProblem(object@cells, "cells")
    )
    size <- c(length(object@tfs), length(object@genes),
        ncol(object@memberships)
    )
    if (!identical(dim(object@slope), size) ||
        !identical(dim(object@pooled), size[1:2]) ||
        !identical(dim(object@sd), size[c(1L, 3L)]) ||
        nrow(object@memberships) != length(object@cells) ||
        ncol(object@expression) != length(object@cells) ||
        nrow(object@expression) != length(object@genes) ||
        nrow(object@cellData) != length(object@cells)) {
        problem <- c(problem, "the parts of a StateGRN don't fit together")
    }
    if (is.null(problem)) TRUE else problem
})

#' @rdname StateGRN-class
#' @export
setMethod("memberships", "StateGRN", function(x) {
    w <- x@memberships
    rownames(w) <- x@cells
    w
})

#' @rdname StateGRN-class
#' @export
setMethod("stateVerdict", "StateGRN", function(x) x@verdict)

#' @rdname StateGRN-class
#' @export
setMethod("[", c("StateGRN", "ANY", "missing", "ANY"),
    function(x, i, j, ..., drop = TRUE) {
        if (missing(i)) {
            return(x)
        }
        at <- .distinctCells(x, i)
        x@memberships <- x@memberships[at, , drop = FALSE]
        .takeCells(x, at)
    }
)

#' @rdname StateGRN-class
#' @export
setMethod("[", c("StateGRN", "ANY", "ANY", "ANY"),
    function(x, i, j, ..., drop = TRUE) {
        stop("'j' can't be used: a StateGRN has one dimension, its cells; ",
            "write x[cells], and choose genes in edgeTable() or cellNetwork().",
            call. = FALSE
        )
    }
)

#' @rdname StateGRN-class
#' @export
setMethod("show", "StateGRN", function(object) {
    v <- object@verdict
    text <- .verdictText(v)
    cat(toupper(substr(text, 1L, 1L)), substring(text, 2L), ".\n", sep = "")
    cat("StateGRN: networks of ", .count(ncol(object@memberships), "state"),
        ", mixed in each cell\n", sep = ""
    )
    cat("  cells:  ", .preview(object@cells), "\n", sep = "")
    cat("  TFs:    ", .preview(object@tfs), "\n", sep = "")
    cat("  genes:  ", .preview(object@genes), "\n", sep = "")
    cat("  states: ", .preview(colnames(object@memberships)),
        if (v$centred) "; centred" else "; not centred", "\n", sep = ""
    )
    cat("  a ", v$a, ", rho ", v$rho, "; differences of slopes may also come ",
        "from noise and saturation;\n  cells within a state aren't resolved\n",
        sep = ""
    )
    cat("Go on with edgeTable(), poolGRN(), regulonActivity(), ",
        "switchingEdges(), evaluateGRN()\n", sep = ""
    )
})

## Signed score matrix, TFs x genes, at memberships w.
.mixedScores <- function(x, w) {
    slope <- matrix(x@slope, ncol = length(w)) %*% w
    dim(slope) <- dim(x@pooled)
    slope * sqrt(as.vector(x@sd^2 %*% w))
}

## Cells with equal memberships: list(first = one cell of each, of = which).
.sameMemberships <- function(x, at) {
    w <- x@memberships[at, , drop = FALSE]
    key <- do.call(paste, c(lapply(seq_len(ncol(w)), function(k) w[, k]),
        sep = " "
    ))
    of <- match(key, unique(key))
    list(first = at[!duplicated(of)], of = of)
}

.nameScores <- function(scores, x) {
    dimnames(scores) <- list(x@tfs, x@genes)
    scores
}

#' @rdname StateGRN-class
#' @export
setMethod("cellNetwork", "StateGRN", function(x, cell, ..., signed = FALSE) {
    if (missing(cell)) {
        .stopArgument("cell", "is missing; name one cell, or use poolGRN() ",
            "for the mean over all."
        )
    }
    scores <- .nameScores(.mixedScores(x, x@memberships[.oneCell(x, cell), ]),
        x
    )
    if (.checkFlag(signed, "signed")) scores else abs(scores)
})

#' @rdname StateGRN-class
#' @param state a state, by number or name.
#' @export
stateNetwork <- function(x, state, signed = FALSE) {
    if (!methods::is(x, "StateGRN")) {
        .stopArgument("x", "must be a StateGRN; it is a ", class(x)[[1L]], ".")
    }
    names <- colnames(x@memberships)
    at <- if (is.character(state)) match(state, names) else state
    if (length(at) != 1L || !(at %in% seq_along(names))) {
        .stopArgument("state", "must be one of ", .some(names, 32L), "; it is ",
            .show(state), "."
        )
    }
    w <- as.numeric(seq_along(names) == at)
    scores <- .nameScores(.mixedScores(x, w), x)
    if (.checkFlag(signed, "signed")) scores else abs(scores)
}

#' @rdname StateGRN-class
#' @method as.matrix StateGRN
#' @export
as.matrix.StateGRN <- function(x, cell, ...) cellNetwork(x, cell)

#' @rdname StateGRN-class
#' @export
setMethod("poolGRN", "StateGRN", function(x, cells = NULL, groups = NULL, ...) {
    .noDots(...)
    at <- .someCells(x, cells)
    if (is.null(groups)) {
        return(.poolStates(x, at))
    }
    groups <- .cellGroups(x, groups, at)
    if (anyNA(groups)) {
        message(sum(is.na(groups)), " cells without a group are left out")
    }
    parts <- split(at, groups, drop = TRUE)
    if (length(parts) == 0L) {
        .stopArgument("groups", "is missing for all cells.")
    }
    lapply(parts, function(p) .poolStates(x, p))
})

.poolStates <- function(x, at) {
    same <- .sameMemberships(x, at)
    share <- tabulate(same$of, length(same$first)) / length(at)
    scores <- matrix(0, length(x@tfs), length(x@genes))
    for (u in seq_along(same$first)) {
        scores <- scores + share[[u]] *
            abs(.mixedScores(x, x@memberships[same$first[[u]], ]))
    }
    PooledGRN(.nameScores(scores, x), nCells = length(at),
        metadata = x@metadata
    )
}
