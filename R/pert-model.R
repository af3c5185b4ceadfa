## The model of effects, as the engine wants it, and its predictions.

.averageKernel <- function(kernels) {
    if (length(kernels)) Reduce(`+`, kernels) / length(kernels)
}

## Inner products over readouts, see src/engine/pert/model.h. `e`: effects;
## `side`: what .sideOf() gives for `genes`; `perts`: genes (upper case) of each
## perturbation.
.modelData <- function(e, side, perts, genes, threads) {
    P <- length(perts)
    N <- length(genes)
    member <- lapply(perts, match, genes)
    direct <- side$direct # genes x readouts
    K <- length(direct)
    at <- match(genes, e$up)
    stack <- function(dim, of) { # one of them at a time
        out <- array(0, dim)
        for (k in seq_len(K)) out[, , k] <- of(direct[[k]])
        out
    }
    dd <- array(0, c(N, N, K, K))
    for (k in seq_len(K)) for (l in seq_len(k)) {
        m <- .product(direct[[l]], direct[[k]], threads, "abt")
        dd[, , l, k] <- m
        if (l < k) dd[, , k, l] <- t(m)
    }
    .collect(length(e$Y))
    list(perts = P, genes = N, directs = K, readouts = nrow(e$Y),
        start = as.integer(c(0L, cumsum(lengths(member)))),
        member = as.integer(unlist(member) - 1L), cells = as.numeric(e$n),
        controls = as.numeric(e$nControl[[1L]]),
        kernel = .averageKernel(side$kernels),
        yy = .product(e$Y, e$Y, threads), dd = dd,
        yd = stack(c(P, N, K), function(D) {
            t(.product(D, e$Y, threads, "ab"))
        }),
        ownY = .atGenes(e$Y, at), ownD = stack(c(N, N, K), function(D) {
            .atGenes(Matrix::t(D), at)
        }),
        ty = .product(e$Y, e$T, threads), tt = colSums(e$T^2),
        td = stack(c(P, N, K), function(D) {
            t(.product(D, e$T, threads, "ab"))
        }),
        ownT = .atGenes(e$T, at)
    )
}

## Rows `at` of m, NaN where that is NA.
.atGenes <- function(m, at) {
    out <- matrix(NaN, length(at), ncol(m))
    there <- !is.na(at)
    out[there, ] <- as.matrix(m[at[there], , drop = FALSE])
    out
}

## The products of the effects against all control cells, `Y`, from those of both
## halves.
.joinHalves <- function(data, e, Y, threads) {
    share <- e$nControl[[1L]] / sum(e$nControl)
    data[c("ty", "tt", "yy")] <- NULL
    data$yy <- .product(Y, Y, threads)
    for (part in list(c("yd", "td"), c("ownY", "ownT"))) {
        data[[part[[1L]]]] <- share * data[[part[[1L]]]] +
            (1 - share) * data[[part[[2L]]]]
        data[[part[[2L]]]] <- NULL
    }
    data$controls <- sum(e$nControl)
    data
}

## t(a) b, a b, or a t(b), by the engine: the same for any number of threads. Of
## sparse ones by Matrix: most direct profiles are hundreds of times smaller.
.product <- function(a, b, threads, how = "atb") {
    if (isS4(a) || isS4(b)) {
        return(as.matrix(switch(how, atb = Matrix::crossprod(a, b),
            ab = a %*% b, abt = Matrix::tcrossprod(a, b))))
    }
    storage.mode(a) <- "double"
    storage.mode(b) <- "double"
    .Call(cw_r_dense_product, a, b, match(how, c("atb", "ab", "abt")) - 1L,
        threads)
}

## Matrices of as many values are let go before the next are made: R, left to
## itself, lets a third of its memory be rubbish. With the packages that cells
## need there are millions of objects to look at, for half a second: what a loop
## lets go is for .dropBlock().
.collect <- function(values) if (values > 1e6) invisible(gc(FALSE))

.partNames <- c("mean", "kernel", "own", "pair")

## Fitted to the perturbations `train` (numbers from 1): alpha, theta, share, c.
.fitModel <- function(data, train, threads) {
    .namedFit(.Call(cw_r_pert_fit, data, train - 1L, threads))
}

.namedFit <- function(f) {
    names(f$theta) <- names(f$share) <- .partNames
    c(f, list(c = f$other[[1L]], loglik = f$other[[2L]],
        rounds = f$other[[3L]]))
}

## All direct profiles together, genes x readouts; NULL: nothing.
.totalDirect <- function(fit, side) {
    total <- NULL
    for (k in which(fit$alpha != 0)) {
        part <- fit$alpha[[k]] * side$direct[[k]]
        total <- if (is.null(total)) part else total + part
    }
    if (!is.null(total)) as.matrix(total)
}

## What they say of perturbations, readouts x perturbations.
.directOf <- function(fit, total, perts, genes, attenuate = TRUE) {
    if (is.null(total)) {
        return(0)
    }
    vapply(perts, function(g) {
        at <- match(g, genes)
        (if (length(g) > 1L && attenuate) fit$c else 1) *
            colSums(total[at, , drop = FALSE])
    }, numeric(ncol(total)))
}

## Predictions for the perturbations `test` from `Y` (filled) of those in
## `train`, both numbers within data's perturbations: `mean` readouts x test,
## `variance`.
.predictModel <- function(fit, data, Y, side, perts, genes, train, test,
    threads) {
    w <- .Call(cw_r_pert_predict, data, fit[c("theta", "other")], train - 1L,
        test - 1L, threads
    )
    total <- .totalDirect(fit, side)
    rest <- Y - .directOf(fit, total, perts[train], genes, attenuate = FALSE)
    list(mean = .product(rest, w$weight, threads, "ab") +
        .directOf(fit, total, perts[test], genes), variance = w$variance)
}

## Fits of all folds at once, each predicting the perturbations it leaves out,
## see cw_pert_folds(). perm: of the side information, genes from 1, or NULL.
.runFolds <- function(data, folds, threads, perm = NULL, told = TRUE) {
    folds <- lapply(folds, function(f) {
        list(train = f$train - 1L, test = f$test - 1L)
    })
    .Call(cw_r_pert_folds, data, folds, if (!is.null(perm)) perm - 1L, told,
        threads)
}

## The parts that a model without side information, or with one kind only, has.
.restrictData <- function(data, kernel = TRUE, direct = TRUE) {
    if (!kernel) {
        data["kernel"] <- list(NULL)
    }
    if (!direct) {
        data$directs <- 0
        for (part in intersect(c("yd", "dd", "td", "ownD"), names(data))) {
            data[[part]] <- numeric()
        }
    }
    data
}

.withoutDirect <- function(side) {
    side$direct <- list()
    side
}

## Cross-validated predictions: for each fold fitted to the perturbations that
## `trains` names. `folds`: list of list(train, test). readouts x perturbations,
## NA where nothing is predicted.
.crossPredict <- function(data, e, side, perts, genes, folds, threads,
    kernel = TRUE, direct = TRUE) {
    data <- .restrictData(data, kernel, direct)
    if (!direct) {
        side <- .withoutDirect(side)
    }
    .collect(length(e$Y))
    fits <- .runFolds(data, folds, threads)
    variance <- rep(NA_real_, length(perts))
    for (k in seq_along(folds)) {
        variance[folds[[k]]$test] <- fits[[k]]$variance
        folds[[k]]$fit <- fits[[k]]
    }
    mean <- .overFolds(folds, e, threads, function(span, f) {
        fit <- .namedFit(f$fit)
        if (any(fit$alpha != 0)) .dropBlock(length(e$Y))
        total <- .totalDirect(fit, side)
        span(fit$weight, if (!is.null(total)) list(total = total,
            start = data$start, member = data$member)) +
            .directOf(fit, total, perts[f$test], genes)
    })
    list(mean = mean, variance = variance)
}

## Folds at random, 1 .. folds; `use` tells draws of a key apart.
.foldsOf <- function(n, folds, key, use) {
    fold <- integer(n)
    folds <- as.integer(min(folds, n))
    fold[.shuffled(n, key, use)] <- (seq_len(n) - 1L) %% folds + 1L
    fold
}
