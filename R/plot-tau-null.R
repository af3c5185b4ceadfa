## Data beside their nulls, drawn.

#' @rdname tauNull
#' @param title of the plot; NULL: a default.
#' @export
plotTauNull <- function(x, fit = NULL, title = NULL, ...) {
    .noRenamed(..., renamed = c(null = "x"))
    if (methods::is(x, "TauFit") || !is.null(fit)) {
        .checkCellsFirst(x, fit, "plotTauNull(x, fit)")
        x <- tauNull(x, fit, ...)
    } else {
        .noDots(...)
    }
    if (!is.data.frame(x) || !all(c("data", "identifiable", .verdictNumbers)
        %in% names(x))) {
        .stopArgument("x", "must come from tauNull(), or be cells with their ",
            "'fit'; it is a ", class(x)[[1L]], "."
        )
    }
    .drawNull(x, title)
}

.nullPanels <- c(lead = "lead: held-out genes\nwith chromatin ahead",
    gain = "gain of a delay\n(deviance per held-out gene)",
    heterogeneity = "heterogeneity of delays\n(deviance per gene)",
    concord = "concordance of\nchromatin and RNA", usable = "usable genes",
    axes = "shared axes"
)

.nullLong <- function(null) {
    kind <- c(observed = "data", pairing = "pairing\npermuted",
        links = "links\npermuted"
    )
    do.call(rbind, lapply(names(.nullPanels), function(what) {
        data.frame(
            panel = factor(.nullPanels[[what]], .nullPanels),
            kind = factor(kind[null$data], rev(kind)),
            value = as.numeric(null[[what]]), observed = null$data == "observed"
        )
    }))
}

.drawNull <- function(null, title) {
    .data <- ggplot2::.data
    long <- .nullLong(null)
    missing <- unique(long[!is.finite(long$value), c("panel", "kind")])
    need <- data.frame(panel = factor(.nullPanels, .nullPanels),
        at = unname(.tauThresholds[names(.nullPanels)])
    )
    long <- long[is.finite(long$value), ]
    plot <- ggplot2::ggplot(long, ggplot2::aes(.data$value, .data$kind)) +
        ggplot2::geom_vline(ggplot2::aes(xintercept = .data$at), need,
            linetype = 2, colour = "grey50"
        ) +
        ggplot2::geom_point(ggplot2::aes(colour = .data$observed,
            shape = .data$observed
        ), size = 2.6, alpha = 0.8)
    if (nrow(missing)) {
        missing$at <- vapply(as.character(missing$panel), function(panel) {
            mean(range(long$value[long$panel == panel],
                need$at[need$panel == panel]
            ))
        }, 0)
        plot <- plot + ggplot2::geom_text(ggplot2::aes(.data$at, .data$kind,
            label = "too few usable genes"
        ), missing, size = 2.6, colour = "grey40", fontface = "italic")
    }
    refused <- sum(!null$identifiable[null$data != "observed"])
    plot + ggplot2::facet_wrap(~panel, scales = "free_x", nrow = 2L) +
        ggplot2::scale_colour_manual(values = c(
            "FALSE" = "#0072B2", "TRUE" = "#D55E00"
        ), guide = "none") +
        ggplot2::scale_shape_manual(values = c("FALSE" = 1, "TRUE" = 19),
            guide = "none"
        ) +
        ggplot2::scale_x_continuous(
            expand = ggplot2::expansion(mult = 0.12)
        ) +
        ggplot2::labs(
            title = if (is.null(title)) {
                "Do the data know about delays? The data beside permuted ones"
            } else {
                title
            },
            subtitle = paste0(attr(null, "verdict"), if (
                !is.null(attr(null, "verdict"))) "\n", refused, " of ",
                sum(null$data != "observed"), " permuted data sets are refused."
            ), x = NULL, y = NULL, caption = "dashed: what the verdict needs"
        ) + .tauTheme()
}
