## Drawing perturbations: predicted against measured, genes, skill.

#' Plot perturbations
#'
#' @param x what [fitPerturbation()], [evaluatePerturbationModel()],
#'   [predictPerturbation()] or [perturbationMap()] returns; `plot(x)` does the
#'   same.
#' @param type of a fit `"skill"` (every method with its interval) or
#'   `"predicted"` (predicted against measured changes, both in units of the
#'   controls' standard deviation); of an evaluation `"skill"`, by split; of a
#'   prediction `"genes"`: the genes that change most, with intervals; of a map
#'   `"map"` or `"heatmap"`; NULL: the first.
#' @param perturbations of `"predicted"` and `"genes"`: labels; NULL: the
#'   strongest.
#' @param n most panels, and of `"genes"` genes per panel.
#' @param ... not used.
#' @return A `ggplot`; its `data` are the numbers drawn.
#' @section Errors: a type or label that there isn't.
#' @seealso [fitPerturbation()], [evaluatePerturbationModel()]
#' @examples
#' x <- simulatePerturbations(nPathways = 3, nTargets = 30, nPairs = 0,
#'     cells = c(20, 40), nControl = 100, seed = 1
#' )
#' fit <- fitPerturbation(x, "perturbation", nPerm = 9, nBoot = 20, seed = 1,
#'     network = S4Vectors::metadata(x)$network, verbose = FALSE
#' )
#' plotPerturbation(fit)
#' plotPerturbation(predictPerturbation(fit, c("FAC01", "FAC02")))
#' @export
plotPerturbation <- function(x, type = NULL, perturbations = NULL, n = 6,
    ...) {
    .noDots(...)
    n <- .checkNumber(n, "n", 1, 1000, TRUE)
    types <- if (methods::is(x, "PerturbationFit")) {
        c("skill", "predicted")
    } else if (methods::is(x, "PerturbationEvaluation")) {
        "skill"
    } else if (methods::is(x, "PerturbationPrediction")) {
        "genes"
    } else if (methods::is(x, "PerturbationMap")) {
        c("map", "heatmap")
    } else {
        .stopArgument("x", "must be what fitPerturbation(), ",
            "evaluatePerturbationModel(), predictPerturbation() or ",
            "perturbationMap() returns; it is a ", class(x)[[1L]], "."
        )
    }
    type <- if (is.null(type)) types[[1L]] else .oneOf(type, types, "type")
    switch(type,
        skill = .plotSkill(x), map = .plotMap(x), heatmap = .plotEpistasis(x),
        predicted = .plotPredicted(x, perturbations, n),
        genes = .plotGenes(x, perturbations, n)
    )
}

#' @rdname plotPerturbation
#' @param y not used.
#' @method plot PerturbationFit
#' @export
plot.PerturbationFit <- function(x, y, ...) plotPerturbation(x, ...)

#' @rdname plotPerturbation
#' @method plot PerturbationEvaluation
#' @export
plot.PerturbationEvaluation <- function(x, y, ...) plotPerturbation(x, ...)

#' @rdname plotPerturbation
#' @method plot PerturbationPrediction
#' @export
plot.PerturbationPrediction <- function(x, y, ...) plotPerturbation(x, ...)

#' @rdname PerturbationMap-class
#' @method plot PerturbationMap
#' @export
plot.PerturbationMap <- function(x, y, type = c("map", "heatmap"), ...) {
    plotPerturbation(x, .oneOf(type, c("map", "heatmap"), "type"), ...)
}

.plotSkill <- function(x) {
    .data <- ggplot2::.data
    if (methods::is(x, "PerturbationFit")) {
        d <- as.data.frame(x, which = "baselines")
        d$split <- "single, unseen"
        if ("pairs" %in% names(x@tables)) {
            pairs <- as.data.frame(x, which = "pairs")
            pairs$split <- pairs$group
            d <- rbind(d, pairs[names(d)])
        }
    } else {
        d <- as.data.frame(x, which = "scores")
    }
    d$method <- factor(d$method, rev(unique(d$method)))
    d$split <- factor(d$split, unique(d$split))
    ggplot2::ggplot(d, ggplot2::aes(x = .data$skill, y = .data$method)) +
        ggplot2::geom_vline(xintercept = 0, colour = "grey60") +
        ggplot2::geom_errorbarh(ggplot2::aes(xmin = .data$low,
            xmax = .data$high), height = 0, colour = "grey40") +
        ggplot2::geom_point(size = 2) +
        ggplot2::facet_wrap("split") +
        ggplot2::coord_cartesian(xlim = c(max(-1, min(d$low, na.rm = TRUE)),
            NA)) +
        ggplot2::labs(x = "skill over the mean effect (95%)", y = NULL) +
        ggplot2::theme_bw(base_size = 11)
}

## Labels asked for, or the strongest, as numbers.
.chosenPerturbations <- function(names, perturbations, size, n) {
    if (is.null(perturbations)) {
        return(order(-size)[seq_len(min(n, length(names)))])
    }
    at <- match(toupper(perturbations), toupper(names))
    if (anyNA(at)) {
        .stopArgument("perturbations", "has ",
            .some(perturbations[is.na(at)]), ", which isn't there; there is ",
            .some(names, 8L), "."
        )
    }
    at
}

.plotPredicted <- function(x, perturbations, n) {
    .data <- ggplot2::.data
    s <- x@state
    at <- .chosenPerturbations(s$names, perturbations, colSums(s$final$Y^2), n)
    if (is.null(s$crossed)) {
        .stopArgument("x", "has too few single perturbations: none was left ",
            "out, so there are no predictions to draw."
        )
    }
    at <- at[!is.na(s$crossed[1L, at])]
    d <- do.call(rbind, lapply(at, function(p) {
        use <- setdiff(seq_along(s$effects$readouts), s$effects$own[[p]])
        data.frame(perturbation = s$names[[p]],
            gene = s$effects$readouts[use], predicted = s$crossed[use, p],
            measured = s$effects$T[use, p])
    }))
    d$perturbation <- factor(d$perturbation, unique(d$perturbation))
    ggplot2::ggplot(d, ggplot2::aes(x = .data$measured,
        y = .data$predicted)) +
        ggplot2::geom_abline(slope = 1, colour = "grey60") +
        ggplot2::geom_point(size = 0.8, alpha = 0.5) +
        ggplot2::facet_wrap("perturbation") +
        ggplot2::labs(x = "measured, against other control cells",
            y = "predicted without it") +
        ggplot2::theme_bw(base_size = 11)
}

.plotGenes <- function(x, perturbations, n) {
    .data <- ggplot2::.data
    d <- as.data.frame(x, which = "genes")
    p <- as.data.frame(x, which = "perturbations")
    at <- .chosenPerturbations(p$perturbation, perturbations, p$size, n)
    d <- do.call(rbind, lapply(p$perturbation[at], function(k) {
        one <- d[d$perturbation == k & !is.na(d$low), ]
        utils::head(one, max(n, 10L))
    }))
    d$perturbation <- factor(d$perturbation, unique(d$perturbation))
    d$gene <- factor(d$gene, rev(unique(d$gene)))
    ggplot2::ggplot(d, ggplot2::aes(x = .data$delta, y = .data$gene)) +
        ggplot2::geom_vline(xintercept = 0, colour = "grey60") +
        ggplot2::geom_errorbarh(ggplot2::aes(xmin = .data$low,
            xmax = .data$high), height = 0, colour = "grey40") +
        ggplot2::geom_point(size = 1.5) +
        ggplot2::facet_wrap("perturbation", scales = "free_y") +
        ggplot2::labs(x = "change of the mean log-normalised value", y = NULL) +
        ggplot2::theme_bw(base_size = 11)
}

.plotMap <- function(x) {
    .data <- ggplot2::.data
    d <- as.data.frame(x, which = "map")
    d$cluster <- .asFactor(d$cluster)
    single <- d[!grepl("+", d$perturbation, fixed = TRUE), ]
    axis <- if (x@facts$layout == "umap") "UMAP" else "component"
    ggplot2::ggplot(d, ggplot2::aes(x = .data$x, y = .data$y,
        colour = .data$cluster)) +
        ggplot2::geom_point(ggplot2::aes(size = .data$size), alpha = 0.6) +
        ggplot2::geom_text(data = utils::head(single[order(-single$size), ],
            15L), ggplot2::aes(label = .data$perturbation), size = 3,
            colour = "black", vjust = -0.8) +
        ggplot2::scale_size_area(max_size = 4, name = "effect") +
        ggplot2::labs(x = paste(axis, 1), y = paste(axis, 2)) +
        ggplot2::theme_bw(base_size = 11)
}

.plotEpistasis <- function(x) {
    .data <- ggplot2::.data
    if (!"epistasis" %in% names(x@tables)) {
        .stopArgument("x", "has no measured pairs of measured genes; there is ",
            "no epistasis to draw."
        )
    }
    d <- as.data.frame(x, which = "epistasis")
    ends <- do.call(rbind, strsplit(d$perturbation, "+", fixed = TRUE))
    d <- rbind(cbind(d, a = ends[, 1L], b = ends[, 2L]),
        cbind(d, a = ends[, 2L], b = ends[, 1L]))
    ggplot2::ggplot(d, ggplot2::aes(x = .data$a, y = .data$b,
        fill = pmin(pmax(.data$ratio, 0), 2))) +
        ggplot2::geom_tile() +
        ggplot2::scale_fill_gradient2(midpoint = 1, limits = c(0, 2),
            name = "pair / sum", low = "#2166ac", high = "#b2182b") +
        ggplot2::labs(x = NULL, y = NULL) +
        ggplot2::theme_bw(base_size = 11) +
        ggplot2::theme(axis.text.x = ggplot2::element_text(angle = 90,
            vjust = 0.5, hjust = 1))
}
