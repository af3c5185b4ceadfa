## Differences of slopes of states, and the noise of their estimation.

## p of the difference between the groups of sd_t slope_tg at the groups' mean
## memberships, for the edges `at`. With features F = [x, x W_1, ...] whitened
## by the prior, F'F = V L V', the ridge's contrast c'b of a gene with noise s
## has the sampling variance sum_j (V'c)_j^2 (l_j / s) / (l_j / s + 1)^2.
## NULL where it can't be had: one network, cells missing, too many features.
.slopeNoiseP <- function(x, design, at) {
    v <- x@verdict
    k <- ncol(x@memberships)
    most <- 2000L
    if (!v$distinguishable ||
        !identical(as.integer(x@metadata$coverage$cells), length(x@cells))) {
        return(NULL)
    }
    if (.perLabel(x)) {
        return(.labelNoiseP(x, design, at))
    }
    if (length(x@tfs) * (k + 1) > most) {
        return(NULL)
    }
    w <- .groupMemberships(x, design)
    sd <- sqrt(x@sd^2 %*% w) # TFs x 2, level first
    tf <- .fittedValues(x, match(x@tfs, x@genes))
    features <- do.call(cbind, c(list(tf), lapply(seq_len(k), function(j) {
        tf * x@memberships[, j] * sqrt(v$rho)
    }))) * sqrt(v$a)
    e <- eigen(crossprod(features), symmetric = TRUE)
    ## the contrast of every TF, whitened too, on the eigenvectors
    nTF <- length(x@tfs)
    weight <- sqrt(v$a) * cbind(sd[, 1L] - sd[, 2L], sqrt(v$rho) *
        (sd[, 1L] %o% w[, 1L] - sd[, 2L] %o% w[, 2L]))
    on <- Reduce(`+`, lapply(seq_len(k + 1L), function(j) {
        rows <- (j - 1L) * nTF + seq_len(nTF)
        e$vectors[rows, , drop = FALSE] * weight[, j]
    }))
    genes <- unique(at[, 2L])
    noise <- .slopeResiduals(x, tf, genes)
    ratio <- outer(pmax(e$values, 0), noise, `/`)
    variance <- (on^2 %*% (ratio / (ratio + 1)^2))[
        cbind(at[, 1L], match(at[, 2L], genes))]
    .slopeP(x, w, sd, at, variance)
}

.slopeP <- function(x, w, sd, at, variance) {
    flat <- matrix(x@slope, length(x@pooled))[
        (at[, 2L] - 1L) * length(x@tfs) + at[, 1L], , drop = FALSE] %*% w
    d <- flat[, 1L] * sd[at[, 1L], 1L] - flat[, 2L] * sd[at[, 1L], 2L]
    z <- ifelse(variance > 0, abs(d) / sqrt(pmax(variance, 1e-300)), 0)
    pmax(2 * stats::pnorm(-z), 1e-300)
}

## Are these the networks of labels, each shrunken to the pooled one?
.perLabel <- function(x) identical(x@metadata$model, "ridge per label")

## The same for networks per label: departures are estimated apart. That of a
## label, with features F'F = V L V', noise s and prior variance a s, has the
## sampling variance s sum_j V_tj^2 l_j / (l_j + 1 / a)^2; the pooled network
## is taken as known, and a label without departure as having none.
.labelNoiseP <- function(x, design, at) {
    w <- .groupMemberships(x, design)
    sd <- sqrt(x@sd^2 %*% w)
    genes <- unique(at[, 2L])
    s <- x@verdict$states
    z <- .withinLabels(x)
    tf <- z[, match(x@tfs, x@genes), drop = FALSE]
    variance <- numeric(nrow(at))
    for (k in which(s$departs & rowSums(w) > 0)) {
        i <- x@memberships[, k] == 1
        rest <- z[i, genes, drop = FALSE] -
            tf[i, , drop = FALSE] %*% x@pooled[, genes, drop = FALSE]
        noise <- pmax(0.2, colMeans(rest^2))
        e <- eigen(crossprod(tf[i, , drop = FALSE]), symmetric = TRUE)
        l <- pmax(e$values, 0)
        spread <- as.vector(e$vectors^2 %*% (l / (l + 1 / s$a[[k]])^2))
        weight <- sd[, 1L] * w[k, 1L] - sd[, 2L] * w[k, 2L]
        variance <- variance + (weight^2 * spread)[at[, 1L]] *
            noise[match(at[, 2L], genes)]
    }
    .slopeP(x, w, sd, at, variance)
}

## genes x cells as they were fitted: less the means of blocks.
.expressionFitted <- function(x, genes = seq_along(x@genes)) {
    values <- x@expression[genes, , drop = FALSE]
    block <- x@metadata$block
    out <- as.matrix(values)
    if (is.null(block)) {
        return(out)
    }
    out - .blockMeans(values, droplevels(block))[,
        as.integer(droplevels(block)), drop = FALSE]
}

## cells x genes less the mean of their label, over the standard deviation
## within labels.
.withinLabels <- function(x) {
    z <- t(.expressionFitted(x))
    w <- x@memberships
    z <- z - w %*% (crossprod(w, z) / pmax(1, colSums(w)))
    size <- sqrt(colMeans(z^2))
    sweep(z, 2L, ifelse(size > 1e-7, size, Inf), `/`)
}

## Have the cells `at` all the same network?
.sharedNetwork <- function(x, at) {
    if (!methods::is(x, "StateGRN")) {
        return(FALSE)
    }
    used <- colSums(x@memberships[at, , drop = FALSE]) > 0
    !x@verdict$distinguishable || !is.null(x@verdict$states) &&
        !any(x@verdict$states$departs[used])
}

## Mean memberships of the two groups, states x 2, level first.
.groupMemberships <- function(x, design) {
    d <- design$d[, 1L]
    if (!is.null(design$mean)) {
        d <- as.vector(design$mean %*% d)
    }
    w <- x@memberships[design$at, , drop = FALSE]
    part <- function(d) colSums(w * d) / sum(d)
    cbind(part(pmax(d, 0)), part(pmax(-d, 0)))
}

## cells x genes as the ridge saw them: standardised, less the means of
## states where the fit was centred.
.fittedValues <- function(x, genes) {
    unit <- function(z) {
        z <- sweep(z, 2L, colMeans(z))
        size <- sqrt(colMeans(z^2))
        sweep(z, 2L, ifelse(size > 1e-7, size, Inf), `/`)
    }
    z <- unit(t(.expressionFitted(x, genes)))
    if (x@verdict$centred) {
        w <- x@memberships
        z <- unit(z - w %*% solve(crossprod(w) + diag(1e-3, ncol(w)),
            crossprod(w, z)))
    }
    z
}

## Residual variance of genes under the networks of the states.
.slopeResiduals <- function(x, tf, genes) {
    parts <- lapply(split(genes, (seq_along(genes) - 1L) %/% 256L),
        function(part) {
            rest <- .fittedValues(x, part)
            for (j in seq_len(ncol(x@memberships))) {
                slope <- matrix(x@slope[, part, j], length(x@tfs))
                rest <- rest - x@memberships[, j] * (tf %*% slope)
            }
            pmax(colMeans(rest^2), 1e-3)
        }
    )
    unlist(parts, use.names = FALSE)
}

## States of these cells that have the pooled network while others don't.
.pooledAmong <- function(x, at) {
    if (!methods::is(x, "StateGRN") || is.null(x@verdict$states)) {
        return(character())
    }
    used <- colSums(x@memberships[at, , drop = FALSE]) > 0
    x@verdict$states$state[used & !x@verdict$states$departs]
}
