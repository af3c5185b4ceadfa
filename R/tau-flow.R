## Geometry of the flow of cell states: basis, velocity, arrival times, the way
## round a loop, velocities seen on another embedding.

## What the engine gave; figures need the anchored method's flow.
.tauEngine <- function(fit, arg = "x", flow = TRUE) {
    .checkTauFit(fit, arg)
    engine <- methods::slot(fit, "fit")
    if (flow && (is.null(engine$velocity) || is.null(engine$time) ||
        !any(is.finite(engine$time)))) {
        .stopArgument(arg, "has no flow to draw: ",
            if (methods::slot(fit, "method") == "effendi") {
                "that of method = \"effendi\" is not one of cell states"
            } else {
                "too few genes change in both chromatin and RNA"
            }, ". See verdict()."
        )
    }
    engine
}

.asRows <- function(x) {
    if (is.matrix(x)) x else matrix(x, ncol = 1L)
}

## softmax over landmarks of -|z - l|^2 / 2 h^2: points x landmarks
.softBasis <- function(z, landmarks, h) {
    d <- outer(rowSums(z^2), rowSums(landmarks^2), "+") -
        2 * tcrossprod(z, landmarks)
    b <- exp(-0.5 * (d - apply(d, 1L, min)) / h^2)
    b / rowSums(b)
}

## Velocity at points, from the landmarks.
.flowAt <- function(engine) {
    landmarks <- .asRows(engine$landmarks)
    velocity <- .asRows(engine$velocity)
    function(z) .softBasis(z, landmarks, engine$bandwidth) %*% velocity
}

## One step of the midpoint rule along (or, h < 0, against) the flow.
.flowStep <- function(engine) {
    v <- .flowAt(engine)
    function(z, h) z + h * v(z + h / 2 * v(z))
}

## Time of each metacell along the flow, from 0. The engine's arrival times
## solve dT = dz . v / |v|^2 for neighbours, which no T does on a loop: there,
## the flow is followed once round, and metacells have the time of the nearest
## point of that path.
.flowTime <- function(engine) {
    arrival <- engine$time - min(engine$time, na.rm = TRUE)
    if (!.flowReturns(engine)) {
        return(list(time = arrival, loop = FALSE))
    }
    path <- .onceRound(engine)
    if (is.null(path)) {
        return(list(time = arrival, loop = FALSE))
    }
    z <- engine$z
    d <- outer(rowSums(z^2), rowSums(path$z^2), "+") - 2 * tcrossprod(z, path$z)
    list(time = path$time[max.col(-d, ties.method = "first")], loop = TRUE)
}

## Do arrival times rise along the flow by less than half of what they must?
.flowReturns <- function(engine) {
    z <- .asRows(engine$z)
    v <- .flowAt(engine)(z)
    near <- .nearest(z, min(10L, nrow(z) - 1L))
    from <- rep(seq_len(nrow(z)), times = ncol(near))
    dz <- z[near, , drop = FALSE] - z[from, , drop = FALSE]
    along <- rowSums(dz * v[from, , drop = FALSE])
    speed <- rowSums(v[from, , drop = FALSE]^2)
    aligned <- abs(along) > 0.7 * sqrt(speed * rowSums(dz^2))
    must <- along / speed
    does <- engine$time[near] - engine$time[from]
    ok <- aligned & is.finite(must) & is.finite(does)
    must <- pmin(pmax(must, -1), 1)
    any(ok) && sum(must[ok] * does[ok]) / sum(must[ok]^2) < 0.5
}

## Row numbers of the k nearest other rows, a column per rank.
.nearest <- function(z, k) {
    d <- as.matrix(stats::dist(z))
    diag(d) <- Inf
    t(apply(d, 1L, function(x) order(x)[seq_len(k)]))
}

## The path of the flow, pulled to where cells are as the engine does, from
## where it has settled until it is back; NULL if it isn't within 60 units.
.onceRound <- function(engine) {
    step <- .flowStep(engine)
    pull <- .flowPull(engine)
    h <- 0.05
    walk <- function(z) pull(step(z, h))
    z <- .asRows(engine$z)
    at <- z[which.max(engine$size), , drop = FALSE]
    for (i in seq_len(20 / h)) at <- walk(at)
    n <- 60 / h
    path <- matrix(0, n, ncol(z))
    for (i in seq_len(n)) {
        path[i, ] <- at
        at <- walk(at)
    }
    ## back: the first time that it comes no nearer, having been far away
    away <- sqrt(rowSums(sweep(path, 2L, path[1L, ])^2))
    far <- cummax(away)
    back <- which(away < 0.2 * far & c(diff(away) > 0, FALSE))
    if (!length(back)) {
        return(NULL)
    }
    round <- seq_len(back[[1L]])
    list(z = path[round, , drop = FALSE], time = h * (round - 1))
}

## A tenth of the way to the mean of the metacells around, but not along v.
.flowPull <- function(engine) {
    z <- .asRows(engine$z)
    v <- .flowAt(engine)
    size <- if (is.null(engine$size)) rep(1, nrow(z)) else engine$size
    function(at) {
        b <- .softBasis(at, z, engine$bandwidth)
        b <- sweep(b, 2L, size, "*")
        to <- (b / rowSums(b)) %*% z - at
        u <- v(at)
        u <- u / (sqrt(rowSums(u^2)) + 1e-12)
        at + 0.1 * (to - rowSums(to * u) * u)
    }
}

## Velocities seen on another embedding, through the 30 nearest neighbours.
.projectFlow <- function(place, z, v) {
    k <- min(30L, nrow(z) - 1L)
    size <- sqrt(rowSums(v^2))
    moved <- vapply(seq_len(nrow(z)), function(i) {
        dz <- sweep(z, 2L, z[i, ])
        far <- sqrt(rowSums(dz^2))
        near <- order(far)[1L + seq_len(k)]
        cosine <- as.vector(dz[near, , drop = FALSE] %*% v[i, ]) /
            (far[near] * size[[i]] + 1e-12)
        p <- exp(cosine / 0.2)
        dx <- sweep(place[near, , drop = FALSE], 2L, place[i, ])
        dx <- dx / (sqrt(rowSums(dx^2)) + 1e-12)
        colSums((p / sum(p) - 1 / k) * dx) * size[[i]]
    }, numeric(2))
    t(moved)
}

## Mean velocity on a grid, where there are metacells within a step.
.flowGrid <- function(place, v, n) {
    span <- apply(place, 2L, range)
    step <- max(span[2L, ] - span[1L, ]) / n
    axis <- function(d) {
        seq(span[1L, d] - step / 2, span[2L, d] + step / 2 + 1e-9, by = step)
    }
    at <- as.matrix(expand.grid(axis(1L), axis(2L)))
    d <- outer(rowSums(at^2), rowSums(place^2), "+") - 2 * tcrossprod(at, place)
    k <- exp(-0.5 * pmax(d, 0) / step^2)
    keep <- sqrt(apply(pmax(d, 0), 1L, min)) < 0.9 * step
    mean <- (k %*% v / rowSums(k))[keep, , drop = FALSE]
    size <- sqrt(rowSums(mean^2))
    usual <- stats::quantile(size, 0.8)
    mean <- mean / max(usual, 1e-12) * step
    ## no arrow longer than two steps
    long <- pmin(1, 2 * step / (sqrt(rowSums(mean^2)) + 1e-12))
    arrows <- data.frame(x = at[keep, 1L], y = at[keep, 2L],
        dx = mean[, 1L] * long, dy = mean[, 2L] * long
    )
    ## where cells come to rest there is nothing to point at
    arrows[sqrt(rowSums(mean^2)) > 0.15 * step, ]
}
