## Predicted perturbations: profiles, changes, intervals, cells.

#' Predicted perturbations
#'
#' Made by [predictPerturbation()]. A [CausewayReport-class] with the tables
#' `perturbations` and `genes`.
#'
#' @slot delta,low,high matrices readouts x perturbations: change of the mean
#'   log-normalised value, and its interval.
#' @slot profile matrix, the mean log-normalised value after the perturbation.
#' @slot cells `SingleCellExperiment` of sampled cells, or NULL.
#' @return An object of this class.
#' @seealso [predictPerturbation()]
#' @name PerturbationPrediction-class
#' @exportClass PerturbationPrediction
#' @examples
#' ## see predictPerturbation()
#' methods::slotNames("PerturbationPrediction")
setClass("PerturbationPrediction", contains = "CausewayReport", slots = c(
    delta = "matrix", low = "matrix", high = "matrix", profile = "matrix",
    cells = "ANY"
))

#' Predict what perturbations do
#'
#' Mean profile, change and interval of any gene or set of genes, perturbed in
#' the fitted screen or not. Genes of which nothing is known get the shrunken
#' mean effect, flagged.
#'
#' @details
#' Changes are of the mean log-normalised value against all control cells, at
#' the efficiency of the screen: cells that escape are part of the mean. A
#' perturbed gene's own change is not an effect and is predicted apart: its
#' mean level times the median relative change of own genes in the screen.
#' Intervals have a width of their own for each gene, from how far predictions
#' were off in cross-validation; they are for the mean of the effect, not for
#' cells. Sampled cells are control cells moved by the change: right in their
#' mean, with the spread of control cells.
#'
#' @param fit what [fitPerturbation()] returns; or a [GEARSModel-class], which
#'   gives no intervals (`low`, `high` are NA; with its uncertainty `certain` is
#'   exp(-mean log variance)) and samples no cells.
#' @param perturbations labels such as `"KLF1"` or `"KLF1+BAK1"`, read as in
#'   the fit; NULL: those of the fit.
#' @param level coverage of intervals.
#' @param cells number of cells to sample for each.
#' @param seed as for [fitPerturbation()]; for the sampled cells only.
#' @param threads threads of the engine; NULL: `causeway.threads`.
#' @param ... not used.
#' @return A [PerturbationPrediction-class]. `as.data.frame(which = )` gives
#'   `perturbations`: `perturbation`, `seen` (`"measured"`, `"genes measured"`,
#'   `"some genes measured"`, `"unseen"`), `known` (kinds of side information on
#'   its genes), `flag` (`""` or what to beware of), `size` (root mean squared
#'   change in units of the controls' standard deviation), `certain` (share of
#'   the prior variance that the data took away); and `genes`: the 50 genes per
#'   perturbation that change most, with `control`, `predicted`, `delta`, `low`,
#'   `high`. The whole matrices are in its slots.
#' @section Errors: labels that can't be read, a `level` that is none.
#' @seealso [fitPerturbation()], [rankPerturbations()], [plotPerturbation()]
#' @examples
#' x <- simulatePerturbations(nPathways = 3, nTargets = 30, nPairs = 4,
#'     cells = c(20, 40), nControl = 100, seed = 1
#' )
#' fit <- fitPerturbation(x, "perturbation", nPerm = 9, nBoot = 20, seed = 1,
#'     network = S4Vectors::metadata(x)$network, verbose = FALSE
#' )
#' p <- predictPerturbation(fit, c("FAC01", "FAC01+SIG02", "GENE001"))
#' p
#' p@delta[1:3, ]
#' @export
predictPerturbation <- function(fit, perturbations = NULL, level = 0.95,
    cells = 0, seed = NULL, ..., threads = NULL) {
    .noDots(..., renamed = c(genes = "perturbations", n = "cells"))
    .given(fit, "fit", "what fitPerturbation() or trainModel() gives")
    if (methods::is(fit, "GEARSModel")) {
        if (!identical(as.numeric(cells), 0)) {
            .stopArgument("cells", "must be 0 for GEARS, which samples none; ",
                "it is ", .show(cells), "."
            )
        }
        return(.predictGEARS(fit, perturbations))
    }
    .isReport(fit, "PerturbationFit", "fitPerturbation", "fit")
    .checkNumber(level, "level", 0, 0.9999, open = TRUE)
    cells <- .checkNumber(cells, "cells", 0, 1e6, TRUE)
    threads <- .threads(threads)
    s <- fit@state
    perts <- .askedPerturbations(s, perturbations)
    p <- .predictSets(s, perts, threads)
    delta <- p$mean * s$effects$sd
    half <- stats::qnorm(0.5 + level / 2) * s$spread * s$effects$sd *
        rep(sqrt(p$variance), each = nrow(delta))
    low <- delta - half
    high <- delta + half
    own <- .ownPrediction(s, perts)
    at <- !is.na(own)
    delta[at] <- own[at]
    low[at] <- high[at] <- NA
    dimnames(delta) <- dimnames(low) <- dimnames(high) <-
        list(s$effects$readouts, names(perts))
    profile <- pmax(delta + s$effects$mean, 0)
    table <- .predictionTable(s, perts, p)
    .report("PerturbationPrediction", .predictionVerdict(fit, table),
        list(perturbations = table,
            genes = .changedGenes(s, delta, low, high)),
        list(level = level, cells = cells),
        delta = delta, low = low, high = high, profile = profile,
        cells = if (cells > 0) .sampledCells(s, delta, cells, .newKey(seed))
    )
}

## Labels as the fit reads them: named list of genes in upper case.
.askedPerturbations <- function(s, perturbations,
    arg = "perturbations") {
    if (is.null(perturbations)) {
        return(s$perts)
    }
    perturbations <- .textOf(perturbations)
    if (!is.character(perturbations) || !length(perturbations) ||
        anyNA(perturbations) || !all(nzchar(trimws(perturbations)))) {
        .stopArgument(arg, "must be labels such as \"KLF1\" or ",
            "\"KLF1+BAK1\"; it is ", .show(perturbations), "."
        )
    }
    control <- unique(s$labels$label[s$labels$kind == "control"])
    table <- .readLabels(perturbations, genes = unique(c(
        s$effects$readouts, unlist(strsplit(s$names, "+", fixed = TRUE)),
        .sideGenes(s$side))), arg = arg)
    at <- match(trimws(perturbations), table$label)
    name <- table$perturbation[at]
    if (any(name == "control" | toupper(perturbations) %in%
        toupper(control))) {
        .stopArgument(arg, "holds a label of control cells; they are what ",
            "changes are against."
        )
    }
    name <- unique(name)
    setNames(strsplit(toupper(name), "+", fixed = TRUE), name)
}

.sideGenes <- function(side) {
    unique(c(side$network$from, side$go$gene, side$graph$from,
        rownames(side$embedding)))
}

## Mean (readouts x sets, in units of control) and variance of any sets.
.predictSets <- function(s, perts, threads) {
    genes <- unique(c(s$genes, unlist(perts)))
    e <- s$effects
    known <- .sideOf(s$side, e$controls, e$readouts, e$sd, e$trainMean, genes,
        s$genes
    )
    known$direct <- known$direct[names(s$final$alpha)]
    known$direct <- lapply(known$direct, function(d) {
        if (is.null(d)) matrix(0, length(genes), nrow(e$Y)) else d
    })
    all <- c(s$perts, perts)
    member <- lapply(all, match, genes)
    data <- list(perts = length(all), genes = length(genes),
        directs = length(known$direct), readouts = nrow(e$Y),
        start = as.integer(c(0L, cumsum(lengths(member)))),
        member = as.integer(unlist(member) - 1L),
        cells = as.numeric(c(e$n, rep(1, length(perts)))),
        controls = s$final$controls, kernel = .averageKernel(known$kernels)
    )
    n <- length(s$perts)
    p <- .predictModel(s$final, data, s$final$Y, known, all, genes,
        seq_len(n), n + seq_along(perts), threads
    )
    prior <- .priorVariance(s$final, data, member[n + seq_along(perts)])
    c(p, list(certain = 1 - p$variance / pmax(prior, 1e-300),
        has = known$has))
}

.priorVariance <- function(fit, data, members) {
    vapply(members, function(g) {
        c <- if (length(g) > 1L) fit$c^2 else 1
        K <- if (is.null(data$kernel)) 0 else sum(data$kernel[g, g])
        sum(fit$theta * c(c * length(g)^2, c * K, c * length(g),
            length(g) > 1L))
    }, 0)
}

## The own genes' change, readouts x perturbations, NA elsewhere.
.ownPrediction <- function(s, perts) {
    e <- s$effects
    out <- matrix(NA_real_, nrow(e$Y), length(perts))
    measured <- vapply(e$own, function(r) {
        if (length(r)) mean(e$mean[r]) else NA_real_
    }, 0)
    share <- stats::median(e$ownChange / measured, na.rm = TRUE)
    if (is.na(share)) {
        share <- 0
    }
    rows <- .ownRows(perts, e$readouts)
    for (p in seq_along(perts)) {
        out[rows[[p]], p] <- share * e$mean[rows[[p]]]
    }
    out
}

.predictionTable <- function(s, perts, p) {
    seen <- unlist(s$perts)
    has <- as.matrix(p$has[-1L])
    key <- vapply(perts, function(g) paste(sort(g), collapse = "+"), "")
    measured <- key %in% vapply(s$perts, function(g) {
        paste(sort(g), collapse = "+")
    }, "")
    count <- vapply(perts, function(g) sum(g %in% seen), 0L)
    status <- ifelse(measured, "measured", ifelse(count == lengths(perts),
        "genes measured", ifelse(count > 0L, "some genes measured", "unseen")))
    known <- vapply(perts, function(g) {
        at <- has[match(g, p$has$gene), , drop = FALSE]
        paste(colnames(has)[colSums(at) > 0], collapse = ", ")
    }, "")
    blind <- vapply(perts, function(g) {
        at <- rowSums(has[match(g, p$has$gene), , drop = FALSE]) > 0
        any(!at & !g %in% seen)
    }, NA)
    data.frame(perturbation = names(perts), seen = status,
        known = unname(known), flag = ifelse(blind,
            "nothing is known of a gene: mean effect", ""),
        size = sqrt(colMeans(p$mean^2)), certain = p$certain, row.names = NULL
    )
}

.predictionVerdict <- function(fit, table) {
    holds <- verdict(fit)$holds
    unseen <- sum(table$seen %in% c("unseen", "some genes measured"))
    blind <- sum(nzchar(table$flag))
    text <- c(
        sprintf("%s predicted, %d of them measured.", .count(nrow(table),
            "perturbation"), sum(table$seen == "measured")),
        if (unseen) paste0(.count(unseen, "perturbation"),
            " with genes that were not perturbed; cross-validation says that ",
            "such are predicted: ", if (is.na(holds)) "can't say" else
                if (holds) "yes" else "no, don't use them", "."),
        if (blind) paste0("Of ", blind, " nothing is known: the mean effect ",
            "is returned.")
    )
    .verdict(text, holds = if (unseen) holds else NA)
}

.changedGenes <- function(s, delta, low, high, top = 50L) {
    do.call(rbind, lapply(seq_len(ncol(delta)), function(p) {
        at <- order(-abs(delta[, p] / s$effects$sd))
        at <- at[seq_len(min(top, length(at)))]
        data.frame(perturbation = colnames(delta)[[p]],
            gene = rownames(delta)[at], control = s$effects$mean[at],
            predicted = pmax(s$effects$mean[at] + delta[at, p], 0),
            delta = delta[at, p], low = low[at, p], high = high[at, p],
            row.names = NULL
        )
    }))
}

## Control cells, drawn with replacement, moved by the change.
.sampledCells <- function(s, delta, cells, key) {
    x <- Matrix::t(s$effects$controls$x)
    parts <- lapply(seq_len(ncol(delta)), function(p) {
        n <- ncol(x)
        at <- (.shuffled(n * ceiling(cells / n), key, p) - 1L) %% n + 1L
        pmax(as.matrix(x[, at[seq_len(cells)], drop = FALSE]) + delta[, p], 0)
    })
    values <- do.call(cbind, parts)
    dimnames(values) <- list(rownames(delta),
        make.unique(rep(colnames(delta), each = cells)))
    SingleCellExperiment::SingleCellExperiment(
        assays = list(logcounts = values),
        colData = S4Vectors::DataFrame(
            perturbation = rep(colnames(delta), each = cells),
            row.names = colnames(values)
        )
    )
}
