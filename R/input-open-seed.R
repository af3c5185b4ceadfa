## A matrix in an HDF5 file as the seed of a DelayedMatrix: genes x cells,
## whichever way round it is stored, read by blocks through the engine.

#' A matrix of counts in a file
#'
#' The seed of the DelayedMatrix objects that [openCells()] makes. Blocks of
#' cells are read by the engine, which checks offsets and indices; nothing is
#' kept open between two reads. A file that was changed meanwhile is refused.
#'
#' @slot file absolute path.
#' @slot layout list: `name` in the file, `sparse`, `byCell` (is a cell stored
#'   in one piece?), `cells`, `genes`, `entries`, `stored` (bytes), `whole`
#'   (of an integer type?); where they aren't AnnData's, `parts`, the names of
#'   its tables of values, indices and offsets, and `opens`, what opens it.
#' @slot stamp size and time of the file as it was opened.
#' @param x the seed.
#' @param index list of two: numbers of the rows (genes) and columns (cells),
#'   or NULL for all.
#' @return `extract_array()` a matrix, `extract_sparse_array()` a
#'   SparseArraySeed, `dim()` genes and cells.
#' @seealso [openCells()]
#' @examples
#' file <- system.file("extdata", "cells.h5ad", package = "causeway")
#' x <- openCells(file, verbose = FALSE)
#' DelayedArray::seed(SummarizedExperiment::assay(x))
#' @name CellFileSeed-class
#' @importClassesFrom DelayedArray Array
#' @exportClass CellFileSeed
setClass("CellFileSeed", contains = "Array", slots = c(file = "character",
    layout = "list", stamp = "numeric"
))

## layout: name, sparse, byCell, cells, genes. Everything about the offsets is
## checked here, once.
.cellSeed <- function(path, layout) {
    found <- .atFile(path, .Call(cw_r_cells_check, path, layout))
    layout$entries <- found[[1L]]
    layout$stored <- found[[2L]]
    layout$whole <- found[[3L]] != 0
    methods::new("CellFileSeed", file = normalizePath(path), layout = layout,
        stamp = .fileStamp(path)
    )
}

.fileStamp <- function(path) {
    info <- file.info(path, extra_cols = FALSE)
    c(info$size, as.numeric(info$mtime))
}

.checkStamp <- function(seed) {
    now <- .fileStamp(seed@file)
    if (anyNA(now)) {
        .stopFile(seed@file, "is gone; 'x' reads its counts from it.")
    }
    if (!identical(now, seed@stamp)) {
        .stopFile(seed@file, "has changed since it was opened; open it again, ",
            c(seed@layout$opens, "openCells(file)")[[1L]], "."
        )
    }
}

## Genes and cells by number, in any order, repeats allowed; NULL: all. A
## dgCMatrix.
.readSeed <- function(seed, genes = NULL, cells = NULL) {
    .checkStamp(seed)
    seed <- .byCellSeed(seed)
    layout <- seed@layout
    if (is.null(cells)) {
        cells <- seq_len(layout$cells)
    }
    unique <- if (is.unsorted(cells, strictly = TRUE)) sort(unique(cells)) else
        cells
    place <- NULL
    rows <- layout$genes
    read <- genes
    if (!is.null(genes)) {
        read <- unique(genes)
        place <- rep(-1L, layout$genes)
        place[read] <- seq_along(read) - 1L
        rows <- length(read)
    }
    m <- .atFile(seed@file, .Call(cw_r_cells_read, seed@file, layout,
        as.integer(unique) - 1L, place, .threads()
    ))
    m <- .columnsOf(m, c(as.integer(rows), length(unique)))
    again <- if (length(genes) != length(read)) match(genes, read)
    order <- if (!identical(unique, cells)) match(cells, unique)
    if (!is.null(again)) m <- m[again, , drop = FALSE]
    if (!is.null(order)) m <- m[, order, drop = FALSE]
    m
}

## A dgCMatrix of what the engine has checked already.
.columnsOf <- function(parts, dim) {
    m <- methods::new("dgCMatrix")
    m@Dim <- dim
    m@p <- parts$p
    m@i <- parts$i
    m@x <- parts$x
    m
}

## The seed behind a DelayedMatrix, if all that was done to it is choosing
## rows and columns and naming them: list(seed, genes, cells), else NULL.
.fileView <- function(m) {
    genes <- cells <- NULL
    take <- function(old, new) {
        if (is.null(new)) old else if (is.null(old)) new else new[old]
    }
    at <- m@seed
    repeat {
        if (methods::is(at, "CellFileSeed")) {
            return(list(seed = at, genes = genes, cells = cells))
        }
        if (methods::is(at, "DelayedSubset")) {
            genes <- take(genes, at@index[[1L]])
            cells <- take(cells, at@index[[2L]])
        } else if (!methods::is(at, "DelayedSetDimnames")) {
            return(NULL)
        }
        at <- at@seed
    }
}

## The columns (and rows) of such a DelayedMatrix as dgCMatrix; NULL for
## another.
.fileColumns <- function(m, columns, rows = NULL) {
    view <- .fileView(m)
    if (is.null(view)) {
        return(NULL)
    }
    cells <- if (is.null(view$cells)) columns else view$cells[columns]
    genes <- if (is.null(rows)) view$genes else
        if (is.null(view$genes)) rows else view$genes[rows]
    out <- .readSeed(view$seed, genes, cells)
    names <- dimnames(m)
    if (!is.null(names)) {
        dimnames(out) <- list(
            if (is.null(rows)) names[[1L]] else names[[1L]][rows],
            names[[2L]][columns]
        )
    }
    out
}

## How many cells to read at once for about `bytes` of memory, or NULL, where
## `n` are to be read. What is stored by genes is turned first.
.fileWidth <- function(m, bytes, n) {
    view <- .fileView(m)
    if (is.null(view) || !view$seed@layout$sparse) {
        return(NULL)
    }
    seed <- .turnSeed(view$seed, n, bytes)
    max(1, floor(bytes / .seedBytes(seed@layout)))
}

## Bytes of a cell while it is read: of a value 12 stay; the rest are the
## engine's copies and what R hasn't collected yet of the blocks before.
.seedBytes <- function(layout) {
    96 * layout$entries / max(1, layout$cells) + 64
}

## ---- what DelayedArray asks -------------------------------------------------

#' @rdname CellFileSeed-class
#' @exportMethod dim
setMethod("dim", "CellFileSeed", function(x) {
    as.integer(c(x@layout$genes, x@layout$cells))
})

#' @rdname CellFileSeed-class
#' @importFrom DelayedArray is_sparse
#' @exportMethod is_sparse
setMethod("is_sparse", "CellFileSeed", function(x) TRUE)

#' @rdname CellFileSeed-class
#' @importFrom DelayedArray extract_array
#' @exportMethod extract_array
setMethod("extract_array", "CellFileSeed", function(x, index) {
    if (any(lengths(index) == 0L & !vapply(index, is.null, NA))) {
        d <- dim(x)
        n <- ifelse(vapply(index, is.null, NA), d, lengths(index))
        return(matrix(0, n[[1L]], n[[2L]]))
    }
    unname(as.matrix(.readSeed(x, index[[1L]], index[[2L]])))
})

#' @rdname CellFileSeed-class
#' @importFrom DelayedArray extract_sparse_array
#' @exportMethod extract_sparse_array
setMethod("extract_sparse_array", "CellFileSeed", function(x, index) {
    methods::as(.readSeed(x, index[[1L]], index[[2L]]), "SparseArraySeed")
})

## Blocks as DelayedArray's own functions read them: whole cells.
#' @rdname CellFileSeed-class
#' @importFrom DelayedArray chunkdim
#' @exportMethod chunkdim
setMethod("chunkdim", "CellFileSeed", function(x) {
    d <- dim(x)
    if (any(d == 0L)) {
        return(NULL)
    }
    if (x@layout$byCell) c(d[[1L]], 1L) else c(1L, d[[2L]])
})

#' @rdname CellFileSeed-class
#' @param object the seed.
#' @exportMethod show
setMethod("show", "CellFileSeed", function(object) {
    at <- object@layout
    writeLines(paste0(at$name, " of ", object@file, ": ", at$genes,
        " genes x ", at$cells, " cells, ",
        if (at$sparse) paste(at$entries, "values") else "dense", ", stored by ",
        if (at$byCell) "cell" else "gene"
    ))
})
