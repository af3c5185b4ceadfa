## Scores of predicted cells against treated ones, in components.

.responseScores <- function(P, Y, X, a, key, nBoot = 0L, most = 1000L) {
    few <- function(Z, use) {
        Z[.shuffled(nrow(Z), key, use)[seq_len(min(most, nrow(Z)))], ,
            drop = FALSE]
    }
    shown <- function(Z) drop(a$axes %*% colMeans(Z))
    base <- shown(X)
    t <- shown(Y) - base
    p <- shown(P) - base
    top <- order(-abs(t))[seq_len(min(50L, max(1L, length(t) %/% 4L)))]
    mine <- order(-abs(p))[seq_along(top)]
    far <- .cellDistances(few(P, 32L), few(Y, 33L), key, nBoot)
    list(samples = far$samples,
        scores = data.frame(energy = far$energy, mmd = mean(far$mmd),
            wasserstein = .marginalDistance(P, Y), rAll = .pearson(t, p),
            rTop = .pearson(t[top], p[top]),
            de = if (any(p != 0)) mean(mine %in% top) else 0,
            explained = 1 - sum((t - p)^2) / sum(t^2)
        )
    )
}

## Energy distance, mean discrepancy for each kernel of CellOT, and energy
## distances of balanced bootstrap samples of the cells (rows) of both, the same
## draws for every A of as many cells.
.cellDistances <- function(A, B, key, nBoot,
    gammas = c(2, 1, 0.5, 0.1, 0.01, 0.005)) {
    times <- function(n, use) {
        at <- (.shuffled(n * nBoot, key, use) - 1L) %% n + 1L
        matrix(as.double(tabulate(rep(seq_len(nBoot) - 1L, each = n) * n + at,
            n * nBoot)), n)
    }
    .Call(cw_r_response, t(A), t(B), gammas, times(nrow(A), 34L),
        times(nrow(B), 35L)
    )
}

## Wasserstein-1 distance of each component by 200 quantiles, in standard
## deviations of the truth, mean.
.marginalDistance <- function(P, Y) {
    at <- (seq_len(200L) - 0.5) / 200
    mean(vapply(seq_len(ncol(Y)), function(j) {
        d <- stats::quantile(P[, j], at, names = FALSE) -
            stats::quantile(Y[, j], at, names = FALSE)
        mean(abs(d)) / max(stats::sd(Y[, j]), 1e-9)
    }, 0))
}
