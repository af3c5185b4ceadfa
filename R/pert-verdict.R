## Does side information predict unseen perturbations? Cross-validation, null,
## and the sentences.

## Unseen singles. list: `n`, `at`, `table`, `model`, `none` (scores), `facts`,
## `spread` (per readout, how far off predictions are in their own unit).
.judgeSingles <- function(e, known, data, perts, genes, job) {
    at <- which(lengths(perts) == 1L)
    out <- list(n = length(at), at = integer(), spread = rep(1, nrow(e$Y)))
    if (length(at) < 6L) {
        return(out)
    }
    fold <- .foldsOf(length(at), job$folds, job$key, 10L)
    folds <- lapply(seq_len(max(fold)), function(k) {
        list(train = at[fold != k], test = at[fold == k])
    })
    base <- .overFolds(folds, e, job$threads, function(span, f) {
        .meanPerturbed(span, f$train, f$test)
    })
    score <- function(p, ...) {
        .scoreAll(list(p), e, base, at, job$threads, ...)[[1L]]
    }
    scores <- .crossBaselines(e, known, perts, genes, folds, job, score,
        data$yy)
    cross <- function(side) {
        .crossPredict(data, e, known, perts, genes, folds, job$threads, side,
            side)
    }
    none <- cross(FALSE)
    scores[["no side information"]] <- score(none$mean)
    full <- if (length(known$kernels) || length(known$direct)) {
        none <- NULL
        cross(TRUE)
    } else none
    scores[["the model"]] <- score(full$mean)
    if (!is.null(e$R1)) {
        scores[["half of the cells"]] <- score(e$R1, true = e$R2)
    }
    total <- sum(scores[["mean perturbed"]]$mseMean * (nrow(e$Y) -
        lengths(e$own[at])))
    null <- .sideNull(data, perts, genes, at, folds, total, job)
    out[c("at", "model", "none", "spread")] <- list(at, scores[["the model"]],
        scores[["no side information"]], .spreadOf(e, full, at))
    out$table <- .scoreTable(scores, job$key, job$nBoot)
    out$facts <- .singleFacts(e, scores, null, job)
    best <- .bestRow(out$table)
    out$facts[c("overBest", "overBestLow", "overBestHigh")] <-
        as.list(best[c("gain", "gainLow", "gainHigh")])
    out$names <- names(perts)[at]
    out$crossed <- full$mean
    out
}

## Skill with the side information of the genes permuted, everything refitted;
## total: squared error of the mean. list(skill, null).
.sideNull <- function(data, perts, genes, at, folds, total, job) {
    skill <- function(perm) {
        told <- .runFolds(data, folds, job$threads, perm, told = FALSE)
        1 - sum(unlist(lapply(told, `[[`, "error"))) / total
    }
    .collect(data$perts * data$readouts)
    observed <- skill(NULL)
    if (is.null(data$kernel) && data$directs == 0) {
        return(list(skill = observed, null = rep(observed, job$nPerm)))
    }
    moved <- match(unlist(perts[at]), genes)
    bar <- .progressStart("permutations of side information", job$nPerm,
        job$verbose)
    on.exit(.progressDone(bar))
    null <- vapply(seq_len(job$nPerm), function(b) {
        perm <- seq_along(genes)
        perm[moved] <- moved[.shuffled(length(moved), job$key, 1000L + b)]
        .progressTick(bar, b)
        skill(perm)
    }, 0)
    list(skill = observed, null = null)
}

## How far off, per readout, in units of what the model thinks; shrunken to all.
.spreadOf <- function(e, full, at) {
    own <- .fillOf(e, at, e$T)
    z <- numeric(nrow(e$T))
    for (k in seq_along(at)) {
        p <- at[[k]]
        true <- e$T[, p]
        true[own$row[own$owner == k]] <- own$fill[own$owner == k]
        z <- z + (true - full$mean[, p])^2 / (full$variance[[p]] +
            1 / e$n[[p]] + 1 / e$nControl[[2L]])
    }
    sqrt((z + 5 * mean(z) / length(at)) / (length(at) + 5))
}

.singleFacts <- function(e, scores, null, job) {
    s <- scores[["the model"]]
    none <- scores[["no side information"]]
    gain <- .skillInterval(s$mse, none$mse, job$key, 51L, job$nBoot)
    p <- (1 + sum(null$null >= null$skill - 1e-12)) / (1 + length(null$null))
    interval <- .skillInterval(s$mse, s$mseMean, job$key, 50L, job$nBoot)
    list(skill = .skill(s), skillLow = interval[[1L]],
        skillHigh = interval[[2L]], gain = .skill(s, none$mse),
        gainLow = gain[[1L]], gainHigh = gain[[2L]], p = p,
        null95 = stats::quantile(null$null, 0.95, names = FALSE),
        nPerm = length(null$null),
        attainable = 1 - sum(s$noise) / sum(s$mseMean),
        withEffect = if (!is.null(e$R1)) sum(.strengthOf(e) > colMeans(e$se2))
    )
}

## ---- pairs -----------------------------------------------------------------

## Pairs with 2, 1 and 0 genes seen: of genes, 30% are held out, three times; of
## pairs of seen genes, each of five folds. A pair is scored in the first split
## that makes it one of a group.
.pairSplits <- function(perts, genes, key) {
    pairs <- which(lengths(perts) == 2L)
    single <- unlist(perts[lengths(perts) == 1L])
    both <- pairs[vapply(perts[pairs], function(g) all(g %in% single), NA)]
    out <- list("pair, 2 seen" = list(), "pair, 1 seen" = list(),
        "pair, 0 seen" = list())
    if (length(both) >= 5L) {
        fold <- .foldsOf(length(both), 5L, key, 20L)
        out[[1L]] <- lapply(seq_len(5L), function(k) {
            list(train = setdiff(seq_along(perts), both[fold == k]),
                test = both[fold == k])
        })
    }
    done <- list(integer(), integer())
    for (r in seq_len(3L)) {
        hold <- genes[.shuffled(length(genes), key, 20L + r)]
        hold <- hold[seq_len(round(0.3 * length(genes)))]
        unseen <- vapply(perts, function(g) sum(g %in% hold), 0L)
        for (k in 1:2) {
            test <- setdiff(pairs[unseen[pairs] == k], done[[k]])
            if (length(test) && sum(unseen == 0L) >= 6L) {
                out[[k + 1L]] <- c(out[[k + 1L]], list(list(
                    train = which(unseen == 0L), test = test)))
                done[[k]] <- c(done[[k]], test)
            }
        }
    }
    Filter(length, out)
}

.judgePairs <- function(e, known, data, perts, genes, job) {
    splits <- .pairSplits(perts, genes, job$key)
    if (!length(splits)) {
        return(NULL)
    }
    out <- do.call(rbind, lapply(names(splits), function(g) {
        folds <- splits[[g]]
        at <- unlist(lapply(folds, `[[`, "test"))
        p <- .splitPredictions(e, known, data, perts, genes, folds, job)
        scores <- .scoreAll(p, e, p[["mean perturbed"]], at, job$threads)
        cbind(group = g, perturbations = length(at), .scoreTable(scores,
            job$key, job$nBoot))
    }))
    rownames(out) <- NULL
    out
}

## Baselines, the model without and with side information, over some folds.
.splitPredictions <- function(e, known, data, perts, genes, folds, job) {
    p <- .crossBaselines(e, known, perts, genes, folds, job, yy = data$yy)
    cross <- function(kernel, direct) {
        .crossPredict(data, e, known, perts, genes, folds, job$threads, kernel,
            direct)$mean
    }
    p[["no side information"]] <- cross(FALSE, FALSE)
    p[["the model"]] <- cross(TRUE, TRUE)
    p
}

## ---- sentences -------------------------------------------------------------

.screenVerdict <- function(single, final, known, side) {
    if (is.null(single$table)) {
        return(.verdict(c(paste0("Can't say whether unseen perturbations are ",
            "predicted: ", .count(single$n, "single perturbation"),
            ", 6 are needed to leave some out."),
            "Predictions are shrunken sums of what was measured."
        ), holds = NA, skill = NA_real_))
    }
    f <- single$facts
    yes <- f$p <= 0.05 && isTRUE(f$gainLow > 0)
    text <- c(
        if (yes) "Predicts unseen perturbations: yes." else paste0(
            "Predicts unseen perturbations: no. Use measured perturbations ",
            "only; for others the shrunken mean effect is given."),
        sprintf(paste0("Skill over the mean effect %.2f [%.2f, %.2f] (a ",
            "perfect prediction: %.2f); gain over no side information %.2f ",
            "[%.2f, %.2f]; side information permuted: 95%% below %.2f, ",
            "p = %.2g."),
            f$skill, f$skillLow, f$skillHigh, f$attainable, f$gain, f$gainLow,
            f$gainHigh, f$null95, f$p),
        if (f$nPerm < 19L) paste0("With ", .count(f$nPerm, "permutation"),
            " p can't be 0.05 or less, so the answer is no in any case: ",
            "nPerm = 19 or more tells."),
        .otherScores(single$table), .baselineSentence(single$table),
        .helpedSentence(single), .sideSentence(final, known),
        .strangeSentence(known, side)
    )
    .verdict(text, holds = yes, skill = f$skill, gain = f$gain, p = f$p)
}

.otherScores <- function(t) {
    of <- function(m) t[t$method == m, ]
    better <- of("the model")[c("rTop", "direction", "discrimination")] -
        of("mean perturbed")[c("rTop", "direction", "discrimination")]
    up <- better > 0.02
    names <- c("correlation on the 20 strongest genes", "direction",
        "discrimination")
    if (all(up)) {
        return("The other scores improve on the mean effect, too.")
    }
    paste0("Only the squared error says so of: ", paste(names[!up],
        collapse = ", "), ", which ", if (sum(!up) > 1L) "don't" else "doesn't",
        " improve on the mean effect.")
}

## Of a table of methods that of the best baseline.
.bestRow <- function(t) {
    printed <- t[!t$method %in% .notBaselines, ]
    printed[which.max(printed$skill), ]
}

.baselineSentence <- function(t) {
    best <- .bestRow(t)
    gain <- round(unlist(best[c("gain", "gainLow", "gainHigh")]), 2) + 0 # no -0
    sprintf(paste0("Best baseline: %s, skill %.2f; the model's gain over it, ",
        "by perturbation: %.2f [%.2f, %.2f]%s.%s"), best$method, best$skill,
        gain[[1L]], gain[[2L]], gain[[3L]],
        if (isTRUE(gain[[3L]] < 0)) ": worse beyond noise" else "",
        if (any(t$method == "half of the cells")) sprintf(
            " Half of the cells predict the other half with %.2f.",
            t$skill[t$method == "half of the cells"]) else "")
}

.helpedSentence <- function(single) {
    change <- (single$none$mse - single$model$mse) / single$none$mse
    order <- order(-change)
    name <- function(at) paste0(single$names[at], " (", sprintf("%+.2f",
        change[at]), ")", collapse = ", ")
    up <- utils::head(order[change[order] > 0.05], 4L)
    down <- utils::head(rev(order)[rev(change[order]) < -0.05], 4L)
    text <- c(if (length(up)) paste("helped most:", name(up)),
        if (length(down)) paste("hurt:", name(down)))
    if (length(text)) {
        paste0("Of the error without side information, ",
            paste(text, collapse = "; "), ".")
    }
}

## Side information that was given and knows no perturbed gene.
.strangeSentence <- function(known, side) {
    idle <- Filter(function(kind) !any(known$has[[kind]]), names(side))
    if (length(idle)) {
        paste0("Of no use, for it has none of the perturbed genes: ",
            paste(idle, collapse = ", "), ". Are its names of the same kind?")
    }
}

.sideSentence <- function(final, known) {
    has <- known$has[-1L]
    if (!length(has)) {
        return("There is no side information on the perturbed genes.")
    }
    alpha <- final$alpha[final$alpha != 0]
    paste0("Side information (genes of ", nrow(has), "): ",
        paste(names(has), vapply(has, sum, 0L), collapse = ", "), ". Direct ",
        "profiles: ", if (length(alpha)) paste(names(alpha), sprintf("%.2f",
            alpha), collapse = ", ") else "none", ". Prior variance: ",
        paste(sprintf("%s %.0f%%", c("mean", "similarity", "own",
            "interaction"), 100 * final$share)[final$share > 0],
            collapse = ", "), ".")
}
