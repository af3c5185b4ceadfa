## A small screen and its fit, made once; and the model of effects written out
## readout by readout, to compare the engine with.

.pertKept <- new.env()

pertScreen <- function() {
    if (is.null(.pertKept$x)) {
        .pertKept$x <- simulatePerturbations(nPathways = 4, nTargets = 50,
            nPairs = 8, cells = c(30, 60), nControl = 240, seed = 3
        )
    }
    .pertKept$x
}

pertFit <- function(...) {
    known <- S4Vectors::metadata(pertScreen())
    if (is.null(.pertKept$fit)) {
        .pertKept$fit <- fitPerturbation(pertScreen(), "perturbation",
            network = known$network, go = known$go, graph = known$graph,
            nPerm = 19, nBoot = 50, seed = 5, verbose = FALSE
        )
    }
    .pertKept$fit
}

## R reference of src/engine/pert/model.c, from profiles: perts (list of
## integers), Y (readouts x perts), n, controls, K (or NULL), D (list of genes x
## readouts).
referenceFit <- function(perts, Y, n, controls, K, D) {
    N <- if (length(D)) nrow(D[[1L]]) else nrow(K)
    Z <- function(perts, c) {
        t(vapply(perts, function(p) {
            z <- numeric(N)
            z[p] <- if (length(p) > 1L) c else 1
            z
        }, numeric(N)))
    }
    direct <- function(perts, c) lapply(D, function(d) t(Z(perts, c) %*% d))
    noise <- diag(1 / n) + 1 / controls
    F <- direct(perts, 1)
    alpha <- referenceAlpha(F, Y, n)
    R <- Y
    for (k in seq_along(F)) R <- R - alpha[[k]] * F[[k]]
    pair <- lengths(perts) > 1L
    parts <- function(perts, c) {
        z <- Z(perts, c)
        V <- list(mean = tcrossprod(rowSums(z)))
        if (!is.null(K)) V$kernel <- z %*% K %*% t(z)
        V$own <- tcrossprod(z)
        if (any(pair)) V$pair <- diag(as.numeric(lengths(perts) > 1L))
        V
    }
    best <- list(ll = -Inf)
    for (c in if (any(pair)) c(0.7, 0.8, 0.9, 1) else 1) {
        one <- referenceWeights(R, parts(perts, c), noise)
        if (one$ll > best$ll) best <- c(one, list(c = c))
    }
    best$alpha <- alpha
    best$predict <- function(test) {
        V <- parts(c(perts, test), best$c)
        Q <- Reduce(`+`, Map(`*`, best$theta, V[names(best$theta)]))
        i <- seq_along(perts)
        out <- R %*% solve(noise + Q[i, i], Q[i, -i, drop = FALSE])
        G <- direct(test, best$c)
        for (k in seq_along(G)) out <- out + alpha[[k]] * G[[k]]
        out
    }
    best
}

referenceAlpha <- function(F, Y, n) {
    w <- rep(sqrt(n / mean(n)), each = nrow(Y))
    X <- lapply(F, function(f) (f - rowMeans(f)) * w)
    y <- (Y - rowMeans(Y)) * w
    solved <- function(use) {
        A <- outer(seq_along(X), seq_along(X), Vectorize(function(i, j) {
            sum(X[[i]][, use] * X[[j]][, use])
        }))
        b <- vapply(X, function(x) sum(x[, use] * y[, use]), 0)
        solve(A + 1e-6 * sum(diag(A)) * diag(length(X)), b)
    }
    full <- solved(seq_along(n))
    jack <- vapply(seq_along(n), function(p) solved(-p), full)
    jack <- matrix(jack, length(X))
    v <- (length(n) - 1) / length(n) * rowSums((jack - rowMeans(jack))^2)
    full * pmax(0, 1 - v / pmax(full^2, 1e-12))
}

referenceWeights <- function(R, V, noise) {
    S <- crossprod(R) / nrow(R)
    P <- ncol(R)
    size <- vapply(V, function(v) sum(diag(v)) / P, 0)
    scale <- max((sum(diag(S)) - sum(diag(noise))) / P,
        1e-3 * sum(diag(noise)) / P)
    theta <- scale / length(V) / pmax(size, 1e-9)
    for (i in 1:100) {
        Ci <- solve(noise + Reduce(`+`, Map(`*`, theta, V)))
        A <- Ci %*% S %*% Ci
        new <- theta * sqrt(vapply(V, function(v) {
            max(sum(A * v), 0) / max(sum(Ci * v), 1e-12)
        }, 0))
        done <- max(abs(new - theta) * size) < 1e-3 * sum(new * size)
        theta <- new
        if (done) break
    }
    C <- noise + Reduce(`+`, Map(`*`, theta, V))
    list(theta = theta, ll = -0.5 * (determinant(C)$modulus[[1L]] +
        sum(solve(C) * S)))
}
