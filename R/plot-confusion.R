## Drawing the result of evaluateAnnotation().

#' Plot confusion and calibration of an annotation
#'
#' @param x what [evaluateAnnotation()] gives.
#' @param method one of its methods.
#' @param bins of the probability.
#' @return A `ggplot`: `plotConfusion()` the share of each type's cells (row)
#'   that got each label, `plotCalibration()` the share of right labels against
#'   the mean probability in bins, the dashed line being perfect calibration
#'   and the size the cells of a bin.
#' @section Errors: an `x` that is something else, a method that wasn't run.
#' @examples
#' cells <- exampleCells(180)
#' cells$donor <- rep(c("a", "b", "c"), 60)
#' result <- evaluateAnnotation(cells, "group", by = "donor", nBoot = 5,
#'     methods = c("default", "centroid"), seed = 1)
#' plotConfusion(result)
#' plotCalibration(result)
#' @rdname plotConfusion
#' @export
plotConfusion <- function(x, method = "default") {
    cells <- .evaluatedCells(x, method)
    types <- .sortedUnique(c(cells$truth, cells$called))
    n <- table(truth = factor(cells$truth, rev(types)),
        called = factor(cells$called, types))
    long <- as.data.frame(n / pmax(rowSums(n), 1), responseName = "share")
    long$text <- ifelse(long$share >= 0.005, sprintf("%.0f", 100 *
        long$share), "")
    .data <- ggplot2::.data
    ggplot2::ggplot(long, ggplot2::aes(.data$called, .data$truth,
        fill = .data$share)) +
        ggplot2::geom_tile() +
        ggplot2::geom_text(ggplot2::aes(label = .data$text,
            colour = .data$share > 0.5), size = 3, show.legend = FALSE) +
        ggplot2::scale_fill_gradient(low = "white", high = "#0072B2",
            limits = c(0, 1)) +
        ggplot2::scale_colour_manual(values = c("black", "white")) +
        ggplot2::labs(x = "label given", y = "truth",
            fill = "share of\nthe row", title = sprintf(
                "%s: macro-F1 %.2f", .methodNames[[method]],
                .macroF1(cells$truth, cells$called))) +
        ggplot2::theme_bw() +
        ggplot2::theme(axis.text.x = ggplot2::element_text(angle = 45,
            hjust = 1), panel.grid = ggplot2::element_blank())
}

#' @rdname plotConfusion
#' @export
plotCalibration <- function(x, method = "default", bins = 10) {
    cells <- .evaluatedCells(x, method)
    bins <- .checkNumber(bins, "bins", 2, 100, whole = TRUE)
    right <- cells$truth == cells$called
    bin <- pmin(floor(cells$probability * bins), bins - 1)
    points <- data.frame(p = as.vector(tapply(cells$probability, bin, mean)),
        right = as.vector(tapply(right, bin, mean)),
        cells = as.vector(tapply(right, bin, length)))
    .data <- ggplot2::.data
    ggplot2::ggplot(points, ggplot2::aes(.data$p, .data$right)) +
        ggplot2::geom_abline(linetype = 2, colour = "grey50") +
        ggplot2::geom_line(colour = "#0072B2") +
        ggplot2::geom_point(ggplot2::aes(size = .data$cells),
            colour = "#0072B2") +
        ggplot2::coord_equal(xlim = c(0, 1), ylim = c(0, 1)) +
        ggplot2::labs(x = "probability", y = "share of right labels",
            title = sprintf("%s: calibration error %.3f",
                .methodNames[[method]], .calibrationError(
                    cells$probability, right))) +
        ggplot2::theme_bw()
}

.evaluatedCells <- function(x, method) {
    .isReport(x, "AnnotationEvaluation", "evaluateAnnotation")
    cells <- x@tables$cells
    method <- .oneOf(method, unique(cells$method), "method")
    cells[cells$method == method, , drop = FALSE]
}

#' @method plot AnnotationEvaluation
#' @export
plot.AnnotationEvaluation <- function(x, y, ...) plotConfusion(x, ...)
