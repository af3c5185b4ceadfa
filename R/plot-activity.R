## Drawing regulon activity.

#' Heatmap of regulon activity over cells
#'
#' @param x a [CellGRN-class] (its [regulonActivity()] is computed), a
#'   `SingleCellExperiment` that has it, or a matrix, TFs x cells.
#' @param group NULL, or one value per cell (for objects also the name of a
#'   column of their cell data): cells are shown in a panel per group.
#' @param order NULL, or one number per cell (or a column name), such as time:
#'   cells are ordered by it. With at most 8 different values and no `group`
#'   it makes the panels.
#' @param tfs TFs to show; NULL: the `n` that follow `group` or `order` most
#'   closely (R^2 of activity on group, or on ten bins of the order), or,
#'   without both, those that vary most.
#' @param n number of TFs when `tfs` is NULL.
#' @param limit colours end at this many standard deviations.
#' @param title NULL: one that says what is drawn.
#' @param name for a `SingleCellExperiment`: the `altExp` to draw.
#' @param ... passed to [regulonActivity()] for a [CellGRN-class].
#' @return A `ggplot`: TFs in rows, each row standardised over the cells shown
#'   and rows ordered by where they peak; cells in columns. Cells without a
#'   value of `group` or `order`, or without activity, are left out, with a
#'   message.
#' @section Errors: unknown TFs; a `group` or `order` that is no column and
#'   has no value per cell; a container without that `altExp`.
#' @seealso [regulonActivity()], [contrastGRN()]
#' @examples
#' grn <- exampleGRN()
#' plotRegulonActivity(grn, order = "time")
#' plotRegulonActivity(regulonActivity(grn), group = grn$group)
#' @rdname plotRegulonActivity
#' @export
setMethod("plotRegulonActivity", "matrix", function(x, group = NULL,
    order = NULL, tfs = NULL, n = 20, limit = 2, title = NULL, ...) {
    n <- .checkNumber(n, "n", 1, 500, whole = TRUE)
    .checkNumber(limit, "limit", 0, 100, open = TRUE)
    if (is.null(rownames(x))) {
        .stopArgument("x", "has no row names; they must name the TFs.")
    }
    if (!is.null(tfs)) {
        .knownTFs(tfs, rownames(x))
        x <- x[unique(tfs), , drop = FALSE]
    }
    cells <- .orderCells(x, group, order)
    z <- .standardRows(x[, cells$at, drop = FALSE])
    bins <- .binMeans(z, cells$bin)
    shown <- .chooseRows(z, bins, n, tfs)
    if (is.null(title)) {
        title <- paste0("Regulon activity: ", .count(length(shown), "TF"),
            ", ", .count(ncol(z), "cell")
        )
    }
    .drawActivity(z[shown, , drop = FALSE], cells, limit, title)
})

#' @rdname plotRegulonActivity
#' @aliases plotRegulonActivity,CellGRN-method
#'   plotRegulonActivity,StateGRN-method
#' @export
setMethod("plotRegulonActivity", "PerCellNetworks", function(x, group = NULL,
    order = NULL, tfs = NULL, n = 20, limit = 2, title = NULL, ...) {
    all <- seq_len(length(x))
    pick <- function(value, arg) {
        if (is.null(value)) NULL else .cellGroups(x, value, all, arg)
    }
    plotRegulonActivity(regulonActivity(x, ...),
        group = pick(group, "group"), order = pick(order, "order"),
        tfs = tfs, n = n, limit = limit, title = title
    )
})

#' @rdname plotRegulonActivity
#' @export
setMethod("plotRegulonActivity", "SingleCellExperiment", function(x,
    group = NULL, order = NULL, tfs = NULL, n = 20, limit = 2, title = NULL,
    name = "regulons", ...) {
    if (!name %in% SingleCellExperiment::altExpNames(x)) {
        .stopArgument("x", "has no altExp \"", name,
            "\"; make it with regulonActivity(x, grn)."
        )
    }
    pick <- function(value, arg) {
        if (!is.character(value) || length(value) != 1L) {
            return(value)
        }
        columns <- colnames(SummarizedExperiment::colData(x))
        if (!value %in% columns) {
            .stopArgument(arg, "is \"", value, "\", which isn't a column of ",
                "colData(): ", .some(columns, 8L), "."
            )
        }
        SummarizedExperiment::colData(x)[[value]]
    }
    activity <- SummarizedExperiment::assay(
        SingleCellExperiment::altExp(x, name), "activity"
    )
    plotRegulonActivity(as.matrix(activity), group = pick(group, "group"),
        order = pick(order, "order"), tfs = tfs, n = n, limit = limit,
        title = title
    )
})

## Which cells, in which order, in which panel and bin.
.orderCells <- function(x, group, order) {
    check <- function(value, arg) {
        if (!is.null(value) && length(value) != ncol(x)) {
            .stopArgument(arg, "must have a value per cell, ", ncol(x),
                "; it has ", length(value), "."
            )
        }
    }
    check(group, "group")
    check(order, "order")
    if (!is.null(order) && !is.numeric(order)) {
        order <- as.integer(factor(order))
    }
    if (is.null(group) && length(unique(order)) %in% seq_len(8L)) {
        group <- factor(order, levels = sort(unique(order)))
    }
    panel <- if (is.null(group)) factor(rep("all", ncol(x))) else factor(group)
    rank <- if (is.null(order)) numeric(ncol(x)) else order
    keep <- which(!is.na(panel) & !is.na(rank) & colSums(is.na(x)) == 0L)
    if (length(keep) == 0L) {
        .stopArgument("x", "has no cell with activity, group and order.")
    }
    if (length(keep) < ncol(x)) {
        message(ncol(x) - length(keep), " cells without activity, group or ",
            "order are left out"
        )
    }
    at <- keep[order(panel[keep], rank[keep])]
    panel <- droplevels(panel[at])
    list(
        at = at, panel = panel, bin = .cellBins(panel, rank[at]),
        panels = !is.null(group), ordered = !is.null(order)
    )
}

## Panels, or ten bins along the order when there is one panel.
.cellBins <- function(panel, rank) {
    if (nlevels(panel) > 1L) {
        return(as.integer(panel))
    }
    if (length(unique(rank)) == 1L) {
        return(rep(1L, length(rank)))
    }
    as.integer(ceiling(10 * seq_along(rank) / length(rank)))
}

.standardRows <- function(x) {
    x <- x - rowMeans(x)
    size <- sqrt(rowSums(x^2) / max(1, ncol(x) - 1))
    x / ifelse(size > 1e-12, size, Inf)
}

.binMeans <- function(z, bin) {
    bins <- sort(unique(bin))
    means <- vapply(bins, function(b) {
        rowMeans(z[, bin == b, drop = FALSE])
    }, numeric(nrow(z)))
    matrix(means, nrow = nrow(z),
        dimnames = list(rownames(z), NULL)
    )
}

## Rows to show, ordered by the bin where they peak.
.chooseRows <- function(z, bins, n, tfs) {
    shown <- seq_len(nrow(z))
    varies <- rowSums(z^2) > 0
    if (is.null(tfs)) {
        follows <- if (ncol(bins) > 1L) rowMeans(bins^2) else as.numeric(varies)
        shown <- shown[varies]
        if (length(shown) == 0L) {
            .stopArgument("x", "has no TF whose activity varies.")
        }
        shown <- head(shown[order(-follows[shown])], n)
    }
    ## the centre of mass of the upper half of a profile, between bins
    peak <- vapply(shown, function(i) {
        w <- pmax(bins[i, ] - max(0, stats::median(bins[i, ])), 0)
        if (sum(w) > 0) sum(w * seq_along(w)) / sum(w) else 0
    }, numeric(1))
    shown[order(peak, decreasing = TRUE)]
}

.drawActivity <- function(z, cells, limit, title) {
    ## columns are numbered within their panel
    column <- stats::ave(seq_along(cells$panel), cells$panel, FUN = seq_along)
    tile <- data.frame(
        tf = factor(rep(rownames(z), times = ncol(z)), levels = rownames(z)),
        cell = rep(column, each = nrow(z)),
        panel = rep(cells$panel, each = nrow(z)),
        z = pmax(pmin(as.vector(z), limit), -limit)
    )
    .data <- ggplot2::.data
    plot <- ggplot2::ggplot(tile,
        ggplot2::aes(.data$cell, .data$tf, fill = .data$z)
    ) +
        ggplot2::geom_raster() +
        ggplot2::scale_fill_gradient2(
            low = "#2166AC", mid = "#F7F7F7", high = "#B2182B",
            limits = c(-limit, limit), name = "activity\n(sd)"
        ) +
        ggplot2::scale_x_continuous(expand = c(0, 0), breaks = NULL) +
        ggplot2::labs(title = title, y = NULL,
            x = if (cells$ordered) "cells, in order" else "cells"
        ) +
        ggplot2::theme_minimal(base_size = 11) +
        ggplot2::theme(
            panel.grid = ggplot2::element_blank(),
            panel.spacing.x = ggplot2::unit(1.5, "mm"),
            plot.background = ggplot2::element_rect(
                fill = "white", colour = NA
            )
        )
    if (cells$panels) {
        plot <- plot + ggplot2::facet_grid(
            cols = ggplot2::vars(.data$panel), scales = "free_x",
            space = "free_x"
        )
    }
    plot
}
