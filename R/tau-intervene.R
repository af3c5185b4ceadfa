## Interventions in the space of cell states.

#' What moving cells in state space does to expression
#'
#' Sets the state of every cell to `alpha` further along a direction, lets the
#' flow and the delays act, and gives the change of each gene's RNA: a
#' do-intervention in latent space. It says what the *model* expects; whether
#' cells do so is for perturbation data to tell, see [validateTau()].
#'
#' @details
#' Anchored method: states are the fit's metacells; RNA of gene g at state z is
#' `alpha_g + beta_g c_g(phi_{-tau_g}(z))`, in units of its mean. The direction
#' of a gene is the one along which its RNA rises fastest (least squares over
#' states). `method = "effendi"`: RNA states are carried back to chromatin,
#' moved there, carried forward again and decoded; the direction of a gene is
#' its embedding.
#'
#' Intervals come from half-samples of cells, whose spread is that of the
#' bootstrap (Efron 1982); they say how much the mean effect hangs on which
#' cells were drawn, not whether the model is right. Cells are classed by
#' where the move takes them: `forward` or `backward` along their flow (cosine
#' above 0.5 or below -0.5), `across` it, or `outside` of the sampled states,
#' where the model has seen nothing.
#'
#' @param x a [TauFit-class].
#' @param gene name of a gene of the fit; or
#' @param direction numbers, one for each axis of the fit's states.
#' @param alpha how far: in standard deviations of the states along the
#'   direction. Negative: the other way, as when a gene is silenced.
#' @param nBoot half-samples for the intervals.
#' @param embedding for `method = "effendi"`: RNA states, cells x width; NULL:
#'   those of the fit.
#' @param force use a fit that isn't identifiable?
#' @param seed NULL: drawn from R's generator; or a whole number.
#' @param threads threads of the engine; NULL: option `causeway.threads`.
#' @param ... not used.
#' @return A data.frame with a row per usable gene, largest effect first:
#'   `gene`, `effect` (mean change; anchored: in units of the gene's mean RNA),
#'   `low`, `high` (95%), `class`: `"up"` or `"down"` where the interval leaves
#'   0 out and the effect is above 0.05, else `"unchanged"`. Attribute `cells`:
#'   share of cells in each displacement class; `direction`: what was used.
#' @section Errors: a fit that isn't identifiable; neither or both of `gene`
#'   and `direction`; a gene without signal; a direction of another length.
#' @seealso [estimateTau()], [validateTau()], [plotFlow()]; for what perturbing
#'   genes does to expression, without delays: [fitPerturbation()] (learnt from a
#'   screen), [evaluatePerturbation()] (a network's edges against one)
#' @references Pearl (2009) Causality, chapter 3, for do-interventions.
#' @examples
#' x <- simulateMultiome(nCells = 800, nGenes = 80, seed = 1)
#' fit <- estimateTau(x, links = S4Vectors::metadata(x)$links, seed = 1)
#' usable <- fit@genes[fit@table$usable]
#' effect <- intervene(fit, usable[1], alpha = 1, force = TRUE, seed = 1)
#' head(effect)
#' attr(effect, "cells")
#' @export
intervene <- function(x, gene = NULL, direction = NULL, alpha = 1,
    nBoot = 200, embedding = NULL, force = FALSE, seed = NULL, threads = NULL,
    ...) {
    .noDots(..., renamed = c(fit = "x", zRna = "embedding"))
    .checkTauFit(x)
    .checkFlag(force, "force")
    .checkNumber(alpha, "alpha", -100, 100)
    nBoot <- .checkNumber(nBoot, "nBoot", 20, 1e5, whole = TRUE)
    .needIdentifiable(x, force, "intervene in")
    if (is.null(gene) == is.null(direction)) {
        .stopArgument("gene", "or 'direction' must be given, one of the two.")
    }
    key <- .newKey(seed)
    if (x@method == "effendi") {
        return(.interveneEffendi(x, gene, direction, alpha, nBoot, embedding,
            key
        ))
    }
    if (!is.null(embedding)) {
        .stopArgument("embedding", "is for method = \"effendi\"; leave it ",
            "NULL: the fit's own states are moved."
        )
    }
    .interveneAnchored(x, gene, direction, alpha, nBoot, key,
        .threads(threads)
    )
}

.interveneAnchored <- function(fit, gene, direction, alpha, nBoot, key,
    threads) {
    f <- fit@fit
    if (!any(f$usable) || !all(is.finite(f$velocity))) {
        .stopArgument("x", "has no flow: fewer than ",
            .tauThresholds[["usable"]], " genes are usable."
        )
    }
    u <- .stateDirection(fit, gene, direction)
    spread <- as.vector(f$z %*% u)
    centre <- sum(f$size * spread) / sum(f$size)
    step <- alpha * sqrt(sum(f$size * (spread - centre)^2) / sum(f$size))
    to <- f$z + rep(step * u, each = nrow(f$z))
    change <- .predictedRna(fit, to, threads) - .predictedRna(fit, f$z, threads)
    table <- .meanEffects(change, f$metacell, nBoot, key)
    table <- cbind(gene = fit@genes, table)[f$usable, ]
    table <- table[order(-abs(table$effect)), ]
    rownames(table) <- NULL
    structure(table, direction = u, alpha = alpha,
        cells = .displaced(f, to, step * u)
    )
}

.stateDirection <- function(fit, gene, direction) {
    f <- fit@fit
    if (is.null(gene)) {
        if (!is.numeric(direction) || length(direction) != ncol(f$z) ||
            !all(is.finite(direction)) || all(direction == 0)) {
            .stopArgument("direction", "must be ", ncol(f$z), " finite ",
                "numbers, one for each axis of the states, not all 0; it has ",
                length(direction), "."
            )
        }
        return(direction / sqrt(sum(direction^2)))
    }
    gene <- .checkText(.textOf(gene), "gene")
    at <- match(gene, fit@genes)
    if (is.na(at) || !f$usable[[at]]) {
        .stopArgument("gene", "is \"", gene, "\", which ", if (is.na(at)) {
            "the fit doesn't hold"
        } else {
            "doesn't change enough in both chromatin and RNA"
        }, ".")
    }
    w <- f$size / sum(f$size)
    z <- f$z - rep(colSums(w * f$z), each = nrow(f$z))
    y <- f$smoothRna[, at] - sum(w * f$smoothRna[, at])
    gram <- crossprod(z, w * z)
    u <- solve(gram + diag(1e-6 * sum(diag(gram)), ncol(z)),
        crossprod(z, w * y)
    )
    as.vector(u) / sqrt(sum(u^2))
}

## RNA of all genes (points x genes, in units of their mean) where the model
## puts it: each gene's chromatin curve read at its own delay.
.predictedRna <- function(fit, points, threads) {
    f <- fit@fit
    flow <- f[c("landmarks", "bandwidth", "velocity", "z", "size",
        "trace")]
    features <- .Call(cw_r_tau_features, unname(points), flow, f$grid, f$shape,
        threads
    )
    tau <- ifelse(is.finite(f$tau), f$tau, 0)
    at <- max.col(-abs(outer(tau, f$grid, `-`)), ties.method = "first")
    out <- matrix(NA_real_, nrow(points), length(tau))
    for (k in unique(at[f$usable])) {
        genes <- which(at == k & f$usable)
        x <- matrix(features[k, , ], nrow = nrow(points))
        y <- x %*% f$weight[, genes, drop = FALSE]
        out[, genes] <- rep(f$alpha[genes], each = nrow(y)) +
            y * rep(f$beta[genes], each = nrow(y))
    }
    out
}

## change: groups x genes; group of each cell. Mean over cells and its
## interval from half-samples.
.meanEffects <- function(change, group, nBoot, key) {
    cells <- length(group)
    share <- function(at) {
        tabulate(group[at], nrow(change)) / length(at)
    }
    mean <- as.vector(share(seq_len(cells)) %*% change)
    draws <- vapply(seq_len(nBoot), function(b) {
        order <- .shuffled(cells, key, b)
        share(order[seq_len(ceiling(cells / 2))])
    }, numeric(nrow(change)))
    draws <- crossprod(draws, change)
    interval <- apply(draws, 2L, function(d) {
        if (anyNA(d)) c(NA, NA) else
            stats::quantile(d, c(0.025, 0.975), names = FALSE)
    })
    class <- ifelse(interval[1L, ] > 0 & mean > 0.05, "up",
        ifelse(interval[2L, ] < 0 & mean < -0.05, "down", "unchanged")
    )
    data.frame(effect = mean, low = interval[1L, ], high = interval[2L, ],
        class = class
    )
}

## Shares of cells by where they are taken.
.displaced <- function(f, to, move) {
    basis <- matrix(f$features[1L, , ], nrow = nrow(f$z))
    v <- basis %*% f$velocity
    cosine <- as.vector(v %*% move) /
        pmax(sqrt(rowSums(v^2)) * sqrt(sum(move^2)), 1e-12)
    d2 <- outer(rowSums(to^2), rowSums(f$z^2), `+`) - 2 * tcrossprod(to, f$z)
    outside <- apply(d2, 1L, min) > (2 * f$bandwidth)^2
    class <- ifelse(outside, "outside", ifelse(cosine > 0.5, "forward",
        ifelse(cosine < -0.5, "backward", "across")
    ))
    names <- c("forward", "backward", "across", "outside")
    vapply(setNames(nm = names), function(what) {
        sum(f$size[class == what]) / sum(f$size)
    }, numeric(1))
}

.interveneEffendi <- function(fit, gene, direction, alpha, nBoot, embedding,
    key) {
    f <- fit@fit
    e <- f$geneEmbedding
    if (!is.null(gene)) {
        gene <- .checkText(.textOf(gene), "gene")
        if (!gene %in% rownames(e)) {
            .stopArgument("gene", "is \"", gene, "\", which the fit doesn't ",
                "hold."
            )
        }
        direction <- e[gene, ] / sqrt(sum(e[gene, ]^2))
    }
    zRna <- if (is.null(embedding)) f$zRna else
        .effendiMatrix(embedding, "embedding", cols = f$model$dim)
    result <- .effendiIntervene(f$model, zRna, direction, alpha, e)
    table <- .meanEffects(result$CE, seq_len(nrow(result$CE)), nBoot, key)
    table <- cbind(gene = rownames(e), table)
    table <- table[order(-abs(table$effect)), ]
    rownames(table) <- NULL
    structure(table, direction = direction, alpha = alpha,
        displacement = result$displacement
    )
}
