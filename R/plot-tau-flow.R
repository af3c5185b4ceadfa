## The flow of cell states, drawn.

#' Plot the flow of cell states
#'
#' Arrows of the flow that the delays of all genes give, on two dimensions:
#' the fit's own embedding, or one of the container's. The flow runs from
#' where chromatin is ahead to where RNA has followed; no root is given to it.
#'
#' @param x a [TauFit-class] of method `"anchored"`.
#' @param cells NULL, or a SingleCellExperiment that has the fit's cells and the
#'   reduced dimension named in `dimred`; or a matrix, cells x 2 or more, with
#'   cell names.
#' @param dimred name of a reduced dimension of `cells`; NULL: the first.
#' @param colour `"time"` (arrival time along the flow), or the name of a
#'   column of `cellData(x)`.
#' @param arrows number of arrows along the longer side.
#' @param title of the plot; NULL: a default.
#' @param ... not used.
#' @return A `ggplot`: cells as points, arrows on a grid where there are
#'   cells. On the fit's own embedding (its two main axes) velocities are
#'   projected linearly; on another one through each metacell's neighbours (a
#'   neighbour counts by the cosine between its direction and the velocity),
#'   as RNA velocity plots do, so lengths there are only relative. What a
#'   nonlinear embedding tears apart can't be read from arrows on it.
#' @section Errors: a fit without a flow; cells of the fit that `cells` lacks; a
#'   reduced dimension or column that doesn't exist.
#' @references Bergen et al. 2020, Nature Biotechnology 38, 1408-1414, for the
#'   projection through neighbours.
#' @seealso [estimateTau()], [plotLag()]
#' @examples
#' x <- simulateMultiome(nCells = 600, nGenes = 80, seed = 1)
#' fit <- estimateTau(x, links = S4Vectors::metadata(x)$links, seed = 1)
#' plotFlow(fit)
#' @export
plotFlow <- function(x, cells = NULL, dimred = NULL, colour = "time",
    arrows = 18, title = NULL, ...) {
    .noDots(..., renamed = c(fit = "x", n = "arrows"))
    engine <- .tauEngine(x)
    .checkText(colour, "colour")
    arrows <- .checkNumber(arrows, "arrows", 3, 100, whole = TRUE)
    z <- .asRows(engine$z)
    v <- .flowAt(engine)(z)
    if (is.null(cells)) {
        if (!is.null(dimred)) {
            .stopArgument("dimred", "needs the container that holds it, ",
                "'cells'."
            )
        }
        plane <- .ownPlane(.asRows(engine$embedding), z, v)
    } else {
        plane <- .givenPlane(cells, dimred, cellNames(x), engine$metacell, z,
            v
        )
    }
    colours <- .flowColour(x, engine, colour)
    .drawFlow(plane, engine, colours, arrows, x, title)
}

.ownPlane <- function(cells, z, v) {
    if (ncol(z) == 1L) {
        add <- function(m) cbind(m, 0)
        return(list(cells = add(cells), z = add(z), v = add(v),
            axes = c("state 1", "")
        ))
    }
    turn <- stats::prcomp(cells)$rotation[, 1:2]
    list(cells = cells %*% turn, z = z %*% turn, v = v %*% turn,
        axes = c("state, first axis", "state, second axis")
    )
}

.givenPlane <- function(x, dimred, names, metacell, z, v) {
    if (.kindOf(x) == "SingleCellExperiment") {
        known <- SingleCellExperiment::reducedDimNames(x)
        if (is.null(dimred)) {
            dimred <- c(known, NA)[[1L]]
        }
        if (!dimred %in% known) {
            .stopArgument("dimred", "is ", .show(dimred), ", which 'cells' ",
                "doesn't have; it has ",
                if (length(known)) .some(known, 10L) else "none", "."
            )
        }
        place <- as.matrix(SingleCellExperiment::reducedDim(x, dimred))
        rownames(place) <- colnames(x)
    } else if (is.matrix(x) && is.numeric(x) && !is.null(rownames(x))) {
        place <- x
        dimred <- "dimension"
    } else {
        .stopArgument("cells", "must be a SingleCellExperiment or a matrix ",
            "with cell names; it is a ", class(x)[[1L]], "."
        )
    }
    at <- match(names, rownames(place))
    if (anyNA(at) || ncol(place) < 2L) {
        .stopArgument("cells", if (anyNA(at)) {
            paste0("lacks ", sum(is.na(at)), " cells of the fit: ",
                .some(names[is.na(at)])
            )
        } else {
            "has fewer than two dimensions"
        }, ".")
    }
    place <- place[at, 1:2]
    middle <- rowsum(place, factor(metacell, seq_len(nrow(z))), reorder = TRUE)
    middle <- middle / as.vector(table(factor(metacell, seq_len(nrow(z)))))
    list(cells = place, z = middle, v = .projectFlow(middle, z, v),
        axes = paste(dimred, 1:2)
    )
}

.flowColour <- function(fit, engine, colour) {
    if (colour == "time") {
        place <- .flowTime(engine)
        return(list(value = (place$time * .unitScale(fit))[engine$metacell],
            name = if (place$loop) "time,\nonce round" else "arrival\ntime"
        ))
    }
    data <- cellData(fit)
    if (!colour %in% colnames(data)) {
        .stopArgument("colour", "is \"", colour, "\", which is neither ",
            "\"time\" nor a column of cellData(x): ",
            .some(colnames(data), 10L), "."
        )
    }
    list(value = data[[colour]], name = colour)
}

.drawFlow <- function(plane, engine, colours, n, fit, title) {
    .data <- ggplot2::.data
    cells <- data.frame(x = plane$cells[, 1L], y = plane$cells[, 2L],
        colour = colours$value
    )
    arrows <- .flowGrid(plane$z, plane$v, n)
    span <- c(diff(range(cells$x)), diff(range(cells$y)))
    discrete <- !is.numeric(cells$colour)
    shade <- if (discrete) {
        if (length(unique(cells$colour)) <= 6L) {
            ggplot2::scale_colour_manual(colours$name, values = .setColours)
        } else {
            ggplot2::scale_colour_viridis_d(colours$name, option = "D")
        }
    } else {
        ggplot2::scale_colour_viridis_c(colours$name, option = "D",
            end = 0.95
        )
    }
    ggplot2::ggplot(cells, ggplot2::aes(.data$x, .data$y)) +
        ggplot2::geom_point(ggplot2::aes(colour = .data$colour),
            size = 0.8, alpha = 0.5
        ) +
        ggplot2::geom_segment(
            ggplot2::aes(xend = .data$x + .data$dx, yend = .data$y + .data$dy),
            arrows, linewidth = 0.45,
            colour = if (.isIdentifiable(fit)) "black" else "grey55",
            arrow = ggplot2::arrow(length = ggplot2::unit(1.4, "mm"),
                type = "closed"
            )
        ) + shade +
        ggplot2::labs(
            title = if (is.null(title)) {
                "The flow of cell states, from chromatin ahead of RNA"
            } else {
                title
            },
            subtitle = .tauSubtitle(fit, if (!.isIdentifiable(fit)) {
                "The arrows aren't to be read."
            }),
            x = plane$axes[[1L]], y = plane$axes[[2L]]
        ) + .tauTheme() + if (max(span) < 4 * min(span)) {
            ggplot2::coord_equal()
        }
}
