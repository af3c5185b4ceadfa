## One edge over cells.

#' Draw one edge over the cells
#'
#' The score of an edge in each cell, over two coordinates of the cells, with
#' the expression of the TF and of the target beside it: an edge that
#' is only high where its genes are shows up as such.
#'
#' @param x a [CellGRN-class] or [StateGRN-class].
#' @param tf,target names of a TF and of a gene of `x`.
#' @param embedding NULL: two principal components of the expression in `x`
#'   (its 200 most variable genes, standardised); or a matrix, cells x two or
#'   more dimensions, with cell names or in the order of `x`; or a
#'   `SingleCellExperiment` that has `dimred`.
#' @param dimred name or number of a `reducedDim` of `embedding`; of a matrix
#'   its first two columns are used.
#' @param size of the points; NULL: by the number of cells.
#' @param title NULL: one that names the edge.
#' @param ... not used.
#' @return A `ggplot` with three panels. Colours run in each panel from 0 to the
#'   99th percentile of the positive values, which the panel's name gives; high
#'   values are drawn on top. Stops when a name is unknown or coordinates don't
#'   fit. The verdict of networks of states is the
#'   subtitle.
#' @seealso [edgeTable()], [contrastGRN()], [switchingEdges()]
#' @examples
#' grn <- exampleGRN()
#' plotEdge(grn, "MYOG", "CKM")
#' plotEdge(grn, "MYOG", "CKM", embedding = cbind(grn$time, 0))
#' @export
plotEdge <- function(x, tf, target, embedding = NULL, dimred = 1,
    size = NULL, title = NULL, ...) {
    .noDots(..., renamed = c(coordinates = "embedding"))
    if (!methods::is(x, "PerCellNetworks")) {
        .stopArgument("x", "must be per-cell networks, a CellGRN or a ",
            "StateGRN; it is a ", class(x)[[1L]], "."
        )
    }
    .given(tf, "tf", "one of tfNames(x)")
    .given(target, "target", "one of geneNames(x)")
    .knownTFs(.checkText(tf, "tf"), tfNames(x), "tf")
    if (!.checkText(target, "target") %in% geneNames(x)) {
        .stopArgument("target", "is \"", target, "\", which isn't a gene of ",
            "the networks; see geneNames(). inferGRN(keep = \"", target, "\") ",
            "reads it beside the variable genes."
        )
    }
    if (!is.null(size)) {
        .checkNumber(size, "size", 0, 20, open = TRUE)
    }
    place <- .cellCoordinates(x, embedding, dimred)
    at <- cbind(match(tf, tfNames(x)), match(target, geneNames(x)))
    columns <- .networkColumns(x, seq_along(cellNames(x)))
    parts <- lapply(.columnBlocks(length(columns$first)), function(part) {
        .edgeScores(x, columns$first[part], at)
    })
    score <- unlist(parts, use.names = FALSE)[columns$of]
    value <- function(gene) {
        at <- match(gene, geneNames(x))
        unlist(.valueBlocks(x@expression, function(v, cells) v[at, ]))
    }
    panels <- list(
        .edgePanel(paste0("score of ", tf, " > ", target), score),
        .edgePanel(paste0("expression of ", tf), value(tf)),
        .edgePanel(paste0("expression of ", target), value(target))
    )
    if (is.null(title)) {
        title <- paste0(tf, " > ", target, " in ",
            .count(length(score), "cell")
        )
    }
    .drawEdge(panels, place, size, title,
        if (methods::is(x, "StateGRN")) verdict(x)$text
    )
}

.edgePanel <- function(name, value) {
    there <- value[value > 0]
    most <- if (length(there)) stats::quantile(there, 0.99) else 0
    list(
        name = sprintf("%s\n0 to %s", name, format(signif(most, 2L))),
        shade = if (most > 0) pmax(pmin(value / most, 1), 0) else 0 * value
    )
}

## cells x 2, with column names.
.cellCoordinates <- function(x, embedding, dimred) {
    cells <- cellNames(x)
    if (is.null(embedding)) {
        return(.principalPlane(x@expression))
    }
    if (.kindOf(embedding) == "SingleCellExperiment") {
        embedding <- .reducedDimOf(embedding, dimred)
    }
    embedding <- as.matrix(embedding)
    if (!is.null(rownames(embedding)) &&
        any(cells %in% rownames(embedding))) {
        at <- match(cells, rownames(embedding))
        if (anyNA(at)) {
            .stopArgument("embedding", "lacks ", sum(is.na(at)), " cells of ",
                "the networks: ", .some(cells[is.na(at)]), "."
            )
        }
        embedding <- embedding[at, , drop = FALSE]
    }
    if (!is.numeric(embedding) || nrow(embedding) != length(cells) ||
        ncol(embedding) < 2L || !all(is.finite(embedding[, 1:2]))) {
        .stopArgument("embedding", "must be finite numbers, cells x 2, with ",
            length(cells), " rows; it is ", nrow(embedding), " x ",
            ncol(embedding), "."
        )
    }
    out <- embedding[, 1:2]
    if (is.null(colnames(out))) {
        colnames(out) <- paste("dimension", 1:2)
    }
    out
}

.reducedDimOf <- function(sce, dimred) {
    names <- SingleCellExperiment::reducedDimNames(sce)
    if (!length(names)) {
        .stopArgument("embedding", "has no reducedDim.")
    }
    known <- if (is.character(dimred)) dimred %in% names else
        dimred %in% seq_along(names)
    if (length(dimred) != 1L || !known) {
        .stopArgument("dimred", "must be one of ", .some(names, 8L),
            "; it is ", .show(dimred), "."
        )
    }
    point <- as.matrix(SingleCellExperiment::reducedDim(sce, dimred))
    if (is.null(rownames(point))) {
        rownames(point) <- colnames(sce)
    }
    name <- if (is.character(dimred)) dimred else names[[dimred]]
    if (nzchar(name)) {
        colnames(point) <- paste(name, seq_len(ncol(point)))
    }
    point
}

## Two principal components of the most variable genes.
.principalPlane <- function(expression, genes = 200L) {
    z <- .standardiser(expression)
    keep <- which(z$scale > 0)
    keep <- head(keep[order(z$scale[keep])], genes)
    plane <- matrix(0, ncol(expression), 2L,
        dimnames = list(NULL, paste("component", 1:2))
    )
    if (length(keep) >= 2L) {
        each <- function(f) .valueBlocks(expression, function(v, at) {
            f(t((as.matrix(v[keep, , drop = FALSE]) - z$mean[keep]) *
                z$scale[keep]), at)
        })
        products <- Reduce(`+`, each(function(v, at) crossprod(v)))
        axes <- eigen(products, symmetric = TRUE)$vectors[, 1:2]
        ## a sign that doesn't hang on the linear algebra
        axes <- sweep(axes, 2L, ifelse(colSums(axes^3) < 0, -1, 1), `*`)
        each(function(v, at) plane[at, ] <<- v %*% axes)
    }
    plane
}

.drawEdge <- function(panels, place, size, title, subtitle) {
    names <- vapply(panels, `[[`, "", "name")
    points <- do.call(rbind, lapply(panels, function(p) {
        d <- data.frame(x = place[, 1L], y = place[, 2L], shade = p$shade,
            panel = p$name
        )
        d[order(d$shade), ]
    }))
    points$panel <- factor(points$panel, unique(names))
    if (is.null(size)) {
        size <- max(0.3, min(2, 60 / sqrt(nrow(place))))
    }
    .data <- ggplot2::.data
    ggplot2::ggplot(points, ggplot2::aes(.data$x, .data$y,
        colour = .data$shade)) +
        ggplot2::geom_point(size = size) +
        ggplot2::facet_wrap(~panel, nrow = 1L) +
        ggplot2::scale_colour_gradientn(
            colours = c("grey88", "#FDBB84", "#E34A33", "#7F0000"),
            limits = c(0, 1), breaks = c(0, 1), labels = c("0", "high"),
            name = NULL
        ) +
        ggplot2::labs(title = title, subtitle = .wrapped(subtitle, 92L),
            x = colnames(place)[[1L]], y = colnames(place)[[2L]]
        ) +
        ggplot2::theme_bw(base_size = 11) +
        ggplot2::theme(
            panel.grid = ggplot2::element_blank(),
            axis.text = ggplot2::element_blank(),
            axis.ticks = ggplot2::element_blank(),
            plot.subtitle = ggplot2::element_text(size = 9,
                colour = "grey30"
            ),
            strip.background = ggplot2::element_rect(fill = "grey95")
        )
}
