## Drawing a comparison of methods.

#' Draw a comparison of methods
#'
#' @param x a [GRNBenchmark-class].
#' @param measure `"auprcRatio"` or `"earlyRatio"`.
#' @return A `ggplot`: a row per set; points are methods with their bootstrap
#'   intervals (mean over seeds), grey bars 95% of random rankings, black ticks
#'   the marginal null.
#' @section Errors: an `x` that is something else, or an unknown `measure`,
#'   stops.
#' @seealso [benchmarkGRN()]
#' @examples
#' cells <- simulateCells(nCells = 200, nGenes = 40, nTFs = 8, seed = 1)
#' truth <- S4Vectors::metadata(cells)$simulation$edges
#' plotBenchmark(benchmarkGRN(cells, truth,
#'     benchmarkMethods()[c("pearson", "ridge")], nBoot = 20
#' ))
#' @export
plotBenchmark <- function(x, measure = c("auprcRatio", "earlyRatio")) {
    .isReport(x, "GRNBenchmark", "benchmarkGRN")
    measure <- .oneOf(measure, c("auprcRatio", "earlyRatio"), "measure")
    t <- .overSeeds(x@tables$table)
    t <- data.frame(data = factor(t$data, rev(unique(t$data))),
        method = t$method, null = t$null, value = t[[measure]],
        low = t[[paste0(measure, "Low")]], high = t[[paste0(measure, "High")]]
    )
    t <- t[!is.na(t$value) & t$value > 0, ]
    mine <- t[!t$null, ]
    mine$method <- factor(mine$method, unique(mine$method))
    nulls <- split(t, factor(t$method, c("random", "marginal")))
    .drawBenchmark(mine, nulls, if (measure == "auprcRatio") "AUPRC ratio" else
        "early precision ratio")
}

#' @method plot GRNBenchmark
#' @export
plot.GRNBenchmark <- function(x, y, ...) plotBenchmark(x, ...)

.drawBenchmark <- function(mine, nulls, name) {
    n <- nlevels(mine$method)
    mine$y <- as.integer(mine$data) +
        0.3 - 0.6 * (as.integer(mine$method) - 0.5) / n
    least <- min(mine$value, 1) / 2
    for (part in names(nulls)) {
        nulls[[part]]$y <- as.integer(nulls[[part]]$data)
    }
    .data <- ggplot2::.data
    plot <- ggplot2::ggplot(mine, ggplot2::aes(.data$value, .data$y)) +
        ggplot2::geom_vline(xintercept = 1, linetype = 2, colour = "grey50") +
        ggplot2::geom_rect(data = nulls$random, fill = "grey85",
            ggplot2::aes(xmin = pmax(.data$low, least), xmax = .data$high,
                ymin = .data$y - 0.36, ymax = .data$y + 0.36
            )
        ) +
        ggplot2::geom_segment(data = nulls$marginal, linewidth = 0.7,
            ggplot2::aes(xend = .data$value, y = .data$y - 0.36,
                yend = .data$y + 0.36
            )
        )
    if (!all(is.na(mine$low))) {
        plot <- plot + ggplot2::geom_linerange(
            ggplot2::aes(xmin = pmax(.data$low, least), xmax = .data$high,
                colour = .data$method
            ), linewidth = 0.4, na.rm = TRUE
        )
    }
    plot +
        ggplot2::geom_point(ggplot2::aes(colour = .data$method,
            shape = .data$method), size = 1.9) +
        .methodScales(n) +
        ggplot2::scale_x_log10() +
        ggplot2::scale_y_continuous(
            breaks = seq_len(nlevels(mine$data)), labels = levels(mine$data),
            expand = ggplot2::expansion(add = 0.5)
        ) +
        ggplot2::labs(x = paste0(name, " (grey: 95% of random rankings; ",
            "black: marginal null)"
        ), y = NULL) +
        ggplot2::theme_bw(base_size = 11) +
        ggplot2::theme(panel.grid.minor = ggplot2::element_blank(),
            panel.grid.major.y = ggplot2::element_blank()
        )
}

## Colours and shapes of n methods. Black is the marginal null's; where the
## colours run out, shapes tell methods apart.
.methodScales <- function(n) {
    colours <- setdiff(.recoveryColours, "#000000")
    shapes <- rep(c(16L, 17L, 15L, 18L, 3L, 4L, 8L), each = length(colours))
    list(
        ggplot2::scale_colour_manual(name = NULL, values = rep_len(colours, n)),
        ggplot2::scale_shape_manual(name = NULL, values = rep_len(shapes, n))
    )
}
