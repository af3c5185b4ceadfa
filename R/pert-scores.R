## Scores of predicted effects, a row per perturbation; own genes are left out.

.pearson <- function(a, b) {
    a <- a - mean(a)
    b <- b - mean(b)
    d <- sqrt(sum(a^2) * sum(b^2))
    if (d > 1e-12) sum(a * b) / d else 0
}

## Rows of each perturbation's own genes, as the engine wants them.
.ownRanges <- function(own) {
    list(start = as.integer(c(0L, cumsum(lengths(own)))),
        at = as.integer(unlist(own)) - 1L)
}

## Of the perturbations `at`, a row each: `true`, `predicted`, `base` (mean
## perturbed), `se2`: readouts x perturbations in the units of the controls'
## standard deviation; `own`: rows left out. See cw_profile_score.
.scoreEffects <- function(true, predicted, se2, base, own, threads = 1L,
    at = seq_len(ncol(true))) {
    out <- t(.Call(cw_r_profiles_score, list(truth = true,
        predicted = predicted, baseline = base, se2 = se2), .ownRanges(own),
        at - 1L, threads))
    colnames(out) <- c("mse", "mseMean", "noise", "rAll", "rTop", "rCentred",
        "direction", "discrimination")
    as.data.frame(out)
}

## Share of the squared error of the mean that is taken away.
.skill <- function(s, base = s$mseMean) 1 - sum(s$mse) / sum(base)

## Bootstrap over perturbations, each as often in all samples together
## (balanced: Davison, Hinkley and Schechtman 1986): 95% interval.
.bootInterval <- function(n, statistic, key, use, nBoot) {
    if (n < 2L || nBoot < 1L) {
        return(c(NA_real_, NA_real_))
    }
    at <- matrix((.shuffled(n * nBoot, key, use) - 1L) %% n + 1L, n)
    stats::quantile(apply(at, 2L, statistic), c(0.025, 0.975), names = FALSE)
}

## Of the share of the errors `base` that `mse` takes away.
.skillInterval <- function(mse, base, key, use, nBoot) {
    .bootInterval(length(mse), function(i) 1 - sum(mse[i]) / sum(base[i]), key,
        use, nBoot)
}

## What isn't compared with the model: itself, and what is scored against
## other cells.
.notBaselines <- c("the model", "half of the cells")

## Share of the squared error of the scores `s` that the model takes away, and
## its interval: the same perturbations are drawn for both.
.gainOver <- function(s, model, key, use, nBoot) {
    if (is.null(s)) {
        return(rep(NA_real_, 3L))
    }
    c(.skill(model, s$mse), .skillInterval(model$mse, s$mse, key, use, nBoot))
}

## A row of the table of methods: skill with interval, means of the others.
.scoreRow <- function(s, key, use, nBoot) {
    interval <- .skillInterval(s$mse, s$mseMean, key, use, nBoot)
    strong <- order(-s$mseMean)[seq_len(min(3L, nrow(s)))]
    data.frame(skill = .skill(s), low = interval[[1L]], high = interval[[2L]],
        withoutStrongest = if (nrow(s) > 3L) .skill(s[-strong, ]) else NA_real_,
        rAll = mean(s$rAll), rTop = mean(s$rTop), rCentred = mean(s$rCentred),
        direction = mean(s$direction), discrimination = mean(s$discrimination)
    )
}

## Scores of a list of predictions, where they predict anything.
.scoreAll <- function(predictions, e, base, at, threads, true = e$T) {
    lapply(predictions, function(p) {
        .scoreEffects(true, p, e$se2, base, e$own, threads, at)
    })
}

## A row per method; where the model is among them, what it gains over each.
.scoreTable <- function(scores, key, nBoot, use = 50L) {
    out <- do.call(rbind, lapply(scores, .scoreRow, key = key, use = use,
        nBoot = nBoot
    ))
    out <- cbind(method = names(scores), out)
    model <- scores[["the model"]]
    if (!is.null(model)) {
        gain <- vapply(names(scores), function(m) {
            .gainOver(if (!m %in% .notBaselines) scores[[m]], model, key, use,
                nBoot)
        }, numeric(3L))
        out[c("gain", "gainLow", "gainHigh")] <- as.data.frame(t(gain))
    }
    rownames(out) <- NULL
    out
}
