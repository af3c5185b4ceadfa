## What every prediction of effects is printed beside. All take the effects of
## the perturbations of a fold's `train` and predict those of `test`, readouts x
## perturbations.

.noChange <- function(Y, test) matrix(0, nrow(Y), length(test))

.meanPerturbed <- function(Y, train, test) {
    matrix(rowMeans(Y[, train, drop = FALSE]), nrow(Y), length(test))
}

## Sum of the measured effects of single genes; one never seen alone has their
## mean.
.additiveEffect <- function(Y, perts, train, test) {
    single <- train[lengths(perts[train]) == 1L]
    mean <- if (length(single)) rowMeans(Y[, single, drop = FALSE]) else
        rowMeans(Y[, train, drop = FALSE]) / 2
    seen <- unlist(perts[single])
    vapply(perts[test], function(g) {
        at <- single[match(g, seen)]
        rowSums(Y[, at[!is.na(at)], drop = FALSE]) + sum(is.na(at)) * mean
    }, numeric(nrow(Y)))
}

## Effect of the most similar perturbation; similarity of sets: mean of each
## gene's best match, a tenth less if they differ in size.
.nearestEffect <- function(Y, perts, train, test, K, genes) {
    index <- lapply(perts, match, genes)
    vapply(test, function(t) {
        s <- vapply(train, function(q) {
            best <- apply(K[index[[t]], index[[q]], drop = FALSE], 1L, max)
            mean(best) * if (lengths(index[t]) == lengths(index[q])) 1 else 0.9
        }, 0)
        Y[, train[[which.max(s)]]]
    }, numeric(nrow(Y)))
}

## Ahlmann-Eltze et al. 2025: Y = G W P' + b, G the first axes of the effects, P
## those of the kernel, W by ridge on both sides.
.bilinear <- function(Y, perts, train, test, K, genes, axes = 10L,
    lambda = 0.1) {
    b <- rowMeans(Y[, train, drop = FALSE])
    centred <- Y[, train, drop = FALSE] - b
    inner <- eigen(crossprod(centred), symmetric = TRUE)
    k <- min(axes, sum(inner$values > 1e-10 * inner$values[[1L]]))
    if (k < 1L) {
        return(.meanPerturbed(Y, train, test))
    }
    G <- centred %*% inner$vectors[, seq_len(k), drop = FALSE] /
        sqrt(length(train))
    axis <- eigen(K, symmetric = TRUE)
    m <- min(axes, nrow(K))
    E <- axis$vectors[, seq_len(m), drop = FALSE] *
        rep(sqrt(pmax(axis$values[seq_len(m)], 0)), each = nrow(K))
    embed <- function(at) {
        t(vapply(perts[at], function(g) {
            colSums(E[match(g, genes), , drop = FALSE])
        }, numeric(m)))
    }
    A <- embed(train)
    W <- solve(crossprod(G) + lambda * diag(k), crossprod(G, centred) %*% A) %*%
        solve(crossprod(A) + lambda * diag(m))
    G %*% W %*% t(embed(test)) + b
}

## All of them over folds; a list of readouts x perturbations, NA where nothing
## is predicted.
.crossBaselines <- function(e, side, perts, genes, folds) {
    K <- .averageKernel(side$kernels)
    pairs <- any(lengths(perts) > 1L)
    rows <- list("no change" = function(f) .noChange(e$Y, f$test),
        "mean perturbed" = function(f) .meanPerturbed(e$Y, f$train, f$test)
    )
    if (pairs) {
        rows$additive <- function(f) {
            .additiveEffect(e$Y, perts, f$train, f$test)
        }
    }
    if (!is.null(K)) {
        rows$nearest <- function(f) {
            .nearestEffect(e$Y, perts, f$train, f$test, K, genes)
        }
        rows[["bilinear ridge"]] <- function(f) {
            .bilinear(e$Y, perts, f$train, f$test, K, genes)
        }
    }
    lapply(rows, function(predict) {
        out <- matrix(NA_real_, nrow(e$Y), length(perts))
        for (f in folds) {
            out[, f$test] <- predict(f)
        }
        out
    })
}
