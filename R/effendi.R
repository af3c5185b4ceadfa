## Effendi: the delay model of the specification, trained in the engine. R
## counts stages, epochs and batches; the engine does one step per call.

## Allowed range: c(min, max, whole, open at min).
.effendiRanges <- list(
    dim = c(1, 65536, 1, 0), atacDim = c(1, 65536, 1, 0),
    alignHidden = c(1, 65536, 1, 0), tauHidden = c(1, 65536, 1, 0),
    tauModScale = c(0, 1e3, 0, 0), decoderHidden = c(1, 65536, 1, 0),
    fieldHidden = c(1, 65536, 1, 0), nProjections = c(1, 1e5, 1, 0),
    fieldEpochs = c(0, 1e5, 1, 0), fieldLr = c(0, 1, 0, 1),
    stage1Epochs = c(0, 1e5, 1, 0), stage2Epochs = c(0, 1e5, 1, 0),
    stage1Lr = c(0, 1, 0, 1), stage2LrField = c(0, 1, 0, 0),
    batchSize = c(2, 65536, 1, 0), wOde = c(0, Inf, 0, 0),
    wRecon = c(0, Inf, 0, 0), wTau = c(0, Inf, 0, 0),
    wReverse = c(0, Inf, 0, 0), clip = c(0, Inf, 0, 1),
    dropout = c(0, 0.95, 0, 0), weightDecay = c(0, 1, 0, 0),
    nSteps = c(1, 1e4, 1, 0), nStepsField = c(1, 1e4, 1, 0),
    tauMax = c(0, 1e3, 0, 1), powerIterations = c(1, 100, 1, 0),
    attentionHeads = c(0, 256, 1, 0), adapterHidden = c(0, 65536, 1, 0),
    readoutTokens = c(1, 4096, 1, 0),
    wContrast = c(0, Inf, 0, 0), temperature = c(0, 100, 0, 1),
    wPeaks = c(0, Inf, 0, 0)
)

#' @rdname EffendiParam
#' @slot settings list of all settings, checked.
#' @name EffendiParam-class
#' @aliases EffendiParam-class
#' @exportClass EffendiParam
setClass("EffendiParam", slots = c(settings = "list"))

#' Settings of the Effendi delay model
#'
#' For `estimateTau(method = "effendi")`: the published hyperparameters, under
#' speaking names and with their published defaults, and the options of the
#' specification's roadmap, which are off.
#'
#' | argument | in the specification | default |
#' |---|---|---|
#' | `dim` | `DIM` | that of the RNA embedding (512) |
#' | `atacDim` | `HYENADNA_D_MODEL` | that of the chromatin (256) |
#' | `alignHidden` | `ALIGN_HIDDEN` | 512 |
#' | `tauHidden` | `TAU_HIDDEN` | 128 |
#' | `tauModScale` | `TAU_MOD_SCALE` | 0.1 |
#' | `decoderHidden` | `DEC_HIDDEN` | 256 |
#' | `nProjections` | `N_PROJ_W2` | 200 |
#' | `fieldEpochs` | `VF_EPOCHS` | 50 |
#' | `fieldLr` | `VF_LR` | 1e-3 |
#' | `stage1Epochs` | `STAGE1_EPOCHS` | 10 |
#' | `stage2Epochs` | `STAGE2_EPOCHS` | 40 |
#' | `stage1Lr` | `STAGE1_LR` | 1e-3 |
#' | `stage2LrField` | `STAGE2_LR_VF` | 1e-6 |
#' | `batchSize` | `BATCH_SIZE` | 128 |
#' | `wOde`, `wRecon`, `wTau` | `W_ODE`, `W_RECON`, `W_TAU` | 1, 0.5, 0.01 |
#' | `wReverse` | `W_REVERSE` | 0.1 |
#' | `clip` | `EXPLODE_NORM` | 50 |
#'
#' What the specification leaves open: 20 integration steps in stage 1, as in
#' the golden cases; Adam (`weightDecay = 0`); the longest
#' delay read, `tauMax`; spectral norms by one power iteration per step, as
#' in PyTorch; stage 2 without the reverse loss, as in its table of stages
#' (its section on losses has it: `reverseInStage2 = TRUE`).
#'
#' @section What the delays mean: the loss sees the delays of a cell only
#'   through their median and through the mean over genes of the states they
#'   are read at. Exchanging the delays of two genes leaves both as they are.
#'   So these delays cannot rank genes; `readout = "gene"` decodes every gene
#'   at its own delay instead. The default of [estimateTau()] is another
#'   method for this reason.
#'
#' @param dim,atacDim widths of the embeddings; `NULL`: those given. A number
#'   is checked against them.
#' @param alignHidden,tauHidden,decoderHidden,fieldHidden hidden widths of
#'   the alignment, the delay predictor, the decoder and the vector field.
#' @param tauModScale amplitude of the delays' modulation by the cell.
#' @param nProjections directions of the sliced Wasserstein distance.
#' @param fieldEpochs,stage1Epochs,stage2Epochs epochs of stage 1 (field), 2.1
#'   (field frozen) and 2.2 (field fine-tuned).
#' @param fieldLr,stage1Lr,stage2LrField learning rates: of stage 1; of all
#'   but the field in stages 2.1 and 2.2; of the field in 2.2 (0: frozen
#'   there too).
#' @param batchSize cells a step sees.
#' @param wOde,wRecon,wTau,wReverse weights of the losses.
#' @param clip largest norm of a step's gradient.
#' @param reverseInStage2 `TRUE`: the reverse loss in stage 2, too.
#' @param dropout dropout probability of alignment, delays and decoder.
#' @param weightDecay decoupled weight decay (AdamW).
#' @param method integration: `"euler"`, as written, or `"rk4"`.
#' @param nSteps integration steps of stage 2 and of every prediction.
#' @param nStepsField integration steps of stage 1.
#' @param tauMax delays beyond are read at this one.
#' @param spectral how weights are divided by their spectral norm: `"power"`
#'   iteration (`powerIterations` a step) or `"exact"`.
#' @param powerIterations see `spectral`.
#' @param readout `"mean"`: as written, every gene is decoded from the mean
#'   over genes. `"gene"`: from the state at its own delay. `"attention"`:
#'   without the flow's grid, by attention of gene and delay over
#'   `readoutTokens` tokens made of the aligned chromatin.
#' @param readoutTokens see `readout`.
#' @param attentionHeads above 0: genes attend to each other, with so many
#'   heads, before their delay is predicted.
#' @param adapterHidden above 0: a trained adapter of this width is added to
#'   the gene embedding.
#' @param wContrast,temperature weight and temperature of a contrastive loss
#'   (InfoNCE) that pulls a cell's aligned chromatin to its own RNA; needs
#'   paired cells.
#' @param wPeaks weight of the loss of a decoder of peaks from aligned
#'   chromatin; needs `peaks`.
#' @return An object of class `EffendiParam`; `show()` lists what differs from
#'   the published values.
#' @section Errors: a value out of range is an error that names the argument.
#' @references The specification "Effendi", as made definite by this package's
#'   golden cases (`tests/fixtures/effendi_a`, `effendi_b`).
#' @seealso [estimateTau()]
#' @examples
#' EffendiParam()
#' EffendiParam(stage2Epochs = 5, readout = "gene")
#' @export
EffendiParam <- function(dim = NULL, atacDim = NULL, alignHidden = 512,
    tauHidden = 128, tauModScale = 0.1, decoderHidden = 256,
    fieldHidden = 128, nProjections = 200, fieldEpochs = 50,
    fieldLr = 1e-3, stage1Epochs = 10, stage2Epochs = 40, stage1Lr = 1e-3,
    stage2LrField = 1e-6, batchSize = 128, wOde = 1, wRecon = 0.5,
    wTau = 0.01, wReverse = 0.1, clip = 50, reverseInStage2 = FALSE,
    dropout = 0.1, weightDecay = 0, method = c("euler", "rk4"),
    nSteps = 200, nStepsField = 20, tauMax = 2,
    spectral = c("power", "exact"), powerIterations = 1,
    readout = c("mean", "gene", "attention"), attentionHeads = 0,
    adapterHidden = 0, readoutTokens = 8, wContrast = 0, temperature = 0.1,
    wPeaks = 0) {
    s <- as.list(environment())
    for (name in names(.effendiRanges)) {
        r <- .effendiRanges[[name]]
        if (!is.null(s[[name]])) {
            s[[name]] <- .checkNumber(s[[name]], name, r[[1L]], r[[2L]],
                r[[3L]] == 1, r[[4L]] == 1
            )
        }
    }
    .checkFlag(reverseInStage2, "reverseInStage2")
    s$method <- .oneOf(method, c("euler", "rk4"), "method")
    s$spectral <- .oneOf(spectral, c("power", "exact"), "spectral")
    s$readout <- .oneOf(readout, c("mean", "gene", "attention"), "readout")
    new("EffendiParam", settings = s)
}

#' @rdname EffendiParam
#' @param object an `EffendiParam`.
#' @export
setMethod("show", "EffendiParam", function(object) {
    s <- object@settings
    cat("EffendiParam\n")
    cat("  stages: ", s$fieldEpochs, " + ", s$stage1Epochs, " + ",
        s$stage2Epochs, " epochs (field, delays, both), batches of ",
        s$batchSize, "\n",
        sep = ""
    )
    cat("  flow: ", s$method, ", ", s$nSteps, " steps (", s$nStepsField,
        " in stage 1) to ", format(s$tauMax), ", spectral norm by ",
        s$spectral, "\n",
        sep = ""
    )
    cat("  readout: ", s$readout, "\n", sep = "")
    usual <- EffendiParam()@settings
    changed <- names(s)[!vapply(names(s), function(n) {
        isTRUE(all.equal(s[[n]], usual[[n]]))
    }, logical(1))]
    text <- if (length(changed)) {
        paste0(changed, " = ", vapply(s[changed], .show, character(1)))
    } else {
        "nothing"
    }
    cat("  changed from the defaults: ", paste(text, collapse = ", "), "\n",
        sep = ""
    )
})

## ---- the model -------------------------------------------------------------

.effendiSettings <- function(param) {
    if (!methods::is(param, "EffendiParam")) {
        .stopArgument("param", "must be an EffendiParam, from ",
            "EffendiParam(); it is a ", class(param)[[1L]], "."
        )
    }
    param@settings
}

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

## A matrix of doubles or a dgCMatrix, finite; cells in rows.
.effendiMatrix <- function(x, arg, rows = NULL, cols = NULL) {
    if (is.null(x)) {
        return(NULL)
    }
    if (methods::is(x, "sparseMatrix")) {
        x <- methods::as(methods::as(x, "generalMatrix"), "CsparseMatrix")
        x <- methods::as(x, "dMatrix")
        values <- x@x
    } else {
        x <- as.matrix(x)
        storage.mode(x) <- "double"
        values <- x
    }
    if (!all(is.finite(values))) {
        .stopArgument(arg, "holds values that are not finite.")
    }
    for (i in 1:2) {
        want <- list(rows, cols)[[i]]
        if (!is.null(want) && dim(x)[[i]] != want) {
            .stopArgument(arg, "has ", dim(x)[[i]],
                c(" rows", " columns")[[i]], ", expected ", want, "."
            )
        }
    }
    x
}

.effendiInputs <- function(zAtac, zRna, expression, geneEmbedding, unpaired,
    peaks, s) {
    zAtac <- .effendiMatrix(zAtac, "zAtac", cols = s$atacDim)
    n <- nrow(zAtac)
    zRna <- .effendiMatrix(zRna, "zRna", n, s$dim)
    emb <- .effendiMatrix(geneEmbedding, "geneEmbedding", cols = ncol(zRna))
    y <- .effendiMatrix(expression, "expression", n, nrow(emb))
    range <- range(if (is.matrix(y)) y else c(0, y@x))
    if (n < 2L || range[[1L]] < 0 || range[[2L]] > 1) {
        .stopArgument("expression", "must lie in [0, 1], for two cells or ",
            "more; it has ", n, " cells, from ", format(range[[1L]]), " to ",
            format(range[[2L]]), ". Divide every gene by its maximum."
        )
    }
    list(
        zAtac = zAtac, zRna = zRna, expression = y, geneEmbedding = emb,
        freeAtac = .effendiMatrix(unpaired$atac, "unpaired$atac",
            cols = ncol(zAtac)
        ),
        freeRna = .effendiMatrix(unpaired$rna, "unpaired$rna",
            cols = ncol(zRna)
        ),
        peaks = .effendiMatrix(peaks, "peaks", n)
    )
}

## ---- stages ----------------------------------------------------------------

## Batches of row numbers of one epoch.
.effendiBatches <- function(n, size, key, epoch) {
    order <- .Call(cw_r_permutation, as.integer(n), as.double(key),
        as.integer(epoch)
    ) + 1L
    unname(split(as.integer(order), (seq_len(n) - 1L) %/% size))
}

.effendiOptions <- function(s, stage) {
    match <- stage == 0L
    c(.effendiFlow(s, if (match) s$nStepsField else s$nSteps, FALSE), list(
        lr = if (match) s$fieldLr else s$stage1Lr,
        lrField = if (match) s$fieldLr else s$stage2LrField,
        weightDecay = s$weightDecay, clip = s$clip, wOde = s$wOde,
        wRecon = s$wRecon, wTau = s$wTau,
        wReverse = if (match || s$reverseInStage2) s$wReverse else 0,
        wContrast = s$wContrast, temperature = s$temperature,
        wPeaks = s$wPeaks, projections = s$nProjections
    ))
}

.effendiStages <- c("1", "2.1", "2.2")
.effendiLosses <- c("ode", "recon", "tau", "reverse", "sw2", "contrast",
    "peaks", "total"
)

## Runs one stage and returns its losses, one row per epoch.
.effendiStage <- function(model, stage, sizes, key, verbose) {
    s <- model$settings
    epochs <- c(s$fieldEpochs, s$stage1Epochs, s$stage2Epochs)[[stage + 1L]]
    key <- .effendiKey(key, 10 * (stage + 1))
    .Call(cw_r_effendi_begin, model$ptr, as.integer(stage),
        .effendiOptions(s, stage), as.double(key)
    )
    label <- paste0("Effendi, stage ", .effendiStages[[stage + 1L]], " ")
    bar <- .progressStart(label, epochs, verbose && epochs > 0)
    on.exit(.progressDone(bar))
    paired <- stage > 0L || s$wContrast > 0
    n <- if (stage > 0L) sizes[["cells"]] else sizes[["freeAtac"]]
    log <- lapply(seq_len(epochs), function(epoch) {
        atac <- .effendiBatches(n, s$batchSize, key, epoch)
        rna <- atac
        if (!paired) {
            rna <- .effendiBatches(sizes[["freeRna"]], s$batchSize,
                .effendiKey(key, 1), epoch
            )
        }
        steps <- vapply(seq_len(min(length(atac), length(rna))), function(i) {
            .Call(cw_r_effendi_step, model$ptr, atac[[i]], rna[[i]])
        }, numeric(10L))
        mean <- rowMeans(steps)
        .progressTick(bar, epoch, paste("loss", signif(mean[["total"]], 4)))
        mean
    })
    .effendiLog(log, stage, s)
}

## A loss that is off is NA, as in trainingHistory().
.effendiLog <- function(log, stage, s) {
    values <- matrix(as.numeric(unlist(log)), ncol = 10L, byrow = TRUE)
    colnames(values) <- c(.effendiLosses, "tauBar", "gradNorm")
    off <- c(
        if (stage == 0L) c("ode", "recon", "tau") else "sw2",
        if (stage > 0L && !s$reverseInStage2) "reverse",
        if (s$wContrast == 0) "contrast",
        if (stage == 0L || s$wPeaks == 0) "peaks"
    )
    values[, off] <- NA
    data.frame(
        stage = rep(.effendiStages[[stage + 1L]], nrow(values)),
        epoch = seq_len(nrow(values)), values
    )
}

## ---- checkpoints -----------------------------------------------------------

.effendiFiles <- list(
    list(
        vector_field_frozen.safetensors = c("vector_field.", "tau_bar"),
        align_mlp.safetensors = "align."
    ),
    list(effendi_stage1.safetensors = ""),
    list(effendi_final.safetensors = "")
)

.effendiFingerprint <- function(input, s) {
    sums <- vapply(input, function(x) {
        if (is.null(x)) 0 else sum(x) + sum(x[1L, ]) * 7 + sum(x[, 1L]) * 3
    }, numeric(1))
    size <- vapply(input, function(x) {
        if (is.null(x)) 0 else as.numeric(nrow(x)) * 1e6 + ncol(x)
    }, numeric(1))
    shown <- s[!vapply(s, is.null, logical(1))]
    c(
        paste(signif(c(sums, size), 8), collapse = " "),
        paste(names(shown), vapply(shown, format, character(1)),
            collapse = " "
        )
    )
}

## The state of a run in `dir`: NULL where there is nothing yet.
.effendiResume <- function(dir, print, overwrite) {
    file <- file.path(dir, "effendi_run.json")
    known <- c(
        unlist(lapply(.effendiFiles, names)), "gene_tau_estimates.csv",
        "effendi_run.json"
    )
    there <- known[file.exists(file.path(dir, known))]
    if (overwrite || !length(there)) {
        unlink(file.path(dir, there))
        return(NULL)
    }
    run <- if (file.exists(file)) {
        tryCatch(jsonlite::read_json(file, simplifyVector = TRUE),
            error = function(e) NULL
        )
    }
    if (is.null(run) || !identical(as.character(run$fingerprint), print)) {
        .stopArgument("dir", "holds files of another run (", .some(there, 3L),
            " in ", dir, "): other data or settings. Give another folder, or ",
            "say overwrite = TRUE."
        )
    }
    run
}

.effendiWriteRun <- function(dir, run) {
    if (is.null(dir)) {
        return(invisible())
    }
    file <- file.path(dir, "effendi_run.json")
    part <- paste0(file, ".part")
    jsonlite::write_json(run, part,
        auto_unbox = TRUE, digits = NA, pretty = TRUE, null = "null"
    )
    if (!file.rename(part, file)) {
        stop("can't write ", file, call. = FALSE)
    }
    invisible()
}

.effendiCheckpoint <- function(model, dir, stage, save) {
    files <- .effendiFiles[[stage + 1L]]
    missing <- vapply(names(files), function(name) {
        .Call(cw_r_effendi_file, model$ptr, file.path(dir, name),
            files[[name]], save
        )
    }, integer(1))
    if (!save && any(missing > 0L)) {
        .stopArgument("dir", "has checkpoints that lack tensors (",
            .some(names(files)[missing > 0L]), " in ", dir,
            "). Say overwrite = TRUE to fit anew."
        )
    }
    invisible()
}

.effendiWriteTau <- function(dir, result) {
    if (is.null(dir)) {
        return(invisible())
    }
    file <- file.path(dir, "gene_tau_estimates.csv")
    part <- paste0(file, ".part")
    utils::write.csv(data.frame(
        gene = names(result$tau), tau = unname(result$tau),
        tau_base = unname(result$tauBase)
    ), part, row.names = FALSE)
    if (!file.rename(part, file)) {
        stop("can't write ", file, call. = FALSE)
    }
    invisible()
}

## Losses as read from JSON, where a column of NA alone is not written.
.effendiOldLosses <- function(losses) {
    losses <- as.data.frame(losses)
    all <- c("stage", "epoch", .effendiLosses, "tauBar", "gradNorm")
    losses[setdiff(all, names(losses))] <- NA_real_
    losses[all]
}

## ---- fitting ---------------------------------------------------------------

## All three stages, from what `dir` has of them. Returns the losses.
.effendiTrain <- function(model, input, key, dir, run, print, verbose) {
    .Call(cw_r_effendi_data, model$ptr, input)
    rows <- function(x, or) if (is.null(x)) nrow(or) else nrow(x)
    sizes <- c(
        cells = nrow(input$zAtac), freeAtac = rows(input$freeAtac, input$zAtac),
        freeRna = rows(input$freeRna, input$zRna)
    )
    done <- if (is.null(run)) 0L else as.integer(run$finished)
    losses <- if (done > 0L) .effendiOldLosses(run$losses)
    for (stage in seq_len(3L) - 1L) {
        if (stage < done) {
            .say(verbose, "Effendi, stage ", .effendiStages[[stage + 1L]],
                ": read from ", dir
            )
            .effendiCheckpoint(model, dir, stage, FALSE)
            next
        }
        losses <- rbind(losses,
            .effendiStage(model, stage, sizes, key, verbose)
        )
        if (!is.null(dir)) {
            .effendiCheckpoint(model, dir, stage, TRUE)
            .effendiWriteRun(dir, list(
                fingerprint = print, key = key, finished = stage + 1L,
                losses = losses
            ))
        }
    }
    rownames(losses) <- NULL
    losses
}

.effendiMemory <- function(input, s) {
    n <- nrow(input$zAtac)
    genes <- nrow(input$geneEmbedding)
    width <- ncol(input$zAtac) + ncol(input$zRna) + genes
    need <- 4 * n * width + 40 * s$batchSize * genes + 2e8
    limit <- .memoryLimit()
    if (need > limit) {
        stop("not enough memory: ", n, " cells x ", genes, " genes take about ",
            .bytes(need), ", and ", .bytes(limit), " may be used. Give fewer ",
            "cells or genes, or raise options(causeway.memoryLimit = bytes).",
            call. = FALSE
        )
    }
    invisible(need)
}

## zAtac (cells, atac), zRna (cells, D), expression (cells, genes) in [0, 1],
## geneEmbedding (genes, D); unpaired: list(atac =, rna =) for stage 1, or
## NULL: the paired cells in two orders. controls: which of "untrained" and
## "shuffled" to run; the latter takes as long as the fit.
.effendiFit <- function(zAtac, zRna, expression, geneEmbedding,
    param = EffendiParam(), key = .newKey(), dir = NULL, unpaired = NULL,
    threads = .threads(), verbose = FALSE, peaks = NULL,
    controls = c("untrained", "shuffled"), overwrite = FALSE,
    keepCells = 2e7) {
    s <- .effendiSettings(param)
    input <- .effendiInputs(zAtac, zRna, expression, geneEmbedding, unpaired,
        peaks, s
    )
    .effendiOptionNeeds(s, input)
    .effendiMemory(input, s)
    print <- .effendiFingerprint(input, s)
    run <- NULL
    if (!is.null(dir)) {
        .checkText(dir, "dir")
        if (!dir.exists(dir) && !dir.create(dir, recursive = TRUE)) {
            .stopArgument("dir", "can't be made: ", dir)
        }
        run <- .effendiResume(dir, print, overwrite)
        key <- if (is.null(run)) key else as.numeric(run$key)
    }
    wide <- if (is.null(input$peaks)) 0L else ncol(input$peaks)
    make <- function() {
        .effendiNew(s, ncol(input$zAtac), ncol(input$zRna), wide, key, threads)
    }
    model <- make()
    untrained <- if ("untrained" %in% controls) {
        .effendiMeans(model, input$zAtac, input$geneEmbedding)$tau
    }
    losses <- .effendiTrain(model, input, key, dir, run, print, verbose)
    result <- .effendiResult(model, input, losses, keepCells)
    .effendiWriteTau(dir, result)
    shuffled <- if ("shuffled" %in% controls) {
        .effendiShuffled(make(), input, key, verbose)
    }
    result$untrained <- untrained
    result$shuffled <- shuffled
    result$rank <- c(
        untrained = .effendiRank(result$tau, untrained),
        shuffled = .effendiRank(result$tau, shuffled)
    )
    result$key <- key
    result
}

.effendiOptionNeeds <- function(s, input) {
    if (s$wPeaks > 0 && is.null(input$peaks)) {
        .stopArgument("wPeaks", "is ", s$wPeaks, ", but no peaks are given.")
    }
    if (s$wContrast > 0 &&
        !(is.null(input$freeAtac) && is.null(input$freeRna))) {
        .stopArgument("wContrast", "needs paired cells in every stage; give ",
            "no unpaired ones, or leave it at 0."
        )
    }
    invisible()
}

.effendiRank <- function(a, b) {
    if (is.null(b) || length(a) < 3L ||
        stats::sd(a) == 0 || stats::sd(b) == 0) {
        return(NA_real_)
    }
    stats::cor(a, b, method = "spearman")
}

## The same fit with the chromatin of other cells: what of the delays does
## not come from the pairing.
.effendiShuffled <- function(model, input, key, verbose) {
    .say(verbose, "Control: chromatin of permuted cells")
    order <- .Call(cw_r_permutation, nrow(input$zAtac),
        as.double(.effendiKey(key, 7)), 0L
    ) + 1L
    input$zAtac <- input$zAtac[order, , drop = FALSE]
    .effendiTrain(model, input, key, NULL, NULL, NULL, verbose)
    .effendiMeans(model, input$zAtac, input$geneEmbedding)$tau
}

.effendiPredict <- function(model, x, emb, what, latent = FALSE) {
    .Call(cw_r_effendi_predict, model$ptr, x, latent, emb,
        .effendiFlow(model$settings), what
    )
}

## Mean delay of every gene over cells, and the median of all.
.effendiMeans <- function(model, zAtac, emb) {
    p <- .effendiPredict(model, zAtac, emb, c("tauMean", "tauBar"))
    tau <- drop(p$tauMean)
    names(tau) <- rownames(emb)
    list(tau = tau, tauBar = p$tauBar)
}

.effendiResult <- function(model, input, losses, keepCells) {
    emb <- input$geneEmbedding
    means <- .effendiMeans(model, input$zAtac, emb)
    model$tauBar <- means$tauBar
    base <- .Call(cw_r_effendi_base, model$ptr, emb,
        .effendiFlow(model$settings)
    )
    cells <- if (nrow(input$zAtac) * as.numeric(nrow(emb)) <= keepCells) {
        .effendiTau(model, input$zAtac, emb)
    }
    health <- .effendiHealth(model, input$zAtac)
    list(
        tau = means$tau, tauCells = cells,
        tauBase = setNames(base$tauBase, rownames(emb)),
        tauBar = means$tauBar, losses = losses,
        lipschitz = health$lipschitz, reversibility = health$reversibility,
        model = model
    )
}

## ---- what a fitted model is asked ------------------------------------------

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

.effendiCarry <- function(model, z, duration) {
    .Call(cw_r_effendi_flow, model$ptr, z, as.double(duration),
        .effendiFlow(model$settings)
    )
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
    base <- .Call(cw_r_effendi_base, model$ptr, none,
        .effendiFlow(model$settings)
    )
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

## ---- a gene's perturbation, through the chromatin --------------------------

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
    x <- x - rep(centre, each = nrow(x))
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
        x <- (x - rep(encoder$centre, each = nrow(x))) %*% encoder$loadings
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
