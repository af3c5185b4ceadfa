## Ranked delays.

#' Plot ranked delays
#'
#' Delays of the reported genes in order, with their 90% posterior intervals
#' and marked sets of genes. Delays that aren't identifiable are not ranked:
#' the plot then shows them in grey in the order of the genes and says so.
#'
#' @param x a [TauFit-class].
#' @param sets a named list of gene names to mark, at most six sets; NULL: the
#'   immediate-early genes and pioneer factors of [tauGeneSets()], if any is
#'   among the genes shown; `list()`: none. A gene in two sets has the colour
#'   of the first.
#' @param top how many genes to show: half of them the fastest, half the
#'   slowest, and in addition those of `sets`; NULL: all reported genes.
#' @param title of the plot; NULL: a default.
#' @param ... not used.
#' @return A `ggplot`. Up to 60 genes have their names on the axis; of more,
#'   those of `sets` are labelled.
#' @section Errors: a fit in which no gene has a delay; names of `sets` missing.
#' @seealso [estimateTau()], [plotLag()], [plotFlow()], [plotTauNull()]
#' @examples
#' x <- simulateMultiome(nCells = 600, nGenes = 80, seed = 1)
#' fit <- estimateTau(x, links = S4Vectors::metadata(x)$links, seed = 1)
#' plotTau(fit, sets = list(known = c("gene003", "gene010")))
#' plotTau(fit, top = 10)
#' @export
plotTau <- function(x, sets = NULL, top = NULL, title = NULL, ...) {
    .noDots(..., renamed = c(fit = "x"))
    .checkTauFit(x)
    if (!is.null(top)) {
        top <- .checkNumber(top, "top", 1, 1e6, whole = TRUE)
    }
    data <- .rankedDelays(x)
    data$set <- .setOf(data$gene, .plotSets(sets, data$gene))
    all <- nrow(data)
    if (!is.null(top) && .isIdentifiable(x)) {
        data <- data[data$rank <= ceiling(top / 2) |
            data$rank > all - floor(top / 2) | !is.na(data$set), ]
        data$rank <- seq_len(nrow(data))
    }
    left <- length(geneNames(x)) - all
    more <- paste0(
        if (nrow(data) < all) {
            paste0("The ", ceiling(top / 2), " fastest and ",
                floor(top / 2), " slowest of ", all, " genes",
                if (any(!is.na(data$set))) ", and the sets"
            )
        } else {
            paste0(.count(all, "gene"), " shown")
        },
        if (left) paste0("; ", left, " without a reliable delay left out"), "."
    )
    .drawRanked(data, x, more, title)
}

## The genes to show, with delays in the unit of the fit.
.rankedDelays <- function(fit) {
    data <- tau(fit, force = TRUE)
    table <- as.data.frame(fit)
    keep <- is.finite(data$tau) & (table$usable %in% TRUE)
    if (.isIdentifiable(fit)) {
        keep <- keep & table$reported %in% TRUE
    }
    if (!any(keep)) {
        .stopArgument("x", "has no gene with a delay to show. See ",
            "verdict() and the flags in tau()."
        )
    }
    data <- data[keep, ]
    if (.isIdentifiable(fit)) {
        data <- data[order(data$tau), ]
    }
    data$rank <- seq_len(nrow(data))
    data
}

.checkSets <- function(sets) {
    if (is.list(sets)) {
        sets <- lapply(sets, .textOf)
    }
    named <- !is.null(names(sets)) && all(nzchar(names(sets))) &&
        !anyDuplicated(names(sets))
    if (!is.list(sets) || length(sets) && !named ||
        !all(vapply(sets, is.character, NA)) || length(sets) > 6L) {
        .stopArgument("sets", "must be a list of at most six character ",
            "vectors with names; it is ", .show(sets), "."
        )
    }
    sets
}

.plotSets <- function(sets, genes) {
    if (!is.null(sets)) {
        return(.checkSets(sets))
    }
    sets <- tauGeneSets()[c("immediateEarly", "pioneer")]
    names(sets) <- c("immediate-early", "pioneer factor")
    if (any(toupper(genes) %in% unlist(sets))) sets else list()
}

## The first set that holds a gene; symbols of other cases match too.
.setOf <- function(genes, sets) {
    set <- rep(NA_character_, length(genes))
    for (name in rev(names(sets))) {
        set[toupper(genes) %in% toupper(sets[[name]])] <- name
    }
    factor(set, levels = names(sets))
}

.drawRanked <- function(data, fit, more, title) {
    .data <- ggplot2::.data
    few <- nrow(data) <= 60L
    good <- .isIdentifiable(fit)
    marked <- data[!is.na(data$set), ]
    others <- data[is.na(data$set), ]
    quiet <- if (good) "grey55" else "grey75"
    spread <- function(d, ...) {
        list(
            ggplot2::geom_linerange(data = d, ...,
                linewidth = if (few) 0.5 else 0.3
            ),
            ggplot2::geom_point(data = d, ..., size = if (few) 1.8 else 0.9)
        )
    }
    plot <- ggplot2::ggplot(data, ggplot2::aes(.data$rank, .data$tau,
        ymin = .data$low, ymax = .data$high
    )) + spread(others, colour = quiet)
    if (nrow(marked)) {
        plot <- plot + spread(marked, ggplot2::aes(colour = .data$set)) +
            ggplot2::scale_colour_manual(NULL, drop = FALSE,
                values = stats::setNames(
                    .setColours[seq_along(levels(data$set))],
                    levels(data$set)
                )
            )
        if (!few) {
            plot <- plot + .setLabels(marked)
        }
    }
    .rankedAxes(plot, data, few, fit) + ggplot2::labs(
        title = if (is.null(title)) "How far RNA lags its own chromatin" else
            title,
        subtitle = .tauSubtitle(fit, more),
        caption = if (methods::slot(fit, "method") == "effendi") {
            "point: mean over cells; line: 5% to 95% of cells"
        } else {
            "point: posterior mean; line: 90% posterior interval"
        }
    )
}

.rankedAxes <- function(plot, data, few, fit) {
    order <- if (.isIdentifiable(fit)) "genes, fastest to slowest" else
        "genes, not ranked"
    plot <- plot + .tauTheme() +
        ggplot2::labs(y = .tauAxis(fit), x = order)
    if (!few) {
        return(plot + ggplot2::theme(legend.position = "top",
            panel.grid.major.x = ggplot2::element_blank()
        ))
    }
    plot + ggplot2::coord_flip() +
        ggplot2::scale_x_continuous(breaks = data$rank, labels = data$gene,
            expand = ggplot2::expansion(add = 0.8)
        ) +
        ggplot2::theme(legend.position = "top",
            axis.text.y = ggplot2::element_text(
                size = if (nrow(data) > 30L) 7 else 9
            )
        )
}

.setLabels <- function(marked) {
    .data <- ggplot2::.data
    aes <- ggplot2::aes(label = .data$gene, colour = .data$set)
    if (requireNamespace("ggrepel", quietly = TRUE)) {
        return(ggrepel::geom_text_repel(aes, data = marked, size = 3,
            show.legend = FALSE, max.overlaps = Inf, min.segment.length = 0,
            bg.color = "white", box.padding = 0.6, seed = 1
        ))
    }
    ggplot2::geom_text(aes, data = marked, size = 3, vjust = -1,
        show.legend = FALSE
    )
}
