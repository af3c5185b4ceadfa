## The calls of Effendi into the engine.

## How the flow is integrated, for the engine. `stored`: the vectors of the
## last training step serve, as in PyTorch's eval mode.
.effendiFlow <- function(s, nSteps = s$nSteps, stored = TRUE) {
    list(
        rk4 = s$method == "rk4", nSteps = nSteps,
        exact = s$spectral == "exact", tauMax = s$tauMax,
        powerIterations = if (stored) 0 else s$powerIterations
    )
}

## Another key of the same run, for the purpose numbered i.
.effendiKey <- function(key, i) {
    c(key[[1L]], (key[[2L]] + i * 2654435761) %% 2^32)
}

.effendiNew <- function(s, atac, dim, peaks, key, threads) {
    if (s$attentionHeads > 0 && dim %% s$attentionHeads != 0) {
        .stopArgument("attentionHeads", "must divide the width of the gene ",
            "embedding (", dim, "); it is ", s$attentionHeads, "."
        )
    }
    config <- list(
        atac = atac, dim = dim, alignHidden = s$alignHidden,
        fieldHidden = s$fieldHidden, tauHidden = s$tauHidden,
        decoderHidden = s$decoderHidden, tauModScale = s$tauModScale,
        dropout = s$dropout, tauHeads = s$attentionHeads,
        adapterHidden = s$adapterHidden, peaks = peaks,
        geneReadout = s$readout == "gene",
        readoutTokens = if (s$readout == "attention") s$readoutTokens else 0
    )
    ptr <- .Call(cw_r_effendi_new, config, as.double(key),
        as.integer(threads)
    )
    model <- new.env(parent = emptyenv())
    model$ptr <- ptr
    model$settings <- s
    model$atac <- atac
    model$dim <- dim
    model$peaks <- peaks
    model$tauBar <- NA_real_
    model
}

.effendiPredict <- function(model, x, emb, what, latent = FALSE) {
    .Call(cw_r_effendi_predict, model$ptr, x, latent, emb,
        .effendiFlow(model$settings), what
    )
}

.effendiCarry <- function(model, z, duration) {
    .Call(cw_r_effendi_flow, model$ptr, z, as.double(duration),
        .effendiFlow(model$settings)
    )
}
