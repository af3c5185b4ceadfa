## Figures of chromatin-to-RNA delays: ranked delays, one gene's lag along the
## flow, the flow itself, and the data beside their nulls.

## Okabe & Ito's colours, which the colour-blind can tell apart.
.lagColours <- c(chromatin = "#0072B2", RNA = "#D55E00")
.setColours <- c("#D55E00", "#009E73", "#CC79A7", "#E69F00", "#56B4E9",
    "#0072B2"
)

## What the engine gave; figures need the anchored method's flow.
.tauEngine <- function(fit, arg = "fit", flow = TRUE) {
    .checkTauFit(fit, arg)
    engine <- methods::slot(fit, "fit")
    if (flow && (is.null(engine$velocity) || is.null(engine$time) ||
        !any(is.finite(engine$time)))) {
        .stopArgument(arg, "has no flow to draw: ",
            if (methods::slot(fit, "method") == "effendi") {
                "that of method = \"effendi\" is not one of cell states"
            } else {
                "too few genes change in both chromatin and RNA"
            }, ". See tauVerdict()."
        )
    }
    engine
}

## The verdict always comes first.
.tauSubtitle <- function(fit, ..., width = 92L) {
    v <- tauVerdict(fit)
    head <- if (isTRUE(v$identifiable)) {
        "Delays are identifiable."
    } else {
        paste0("Delays are NOT identifiable: ",
            paste(v$reasons, collapse = "; "), "."
        )
    }
    paste(c(strwrap(head, width), strwrap(paste0(...), width)),
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
        plot.title.position = "plot",
        plot.subtitle = ggplot2::element_text(size = 9, colour = "grey30"),
        plot.caption = ggplot2::element_text(size = 8, colour = "grey40")
    )
}

.isIdentifiable <- function(x) isTRUE(tauVerdict(x)$identifiable)

## ---- ranked delays ---------------------------------------------------------

#' Plot ranked delays
#'
#' Delays of the reported genes in order, with their 90% posterior intervals
#' and marked sets of genes. Delays that aren't identifiable are not ranked:
#' the plot then shows them in grey in the order of the genes and says so.
#'
#' @param fit a [TauFit-class].
#' @param sets a named list of gene names to mark, at most six sets; NULL: the
#'   immediate-early genes and pioneer factors of [tauGeneSets()], if any is
#'   among the genes shown; `list()`: none. A gene in two sets has the colour
#'   of the first.
#' @param top show only this many of the fastest and as many of the slowest
#'   genes, and those of `sets`; NULL: all reported genes.
#' @param title of the plot; NULL: a default.
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
plotTau <- function(fit, sets = NULL, top = NULL, title = NULL) {
    .checkTauFit(fit)
    if (!is.null(top)) {
        top <- .checkNumber(top, "top", 1, 1e6, whole = TRUE)
    }
    data <- .rankedDelays(fit)
    data$set <- .setOf(data$gene, .plotSets(sets, data$gene))
    all <- nrow(data)
    if (!is.null(top) && .isIdentifiable(fit)) {
        data <- data[data$rank <= top | data$rank > all - top |
            !is.na(data$set), ]
        data$rank <- seq_len(nrow(data))
    }
    left <- length(geneNames(fit)) - all
    more <- paste0(
        if (nrow(data) < all) {
            paste0("The ", top, " fastest and slowest of ", all, " genes",
                if (any(!is.na(data$set))) ", and the sets"
            )
        } else {
            paste0(.count(all, "gene"), " shown")
        },
        if (left) paste0("; ", left, " without a reliable delay left out"), "."
    )
    .drawRanked(data, fit, more, title)
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
        .stopArgument("fit", "has no gene with a delay to show. See ",
            "tauVerdict() and the flags in tau()."
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

## ---- one gene along the flow -----------------------------------------------

#' Plot chromatin and RNA of genes along the flow
#'
#' Each point is a metacell at the time the flow arrives there. The RNA is
#' drawn as (RNA - alpha) / beta, on the scale of the chromatin, so that a
#' delay is what lies between the two curves from left to right. The arrow
#' shows it where the chromatin changes most, with its 90% interval.
#'
#' @param fit a [TauFit-class] of method `"anchored"`.
#' @param genes names of one or more usable genes.
#' @param by NULL, or the name of a column of `cellData(fit)` (such as the
#'   branch) by which to split rows of panels; a metacell belongs where most of
#'   its cells do.
#' @param title of the plot; NULL: a default.
#' @return A `ggplot`, a column of panels per gene. Arrival times come from
#'   the same flow as the delays, and are in the same unit; 0 is the earliest
#'   metacell. On a loop, where nothing is earliest, the flow is followed once
#'   round, from an arbitrary place.
#' @section Errors: genes that aren't in the fit or have no delay; a fit
#'   without a flow; `by` that is no column.
#' @seealso [estimateTau()], [plotTau()], [plotFlow()]
#' @examples
#' x <- simulateMultiome(nCells = 600, nGenes = 80, seed = 1)
#' fit <- estimateTau(x, links = S4Vectors::metadata(x)$links, seed = 1)
#' usable <- geneNames(fit)[as.data.frame(fit)$usable]
#' plotLag(fit, usable[1:2])
#' @export
plotLag <- function(fit, genes, by = NULL, title = NULL) {
    engine <- .tauEngine(fit)
    table <- as.data.frame(fit)
    at <- .lagGenes(genes, table)
    group <- .metacellGroup(fit, engine, by)
    place <- .flowTime(engine)
    time <- place$time * .unitScale(fit)
    parts <- lapply(at, .lagCurves, engine = engine, table = table,
        time = time, group = group
    )
    points <- .bindParts(parts, "points", table$gene[at])
    lines <- .bindParts(parts, "lines", table$gene[at])
    shift <- .bindParts(parts, "shift", table$gene[at])
    delays <- tau(fit, force = TRUE)
    shift <- cbind(shift, delays[match(shift$gene, delays$gene),
        c("tau", "low", "high")])
    .drawLag(points, lines, shift, fit, by, title, place$loop)
}

## Time of each metacell along the flow, from 0. The engine's arrival times
## solve dT = dz . v / |v|^2 for neighbours, which no T does on a loop: there,
## the flow is followed once round, and metacells have the time of the nearest
## point of that path.
.flowTime <- function(engine) {
    arrival <- engine$time - min(engine$time, na.rm = TRUE)
    if (!.flowReturns(engine)) {
        return(list(time = arrival, loop = FALSE))
    }
    path <- .onceRound(engine)
    if (is.null(path)) {
        return(list(time = arrival, loop = FALSE))
    }
    z <- engine$z
    d <- outer(rowSums(z^2), rowSums(path$z^2), "+") - 2 * tcrossprod(z, path$z)
    list(time = path$time[max.col(-d, ties.method = "first")], loop = TRUE)
}

## Do arrival times rise along the flow by less than half of what they must?
.flowReturns <- function(engine) {
    z <- .asRows(engine$z)
    v <- .flowAt(engine)(z)
    near <- .nearest(z, min(10L, nrow(z) - 1L))
    from <- rep(seq_len(nrow(z)), times = ncol(near))
    dz <- z[near, , drop = FALSE] - z[from, , drop = FALSE]
    along <- rowSums(dz * v[from, , drop = FALSE])
    speed <- rowSums(v[from, , drop = FALSE]^2)
    aligned <- abs(along) > 0.7 * sqrt(speed * rowSums(dz^2))
    must <- along / speed
    does <- engine$time[near] - engine$time[from]
    ok <- aligned & is.finite(must) & is.finite(does)
    must <- pmin(pmax(must, -1), 1)
    any(ok) && sum(must[ok] * does[ok]) / sum(must[ok]^2) < 0.5
}

## Row numbers of the k nearest other rows, a column per rank.
.nearest <- function(z, k) {
    d <- as.matrix(stats::dist(z))
    diag(d) <- Inf
    t(apply(d, 1L, function(x) order(x)[seq_len(k)]))
}

## Velocity at points, from the landmarks.
.flowAt <- function(engine) {
    landmarks <- .asRows(engine$landmarks)
    velocity <- .asRows(engine$velocity)
    function(z) .softBasis(z, landmarks, engine$bandwidth) %*% velocity
}

## One step of the midpoint rule along (or, h < 0, against) the flow.
.flowStep <- function(engine) {
    v <- .flowAt(engine)
    function(z, h) z + h * v(z + h / 2 * v(z))
}

## The path of the flow, pulled to where cells are as the engine does, from
## where it has settled until it is back; NULL if it isn't within 60 units.
.onceRound <- function(engine) {
    step <- .flowStep(engine)
    pull <- .flowPull(engine)
    h <- 0.05
    walk <- function(z) pull(step(z, h))
    z <- .asRows(engine$z)
    at <- z[which.max(engine$size), , drop = FALSE]
    for (i in seq_len(20 / h)) at <- walk(at)
    n <- 60 / h
    path <- matrix(0, n, ncol(z))
    for (i in seq_len(n)) {
        path[i, ] <- at
        at <- walk(at)
    }
    ## back: the first time that it comes no nearer, having been far away
    away <- sqrt(rowSums(sweep(path, 2L, path[1L, ])^2))
    far <- cummax(away)
    back <- which(away < 0.2 * far & c(diff(away) > 0, FALSE))
    if (!length(back)) {
        return(NULL)
    }
    round <- seq_len(back[[1L]])
    list(z = path[round, , drop = FALSE], time = h * (round - 1))
}

## A tenth of the way to the mean of the metacells around, but not along v.
.flowPull <- function(engine) {
    z <- .asRows(engine$z)
    v <- .flowAt(engine)
    size <- if (is.null(engine$size)) rep(1, nrow(z)) else engine$size
    function(at) {
        b <- .softBasis(at, z, engine$bandwidth)
        b <- sweep(b, 2L, size, "*")
        to <- (b / rowSums(b)) %*% z - at
        u <- v(at)
        u <- u / (sqrt(rowSums(u^2)) + 1e-12)
        at + 0.1 * (to - rowSums(to * u) * u)
    }
}

.unitScale <- function(fit) {
    scale <- methods::slot(fit, "unit")$scale
    if (isTRUE(is.finite(scale))) scale else 1
}

.lagGenes <- function(genes, table) {
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
.metacellGroup <- function(fit, engine, by) {
    if (is.null(by)) {
        return(rep("", length(engine$time)))
    }
    data <- cellData(fit)
    .checkText(by, "by")
    if (!by %in% colnames(data)) {
        .stopArgument("by", "is \"", by, "\", which is no column of ",
            "cellData(fit); there are ", .some(colnames(data), 10L), "."
        )
    }
    value <- factor(data[[by]])
    if (nlevels(value) > 12L) {
        .stopArgument("by", "has ", nlevels(value), " different values; at ",
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
    found <- lapply(split(chromatin, chromatin$group), function(d) {
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

.drawLag <- function(points, lines, shift, fit, by, title, loop = FALSE) {
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
            caption = paste("points: metacells; curves: the model's fit; RNA",
                "drawn as (RNA - alpha) / beta, on the chromatin's scale"
            )
        ) + .tauTheme() + ggplot2::theme(legend.position = "top")
    if (is.null(by)) {
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

## ---- the flow --------------------------------------------------------------

#' Plot the flow of cell states
#'
#' Arrows of the flow that the delays of all genes give, on two dimensions:
#' the fit's own embedding, or one of the container's. The flow runs from
#' where chromatin is ahead to where RNA has followed; no root is given to it.
#'
#' @param fit a [TauFit-class] of method `"anchored"`.
#' @param x NULL, or a SingleCellExperiment that has the fit's cells and the
#'   reduced dimension named in `dimred`; or a matrix, cells x 2 or more, with
#'   cell names.
#' @param dimred name of a reduced dimension of `x`; NULL: the first.
#' @param colour `"time"` (arrival time along the flow), or the name of a
#'   column of `cellData(fit)`.
#' @param n arrows along the longer side.
#' @param title of the plot; NULL: a default.
#' @return A `ggplot`: cells as points, arrows on a grid where there are
#'   cells. On the fit's own embedding (its two main axes) velocities are
#'   projected linearly; on another one through each metacell's neighbours (a
#'   neighbour counts by the cosine between its direction and the velocity),
#'   as RNA velocity plots do, so lengths there are only relative. What a
#'   nonlinear embedding tears apart can't be read from arrows on it.
#' @section Errors: a fit without a flow; cells of the fit that `x` lacks; a
#'   reduced dimension or column that doesn't exist.
#' @references Bergen et al. 2020, Nature Biotechnology 38, 1408-1414, for the
#'   projection through neighbours.
#' @seealso [estimateTau()], [plotLag()]
#' @examples
#' x <- simulateMultiome(nCells = 600, nGenes = 80, seed = 1)
#' fit <- estimateTau(x, links = S4Vectors::metadata(x)$links, seed = 1)
#' plotFlow(fit)
#' @export
plotFlow <- function(fit, x = NULL, dimred = NULL, colour = "time", n = 18,
    title = NULL) {
    engine <- .tauEngine(fit)
    .checkText(colour, "colour")
    n <- .checkNumber(n, "n", 3, 100, whole = TRUE)
    z <- .asRows(engine$z)
    v <- .flowAt(engine)(z)
    if (is.null(x)) {
        if (!is.null(dimred)) {
            .stopArgument("dimred", "needs the container that holds it, 'x'.")
        }
        plane <- .ownPlane(.asRows(engine$embedding), z, v)
    } else {
        plane <- .givenPlane(x, dimred, cellNames(fit), engine$metacell, z, v)
    }
    colours <- .flowColour(fit, engine, colour)
    .drawFlow(plane, engine, colours, n, fit, title)
}

.asRows <- function(x) {
    if (is.matrix(x)) x else matrix(x, ncol = 1L)
}

## softmax over landmarks of -|z - l|^2 / 2 h^2: points x landmarks
.softBasis <- function(z, landmarks, h) {
    d <- outer(rowSums(z^2), rowSums(landmarks^2), "+") -
        2 * tcrossprod(z, landmarks)
    b <- exp(-0.5 * (d - apply(d, 1L, min)) / h^2)
    b / rowSums(b)
}

.ownPlane <- function(cells, z, v) {
    if (ncol(z) == 1L) {
        add <- function(m) cbind(m, 0)
        return(list(cells = add(cells), z = add(z), v = add(v),
            axes = c("state 1", "")
        ))
    }
    turn <- stats::prcomp(cells)$rotation[, 1:2]
    list(cells = cells %*% turn, z = z %*% turn, v = v %*% turn,
        axes = c("state, first axis", "state, second axis")
    )
}

.givenPlane <- function(x, dimred, names, metacell, z, v) {
    if (methods::is(x, "SingleCellExperiment")) {
        known <- SingleCellExperiment::reducedDimNames(x)
        if (is.null(dimred)) {
            dimred <- c(known, NA)[[1L]]
        }
        if (!dimred %in% known) {
            .stopArgument("dimred", "is ", .show(dimred), ", which 'x' ",
                "doesn't have; it has ",
                if (length(known)) .some(known, 10L) else "none", "."
            )
        }
        place <- as.matrix(SingleCellExperiment::reducedDim(x, dimred))
        rownames(place) <- colnames(x)
    } else if (is.matrix(x) && is.numeric(x) && !is.null(rownames(x))) {
        place <- x
        dimred <- "dimension"
    } else {
        .stopArgument("x", "must be a SingleCellExperiment or a matrix with ",
            "cell names; it is a ", class(x)[[1L]], "."
        )
    }
    at <- match(names, rownames(place))
    if (anyNA(at) || ncol(place) < 2L) {
        .stopArgument("x", if (anyNA(at)) {
            paste0("lacks ", sum(is.na(at)), " cells of the fit: ",
                .some(names[is.na(at)])
            )
        } else {
            "has fewer than two dimensions"
        }, ".")
    }
    place <- place[at, 1:2]
    middle <- rowsum(place, factor(metacell, seq_len(nrow(z))), reorder = TRUE)
    middle <- middle / as.vector(table(factor(metacell, seq_len(nrow(z)))))
    list(cells = place, z = middle, v = .projectFlow(middle, z, v),
        axes = paste(dimred, 1:2)
    )
}

## Velocities seen on another embedding, through the 30 nearest neighbours.
.projectFlow <- function(place, z, v) {
    k <- min(30L, nrow(z) - 1L)
    size <- sqrt(rowSums(v^2))
    moved <- vapply(seq_len(nrow(z)), function(i) {
        dz <- sweep(z, 2L, z[i, ])
        far <- sqrt(rowSums(dz^2))
        near <- order(far)[1L + seq_len(k)]
        cosine <- as.vector(dz[near, , drop = FALSE] %*% v[i, ]) /
            (far[near] * size[[i]] + 1e-12)
        p <- exp(cosine / 0.2)
        dx <- sweep(place[near, , drop = FALSE], 2L, place[i, ])
        dx <- dx / (sqrt(rowSums(dx^2)) + 1e-12)
        colSums((p / sum(p) - 1 / k) * dx) * size[[i]]
    }, numeric(2))
    t(moved)
}

.flowColour <- function(fit, engine, colour) {
    if (colour == "time") {
        place <- .flowTime(engine)
        return(list(value = (place$time * .unitScale(fit))[engine$metacell],
            name = if (place$loop) "time,\nonce round" else "arrival\ntime"
        ))
    }
    data <- cellData(fit)
    if (!colour %in% colnames(data)) {
        .stopArgument("colour", "is \"", colour, "\", which is neither ",
            "\"time\" nor a column of cellData(fit): ",
            .some(colnames(data), 10L), "."
        )
    }
    list(value = data[[colour]], name = colour)
}

## Mean velocity on a grid, where there are metacells within a step.
.flowGrid <- function(place, v, n) {
    span <- apply(place, 2L, range)
    step <- max(span[2L, ] - span[1L, ]) / n
    axis <- function(d) {
        seq(span[1L, d] - step / 2, span[2L, d] + step / 2 + 1e-9, by = step)
    }
    at <- as.matrix(expand.grid(axis(1L), axis(2L)))
    d <- outer(rowSums(at^2), rowSums(place^2), "+") - 2 * tcrossprod(at, place)
    k <- exp(-0.5 * pmax(d, 0) / step^2)
    keep <- sqrt(apply(pmax(d, 0), 1L, min)) < 0.9 * step
    mean <- (k %*% v / rowSums(k))[keep, , drop = FALSE]
    size <- sqrt(rowSums(mean^2))
    usual <- stats::quantile(size, 0.8)
    mean <- mean / max(usual, 1e-12) * step
    ## no arrow longer than two steps
    long <- pmin(1, 2 * step / (sqrt(rowSums(mean^2)) + 1e-12))
    arrows <- data.frame(x = at[keep, 1L], y = at[keep, 2L],
        dx = mean[, 1L] * long, dy = mean[, 2L] * long
    )
    ## where cells come to rest there is nothing to point at
    arrows[sqrt(rowSums(mean^2)) > 0.15 * step, ]
}

.drawFlow <- function(plane, engine, colours, n, fit, title) {
    .data <- ggplot2::.data
    cells <- data.frame(x = plane$cells[, 1L], y = plane$cells[, 2L],
        colour = colours$value
    )
    arrows <- .flowGrid(plane$z, plane$v, n)
    span <- c(diff(range(cells$x)), diff(range(cells$y)))
    discrete <- !is.numeric(cells$colour)
    shade <- if (discrete) {
        if (length(unique(cells$colour)) <= 6L) {
            ggplot2::scale_colour_manual(colours$name, values = .setColours)
        } else {
            ggplot2::scale_colour_viridis_d(colours$name, option = "D")
        }
    } else {
        ggplot2::scale_colour_viridis_c(colours$name, option = "D",
            end = 0.95
        )
    }
    ggplot2::ggplot(cells, ggplot2::aes(.data$x, .data$y)) +
        ggplot2::geom_point(ggplot2::aes(colour = .data$colour),
            size = 0.8, alpha = 0.5
        ) +
        ggplot2::geom_segment(
            ggplot2::aes(xend = .data$x + .data$dx, yend = .data$y + .data$dy),
            arrows, linewidth = 0.45,
            colour = if (.isIdentifiable(fit)) "black" else "grey55",
            arrow = ggplot2::arrow(length = ggplot2::unit(1.4, "mm"),
                type = "closed"
            )
        ) + shade +
        ggplot2::labs(
            title = if (is.null(title)) {
                "The flow of cell states, from chromatin ahead of RNA"
            } else {
                title
            },
            subtitle = .tauSubtitle(fit, if (!.isIdentifiable(fit)) {
                "The arrows aren't to be read."
            }),
            x = plane$axes[[1L]], y = plane$axes[[2L]]
        ) + .tauTheme() + if (max(span) < 4 * min(span)) {
            ggplot2::coord_equal()
        }
}

## ---- nulls -----------------------------------------------------------------

#' The verdict's numbers beside those of permuted data
#'
#' Estimates delays again after the pairing of chromatin and RNA, or the links
#' of peaks to genes, were permuted. What the data show beyond these is what
#' they know about delays. Each run costs as much as the fit itself; by
#' default there are six.
#'
#' @param fit a [TauFit-class] of method `"anchored"`.
#' @param x what the fit was made from: any `x` of [estimateTau()].
#' @param n runs of each kind.
#' @param what kinds of null: `"pairing"`: every cell gets the chromatin of
#'   another one; `"links"`: every gene gets the peaks of another one.
#' @param seed NULL: drawn from R's generator; or a whole number.
#' @param ... further arguments that say where the counts are, as they were
#'   given to [estimateTau()]: `atac`, `rna`, `altExp`, `assay.type`.
#' @param threads threads of the engine; NULL: `causeway.threads`.
#' @param verbose show messages.
#' @return `tauNull()`: a data.frame with a row for the data and one per run:
#'   `data` (`observed`, `pairing`, `links`), `run`, `identifiable` and the
#'   verdict's numbers `axes`, `usable`, `concord`, `lead`, `leadZ`, `gain`,
#'   `heterogeneity`; NaN where a run had too few usable genes for them.
#'   Its attribute `verdict` is that of the fit.
#'   `plotTauNull()`: a `ggplot` of it, a panel per number, with the
#'   threshold of the verdict.
#' @section Errors: `x` isn't what the fit was made from (its genes or peaks are
#'   missing); a fit of another method.
#' @seealso [estimateTau()], [validateTau()], [TauFit-class] for what the
#'   numbers mean
#' @examples
#' x <- simulateMultiome(nCells = 600, nGenes = 80, seed = 1)
#' fit <- estimateTau(x, links = S4Vectors::metadata(x)$links, seed = 1)
#' null <- tauNull(fit, x, n = 1, seed = 1)
#' null
#' plotTauNull(null)
#' @name tauNull
#' @export
tauNull <- function(fit, x, n = 3, what = c("pairing", "links"), seed = NULL,
    ..., threads = NULL, verbose = interactive()) {
    .checkTauFit(fit)
    if (methods::slot(fit, "method") != "anchored") {
        .stopArgument("fit", "must be of method = \"anchored\".")
    }
    n <- .checkNumber(n, "n", 1, 1000, whole = TRUE)
    .checkFlag(verbose, "verbose")
    if (!is.character(what) || !length(what) ||
        !all(what %in% c("pairing", "links"))) {
        .stopArgument("what", "must be \"pairing\", \"links\" or both; it is ",
            .show(what), "."
        )
    }
    input <- .nullInput(fit, x, ...)
    key <- .newKey(seed)
    runs <- data.frame(data = rep(what, each = n),
        run = rep(seq_len(n), length(what))
    )
    started <- proc.time()[["elapsed"]]
    found <- lapply(seq_len(nrow(runs)), function(i) {
        v <- .nullRun(input, runs$data[[i]], .nthKey(key, i), threads)
        spent <- proc.time()[["elapsed"]] - started
        .say(verbose, "Null ", i, " of ", nrow(runs), " (", runs$data[[i]],
            "), ", .duration(spent / i * (nrow(runs) - i)), " left."
        )
        v
    })
    out <- rbind(
        cbind(data.frame(data = "observed", run = 1L),
            .verdictRow(tauVerdict(fit))
        ),
        cbind(runs, do.call(rbind, found))
    )
    attr(out, "verdict") <- .tauSubtitle(fit)
    out
}

.verdictNumbers <- c("axes", "usable", "concord", "lead", "leadZ", "gain",
    "heterogeneity"
)

.verdictRow <- function(v) {
    numbers <- lapply(v[.verdictNumbers], function(x) {
        if (length(x) == 1L) as.numeric(x) else NaN
    })
    names(numbers) <- .verdictNumbers
    cbind(identifiable = isTRUE(v$identifiable), as.data.frame(numbers))
}

## A seed below 2^53 for the i-th run.
.nthKey <- function(key, i) {
    (key[[1L]] * 2^20 + key[[2L]] + 7919 * i) %% 2^53
}

.nullInput <- function(fit, x, ...) {
    input <- .tauInput(x, ..., verbose = FALSE)
    links <- peakLinks(fit)[c("gene", "peak")]
    lost <- c(setdiff(links$gene, input$genes), setdiff(links$peak,
        input$peaks
    ))
    cells <- match(cellNames(fit), input$cells)
    if (length(lost) || anyNA(cells)) {
        .stopArgument("x", "isn't what the fit was made from: it lacks ",
            if (length(lost)) paste("features such as", .some(lost, 3L)) else
                paste(sum(is.na(cells)), "of its cells"), "."
        )
    }
    list(rna = input$rna[, cells, drop = FALSE],
        atac = input$atac[, cells, drop = FALSE], links = links,
        settings = .fitSettings(fit)
    )
}

## The settings a fit was made with, as estimateTau() takes them.
.fitSettings <- function(fit) {
    used <- metadata(fit)$settings
    used[intersect(names(used), setdiff(names(.tauDefaults), "readout"))]
}

.nullRun <- function(input, kind, seed, threads) {
    if (kind == "pairing") {
        to <- .permuted(ncol(input$atac), seed)
        cells <- colnames(input$atac)
        input$atac <- input$atac[, to]
        colnames(input$atac) <- cells
    } else {
        genes <- unique(input$links$gene)
        other <- genes[.permuted(length(genes), seed)]
        input$links$gene <- other[match(input$links$gene, genes)]
    }
    fit <- estimateTau(input$rna, input$atac, input$links, seed = seed,
        settings = input$settings, threads = threads, verbose = FALSE
    )
    .verdictRow(tauVerdict(fit))
}

.permuted <- function(n, seed) {
    .Call(cw_r_permutation, as.numeric(n), .newKey(seed), 0) + 1L
}

#' @rdname tauNull
#' @param null NULL, or what `tauNull()` gave: nothing is fitted again. It may
#'   also be given as `fit`.
#' @param title of the plot; NULL: a default.
#' @export
plotTauNull <- function(fit, x = NULL, n = 3, null = NULL, title = NULL, ...) {
    if (is.data.frame(fit)) {
        null <- fit
    }
    if (is.null(null)) {
        if (is.null(x)) {
            .stopArgument("x", "must hold the counts the fit was made from, ",
                "or give 'null', made by tauNull()."
            )
        }
        null <- tauNull(fit, x, n = n, ...)
    }
    if (!is.data.frame(null) ||
        !all(c("data", .verdictNumbers) %in% names(null))) {
        .stopArgument("null", "must come from tauNull(); it is ",
            .show(null), "."
        )
    }
    .drawNull(null, title)
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
