## Chromatin and RNA of single genes along the flow.

#' Plot chromatin and RNA of genes along the flow
#'
#' Each point is a metacell at the time the flow arrives there. The RNA is
#' drawn as (RNA - alpha) / beta, on the scale of the chromatin, so that a
#' delay is what lies between the two curves from left to right. The arrow
#' shows it where the chromatin changes most, with its 90% interval.
#'
#' @param x a [TauFit-class] of method `"anchored"`.
#' @param genes names of one or more usable genes.
#' @param group NULL, or the name of a column of `cellData(x)` (such as the
#'   branch) by which to split rows of panels; a metacell belongs where most of
#'   its cells do.
#' @param title of the plot; NULL: a default.
#' @param ... not used.
#' @return A `ggplot`, a column of panels per gene. Arrival times come from
#'   the same flow as the delays, and are in the same unit; 0 is the earliest
#'   metacell. On a loop, where nothing is earliest, the flow is followed once
#'   round, from an arbitrary place.
#' @section Errors: genes that aren't in the fit or have no delay; a fit
#'   without a flow; `group` that is no column.
#' @seealso [estimateTau()], [plotTau()], [plotFlow()]
#' @examples
#' x <- simulateMultiome(nCells = 600, nGenes = 80, seed = 1)
#' fit <- estimateTau(x, links = S4Vectors::metadata(x)$links, seed = 1)
#' usable <- geneNames(fit)[as.data.frame(fit)$usable]
#' plotLag(fit, usable[1:2])
#' @export
plotLag <- function(x, genes, group = NULL, title = NULL, ...) {
    .noDots(..., renamed = c(fit = "x", by = "group"))
    engine <- .tauEngine(x)
    table <- as.data.frame(x)
    at <- .lagGenes(genes, table)
    place <- .flowTime(engine)
    time <- place$time * .unitScale(x)
    parts <- lapply(at, .lagCurves, engine = engine, table = table,
        time = time, group = .metacellGroup(x, engine, group)
    )
    points <- .bindParts(parts, "points", table$gene[at])
    lines <- .bindParts(parts, "lines", table$gene[at])
    shift <- .bindParts(parts, "shift", table$gene[at])
    delays <- tau(x, force = TRUE)
    shift <- cbind(shift, delays[match(shift$gene, delays$gene),
        c("tau", "low", "high")])
    .drawLag(points, lines, shift, x, !is.null(group), title, place$loop)
}

.lagGenes <- function(genes, table) {
    genes <- .textOf(genes)
    if (!is.character(genes) || !length(genes) || anyNA(genes)) {
        .stopArgument("genes", "must be names of genes; it is ", .show(genes),
            "."
        )
    }
    at <- match(genes, table$gene)
    if (anyNA(at)) {
        .stopArgument("genes", "has names that aren't in the fit: ",
            .some(genes[is.na(at)]), "."
        )
    }
    without <- !is.finite(table$tau[at])
    if (any(without)) {
        .stopArgument("genes", "has genes without a delay: ",
            .some(paste0(genes[without], " (", table$flag[at[without]], ")")),
            "."
        )
    }
    unique(at)
}

## For each metacell the commonest value of a column of cellData.
.metacellGroup <- function(fit, engine, group) {
    if (is.null(group)) {
        return(rep("", length(engine$time)))
    }
    data <- cellData(fit)
    .checkText(group, "group")
    if (!group %in% colnames(data)) {
        .stopArgument("group", "is \"", group, "\", which is no column of ",
            "cellData(x); there are ", .some(colnames(data), 10L), "."
        )
    }
    value <- .asFactor(data[[group]])
    if (nlevels(value) > 12L) {
        .stopArgument("group", "has ", nlevels(value), " different values; at ",
            "most 12 can be drawn."
        )
    }
    seen <- table(factor(engine$metacell, seq_along(engine$time)), value)
    levels(value)[max.col(as.matrix(seen), ties.method = "first")]
}

.bindParts <- function(parts, what, genes) {
    do.call(rbind, Map(function(part, gene) {
        cbind(part[[what]], gene = factor(gene, genes))
    }, parts, genes))
}

## Points, fitted curves and where to draw the shift, of one gene.
.lagCurves <- function(g, engine, table, time, group) {
    own <- function(x) (x - table$alpha[[g]]) / table$beta[[g]]
    known <- is.finite(time)
    frame <- function(chromatin, rna, time, group) {
        data.frame(time = rep(time, 2L), group = rep(group, 2L),
            value = c(chromatin, rna),
            modality = rep(c("chromatin", "RNA"), each = length(time))
        )
    }
    points <- frame(engine$chromatin[known, g], own(engine$rna[known, g]),
        time[known], group[known]
    )
    size <- if (is.null(engine$size)) rep(1, length(time)) else engine$size
    lines <- do.call(rbind, lapply(unique(group[known]), function(k) {
        in_ <- known & group == k
        if (sum(in_) < 3L) {
            return(NULL)
        }
        to <- seq(min(time[in_]), max(time[in_]), length.out = 120L)
        smooth <- function(y) .kernelMean(to, time[in_], y[in_], size[in_])
        frame(smooth(engine$fittedChromatin[, g]),
            smooth(own(engine$fittedRna[, g])), to, k
        )
    }))
    list(points = points, lines = lines, shift = .steepest(lines))
}

## Mean of y over x with a Gaussian kernel of a fortieth of the range, or
## wider where there are few points.
.kernelMean <- function(to, x, y, weight) {
    width <- max(diff(range(x)) * max(1 / 40, 1.5 / length(x)), 1e-9)
    k <- exp(-0.5 * (outer(to, x, "-") / width)^2)
    k <- sweep(k, 2L, weight, "*") + 1e-300
    as.vector(k %*% y) / rowSums(k)
}

## Per group: where the chromatin's curve is steepest.
.steepest <- function(lines) {
    chromatin <- lines[lines$modality == "chromatin", ]
    found <- lapply(split(chromatin, .asFactor(chromatin$group)), function(d) {
        slope <- abs(diff(d$value))
        at <- which.max(slope)
        data.frame(group = d$group[[1L]], time = mean(d$time[at + 0:1]),
            value = mean(d$value[at + 0:1]), range = diff(range(d$value))
        )
    })
    found <- do.call(rbind, found)
    ## branches on which the gene hardly moves have no arrow
    found[found$range > 0.5 * max(found$range), ]
}

.drawLag <- function(points, lines, shift, fit, split, title, loop = FALSE) {
    .data <- ggplot2::.data
    spread <- stats::quantile(lines$value, c(0.01, 0.99))
    room <- 0.6 * diff(spread)
    points$value <- pmin(pmax(points$value, spread[[1L]] - room),
        spread[[2L]] + room
    )
    delay <- shift[!duplicated(shift$gene), ]
    strips <- stats::setNames(sprintf("%s\ndelay %.2f (%.2f to %.2f)",
        delay$gene, delay$tau, delay$low, delay$high
    ), delay$gene)
    kinetic <- identical(methods::slot(fit, "readout"), "kinetics")
    clock <- methods::slot(fit, "unit")
    unit <- if (isTRUE(is.finite(clock$scale))) clock$name else
        "1 = the median delay"
    plot <- ggplot2::ggplot(mapping = ggplot2::aes(.data$time, .data$value)) +
        ggplot2::geom_point(ggplot2::aes(colour = .data$modality), points,
            size = 0.7, alpha = 0.45
        ) +
        ggplot2::geom_line(ggplot2::aes(colour = .data$modality), lines,
            linewidth = 0.9
        ) + .shiftLayers(shift, diff(spread)) +
        ggplot2::scale_colour_manual(NULL, values = .lagColours) +
        ggplot2::labs(
            title = if (is.null(title)) "Chromatin and RNA along the flow" else
                title,
            subtitle = .tauSubtitle(fit, "Arrow: the delay and its 90% ",
                "interval", if (kinetic) {
                    ", here the time constant of RNA's response"
                }, "."
            ),
            x = paste0(if (loop) "time once round the flow (" else
                "arrival time along the flow (", unit, ")"
            ),
            y = "rate (1 = mean chromatin)",
            caption = .tauCaption("points: metacells; curves: the model's ",
                "fit; RNA drawn as (RNA - alpha) / beta, on the chromatin's ",
                "scale"
            )
        ) + .tauTheme() + ggplot2::theme(legend.position = "top")
    if (!split) {
        return(plot + ggplot2::facet_wrap(ggplot2::vars(.data$gene),
            scales = "free_y", labeller = ggplot2::as_labeller(strips)
        ))
    }
    plot + ggplot2::facet_grid(rows = ggplot2::vars(.data$group),
        cols = ggplot2::vars(.data$gene),
        labeller = ggplot2::labeller(.cols = strips)
    )
}

.shiftLayers <- function(shift, height) {
    .data <- ggplot2::.data
    dark <- "grey10"
    list(
        ggplot2::geom_errorbar(ggplot2::aes(
            xmin = .data$time + .data$low, xmax = .data$time + .data$high,
            y = .data$value - 0.07 * height
        ), shift, colour = dark, linewidth = 0.5, width = 0.06 * height,
        orientation = "y"),
        ggplot2::geom_segment(ggplot2::aes(xend = .data$time + .data$tau,
            yend = .data$value
        ), shift, colour = dark, linewidth = 0.7,
        arrow = ggplot2::arrow(length = ggplot2::unit(2, "mm"),
            type = "closed"
        ))
    )
}
