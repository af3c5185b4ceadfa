## What every prediction of effects is printed beside. All but "no change" are
## weighted sums of the effects of the perturbations `train`: `span`, a function,
## gives those for weights (train x any number), see .spanOf().

## Weighted sums of the effects `Y` of the perturbations `train`, own readings
## filled as by .filledEffects(), less what direct profiles say of them where
## `direct` is given (.directRanges()).
.spanOf <- function(e, train, threads, Y = e$Y) {
    own <- .ownRanges(e$own)
    function(weight, direct = NULL) {
        .Call(cw_r_profiles_span, Y, own, train - 1L, weight, direct, threads)
    }
}

.noChange <- function(readouts, test) matrix(0, readouts, length(test))

.meanPerturbed <- function(span, train, test) {
    mean <- span(matrix(1 / length(train), length(train), 1L))
    matrix(mean, length(mean), length(test))
}

## Of the sum of the measured effects of single genes the weights; one never seen
## alone has their mean.
.additiveWeights <- function(perts, train, test) {
    single <- which(lengths(perts[train]) == 1L)
    mean <- numeric(length(train))
    if (length(single)) mean[single] <- 1 / length(single) else
        mean[] <- 0.5 / length(train)
    seen <- unlist(perts[train[single]])
    vapply(perts[test], function(g) {
        at <- single[match(g, seen)]
        out <- sum(is.na(at)) * mean
        at <- at[!is.na(at)]
        out[at] <- out[at] + 1
        out
    }, mean)
}

## The most similar perturbation of `train`, its place there; similarity of sets:
## mean of each gene's best match, a tenth less if they differ in size.
.nearestOf <- function(perts, train, test, K, genes) {
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
    max.col(s, "first")
}

## Weights that take one of `n` each.
.pick <- function(at, n) {
    out <- matrix(0, n, length(at))
    out[cbind(at, seq_along(at))] <- 1
    out
}

## Products of the effects of `train`, own readings filled, from those of all as
## they are, `yy`.
.filledProducts <- function(e, yy, train) {
    own <- .fillOf(e, train)
    n <- length(own$row)
    each <- Matrix::sparseMatrix(seq_len(n), own$owner, x = own$fill,
        dims = c(n, length(train)))
    cross <- as.matrix(Matrix::crossprod(each,
        e$Y[own$row, train, drop = FALSE]))
    all <- Matrix::sparseMatrix(own$row, own$owner, x = own$fill,
        dims = c(nrow(e$Y), length(train)))
    yy[train, train] + cross + t(cross) + as.matrix(Matrix::crossprod(all))
}

## Ahlmann-Eltze et al. 2025: Y = G W P' + b, G the first axes of the effects, P
## those of the kernel (`E`), W by ridge on both sides. `inner`: products of the
## effects of `train`.
.bilinear <- function(span, inner, perts, train, test, E, genes, job,
    axes = 10L, lambda = 0.1) {
    n <- length(train)
    average <- matrix(1 / n, n, 1L)
    b <- rowMeans(inner)
    axis <- .leadingAxes(inner - outer(b, b, `+`) + mean(b), axes, job)
    k <- sum(axis$values > 1e-10 * axis$values[[1L]])
    if (k < 1L) {
        return(.meanPerturbed(span, train, test))
    }
    V <- axis$vectors[, seq_len(k), drop = FALSE]
    V <- V - rep(colMeans(V), each = n) # of centred effects
    sums <- span(cbind(V / sqrt(n), average))
    G <- sums[, seq_len(k), drop = FALSE]
    m <- ncol(E)
    embed <- function(at) {
        matrix(vapply(perts[at], function(g) {
            colSums(E[match(g, genes), , drop = FALSE])
        }, numeric(m)), ncol = m, byrow = TRUE)
    }
    A <- embed(train)
    ## t(G) (Y - b), from the axes
    along <- axis$values[seq_len(k)] * t(V) / sqrt(n)
    W <- solve(crossprod(G) + lambda * diag(k), along %*% A) %*%
        solve(crossprod(A) + lambda * diag(m))
    G %*% W %*% t(embed(test)) + sums[, k + 1L]
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
## yy: products of all effects.
.crossBaselines <- function(e, side, perts, genes, folds, job,
    use = identity, yy = .product(e$Y, e$Y, job$threads)) {
    K <- .averageKernel(side$kernels)
    rows <- list(
        "no change" = function(span, f) .noChange(nrow(e$Y), f$test),
        "mean perturbed" = function(span, f) {
            .meanPerturbed(span, f$train, f$test)
        }
    )
    if (any(lengths(perts) > 1L)) {
        rows$additive <- function(span, f) {
            span(.additiveWeights(perts, f$train, f$test))
        }
    }
    if (!is.null(K)) {
        rows$nearest <- function(span, f) {
            span(.pick(.nearestOf(perts, f$train, f$test, K, genes),
                length(f$train)))
        }
        E <- .kernelAxes(K, job)
        rows[["bilinear ridge"]] <- function(span, f) {
            .dropBlock(length(f$train)^2)
            .bilinear(span, .filledProducts(e, yy, f$train), perts, f$train,
                f$test, E, genes, job)
        }
    }
    lapply(rows, function(predict) {
        use(.overFolds(folds, e, job$threads, predict))
    })
}

## predict(span, fold) of each fold in its place, NA elsewhere.
.overFolds <- function(folds, e, threads, predict) {
    out <- matrix(NA_real_, nrow(e$Y), ncol(e$Y))
    for (f in folds) {
        out[, f$test] <- predict(.spanOf(e, f$train, threads), f)
    }
    out
}
