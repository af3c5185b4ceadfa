## What the reference says about itself: held-out predictions, calibration,
## conformal sets, the null of permuted labels, pairs that can't be told apart.

## A fold per cell: whole donors (batches, ...) together, or random cells of
## every type. `unit`: random numbers, one per cell.
.folds <- function(y, block, unit, n = 5L) {
    if (is.null(block)) {
        fold <- integer(length(y))
        for (k in unique(y)) {
            at <- which(y == k)
            fold[at[order(unit[at])]] <- (seq_along(at) - 1L) %% n + 1L
        }
        return(fold)
    }
    size <- sort(table(.asFactor(block)), decreasing = TRUE)
    load <- numeric(min(n, length(size)))
    to <- integer(length(size))
    for (i in seq_along(size)) {
        to[[i]] <- which.min(load)
        load[[to[[i]]]] <- load[[to[[i]]]] + size[[i]]
    }
    unname(to[match(block, names(size))])
}

## Log probabilities (cells x types) of cells held out, by a function
## (reference, query, numbers of the query's cells) -> log probabilities. A
## type that a training part lacks can't be called there.
.heldOut <- function(ref, fold, classify, y = ref$y) {
    out <- matrix(log(1e-9), length(y), ref$K)
    for (j in sort(unique(fold))) {
        train <- .subReference(ref, which(fold != j), y[fold != j])
        query <- .subQuery(ref, which(fold == j))
        logp <- classify(train, query, which(fold == j))
        logp[, train$moments$n == 0] <- log(1e-9)
        out[fold == j, ] <- .logSoftmax(logp)
    }
    out
}

.callsOf <- function(logp) max.col(logp, "first")

## Macro-F1 with its sd over folds.
.foldF1 <- function(y, called, fold) {
    each <- vapply(split(seq_along(y), fold), function(at) {
        .macroF1(y[at], called[at])
    }, 0)
    c(f1 = .macroF1(y, called), sd = if (length(each) > 1L)
        stats::sd(each) else NA_real_)
}

## ---- calibration and sets --------------------------------------------------

## Per type, the 1 - miss quantile of 1 - p of its own held-out cells.
.conformalThresholds <- function(p, y, K, miss = 0.1) {
    s <- 1 - p[cbind(seq_along(y), y)]
    vapply(seq_len(K), function(k) {
        own <- sort(s[y == k])
        n <- length(own)
        if (!n) {
            return(1)
        }
        own[[min(ceiling((1 - miss) * (n + 1)), n)]]
    }, 0)
}

## ---- null ------------------------------------------------------------------

## Macro-F1 of held-out cells of permuted labels (within blocks), by logistic
## regression on 300 genes, and that of the labels as they are.
.permutedF1 <- function(ref, fold, block, keys) {
    one <- function(train, query, held) {
        model <- .modelZ(train, 300L)
        .scoreBlock(query$block, query, list(model), train$threads)[[1L]]
    }
    f1 <- function(y) .macroF1(y, .callsOf(.heldOut(ref, fold, one, y)))
    null <- vapply(keys, function(unit) {
        f1(.permuteLabels(ref$y, block, unit))
    }, 0)
    list(observed = f1(ref$y), null = null)
}

.permuteLabels <- function(y, block, unit) {
    if (is.null(block)) {
        return(y[order(unit)])
    }
    out <- y
    for (b in unique(block)) {
        at <- which(block == b)
        out[at] <- y[at[order(unit[at])]]
    }
    out
}

## Above all permutations, and above what a further one would reach in one of
## 200 by the spread of these (Student's t). NA: above all, but so few are they
## that not even 1, the most there is, would be.
.isAbove <- function(observed, null) {
    n <- length(null)
    limit <- mean(null) + stats::qt(0.995, n - 1) * stats::sd(null) *
        sqrt(1 + 1 / n)
    if (observed > max(null) && limit >= 1) NA else
        observed > max(null) && observed > limit
}

## ---- pairs -----------------------------------------------------------------

## A row per pair of types: the area under the curve of log p_a - log p_b among
## held-out cells of both, its z by Mann and Whitney's standard error, and
## whether they are told apart: z >= 2 and area >= .8.
.pairTable <- function(logp, y, types) {
    K <- length(types)
    rows <- lapply(utils::combn(K, 2L, simplify = FALSE), function(ab) {
        s <- logp[, ab[[1L]]] - logp[, ab[[2L]]]
        a <- s[y == ab[[1L]]]
        b <- s[y == ab[[2L]]]
        if (!length(a) || !length(b)) {
            return(NULL)
        }
        se <- sqrt((length(a) + length(b) + 1) / (12 * length(a) * length(b)))
        area <- .auroc(a, b)
        data.frame(a = types[[ab[[1L]]]], b = types[[ab[[2L]]]], auroc = area,
            z = (area - 0.5) / se)
    })
    rows <- do.call(rbind, rows)
    rows$distinguishable <- rows$z >= 2 & rows$auroc >= 0.8
    rows[order(rows$auroc), , drop = FALSE]
}

## ---- number of genes -------------------------------------------------------

## 300, 1,000 or 3,000 by held-out blocks: the fewest within .01 of the best
## macro-F1 of logistic regression, the query standardised by its own moments
## and the reference by moments matched to its composition. Without blocks 300
## up to 10 types, else 1,000.
.chooseGeneCount <- function(ref, fold, hasBlocks, most) {
    if (!hasBlocks) {
        n <- min(if (ref$K <= 10L) 300L else 1000L, most)
        return(list(n = n, table = NULL))
    }
    tried <- unique(pmin(c(300L, 1000L, 3000L), most))
    f1 <- vapply(tried, function(n) {
        .macroF1(ref$y, .callsOf(.heldOut(ref, fold, .oracleMatched(ref,
            n))))
    }, 0)
    list(n = tried[[which(f1 >= max(f1) - 0.01)[[1L]]]],
        table = data.frame(genes = tried, macroF1 = f1))
}

## A classifier that is told the query's composition: one refit suffices.
.oracleMatched <- function(ref, n) {
    function(train, query, held) {
        truth <- matrix(log(1e-9), length(held), ref$K)
        truth[cbind(seq_along(held), ref$y[held])] <- 0
        .fitMatched(train, query, truth, n, passes = 1L)$logp
    }
}
