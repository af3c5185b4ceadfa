## A model of perturbations on the published splits, beside every baseline.

#' Evaluate predictions of perturbations on the published splits
#'
#' Scores the fitted model, every baseline, and models of yours, on
#' perturbations left out: single genes, and pairs of which 2, 1 or no gene was
#' seen alone. Training and test effects never share control cells.
#'
#' @param fit what [fitPerturbation()] returns.
#' @param splits which of `"single, unseen"`, `"pair, 2 seen"`,
#'   `"pair, 1 seen"`, `"pair, 0 seen"`; NULL: all that there are. `"gears"`:
#'   the sets that GEARS publishes for `seed` (NULL: 1), see
#'   [publishedSplit()]; its validation set is then left to models that want
#'   one.
#' @param models named list of functions of your own: `function(train, test)`
#'   gets a matrix of effects to learn from (readouts x perturbations, in units
#'   of the controls' standard deviation, column names as labels) and the labels
#'   to predict, and returns a matrix readouts x test. Or a [GEARSParam()]:
#'   GEARS trained on each split's training cells.
#' @param x for GEARS the cells that `fit` was made from.
#' @param verbose show the progress of its training.
#' @param folds,nBoot,seed,threads as for [fitPerturbation()]; NULL: the
#'   fit's own.
#' @param ... not used.
#' @return A [PerturbationEvaluation-class] with the tables `scores`, a row per
#'   split and method (columns as `baselines` of [fitPerturbation()], and
#'   `attainable`, the skill of a perfect prediction; method `half of the cells`
#'   is what a replicate reaches: half of a perturbation's cells against one half
#'   of the control cells predict the others against the other), `perturbations` (errors
#'   and correlations of the model, a row per perturbation and split),
#'   `best` (the best baseline of each split, and the model's gain over it with
#'   its interval) and, with `splits = "gears"`, `published`: its published
#'   scores of every method on mean log values, means over perturbations:
#'   `mse`, `pearson`, and on the 20 genes that differ most from control cells
#'   `mseDe`, `pearsonDe`; `pearsonDelta` of changes; `direction`, the share of
#'   genes with the right sign, and of the 20 not zero `opposite`, `mseTop`,
#'   `within` (predicted within one standard deviation of cells). The perturbed
#'   genes themselves are left out, which the published ones aren't.
#'   With `models` also `models`: for each of yours and each split its gain over
#'   the best of our baselines, as `best`; the verdict says it.
#' @section Errors: splits that the screen has no perturbations for; a model
#'   that returns something else than asked for.
#' @references Roohani et al. (2024) Nature Biotechnology 42, 927 (splits);
#'   Ahlmann-Eltze, Huber and Anders (2025) Nature Methods (baselines); Vinas
#'   Torne et al. (2025), Systema (centred correlation).
#' @seealso [fitPerturbation()], [plotPerturbation()]
#' @examples
#' x <- simulatePerturbations(nPathways = 3, nTargets = 30, nPairs = 0,
#'     cells = c(20, 40), nControl = 100, seed = 1
#' )
#' fit <- fitPerturbation(x, "perturbation", nPerm = 9, nBoot = 20, seed = 1,
#'     network = S4Vectors::metadata(x)$network, verbose = FALSE
#' )
#' half <- function(train, test) {
#'     matrix(rowMeans(train) / 2, nrow(train), length(test))
#' }
#' evaluatePerturbationModel(fit, models = list("half the mean" = half))
#' @export
evaluatePerturbationModel <- function(fit, splits = NULL, models = list(),
    x = NULL, folds = 10, nBoot = NULL, seed = NULL, ..., threads = NULL,
    verbose = interactive()) {
    .noDots(...)
    .isReport(fit, "PerturbationFit", "fitPerturbation", "fit")
    folds <- .checkNumber(folds, "folds", 2, whole = TRUE)
    s <- fit@state
    nBoot <- if (is.null(nBoot)) s$nBoot else
        .checkNumber(nBoot, "nBoot", 0, 1e5, TRUE)
    key <- if (is.null(seed)) s$key else .newKey(seed)
    threads <- .threads(threads)
    models <- .ownModels(models)
    e <- s$effects
    known <- .sideOf(s$side, e$controls, e$readouts, e$sd, e$trainMean,
        s$genes, s$genes
    )
    data <- .modelData(e, known, s$perts, s$genes, threads)
    cells <- if (!all(vapply(models, is.function, NA))) .gearsScreen(s, x)
    published <- identical(splits, "gears")
    all <- if (published) .gearsSplits(s, if (is.null(seed)) 1 else seed) else
        .publishedSplits(s, folds, key)
    splits <- if (is.null(splits) || published) names(all) else
        .someOf(splits, names(all), "splits")
    scores <- lapply(all[splits], function(f) {
        at <- unlist(lapply(f, `[[`, "test"))
        p <- c(.splitPredictions(e, known, data, s$perts, s$genes, f,
            list(key = key, threads = threads)),
            lapply(models, function(m) {
                if (is.function(m)) .crossOwnModel(m, s, f) else
                    .crossGEARS(m, s, f, cells, key, threads, verbose)
            }))
        scores <- .scoreAll(p, e, p[["mean perturbed"]], at, threads)
        if (!is.null(e$R1)) {
            scores[["half of the cells"]] <- .scoreAll(list(e$R1), e,
                p[["mean perturbed"]], at, threads, e$R2)[[1L]]
        }
        list(at = at, scores = scores,
            published = if (published) lapply(p, .judgedProfiles, e = e,
                at = at))
    })
    .evaluationReport(s, scores, names(models), key, nBoot)
}

#' Scores of predicted perturbations
#'
#' Made by [evaluatePerturbationModel()]; a [CausewayReport-class].
#'
#' @return An object of this class.
#' @seealso [evaluatePerturbationModel()]
#' @name PerturbationEvaluation-class
#' @exportClass PerturbationEvaluation
#' @examples
#' ## see evaluatePerturbationModel()
#' methods::slotNames("PerturbationEvaluation")
setClass("PerturbationEvaluation", contains = "CausewayReport")

.publishedSplits <- function(s, folds, key) {
    at <- which(lengths(s$perts) == 1L)
    out <- list()
    if (length(at) >= 6L) {
        fold <- .foldsOf(length(at), folds, key, 10L)
        out[["single, unseen"]] <- lapply(seq_len(max(fold)), function(k) {
            list(train = at[fold != k], test = at[fold == k])
        })
    }
    out <- c(out, .pairSplits(s$perts, s$genes, key))
    if (!length(out)) {
        .stopArgument("fit", "has ", .count(length(s$perts), "perturbation"),
            "; 6 single ones or 5 pairs of measured genes are needed to ",
            "leave some out."
        )
    }
    out
}

.ownModels <- function(models) {
    good <- is.list(models) && all(vapply(models, function(m) {
        is.function(m) || methods::is(m, "GEARSParam")
    }, NA)) &&
        (!length(models) || (!is.null(names(models)) &&
            all(nzchar(names(models))) && !anyDuplicated(names(models))))
    if (!good) {
        .stopArgument("models", "must be a list of functions with a ",
            "different name each, function(train, test), or GEARSParam()."
        )
    }
    models
}

.crossOwnModel <- function(model, s, folds) {
    e <- s$effects
    n <- length(e$readouts)
    out <- matrix(NA_real_, n, length(s$names))
    for (f in folds) {
        Y <- .filledEffects(e, f$train)
        dimnames(Y) <- list(e$readouts, s$names[f$train])
        p <- tryCatch(model(Y, s$names[f$test]), error = function(e) {
            .stopArgument("models", "has a function that failed: ",
                conditionMessage(e)
            )
        })
        if (!is.matrix(p) || !is.numeric(p) ||
            !identical(dim(p), c(n, length(f$test))) ||
            any(!is.finite(p))) {
            .stopArgument("models", "must return finite numbers, ", n,
                " readouts x ", length(f$test), " perturbations here."
            )
        }
        out[, f$test] <- p
    }
    out
}

.evaluationReport <- function(s, splits, models, key, nBoot) {
    bind <- function(f) {
        out <- do.call(rbind, lapply(names(splits), function(n) {
            cbind(split = n, f(splits[[n]]$scores, splits[[n]]$at))
        }))
        rownames(out) <- NULL
        out
    }
    table <- bind(function(scores, at) {
        model <- scores[["the model"]]
        cbind(perturbations = length(at), .scoreTable(scores, key, nBoot),
            attainable = 1 - sum(model$noise) / sum(model$mseMean))
    })
    each <- bind(function(scores, at) {
        cbind(perturbation = s$names[at], scores[["the model"]],
            mseNone = scores[["no side information"]]$mse)
    })
    best <- bind(function(scores, at) .bestBaseline(scores, key, nBoot))
    published <- do.call(rbind, lapply(names(splits), function(n) {
        p <- splits[[n]]$published
        if (length(p)) cbind(data.frame(split = n, method = names(p)),
            do.call(rbind, lapply(p, function(t) as.data.frame(as.list(
                colMeans(t, na.rm = TRUE))))))
    }))
    rownames(published) <- NULL
    theirs <- if (length(models)) bind(function(scores, at) {
        do.call(rbind, lapply(models, function(m) cbind(model = m,
            .bestBaseline(scores[setdiff(names(scores), setdiff(c("the model",
                models), m))], key, nBoot, m))))
    })
    beats <- best$low > 0
    half <- table[table$method == "half of the cells", ]
    text <- c(sprintf("Better than the best baseline beyond noise in %d of %s.",
        sum(beats, na.rm = TRUE), .count(nrow(best), "split")),
        sprintf("%s: gain over %s %.2f [%.2f, %.2f].", best$split,
            best$baseline, best$gain, best$low, best$high),
        if (nrow(half)) paste0("What a replicate reaches (half of the cells ",
            "tell the other half): skill ", paste(sprintf("%.2f (%s)",
                half$skill, half$split), collapse = ", "), "."),
        if (length(models)) sprintf("%s: %s %s the best baseline, %s: %.2f [%.2f, %.2f].",
            theirs$split, theirs$model, ifelse(theirs$low %in% NA, "against",
                ifelse(theirs$low > 0, "beats", ifelse(theirs$high < 0,
                    "is worse than", "does not beat"))), theirs$baseline,
            theirs$gain, theirs$low, theirs$high))
    .report("PerturbationEvaluation", .verdict(text,
        holds = any(beats, na.rm = TRUE)),
        list(scores = table, perturbations = each, best = best,
            models = theirs, published = published),
        list(splits = names(splits), nBoot = nBoot), .keyText(key)
    )
}

## The model against the best of the others that are no model of ours.
.bestBaseline <- function(scores, key, nBoot, which = "the model") {
    ours <- c(which, "half of the cells")
    others <- scores[setdiff(names(scores), ours)]
    error <- vapply(others, function(s) sum(s$mse), 0)
    at <- names(which.min(error))
    m <- scores[[which]]
    b <- others[[at]]$mse
    interval <- .bootInterval(nrow(m), function(i) .skill(m[i, ], b[i]), key,
        52L, nBoot
    )
    data.frame(baseline = at, gain = .skill(m, b), low = interval[[1L]],
        high = interval[[2L]]
    )
}
