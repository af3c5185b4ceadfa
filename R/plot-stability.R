## Drawing the result of stabilityGRN().

#' Plot the result of stabilityGRN
#'
#' @param x a [GRNStability-class].
#' @return A `ggplot`: the Jaccard index of the highest edges of each
#'   comparison; dashed: what random edges have.
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
    .data <- ggplot2::.data
    ggplot2::ggplot(t, ggplot2::aes(.data$jaccard, .data$label)) +
        ggplot2::geom_vline(xintercept = t$chance[[1L]], linetype = 2,
            colour = "grey50"
        ) +
        ggplot2::geom_point(size = 3, colour = "#0072B2", alpha = 0.6) +
        ggplot2::scale_x_continuous(limits = c(0, 1)) +
        ggplot2::labs(y = NULL,
            x = sprintf("Jaccard index of the %d highest edges", x@facts$top)
        ) +
        ggplot2::theme_bw()
}

#' @method plot GRNStability
#' @export
plot.GRNStability <- function(x, y, ...) plotStability(x, ...)
