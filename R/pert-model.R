## The model of effects, as the engine wants it, and its predictions.

.averageKernel <- function(kernels) {
    if (length(kernels)) Reduce(`+`, kernels) / length(kernels)
}

## Inner products over readouts, see src/engine/pert/model.h. `e`: effects;
## `side`: what .sideOf() gives for `genes`; `perts`: genes (upper case) of each
## perturbation. With `test` also what scores need.
.modelData <- function(e, side, perts, genes, threads, test = TRUE,
    n = e$n, controls = e$nControl[[1L]]) {
    P <- length(perts)
    N <- length(genes)
    member <- lapply(perts, match, genes)
    direct <- lapply(side$direct, t) # readouts x genes
    K <- length(direct)
    inner <- function(a, b) .product(a, b, threads)
    stack <- function(values, dim) {
        array(as.numeric(unlist(values, use.names = FALSE)), dim)
    }
    out <- list(perts = P, genes = N, directs = K, readouts = nrow(e$Y),
        start = as.integer(c(0L, cumsum(lengths(member)))),
        member = as.integer(unlist(member) - 1L), cells = as.numeric(n),
        controls = as.numeric(controls), kernel = .averageKernel(side$kernels),
        yy = inner(e$Y, e$Y),
        yd = stack(lapply(direct, inner, b = e$Y), c(N, P, K)),
        dd = stack(lapply(direct, function(a) {
            lapply(direct, function(b) inner(b, a))
        }), c(N, N, K, K))
    )
    if (test) {
        at <- match(genes, e$up)
        own <- function(m) {
            m <- m[at, , drop = FALSE]
            m[is.na(at), ] <- NaN
            m
        }
        out <- c(out, list(ty = inner(e$Y, e$T), tt = colSums(e$T^2),
            td = stack(lapply(direct, inner, b = e$T), c(N, P, K)),
            ownY = own(e$Y), ownT = own(e$T),
            ownD = stack(lapply(direct, own), c(N, N, K))
        ))
    }
    out
}

## t(a) b, by the engine: the same for any number of threads.
.product <- function(a, b, threads, plain = FALSE) {
    storage.mode(a) <- "double"
    storage.mode(b) <- "double"
    .Call(cw_r_dense_product, a, b, plain, threads)
}

.partNames <- c("mean", "kernel", "own", "pair")

## Fitted to the perturbations `train` (numbers from 1): alpha, theta, share, c.
.fitModel <- function(data, train, threads) {
    f <- .Call(cw_r_pert_fit, data, train - 1L, NULL, threads)
    names(f$theta) <- names(f$share) <- .partNames
    c(f, list(c = f$other[[1L]], loglik = f$other[[2L]],
        rounds = f$other[[3L]]))
}

## What direct profiles say of perturbations, readouts x perturbations.
.directOf <- function(fit, side, perts, genes, attenuate = TRUE) {
    total <- 0
    for (k in which(fit$alpha != 0)) {
        total <- total + fit$alpha[[k]] * side$direct[[k]]
    }
    if (identical(total, 0)) {
        return(0)
    }
    vapply(perts, function(g) {
        at <- match(g, genes)
        (if (length(g) > 1L && attenuate) fit$c else 1) *
            colSums(total[at, , drop = FALSE])
    }, numeric(ncol(total)))
}

## Predictions for the perturbations `test` from `Y` of those in `train`, both
## numbers within data's perturbations: `mean` readouts x test, `variance`.
.predictModel <- function(fit, data, Y, side, perts, genes, train, test,
    threads) {
    w <- .Call(cw_r_pert_predict, data, fit[c("theta", "other")], train - 1L,
        test - 1L, threads
    )
    rest <- Y - .directOf(fit, side, perts[train], genes, attenuate = FALSE)
    list(
        mean = .product(rest, w$weight, threads, plain = TRUE) +
            .directOf(fit, side, perts[test], genes),
        variance = w$variance
    )
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
    mean <- matrix(NA_real_, nrow(e$Y), length(perts))
    variance <- rep(NA_real_, length(perts))
    for (f in folds) {
        fit <- .fitModel(data, f$train, threads)
        p <- .predictModel(fit, data, e$Y[, f$train, drop = FALSE], side,
            perts, genes, f$train, f$test, threads
        )
        mean[, f$test] <- p$mean
        variance[f$test] <- p$variance
    }
    list(mean = mean, variance = variance)
}

## 1 .. n in an order of this key; `use` tells draws apart.
## Folds at random, 1 .. folds.
.foldsOf <- function(n, folds, key, use) {
    fold <- integer(n)
    folds <- as.integer(min(folds, n))
    fold[.shuffled(n, key, use)] <- (seq_len(n) - 1L) %% folds + 1L
    fold
}
