## Effects, their permuted nulls and intervals.

## values(columns): features x these columns; cell i of design$at has the
## values of column of[[i]]. -> as .finishContrast().
## Blocks of columns may be taken by other processes; their sums are added here,
## in the order of the blocks.
.contrastSums <- function(values, columns, of, design, workers = NULL) {
    own <- identical(as.integer(of), seq_along(of)) && columns == length(of)
    by <- if (!own) .designByColumn(of, columns, design)
    blocks <- .columnBlocks(columns)
    valuesOf <- .partsAhead(length(blocks), .valuesByBlock(values, blocks),
        workers
    )
    sums <- list()
    for (i in seq_along(blocks)) {
        at <- blocks[[i]]
        part <- if (own) .designAt(design, at) else
            lapply(by, function(m) m[at, , drop = FALSE])
        sums <- .addContrast(sums, valuesOf(i), part)
    }
    .finishContrast(sums, design)
}

.valuesByBlock <- function(values, blocks) {
    force(list(values, blocks))
    function(i) values(blocks[[i]])
}

## What .designAt() gives of all cells, summed up by column.
.designByColumn <- function(of, columns, design) {
    sums <- NULL
    for (at in .columnBlocks(length(of), 8192L)) {
        here <- lapply(.designAt(design, at), function(m) {
            out <- matrix(0, columns, ncol(m))
            one <- rowsum(m, of[at], reorder = TRUE)
            out[as.integer(rownames(one)), ] <- one
            out
        })
        sums <- if (is.null(sums)) here else Map(`+`, sums, here)
    }
    sums
}

## Sums (from list()) with those of the values `v`, features x cells, of cells
## whose .designAt() is `part`. `square`: sums by stratum, too?
.addContrast <- function(sums, v, part, square = TRUE) {
    add <- function(what, m) {
        m <- as.matrix(m)
        sums[[what]] <<- if (is.null(sums[[what]])) m else sums[[what]] + m
    }
    if (!is.null(part$mean)) {
        add("units", v %*% part$mean)
        return(sums)
    }
    add("effect", v %*% part$d)
    if (square) {
        add("sum", v %*% part$strata)
        add("square", v^2 %*% part$strata)
    }
    sums
}

## -> list(effect: features x (1 + n); sum, square: features x strata).
.finishContrast <- function(sums, design) {
    if (is.null(sums$units)) {
        return(sums)
    }
    .addContrast(list(), sums$units, .unitsAt(design,
        seq_along(design$unitSize)))
}

.columnBlocks <- function(n, width = 64L) {
    split(seq_len(n), (seq_len(n) - 1L) %/% width)
}

## Sums of squares around the mean, per group of columns of strata.
.spread <- function(sum, square, n) {
    pmax(square - sum^2 / rep(pmax(n, 1), each = nrow(sum)), 0)
}

## -> list(table: effect, low, high, z, p, q and the means; found).
.contrastTest <- function(sums, design) {
    k <- nrow(design$size)
    level <- 2L * seq_len(k) - 1L
    n <- as.vector(t(design$size)) # level, ref of block 1, ...
    both <- sums$sum[, level, drop = FALSE] + sums$sum[, -level, drop = FALSE]
    square <- sums$square[, level, drop = FALSE] +
        sums$square[, -level, drop = FALSE]
    total <- rowSums(design$size)
    free <- pmax(total - 1, 1)
    s2 <- .spread(both, square, total) / rep(free, each = nrow(both))
    noise <- as.vector(s2 %*% (design$weight^2 * rowSums(1 / design$size)))
    scale <- as.vector(square %*% rep(1, k)) / sum(total)
    ## differences that are rounding: a variation below 3e-7 of the value
    flat <- as.vector(s2 %*% design$weight) <= 1e-13 * pmax(scale, 1e-280)
    z <- sums$effect / sqrt(ifelse(flat, Inf, noise))
    ## within groups; a group of one cell in a block borrows the block's
    own <- .spread(sums$sum, sums$square, n) /
        rep(pmax(n - 1, 1), each = nrow(both))
    lone <- which(n < 2)
    own[, lone] <- s2[, (lone + 1L) %/% 2L]
    se <- sqrt(as.vector(own %*% (rep(design$weight^2, each = 2L) / n)))
    effect <- sums$effect[, 1L]
    effect[flat] <- 0
    table <- data.frame(
        ref = rowSums(sums$sum[, -level, drop = FALSE]) /
            sum(design$size[, 2L]),
        level = rowSums(sums$sum[, level, drop = FALSE]) /
            sum(design$size[, 1L]),
        effect = effect, low = effect - stats::qnorm(0.975) * se,
        high = effect + stats::qnorm(0.975) * se, z = z[, 1L]
    )
    p <- .pooledP(abs(z))
    table$p <- p[, 1L]
    table$q <- stats::p.adjust(table$p, "BH")
    list(table = table, found = .contrastFound(p, z))
}

## z: features x (1 + n), as labelled and permuted -> p of all of them among
## the permuted of all features.
.pooledP <- function(z) {
    z <- signif(z, 10L) # equal but for rounding is equal
    null <- sort(as.vector(z[, -1L]))
    below <- findInterval(as.vector(z), null, left.open = TRUE)
    p <- (1 + length(null) - below) / (1 + length(null))
    matrix(pmin(1, p), nrow(z))
}

## How many features have q < 0.05, as labelled and with permuted labels; p of
## the mean of z^2 over all features among the permutations.
.contrastFound <- function(p, z) {
    found <- apply(p, 2L, function(v) {
        sum(stats::p.adjust(v, "BH") < 0.05)
    })
    null <- found[-1L]
    size <- signif(colMeans(z^2), 10L)
    list(tested = nrow(p), found = found[[1L]], null = mean(null),
        nullMost = max(null),
        p = (1 + sum(size[-1L] >= size[[1L]])) / length(size)
    )
}
