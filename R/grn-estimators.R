## Tree ensembles, evidence ridge, correlations, and their combinations.

setMethod(".estimate", "TreeGRNParam", function(param, view, key, threads) {
    s <- param@settings
    parts <- switch(s$response,
        both = list(value = ceiling(s$trees / 2), rank = s$trees %/% 2),
        value = list(value = s$trees), rank = list(rank = s$trees)
    )
    fits <- lapply(names(parts), function(response) {
        .growTrees(s, view, parts[[response]], response, key, threads)
    })
    scores <- Reduce(`+`, lapply(fits, `[[`, "importance")) / length(fits)
    grown <- Reduce(`+`, lapply(fits, `[[`, "grown"))
    if (s$byTrees) {
        scores <- sweep(scores, 2L, grown, `*`)
    }
    r2 <- fits[[1L]]$r2
    list(
        scores = scores, sign = .correlationSign(view),
        targets = data.frame(trees = grown, r2 = ifelse(is.nan(r2), NA, r2))
    )
})

.treeOptions <- function(s, view, trees) {
    nTF <- length(view$tf)
    features <- if (identical(s$features, "sqrt")) {
        floor(sqrt(nTF))
    } else if (identical(s$features, "all")) {
        nTF
    } else if (s$features < 1) {
        floor(s$features * nTF)
    } else {
        min(s$features, nTF)
    }
    list(
        kind = s$method, cut = s$cut, trees = trees,
        features = max(1, features),
        sample = if (s$sampleSize < 2^31) s$sampleSize else 0,
        minLeaf = min(s$minLeaf, 2^31), depth = s$depth, rate = s$rate,
        subsample = s$subsample, window = s$window
    )
}

.growTrees <- function(s, view, trees, response, key, threads) {
    options <- .treeOptions(s, view, trees)
    n <- view$dim[[2L]]
    x <- view[c("dim", "p", "i", "x")]
    if (response == "rank") {
        x$x <- .rankColumns(x)
        key <- .otherKey(key)
    }
    sizes <- as.numeric(c(view$dim[[1L]], length(view$tf), n, length(x$x),
        max(1L, if (threads == 0L) 2L else threads)
    ))
    .checkEstimatorMemory(.Call(cw_r_forest_forecast, sizes, options),
        "the trees"
    )
    workers <- view$workers
    grow <- .grower(x, view$tf, options, key, c(workers$threads, threads)[[1L]])
    ## some genes only: the others have no trees
    if (!is.null(view$targets)) {
        part <- grow(view$targets)
        importance <- matrix(0, length(view$tf), n)
        importance[, view$targets] <- part$importance
        grown <- r2 <- numeric(n)
        grown[view$targets] <- part$grown
        return(list(importance = importance, grown = grown, r2 = r2))
    }
    ## what takes long is grown in parts, to say how far it is and to share
    ## them; every gene has its own random numbers, so the trees are the same
    work <- as.numeric(n) * trees * min(view$dim[[1L]], s$sampleSize)
    told <- isTRUE(view$verbose)
    if (n < 10L || is.null(workers) && (!told || work < 5e7)) {
        return(grow(seq_len(n)))
    }
    genes <- split(seq_len(n), cut(seq_len(n), min(n, max(10L, 4L * workers$n)),
        labels = FALSE
    ))
    bar <- .progressStart(paste("Trees of", response, "for gene"), n, told)
    on.exit(.progressDone(bar))
    bar$every <- 1L
    take <- .partsAhead(length(genes), .growerOf(genes, grow), workers)
    parts <- lapply(seq_along(genes), function(i) {
        out <- take(i)
        .progressTick(bar, max(genes[[i]]))
        out
    })
    list(importance = do.call(cbind, lapply(parts, `[[`, "importance")),
        grown = unlist(lapply(parts, `[[`, "grown"), use.names = FALSE),
        r2 = unlist(lapply(parts, `[[`, "r2"), use.names = FALSE)
    )
}

## The trees of genes as a function of these, that a worker can be sent.
.grower <- function(x, tf, options, key, threads) {
    force(x)
    force(tf)
    force(options)
    force(key)
    force(threads)
    function(genes) {
        .Call(cw_r_forest, x, tf, genes - 1L, options, key, threads)
    }
}

.growerOf <- function(genes, grow) {
    force(genes)
    force(grow)
    function(i) grow(genes[[i]])
}

## Ranks of each column less the rank of its zeros, so that zeros stay zeros.
.rankColumns <- function(x) {
    out <- x$x
    for (g in seq_len(x$dim[[2L]])) {
        at <- seq_len(x$p[[g + 1L]] - x$p[[g]]) + x$p[[g]]
        zeros <- x$dim[[1L]] - length(at)
        value <- out[at]
        out[at] <- rank(value) + if (zeros) {
            zeros * (value > 0) - sum(value < 0) - (zeros + 1) / 2
        } else {
            0
        }
    }
    out
}

.correlationSign <- function(view) {
    s <- sign(.viewSums(view)$r)
    s[cbind(seq_along(view$tf), view$tf + 1L)] <- 0
    s
}

setMethod(".estimate", "RidgeGRNParam", function(param, view, key, threads) {
    sums <- .viewSums(view)
    s <- param@settings
    s$variance <- .priorGrid(s$variance, length(view$tf))
    known <- if (nrow(s$prior)) .knownEdges(s$prior, view)
    sizes <- c(view$dim, length(view$tf), 0, length(s$variance))
    if (!is.null(known)) {
        sizes[[5L]] <- sizes[[5L]] * length(s$strength)
        sizes <- c(sizes, max(diff(known$start)))
    }
    need <- .Call(cw_r_ridge_forecast, as.numeric(sizes), threads)
    .checkEstimatorMemory(need, "the regressions")
    fit <- if (is.null(known)) {
        .Call(cw_r_ridge_pooled, sums, s$variance, threads)
    } else {
        .Call(cw_r_ridge_known, sums, known, s[c("variance", "strength")],
            list(nPerm = s$nPerm), key, threads
        )
    }
    slope <- t(fit$slope)
    list(
        scores = abs(slope), sign = sign(slope),
        targets = data.frame(
            ## 0: a constant gene, of which there is nothing to say
            evidence = ifelse(fit$evidence == 0, 0,
                fit$evidence + sums$cells / 2
            ),
            variance = fit$chosen[[1L]]
        ),
        prior = if (!is.null(known)) .priorReport(param, fit, known)
    )
})

## The prior's edges between genes that are here, by target, as the engine
## reads them.
.knownEdges <- function(prior, view) {
    names <- .cleanSymbol(view$labels)
    tf <- match(prior$Gene1, names[view$tf + 1L])
    gene <- match(prior$Gene2, names)
    here <- !is.na(tf) & !is.na(gene)
    here[here] <- view$tf[tf[here]] + 1L != gene[here]
    if (!any(here)) {
        .stopArgument("prior", "has no edge from a factor to a gene among ",
            "those used; its first are ",
            .some(paste(prior$Gene1, prior$Gene2), 3L),
            ", the factors ", .some(view$labels[view$tf + 1L], 3L),
            ". Another species? reconcileGenes() translates names."
        )
    }
    edges <- unique(data.frame(gene = gene[here], tf = tf[here]))
    edges <- edges[order(edges$gene, edges$tf), ]
    list(
        start = c(0L, cumsum(tabulate(edges$gene, length(names)))),
        tf = edges$tf - 1L
    )
}

.priorReport <- function(param, fit, known) {
    list(
        edges = length(known$tf), given = nrow(param@settings$prior),
        strength = fit$chosen[[2L]], gain = fit$chosen[[3L]],
        nullGain = fit$nullGain, evidence = data.frame(
            strength = param@settings$strength, evidence = fit$best
        )
    )
}

setMethod(".estimate", "CorGRNParam", function(param, view, key, threads) {
    at <- view$tf + 1L
    r <- switch(param@settings$method,
        pearson = .viewSums(view)$r,
        partial = .partialCorrelations(.viewSums(view)$r, at,
            .shrinkage(Matrix::t(view$genes), at)
        ),
        .correlations(view$genes, at, param@settings$method)
    )
    r[cbind(seq_along(at), at)] <- 0
    list(scores = abs(r), sign = sign(r), targets = NULL)
})

## TFs x genes: correlation given all other TFs; r: Pearson's. With P the
## inverse of the TFs' shrunken correlations R, beta = P r_g and s = 1 - r_g' beta it is
## beta_t / sqrt(s P_tt + beta_t^2), for TFs -P_tu / sqrt(P_tt P_uu).
.partialCorrelations <- function(r, tfAt, lambda) {
    r <- (1 - lambda) * r
    tfs <- r[, tfAt, drop = FALSE]
    diag(tfs) <- 1
    p <- tryCatch(chol2inv(chol(tfs)), error = function(e) {
        solve(tfs + diag(1e-6, nrow(tfs)))
    })
    beta <- p %*% r
    s <- pmax(1 - colSums(r * beta), 1e-12)
    out <- beta / sqrt(outer(diag(p), s) + beta^2)
    out[, tfAt] <- -p / sqrt(outer(diag(p), diag(p)))
    out
}

## Schaefer and Strimmer's estimate of the best share of shrinkage towards no
## correlation: sum Var(r_tg) / sum r_tg^2 over TFs and genes; at least 1e-4.
## byCell: cells x genes, taken in blocks of cells.
.shrinkage <- function(byCell, tfAt) {
    n <- nrow(byCell)
    if (ncol(byCell) < 2L || n < 3L) {
        return(1e-4)
    }
    mean <- Matrix::colMeans(byCell)
    square <- pmax(Matrix::colSums(byCell^2) - n * mean^2, 0)
    scale <- ifelse(square > 1e-9 * n, sqrt((n - 1) / square), 0)
    first <- second <- matrix(0, length(tfAt), ncol(byCell))
    for (from in seq(1L, n, by = 2048L)) {
        at <- from:min(n, from + 2047L)
        z <- as.matrix(byCell[at, , drop = FALSE])
        z <- sweep(sweep(z, 2L, mean), 2L, scale, `*`)
        tf <- z[, tfAt, drop = FALSE]
        first <- first + crossprod(tf, z)
        second <- second + crossprod(tf^2, z^2)
    }
    variance <- n / (n - 1)^3 * (second - first^2 / n)
    r <- first / (n - 1)
    self <- cbind(seq_along(tfAt), tfAt)
    total <- sum(r^2) - sum(r[self]^2)
    noise <- sum(variance) - sum(variance[self])
    if (total <= 0) 1 - 1e-4 else min(1 - 1e-4, max(1e-4, noise / total))
}

setMethod(".estimate", "CombinedGRNParam", function(param, view, key,
    threads) {
    parts <- param@settings$estimators
    fits <- lapply(parts, .estimate, view = view, key = key, threads = threads)
    is <- function(class) vapply(parts, methods::is, NA, class2 = class)
    weights <- .weightsOf(param)
    ## the sign of the ridge, unless a correlation counts for more
    ridge <- which(is("RidgeGRNParam"))
    from <- c(ridge, which(is("CorGRNParam")), 1L)[[1L]]
    if (any(is("CorGRNParam")) && max(weights[is("CorGRNParam")]) >
        weights[[from]]) {
        from <- which(is("CorGRNParam"))[[1L]]
    }
    targets <- Filter(Negate(is.null), lapply(fits, `[[`, "targets"))
    list(
        scores = .combineScores(lapply(fits, `[[`, "scores"), param, view),
        sign = fits[[from]]$sign,
        targets = if (length(targets)) do.call(cbind, targets),
        prior = if (length(ridge)) fits[[ridge[[1L]]]]$prior
    )
})

## The weighted geometric mean, and what the target's largest correlation adds.
.combineScores <- function(scores, param, view) {
    weights <- .weightsOf(param)
    total <- sum(weights)
    out <- Reduce(`*`, Map(function(s, w) s^(w / total), scores, weights))
    by <- param@settings$byTarget
    if (is.null(by) || by == 0) {
        return(out)
    }
    at <- view$tf + 1L
    r <- abs(.viewSums(view)$r)
    r[cbind(seq_along(at), at)] <- 0
    sweep(out, 2L, apply(r, 2L, max)^(by / total), `*`)
}
