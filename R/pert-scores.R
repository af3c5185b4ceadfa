## Scores of predicted effects, a row per perturbation; own genes are left out.

.pearson <- function(a, b) {
    a <- a - mean(a)
    b <- b - mean(b)
    d <- sqrt(sum(a^2) * sum(b^2))
    if (d > 1e-12) sum(a * b) / d else 0
}

## `true`, `predicted`, `base` (mean perturbed), `se2`: readouts x perturbations
## in the units of the controls' standard deviation; `own`: rows left out; `de`:
## what .strongest() gives.
.scoreEffects <- function(true, predicted, se2, base, own, threads = 1L,
    de = .strongest(true, se2, own)) {
    P <- ncol(true)
    one <- function(p) {
        k <- .othersOf(own[[p]], nrow(true))
        t <- true[k, p]
        f <- predicted[k, p]
        m <- base[k, p]
        at <- de[[p]]
        s <- sign(predicted[at, p]) * sign(true[at, p])
        c(mse = mean((t - f)^2), mseMean = mean((t - m)^2),
            noise = mean(se2[k, p]), rAll = .pearson(t, f),
            rTop = .pearson(true[at, p], predicted[at, p]),
            rCentred = .pearson(t - m, f - m),
            direction = mean(ifelse(s == 0, 0.5, s > 0))
        )
    }
    out <- as.data.frame(t(vapply(seq_len(P), one, numeric(7L))))
    out$discrimination <- .discrimination(true, predicted, own, threads)
    out
}

.othersOf <- function(own, n) if (length(own)) seq_len(n)[-own] else seq_len(n)

## Rows of the `top` largest |effect / standard error| of each perturbation, own
## ones left out.
.strongest <- function(true, se2, own, top = 20L) {
    lapply(seq_len(ncol(true)), function(p) {
        k <- .othersOf(own[[p]], nrow(true))
        z <- abs(true[k, p]) / sqrt(se2[k, p] + 1e-12)
        ## order() of those that can be among them is that of all
        if (length(z) > top) {
            large <- which(z >= -sort(-z, partial = top)[[top]])
            k <- k[large]
            z <- z[large]
        }
        k[order(-z)[seq_len(min(top, length(z)))]]
    })
}

## Share of other perturbations whose true effect is further from the
## prediction.
.discrimination <- function(true, predicted, own, threads = 1L) {
    P <- ncol(true)
    if (P < 2L) {
        return(rep(NA_real_, P))
    }
    D <- outer(colSums(predicted^2), colSums(true^2), `+`) -
        2 * .product(predicted, true, threads)
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
.scoreAll <- function(predictions, e, base, at, threads, true = e$T,
    de = .strongest(true[, at, drop = FALSE], e$se2[, at, drop = FALSE],
        e$own[at])) {
    all <- identical(as.integer(at), seq_len(ncol(true)))
    of <- function(m) if (all) m else m[, at, drop = FALSE] # a copy is large
    lapply(predictions, function(p) {
        .scoreEffects(of(true), of(p), of(e$se2), of(base), e$own[at],
            threads, de)
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
