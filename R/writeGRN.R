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

## Checks, then write(connection) into a temporary file that is renamed.
## `write` gives c(rows, bytes); the rows come back.
.writeBeside <- function(file, overwrite, write) {
    .checkText(file, "file")
    .checkFlag(overwrite, "overwrite")
    if (dir.exists(file)) {
        .stopArgument("file", "is a folder: ", file, "; name a file in it.")
    }
    if (file.exists(file) && !overwrite) {
        .stopArgument("file", "exists: ", file,
            "; choose another name or set overwrite = TRUE."
        )
    }
    partial <- .openBeside(file)
    done <- FALSE
    con <- NULL
    on.exit({
        if (!is.null(con)) close(con)
        if (!done) unlink(partial)
    })
    con <- if (grepl("\\.gz$", file)) gzfile(partial, "wb") else
        file(partial, "wb")
    result <- write(con)
    suppressWarnings(close(con))
    con <- NULL
    if (!.holdsBytes(partial, result[["bytes"]])) {
        stop("'file' could not be written whole: the disk that holds ",
            dirname(file), " is full. Free some space, or choose another ",
            "folder.",
            call. = FALSE
        )
    }
    if (!file.rename(partial, file)) {
        stop("the finished file could not be renamed to ", file,
            call. = FALSE
        )
    }
    done <- TRUE
    result[["rows"]]
}

## Does the file hold that many bytes? Connections don't say when a disk is
## full. A gzip file tells its content's size (modulo 2^32) at its end.
.holdsBytes <- function(file, bytes) {
    size <- file.size(file)
    con <- file(file, "rb")
    on.exit(close(con))
    if (!identical(readBin(con, "raw", 2L), as.raw(c(0x1f, 0x8b)))) {
        return(size == bytes)
    }
    seek(con, size - 4)
    end <- as.numeric(readBin(con, "raw", 4L))
    sum(end * 256^(0:3)) == bytes %% 2^32
}

## An empty file in the same folder; an error when that can't be had.
.openBeside <- function(file) {
    folder <- dirname(file)
    if (!dir.exists(folder)) {
        .stopArgument("file", "is in a folder that doesn't exist: ", folder,
            "; create it first."
        )
    }
    partial <- tempfile(paste0(".", basename(file), "-"), tmpdir = folder)
    if (!suppressWarnings(file.create(partial))) {
        .stopArgument("file", "can't be written: the folder ", folder,
            " is read-only or full."
        )
    }
    partial
}

.quote <- function(x) {
    bad <- grepl("[\",\r\n]", x)
    x[bad] <- paste0("\"", gsub("\"", "\"\"", x[bad], fixed = TRUE), "\"")
    x
}

## Returns the number of bytes. UTF-8 whatever the locale.
.writeRows <- function(edges, con, header) {
    lines <- if (header) paste(names(edges), collapse = ",")
    text <- lapply(edges, function(column) {
        if (is.character(column)) .quote(column) else
            formatC(column, digits = 7L, format = "g")
    })
    lines <- enc2utf8(c(lines, do.call(paste, c(unname(text), sep = ","))))
    writeLines(lines, con, useBytes = TRUE)
    sum(nchar(lines, type = "bytes") + 1)
}
