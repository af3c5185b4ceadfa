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
#'   `gateGain`, `components`, `silhouette`; where labels were given also
#'   `states`, a data.frame with a row per label: `state`, `cells`, the shares
#'   of held-out variance `explainedPooled` and `explained` (by its own
#'   network), `a` (prior variance of its departure), `gain` (nats) and
#'   `nullGain` (largest with permuted labels), `why` it has the pooled
#'   network, `departs`; and `explained`, by the pooled network over all.
#' @slot metadata list: where it comes from.
#' @param x,object a `StateGRN`.
#' @param i cells: numbers, names, or a logical vector.
#' @param j,drop,... not used.
#' @param cell one cell, by number or name.
#' @param signed multiply scores by the sign of the slope? In `edgeTable()`:
#'   add the column `sign`, 1 for activation and -1 for repression? In the
#'   activity of regulons: count targets that the TF represses negatively, so
#'   that it is high when activated targets are up and repressed ones down?
#' @param top in `edgeTable()` see there; of regulons the targets counted.
#' @param cells,threshold,self as for [edgeTable()].
#' @param group as for [poolGRN()].
#' @param targets as for [edgeTable()].
#' @param method as for the same verb of
#'   [CellGRN-class].
#' @param tfs as for [plotGRN()].
#' @return As the verbs of [CellGRN-class]; `cellNetwork(x, state = )` the
#'   scores of one state; `memberships()` the matrix cells x states;
#'   `verdict()` a list: `text`; `holds`, are the differences between states
#'   distinguishable?; `help`, what would help where they aren't; then what
#'   the slot `verdict` holds. States that were given keep their names also
#'   where they are not distinguishable: all then have the pooled network.
#' @section Errors: as for [CellGRN-class]; `memberships()` stops where `x` is
#'   no `StateGRN`; an unknown state.
#' @seealso [PerCellGRNParam()], [switchingEdges()], [contrastGRN()],
#'   [regulonActivity()]
#' @examples
#' cells <- simulateCells(nCells = 600, nGenes = 90, nTFs = 10, seed = 1)
#' grn <- inferGRN(cells, PerCellGRNParam(nPerm = 3), seed = 1)
#' grn
#' edgeTable(grn, cells = 1, top = 5, signed = TRUE)
#' poolGRN(grn)
#' memberships(grn)[1:3, ]
#' verdict(grn)$text
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
setMethod("verdict", "StateGRN", function(x, ...) {
    .noDots(...)
    v <- x@verdict
    c(.verdict(.verdictText(v), holds = v$distinguishable,
        help = .verdictHelp(v)
    ), v)
})

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
    cat(text, ".\n", sep = "")
    if (nzchar(.verdictHelp(v))) {
        writeLines(strwrap(.verdictHelp(v), width = 78L, initial = "  ",
            prefix = "  "
        ))
    }
    cat("StateGRN: networks of ", .count(ncol(object@memberships), "state"),
        ", mixed in each cell\n", sep = ""
    )
    cat("  cells:  ", .preview(object@cells), "\n", sep = "")
    cat("  TFs:    ", .preview(object@tfs), "\n", sep = "")
    cat("  genes:  ", .preview(object@genes), "\n", sep = "")
    cat("  states: ", .preview(colnames(object@memberships)),
        if (v$centred) "; centred" else "; not centred", "\n", sep = ""
    )
    cat("  a ", v$a, if (!is.na(v$rho)) paste0(", rho ", v$rho),
        "; differences of slopes may also come ",
        "from noise and saturation;\n  cells within a state aren't resolved\n",
        sep = ""
    )
    .catStates(v)
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
#' @param state in place of `cell`: a state, by number or name.
#' @export
setMethod("cellNetwork", "StateGRN", function(x, cell, ..., state = NULL,
    signed = FALSE) {
    .noDots(...)
    .checkFlag(signed, "signed")
    if (!is.null(state)) {
        if (!missing(cell)) {
            stop("'cell' and 'state' can't be used together; give one of ",
                "them.", call. = FALSE
            )
        }
        w <- .oneState(x, state)
    } else {
        .needCell(cell, ", or a 'state'")
        w <- x@memberships[.oneCell(x, cell), ]
    }
    scores <- .nameScores(.mixedScores(x, w), x)
    if (signed) scores else abs(scores)
})

#' The network of one state
#'
#' As a [PooledGRN-class], which all verbs of networks take: [edgeTable()],
#' [plotGRN()], [evaluateGRN()], [writeGRN()], [regulonActivity()]. States that
#' were given (`PerCellGRNParam(states = )`) always have one: where the cells
#' don't support a network of their own it is the pooled one, and says so.
#'
#' @param x a [StateGRN-class].
#' @param state one state, by its name or number.
#' @param ... not used.
#' @return A [PooledGRN-class] with signs. `metadata(x)$departs` is FALSE where
#'   it is the pooled network; `metadata(x)$state` the name; `verdict(x)` says
#'   why.
#' @section Errors: an unknown state; an `x` that has no states.
#' @seealso [cellNetwork()] for the matrix, [topRegulators()], [contrastGRN()]
#' @examples
#' cells <- simulateCells(nCells = 600, nGenes = 90, nTFs = 10, seed = 1)
#' grn <- inferGRN(cells, PerCellGRNParam(states = "context", nPerm = 3),
#'     seed = 1, verbose = FALSE)
#' one <- stateNetwork(grn, "context1")
#' one
#' edgeTable(one, top = 3)
#' @rdname stateNetwork
#' @aliases stateNetwork,StateGRN-method
#' @export
setMethod("stateNetwork", "StateGRN", function(x, state, ...) {
    .noDots(...)
    .given(state, "state", "a state, by its name or number")
    w <- .oneState(x, state)
    k <- which(w == 1)
    name <- colnames(x@memberships)[[k]]
    signed <- cellNetwork(x, state = k, signed = TRUE)
    sign <- sign(signed)
    storage.mode(sign) <- "integer"
    meta <- x@metadata
    meta[c("sign", "state", "departs")] <- list(sign, name,
        .stateDeparts(x@verdict, k))
    meta$drawn <- if (grepl("^state", name)) name else paste("state", name)
    meta$verdict <- .oneVerdict(x, k, name)
    PooledGRN(abs(signed), nCells = sum(x@memberships[, k]), metadata = meta)
})

## Has state k a network of its own?
.stateDeparts <- function(v, k) {
    v$distinguishable && (is.null(v$states) || v$states$departs[[k]])
}

.oneVerdict <- function(x, k, name) {
    v <- x@verdict
    if (!v$distinguishable || is.null(v$states)) {
        return(verdict(x)[c("text", "holds", "help")])
    }
    s <- v$states[k, ]
    if (!s$departs) {
        return(.verdict(paste0("State ", name, " has the pooled network: ",
            s$why, "."), FALSE, help = .labelHelp(s)))
    }
    .verdict(sprintf(paste0("State %s has a network of its own: it explains ",
        "%.1f%% of held-out variance, the pooled one %.1f%%."), name,
        100 * s$explained, 100 * s$explainedPooled), TRUE, help = "")
}

## Memberships of a cell that is wholly in one state.
.oneState <- function(x, state) {
    names <- colnames(x@memberships)
    at <- if (is.character(state) || is.factor(state)) {
        match(as.character(state), names)
    } else {
        state
    }
    if (length(at) != 1L || !(at %in% seq_along(names))) {
        .stopArgument("state", "must be one of ", .some(names, 32L), "; it is ",
            .show(state), "."
        )
    }
    as.numeric(seq_along(names) == at)
}

#' @rdname StateGRN-class
#' @method as.matrix StateGRN
#' @export
as.matrix.StateGRN <- function(x, cell, ...) cellNetwork(x, cell, ...)

#' @rdname StateGRN-class
#' @export
setMethod("poolGRN", "StateGRN", function(x, cells = NULL, group = NULL, ...) {
    .noDots(..., renamed = c(groups = "group"))
    .poolBy(x, cells, group, function(at) {
        same <- .sameMemberships(x, at)
        .poolStates(x, same$first, tabulate(same$of, length(same$first)))
    })
})

## The mean of cells' networks, count[[u]] of which have that of the cell
## first[[u]]; signs are those of the mean signed score.
.poolStates <- function(x, first, count) {
    share <- count / sum(count)
    scores <- signed <- matrix(0, length(x@tfs), length(x@genes))
    for (u in which(count > 0)) {
        mixed <- .mixedScores(x, x@memberships[first[[u]], ])
        scores <- scores + share[[u]] * abs(mixed)
        signed <- signed + share[[u]] * mixed
    }
    sign <- .nameScores(sign(signed), x)
    storage.mode(sign) <- "integer"
    PooledGRN(.nameScores(scores, x), nCells = sum(count),
        metadata = c(x@metadata, list(sign = sign,
            verdict = verdict(x)[c("text", "holds", "help")]
        ))
    )
}
