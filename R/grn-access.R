## Access to networks: sizes, names, subsets, score matrices, pooling.

#' @rdname CellGRN-class
#' @aliases tfNames,CellGRN-method tfNames,StateGRN-method
#' @export
setMethod("tfNames", "PerCellNetworks", function(x) x@tfs)

#' @rdname CellGRN-class
#' @aliases geneNames,CellGRN-method geneNames,StateGRN-method
#' @export
setMethod("geneNames", "PerCellNetworks", function(x) x@genes)

#' @rdname CellGRN-class
#' @aliases cellNames,CellGRN-method cellNames,StateGRN-method
#' @export
setMethod("cellNames", "PerCellNetworks", function(x) x@cells)

#' @rdname CellGRN-class
#' @aliases cellData,CellGRN-method cellData,StateGRN-method
#' @export
setMethod("cellData", "PerCellNetworks", function(x) {
    data <- x@cellData
    rownames(data) <- x@cells
    data
})

#' @rdname CellGRN-class
#' @aliases length,CellGRN-method length,StateGRN-method
#' @export
setMethod("length", "PerCellNetworks", function(x) length(x@cells))

#' @rdname CellGRN-class
#' @aliases dim,CellGRN-method dim,StateGRN-method
#' @export
setMethod("dim", "PerCellNetworks", function(x) {
    c(tfs = length(x@tfs), genes = length(x@genes), cells = length(x@cells))
})

#' @rdname CellGRN-class
#' @importMethodsFrom S4Vectors metadata
#' @aliases metadata,CellGRN-method metadata,StateGRN-method
#' @export
setMethod("metadata", "PerCellNetworks", function(x, ...) x@metadata)

#' @rdname CellGRN-class
#' @param name a column of `cellData(x)`.
#' @aliases $,CellGRN-method $,StateGRN-method
#' @export
setMethod("$", "PerCellNetworks", function(x, name) x@cellData[[name]])

## Cells by number, name or logical -> integer positions. NULL: all.
.cellIndex <- function(x, cells, arg = "cells") {
    n <- length(x@cells)
    if (is.null(cells)) {
        return(seq_len(n))
    }
    if (is.factor(cells)) {
        cells <- as.character(cells)
    }
    if (is.logical(cells)) {
        if (length(cells) != n || anyNA(cells)) {
            .stopArgument(arg, "is logical and must have one TRUE or FALSE ",
                "per cell, ", n, "; it has ", length(cells),
                if (anyNA(cells)) " with missing values", "."
            )
        }
        return(which(cells))
    }
    if (is.character(cells)) {
        at <- match(cells, x@cells)
        if (anyNA(at)) {
            .stopArgument(arg, "names cells that aren't in the object: ",
                .some(cells[is.na(at)]), "; see cellNames()."
            )
        }
        return(at)
    }
    .cellNumbers(cells, n, arg)
}

.cellNumbers <- function(cells, n, arg) {
    if (!is.numeric(cells) || anyNA(cells) || any(cells != round(cells))) {
        .stopArgument(arg, "must be cell numbers, names or a logical vector; ",
            "it is ", .show(cells), "."
        )
    }
    if (any(abs(cells) > n)) {
        .stopArgument(arg, "asks for cell ", cells[abs(cells) > n][[1L]],
            " of ", n, "."
        )
    }
    if (any(cells < 0) && any(cells > 0)) {
        .stopArgument(arg, "mixes positive and negative numbers; use one kind.")
    }
    seq_len(n)[cells]
}

## As .cellIndex, but at least one and the engine's form: from 0.
.someCells <- function(x, cells, arg = "cells") {
    at <- .cellIndex(x, cells, arg)
    if (length(at) == 0L) {
        .stopArgument(arg, "chooses no cell; choose at least one.")
    }
    at
}

.oneCell <- function(x, cell, arg = "cell") {
    at <- .someCells(x, cell, arg)
    if (length(at) != 1L) {
        .stopArgument(arg, "must choose one cell; it chooses ", length(at),
            ". For several, see poolGRN() or edgeTable()."
        )
    }
    at
}

#' @rdname CellGRN-class
#' @export
setMethod("[", c("CellGRN", "ANY", "missing", "ANY"),
    function(x, i, j, ..., drop = TRUE) {
        if (missing(i)) {
            return(x)
        }
        at <- .distinctCells(x, i)
        x@factors <- .subsetFactors(x, at)
        .takeCells(x, at)
    }
)

## Cells for `[`, none twice.
.distinctCells <- function(x, i) {
    at <- .someCells(x, i, "i")
    if (anyDuplicated(at)) {
        .stopArgument("i", "chooses a cell twice: ",
            .some(unique(x@cells[at[duplicated(at)]])),
            "; cell names must stay unique."
        )
    }
    at
}

## What every kind of per-cell networks holds by cell; the kind's own parts
## have been taken before.
.takeCells <- function(x, at) {
    x@expression <- x@expression[, at, drop = FALSE]
    if (!is.null(x@metadata$block)) {
        x@metadata$block <- x@metadata$block[at]
    }
    x@cellData <- x@cellData[at, , drop = FALSE]
    x@cells <- x@cells[at]
    x
}

#' @rdname CellGRN-class
#' @export
setMethod("[", c("CellGRN", "ANY", "ANY", "ANY"),
    function(x, i, j, ..., drop = TRUE) {
        stop("'j' can't be used: a CellGRN has one dimension, its cells; ",
            "write x[cells], and choose genes in edgeTable() or cellNetwork().",
            call. = FALSE
        )
    }
)

#' The score matrix of one cell or state
#'
#' @param x a [CellGRN-class] or [StateGRN-class].
#' @param cell one cell, by number or name.
#' @param threads threads of the engine; NULL: `causeway.threads`.
#' @param ... not used.
#' @return A numeric matrix, TFs x genes, with dimnames: `u v^T` of the cell.
#'   Scores have no unit; they are comparable within a model. Stops when
#'   `cell` doesn't choose exactly one cell, or `state` one state.
#' @seealso [poolGRN()] for the mean over cells, [edgeTable()] for lists.
#' @examples
#' grn <- exampleGRN()
#' cellNetwork(grn, 1)[1:3, 1:5]
#' @rdname cellNetwork
#' @export
setMethod("cellNetwork", "CellGRN", function(x, cell, ..., threads = NULL) {
    .noDots(...)
    .needCell(cell)
    at <- .oneCell(x, cell)
    part <- .cellView(x, at)
    scores <- .Call(cw_r_network_cell, part$view, part$cells,
        .threads(threads)
    )
    dimnames(scores) <- list(x@tfs, x@genes)
    scores
})

.needCell <- function(cell, remedy = "") {
    if (missing(cell)) {
        .stopArgument("cell", "is missing; name one cell", remedy, ", or use ",
            "poolGRN() for the mean over all."
        )
    }
}

#' @rdname CellGRN-class
#' @method as.matrix CellGRN
#' @export
as.matrix.CellGRN <- function(x, cell, ...) cellNetwork(x, cell, ...)

#' Mean network over cells
#'
#' The mean of the per-cell networks, computed in the engine as one matrix
#' product over the stacked (cell, factor) axis, of which only the kept
#' weights are multiplied, in blocks of cells.
#'
#' @param x a [CellGRN-class].
#' @param cells cells by number, name or logical; NULL: all.
#' @param group NULL for one network, or one for each group: the name of a
#'   column of `cellData(x)`, or a vector with a value per chosen cell. Cells
#'   with a missing group are left out, with a message.
#' @param threads threads of the engine; NULL: `causeway.threads`.
#' @param ... not used.
#' @return A [PooledGRN-class], or a named list of them, one per group.
#' @section Errors: unknown or no cells; a `group` that is no column and has
#'   no value per cell; an `x` that isn't per-cell networks.
#' @seealso [edgeTable()], [plotGRN()], [evaluateGRN()]
#' @examples
#' grn <- exampleGRN()
#' poolGRN(grn)
#' poolGRN(grn, group = "group")
#' @rdname poolGRN
#' @export
setMethod("poolGRN", "CellGRN", function(x, cells = NULL, group = NULL, ...,
    threads = NULL) {
    .noDots(..., renamed = c(groups = "group"))
    .poolBy(x, cells, group, function(at) .poolCells(x, at, threads))
})

## pool(cells) over all of `cells`, or a list of it by group.
.poolBy <- function(x, cells, group, pool) {
    at <- .someCells(x, cells)
    if (is.null(group)) {
        return(pool(at))
    }
    group <- .cellGroups(x, group, at)
    if (anyNA(group)) {
        message(sum(is.na(group)), " cells without a group are left out")
    }
    parts <- split(at, .asFactor(group))
    if (length(parts) == 0L) {
        .stopArgument("group", "is missing for all cells.")
    }
    lapply(parts, pool)
}

.poolCells <- function(x, at, threads = NULL) {
    threads <- .threads(threads)
    total <- NULL
    for (block in .cellBlocks(x, at)) {
        part <- .cellView(x, block)
        total <- .Call(cw_r_network_add, total, part$view, part$cells, threads)
    }
    scores <- matrix(total / length(at), length(x@tfs), byrow = TRUE,
        dimnames = list(x@tfs, x@genes)
    )
    PooledGRN(scores, nCells = length(at), metadata = x@metadata)
}

## A column of cellData by its name, or a vector over the cells `at`.
.cellGroups <- function(x, groups, at, arg = "group") {
    .groupsIn(x@cellData, groups, at, arg)
}

.groupsIn <- function(cellData, groups, at, arg = "group") {
    if (is.character(groups) && length(groups) == 1L && length(at) != 1L) {
        if (!groups %in% colnames(cellData)) {
            .stopArgument(arg, "is \"", groups, "\", which isn't a column of ",
                "cellData(): ", .some(colnames(cellData), 8L), "."
            )
        }
        return(cellData[[groups]][at])
    }
    if (length(groups) != length(at)) {
        .stopArgument(arg, "must have a value per cell, ", length(at),
            "; it has ", length(groups), "."
        )
    }
    groups
}

## "1 cell", "2,345 cells"
.count <- function(n, what) {
    paste0(format(n, big.mark = ","), " ", what, if (n != 1) "s")
}

.preview <- function(x) {
    paste0(format(length(x), big.mark = ","), " (",
        paste(head(x, 3L), collapse = ", "),
        if (length(x) > 3L) ", ...", ")"
    )
}
