## How far an edge may rest on a few cells.
##
## For sparse genes a correlation has the right variance under permutation of
## the cells and the wrong tail: a factor seen in 9 cells and a target in 16 of
## 2,000 that share 2 have z = 7, and share so many in .2% of permutations. The
## third moment mends it: under permutation z = r sqrt(n - 1) has mean 0,
## variance 1 and skewness g = skew(factor) skew(target) / sqrt(n); its tail is
## that of a Pearson type III variable (a shifted gamma one). zc is the normal
## quantile of that tail, reliability min(1, zc / z).

## TFs x genes. expression: genes x cells as the estimator reads them; tfAt:
## positions of the TFs.
.edgeReliability <- function(expression, tfAt) {
    byCell <- Matrix::t(expression)
    n <- nrow(byCell)
    if (n < 3L) {
        return(matrix(1, length(tfAt), ncol(byCell)))
    }
    ## with columns of mean 0 and length 1 the skewness is sqrt(n) sum u^3
    tf <- .unitRows(byCell, tfAt, FALSE)
    tfSkew <- colSums(tf^3)
    starts <- seq(1L, ncol(byCell), by = 256L)
    blocks <- lapply(starts, function(first) {
        at <- first:min(ncol(byCell), first + 255L)
        gene <- .unitRows(byCell, at, FALSE)
        r <- crossprod(tf, gene)
        g <- sqrt(n) * outer(tfSkew, colSums(gene^3)) * sign(r)
        z <- abs(r) * sqrt(n - 1)
        ifelse(z > 0, pmin(1, .pearsonQuantile(z, g) / z), 0)
    })
    matrix(unlist(blocks, use.names = FALSE), length(tfAt))
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
.cellsOfBoth <- function(expression, tfAt) {
    byCell <- Matrix::t(.asSparse(expression))
    seen <- function(at) as.matrix(byCell[, at, drop = FALSE]) > 0
    tf <- seen(tfAt) + 0
    starts <- seq(1L, ncol(byCell), by = 256L)
    blocks <- lapply(starts, function(first) {
        as.integer(crossprod(tf, seen(first:min(ncol(byCell), first + 255L)) +
            0))
    })
    matrix(unlist(blocks, use.names = FALSE), length(tfAt))
}
