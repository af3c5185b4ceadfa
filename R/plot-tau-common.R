## What all figures of delays share: colours, subtitle, axis, theme.

## Okabe & Ito's colours, which the colour-blind can tell apart.
.lagColours <- c(chromatin = "#0072B2", RNA = "#D55E00")

.setColours <- c("#D55E00", "#009E73", "#CC79A7", "#E69F00", "#56B4E9",
    "#0072B2"
)

## The verdict always comes first.
.tauSubtitle <- function(fit, ..., width = 92L) {
    paste(c(strwrap(verdict(fit)$text, width), strwrap(paste0(...), width)),
        collapse = "\n"
    )
}

.tauAxis <- function(fit) {
    unit <- methods::slot(fit, "unit")
    if (isTRUE(is.finite(unit$scale))) {
        return(paste0("delay (", unit$name, ")"))
    }
    if (methods::slot(fit, "method") == "effendi") {
        return("tau (the model's own time)")
    }
    "delay (1 = the median gene's)"
}

.tauTheme <- function() {
    ggplot2::theme_bw(base_size = 11) + ggplot2::theme(
        panel.grid.minor = ggplot2::element_blank(),
        strip.background = ggplot2::element_rect(fill = "grey95"),
        plot.title.position = "plot", plot.caption.position = "plot",
        plot.subtitle = ggplot2::element_text(size = 9, colour = "grey30"),
        plot.caption = ggplot2::element_text(size = 8, colour = "grey40")
    )
}

.unitScale <- function(fit) {
    scale <- methods::slot(fit, "unit")$scale
    if (isTRUE(is.finite(scale))) scale else 1
}

## Text below a figure, broken so that it fits one of about 5 inches.
.tauCaption <- function(..., width = 64L) {
    paste(strwrap(paste0(...), width), collapse = "\n")
}
