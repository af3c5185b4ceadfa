## How far an edge may rest on a few cells.
##
## For sparse genes a correlation has the right variance under permutation of
## the cells and the wrong tail: a factor seen in 9 cells and a target in 16 of
## 2,000 that share 2 have z = 7, and share so many in .2% of permutations. The
## third moment mends it: under permutation z = r sqrt(n - 1) has mean 0,
## variance 1 and skewness g = skew(factor) skew(target) / sqrt(n); its tail is
## that of a Pearson type III variable (a shifted gamma one). zc is the normal
## quantile of that tail.
##
## The tail says whether z could be a coincidence, not how strong an edge is
## that can't be one: at z = 14 in hundreds of cells the tail of a modest
## skewness would still take a quarter off. So it is followed up to the height
## that the highest of all `edges` pairs would reach by coincidence, where
## zc = q, the normal quantile of 1 / edges, and z = v, that of the pair's own
## tail. What z exceeds v by is left as it is: zc = q + (z - v). Not beyond a
## skewness of 2, where the gamma variable's shape is below 1: such correlations
## are made of single coincidences, and their tail is known in cells alone.
## Reliability is min(1, zc / z).

## TFs x genes, from sums over the cells as the estimator reads them.
.edgeReliability <- function(sums) {
    n <- sums$cells
    if (n < 3) {
        return(matrix(1, nrow(sums$r), ncol(sums$r)))
    }
    g <- outer(sums$skew[sums$tf + 1L], sums$skew) / sqrt(n) * sign(sums$r)
    z <- abs(sums$r) * sqrt(n - 1)
    ifelse(z > 0, pmin(1, .beyondChance(z, g, max(2, length(z))) / z), 0)
}

## zc of `edges` pairs, see above.
.beyondChance <- function(z, g, edges) {
    q <- stats::qnorm(-log(edges), lower.tail = FALSE, log.p = TRUE)
    zc <- .pearsonQuantile(z, g)
    sure <- which(zc > q & g > 1e-3 & g <= 2)
    zc[sure] <- pmax(q, q + z[sure] - .pearsonValue(edges, g[sure]))
    zc
}

## What a Pearson III variable of skewness g > 0 exceeds once in `edges` times.
.pearsonValue <- function(edges, g) {
    g <- pmin(50, g)
    stats::qgamma(-log(edges), 4 / g^2, lower.tail = FALSE, log.p = TRUE) *
        g / 2 - 2 / g
}

## The normal quantile of a Pearson III variable's upper tail beyond z; mean 0,
## variance 1, skewness g (negative: the mirror image). Logarithms throughout.
.pearsonQuantile <- function(z, g) {
    g <- pmin(50, pmax(-50, g))
    skewed <- abs(g) > 1e-3
    at <- z[skewed]
    g <- g[skewed]
    x <- (at + 2 / g) * 2 / g
    shape <- 4 / g^2
    up <- g > 0
    tail <- numeric(length(at))
    tail[up] <- stats::pgamma(pmax(x[up], 0), shape[up], lower.tail = FALSE,
        log.p = TRUE
    )
    tail[!up] <- stats::pgamma(pmax(x[!up], 0), shape[!up], log.p = TRUE)
    quantile <- stats::qnorm(tail, lower.tail = FALSE, log.p = TRUE)
    quantile[!is.finite(quantile)] <- 38
    z[skewed] <- pmax(0, quantile)
    z
}

## In how many cells both ends of each edge are seen, TFs x genes.
.cellsOfBoth <- function(sums) {
    both <- t(sums$both)
    if (sums$cells < 2^31) {
        storage.mode(both) <- "integer"
    }
    both
}
