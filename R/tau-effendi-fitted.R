## What a fitted Effendi model is asked: delays, expression, the flow back and
## forth, interventions.

## Mean delay of every gene over cells, and the median of all.
.effendiMeans <- function(model, zAtac, emb) {
    p <- .effendiPredict(model, zAtac, emb, c("tauMean", "tauBar"))
    tau <- drop(p$tauMean)
    names(tau) <- rownames(emb)
    list(tau = tau, tauBar = p$tauBar)
}

## Delays (cells, genes).
.effendiTau <- function(model, zAtac, geneEmbedding) {
    zAtac <- .effendiMatrix(zAtac, "zAtac", cols = model$atac)
    emb <- .effendiMatrix(geneEmbedding, "geneEmbedding", cols = model$dim)
    tau <- .effendiPredict(model, zAtac, emb, "tau")$tau
    dimnames(tau) <- list(rownames(zAtac), rownames(emb))
    tau
}

## y_hat (cells, genes), z_integrated and z_A (cells, D), the median delay.
.effendiForward <- function(model, zAtac, geneEmbedding) {
    zAtac <- .effendiMatrix(zAtac, "zAtac", cols = model$atac)
    emb <- .effendiMatrix(geneEmbedding, "geneEmbedding", cols = model$dim)
    p <- .effendiPredict(model, zAtac, emb,
        c("yHat", "zIntegrated", "zA", "tauBar")
    )
    dimnames(p$yHat) <- list(rownames(zAtac), rownames(emb))
    rownames(p$zIntegrated) <- rownames(p$zA) <- rownames(zAtac)
    p[c("yHat", "zIntegrated", "zA", "tauBar")]
}

## Aligned chromatin states of RNA states: the flow run backwards.
.effendiReverse <- function(model, zRna, duration = model$tauBar) {
    z <- .effendiMatrix(zRna, "zRna", cols = model$dim)
    out <- .effendiCarry(model, z, -duration)
    rownames(out) <- rownames(z)
    out
}

## The effect (cells, genes) on expression of moving the chromatin state of
## cells by alpha * direction: reverse flow, shift, forward, decode; with what
## was decoded before, and how far the integrated state moved.
.effendiIntervene <- function(model, zRna, direction, alpha, geneEmbedding) {
    emb <- .effendiMatrix(geneEmbedding, "geneEmbedding", cols = model$dim)
    if (!is.numeric(direction) || length(direction) != model$dim ||
        !all(is.finite(direction))) {
        .stopArgument("direction", "must be ", model$dim, " finite numbers, ",
            "one for each dimension of the latent space; it has ",
            length(direction), "."
        )
    }
    .checkNumber(alpha, "alpha")
    from <- .effendiReverse(model, zRna)
    to <- from + rep(alpha * as.numeric(direction), each = nrow(from))
    before <- .effendiPredict(model, from, emb, "yHat", TRUE)$yHat
    after <- .effendiPredict(model, to, emb, "yHat", TRUE)$yHat
    moved <- .effendiCarry(model, to, model$tauBar) -
        .effendiCarry(model, from, model$tauBar)
    dimnames(before) <- dimnames(after) <- list(rownames(from), rownames(emb))
    list(
        CE = after - before, before = before, after = after,
        displacement = sqrt(rowSums(moved^2))
    )
}

## Layer 1 of the specification's validation: product of the spectral norms,
## mean distance of a state from itself after there and back, finiteness.
.effendiHealth <- function(model, zAtac, geneEmbedding = NULL) {
    zAtac <- .effendiMatrix(zAtac, "zAtac", cols = model$atac)
    none <- matrix(0, 1L, model$dim)
    base <- .effendiBase(model, none)
    z <- .effendiPredict(model, zAtac, none, "zA")$zA
    back <- .effendiCarry(model, .effendiCarry(model, z, model$tauBar),
        -model$tauBar
    )
    error <- sqrt(rowSums((z - back)^2))
    list(
        lipschitz = base$lipschitz, reversibility = mean(error),
        reversibilityRelative = mean(error / sqrt(rowSums(z^2))),
        reverseLoss = mean((z - back)^2), finite = all(is.finite(back))
    )
}

## Accessibility (cells, peaks) that the model decodes from chromatin.
.effendiPeaks <- function(model, z, latent = FALSE) {
    if (model$peaks < 1L) {
        stop("this Effendi model has no peak decoder; fit it with ",
            "EffendiParam(wPeaks = 1) and the peaks of the cells.",
            call. = FALSE
        )
    }
    z <- .effendiMatrix(z, "z", cols = if (latent) model$dim else model$atac)
    none <- matrix(0, 1L, model$dim)
    .effendiPredict(model, z, none, "peaks", latent)$peaks
}

## A linear encoder of peaks by ridge regression in the cells' space: zAtac
## (cells, atac) from peaks (cells, peaks), on at most `most` cells. For LSI,
## whose own loadings do the same exactly, give these instead.
.effendiEncoder <- function(peaks, zAtac, most = 2000, ridge = 0.01) {
    rows <- unique(round(seq(1, nrow(peaks), length.out = min(most,
        nrow(peaks)
    ))))
    x <- as.matrix(peaks[rows, , drop = FALSE])
    y <- as.matrix(zAtac[rows, , drop = FALSE])
    centre <- colMeans(x)
    x <- .lessEach(x, centre)
    offset <- colMeans(y)
    kernel <- tcrossprod(x)
    diag(kernel) <- diag(kernel) + ridge * mean(diag(kernel))
    list(
        loadings = crossprod(x, solve(kernel, y - rep(offset,
            each = nrow(y)
        ))),
        centre = centre, offset = offset
    )
}

## RNA states, moved by alpha * direction where one is given, run back to
## chromatin; the accessibility decoded there is scaled by 1 + delta * weight
## at `peaks` (those of a factor's eRegulon); what changes is encoded again,
## aligned and added; forward and decoded. `encoder`: loadings (peaks, atac),
## centre (peaks) and offset (atac). Returns effects (cells, genes) on
## expression, of the whole cascade and of its RNA part alone.
.effendiCascade <- function(model, zRna, geneEmbedding, peaks, weights,
    delta, encoder, direction = NULL, alpha = 1) {
    emb <- .effendiMatrix(geneEmbedding, "geneEmbedding", cols = model$dim)
    zRna <- .effendiMatrix(zRna, "zRna", cols = model$dim)
    .checkNumber(delta, "delta", -1e6, 1e6)
    if (is.null(direction)) {
        direction <- numeric(model$dim)
    }
    if (length(direction) != model$dim || !all(is.finite(direction))) {
        .stopArgument("direction", "must be ", model$dim, " finite numbers.")
    }
    scale <- .effendiPeakScale(model, peaks, weights, delta)
    before <- .effendiReverse(model, zRna)
    shift <- rep(alpha * as.numeric(direction), each = nrow(zRna))
    moved <- .effendiReverse(model, zRna + shift)
    open <- .effendiPeaks(model, moved, TRUE)
    after <- pmin(open * rep(scale, each = nrow(open)), 1)
    encode <- function(x) {
        x <- .lessEach(x, encoder$centre) %*% encoder$loadings
        x <- x + rep(encoder$offset, each = nrow(x))
        .effendiPredict(model, x, emb, "zA")$zA
    }
    decode <- function(z) .effendiPredict(model, z, emb, "yHat", TRUE)$yHat
    chromatin <- moved + encode(after) - encode(open)
    base <- decode(before)
    rna <- decode(moved) - base
    effect <- decode(chromatin) - base
    dimnames(rna) <- dimnames(effect) <- list(rownames(zRna), rownames(emb))
    list(
        CE = effect, CErna = rna, accessibility = colMeans(after - open),
        displacement = sqrt(rowSums((chromatin - before)^2))
    )
}

## 1 + delta * weight at the factor's peaks, 1 elsewhere, never below 0.
.effendiPeakScale <- function(model, peaks, weights, delta) {
    good <- is.numeric(peaks) && length(peaks) > 0L &&
        all(peaks %in% seq_len(model$peaks))
    if (!good) {
        .stopArgument("peaks", "must be numbers of the model's ",
            model$peaks, " peaks; they are ", .show(peaks), "."
        )
    }
    if (!is.numeric(weights) || length(weights) != length(peaks) ||
        !all(is.finite(weights))) {
        .stopArgument("weights", "must be ", length(peaks), " finite numbers, ",
            "one for each peak."
        )
    }
    scale <- rep(1, model$peaks)
    scale[peaks] <- pmax(1 + delta * weights, 0)
    scale
}
