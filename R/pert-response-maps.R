## Maps from untreated to treated cells: all in components, learnt from the
## rows `from` of the cells.

## Components of some cells: centre, axes (genes x components), scores of all.
.responseAxes <- function(d, fit, nComponents) {
    x <- d$x[fit, , drop = FALSE]
    centre <- Matrix::colMeans(x)
    S <- as.matrix(Matrix::crossprod(x)) / nrow(x) - tcrossprod(centre)
    e <- eigen(S, symmetric = TRUE)
    k <- min(nComponents, sum(e$values > 1e-9 * e$values[[1L]]), nrow(x) - 1L)
    axes <- e$vectors[, seq_len(max(k, 1L)), drop = FALSE]
    list(centre = centre, axes = axes, fit = fit,
        scores = as.matrix(d$x %*% axes) -
            rep(drop(centre %*% axes), each = nrow(d$x)))
}

## Functions of components of cells (rows) and of the cells' places among all.
## `groups`: of those in `from`, in the balanced and the local shift.
.responseMaps <- function(d, a, from, groups, job) {
    z <- a$scores[from, , drop = FALSE]
    treated <- d$treated[from]
    group <- d$group[from]
    X0 <- z[!treated, , drop = FALSE]
    X1 <- z[treated, , drop = FALSE]
    mean <- function(of, g) {
        colMeans(z[treated == of & group == g, , drop = FALSE])
    }
    k <- ncol(z)
    C <- matrix(vapply(groups, mean, numeric(k), of = FALSE), k)
    D <- matrix(vapply(groups, mean, numeric(k), of = TRUE), k) - C
    moved <- function(X, by) X + rep(by, each = nrow(X))
    shift <- colMeans(X1) - colMeans(X0)
    g <- .Call(cw_r_gaussian_map, t(X0), t(X1), job$threads)
    far <- as.matrix(stats::dist(t(C)))^2
    h <- if (any(far > 0)) stats::median(far[far > 0]) else 1
    closed <- list(
        identity = function(X, at) X,
        "mean shift" = function(X, at) moved(X, shift),
        "balanced shift" = function(X, at) moved(X, rowMeans(D)),
        "Gaussian transport" = function(X, at) {
            moved(moved(X, -g$from) %*% g$map, g$to)
        },
        "local shift" = function(X, at) {
            d2 <- outer(rowSums(X^2), colSums(C^2), `+`) - 2 * X %*% C
            w <- exp(-(d2 - apply(d2, 1L, min)) / h)
            X + (w / rowSums(w)) %*% t(D)
        }
    )
    c(closed, lapply(job$nets, function(param) {
        net <- .responseNet(param, d, a, from, groups, job)
        function(X, at) .moveByNet(net, X, d$x[at, , drop = FALSE])
    }))
}

