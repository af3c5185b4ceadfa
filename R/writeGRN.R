## Networks to files.

#' Write edges to a CSV file
#'
#' Edges are written in blocks of cells, so memory does not grow with their
#' number, into a temporary file beside `file` that is renamed at the end:
#' `file` is never half written, and nothing is left behind after an error or
#' an interrupt.
#'
#' @param x a [CellGRN-class] or [PooledGRN-class].
#' @param file path of the file to write. A path ending in `.gz` is
#'   compressed.
#' @param cells cells by number, name or logical; NULL: all.
#' @param threshold,top,self as in [edgeTable()].
#' @param overwrite replace an existing file?
#' @param threads threads of the engine; NULL: `causeway.threads`.
#' @param verbose say what was written?
#' @param ... not used.
#' @return The path, invisibly. The file has the columns
#'   `cell_id,Gene1,Gene2,score` for a [CellGRN-class] and `Gene1,Gene2,score`
#'   for a [PooledGRN-class]; scores with 7 significant digits. Stops before
#'   any work when the file exists and `overwrite` is FALSE, or when the folder
#'   is missing or can't be written.
#' @seealso [edgeTable()], [saveGRN()], [networkWidget()]
#' @examples
#' file <- tempfile(fileext = ".csv")
#' writeGRN(exampleGRN(), file, top = 10)
#' head(read.csv(file))
#' unlink(file)
#' @rdname writeGRN
#' @export
setMethod("writeGRN", c("CellGRN", "ANY"), function(x, file,
    cells = NULL, threshold = NULL, top = NULL, self = TRUE,
    overwrite = FALSE, ..., threads = NULL, verbose = interactive()) {
    .noDots(...)
    at <- .someCells(x, cells)
    .checkFlag(self, "self")
    filter <- .edgeFilter(threshold, top)
    starts <- seq(1L, length(at), by = .edgeBlock(x))
    rows <- .writeBeside(file, overwrite, function(con) {
        rows <- bytes <- 0
        for (first in starts) {
            block <- at[first:min(length(at), first + .edgeBlock(x) - 1L)]
            edges <- .edgesOfCells(x, block, filter, self, threads)
            bytes <- bytes + .writeRows(edges, con, header = first == 1L)
            rows <- rows + nrow(edges)
        }
        c(rows = rows, bytes = bytes)
    })
    .say(verbose, format(rows, big.mark = ","), " edges of ",
        .count(length(at), "cell"), " written to ", file
    )
    invisible(file)
})

#' @rdname writeGRN
#' @export
setMethod("writeGRN", c("PooledGRN", "ANY"), function(x, file,
    threshold = NULL, top = NULL, self = TRUE, overwrite = FALSE, ...,
    verbose = interactive()) {
    .noDots(...)
    .checkFlag(self, "self")
    filter <- .edgeFilter(threshold, top)
    rows <- .writeBeside(file, overwrite, function(con) {
        edges <- .matrixEdges(x@scores, filter, self)
        bytes <- .writeRows(edges, con, header = TRUE)
        c(rows = nrow(edges), bytes = bytes)
    })
    .say(verbose, format(rows, big.mark = ","), " edges written to ", file)
    invisible(file)
})

## Returns the number of bytes. UTF-8 whatever the locale.
.writeRows <- function(edges, con, header) {
    lines <- .csvLines(edges, header, digits = 7L)
    writeLines(lines, con, useBytes = TRUE)
    sum(nchar(lines, type = "bytes") + 1)
}

#' @rdname StateGRN-class
#' @export
setMethod("writeGRN", c("StateGRN", "ANY"), function(x, file,
    cells = NULL, threshold = NULL, top = NULL, self = TRUE,
    overwrite = FALSE, ..., verbose = interactive()) {
    .noDots(...)
    at <- .someCells(x, cells)
    .checkFlag(self, "self")
    filter <- .edgeFilter(threshold, top)
    rows <- .writeBeside(file, overwrite, function(con) {
        rows <- bytes <- 0
        for (cell in at) {
            edges <- .stateEdges(x, cell, filter, self, FALSE)
            edges <- data.frame(cell_id = rep(x@cells[cell], nrow(edges)),
                edges
            )
            bytes <- bytes + .writeRows(edges, con, header = cell == at[[1L]])
            rows <- rows + nrow(edges)
        }
        c(rows = rows, bytes = bytes)
    })
    .say(verbose, format(rows, big.mark = ","), " edges of ",
        .count(length(at), "cell"), " written to ", file
    )
    invisible(file)
})
