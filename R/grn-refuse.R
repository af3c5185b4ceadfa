## What is said to verbs of networks that got something else than a network.

#' @aliases poolGRN,ANY-method edgeTable,ANY-method cellNetwork,ANY-method
#'   writeGRN,ANY,ANY-method plotGRN,ANY-method toIgraph,ANY-method
#'   nullGRN,ANY-method saveGRN,ANY,ANY-method memberships,ANY-method
#'   stateNetwork,ANY-method topRegulators,ANY-method
#'   evaluateGRN,ANY,ANY-method evaluateGRN,ANY-method
#'   saveGRN,ANY-method writeGRN,ANY-method
#'   tfNames,ANY-method geneNames,ANY-method cellNames,ANY-method
#'   cellData,ANY-method verdict,ANY-method
#' @rdname PooledGRN-class
#' @name PooledGRN-class
NULL

.refuseNetwork <- function(x, arg = "x") {
    .stopArgument(arg, "must be a network, such as inferGRN() or poolGRN() ",
        "gives; it is a ", class(x)[[1L]], ". ",
        if (is.matrix(x)) {
            "PooledGRN(scores) makes one of a matrix, TFs x genes."
        } else if (methods::is(x, "igraph")) {
            "An igraph holds chosen edges, not the scores of all candidates."
        } else {
            "inferGRN(cells) makes one of cells."
        }
    )
}

## For verbs that need networks of cells.
.refuseCells <- function(x, arg = "x") {
    if (!methods::is(x, "PooledGRN")) {
        .refuseNetwork(x, arg)
    }
    .stopArgument(arg, "is a PooledGRN, one network for all cells; this needs ",
        "per-cell networks, such as inferGRN(cells, PerCellGRNParam()) gives."
    )
}

## For what only networks of states have.
.refuseStates <- function(x) {
    .stopArgument("x", "must be a StateGRN, as inferGRN() with ",
        "PerCellGRNParam() returns; it is a ", class(x)[[1L]], "."
    )
}

setMethod("evaluateGRN", c("ANY", "ANY"), function(x, reference, ...) {
    .refuseNetwork(x)
})

setMethod("tfNames", "ANY", function(x) .refuseNetwork(x))

setMethod("geneNames", "ANY", function(x) .refuseNetwork(x))

setMethod("cellNames", "ANY", function(x) .refuseCells(x))

setMethod("cellData", "ANY", function(x) .refuseCells(x))

setMethod("nullGRN", "ANY", function(x, ...) .refuseNetwork(x))

setMethod("edgeTable", "ANY", function(x, ...) .refuseNetwork(x))

setMethod("plotGRN", "ANY", function(x, ...) .refuseNetwork(x))

setMethod("writeGRN", c("ANY", "ANY"), function(x, file, ...) {
    .refuseNetwork(x)
})

setMethod("toIgraph", "ANY", function(x, ...) .refuseNetwork(x))

setMethod("poolGRN", "ANY", function(x, ...) {
    if (methods::is(x, "PooledGRN")) {
        .stopArgument("x", "is a PooledGRN: one network for all cells already.")
    }
    .refuseNetwork(x)
})

setMethod("cellNetwork", "ANY", function(x, ...) {
    if (methods::is(x, "PooledGRN")) {
        .stopArgument("x", "is a PooledGRN, one network for all cells: ",
            "as.matrix(x) gives its scores."
        )
    }
    .refuseCells(x)
})

setMethod("saveGRN", c("ANY", "ANY"), function(x, file, ...) {
    if (methods::is(x, "StateGRN") || methods::is(x, "PooledGRN")) {
        .stopArgument("x", "is a ", class(x)[[1L]], ", which is small: keep ",
            "it by saveRDS(x, file), or its edges by writeGRN(). Files of ",
            "saveGRN() hold a CellGRN."
        )
    }
    .refuseNetwork(x)
})

setMethod("memberships", "ANY", function(x) .refuseStates(x))

setMethod("topRegulators", "ANY", function(x, ...) .refuseNetwork(x))

setMethod("stateNetwork", "ANY", function(x, ...) .refuseStates(x))

setMethod("verdict", "ANY", function(x, ...) {
    .stopArgument("x", "must be a result that has a verdict: networks of ",
        "states, delays or a report; it is a ", class(x)[[1L]], "."
    )
})

## ---- functions that others took over ---------------------------------------

#' Functions that have another name now
#'
#' They stop and say which.
#'
#' @param ... not used.
#' @return Nothing: they stop.
#' @section Errors: always one, which names the present function.
#' @seealso [cellNetwork()], [verdict()]
#' @examples
#' try(stateVerdict(exampleGRN()))
#' @name renamedFunctions
#' @export
stateVerdict <- function(...) {
    .renamedFunction("stateVerdict(x)", "verdict(x)")
}

.renamedFunction <- function(old, new) {
    stop(old, " is now called ", new, ".", call. = FALSE)
}
