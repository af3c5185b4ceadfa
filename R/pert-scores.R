## Scores of predicted effects, a row per perturbation; own genes are left out.

.pearson <- function(a, b) {
    a <- a - mean(a)
    b <- b - mean(b)
    d <- sqrt(sum(a^2) * sum(b^2))
    if (d > 1e-12) sum(a * b) / d else 0
}

## `true`, `predicted`, `base` (mean perturbed), `se2`: readouts x perturbations
## in the units of the controls' standard deviation; `own`: rows left out.
.scoreEffects <- function(true, predicted, se2, base, own, top = 20L) {
    P <- ncol(true)
    one <- function(p) {
        k <- setdiff(seq_len(nrow(true)), own[[p]])
        t <- true[k, p]
        f <- predicted[k, p]
        m <- base[k, p]
        de <- order(-abs(t) / sqrt(se2[k, p] + 1e-12))
        de <- de[seq_len(min(top, length(de)))]
        s <- sign(f[de]) * sign(t[de])
        c(mse = mean((t - f)^2), mseMean = mean((t - m)^2),
            noise = mean(se2[k, p]), rAll = .pearson(t, f),
            rTop = .pearson(t[de], f[de]), rCentred = .pearson(t - m, f - m),
            direction = mean(ifelse(s == 0, 0.5, s > 0))
        )
    }
    out <- as.data.frame(t(vapply(seq_len(P), one, numeric(7L))))
    out$discrimination <- .discrimination(true, predicted, own)
    out
}

## Share of other perturbations whose true effect is further from the
## prediction.
.discrimination <- function(true, predicted, own) {
    P <- ncol(true)
    if (P < 2L) {
        return(rep(NA_real_, P))
    }
    D <- outer(colSums(predicted^2), colSums(true^2), `+`) -
        2 * crossprod(predicted, true)
    owner <- split(rep(seq_along(own), lengths(own)), unlist(own))
    left <- outer(lengths(own), lengths(own), `+`)
    for (g in names(owner)) {
        at <- as.integer(g)
        r <- owner[[g]]
        out <- outer(predicted[at, r], true[at, ], `-`)^2
        D[r, ] <- D[r, ] - out
        D[, r] <- D[, r] - outer(predicted[at, ], true[at, r], `-`)^2
        D[r, r] <- D[r, r] + out[, r]
        left[r, r] <- left[r, r] - 1L
    }
    D <- D / (nrow(true) - left)
    at <- diag(D)
    tie <- abs(D - at) <= 1e-12
    1 - (rowSums(D < at - 1e-12 & !tie) + 0.5 * (rowSums(tie) - 1)) / (P - 1)
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

## A row of the table of methods: skill with interval, means of the others.
.scoreRow <- function(s, key, use, nBoot) {
    interval <- .bootInterval(nrow(s), function(i) .skill(s[i, ]), key, use,
        nBoot
    )
    strong <- order(-s$mseMean)[seq_len(min(3L, nrow(s)))]
    data.frame(skill = .skill(s), low = interval[[1L]], high = interval[[2L]],
        withoutStrongest = if (nrow(s) > 3L) .skill(s[-strong, ]) else NA_real_,
        rAll = mean(s$rAll), rTop = mean(s$rTop), rCentred = mean(s$rCentred),
        direction = mean(s$direction), discrimination = mean(s$discrimination)
    )
}

## Scores of a list of predictions, where they predict anything.
.scoreAll <- function(predictions, e, base, at, true = e$T) {
    all <- identical(as.integer(at), seq_len(ncol(true)))
    of <- function(m) if (all) m else m[, at, drop = FALSE] # a copy is large
    lapply(predictions, function(p) {
        .scoreEffects(of(true), of(p), of(e$se2), of(base), e$own[at])
    })
}

.scoreTable <- function(scores, key, nBoot, use = 50L) {
    out <- do.call(rbind, lapply(scores, .scoreRow, key = key, use = use,
        nBoot = nBoot
    ))
    out <- cbind(method = names(scores), out)
    rownames(out) <- NULL
    out
}
