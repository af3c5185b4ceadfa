## Drawing networks.

## Okabe and Ito's colours, which are told apart with any colour vision.
.nodeColours <- c(TF = "#D55E00", target = "#56B4E9")
.nodeShapes <- c(TF = 22L, target = 21L)

#' Draw the strongest edges of a network
#'
#' @param x a [CellGRN-class] (the mean over `cells` is drawn) or a
#'   [PooledGRN-class].
#' @param tfs TFs whose edges are drawn; NULL: all.
#' @param top number of edges: the highest scores among the edges of `tfs`,
#'   self edges left out.
#' @param cells for a [CellGRN-class]: cells by number, name or logical.
#' @param labels which nodes are named: `"all"`, `"tfs"` or `"none"`.
#' @param title NULL: one that says what is drawn.
#' @param ... for a [CellGRN-class]: passed on.
#' @return A `ggplot`. Nodes are TFs (orange squares) and targets (blue
#'   circles); edges run from TF to target, wider and darker for higher
#'   scores. The layout (Fruchterman-Reingold) is the same at every call, and
#'   R's random number generator is left as it was. Labels keep clear of each
#'   other when the ggrepel package is installed; otherwise those that would
#'   overlap are not drawn. Stops when a TF isn't one of the network's.
#' @seealso [networkWidget()], [edgeTable()], [toIgraph()]
#' @examples
#' plotGRN(exampleGRN(), top = 30)
#' plotGRN(exampleGRN(), tfs = c("MYOG", "MEF2C"), top = 15)
#' @rdname plotGRN
#' @export
setMethod("plotGRN", "PooledGRN", function(x, tfs = NULL, top = 60,
    labels = c("all", "tfs", "none"), title = NULL, ...) {
    labels <- match.arg(labels)
    top <- .checkNumber(top, "top", 1, 5000, whole = TRUE)
    scores <- x@scores
    if (!is.null(tfs)) {
        .knownTFs(tfs, rownames(scores))
        scores <- scores[unique(tfs), , drop = FALSE]
    }
    edges <- .matrixEdges(scores, list(top = top), self = FALSE)
    edges <- edges[edges$score > 0, ]
    if (nrow(edges) == 0L) {
        .stopArgument("x", "has no edge with a positive score to draw.")
    }
    if (is.null(title)) {
        title <- .networkTitle(x, tfs, nrow(edges))
    }
    .drawNetwork(edges, rownames(x@scores), labels, title)
})

#' @rdname plotGRN
#' @export
setMethod("plotGRN", "CellGRN", function(x, tfs = NULL, top = 60,
    cells = NULL, ...) {
    plotGRN(poolGRN(x, cells), tfs = tfs, top = top, ...)
})

.knownTFs <- function(tfs, known) {
    if (!is.character(tfs) || length(tfs) == 0L) {
        .stopArgument("tfs", "must be names of TFs; it is ", .show(tfs), ".")
    }
    unknown <- setdiff(tfs, known)
    if (length(unknown)) {
        .stopArgument("tfs", "has names that aren't TFs of the network: ",
            .some(unknown), "; see tfNames()."
        )
    }
}

.networkTitle <- function(x, tfs, n) {
    where <- if (is.na(x@nCells)) "the network" else
        if (x@nCells == 1) "one cell" else
            paste("the mean over", .count(x@nCells, "cell"))
    what <- if (is.null(tfs)) "" else paste(" of", .some(unique(tfs), 4L))
    paste0(n, " strongest edges", what, " in ", where)
}

## Runs expr with a generator in a fixed state (Wichmann-Hill, whose state is
## three numbers), then puts the user's generator and its state back.
.fixedRandomState <- function(expr) {
    if (!exists(".Random.seed", globalenv(), inherits = FALSE)) {
        stats::runif(1L)
    }
    old <- get(".Random.seed", globalenv(), inherits = FALSE)
    on.exit(assign(".Random.seed", old, envir = globalenv()))
    assign(".Random.seed", c(10300L, 101L, 202L, 303L), envir = globalenv())
    expr
}

## Positions within [-1, 1] of nodes 1..n, the same at every call, for edges
## from -> to (node numbers) with weights up to 1; the start is a spiral.
.layoutNetwork <- function(from, to, weight, n) {
    golden <- pi * (3 - sqrt(5))
    angle <- golden * seq_len(n)
    start <- sqrt(seq_len(n)) * cbind(cos(angle), sin(angle))
    ## Parts that don't touch repel each other and would drift far apart: a
    ## weak, unseen hub, node n + 1, holds them together.
    ends <- rbind(cbind(from, to), cbind(n + 1L, seq_len(n)))
    graph <- igraph::graph_from_edgelist(unname(ends), directed = FALSE)
    place <- .fixedRandomState(igraph::layout_with_fr(graph,
        coords = rbind(start, 0),
        weights = c(0.3 + 0.1 * weight, rep(0.12, n)),
        niter = 2000, grid = "nogrid"
    ))[seq_len(n), , drop = FALSE]
    half <- apply(place, 2L, function(v) max(diff(range(v)) / 2, 1e-9))
    middle <- apply(place, 2L, function(v) mean(range(v)))
    sweep(sweep(place, 2L, middle), 2L, half, `/`)
}

## Node and edge tables with positions; edges end short of their target.
.networkGeometry <- function(edges, tfs) {
    name <- unique(c(edges$Gene1, edges$Gene2))
    place <- .layoutNetwork(
        match(edges$Gene1, name), match(edges$Gene2, name),
        edges$score / max(edges$score), length(name)
    )
    nodes <- data.frame(
        name = name,
        kind = factor(ifelse(name %in% tfs, "TF", "target"),
            levels = c("TF", "target")
        ),
        x = 1.4 * place[, 1L], y = place[, 2L]
    )
    from <- nodes[match(edges$Gene1, nodes$name), ]
    to <- nodes[match(edges$Gene2, nodes$name), ]
    long <- pmax(sqrt((to$x - from$x)^2 + (to$y - from$y)^2), 1e-9)
    gap <- pmin(0.05, long / 4)
    list(nodes = nodes, edges = data.frame(
        x = from$x, y = from$y,
        xend = to$x - (to$x - from$x) * gap / long,
        yend = to$y - (to$y - from$y) * gap / long,
        score = edges$score
    ))
}

.drawNetwork <- function(edges, tfs, labels, title) {
    g <- .networkGeometry(edges, tfs)
    .data <- ggplot2::.data
    plot <- ggplot2::ggplot() +
        ggplot2::geom_segment(
            ggplot2::aes(
                x = .data$x, y = .data$y, xend = .data$xend,
                yend = .data$yend, linewidth = .data$score,
                alpha = .data$score
            ),
            data = g$edges[order(g$edges$score), ], colour = "grey25",
            arrow = ggplot2::arrow(
                length = ggplot2::unit(1.8, "mm"), type = "closed"
            )
        ) +
        ggplot2::geom_point(
            ggplot2::aes(
                x = .data$x, y = .data$y, fill = .data$kind,
                shape = .data$kind, size = .data$kind
            ),
            data = g$nodes[order(g$nodes$kind, decreasing = TRUE), ],
            colour = "white", stroke = 0.6
        )
    .networkTheme(.addLabels(plot, g$nodes, labels), title)
}

.networkTheme <- function(plot, title) {
    plot +
        ggplot2::scale_linewidth(range = c(0.25, 1.4), name = "score") +
        ggplot2::scale_alpha(range = c(0.25, 0.9), name = "score") +
        ggplot2::scale_fill_manual(values = .nodeColours, name = NULL) +
        ggplot2::scale_shape_manual(values = .nodeShapes, name = NULL) +
        ggplot2::scale_size_manual(values = c(TF = 5, target = 3.2),
            name = NULL
        ) +
        ggplot2::scale_x_continuous(
            expand = ggplot2::expansion(mult = 0.08)
        ) +
        ggplot2::scale_y_continuous(
            expand = ggplot2::expansion(mult = 0.08)
        ) +
        ggplot2::coord_equal(clip = "off") +
        ggplot2::labs(title = title) +
        ggplot2::theme_void(base_size = 11) +
        ggplot2::theme(
            plot.margin = ggplot2::margin(8, 8, 8, 8),
            plot.background = ggplot2::element_rect(
                fill = "white", colour = NA
            )
        )
}

.addLabels <- function(plot, nodes, labels) {
    .data <- ggplot2::.data
    if (labels == "none") {
        return(plot)
    }
    if (labels == "tfs") {
        nodes <- nodes[nodes$kind == "TF", ]
    }
    nodes$face <- ifelse(nodes$kind == "TF", "bold", "plain")
    map <- ggplot2::aes(
        x = .data$x, y = .data$y, label = .data$name, fontface = .data$face
    )
    layer <- if (requireNamespace("ggrepel", quietly = TRUE)) {
        ggrepel::geom_text_repel(map,
            data = nodes, size = 3, seed = 1, max.overlaps = Inf,
            point.padding = 2, box.padding = 0.2, min.segment.length = 0.6,
            segment.colour = "grey60", segment.size = 0.25,
            bg.colour = "white", bg.r = 0.12
        )
    } else {
        ggplot2::geom_text(map,
            data = nodes, size = 3, vjust = -1, check_overlap = TRUE
        )
    }
    plot + layer
}

#' @rdname StateGRN-class
#' @export
setMethod("plotGRN", "StateGRN", function(x, tfs = NULL, top = 60,
    cells = NULL, ...) {
    plotGRN(poolGRN(x, cells), tfs = tfs, top = top, ...)
})
