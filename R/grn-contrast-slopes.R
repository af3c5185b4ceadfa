## Differences of slopes of states, and the noise of their estimation.

## p of the difference between the groups of sd_t slope_tg at the groups' mean
## memberships, for the edges `at`. With features F = [x, x W_1, ...] whitened
## by the prior, F'F = V L V', the ridge's contrast c'b of a gene with noise s
## has the sampling variance sum_j (V'c)_j^2 (l_j / s) / (l_j / s + 1)^2.
## NULL where it can't be had: one network, cells missing, too many features.
## networks: see .networkColumns().
.slopeNoiseP <- function(x, networks, design, at) {
    if (!methods::is(x, "StateGRN")) {
        return(NULL)
    }
    v <- x@verdict
    k <- ncol(x@memberships)
    most <- 2000L
    if (!v$distinguishable ||
        !identical(as.integer(x@metadata$coverage$cells), length(x@cells))) {
        return(NULL)
    }
    if (.perLabel(x)) {
        w <- .groupMemberships(x, networks, design)
        return(.labelNoiseP(x, w, at, .heldLabelSums(x, w, at)))
    }
    if (length(x@tfs) * (k + 1) > most) {
        return(NULL)
    }
    w <- .groupMemberships(x, networks, design)
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
## sums: of all cells by label, see .newLabelSums().
.labelNoiseP <- function(x, w, at, sums) {
    sd <- sqrt(x@sd^2 %*% w)
    rows <- .labelRows(x, at)
    s <- x@verdict$states
    variance <- numeric(nrow(at))
    size <- .withinLabels(sums)
    genes <- rows[-seq_along(x@tfs)]
    for (k in .labelsDeparting(x, w)) {
        z <- .labelMoments(sums[[k]], size)
        tf <- z$product[seq_along(x@tfs), , drop = FALSE]
        b <- x@pooled[, rows, drop = FALSE] # TFs x rows
        rest <- z$square - 2 * colSums(b * t(z$product)) +
            colSums(b * (tf %*% b))
        noise <- pmax(0.2, rest[-seq_along(x@tfs)] / sums[[k]]$cells)
        e <- eigen(tf, symmetric = TRUE)
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

.labelsDeparting <- function(x, w) {
    which(x@verdict$states$departs & rowSums(w) > 0)
}

## Genes whose sums are needed: the TFs, then the targets of the edges `at`
## (a TF that is one is there twice).
.labelRows <- function(x, at) c(match(x@tfs, x@genes), unique(at[, 2L]))

## Sums of nothing, a list by label, over the genes .labelRows(); products with
## TFs where its own network is asked about.
.newLabelSums <- function(x, w, at) {
    genes <- length(.labelRows(x, at))
    full <- .labelsDeparting(x, w)
    lapply(seq_len(ncol(x@memberships)), function(k) {
        .newSums(genes, if (k %in% full) seq_along(x@tfs) - 1L else integer(),
            FALSE)
    })
}

## Adds the cells of a block. values: .labelRows() x cells, sparse; label: of
## each, from 1.
.addLabelSums <- function(sums, values, label, threads = .threads()) {
    for (k in unique(label)) {
        .addSums(sums[[k]], values[, label == k, drop = FALSE], threads)
    }
    invisible()
}

.heldLabelSums <- function(x, w, at) {
    sums <- .newLabelSums(x, w, at)
    values <- .asSparse(.expressionFitted(x, .labelRows(x, at)))
    .addLabelSums(sums, values, max.col(x@memberships, "first"))
    sums
}

## Standard deviations within labels, Inf for 0.
.withinLabels <- function(sums) {
    part <- function(s) if (s$cells > 0) s$square - s$sum^2 / s$cells else 0
    cells <- sum(vapply(sums, `[[`, 0, "cells"))
    size <- sqrt(pmax(Reduce(`+`, lapply(sums, part)), 0) / cells)
    ifelse(size > 1e-7, size, Inf)
}

## Of a label's cells, less their mean and over `size`: sums of squares, and of
## products with the TFs (rows x TFs).
.labelMoments <- function(s, size) {
    tf <- seq_len(ncol(s$product))
    product <- s$product - outer(s$sum, s$sum[tf] / s$cells)
    list(square = (s$square - s$sum^2 / s$cells) / size^2,
        product = product / outer(size, size[tf])
    )
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
.groupMemberships <- function(x, networks, design) {
    units <- seq_len(nrow(design$labels))
    d <- .unitsAt(design, units)$d[, 1L]
    if (!is.null(design$unit)) {
        d <- (d / design$unitSize)[design$unit]
    }
    w <- x@memberships[networks$first, , drop = FALSE]
    part <- function(d) {
        by <- vapply(split(d, factor(networks$of, seq_len(nrow(w)))), sum, 0)
        colSums(w * by) / sum(d)
    }
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
