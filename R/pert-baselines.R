## What every prediction of effects is printed beside. All take the effects `Y`
## of the perturbations of a fold's `train` (filled, see .filledEffects()) and
## predict those of `test`, readouts x perturbations.

.noChange <- function(Y, test) matrix(0, nrow(Y), length(test))

.meanPerturbed <- function(Y, test) {
    matrix(rowMeans(Y), nrow(Y), length(test))
}

## Sum of the measured effects of single genes; one never seen alone has their
## mean.
.additiveEffect <- function(Y, perts, train, test) {
    single <- which(lengths(perts[train]) == 1L)
    mean <- if (length(single)) rowMeans(Y[, single, drop = FALSE]) else
        rowMeans(Y) / 2
    seen <- unlist(perts[train[single]])
    vapply(perts[test], function(g) {
        at <- single[match(g, seen)]
        rowSums(Y[, at[!is.na(at)], drop = FALSE]) + sum(is.na(at)) * mean
    }, numeric(nrow(Y)))
}

## Effect of the most similar perturbation; similarity of sets: mean of each
## gene's best match, a tenth less if they differ in size.
.nearestEffect <- function(Y, perts, train, test, K, genes) {
    member <- function(at, i) { # i-th gene, or the last there is
        match(vapply(perts[at], function(g) g[[min(i, length(g))]], ""), genes)
    }
    most <- seq_len(max(lengths(perts[train])))
    best <- do.call(pmax, lapply(most, function(i) {
        K[, member(train, i), drop = FALSE]
    }))
    best <- matrix(best, nrow(K))
    s <- t(vapply(perts[test], function(g) {
        colMeans(best[match(g, genes), , drop = FALSE]) *
            ifelse(lengths(perts[train]) == length(g), 1, 0.9)
    }, numeric(length(train))))
    Y[, max.col(s, "first"), drop = FALSE]
}

## Ahlmann-Eltze et al. 2025: Y = G W P' + b, G the first axes of the effects, P
## those of the kernel (`E`), W by ridge on both sides.
.bilinear <- function(Y, perts, train, test, E, genes, job, axes = 10L,
    lambda = 0.1) {
    b <- rowMeans(Y)
    centred <- Y - b
    inner <- .leadingAxes(.product(centred, centred, job$threads), axes, job)
    k <- sum(inner$values > 1e-10 * inner$values[[1L]])
    if (k < 1L) {
        return(.meanPerturbed(Y, test))
    }
    G <- centred %*% inner$vectors[, seq_len(k), drop = FALSE] /
        sqrt(length(train))
    m <- ncol(E)
    embed <- function(at) {
        matrix(vapply(perts[at], function(g) {
            colSums(E[match(g, genes), , drop = FALSE])
        }, numeric(m)), ncol = m, byrow = TRUE)
    }
    A <- embed(train)
    W <- solve(crossprod(G) + lambda * diag(k), crossprod(G, centred) %*% A) %*%
        solve(crossprod(A) + lambda * diag(m))
    G %*% W %*% t(embed(test)) + b
}

## The first axes of a kernel, genes x axes.
.kernelAxes <- function(K, job, axes = 10L) {
    e <- .leadingAxes(K, axes, job)
    e$vectors * rep(sqrt(e$values), each = nrow(K))
}

## The largest eigenvalues of K, not below 0, and their vectors.
.leadingAxes <- function(K, axes, job) {
    .Call(cw_r_leading_eigen, K, min(axes, nrow(K)), job$key, job$threads)
}

## All of them over folds; a list of readouts x perturbations, NA where nothing
## is predicted, or of what `use` makes of each: one of them is there at a time.
## (Y is only filled for those that look at it.)
.crossBaselines <- function(e, side, perts, genes, folds, job,
    use = identity) {
    K <- .averageKernel(side$kernels)
    pairs <- any(lengths(perts) > 1L)
    rows <- list("no change" = function(Y, f) .noChange(e$Y, f$test),
        "mean perturbed" = function(Y, f) .meanPerturbed(Y, f$test)
    )
    if (pairs) {
        rows$additive <- function(Y, f) {
            .additiveEffect(Y, perts, f$train, f$test)
        }
    }
    if (!is.null(K)) {
        rows$nearest <- function(Y, f) {
            .nearestEffect(Y, perts, f$train, f$test, K, genes)
        }
        E <- .kernelAxes(K, job)
        rows[["bilinear ridge"]] <- function(Y, f) {
            .bilinear(Y, perts, f$train, f$test, E, genes, job)
        }
    }
    lapply(rows, function(predict) {
        .collect(length(e$Y))
        out <- matrix(NA_real_, nrow(e$Y), length(perts))
        for (f in folds) {
            out[, f$test] <- predict(.filledEffects(e, f$train), f)
        }
        use(out)
    })
}
