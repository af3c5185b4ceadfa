## Drawing networks.

## Okabe and Ito's colours, which are told apart with any colour vision.
.nodeColours <- c(TF = "#D55E00", target = "#56B4E9")
.nodeShapes <- c(TF = 22L, target = 21L)

.signColours <- c(activates = "#B2182B", represses = "#2166AC",
    `acts on` = "grey35"
)

#' Draw the strongest edges of a network
#'
#' @param x a [PooledGRN-class]; a [CellGRN-class] or [StateGRN-class], of which
#'   the mean over `cells` is drawn; or a matrix of scores, TFs x genes, as
#'   [cellNetwork()] gives (negative ones are taken for repression).
#' @param tfs TFs whose edges are drawn; NULL: all.
#' @param top number of edges: the highest scores among the edges of `tfs`,
#'   self edges left out.
#' @param cells for per-cell networks: cells by number, name or logical.
#' @param state for a [StateGRN-class], in place of `cells`: one state, by
#'   number or name.
#' @param labels which nodes are named: `"all"`, `"tfs"` or `"none"`.
#' @param title NULL: one that says what is drawn.
#' @param ... for per-cell networks: `labels`, `title`; else not used.
#' @return A `ggplot`. Nodes are TFs (orange squares) and targets (blue
#'   circles); edges run from TF to target, wider and darker for higher
#'   scores, red where the TF activates, blue where it represses, grey where the
#'   network has no signs. The verdict of networks of states is the subtitle.
#'   The layout (Fruchterman-Reingold) is the same at every call, and
#'   R's random number generator is left as it was. Labels keep clear of each
#'   other when the ggrepel package is installed; otherwise those that would
#'   overlap are not drawn. Stops when a TF isn't one of the network's.
#' @seealso [networkWidget()], [edgeTable()], [toIgraph()]
#' @examples
#' plotGRN(exampleGRN(), top = 30)
#' plotGRN(exampleGRN(), tfs = c("MYOG", "MEF2C"), top = 15)
#' plotGRN(cellNetwork(exampleGRN(), 1), top = 15)
#' @rdname plotGRN
#' @export
setMethod("plotGRN", "PooledGRN", function(x, tfs = NULL, top = 60,
    labels = c("all", "tfs", "none"), title = NULL, ...) {
    .noDots(...)
    labels <- .oneOf(labels, c("all", "tfs", "none"), "labels")
    edges <- .drawnEdges(x, tfs, top)
    if (is.null(title)) {
        title <- .networkTitle(x, tfs, nrow(edges))
    }
    .drawNetwork(edges, tfNames(x), labels, .checkText(title, "title"),
        x@metadata$verdict$text
    )
})

#' @rdname plotGRN
#' @export
setMethod("plotGRN", "CellGRN", function(x, tfs = NULL, top = 60,
    cells = NULL, ...) {
    plotGRN(poolGRN(x, cells), tfs = tfs, top = top, ...)
})

#' @rdname plotGRN
#' @export
setMethod("plotGRN", "StateGRN", function(x, tfs = NULL, top = 60,
    cells = NULL, ..., state = NULL) {
    if (is.null(state)) {
        return(plotGRN(poolGRN(x, cells), tfs = tfs, top = top, ...))
    }
    if (!is.null(cells)) {
        stop("'cells' and 'state' can't be used together; give one of them.",
            call. = FALSE
        )
    }
    plotGRN(stateNetwork(x, state), tfs = tfs, top = top, ...)
})

#' @rdname plotGRN
#' @export
setMethod("plotGRN", "matrix", function(x, tfs = NULL, top = 60, ...) {
    plotGRN(.networkOfMatrix(x), tfs = tfs, top = top, ...)
})

## Scores with their signs, of which some may be negative.
.networkOfMatrix <- function(x, ...) {
    sign <- sign(x)
    storage.mode(sign) <- "integer"
    PooledGRN(abs(x), metadata = list(...,
        sign = if (any(sign < 0L, na.rm = TRUE)) sign
    ))
}

## The `top` strongest edges of `tfs`, with column sign (0: not known).
.drawnEdges <- function(x, tfs, top, limit = 5000) {
    top <- .checkNumber(top, "top", 1, limit, whole = TRUE)
    filter <- .onlyEdges(list(top = top), x, tfs, NULL)
    edges <- .matrixEdges(x@scores, filter, self = FALSE)
    edges <- edges[edges$score > 0, ]
    if (nrow(edges) == 0L) {
        .stopArgument("x", "has no edge with a positive score to draw.")
    }
    sign <- x@metadata$sign
    edges$sign <- if (is.null(sign)) 0L else
        as.integer(sign[cbind(edges$Gene1, edges$Gene2)])
    edges
}

.knownTFs <- function(tfs, known, arg = "tfs") {
    if (!is.character(tfs) || length(tfs) == 0L) {
        .stopArgument(arg, "must be names of TFs; it is ", .show(tfs), ".")
    }
    unknown <- setdiff(tfs, known)
    if (length(unknown)) {
        .stopArgument(arg, "has names that aren't TFs of the network: ",
            .some(unknown), "; see tfNames(). inferGRN(keep = ) reads genes ",
            "that it left out."
        )
    }
}

.networkTitle <- function(x, tfs, n) {
    what <- if (is.null(tfs)) "" else paste(" of", .some(unique(tfs), 4L))
    paste0(.count(n, "strongest edge"), what, " in ", .networkSource(x))
}

## What a network is of: an estimator's, a mean of cells', a state's.
.networkSource <- function(x) {
    meta <- x@metadata
    if (!is.null(meta$drawn)) {
        return(meta$drawn)
    }
    if (is.na(x@nCells)) {
        return("the network")
    }
    if (!is.null(meta$estimator)) {
        return(paste0("the network of ", .count(x@nCells, "cell"), " (",
            meta$model, ")"
        ))
    }
    if (x@nCells == 1) "one cell" else
        paste("the mean over", .count(x@nCells, "cell"))
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
## from -> to (node numbers) with weights up to 1.
.layoutNetwork <- function(from, to, weight, n) {
    graph <- igraph::graph_from_edgelist(cbind(from, to), directed = FALSE)
    part <- igraph::components(graph)$membership
    pieces <- lapply(split(seq_len(n), part), function(nodes) {
        inside <- from %in% nodes
        list(nodes = nodes, place = .layoutPart(match(from[inside], nodes),
            match(to[inside], nodes), weight[inside], length(nodes)
        ))
    })
    place <- .packParts(pieces, n)
    half <- apply(place, 2L, function(v) max(diff(range(v)) / 2, 1e-9))
    middle <- apply(place, 2L, function(v) mean(range(v)))
    sweep(sweep(place, 2L, middle), 2L, half, `/`)
}

## A connected part, about as large as its nodes need; the start is a spiral.
.layoutPart <- function(from, to, weight, n) {
    golden <- pi * (3 - sqrt(5))
    start <- sqrt(seq_len(n)) * cbind(cos(golden * seq_len(n)),
        sin(golden * seq_len(n))
    )
    graph <- igraph::graph_from_edgelist(cbind(from, to), directed = FALSE)
    place <- .fixedRandomState(igraph::layout_with_fr(graph, coords = start,
        weights = 0.3 + 0.1 * weight, niter = 2000, grid = "nogrid"
    ))
    place <- sweep(place, 2L, apply(place, 2L, function(v) mean(range(v))))
    place * sqrt(n) / max(sqrt(rowSums(place^2)), 1e-9)
}

## Parts side by side in rows, the largest first, about 1.4 times as wide as
## high.
.packParts <- function(pieces, n) {
    size <- vapply(pieces, function(p) {
        2 * apply(abs(p$place), 2L, max) + 1.6
    }, numeric(2))
    order <- order(-size[2L, ])
    wide <- max(size[1L, ], sqrt(1.4 * sum(size[1L, ] * size[2L, ])))
    out <- matrix(0, n, 2L)
    x <- y <- high <- 0
    for (i in order) {
        if (x > 0 && x + size[1L, i] > wide * 1.001) {
            y <- y - high
            x <- high <- 0
        }
        high <- max(high, size[2L, i])
        shift <- c(x + size[1L, i] / 2, y - size[2L, i] / 2)
        out[pieces[[i]]$nodes, ] <- sweep(pieces[[i]]$place, 2L, shift, `+`)
        x <- x + size[1L, i]
    }
    out
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
    ## heads end at the rim of their node
    gap <- pmin(ifelse(to$kind == "TF", 0.065, 0.05), long / 3)
    list(nodes = nodes, edges = data.frame(
        x = from$x, y = from$y,
        xend = to$x - (to$x - from$x) * gap / long,
        yend = to$y - (to$y - from$y) * gap / long,
        score = edges$score,
        effect = factor(c("represses", "acts on", "activates")[edges$sign + 2L],
            levels = names(.signColours)
        )
    ))
}

.drawNetwork <- function(edges, tfs, labels, title, subtitle = NULL) {
    g <- .networkGeometry(edges, tfs)
    .data <- ggplot2::.data
    plot <- ggplot2::ggplot() +
        ggplot2::geom_segment(
            ggplot2::aes(
                x = .data$x, y = .data$y, xend = .data$xend,
                yend = .data$yend, linewidth = .data$score,
                alpha = .data$score, colour = .data$effect
            ),
            data = g$edges[order(g$edges$score), ],
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
    .networkTheme(.addLabels(plot, g$nodes, labels), title, subtitle,
        any(edges$sign != 0L)
    )
}

.networkTheme <- function(plot, title, subtitle, signs) {
    plot + .networkScales(signs) +
        ggplot2::scale_x_continuous(
            expand = ggplot2::expansion(mult = 0.08)
        ) +
        ggplot2::scale_y_continuous(
            expand = ggplot2::expansion(mult = 0.08)
        ) +
        ggplot2::coord_equal(clip = "off") +
        ggplot2::labs(title = .wrapped(title, 66L),
            subtitle = .wrapped(subtitle, 88L)
        ) +
        ggplot2::theme_void(base_size = 11) +
        ggplot2::theme(
            plot.margin = ggplot2::margin(8, 8, 8, 8),
            plot.title.position = "plot",
            plot.subtitle = ggplot2::element_text(size = 9,
                colour = "grey30"
            ),
            plot.background = ggplot2::element_rect(
                fill = "white", colour = NA
            )
        )
}

.networkScales <- function(signs) {
    list(
        ggplot2::scale_linewidth(range = c(0.4, 1.5), name = "score"),
        ggplot2::scale_alpha(range = c(0.55, 1), name = "score"),
        ggplot2::scale_colour_manual(values = .signColours, name = NULL,
            guide = if (signs) "legend" else "none"
        ),
        ggplot2::scale_fill_manual(values = .nodeColours, name = NULL),
        ggplot2::scale_shape_manual(values = .nodeShapes, name = NULL),
        ggplot2::scale_size_manual(values = c(TF = 4.5, target = 3),
            name = NULL
        )
    )
}

## Titles in lines that fit on the page.
.wrapped <- function(text, width) {
    if (is.null(text)) {
        return(NULL)
    }
    paste(unlist(lapply(text, strwrap, width = width)), collapse = "\n")
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
