## The calls of Effendi into the engine.

## How the flow is integrated, for the engine. `stored`: the vectors of the
## last training step serve, as in PyTorch's eval mode.
.effendiFlow <- function(s, nSteps = s$nSteps, stored = TRUE) {
    list(
        method = s$method, nSteps = nSteps,
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
    model <- new.env(parent = emptyenv())
    model$engine <- new("EffendiModel",
        ptr = .engineNew("effendi", config, key, threads), config = config,
        state = model
    )
    model$settings <- s
    model$atac <- atac
    model$dim <- dim
    model$peaks <- peaks
    model$tauBar <- NA_real_
    model
}

## What of the model's results is wanted, by name (see the engine's settings
## of the query "predict"); cells in rows.
.effendiPredict <- function(model, x, emb, what, latent = FALSE) {
    wanted <- setNames(as.list(rep(TRUE, length(what))), what)
    out <- .engineRun(.effendiAlive(model), "predict",
        list(x = .cellsLast(x), geneEmbedding = .cellsLast(emb)),
        c(.effendiFlow(model$settings), list(latent = latent), wanted)
    )
    lapply(out, function(y) if (is.matrix(y)) t(y) else y)
}

.effendiCarry <- function(model, z, duration) {
    t(.engineRun(.effendiAlive(model), "flow",
        list(z = .cellsLast(z), duration = as.double(duration)),
        .effendiFlow(model$settings)
    )$end)
}

## list(tauBase, lipschitz)
.effendiBase <- function(model, emb) {
    .engineRun(.effendiAlive(model), "base",
        list(geneEmbedding = .cellsLast(emb)), .effendiFlow(model$settings)
    )
}

## The engine's matrices lie cell by cell.
.cellsLast <- function(x) {
    if (methods::is(x, "sparseMatrix")) {
        return(methods::as(Matrix::t(x), "CsparseMatrix"))
    }
    x <- t(x)
    storage.mode(x) <- "double"
    x
}

.effendiAlive <- function(model) {
    if (is.null(model$engine) || !.isAlive(model$engine)) {
        stop("this Effendi model's memory is gone: it comes from another R ",
            "session (readRDS(), load()). Fit again with estimateTau(method ",
            "= \"effendi\"), or give 'dir' there and fit again with the ",
            "same: what is finished is then read, not computed",
            call. = FALSE
        )
    }
    model$engine
}

.effendiTasks <- c("match", "frozen", "tuned")

## A stage (0, 1, 2) as the engine is told it.
.effendiBegin <- function(model, stage, key) {
    s <- model$settings
    match <- stage == 0L
    weights <- c(
        if (!match) c(ode = s$wOde, recon = s$wRecon, tau = s$wTau),
        reverse = if (match || s$reverseInStage2) s$wReverse else 0,
        contrast = s$wContrast, if (!match) c(peaks = s$wPeaks)
    )
    field <- if (match) s$lr$field else s$lr$stage2Field
    .engineBegin(.effendiAlive(model), .effendiTasks[[stage + 1L]],
        optimizer = list(
            lr = if (match) s$lr$field else s$lr$stage2, beta2 = 0.999,
            weightDecay = s$weightDecay, clip = s$clip, schedule = "constant"
        ),
        settings = c(
            .effendiFlow(s, if (match) s$nStepsField else s$nSteps, FALSE),
            list(temperature = s$temperature, projections = s$nProjections)
        ),
        weights = weights, key = key,
        groups = if (stage != 1L) data.frame(match = "vector_field.*",
            lr = field, weightDecay = NA_real_, frozen = FALSE
        )
    )
}

## One step on rows of the bound cells; the losses by name, 0 where off.
.effendiStep <- function(model, atac, rna) {
    step <- .engineMicro(model$engine,
        list(atac = atac - 1L, rna = rna - 1L)
    )
    update <- .engineApply(model$engine)
    out <- setNames(numeric(10L), c(.effendiLosses, "tauBar", "gradNorm"))
    out[names(step$value)] <- step$value
    out[c("total", "tauBar", "gradNorm")] <- c(step$total,
        step$report[["tauBar"]], update$gradNorm
    )
    out
}
