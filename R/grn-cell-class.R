## Per-cell networks, kept as sparse factors, and pooled ones.

setOldClass("igraph")

## Factors in a file: its path, its identity, and which of its `total` cells
## the object's are.
setClass("HDF5Factors", slots = c(
    file = "character", id = "character", total = "integer", at = "integer"
))

## Factors made when asked for: the model, a fingerprint of its weights, and
## what it reads beside the expression values.
setClass("LazyFactors", slots = c(
    model = "FoundationModel", hash = "character", tokens = "integer",
    nonTF = "logical", conditions = "matrix", batchSize = "integer"
))

setClassUnion("FactorBacking", c("list", "HDF5Factors", "LazyFactors"))

#' Gene regulatory networks, one per cell
#'
#' The result of [inferGRN()]. The network of cell `c` is
#' `GRN_c = u_c v_c^T`, TFs in rows and all genes in columns; only the sparse
#' factors `u` (cell x TF x factor) and `v` (cell x gene x factor) are kept,
#' with exactly `k` weights a row. Score matrices are computed when they are
#' asked for, so the object stays small and survives `saveRDS()`.
#'
#' @section Backings:
#' Where the factors are is the object's own affair; all functions work the
#' same, a block of cells at a time. *In memory* (the default of
#' [inferGRN()]); *in an HDF5 file* (`inferGRN(..., file = )`, [saveGRN()],
#' [loadGRN()]), of which the object keeps the path, so that it is small, and
#' so that the file must stay; *lazy* (`inferGRN(..., backing = "lazy")`): the
#' model is kept and makes the factors of a block anew whenever they are asked
#' for, so such an object does not survive `saveRDS()` (use [saveGRN()]).
#' The expression values of more than `options(causeway.sampleCells)` cells
#' (10,000) of a file are in the HDF5 file too, or (*lazy*) in a temporary one;
#' else in memory. Blocks have about
#' `options(causeway.blockBytes = )` bytes, 64 MB by default.
#'
#' @section Layout of `factors` in memory:
#' A list of four raw vectors, in the byte order of the machine, cell by cell:
#' `uIndex` holds unsigned 16-bit factor numbers from 0, weight `j` of TF `i`
#' in cell `c` (all from 0) being item `(c * nTF + i) * k + j`; `uWeight`
#' holds the 32-bit floating point weights in the same order; `vIndex` and
#' `vWeight` hold the same for all genes, item `(c * nGenes + g) * k + j`.
#'
#' @slot tfs character, the TFs (rows), all of them among `genes`.
#' @slot genes character, all genes (columns).
#' @slot cells character, unique cell names.
#' @slot nFactors integer, number of factors M.
#' @slot k integer, weights kept per row, at most `nFactors`.
#' @slot factors list of raw vectors, see below, or what says where they are.
#' @slot expression `dgCMatrix`, or a DelayedMatrix of a file, genes x cells:
#'   the values the model saw (log-normalised); baselines and regulon activity
#'   are computed from it.
#' @slot cellData `DataFrame` with one row per cell.
#' @slot metadata list: where the networks come from (`seed`, `engine`,
#'   `modelHash`, `species`, `coverage` = list(matched, total, lost),
#'   `prior`, `training`, `preprocessing`), as far as known.
#'
#' @param tfs,genes,cells,nFactors,k,factors,metadata see the slots.
#' @param expression matrix or sparse matrix, genes x cells, finite values,
#'   stored as `dgCMatrix`; or a DelayedMatrix, which stays one. Row and column
#'   names may be absent.
#' @param cellData `DataFrame` or data.frame with a row per cell, or NULL.
#' @param x,object a `CellGRN`.
#' @param i cells: numbers, names, or a logical vector of length `length(x)`.
#' @param j,drop,... not used.
#' @param cell one cell, by number or name.
#' @return `CellGRN()` and `x[i]` give a `CellGRN`; `length()` the number of
#'   cells; `dim()` the numbers of TFs, genes and cells; `tfNames()`,
#'   `geneNames()` and `cellNames()` character vectors; `cellData()` a
#'   `DataFrame`; `x$name` one of its columns; `metadata()` a list;
#'   `as.matrix()` the TF x gene score matrix of one cell. `show()` prints.
#'   The constructor stops, naming the argument, when names are missing or
#'   duplicated, TFs aren't genes, or the factors don't have the sizes said.
#' @references The factorised per-cell network is that of scCAFM,
#'   <https://github.com/Catchxu/scCAFM>.
#' @seealso [inferGRN()], [edgeTable()], [poolGRN()], [regulonActivity()],
#'   [summary()][GRNSummary-class], [evaluateGRN()], [writeGRN()]
#' @examples
#' grn <- exampleGRN()
#' grn
#' dim(grn)
#' few <- grn[1:3]
#' cellNames(few)
#' as.matrix(grn, "cell02")[1:3, 1:5]
#' table(grn$group)
#' @name CellGRN-class
#' @aliases CellGRN
#' @exportClass CellGRN
#' @importFrom BiocGenerics as.data.frame as.list
#' @importClassesFrom Matrix dgCMatrix
#' @importClassesFrom S4Vectors DataFrame
#' @importClassesFrom SingleCellExperiment SingleCellExperiment
setClass("CellGRN", contains = "PerCellNetworks", slots = c(
    nFactors = "integer", k = "integer", factors = "FactorBacking"
))

.factorParts <- c("uIndex", "uWeight", "vIndex", "vWeight")

## Why a character vector can't be a set of names; NULL if it can.
.namesProblem <- function(x, arg) {
    if (length(x) == 0L) {
        return(paste0("'", arg, "' is empty; at least one is needed"))
    }
    if (anyNA(x) || !all(nzchar(x))) {
        return(paste0("'", arg, "' has missing or empty names"))
    }
    twice <- unique(x[duplicated(x)])
    if (length(twice)) {
        return(paste0("'", arg, "' has duplicated names: ", .some(twice),
            "; make them unique"
        ))
    }
    NULL
}

.factorsProblem <- function(object) {
    parts <- object@factors
    n <- length(object@cells)
    if (is(parts, "HDF5Factors")) {
        good <- length(parts@file) == 1L && length(parts@id) == 1L &&
            length(parts@at) == n && !anyNA(parts@at) &&
            all(parts@at >= 1L & parts@at <= parts@total)
        return(if (!good) "'factors' names cells that its file doesn't hold")
    }
    if (is(parts, "LazyFactors")) {
        good <- identical(dim(parts@conditions), c(4L, n)) &&
            length(parts@tokens) == length(object@genes) &&
            identical(object@genes[!parts@nonTF], object@tfs)
        return(if (!good) "'factors' doesn't fit the genes and cells")
    }
    if (!setequal(names(parts), .factorParts)) {
        return(paste0("'factors' must have the parts ",
            paste(.factorParts, collapse = ", ")
        ))
    }
    rows <- c(u = length(object@tfs), v = length(object@genes))
    entries <- length(object@cells) * as.numeric(object@k) * rows
    want <- c(2 * entries[["u"]], 4 * entries[["u"]],
        2 * entries[["v"]], 4 * entries[["v"]]
    )
    for (p in seq_along(.factorParts)) {
        part <- parts[[.factorParts[[p]]]]
        if (!is.raw(part) || length(part) != want[[p]]) {
            return(sprintf("'factors$%s' must be a raw vector of %.0f bytes",
                .factorParts[[p]], want[[p]]
            ))
        }
    }
    NULL
}

.sizesProblem <- function(object) {
    one <- c(length(object@nFactors), length(object@k)) == 1L
    if (!all(one) || anyNA(c(object@nFactors, object@k)) ||
        object@k < 1L || object@k > object@nFactors ||
        object@nFactors > 65536L) {
        return(paste0("'k' must be from 1 to 'nFactors', and 'nFactors' at ",
            "most 65536"
        ))
    }
    if (!all(object@tfs %in% object@genes)) {
        return(paste0("'tfs' must be among 'genes'; these aren't: ",
            .some(setdiff(object@tfs, object@genes))
        ))
    }
    shape <- c(length(object@genes), length(object@cells))
    if (!identical(dim(object@expression), shape)) {
        return(sprintf(
            "'expression' must be genes x cells, %d x %d; it is %d x %d",
            shape[[1L]], shape[[2L]],
            nrow(object@expression), ncol(object@expression)
        ))
    }
    if (nrow(object@cellData) != shape[[2L]]) {
        return(sprintf("'cellData' must have a row per cell, %d; it has %d",
            shape[[2L]], nrow(object@cellData)
        ))
    }
    NULL
}

setValidity("CellGRN", function(object) {
    problem <- c(
        .namesProblem(object@tfs, "tfs"), .namesProblem(object@genes, "genes"),
        .namesProblem(object@cells, "cells")
    )
    if (is.null(problem)) {
        problem <- .sizesProblem(object)
    }
    if (is.null(problem)) {
        problem <- .factorsProblem(object)
    }
    if (is.null(problem)) TRUE else problem
})

## validity messages as errors that read like the others
.orStop <- function(expr) {
    tryCatch(expr, error = function(e) {
        text <- sub("^invalid class .* object: *(1: *)?", "",
            conditionMessage(e)
        )
        stop(text, call. = FALSE)
    })
}

.asSparse <- function(values) {
    if (is(values, "dgCMatrix")) {
        return(values)
    }
    if (is.data.frame(values)) {
        values <- as.matrix(values)
    }
    as(as(as(values, "dMatrix"), "generalMatrix"), "CsparseMatrix")
}

#' @rdname CellGRN-class
#' @export
CellGRN <- function(tfs, genes, cells, nFactors, k, factors, expression,
    cellData = NULL, metadata = list()) {
    if (.isDelayed(expression)) {
        expression <- unname(expression)
    } else {
        expression <- .withoutNames(.asSparse(expression))
        if (!all(is.finite(expression@x))) {
            .stopArgument("expression",
                "has values that aren't finite; replace or remove them."
            )
        }
    }
    if (is.null(cellData)) {
        cellData <- S4Vectors::make_zero_col_DFrame(length(cells))
    }
    cellData <- S4Vectors::DataFrame(cellData, check.names = FALSE)
    rownames(cellData) <- NULL
    backed <- is(factors, "HDF5Factors") || is(factors, "LazyFactors")
    object <- .orStop(new("CellGRN",
        tfs = as.character(tfs), genes = as.character(genes),
        cells = as.character(cells), nFactors = as.integer(nFactors),
        k = as.integer(k),
        factors = if (backed) factors else as.list(factors)[.factorParts],
        expression = expression, cellData = cellData,
        metadata = as.list(metadata)
    ))
    if (!backed) {
        .Call(cw_r_network_check, .networkView(object), .threads())
    }
    object
}

## Factors from arrays u (cells x TFs x M) and v (cells x genes x M): the k
## largest weights of each row; among equal ones the lowest factor.
.factorsFromDense <- function(u, v, k) {
    pack <- function(a) {
        rows <- matrix(aperm(a, c(3L, 2L, 1L)), nrow = dim(a)[[3L]])
        top <- vapply(seq_len(ncol(rows)), function(r) {
            order(-rows[, r])[seq_len(k)]
        }, integer(k))
        top <- matrix(top, nrow = k)
        row <- rep(seq_len(ncol(rows)), each = k)
        weight <- rows[cbind(as.vector(top), row)]
        list(
            index = writeBin(as.vector(top) - 1L, raw(), size = 2L),
            weight = writeBin(as.numeric(weight), raw(), size = 4L)
        )
    }
    pu <- pack(u)
    pv <- pack(v)
    list(
        uIndex = pu$index, uWeight = pu$weight,
        vIndex = pv$index, vWeight = pv$weight
    )
}

.priorWord <- function(meta) {
    prior <- meta$prior
    if (is.null(prior)) {
        return("not recorded")
    }
    if (identical(prior, "none")) "off" else paste0("on (", prior[[1L]], ")")
}

#' @rdname CellGRN-class
#' @export
setMethod("show", "CellGRN", function(object) {
    meta <- object@metadata
    model <- if (is.null(meta$model)) "SFM" else meta$model[[1L]]
    cat("CellGRN: one network per cell\n")
    cat("  cells:   ", .preview(object@cells), "\n", sep = "")
    cat("  TFs:     ", .preview(object@tfs), "\n", sep = "")
    cat("  genes:   ", .preview(object@genes), "\n", sep = "")
    cat("  factors: ", object@nFactors, ", ", object@k, " kept per row\n",
        sep = ""
    )
    cat("  kept:    ", .backingText(object), "\n", sep = "")
    cat("  model:   ", model, "; prior ", .priorWord(meta), "\n", sep = "")
    if (ncol(object@cellData)) {
        cat("  cellData: ", .some(colnames(object@cellData)), "\n", sep = "")
    }
    cat("Go on with summary(), edgeTable(), poolGRN(), regulonActivity(), ",
        "plotGRN(), writeGRN()\n", sep = ""
    )
})
