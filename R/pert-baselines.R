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
    Y[, train[max.col(s, "first")], drop = FALSE]
}

## Ahlmann-Eltze et al. 2025: Y = G W P' + b, G the first axes of the effects, P
## those of the kernel (`E`), W by ridge on both sides.
.bilinear <- function(Y, perts, train, test, E, genes, axes = 10L,
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
.kernelAxes <- function(K, axes = 10L) {
    e <- eigen(K, symmetric = TRUE)
    m <- min(axes, nrow(K))
    e$vectors[, seq_len(m), drop = FALSE] *
        rep(sqrt(pmax(e$values[seq_len(m)], 0)), each = nrow(K))
}

## All of them over folds; a list of readouts x perturbations, NA where nothing
## is predicted, or of what `use` makes of each: one of them is there at a time.
.crossBaselines <- function(e, side, perts, genes, folds, use = identity) {
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
        E <- .kernelAxes(K)
        rows[["bilinear ridge"]] <- function(f) {
            .bilinear(e$Y, perts, f$train, f$test, E, genes)
        }
    }
    lapply(rows, function(predict) {
        out <- matrix(NA_real_, nrow(e$Y), length(perts))
        for (f in folds) {
            out[, f$test] <- predict(f)
        }
        use(out)
    })
}
