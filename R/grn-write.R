## Networks to files of edges.

#' Write edges to a file
#'
#' A table (CSV) or, with `format = "graphml"`, a graph that Cytoscape, Gephi,
#' networkx and igraph read. Edges are written in blocks of cells, so memory
#' does not grow with their number, into a temporary file beside `file` that is
#' renamed at the end: `file` is never half written, and nothing is left behind
#' after an error or an interrupt. Rows and size are said before the work.
#'
#' The cells of a [StateGRN-class] share the networks of its states, so it is
#' written as one network per state, and beside it the memberships of the cells
#' (`edges.csv` and `edges-cells.csv`); `cells` writes networks of cells.
#'
#' @param x a [CellGRN-class], [StateGRN-class] or [PooledGRN-class].
#' @param file path of the file to write. A table whose path ends in `.gz` is
#'   compressed.
#' @param cells cells by number, name or logical; NULL: all.
#' @param threshold,top,self as in [edgeTable()].
#' @param signed write the column `sign`, 1 for activation and -1 for
#'   repression? NULL: where signs are known.
#' @param format `"csv"` or `"graphml"`; NULL: by the ending of `file`.
#' @param overwrite replace an existing file?
#' @param threads threads of the engine; NULL: `causeway.threads`.
#' @param verbose say what is written?
#' @param ... not used.
#' @return The path, invisibly. A table has the columns `Gene1,Gene2,score`,
#'   before them `cell_id` or `state` where there are several networks, and
#'   `sign` at the end where known; scores with 7 significant digits, whatever
#'   `options()` say. A graph has the edge attributes `weight`, `sign` and
#'   `state`; that of a [CellGRN-class] is of the mean over the cells. Stops
#'   before any work when the file exists and `overwrite` is FALSE, when the
#'   folder is missing or can't be written, and when what is there is no
#'   regular file.
#' @seealso [edgeTable()], [saveGRN()], [networkWidget()], [toIgraph()]
#' @examples
#' file <- tempfile(fileext = ".csv")
#' writeGRN(exampleGRN(), file, top = 10)
#' head(read.csv(file))
#' unlink(file)
#' @rdname writeGRN
#' @export
setMethod("writeGRN", c("CellGRN", "ANY"), function(x, file,
    cells = NULL, threshold = NULL, top = NULL, self = TRUE,
    overwrite = FALSE, ..., signed = NULL, format = NULL, threads = NULL,
    verbose = interactive()) {
    .noDots(...)
    at <- .someCells(x, cells)
    .noSigns(x, signed)
    if (.edgeFormat(file, format) == "graphml") {
        return(writeGRN(poolGRN(x, cells = at), file, threshold, top, self,
            overwrite, format = "graphml", verbose = verbose
        ))
    }
    .checkFlag(self, "self")
    filter <- .edgeFilter(threshold, top)
    if (!is.null(filter$top)) {
        pairs <- length(x@tfs) * (length(x@genes) - !self)
        .sayRows(verbose, length(at) * min(filter$top, pairs), x, x@cells[at])
    }
    starts <- seq(1L, length(at), by = .edgeBlock(x))
    rows <- .writeParts(file, overwrite, length(starts), function(i) {
        last <- min(length(at), starts[[i]] + .edgeBlock(x) - 1L)
        .edgesOfCells(x, at[starts[[i]]:last], filter, self, threads)
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
    signed = NULL, format = NULL, verbose = interactive()) {
    .noDots(...)
    .checkFlag(self, "self")
    known <- !is.null(x@metadata$sign)
    if (!known) {
        .noSigns(x, signed)
    }
    signed <- known && (is.null(signed) || .checkFlag(signed, "signed"))
    filter <- .edgeFilter(threshold, top)
    format <- .edgeFormat(file, format)
    .filePlace(file, overwrite)
    edges <- edgeTable(x, threshold = filter$threshold, top = filter$top,
        self = self, signed = signed
    )
    rows <- .writeEdges(edges, file, overwrite, format, tfNames(x))
    .say(verbose, format(rows, big.mark = ","), " edges written to ", file)
    invisible(file)
})

#' @rdname writeGRN
#' @export
setMethod("writeGRN", c("StateGRN", "ANY"), function(x, file,
    cells = NULL, threshold = NULL, top = NULL, self = TRUE,
    overwrite = FALSE, ..., signed = NULL, format = NULL,
    verbose = interactive()) {
    .noDots(...)
    .checkFlag(self, "self")
    signed <- is.null(signed) || .checkFlag(signed, "signed")
    filter <- .edgeFilter(threshold, top)
    if (.edgeFormat(file, format) == "graphml") {
        .filePlace(file, overwrite)
        edges <- lapply(colnames(x@memberships), .edgesOfState, x = x,
            filter = filter, self = self, withSign = signed
        )
        .writeEdges(do.call(rbind, edges), file, overwrite, "graphml", x@tfs)
    } else if (is.null(cells)) {
        .writeStates(x, file, filter, self, signed, overwrite, verbose)
    } else {
        .writeStateCells(x, file, .someCells(x, cells), filter, self, signed,
            overwrite, verbose
        )
    }
    invisible(file)
})

## ---- networks of states -----------------------------------------------------

.edgesOfState <- function(x, state, filter, self, withSign) {
    scores <- cellNetwork(x, state = state, signed = TRUE)
    edges <- .matrixEdges(abs(scores), filter, self)
    if (withSign) {
        at <- cbind(match(edges$Gene1, x@tfs), match(edges$Gene2, x@genes))
        edges$sign <- as.integer(sign(scores[at]))
    }
    data.frame(state = rep(state, nrow(edges)), edges)
}

## "edges.csv.gz" -> "edges-cells.csv.gz"
.besideCells <- function(file) {
    sub("(\\.[A-Za-z]{1,4})?(\\.gz)?$", "-cells\\1\\2", file, useBytes = TRUE)
}

.writeStates <- function(x, file, filter, self, signed, overwrite, verbose) {
    states <- colnames(x@memberships)
    beside <- .besideCells(file)
    .filePlace(file, overwrite)
    .filePlace(beside, overwrite)
    pairs <- length(x@tfs) * (length(x@genes) - !self)
    .sayRows(verbose,
        length(states) * if (is.null(filter$top)) pairs else
            min(filter$top, pairs), x, states
    )
    rows <- .writeParts(file, overwrite, length(states), function(i) {
        .edgesOfState(x, states[[i]], filter, self, signed)
    })
    weights <- data.frame(cell_id = x@cells, memberships(x),
        check.names = FALSE, row.names = NULL
    )
    .writeParts(beside, overwrite, 1L, function(i) weights)
    .say(verbose, format(rows, big.mark = ","), " edges of ",
        .count(length(states), "state"), " written to ", file,
        ", memberships of ", .count(length(x@cells), "cell"), " to ", beside
    )
}

.writeStateCells <- function(x, file, at, filter, self, signed, overwrite,
    verbose) {
    if (!is.null(filter$top)) {
        pairs <- length(x@tfs) * (length(x@genes) - !self)
        .sayRows(verbose, length(at) * min(filter$top, pairs), x, x@cells[at])
    }
    rows <- .writeParts(file, overwrite, length(at), function(i) {
        edges <- .stateEdges(x, at[[i]], filter, self, signed)
        data.frame(cell_id = rep(x@cells[at[[i]]], nrow(edges)), edges)
    })
    .say(verbose, format(rows, big.mark = ","), " edges of ",
        .count(length(at), "cell"), " written to ", file
    )
}

## ---- tables and graphs ------------------------------------------------------

.edgeFormat <- function(file, format) {
    .checkText(file, "file")
    if (is.null(format)) {
        return(if (grepl("\\.graphml$", file, useBytes = TRUE)) "graphml" else
            "csv")
    }
    if (!is.character(format) || length(format) != 1L ||
        !format %in% c("csv", "graphml")) {
        .stopArgument("format", "must be \"csv\" or \"graphml\"; it is ",
            .show(format), "."
        )
    }
    format
}

.noSigns <- function(x, signed) {
    if (!is.null(signed) && .checkFlag(signed, "signed")) {
        .stopArgument("signed", "is TRUE, but the scores of this ",
            class(x)[[1L]], " have no signs; leave it NULL."
        )
    }
}

## Before the work: at most that many rows, and about that many bytes.
.sayRows <- function(verbose, rows, x, first) {
    width <- mean(nchar(first, "bytes")) + mean(nchar(x@tfs, "bytes")) +
        mean(nchar(x@genes, "bytes")) + 15
    .say(verbose, "Writing ", format(rows, big.mark = ",", scientific = FALSE),
        " edges, about ", .bytes(rows * width), "."
    )
}

## The tables part(1), part(2), ... one below the other. Returns the rows.
.writeParts <- function(file, overwrite, n, part) {
    .writeBeside(file, overwrite, function(con) {
        rows <- bytes <- 0
        for (i in seq_len(n)) {
            table <- part(i)
            bytes <- bytes + .writeRows(table, con, header = i == 1L)
            rows <- rows + nrow(table)
        }
        c(rows = rows, bytes = bytes)
    })
}

.writeEdges <- function(edges, file, overwrite, format, tfs) {
    if (format == "csv") {
        return(.writeParts(file, overwrite, 1L, function(i) edges))
    }
    names(edges)[names(edges) == "score"] <- "weight"
    nodes <- unique(c(edges$Gene1, edges$Gene2))
    graph <- igraph::graph_from_data_frame(
        edges[c("Gene1", "Gene2", setdiff(names(edges), c("Gene1", "Gene2")))],
        vertices = data.frame(name = nodes, tf = nodes %in% tfs)
    )
    .writeFile(file, overwrite, function(part) {
        igraph::write_graph(graph, part, "graphml")
        end <- readLines(part, warn = FALSE, encoding = "UTF-8")
        if (!identical(trimws(tail(end, 1L)), "</graphml>")) {
            .stopFull(part, "file", "it is full")
        }
    })
    nrow(edges)
}

## Returns the number of bytes. UTF-8 whatever the locale.
.writeRows <- function(edges, con, header) {
    lines <- .csvLines(edges, header, digits = 7L)
    writeLines(lines, con, useBytes = TRUE)
    sum(nchar(lines, type = "bytes") + 1)
}
