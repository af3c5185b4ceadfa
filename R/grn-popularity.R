## Known edges against popularity: well-studied factors have many known
## targets, well-studied genes many known factors.

## Random networks with the expected number of targets of every factor and of
## factors of every gene (src/engine/stats/nulls.h, cw_null_degrees): for each
## method, how many known edges the highest `top` candidates have, how many
## such networks would, and the average precision over theirs. `scores`: named
## list of scores of the candidates of `set` (see .candidates()).
.popularity <- function(scores, set, threads, top = c(200, 1000)) {
    known <- rep(FALSE, length(set$use))
    known[set$use] <- set$positive
    p <- .Call(cw_r_null_degrees, as.raw(set$use), as.raw(known),
        length(set$tfs), threads
    )[set$use]
    top <- unique(pmin(top, max(1, floor(length(p) / 5))))
    do.call(rbind, lapply(names(scores), function(m) {
        order <- order(-scores[[m]], method = "radix")
        .popularRows(m, set$positive[order], p[order], top)
    }))
}

## `auprcOverDegree`: average precision over the expected one of the null, which
## is sum p_i (1 + sum_{j < i} p_j) / i over sum p, by rank i.
.popularRows <- function(method, known, p, top) {
    precision <- function(x) sum(x * cumsum(x) / seq_along(x)) / sum(x)
    below <- c(0, cumsum(p)[-length(p)])
    null <- sum(p * (1 + below) / seq_along(p)) / sum(p)
    data.frame(method = method, top = top,
        known = vapply(top, function(k) sum(known[seq_len(k)]), 0),
        expected = vapply(top, function(k) sum(p[seq_len(k)]), 0),
        z = vapply(top, function(k) {
            at <- seq_len(k)
            (sum(known[at]) - sum(p[at])) / sqrt(sum(p[at] * (1 - p[at])))
        }, 0),
        auprcOverDegree = precision(known) / null
    )
}

## "Known edges in the 1,000 highest: 41, 31.2 by popularity alone (z 1.8)".
.popularLine <- function(rows) {
    row <- rows[nrow(rows), ]
    sprintf(paste0("Known edges among the %s highest: %d, where %.1f are ",
        "expected from the popularity of factors and genes alone (%.2f times, ",
        "z %.1f)"), format(row$top, big.mark = ","), as.integer(row$known),
    row$expected, row$known / row$expected, row$z)
}

## ---- within types -------------------------------------------------------------

## Share of the variance within groups of cells that factors explain in cells
## held out: every gene on all factors by the evidence ridge, on half of the
## cells of each group, means of the groups taken away. Means over genes that
## are no factors; groups of fewer than ten cells are left out.
.withinExplained <- function(expression, tfAt, group, key, threads) {
    group <- .asFactor(group)
    keep <- group %in% names(which(table(group) >= 10L))
    target <- setdiff(seq_len(nrow(expression)), tfAt)
    if (sum(keep) < 20L || !length(target)) {
        return(NA_real_)
    }
    group <- droplevels(group[keep])
    byCell <- as.matrix(Matrix::t(expression[, keep, drop = FALSE]))
    n <- nrow(byCell)
    ## every other cell of a group, in random order
    order <- .shuffled(n, key, 1L)
    half <- logical(n)
    for (level in levels(group)) {
        at <- order[group[order] == level]
        half[at[seq(1L, length(at), by = 2L)]] <- TRUE
    }
    centre <- function(rows) {
        x <- byCell[rows, , drop = FALSE]
        x - rowsum(x, group[rows])[as.character(group[rows]), , drop = FALSE] /
            as.vector(table(group[rows])[as.character(group[rows])])
    }
    train <- centre(half)
    test <- centre(!half)
    scale <- sqrt(colMeans(train^2))
    use <- scale > 1e-9
    target <- target[use[target]]
    train <- sweep(train, 2L, ifelse(use, scale, Inf), `/`)
    test <- sweep(test, 2L, ifelse(use, scale, Inf), `/`)
    view <- .estimatorView(list(values = t(train), nonTF = !seq_along(use) %in%
        tfAt))
    fit <- .estimate(RidgeGRNParam(), view, c(0, 0), threads)
    slope <- fit$scores * fit$sign
    rest <- test[, target, drop = FALSE] - test[, sort(tfAt), drop = FALSE] %*%
        slope[, target, drop = FALSE]
    1 - sum(rest^2) / sum(test[, target]^2)
}
