## Settings of the Effendi delay model.

## Every argument, once: signature, help and show() are made from this table.
## Columns as of the engine's tables (see util-settings.R), and `spec`, the name
## in the written specification. What the engine has under the same name (or
## `engine`, where its name is another) is checked against the engine's range;
## the ranges here are of what the run itself needs. Not here: `lr`, a list.
.effendiTable <- local({
    row <- function(argument, type, default, min = NA, max = NA, open = 0,
        choices = "", spec = "", engine = argument, help = "") {
        data.frame(name = engine, argument = argument, type = type,
            default = default, min = min, max = max, open = open,
            choices = choices, help = help, spec = spec
        )
    }
    engine <- function(argument, type, default, spec, help, name = argument) {
        row(argument, type, default, spec = spec, engine = name, help = help)
    }
    width <- function(argument, default, spec, help, name = argument) {
        engine(argument, "integer", default, spec, help, name)
    }
    epochs <- function(argument, default, spec, help) {
        row(argument, "integer", default, 0, 1e5, spec = spec, help = help)
    }
    weight <- function(argument, default, spec, help, open = 0) {
        row(argument, "number", default, 0, Inf, open, spec = spec,
            help = help
        )
    }
    choice <- function(argument, choices, help) {
        row(argument, "choice", 0, choices = choices, help = help)
    }
    rbind(
        width("dim", NA, "DIM", paste("width of the RNA embedding;",
            "NULL: that given. A number is checked against it")),
        width("atacDim", NA, "HYENADNA_D_MODEL", paste("width of",
            "the chromatin embedding, likewise"), "atac"),
        width("alignHidden", 512, "ALIGN_HIDDEN",
            "hidden width of the alignment"),
        width("tauHidden", 128, "TAU_HIDDEN",
            "hidden width of the delay predictor"),
        engine("tauModScale", "number", 0.1, "TAU_MOD_SCALE",
            "amplitude of the delays' modulation by the cell"),
        width("decoderHidden", 256, "DEC_HIDDEN",
            "hidden width of the decoder"),
        width("fieldHidden", 128, "", "hidden width of the vector field"),
        width("nProjections", 200, "N_PROJ_W2",
            "directions of the sliced Wasserstein distance", "projections"),
        epochs("fieldEpochs", 50, "VF_EPOCHS", "epochs of stage 1 (field)"),
        epochs("stage1Epochs", 10, "STAGE1_EPOCHS",
            "epochs of stage 2.1 (field frozen)"),
        epochs("stage2Epochs", 40, "STAGE2_EPOCHS",
            "epochs of stage 2.2 (field fine-tuned)"),
        row("batchSize", "integer", 128, 2, 65536, spec = "BATCH_SIZE",
            help = "cells a step sees"),
        weight("wOde", 1, "W_ODE", "weight of the flow's loss"),
        weight("wRecon", 0.5, "W_RECON",
            "weight of the reconstruction's loss"),
        weight("wTau", 0.01, "W_TAU", "weight of the delays' loss"),
        weight("wReverse", 0.1, "W_REVERSE", "weight of the reverse loss"),
        weight("clip", 50, "EXPLODE_NORM",
            "largest norm of a step's gradient", open = 1),
        row("reverseInStage2", "flag", 0,
            help = "TRUE: the reverse loss in stage 2, too"),
        engine("dropout", "number", 0.1, "", paste("dropout probability of",
            "alignment, delays and decoder")),
        row("weightDecay", "number", 0, 0, 1,
            help = "decoupled weight decay (AdamW)"),
        choice("method", "euler rk4", "integration: as written, or RK4"),
        width("nSteps", 200, "", paste("integration steps of stage 2",
            "and of every prediction")),
        width("nStepsField", 20, "", "integration steps of stage 1", "nSteps"),
        engine("tauMax", "number", 2, "",
            "delays beyond are read at this one"),
        choice("spectral", "power exact", paste("how weights are divided by",
            "their spectral norm: power iteration, or exactly")),
        row("powerIterations", "integer", 1, 1, 100,
            help = "power iterations a step, see `spectral`"),
        choice("readout", "mean gene attention", paste("what a gene is",
            "decoded from: as written, the mean of states over genes; the",
            "state at its own delay; or, without the flow's grid, attention",
            "of gene and delay over `readoutTokens` tokens made of the",
            "aligned chromatin")),
        width("attentionHeads", 0, "", paste("above 0: genes attend",
            "to each other, with so many heads, before their delay is",
            "predicted"), "tauHeads"),
        width("adapterHidden", 0, "", paste("above 0: a trained",
            "adapter of this width is added to the gene embedding")),
        row("readoutTokens", "integer", 8, 1, 4096, help = "see `readout`"),
        weight("wContrast", 0, "", paste("weight of a contrastive loss",
            "(InfoNCE) that pulls a cell's aligned chromatin to its own RNA;",
            "needs paired cells")),
        engine("temperature", "number", 0.1, "", "temperature of that loss"),
        weight("wPeaks", 0, "", paste("weight of the loss of a decoder",
            "of peaks from aligned chromatin; needs `peaks`"))
    )
})

## The table with the engine's ranges where they are the engine's.
.effendiChecks <- function() {
    table <- .effendiTable
    engine <- rbind(.engineSettings("effendi"),
        .engineSettings("effendi", "task", "match")
    )
    own <- is.na(table$min) & table$type %in% c("integer", "number")
    range <- c("min", "max", "open")
    table[own, range] <- engine[match(table$name[own], engine$name), range]
    table
}

## Learning rates, by what they train; published names and ranges likewise.
.effendiRates <- list(field = 1e-3, stage2 = 1e-3, stage2Field = 1e-6)

#' @rdname EffendiParam
#' @slot settings list of all settings, checked.
#' @name EffendiParam-class
#' @aliases EffendiParam-class
#' @exportClass EffendiParam
setClass("EffendiParam", contains = "CausewayParam")

#' Settings of the Effendi delay model
#'
#' For `estimateTau(method = "effendi")`: the published hyperparameters, under
#' speaking names and with their published defaults, and the options of the
#' specification's roadmap, which are off.
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
#' @eval .effendiHelp()
#' @param lr learning rates, a list: `field`, of stage 1 (`VF_LR`); `stage2`,
#'   of all but the field in stages 2.1 and 2.2 (`STAGE1_LR`); `stage2Field`,
#'   of the field in 2.2 (`STAGE2_LR_VF`; 0: frozen there too). What isn't
#'   named has its published value.
#' @param ... not used.
#' @return An object of class `EffendiParam`; `show()` lists what differs from
#'   the published values.
#' @section Errors: a value out of range is an error that names the argument.
#' @references The specification "Effendi", as made definite by this package's
#'   golden cases (`tests/fixtures/effendi_a`, `effendi_b`).
#' @seealso [estimateTau()]
#' @examples
#' EffendiParam()
#' EffendiParam(stage2Epochs = 5, lr = list(stage2 = 5e-4), readout = "gene")
#' @export
EffendiParam <- function(...) {
    .noDots(..., renamed = c(fieldLr = "lr$field", stage1Lr = "lr$stage2",
        stage2LrField = "lr$stage2Field"))
    given <- as.list(environment())
    settings <- .checkSettings(given, .effendiChecks())
    settings$lr <- .effendiLr(given$lr)
    new("EffendiParam", settings = settings)
}

formals(EffendiParam) <- c(
    Map(function(type, default, choices) {
        switch(type, flag = default != 0,
            choice = as.call(c(quote(c), strsplit(choices, " ")[[1L]])),
            if (!is.na(default)) default
        )
    }, with(.effendiTable, setNames(type, argument)), .effendiTable$default,
    .effendiTable$choices),
    list(lr = as.call(c(quote(list), .effendiRates))), formals(EffendiParam)
)

.effendiLr <- function(lr) {
    known <- names(.effendiRates)
    if (!is.list(lr) || length(lr) && (is.null(names(lr)) ||
        !all(names(lr) %in% known) || anyDuplicated(names(lr)))) {
        .stopArgument("lr", "must be a list with rates called ",
            .some(known), "; it is ", if (is.list(lr)) {
                paste0("one with ", .some(names(lr)))
            } else {
                .show(lr)
            }, "."
        )
    }
    rates <- utils::modifyList(.effendiRates, lr)
    for (name in known) {
        .checkNumber(rates[[name]], paste0("lr$", name), 0, 1,
            open = name != "stage2Field"
        )
    }
    rates
}

## Arguments of the help page.
.effendiHelp <- function() {
    t <- .effendiTable
    spec <- ifelse(nzchar(t$spec), paste0(" (`", t$spec, "`)"), "")
    paste0("@param ", t$argument, " ", t$help, spec, ".")
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
    flat <- function(s) unlist(lapply(s, as.list), recursive = FALSE)
    usual <- flat(EffendiParam()@settings)
    own <- flat(s)
    changed <- names(own)[!vapply(names(own), function(n) {
        identical(own[[n]], usual[[n]])
    }, NA)]
    text <- if (length(changed)) {
        paste0(changed, " = ", vapply(own[changed], .show, ""))
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
