## Settings of the Effendi delay model.

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

.effendiSettings <- function(param) {
    if (!methods::is(param, "EffendiParam")) {
        .stopArgument("param", "must be an EffendiParam, from ",
            "EffendiParam(); it is a ", class(param)[[1L]], "."
        )
    }
    param@settings
}
