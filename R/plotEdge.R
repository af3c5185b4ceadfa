## One edge over cells; known edges found along a ranking.

#' Draw one edge over the cells
#'
#' The score of an edge in each cell, over two coordinates of the cells, with
#' the expression of the TF and of the target beside it: an edge that
#' is only high where its genes are shows up as such.
#'
#' @param x a [CellGRN-class] or [StateGRN-class].
#' @param tf,target names of a TF and of a gene of `x`.
#' @param coordinates NULL: two principal components of the expression in `x`
#'   (its 200 most variable genes, standardised); or a matrix, cells x two or
#'   more dimensions, with cell names or in the order of `x`; or a
#'   `SingleCellExperiment` that has `dimred`.
#' @param dimred name or number of a `reducedDim` of `coordinates`; of a matrix
#'   its first two columns are used.
#' @param size of the points; NULL: by the number of cells.
#' @param title NULL: one that names the edge.
#' @return A `ggplot` with three panels. Colours run in each panel from 0 to the
#'   99th percentile of the positive values, which the panel's name gives; high
#'   values are drawn on top. Stops when a name is unknown or coordinates don't
#'   fit.
#' @seealso [edgeTable()], [contrastGRN()], [switchingEdges()]
#' @examples
#' grn <- exampleGRN()
#' plotEdge(grn, "MYOG", "CKM")
#' plotEdge(grn, "MYOG", "CKM", coordinates = cbind(grn$time, 0))
#' @export
plotEdge <- function(x, tf, target, coordinates = NULL, dimred = 1,
    size = NULL, title = NULL) {
    if (!methods::is(x, "PerCellNetworks")) {
        .stopArgument("x", "must be per-cell networks, a CellGRN or a ",
            "StateGRN; it is a ", class(x)[[1L]], "."
        )
    }
    .knownTFs(.checkText(tf, "tf"), tfNames(x))
    if (!.checkText(target, "target") %in% geneNames(x)) {
        .stopArgument("target", "is \"", target, "\", which isn't a gene of ",
            "the networks; see geneNames()."
        )
    }
    if (!is.null(size)) {
        .checkNumber(size, "size", 0, 20, open = TRUE)
    }
    place <- .cellCoordinates(x, coordinates, dimred)
    at <- cbind(match(tf, tfNames(x)), match(target, geneNames(x)))
    columns <- .networkColumns(x, seq_along(cellNames(x)))
    parts <- lapply(.columnBlocks(length(columns$first)), function(part) {
        .edgeScores(x, columns$first[part], at)
    })
    score <- unlist(parts, use.names = FALSE)[columns$of]
    value <- function(gene) {
        as.vector(x@expression[match(gene, geneNames(x)), ])
    }
    panels <- list(
        .edgePanel(paste0("score of ", tf, " > ", target), score),
        .edgePanel(paste0("expression of ", tf), value(tf)),
        .edgePanel(paste0("expression of ", target), value(target))
    )
    if (is.null(title)) {
        title <- paste0(tf, " > ", target, " in ",
            .count(length(score), "cell")
        )
    }
    .drawEdge(panels, place, size, title)
}

.edgePanel <- function(name, value) {
    there <- value[value > 0]
    most <- if (length(there)) stats::quantile(there, 0.99) else 0
    list(
        name = sprintf("%s\n0 to %s", name, format(signif(most, 2L))),
        shade = if (most > 0) pmax(pmin(value / most, 1), 0) else 0 * value
    )
}

## cells x 2, with column names.
.cellCoordinates <- function(x, coordinates, dimred) {
    cells <- cellNames(x)
    if (is.null(coordinates)) {
        return(.principalPlane(x@expression))
    }
    if (methods::is(coordinates, "SingleCellExperiment")) {
        coordinates <- .reducedDimOf(coordinates, dimred)
    }
    coordinates <- as.matrix(coordinates)
    if (!is.null(rownames(coordinates)) &&
        any(cells %in% rownames(coordinates))) {
        at <- match(cells, rownames(coordinates))
        if (anyNA(at)) {
            .stopArgument("coordinates", "lack ", sum(is.na(at)), " cells of ",
                "the networks: ", .some(cells[is.na(at)]), "."
            )
        }
        coordinates <- coordinates[at, , drop = FALSE]
    }
    if (!is.numeric(coordinates) || nrow(coordinates) != length(cells) ||
        ncol(coordinates) < 2L || !all(is.finite(coordinates[, 1:2]))) {
        .stopArgument("coordinates", "must be finite numbers, cells x 2, with ",
            length(cells), " rows; they are ", nrow(coordinates), " x ",
            ncol(coordinates), "."
        )
    }
    out <- coordinates[, 1:2]
    if (is.null(colnames(out))) {
        colnames(out) <- paste("dimension", 1:2)
    }
    out
}

.reducedDimOf <- function(sce, dimred) {
    names <- SingleCellExperiment::reducedDimNames(sce)
    if (!length(names)) {
        .stopArgument("coordinates", "have no reducedDim.")
    }
    known <- if (is.character(dimred)) dimred %in% names else
        dimred %in% seq_along(names)
    if (length(dimred) != 1L || !known) {
        .stopArgument("dimred", "must be one of ", .some(names, 8L),
            "; it is ", .show(dimred), "."
        )
    }
    point <- as.matrix(SingleCellExperiment::reducedDim(sce, dimred))
    if (is.null(rownames(point))) {
        rownames(point) <- colnames(sce)
    }
    name <- if (is.character(dimred)) dimred else names[[dimred]]
    if (nzchar(name)) {
        colnames(point) <- paste(name, seq_len(ncol(point)))
    }
    point
}

## Two principal components of the most variable genes.
.principalPlane <- function(expression, genes = 200L) {
    z <- .standardiser(expression)
    keep <- which(z$scale > 0)
    keep <- head(keep[order(z$scale[keep])], genes)
    plane <- matrix(0, ncol(expression), 2L,
        dimnames = list(NULL, paste("component", 1:2))
    )
    if (length(keep) >= 2L) {
        values <- t((as.matrix(expression[keep, , drop = FALSE]) -
            z$mean[keep]) * z$scale[keep])
        axes <- eigen(crossprod(values), symmetric = TRUE)$vectors[, 1:2]
        ## a sign that doesn't hang on the linear algebra
        axes <- sweep(axes, 2L, ifelse(colSums(axes^3) < 0, -1, 1), `*`)
        plane[] <- values %*% axes
    }
    plane
}

.drawEdge <- function(panels, place, size, title) {
    names <- vapply(panels, `[[`, "", "name")
    points <- do.call(rbind, lapply(panels, function(p) {
        d <- data.frame(x = place[, 1L], y = place[, 2L], shade = p$shade,
            panel = p$name
        )
        d[order(d$shade), ]
    }))
    points$panel <- factor(points$panel, unique(names))
    if (is.null(size)) {
        size <- max(0.3, min(2, 60 / sqrt(nrow(place))))
    }
    .data <- ggplot2::.data
    ggplot2::ggplot(points, ggplot2::aes(.data$x, .data$y,
        colour = .data$shade)) +
        ggplot2::geom_point(size = size) +
        ggplot2::facet_wrap(~panel, nrow = 1L) +
        ggplot2::scale_colour_gradientn(
            colours = c("grey88", "#FDBB84", "#E34A33", "#7F0000"),
            limits = c(0, 1), breaks = c(0, 1), labels = c("0", "high"),
            name = NULL
        ) +
        ggplot2::labs(title = title, x = colnames(place)[[1L]],
            y = colnames(place)[[2L]]
        ) +
        ggplot2::theme_bw(base_size = 11) +
        ggplot2::theme(
            panel.grid = ggplot2::element_blank(),
            axis.text = ggplot2::element_blank(),
            axis.ticks = ggplot2::element_blank(),
            strip.background = ggplot2::element_rect(fill = "grey95")
        )
}

## ---- rank recovery ---------------------------------------------------------

#' Known edges found along a ranking
#'
#' How many edges of a reference are among the n highest candidates, for every
#' n, against correlations on the same candidates and against chance. Both axes
#' are logarithmic, so that the first hundred edges, those one would follow up,
#' take as much room as the rest.
#'
#' @param x a [CellGRN-class], a [StateGRN-class], a [PooledGRN-class] that
#'   isn't filtered, or a named list of these over the same TFs and genes.
#' @param reference as for [evaluateGRN()]; so are the candidates: the TFs that
#'   are sources in the reference x all genes, no self edges.
#' @param methods baselines: `"pearson"`, `"spearman"` and `"marginal"` (one
#'   number per TF plus one per gene, fitted to the first network's scores); for
#'   per-cell networks all by default, for pooled ones correlations need
#'   `expression`.
#' @param expression for pooled networks: genes x cells, row names as genes.
#' @param title NULL: one that counts candidates and known edges.
#' @return A `ggplot`; its `data` has the columns `method`, `n` and `found`.
#'   Edges of equal score share their known ones evenly. Grey band: 95% of
#'   random rankings (hypergeometric); dotted line: n = number of known edges,
#'   where early precision is read. Stops as [evaluateGRN()] does.
#' @seealso [evaluateGRN()] for numbers and intervals
#' @examples
#' grn <- exampleGRN()
#' reference <- data.frame(
#'     TF = rep(tfNames(grn)[1:2], each = 4),
#'     target = geneNames(grn)[c(9, 17, 25, 33, 10, 18, 26, 34)]
#' )
#' plotRankRecovery(grn, reference)
#' @export
plotRankRecovery <- function(x, reference, methods = NULL, expression = NULL,
    title = NULL) {
    networks <- if (is.list(x)) x else list(network = x)
    if (!length(networks) || is.null(names(networks)) ||
        !all(nzchar(names(networks))) || anyDuplicated(names(networks))) {
        .stopArgument("x", "must be a network, or a list of them with a ",
            "different name each."
        )
    }
    if (is.null(expression) && methods::is(networks[[1L]], "PerCellNetworks")) {
        expression <- networks[[1L]]@expression
        rownames(expression) <- geneNames(networks[[1L]])
    }
    all <- c("pearson", "spearman", "marginal")
    methods <- if (is.null(methods)) {
        if (is.null(expression)) "marginal" else all
    } else if (length(methods)) {
        .someOf(methods, all, "methods")
    }
    if (is.null(expression) && any(methods != "marginal")) {
        .stopArgument("expression", "is needed for correlations: give the ",
            "genes x cells matrix, or leave them out of 'methods'."
        )
    }
    scores <- .recoveryScores(networks)
    pairs <- .recoveryPairs(scores[[1L]], .referenceEdges(reference))
    scores <- c(scores, .recoveryBaselines(scores[[1L]], methods, expression))
    curves <- lapply(names(scores), function(m) {
        found <- .recoveryCurve(scores[[m]][pairs$at], pairs$positive)
        data.frame(method = m, found)
    })
    .drawRecovery(do.call(rbind, curves), pairs$positive, names(networks),
        title
    )
}

.recoveryScores <- function(networks) {
    scores <- lapply(names(networks), function(name) {
        grn <- networks[[name]]
        if (methods::is(grn, "PerCellNetworks")) {
            grn <- poolGRN(grn)
        }
        if (!methods::is(grn, "PooledGRN") || grn@filtered) {
            .stopArgument("x", "has \"", name, "\", which must be an ",
                "unfiltered PooledGRN, a CellGRN or a StateGRN."
            )
        }
        as.matrix(grn)
    })
    same <- vapply(scores, function(s) {
        identical(dimnames(s), dimnames(scores[[1L]]))
    }, logical(1))
    if (!all(same)) {
        .stopArgument("x", "has networks of different TFs or genes: ",
            .some(names(networks)[!same]), " against ", names(networks)[[1L]],
            "."
        )
    }
    setNames(scores, names(networks))
}

## Candidates as positions in the score matrix, and which are known.
.recoveryPairs <- function(scores, edges) {
    edges <- unique(edges[!is.na(edges$Gene1) & !is.na(edges$Gene2) &
        edges$Gene1 != edges$Gene2, ])
    known <- cbind(match(edges$Gene1, rownames(scores)),
        match(edges$Gene2, colnames(scores))
    )
    known <- known[!is.na(known[, 1L]) & !is.na(known[, 2L]), , drop = FALSE]
    if (!nrow(known)) {
        .stopArgument("reference", "has no edge from a TF of the network to a ",
            "gene of the network; check the kind of gene names."
        )
    }
    use <- matrix(FALSE, nrow(scores), ncol(scores))
    use[unique(known[, 1L]), ] <- TRUE
    use[.selfEdges(scores)] <- FALSE
    at <- which(use)
    positive <- at %in% ((known[, 2L] - 1) * nrow(scores) + known[, 1L])
    if (all(positive)) {
        .stopArgument("reference", "has every candidate edge, so nothing can ",
            "be told apart."
        )
    }
    list(at = at, positive = positive)
}

.recoveryBaselines <- function(scores, methods, expression) {
    out <- lapply(methods, function(m) {
        if (m == "marginal") {
            row <- rowMeans(scores)
            return(outer(row, colMeans(scores), `+`))
        }
        at <- match(colnames(scores), rownames(expression))
        if (anyNA(at)) {
            .stopArgument("expression", "lacks genes of the network: ",
                .some(colnames(scores)[is.na(at)]), "."
            )
        }
        values <- .asSparse(expression)[at, , drop = FALSE]
        tf <- match(rownames(scores), colnames(scores))
        ## equal but for rounding counts as equal
        signif(abs(.correlations(values, tf, m)), 12L)
    })
    setNames(out, methods)
}

## Known edges among the n highest, at about 300 n.
.recoveryCurve <- function(score, positive) {
    order <- order(-score, method = "radix")
    sorted <- score[order]
    hit <- positive[order]
    last <- c(which(sorted[-1L] != sorted[-length(sorted)]), length(sorted))
    total <- cumsum(hit)[last]
    n <- unique(round(exp(seq(0, log(length(score)), length.out = 300L))))
    data.frame(n = n,
        found = stats::approx(c(0, last), c(0, total), xout = n)$y
    )
}

.recoveryColours <- c(
    "#D55E00", "#0072B2", "#009E73", "#CC79A7", "#E69F00", "#56B4E9",
    "#000000", "#999933", "#882255", "#44AA99", "#661100", "#88CCEE"
)

.drawRecovery <- function(curves, positive, own, title) {
    known <- sum(positive)
    curves$method <- factor(curves$method, unique(curves$method))
    curves$own <- curves$method %in% own
    least <- 0.5
    if (is.null(title)) {
        title <- sprintf("%s known among %s candidate edges",
            format(known, big.mark = ","),
            format(length(positive), big.mark = ",")
        )
    }
    .data <- ggplot2::.data
    colours <- rep_len(.recoveryColours, nlevels(curves$method))
    ggplot2::ggplot(curves[curves$found >= least, ],
        ggplot2::aes(.data$n)
    ) +
        .chanceBand(unique(curves$n), known, length(positive), least) +
        ggplot2::geom_vline(xintercept = known, linetype = 3) +
        ggplot2::geom_line(
            ggplot2::aes(y = .data$found, colour = .data$method,
                linewidth = .data$own
            )
        ) +
        ggplot2::scale_colour_manual(values = colours, name = NULL) +
        ggplot2::scale_linewidth_manual(
            values = c(`TRUE` = 1.1, `FALSE` = 0.6), guide = "none"
        ) +
        ggplot2::scale_x_log10() + ggplot2::scale_y_log10() +
        ggplot2::labs(title = title, x = "highest edges taken",
            y = "known edges among them",
            subtitle = paste("grey: random rankings, 95%; dotted: as many",
                "as are known"
            )
        ) +
        ggplot2::theme_bw(base_size = 11) +
        ggplot2::theme(
            panel.grid.minor = ggplot2::element_blank(),
            plot.subtitle = ggplot2::element_text(size = 9,
                colour = "grey30"
            )
        )
}

## What random rankings find among the n highest: mean and 95%.
.chanceBand <- function(n, known, all, least) {
    chance <- data.frame(n = n, mean = n * known / all,
        low = stats::qhyper(0.025, known, all - known, n),
        high = stats::qhyper(0.975, known, all - known, n)
    )
    .data <- ggplot2::.data
    list(
        ggplot2::geom_ribbon(
            ggplot2::aes(ymin = pmax(.data$low, least),
                ymax = pmax(.data$high, least)
            ), data = chance, fill = "grey85"
        ),
        ggplot2::geom_line(ggplot2::aes(y = .data$mean),
            data = chance[chance$mean >= least, ], colour = "grey45",
            linetype = 2
        )
    )
}
