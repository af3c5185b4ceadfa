## Drawing differences between groups.

#' Draw the differences between two groups
#'
#' @param x a [GRNContrast-class].
#' @param which `"regulators"`: the effect on each regulator with its 95%
#'   interval; `"edges"`: effect against |z| of all edges tested.
#' @param top regulators drawn, those that differ most otherwise than random
#'   genes (by strength: of the lowest p), or edges named. NULL: 20 regulators,
#'   10 edges.
#' @param tfs NULL, or the TFs to draw (regulators) or to name the edges of.
#' @param measure for regulators: `"activity"` or `"strength"`.
#' @param title NULL: one that gives the verdict.
#' @param ... not used.
#' @return A `ggplot`. Colours: orange for q < 0.05, grey otherwise; edges pale
#'   where the difference is within the noise of estimation. Regulators:
#'   filled points also differ from random sets of genes (q < 0.05 from
#'   `pSets`), open ones don't; the small blue diamond is the difference of the
#'   TF's own expression, in standard deviations (drawn for `"activity"` only).
#'   Stops when the table wasn't asked for or a TF is unknown.
#' @seealso [contrastGRN()]
#' @examples
#' change <- contrastGRN(exampleGRN(), "group", top = 50, seed = 1)
#' plotContrast(change)
#' plotContrast(change, "edges")
#' @export
plotContrast <- function(x, which = c("regulators", "edges"), top = NULL,
    tfs = NULL, measure = c("activity", "strength"), title = NULL, ...) {
    .isReport(x, "GRNContrast", "contrastGRN")
    .noDots(..., renamed = c(n = "top"))
    which <- .oneOf(which, c("regulators", "edges"), "which")
    measure <- .oneOf(measure, c("activity", "strength"), "measure")
    if (is.null(top)) {
        top <- if (which == "edges") 10L else 20L
    }
    top <- .checkNumber(top, "top", 1, 200, whole = TRUE)
    table <- as.data.frame(x, which = which)
    if (!is.null(tfs)) {
        .knownTFs(tfs, if (which == "edges") table$Gene1 else table$TF)
    }
    if (which == "edges") {
        .drawEdgeContrast(table, x@facts, top, tfs, title)
    } else {
        .drawRegulatorContrast(table, x@facts, top, tfs, measure, title)
    }
}

#' @method plot GRNContrast
#' @export
plot.GRNContrast <- function(x, y, ...) plotContrast(x, ...)

.qColours <- c(`q < 0.05` = "#D55E00", `q >= 0.05` = "grey55")

.qClass <- function(q) {
    factor(ifelse(q < 0.05, "q < 0.05", "q >= 0.05"), names(.qColours))
}

## Edges: with the noise of estimation where it is known.
.edgeClasses <- c(`q < 0.05` = "#D55E00", `q < 0.05, within noise` = "#F0C9A4",
    `q >= 0.05` = "grey55")

.edgeClass <- function(t) {
    class <- ifelse(t$q < 0.05, 1L, 3L)
    if (!is.null(t$qNoise)) {
        class[class == 1L & t$qNoise >= 0.05] <- 2L
    }
    used <- if (is.null(t$qNoise)) c(1L, 3L) else 1:3
    factor(names(.edgeClasses)[class], names(.edgeClasses)[used])
}

.contrastTheme <- function(plot, title, subtitle) {
    plot +
        ggplot2::labs(title = title, subtitle = paste(strwrap(subtitle, 90L),
            collapse = "\n")) +
        ggplot2::theme_bw(base_size = 11) +
        ggplot2::theme(
            panel.grid.minor = ggplot2::element_blank(),
            plot.title = ggplot2::element_text(size = 12),
            plot.subtitle = ggplot2::element_text(size = 9,
                colour = "grey30"
            ),
            plot.title.position = "plot"
        )
}

## The verdict in a line: of regulators by activity, those that differ
## otherwise than random genes; of edges, those beyond noise.
.contrastTitle <- function(f, facts, what, title, sets = NULL) {
    if (!is.null(title)) {
        return(title)
    }
    against <- paste(facts$level, "against", facts$ref)
    if (!is.null(sets)) {
        return(sprintf(paste("%s: targets of %d of %d regulators differ",
            "otherwise than random genes"), against, sets, f$tested))
    }
    found <- .edgesFound(f)
    if (found > 0) {
        sprintf("%s: %d of %d %s differ", against, as.integer(found), f$tested,
            what)
    } else if (f$found > 0 && f$p <= 0.05) {
        sprintf("%s: no %s differ by more than noise", against, what)
    } else {
        sprintf("%s: %s differ no more than with permuted labels", against,
            what)
    }
}

.contrastSubtitle <- function(f) {
    sprintf("with permuted labels %.1f on average, at most %d; p = %s",
        f$null, as.integer(f$nullMost), format(signif(f$p, 2L))
    )
}

.drawRegulatorContrast <- function(t, facts, top, tfs, measure, title) {
    f <- facts$regulators[[measure]]
    sets <- t$qSets < 0.05
    if (measure == "strength") {
        t[c("effect", "low", "high", "p", "q")] <-
            t[paste0("strength", c("", "Low", "High", "P", "Q"))]
        sets[] <- TRUE
    }
    t$sets <- sets
    lead <- if (measure == "activity") t$pSets else t$p
    t <- if (is.null(tfs)) {
        head(t[order(lead, t$p, -abs(t$effect)), ], top)
    } else {
        t[t$TF %in% tfs, ]
    }
    t$TF <- factor(t$TF, t$TF[order(t$effect)])
    t$call <- .qClass(t$q)
    .data <- ggplot2::.data
    plot <- ggplot2::ggplot(t, ggplot2::aes(.data$effect, .data$TF)) +
        ggplot2::geom_vline(xintercept = 0, colour = "grey50",
            linetype = 2
        ) +
        ggplot2::geom_linerange(
            ggplot2::aes(xmin = .data$low, xmax = .data$high,
                colour = .data$call), linewidth = 0.8
        ) +
        ggplot2::geom_point(
            ggplot2::aes(colour = .data$call, shape = .data$sets),
            size = 2.6, fill = "white", stroke = 0.9
        ) +
        ggplot2::scale_colour_manual(values = .qColours, name = NULL,
            drop = FALSE
        )
    .finishRegulators(plot, t, f, facts, measure, title)
}

.finishRegulators <- function(plot, t, f, facts, measure, title) {
    .data <- ggplot2::.data
    unit <- if (measure == "activity") "activity of the regulon (sd)" else
        "mean score of the TF's edges"
    sets <- c(`TRUE` = "yes", `FALSE` = "no")
    plot <- plot + if (measure == "activity") {
        list(
            ggplot2::geom_point(ggplot2::aes(x = .data$expression),
                shape = 18, size = 1.8, colour = "#0072B2"
            ),
            ggplot2::scale_shape_manual(
                values = c(`TRUE` = 19L, `FALSE` = 21L), labels = sets,
                name = "other than\nrandom genes?"
            )
        )
    } else {
        ggplot2::scale_shape_manual(values = c(`TRUE` = 19L),
            guide = "none"
        )
    }
    plot <- plot + ggplot2::labs(y = NULL,
        x = paste0("difference in ", unit, ", ", facts$level, " - ",
            facts$ref
        )
    )
    own <- measure == "activity"
    .contrastTheme(plot, .contrastTitle(f, facts,
        paste("regulators by", measure), title,
        if (own) facts$regulators$sets
    ), paste0(if (own) sprintf("%d of %d differ by activity at q < 0.05; ",
        as.integer(f$found), f$tested), .contrastSubtitle(f), if (own)
        "; blue: the TF's own expression"))
}

.drawEdgeContrast <- function(t, facts, top, tfs, title) {
    f <- facts$edges
    t$call <- .edgeClass(t)
    named <- if (is.null(tfs)) t else t[t$Gene1 %in% tfs, ]
    sure <- named$call == "q < 0.05"
    if (any(sure)) {
        named <- named[sure, ]
    }
    named <- head(named[order(-abs(named$effect)), ], top)
    named$label <- paste0(named$Gene1, " > ", named$Gene2)
    .data <- ggplot2::.data
    map <- ggplot2::aes(label = .data$label)
    labels <- if (requireNamespace("ggrepel", quietly = TRUE)) {
        ggrepel::geom_text_repel(map, data = named, size = 2.8, seed = 1,
            max.overlaps = Inf, min.segment.length = 0.2, box.padding = 0.35,
            segment.colour = "grey60", segment.size = 0.25,
            colour = "grey15", bg.colour = "white", bg.r = 0.12
        )
    } else {
        ggplot2::geom_text(map, data = named, size = 2.8, vjust = -0.8,
            colour = "grey15", check_overlap = TRUE
        )
    }
    most <- 1.05 * max(t$ref, t$level)
    t$alpha <- ifelse(t$call == "q < 0.05", 0.9,
        max(0.3, min(0.8, 250 / nrow(t))))
    plot <- ggplot2::ggplot(t[order(t$call, decreasing = TRUE), ],
        ggplot2::aes(.data$ref, .data$level)
    ) +
        ggplot2::geom_abline(colour = "grey50", linetype = 2) +
        ggplot2::geom_point(ggplot2::aes(colour = .data$call,
            alpha = .data$alpha), size = 1.2) +
        ggplot2::scale_alpha_identity() +
        labels +
        ## most scores are small: square roots spread them
        ggplot2::scale_x_sqrt(limits = c(0, most)) +
        ggplot2::scale_y_sqrt(limits = c(0, most)) +
        ggplot2::scale_colour_manual(values = .edgeClasses, name = NULL,
            drop = FALSE
        ) +
        ggplot2::coord_equal() +
        ggplot2::labs(x = paste0("mean score, ", facts$ref),
            y = paste0("mean score, ", facts$level)
        )
    .contrastTheme(plot, .contrastTitle(f, facts, "edges", title),
        .contrastSubtitle(f)
    )
}
