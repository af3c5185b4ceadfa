## Drawing the result of stabilityGRN().

#' Plot the result of stabilityGRN
#'
#' @param x a [GRNStability-class].
#' @return A `ggplot`: the Jaccard index of the highest edges of each
#'   comparison, 1 for the same edges; lines from the lowest to the highest
#'   comparison of a kind, ticks at their mean; dashed: what random edges have.
#'   The title says which share of the edges stays.
#' @section Errors: an `x` that is something else stops.
#' @examples
#' cells <- simulateCells(nCells = 150, nGenes = 30, nTFs = 5, seed = 1)
#' plotStability(stabilityGRN(cells, RidgeGRNParam(), nSamples = 2, seed = 1))
#' @export
plotStability <- function(x) {
    .isReport(x, "GRNStability", "stabilityGRN")
    t <- x@tables$comparisons
    labels <- .stabilityLabels(x@facts)
    t$label <- factor(labels[t$comparison], rev(labels))
    kept <- x@verdict$kept
    main <- if ("cells" %in% names(kept)) "cells" else names(kept)[[1L]]
    span <- do.call(rbind, lapply(split(t, t$label, drop = TRUE), function(p) {
        data.frame(label = p$label[[1L]], mean = mean(p$jaccard),
            low = min(p$jaccard), high = max(p$jaccard))
    }))
    .drawStability(t, span) + ggplot2::labs(y = NULL,
        x = sprintf(paste("Jaccard index of the %d highest edges",
            "(1: the same edges; dashed: random edges)"), x@facts$top),
        title = sprintf("%s: %s of the edges stay with %s", x@facts$model,
            .percent(kept[[main]]), labels[[main]]),
        subtitle = paste("points: comparisons; lines: their range; ticks:",
            "their mean")
    )
}

.drawStability <- function(t, span) {
    .data <- ggplot2::.data
    ggplot2::ggplot(t, ggplot2::aes(.data$jaccard, .data$label)) +
        ggplot2::geom_vline(xintercept = t$chance[[1L]], linetype = 2,
            colour = "grey50"
        ) +
        ggplot2::geom_linerange(data = span, ggplot2::aes(x = .data$mean,
            xmin = .data$low, xmax = .data$high), colour = "#0072B2") +
        ggplot2::geom_point(data = span, ggplot2::aes(x = .data$mean),
            shape = "|", size = 6, colour = "#0072B2") +
        ggplot2::geom_point(size = 2.4, colour = "#0072B2", alpha = 0.5) +
        ggplot2::scale_x_continuous(limits = c(0, 1)) +
        ggplot2::theme_bw() +
        ggplot2::theme(plot.title.position = "plot",
            plot.title = ggplot2::element_text(size = 12),
            plot.subtitle = ggplot2::element_text(size = 9, colour = "grey30"),
            panel.grid.minor = ggplot2::element_blank()
        )
}

#' @method plot GRNStability
#' @export
plot.GRNStability <- function(x, y, ...) plotStability(x, ...)
