## Drawing regulon activity.

#' Regulon activity over cells, or means of groups
#'
#' @param x per-cell networks (their [regulonActivity()] is computed), a
#'   `SingleCellExperiment` or `Seurat` object that has it, or a matrix, TFs x
#'   cells.
#' @param group NULL, or one value per cell (for objects also the name of a
#'   column of their cell data): cells are shown in a panel per group.
#' @param order NULL, or one number per cell (or a column name), such as time:
#'   cells are ordered by it. With at most 8 different values and no `group`
#'   it makes the panels.
#' @param tfs TFs to show; NULL: the `top` that follow `group` or `order` most
#'   closely (R^2 of activity on group, or on ten bins of the order), or,
#'   without both, those that vary most.
#' @param top number of TFs when `tfs` is NULL.
#' @param means show a dot per TF and group in place of every cell: its colour
#'   is the mean, its size the share of the group's cells above the TF's mean
#'   over all cells.
#' @param limit colours end at this many standard deviations.
#' @param title NULL: one that says what is drawn.
#' @param name for a container: the `altExp`, or assay of a `Seurat` object, to
#'   draw.
#' @param ... for per-cell networks: passed to [regulonActivity()]; else not
#'   used.
#' @return A `ggplot`: TFs in rows, each row standardised over the cells shown
#'   and rows ordered by where they peak; cells, or groups, in columns. The
#'   verdict of networks of states is the subtitle. Cells without a value of
#'   `group` or `order`, or without activity, are left out, with a message.
#' @section Errors: unknown TFs; a `group` or `order` that is no column and
#'   has no value per cell; a container without that `altExp` or assay;
#'   `means` without groups.
#' @seealso [regulonActivity()], [contrastGRN()]
#' @examples
#' grn <- exampleGRN()
#' plotRegulonActivity(grn, order = "time")
#' plotRegulonActivity(regulonActivity(grn), group = grn$group)
#' plotRegulonActivity(grn, group = "group", means = TRUE)
#' @rdname plotRegulonActivity
#' @export
setMethod("plotRegulonActivity", "matrix", function(x, group = NULL,
    order = NULL, tfs = NULL, top = 20, means = FALSE, limit = 2,
    title = NULL, ...) {
    .noDots(..., renamed = c(n = "top"))
    .activityPlot(x, group, order, tfs, top, means, limit, title)
})

.activityPlot <- function(x, group, order, tfs, top, means, limit, title,
    subtitle = NULL) {
    top <- .checkNumber(top, "top", 1, 500, whole = TRUE)
    .checkFlag(means, "means")
    .checkNumber(limit, "limit", 0, 100, open = TRUE)
    if (is.null(rownames(x))) {
        .stopArgument("x", "has no row names; they must name the TFs.")
    }
    if (!is.null(tfs)) {
        .knownTFs(tfs, rownames(x))
        x <- x[unique(tfs), , drop = FALSE]
    }
    cells <- .orderCells(x, group, order)
    if (means && !cells$panels) {
        .stopArgument("means", "is TRUE, but there are no groups; give ",
            "'group'.")
    }
    z <- .standardRows(x[, cells$at, drop = FALSE])
    shown <- .chooseRows(z, .binMeans(z, cells$bin), top, tfs)
    if (is.null(title)) {
        title <- paste0("Regulon activity: ", .count(length(shown), "TF"),
            ", ", .count(ncol(z), "cell")
        )
    }
    z <- z[shown, , drop = FALSE]
    text <- list(title = .wrapped(.checkText(title, "title"), 66L),
        subtitle = .wrapped(subtitle, 88L)
    )
    if (means) .drawMeans(z, cells, limit, text) else
        .drawActivity(z, cells, limit, text)
}

#' @rdname plotRegulonActivity
#' @aliases plotRegulonActivity,CellGRN-method
#'   plotRegulonActivity,StateGRN-method
#' @export
setMethod("plotRegulonActivity", "PerCellNetworks", function(x, group = NULL,
    order = NULL, tfs = NULL, top = 20, means = FALSE, limit = 2,
    title = NULL, ...) {
    if ("n" %in% ...names()) {
        .noDots(..., renamed = c(n = "top"))
    }
    all <- seq_len(length(x))
    pick <- function(value, arg) {
        if (is.null(value)) NULL else .cellGroups(x, value, all, arg)
    }
    .activityPlot(regulonActivity(x, ...), pick(group, "group"),
        pick(order, "order"), tfs, top, means, limit, title,
        if (methods::is(x, "StateGRN")) verdict(x)$text
    )
})

#' @rdname plotRegulonActivity
#' @export
setMethod("plotRegulonActivity", "SingleCellExperiment", function(x,
    group = NULL, order = NULL, tfs = NULL, top = 20, means = FALSE,
    limit = 2, title = NULL, name = "regulons", ...) {
    .noDots(..., renamed = c(n = "top"))
    if (!.checkText(name, "name") %in% SingleCellExperiment::altExpNames(x)) {
        .stopArgument("x", "has no altExp \"", name,
            "\"; make it with regulonActivity(x, grn)."
        )
    }
    data <- SummarizedExperiment::colData(x)
    activity <- SummarizedExperiment::assay(
        SingleCellExperiment::altExp(x, name), "activity"
    )
    .activityPlot(as.matrix(activity),
        .valuesOrColumn(data, group, "group", "colData()"),
        .valuesOrColumn(data, order, "order", "colData()"), tfs, top, means,
        limit, title
    )
})

#' @rdname plotRegulonActivity
#' @export
setMethod("plotRegulonActivity", "ANY", function(x, group = NULL,
    order = NULL, tfs = NULL, top = 20, means = FALSE, limit = 2,
    title = NULL, name = "regulons", ...) {
    .noDots(..., renamed = c(n = "top"))
    if (methods::is(x, "PooledGRN")) {
        .stopArgument("x", "is a PooledGRN, which holds no expression; ",
            "plotRegulonActivity(regulonActivity(cells, grn))."
        )
    }
    if (.kindOf(x) != "Seurat") {
        .stopArgument("x", "must be per-cell networks, a SingleCellExperiment ",
            "or Seurat object with regulon activity, or a matrix, TFs x ",
            "cells; it is a ", class(x)[[1L]], "."
        )
    }
    if (!.checkText(name, "name") %in% names(x)) {
        .stopArgument("x", "has no assay \"", name,
            "\"; make it with regulonActivity(x, grn)."
        )
    }
    data <- x[[]]
    if (identical(group, "ident") && !"ident" %in% colnames(data)) {
        group <- unname(SeuratObject::Idents(x))
    }
    .activityPlot(.seuratActivity(x[[name]]),
        .valuesOrColumn(data, group, "group", "the meta data"),
        .valuesOrColumn(data, order, "order", "the meta data"), tfs, top, means,
        limit, title
    )
})

## Seurat's readers renamed `slot` to `layer`.
.seuratActivity <- function(assay) {
    if (methods::.hasSlot(assay, "data")) {
        return(as.matrix(methods::slot(assay, "data")))
    }
    as.matrix(getExportedValue("SeuratObject", "LayerData")(assay,
        layer = "data"
    ))
}

## A column by its name, or the values themselves.
.valuesOrColumn <- function(data, value, arg, where) {
    if (!is.character(value) || length(value) != 1L) {
        return(value)
    }
    if (!value %in% colnames(data)) {
        .stopArgument(arg, "is \"", value, "\", which isn't a column of ",
            where, ": ", .some(colnames(data), 8L), "."
        )
    }
    data[[value]]
}

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
        order <- as.integer(.asFactor(order))
    }
    if (is.null(group) && length(unique(order)) %in% seq_len(8L)) {
        group <- .asFactor(order)
    }
    panel <- if (is.null(group)) factor(rep("all", ncol(x))) else
        .asFactor(group)
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
.chooseRows <- function(z, bins, top, tfs) {
    shown <- seq_len(nrow(z))
    varies <- rowSums(z^2) > 0
    if (is.null(tfs)) {
        follows <- if (ncol(bins) > 1L) rowMeans(bins^2) else as.numeric(varies)
        shown <- shown[varies]
        if (length(shown) == 0L) {
            .stopArgument("x", "has no TF whose activity varies.")
        }
        shown <- head(shown[order(-follows[shown])], top)
    }
    ## the centre of mass of the upper half of a profile, between bins
    peak <- vapply(shown, function(i) {
        w <- pmax(bins[i, ] - max(0, stats::median(bins[i, ])), 0)
        if (sum(w) > 0) sum(w * seq_along(w)) / sum(w) else 0
    }, numeric(1))
    shown[order(peak, decreasing = TRUE)]
}

.drawActivity <- function(z, cells, limit, text) {
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
        ggplot2::labs(title = text$title, subtitle = text$subtitle, y = NULL,
            x = if (cells$ordered) "cells, in order" else "cells"
        ) + .activityTheme()
    if (cells$panels) {
        plot <- plot + ggplot2::facet_grid(
            cols = ggplot2::vars(.data$panel), scales = "free_x",
            space = "free_x"
        ) + .panelLabels(cells$panel)
    }
    plot
}

.activityTheme <- function() {
    ggplot2::theme_minimal(base_size = 11) +
        ggplot2::theme(
            panel.grid = ggplot2::element_blank(),
            panel.spacing.x = ggplot2::unit(1.5, "mm"),
            plot.title.position = "plot",
            plot.subtitle = ggplot2::element_text(size = 9,
                colour = "grey30"
            ),
            plot.background = ggplot2::element_rect(
                fill = "white", colour = NA
            )
        )
}

## Names of panels: upright where a panel is narrower than its name, and never
## cut at its rim.
.panelLabels <- function(panel) {
    share <- table(panel) / length(panel)
    narrow <- any(nchar(names(share)) > 70 * share)
    ggplot2::theme(strip.clip = "off",
        strip.text.x = if (narrow) ggplot2::element_text(angle = 90,
            hjust = 0, vjust = 0.5
        ) else ggplot2::element_text()
    )
}

## Means of groups: colour; share of the group's cells above the mean: size.
.drawMeans <- function(z, cells, limit, text) {
    group <- levels(cells$panel)
    of <- function(f) {
        vapply(group, function(g) {
            f(z[, cells$panel == g, drop = FALSE])
        }, numeric(nrow(z)))
    }
    mean <- as.vector(of(rowMeans))
    dots <- data.frame(
        tf = factor(rep(rownames(z), length(group)), levels = rownames(z)),
        group = factor(rep(group, each = nrow(z)), levels = group),
        mean = pmax(pmin(mean, limit), -limit),
        share = as.vector(of(function(v) rowMeans(v > 0)))
    )
    most <- min(limit, max(abs(dots$mean), 1e-9))
    .data <- ggplot2::.data
    ggplot2::ggplot(dots, ggplot2::aes(.data$group, .data$tf,
        fill = .data$mean, size = .data$share)) +
        ggplot2::geom_point(shape = 21L, colour = "grey60", stroke = 0.3) +
        ggplot2::scale_fill_gradient2(
            low = "#2166AC", mid = "#F7F7F7", high = "#B2182B",
            limits = c(-most, most), name = "mean\n(sd)"
        ) +
        ggplot2::scale_size_area(max_size = 7, limits = c(0, 1),
            labels = function(v) paste0(100 * v, "%"),
            name = "cells above\nthe mean"
        ) +
        ggplot2::scale_x_discrete(labels = function(g) {
            paste0(g, "\n(", format(as.vector(table(cells$panel)[g]),
                big.mark = ",", trim = TRUE), ")")
        }) +
        ggplot2::labs(title = text$title, subtitle = text$subtitle,
            x = NULL, y = NULL
        ) + .activityTheme() +
        ggplot2::theme(
            panel.grid.major = ggplot2::element_line(colour = "grey92"),
            axis.text.x = ggplot2::element_text(
                angle = if (sum(nchar(group)) > 60) 45 else 0,
                hjust = if (sum(nchar(group)) > 60) 1 else 0.5
            )
        )
}
