## Drawing the result of evaluateGRN().

#' Plot the result of evaluateGRN
#'
#' @param x a [GRNEvaluation-class].
#' @return A `ggplot`: AUPRC ratio and early precision ratio of each method
#'   with their intervals; the row `random` is what chance gives.
#' @section Errors: an `x` that is something else stops.
#' @examples
#' grn <- exampleGRN()
#' reference <- data.frame(Gene1 = "MYOD1", Gene2 = c("ACTA1", "FOS", "ENO3"))
#' plotEvaluation(evaluateGRN(grn, reference, nBoot = 20))
#' @export
plotEvaluation <- function(x) {
    .isReport(x, "GRNEvaluation", "evaluateGRN")
    t <- x@tables$methods
    long <- data.frame(
        method = factor(rep(t$method, 2L), levels = rev(unique(c(
            setdiff(t$method, "random"), "random"
        )))),
        measure = rep(c("AUPRC ratio", "early precision ratio"),
            each = nrow(t)
        ),
        value = c(t$auprcRatio, t$earlyRatio),
        low = c(t$auprcRatioLow, t$earlyRatioLow),
        high = c(t$auprcRatioHigh, t$earlyRatioHigh)
    )
    .data <- ggplot2::.data
    plot <- ggplot2::ggplot(long, ggplot2::aes(.data$value, .data$method)) +
        ggplot2::geom_vline(xintercept = 1, linetype = 2, colour = "grey50")
    if (!all(is.na(long$low))) {
        plot <- plot + ggplot2::geom_linerange(
            ggplot2::aes(xmin = .data$low, xmax = .data$high),
            colour = "#0072B2"
        )
    }
    plot + ggplot2::geom_point(size = 3, colour = "#D55E00") +
        ggplot2::facet_wrap(~measure) +
        ggplot2::labs(x = "times the positive rate (dashed: 1)", y = NULL,
            title = sprintf("%d known among %d candidate edges",
                x@facts$positives, x@facts$candidates
            )
        ) +
        ggplot2::theme_bw()
}

#' @method plot GRNEvaluation
#' @export
plot.GRNEvaluation <- function(x, y, ...) plotEvaluation(x, ...)
