## Per-cell networks to an HDF5 file and back.

#' Keep per-cell networks in an HDF5 file
#'
#' `saveGRN()` writes networks of any backing, with their expression values,
#' `cellData` and metadata; `loadGRN()` opens such a file, or one that
#' [inferGRN()] wrote, without reading the networks. They are read from it a
#' block of cells at a time when they are used, and checked as they are read:
#' indexes within bounds, weights finite, a checksum for each cell. Everything
#' else is read and compared with its SHA-256 at once. A file that another
#' program has open for writing is waited for, `options(causeway.lockWait)`
#' seconds (60).
#'
#' The file is plain HDF5: `u/index` and `u/weight` (cells x TFs x k), `v/index`
#' and `v/weight` (cells x genes x k), factor numbers from 0 in 16 bits and
#' weights in 32; names in `tfs`, `genes` and `cells`. Metadata are kept as R's
#' own serialization: as with [readRDS()], open only files you trust.
#'
#' @param x a [CellGRN-class].
#' @param file path of the file.
#' @param overwrite replace an existing file?
#' @param verbose say what was written?
#' @param ... not used.
#' @return `saveGRN()` the path, invisibly; `loadGRN()` a [CellGRN-class] that
#'   reads from the file.
#' @section Errors: `saveGRN()` stops when the file exists and `overwrite` is
#'   FALSE, when it is the file that `x` itself is in, or when the disk has not
#'   enough space; a file is whole or not there, and one that is replaced is
#'   there until then. `loadGRN()` stops when the file is missing, isn't one of
#'   causeway's, is of another version, damaged, altered, or not finished.
#' @seealso [inferGRN()] with `file`, [CellGRN-class], [writeGRN()] for lists
#'   of edges.
#' @examples
#' file <- tempfile(fileext = ".h5")
#' saveGRN(exampleGRN(), file)
#' grn <- loadGRN(file)
#' grn
#' poolGRN(grn)
#' unlink(file)
#' @rdname saveGRN
#' @aliases saveGRN,CellGRN-method
#' @export
setMethod("saveGRN", "CellGRN", function(x, file, overwrite = FALSE, ...,
    verbose = interactive()) {
    .noDots(...)
    .notOwnFile(x, .filePlace(file, overwrite))
    parts <- .partsOf(x)
    .writeFile(file, overwrite, function(part) {
        .createTables(part, parts, "{}", .newFileId())
        done <- 0
        size <- max(1, floor(.blockBytes() / .cellBytes(x)))
        while (done < length(x)) {
            at <- seq.int(done + 1, min(length(x), done + size))
            factors <- .factorsAt(x, at)
            done <- .whileWriting(part, .writeBlock(part, parts, done,
                factors
            ))
        }
        .whileWriting(part, .finishFile(part, done))
    })
    .say(verbose, "Networks of ", .count(length(x), "cell"), ", ",
        .bytes(file.size(file)), ", written to ", file
    )
    invisible(file)
})

.notOwnFile <- function(x, place) {
    own <- is(x@factors, "HDF5Factors") && place$exists && identical(
        .atPlace(.Call(cw_r_place_find, x@factors@file))$target, place$target
    )
    if (own) {
        .stopArgument("file", "is the file that 'x' is in: ", place$file,
            "; choose another name."
        )
    }
}

.partsOf <- function(x) {
    list(
        tfs = x@tfs, genes = x@genes, cells = x@cells, nFactors = x@nFactors,
        k = x@k, expression = x@expression, cellData = x@cellData,
        metadata = x@metadata
    )
}

#' @rdname saveGRN
#' @export
loadGRN <- function(file) {
    .checkText(file, "file")
    path <- .atPlace(.Call(cw_r_place_find, file))$path
    header <- .readHeader(path)
    if (!header$finished) {
        .stopFile(path, "isn't finished: it holds ",
            format(header$done, big.mark = ","), " of ",
            .count(header$sizes[[1L]], "cell"), ". The inferGRN() call that ",
            "made it goes on with resume = TRUE."
        )
    }
    read <- function(name) {
        x <- .readTables(path, name, guard = c("header/id" = header$id))[[1L]]
        .checkSum(path, name, x, header$sums)
    }
    tryCatch(
        {
            n <- as.integer(header$sizes[[1L]])
            parts <- lapply(c(tfs = "tfs", genes = "genes", cells = "cells"),
                function(name) .validText(path, name, read(name))
            )
            expression <- .savedExpression(path, header, read)
            .checkNames(parts, header$sizes)
            metadata <- .savedMetadata(read("metadata"))
            factors <- new("HDF5Factors", file = path, id = header$id,
                total = n, at = seq_len(n)
            )
            CellGRN(
                tfs = parts$tfs, genes = parts$genes, cells = parts$cells,
                nFactors = header$sizes[[4L]], k = header$sizes[[5L]],
                factors = factors, expression = expression,
                cellData = .readColumns(read, n),
                metadata = metadata
            )
        },
        error = function(e) {
            text <- conditionMessage(e)
            if (startsWith(text, "the file ")) stop(text, call. = FALSE)
            .stopFile(path, "is damaged: ", text)
        }
    )
}

.savedMetadata <- function(text) {
    x <- .fromText(text)
    if (!is.list(x)) {
        stop("its metadata aren't data that saveGRN() writes", call. = FALSE)
    }
    x
}

.checkNames <- function(parts, sizes) {
    if (!identical(as.numeric(unname(lengths(parts))), sizes[c(2L, 3L, 1L)])) {
        stop("its names don't fit its sizes", call. = FALSE)
    }
}

## Of more cells than estimators hold the expression stays in the file, whose
## sums are looked at by parts.
.savedExpression <- function(path, header, read) {
    dims <- header$sizes[c(3L, 1L)]
    if (dims[[2L]] <= .mostCells()) {
        return(.readValues(read, dims))
    }
    guard <- c("header/id" = header$id)
    for (name in .expressionNames) {
        n <- .shapesIn(path, name)[[1L]]$dims
        sum <- .hashInParts()
        for (first in seq(0, max(0, n - 1), by = .hashPiece)) {
            sum$add(.readTables(path, name,
                c(first, min(.hashPiece, n - first)), guard
            )[[1L]])
        }
        if (!identical(sum$end(), header$sums[[name]])) {
            .stopFile(path, "was altered: ", name, " doesn't have its ",
                "checksum."
            )
        }
    }
    .fileExpression(path, dims)
}

## dims: genes, cells
.readValues <- function(read, dims) {
    start <- read("expression/start")
    gene <- read("expression/gene")
    value <- read("expression/value")
    n <- length(value)
    good <- is.double(start) && is.integer(gene) && is.double(value) &&
        length(start) == dims[[2L]] + 1 && all(is.finite(start)) &&
        start[[1L]] == 0 && start[[length(start)]] == n &&
        all(diff(start) >= 0) && length(gene) == n && !anyNA(gene) &&
        all(gene >= 0L) && all(gene < dims[[1L]])
    if (!good) {
        stop("its expression values are damaged", call. = FALSE)
    }
    new("dgCMatrix", i = gene, p = as.integer(start), x = value,
        Dim = as.integer(dims)
    )
}
