## Which perturbation takes cells from here to there?

#' Which perturbations take cells from one state to another
#'
#' All candidates, single genes and pairs, measured or not, are predicted and
#' ranked by how near they bring cells of one state to another.
#'
#' @details
#' The wanted change is the difference of the two means, in units of the
#' controls' standard deviation. `"distance"` ranks by the squared distance
#' between wanted and predicted change, so strength counts; `"cosine"` by
#' direction only, when the wanted change may be stronger than any perturbation
#' reaches. Beside the model stand the rank by the sum of measured effects
#' (`rankAdditive`) and by correlation with measured effects
#' (`rankMeasured`): the latter can't return what was never measured, and is
#' best on what was.
#'
#' How far such a list can be trusted is tested on the screen: each single
#' perturbation is looked for by its effect against the other half of the
#' control cells, among all singles, every one predicted without itself, as in
#' cross-validation. Sums of measured effects and correlation with them find
#' none of these better than by chance.
#'
#' @param fit what [fitPerturbation()] returns.
#' @param from,to two states: cells (as for [inferGRN()], with the fit's genes,
#'   normalised as the fit's), a named vector of mean log-normalised values, or
#'   a label of the fit; `from = NULL`: control.
#' @param genes genes to make candidates of; NULL: the perturbed ones.
#' @param pairs consider pairs, too? NULL: if the screen has any.
#' @param by `"distance"` or `"cosine"`.
#' @param top rows of the ranking kept; `Inf`: all.
#' @param assay.type,symbols as for [inferGRN()].
#' @param threads threads of the engine; NULL: `causeway.threads`.
#' @param ... not used.
#' @return A [PerturbationRanking-class] with the tables `ranking`
#'   (`perturbation`, `rank`, `distance` as share of the wanted change's squared
#'   length that is left, `cosine`, `seen`, `rankAdditive`, `rankMeasured`,
#'   `flag`, as in [predictPerturbation()]) and
#'   `recall` (share of unseen singles found among the first `k`: `model`,
#'   `chance`, and `measured`, correlation with measured effects, which has
#'   none of them).
#' @section Errors: states without a gene of the fit, or equal ones; a gene to
#'   perturb twice; no candidates.
#' @seealso [fitPerturbation()], [predictPerturbation()]
#' @examples
#' x <- simulatePerturbations(nPathways = 3, nTargets = 30, nPairs = 4,
#'     cells = c(20, 40), nControl = 100, seed = 1
#' )
#' fit <- fitPerturbation(x, "perturbation", nPerm = 9, nBoot = 20, seed = 1,
#'     network = S4Vectors::metadata(x)$network, verbose = FALSE
#' )
#' rankPerturbations(fit, to = "FAC01")
#' @export
rankPerturbations <- function(fit, from = NULL, to, genes = NULL,
    pairs = NULL, by = c("distance", "cosine"), top = 100,
    assay.type = NULL, symbols = NULL, ..., threads = NULL) {
    .noDots(...)
    .isReport(fit, "PerturbationFit", "fitPerturbation", "fit")
    .given(to, "to", "the state that cells are to be brought to")
    by <- .oneOf(by, c("distance", "cosine"), "by")
    if (!identical(top, Inf)) {
        top <- .checkNumber(top, "top", 1, whole = TRUE)
    }
    threads <- .threads(threads)
    s <- fit@state
    how <- list(assay.type = assay.type, symbols = symbols)
    wanted <- .stateMean(s, to, "to", how) -
        (if (is.null(from)) 0 else .stateMean(s, from, "from", how))
    use <- which(is.finite(wanted))
    if (!length(use)) {
        .stopArgument("to", "and 'from' have no gene of the fit in common.")
    }
    if (!any(wanted[use] != 0)) {
        .stopArgument("to", "is the same as 'from': nothing is wanted.")
    }
    perts <- .candidateSets(s, genes, pairs)
    p <- .predictSets(s, perts, threads)
    ranking <- .rankedCandidates(s, perts, p, wanted, use, by)
    recall <- .recallOfSingles(s, by)
    .report("PerturbationRanking", .rankingVerdict(fit, ranking, recall),
        list(ranking = head(ranking, top), recall = recall),
        list(candidates = length(perts), by = by, readouts = length(use))
    )
}

#' A ranking of perturbations
#'
#' Made by [rankPerturbations()]; a [CausewayReport-class].
#'
#' @return An object of this class.
#' @seealso [rankPerturbations()]
#' @name PerturbationRanking-class
#' @exportClass PerturbationRanking
#' @examples
#' ## see rankPerturbations()
#' methods::slotNames("PerturbationRanking")
setClass("PerturbationRanking", contains = "CausewayReport")

## Mean of a state less that of control cells, in units of their standard
## deviation, per readout; NA: not measured.
.stateMean <- function(s, state, arg, how) {
    e <- s$effects
    if (is.character(state) && length(state) == 1L) {
        if (.isControlLabel(state) || toupper(state) %in% toupper(
            s$labels$label[s$labels$kind == "control"])) {
            return(numeric(nrow(e$Y)))
        }
        at <- match(toupper(state), toupper(s$names))
        if (is.na(at)) {
            .stopArgument(arg, "is \"", state, "\", which isn't a ",
                "perturbation of the fit: ", .some(s$names, 8L), "."
            )
        }
        return(s$final$Y[, at])
    }
    if (is.numeric(state) && is.null(dim(state))) {
        mean <- .checkedState(state, arg)
    } else {
        if (is.character(state) || is.logical(state)) {
            .stopArgument(arg, "must be cells, one label of the fit such as \"",
                s$names[[1L]], "\", or a named vector of mean values; it is ",
                .show(state), "."
            )
        }
        input <- tryCatch(.readCells(state, .inputArgs(how$assay.type,
            how$symbols)), error = function(e) {
            stop("'", arg, "', read as cells: ", conditionMessage(e),
                call. = FALSE)
        })
        scale <- .valueScale(input, seq_len(ncol(input$matrix)),
            if (e$logged) TRUE)
        x <- .extractValues(input$matrix, seq_len(nrow(input$matrix)),
            seq_len(ncol(input$matrix)), 1 / scale$scale,
            e$target / scale$target, scale$logged, FALSE)
        mean <- setNames(Matrix::rowMeans(x), .readoutNames(input))
    }
    at <- match(e$up, toupper(names(mean)))
    if (all(is.na(at))) {
        .stopArgument(arg, "has none of the fit's genes, such as ",
            .some(e$readouts, 3L), "."
        )
    }
    (as.numeric(mean)[at] - e$mean) / e$sd
}

## Means of genes by name; NA: not measured.
.checkedState <- function(state, arg) {
    if (is.null(names(state)) || any(is.infinite(state)) ||
        !any(is.finite(state))) {
        .stopArgument(arg, "must have finite values with the genes as names, ",
            "NA where one was not measured; it is ", .show(state), "."
        )
    }
    state
}

.candidateSets <- function(s, genes, pairs) {
    genes <- if (is.null(genes)) s$genes else {
        unique(unlist(.askedPerturbations(s, genes, "genes")))
    }
    if (is.null(pairs)) {
        pairs <- any(lengths(s$perts) > 1L) && length(genes) > 1L
    }
    .checkFlag(pairs, "pairs")
    out <- as.list(genes)
    if (pairs && length(genes) > 1L) {
        if (length(genes) > 1000L) {
            .stopArgument("genes", "are ", length(genes), ", which have ",
                "half a million pairs; name at most 1,000, or pairs = FALSE."
            )
        }
        both <- utils::combn(.sortedUnique(genes), 2L)
        out <- c(out, lapply(seq_len(ncol(both)), function(i) both[, i]))
    }
    setNames(out, vapply(out, paste, "", collapse = "+"))
}

.rankBy <- function(wanted, profiles, by) {
    cross <- drop(crossprod(profiles, wanted))
    length <- colSums(profiles^2)
    total <- sum(wanted^2)
    list(distance = (total - 2 * cross + length) / total,
        cosine = cross / pmax(sqrt(length * total), 1e-9))
}

.rankedCandidates <- function(s, perts, p, wanted, use, by) {
    score <- function(profiles) .rankBy(wanted[use], profiles, by)
    model <- score(p$mean[use, , drop = FALSE])
    place <- function(x) rank(if (by == "distance") x$distance else -x$cosine,
        ties.method = "min")
    additive <- as.matrix(s$final$Y %*% Matrix::Matrix(.additiveWeights(
        c(s$perts, perts), seq_along(s$perts), length(s$perts) +
            seq_along(perts)), sparse = TRUE))
    measured <- rep(NA_integer_, length(perts))
    key <- function(g) vapply(g, function(v) paste(sort(v), collapse = "+"),
        "")
    at <- match(key(perts), key(s$perts))
    there <- which(!is.na(at))
    r <- .rankBy(wanted[use], s$final$Y[use, at[there], drop = FALSE], by)
    measured[there] <- rank(-r$cosine, ties.method = "min")
    told <- .predictionTable(s, perts, p)
    out <- data.frame(perturbation = names(perts), rank = place(model),
        distance = model$distance, cosine = model$cosine,
        seen = told$seen,
        rankAdditive = place(score(additive[use, , drop = FALSE])),
        rankMeasured = measured, flag = told$flag
    )
    out <- out[order(out$rank, out$perturbation, method = "radix"), ]
    rownames(out) <- NULL
    out
}

## Each single looked for by its effect against the other controls, among all
## singles as predicted without themselves: what is measured has no advantage.
.recallOfSingles <- function(s, by) {
    at <- which(lengths(s$perts) == 1L)
    if (is.null(s$crossed)) {
        return(NULL)
    }
    p <- s$crossed[, at, drop = FALSE]
    wanted <- .filledEffects(s$effects, at, s$effects$T)
    rank <- vapply(seq_along(at), function(q) {
        r <- .rankBy(wanted[, q], p, by)
        r <- if (by == "distance") r$distance else -r$cosine
        sum(r < r[[q]]) + (sum(r == r[[q]]) + 1) / 2
    }, 0)
    k <- c(1L, 5L, 10L)
    data.frame(k = k, model = vapply(k, function(k) mean(rank <= k), 0),
        chance = pmin(k / length(at), 1), measured = 0,
        candidates = length(at)
    )
}

.rankingVerdict <- function(fit, ranking, recall) {
    best <- ranking[1L, ]
    text <- sprintf(paste0("%s comes nearest: %.0f%% of the squared change is ",
        "left, cosine %.2f."),
        best$perturbation, 100 * best$distance, best$cosine)
    if (nzchar(best$flag)) {
        text <- c(text, paste0("Beware of ", best$perturbation, ": ", best$flag,
            "."))
    }
    holds <- NA
    if (!is.null(recall)) {
        at <- recall[recall$k == 5L, ]
        holds <- stats::binom.test(round(at$model * at$candidates),
            at$candidates, min(at$chance, 1), alternative = "greater"
        )$p.value <= 0.05
        text <- c(text, sprintf(paste0("Of single perturbations predicted ",
            "without themselves, %.0f%% are among the first 5 of %d for their ",
            "own effect (by chance %.0f%%): unseen candidates are found %s."),
            100 * at$model, at$candidates, 100 * at$chance,
            if (holds) "better than by chance" else "no better than by chance"))
    }
    if (isFALSE(verdict(fit)$holds)) {
        text <- c(text, paste0("The fit doesn't predict unseen perturbations: ",
            "trust measured candidates only."))
    }
    .verdict(text, holds = holds)
}
