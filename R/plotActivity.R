## Drawing regulon activity and training.

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

#' Plot the course of training
#'
#' @param x a data.frame as [trainingHistory()] gives, with the columns
#'   `step`, `epoch` and one or more of `total`, `elbo`, `prior`, `dag`,
#'   `sparsity`, `gradNorm`, `lr`; or a model that has one.
#' @param terms which of these to draw; NULL: all but `lr` that are there and
#'   not always 0 or missing.
#' @param window steps of the running mean drawn over the values; NULL: a
#'   twentieth of all.
#' @param ... not used.
#' @return A `ggplot`: one panel per term, values by step in grey, their
#'   running mean in blue, dotted lines where epochs begin (when there are
#'   at most 20). Panels of terms
#'   that are positive throughout and span more than a factor of ten show
#'   log10 values, and say so. Stops when there is nothing to draw.
#' @examples
#' step <- 1:60
#' history <- data.frame(
#'     step = step, epoch = rep(1:3, each = 20),
#'     elbo = 80 + 40 * exp(-step / 20), dag = 10^(-step / 20)
#' )
#' plotTraining(history)
#' @rdname plotTraining
#' @export
setMethod("plotTraining", "data.frame", function(x, terms = NULL,
    window = NULL, ...) {
    terms <- .trainingTerms(x, terms)
    if (is.null(window)) {
        window <- max(1, round(nrow(x) / 20))
    }
    window <- .checkNumber(window, "window", 1, 1e6, whole = TRUE)
    long <- do.call(rbind, lapply(terms, .trainingPanel, x = x,
        window = window
    ))
    long$panel <- factor(long$panel, levels = unique(long$panel))
    .drawTraining(long, .epochStarts(x))
})

#' @rdname plotTraining
#' @export
setMethod("plotTraining", "ANY", function(x, ...) {
    plotTraining(as.data.frame(trainingHistory(x)), ...)
})

.trainingTerms <- function(x, terms) {
    if (nrow(x) == 0L || !"step" %in% names(x)) {
        .stopArgument("x", "has no training steps to draw; train the model ",
            "first with trainModel()."
        )
    }
    known <- c("total", "elbo", "prior", "dag", "sparsity", "gradNorm")
    if (!is.null(terms)) {
        missing <- setdiff(terms, names(x))
        if (length(missing)) {
            .stopArgument("terms", "has columns that 'x' lacks: ",
                .some(missing), "."
            )
        }
        return(terms)
    }
    known <- intersect(known, names(x))
    told <- vapply(known, function(term) {
        any(is.finite(x[[term]]) & x[[term]] != 0)
    }, logical(1))
    if (!any(told)) {
        .stopArgument("x", "has no loss column with values to draw.")
    }
    known[told]
}

.trainingPanel <- function(term, x, window) {
    value <- x[[term]]
    value[!is.finite(value)] <- NA
    there <- value[!is.na(value)]
    label <- term
    if (length(there) && all(there > 0) && max(there) > 10 * min(there)) {
        value <- log10(value)
        label <- paste0(term, " (log10)")
    }
    data.frame(panel = label, step = x$step, value = value,
        smooth = .runningMean(value, window)
    )
}

## Mean of the values that are there, `window` of them around each.
.runningMean <- function(x, window) {
    there <- !is.na(x)
    total <- c(0, cumsum(ifelse(there, x, 0)))
    count <- c(0, cumsum(there))
    from <- pmax(seq_along(x) - (window - 1L) %/% 2L, 1L)
    to <- pmin(seq_along(x) + window %/% 2L, length(x))
    n <- count[to + 1L] - count[from]
    ifelse(n > 0, (total[to + 1L] - total[from]) / n, NA_real_)
}

.epochStarts <- function(x) {
    if (is.null(x$epoch)) {
        return(numeric())
    }
    x$step[which(diff(x$epoch) != 0) + 1L]
}

.drawTraining <- function(long, starts) {
    .data <- ggplot2::.data
    plot <- ggplot2::ggplot(long, ggplot2::aes(.data$step))
    lines <- length(starts) > 0L && length(starts) <= 20L
    if (lines) {
        plot <- plot + ggplot2::geom_vline(
            xintercept = starts, linetype = 3, colour = "grey75"
        )
    }
    plot +
        ggplot2::geom_line(ggplot2::aes(y = .data$value),
            colour = "grey65", linewidth = 0.3, na.rm = TRUE
        ) +
        ggplot2::geom_line(ggplot2::aes(y = .data$smooth),
            colour = "#0072B2", linewidth = 0.8, na.rm = TRUE
        ) +
        ggplot2::facet_wrap(~panel, scales = "free_y") +
        ggplot2::labs(x = "step", y = NULL, title = "Training",
            subtitle = paste0("grey: each step; blue: running mean",
                if (lines) "; dotted: epochs"
            )
        ) +
        ggplot2::theme_bw(base_size = 11) +
        ggplot2::theme(
            panel.grid.minor = ggplot2::element_blank(),
            strip.background = ggplot2::element_rect(fill = "grey95")
        )
}
