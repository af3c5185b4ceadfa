## Lists of edges.

.defaultTop <- 1000L

## `threshold` and `top` -> list(threshold =) or list(top =).
.edgeFilter <- function(threshold, top, quiet = FALSE) {
    if (!is.null(threshold) && !is.null(top)) {
        stop("'threshold' and 'top' can't be used together; give one of them.",
            call. = FALSE
        )
    }
    if (!is.null(threshold)) {
        return(list(threshold = .checkNumber(threshold, "threshold")))
    }
    if (is.null(top)) {
        if (!quiet) {
            message("neither 'threshold' nor 'top' given: the ", .defaultTop,
                " highest edges of each network are kept"
            )
        }
        top <- .defaultTop
    }
    if (identical(top, Inf)) {
        top <- .Machine$integer.max
    }
    list(top = .checkNumber(top, "top", 1, 2^53, whole = TRUE))
}

## The filter with the TFs and genes whose edges are wanted; NULL: all.
.onlyEdges <- function(filter, x, tfs, targets) {
    if (!is.null(tfs)) {
        .knownTFs(tfs, tfNames(x))
        filter$tfs <- unique(tfs)
    }
    if (!is.null(targets)) {
        .knownGenes(targets, geneNames(x))
        filter$targets <- unique(targets)
    }
    filter
}

.knownGenes <- function(targets, known) {
    if (!is.character(targets) || length(targets) == 0L) {
        .stopArgument("targets", "must be names of genes; it is ",
            .show(targets), "."
        )
    }
    unknown <- setdiff(targets, known)
    if (length(unknown)) {
        .stopArgument("targets", "has names that aren't genes of the network: ",
            .some(unknown), "; see geneNames(). inferGRN(keep = ) reads genes ",
            "that it left out."
        )
    }
}

#' Edges as a table
#'
#' @param x a [CellGRN-class] or [PooledGRN-class].
#' @param cells cells by number, name or logical; NULL: all.
#' @param threshold keep edges with a score of at least this.
#' @param top keep this many of the highest edges of each network, exactly;
#'   among equal scores the edge that comes first by TF, then gene, wins.
#'   `Inf`: all. `threshold` and `top` together are an error; with neither,
#'   `top = 1000` and a message says so.
#' @param self keep self edges (a TF onto itself)?
#' @param tfs,targets names: keep only edges from these TFs, or to these genes;
#'   `top` and `threshold` then hold among them.
#' @param signed for a [PooledGRN-class] or [StateGRN-class]: add the column
#'   `sign`, 1 for activation and -1 for repression, see [edgeSign()]?
#' @param threads threads of the engine; NULL: `causeway.threads`.
#' @param ... not used.
#' @return A data.frame with the columns `Gene1` (the TF), `Gene2` (the
#'   target) and `score`, highest score first within a network; when more than
#'   one cell is asked for, `cell_id` comes before them and cells keep the
#'   order asked for. Of a network that [inferGRN()] estimates without a model
#'   also `cells`, in how many cells both ends are seen, and `reliability`, the
#'   factor by which the score was lowered because it rests on few cells (see
#'   [inferGRN-pooled]). Stops when the table would have more than 2^31 - 1 rows
#'   ([writeGRN()] has no such limit).
#' @seealso [writeGRN()] for files, [poolGRN()] for means over cells.
#' @examples
#' grn <- exampleGRN()
#' head(edgeTable(grn, cells = 1:2, top = 5))
#' edgeTable(grn, cells = "cell01", threshold = 0.4)
#' edgeTable(poolGRN(grn), top = 5, self = FALSE)
#' edgeTable(poolGRN(grn), top = 5, targets = c("CKM", "DES"))
#' @rdname edgeTable
#' @export
setMethod("edgeTable", "CellGRN", function(x, cells = NULL, threshold = NULL,
    top = NULL, self = TRUE, ..., tfs = NULL, targets = NULL, threads = NULL) {
    .noDots(...)
    at <- .someCells(x, cells)
    .checkFlag(self, "self")
    filter <- .onlyEdges(.edgeFilter(threshold, top), x, tfs, targets)
    .checkRows(x, at, filter, self, threads)
    starts <- seq(1L, length(at), by = .edgeBlock(x))
    parts <- lapply(starts, function(first) {
        block <- at[first:min(length(at), first + .edgeBlock(x) - 1L)]
        .edgesOfCells(x, block, filter, self, threads)
    })
    table <- do.call(rbind, parts)
    if (length(at) == 1L) {
        table$cell_id <- NULL
    }
    table
})

## Cells whose edges are made at a time.
.edgeBlock <- function(x) {
    size <- as.numeric(length(x@tfs)) * length(x@genes)
    as.integer(max(1, min(64, floor(2e7 / size), .blockCells(x))))
}

.checkRows <- function(x, at, filter, self, threads) {
    if (is.null(filter$top)) {
        return(invisible())
    }
    most <- as.numeric(length(x@tfs)) * length(x@genes)
    rows <- length(at) * min(most, filter$top)
    if (rows > .Machine$integer.max) {
        .stopArgument("top", "asks for ", format(rows, big.mark = ","),
            " rows in all, more than a table can have; ask for fewer, or ",
            "use writeGRN()."
        )
    }
}

## The edges of a block of cells, as a table with cell_id.
.edgesOfCells <- function(x, at, filter, self, threads = NULL) {
    if (!is.null(filter$tfs) || !is.null(filter$targets)) {
        tables <- lapply(at, function(cell) {
            edges <- .matrixEdges(cellNetwork(x, cell, threads = threads),
                filter, self
            )
            data.frame(cell_id = rep(x@cells[cell], nrow(edges)), edges)
        })
        return(do.call(rbind, tables))
    }
    part <- .cellView(x, at)
    threads <- .threads(threads)
    if (is.null(filter$top)) {
        count <- .Call(cw_r_network_count, part$view, part$cells,
            filter$threshold, self, threads
        )
        if (sum(count) > .Machine$integer.max) {
            .stopArgument("threshold", "leaves ",
                format(sum(count), big.mark = ","),
                " edges in a few cells, more than a table can have; raise it."
            )
        }
        e <- .Call(cw_r_network_above, part$view, part$cells,
            filter$threshold, self, sum(count), threads
        )
        cell <- rep(seq_along(at), count)
        order <- order(cell, -e$score)
        e <- list(cell = cell[order], tf = e$tf[order], gene = e$gene[order],
            score = e$score[order]
        )
    } else {
        e <- .Call(cw_r_network_top, part$view, part$cells,
            as.numeric(filter$top), self, threads
        )
    }
    data.frame(
        cell_id = x@cells[at][e$cell], Gene1 = x@tfs[e$tf],
        Gene2 = x@genes[e$gene], score = e$score
    )
}

#' @rdname edgeTable
#' @export
setMethod("edgeTable", "PooledGRN", function(x, threshold = NULL, top = NULL,
    self = TRUE, ..., signed = FALSE, tfs = NULL, targets = NULL) {
    .noDots(..., renamed = c(sign = "signed"))
    .checkFlag(self, "self")
    .checkFlag(signed, "signed")
    filter <- .onlyEdges(.edgeFilter(threshold, top), x, tfs, targets)
    edges <- .matrixEdges(x@scores, filter, self)
    if (signed) {
        edges$sign <- edgeSign(x, edges)
    }
    at <- cbind(match(edges$Gene1, tfNames(x)), match(edges$Gene2,
        geneNames(x)
    ))
    for (name in c("cells", "reliability")) {
        edges[[name]] <- x@metadata[[name]][at]
    }
    edges
})

## The edges of a TF x gene matrix; ties in the order of TF, then gene.
.matrixEdges <- function(scores, filter, self) {
    if (!is.null(filter$tfs)) {
        scores <- scores[rownames(scores) %in% filter$tfs, , drop = FALSE]
    }
    if (!is.null(filter$targets)) {
        scores <- scores[, colnames(scores) %in% filter$targets, drop = FALSE]
    }
    flat <- as.vector(t(scores))
    tf <- rep(rownames(scores), each = ncol(scores))
    gene <- rep(colnames(scores), times = nrow(scores))
    keep <- if (self) rep(TRUE, length(flat)) else tf != gene
    if (is.null(filter$top)) {
        keep <- keep & flat >= filter$threshold
    }
    keep <- which(keep)
    keep <- keep[order(-flat[keep], method = "radix")]
    if (!is.null(filter$top)) {
        keep <- head(keep, filter$top)
    }
    data.frame(Gene1 = tf[keep], Gene2 = gene[keep], score = flat[keep])
}

#' @rdname PooledGRN-class
#' @method as.data.frame PooledGRN
#' @export
as.data.frame.PooledGRN <- function(x, row.names = NULL, optional = FALSE,
    ...) {
    .matrixEdges(x@scores, list(top = length(x@scores)), TRUE)
}

#' Networks as igraph graphs
#'
#' `as(x, "igraph")` is the same with the defaults; a [CellGRN-class] is pooled
#' over its cells first.
#'
#' @param x a [CellGRN-class] or [PooledGRN-class].
#' @param top highest edges kept; NULL: `getOption("causeway.igraphTop", 1000)`.
#' @param threshold or: the lowest score kept.
#' @param self keep self edges?
#' @param ... not used.
#' @return A directed `igraph` graph; edges run from TF to target and have the
#'   attribute `weight` (the score), vertices have `name` and `tf` (logical).
#' @section Errors: numbers out of range; an `x` that is no network.
#' @seealso [plotGRN()], [networkWidget()]
#' @examples
#' graph <- toIgraph(poolGRN(exampleGRN()), top = 20)
#' igraph::ecount(graph)
#' as(exampleGRN(), "igraph")
#' @rdname toIgraph
#' @export
setMethod("toIgraph", "PooledGRN", function(x, top = NULL, threshold = NULL,
    self = FALSE, ...) {
    .noDots(...)
    if (is.null(top) && is.null(threshold)) {
        top <- getOption("causeway.igraphTop", .defaultTop)
    }
    edges <- edgeTable(x, threshold = threshold, top = top, self = self)
    .edgesToIgraph(edges, tfNames(x))
})

.edgesToIgraph <- function(edges, tfs) {
    names(edges)[names(edges) == "score"] <- "weight"
    nodes <- unique(c(edges$Gene1, edges$Gene2))
    igraph::graph_from_data_frame(edges[c("Gene1", "Gene2", "weight")],
        directed = TRUE,
        vertices = data.frame(name = nodes, tf = nodes %in% tfs)
    )
}

#' @rdname toIgraph
#' @export
setMethod("toIgraph", "CellGRN", function(x, ...) toIgraph(poolGRN(x), ...))

setAs("PooledGRN", "igraph", function(from) toIgraph(from))
setAs("CellGRN", "igraph", function(from) toIgraph(from))

## The edges of one cell.
.stateEdges <- function(x, cell, filter, self, withSign) {
    signed <- .nameScores(.mixedScores(x, x@memberships[cell, ]), x)
    edges <- .matrixEdges(abs(signed), filter, self)
    if (withSign) {
        at <- cbind(match(edges$Gene1, x@tfs), match(edges$Gene2, x@genes))
        edges$sign <- as.integer(sign(signed[at]))
    }
    edges
}

#' @rdname StateGRN-class
#' @export
setMethod("edgeTable", "StateGRN", function(x, cells = NULL, threshold = NULL,
    top = NULL, self = TRUE, ..., signed = FALSE, tfs = NULL,
    targets = NULL) {
    .noDots(..., renamed = c(sign = "signed"))
    at <- .someCells(x, cells)
    .checkFlag(self, "self")
    .checkFlag(signed, "signed")
    filter <- .onlyEdges(.edgeFilter(threshold, top), x, tfs, targets)
    .checkRows(x, at, filter, self, NULL)
    same <- .sameMemberships(x, at)
    tables <- lapply(same$first, .stateEdges, x = x, filter = filter,
        self = self, withSign = signed
    )
    if (length(at) == 1L) {
        return(tables[[1L]])
    }
    rows <- vapply(tables, nrow, integer(1))[same$of]
    table <- do.call(rbind, tables[same$of])
    data.frame(cell_id = rep(x@cells[at], rows), table)
})

#' @rdname StateGRN-class
#' @export
setMethod("toIgraph", "StateGRN", function(x, ...) toIgraph(poolGRN(x), ...))

setAs("StateGRN", "igraph", function(from) toIgraph(from))

#' Activation or repression
#'
#' The sign of the edges of a network made by [inferGRN()] without a
#' foundation model: that of the ridge slope or (partial) correlation over the
#' cells. It is an association: a repressor that is made along with its
#' target's activator can look like an activator.
#'
#' @param x a [PooledGRN-class] with signs.
#' @param edges NULL, or a data.frame with columns Gene1 and Gene2, such as
#'   [edgeTable()] gives.
#' @return Without `edges` an integer matrix TFs x genes of -1, 0 and 1; with
#'   `edges` one such number per row. Stops when the network has no signs, or
#'   an edge is not in it.
#' @seealso [edgeTable()], [GRNParam-class]
#' @examples
#' grn <- inferGRN(exampleCells(), RidgeGRNParam(), nTargets = 30)
#' edges <- edgeTable(grn, top = 5)
#' edges$sign <- edgeSign(grn, edges)
#' edges
#' @export
edgeSign <- function(x, edges = NULL) {
    if (!is(x, "PooledGRN")) {
        .stopArgument("x", "must be a PooledGRN; it is a ", class(x)[[1L]],
            "."
        )
    }
    sign <- x@metadata$sign
    if (is.null(sign)) {
        .stopArgument("x", "has no signs; networks that inferGRN() estimates ",
            "without a foundation model have them."
        )
    }
    if (is.null(edges)) {
        return(sign)
    }
    if (!is.data.frame(edges) ||
        !all(c("Gene1", "Gene2") %in% names(edges))) {
        .stopArgument("edges", "must be a data.frame with columns Gene1 and ",
            "Gene2; it is ", .show(names(edges)), "."
        )
    }
    at <- cbind(
        match(edges$Gene1, rownames(sign)), match(edges$Gene2, colnames(sign))
    )
    if (anyNA(at)) {
        bad <- which(is.na(at[, 1L]) | is.na(at[, 2L]))
        .stopArgument("edges", "has edges that are not in 'x': ",
            .some(paste(edges$Gene1, edges$Gene2)[bad]), "."
        )
    }
    sign[at]
}
