## Known edges found along a ranking.

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
        expression <- .expressionFor(networks[[1L]])
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
        values <- .expressionRows(expression, at)
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
