## Looking at a model: its tensors, history, report.

## Stops with the way out when the engine's model is gone (after readRDS).
.alive <- function(model) {
    if (identical(model@ptr, new("externalptr"))) {
        stop("'model' has lost its weights: it comes from another R session ",
            "(readRDS(), load() or a saved workspace), which keeps only the ",
            "R side. Put a model away with saveModel(model, dir) and fetch ",
            "it with loadModel(dir).",
            call. = FALSE
        )
    }
    invisible(model)
}

.isAlive <- function(model) !identical(model@ptr, new("externalptr"))

.isModel <- function(model) {
    if (!methods::is(model, "FoundationModel")) {
        .refuseModel(model)
    }
    .alive(model)
}

.refuseModel <- function(x, arg = "model") {
    .stopArgument(arg, "must be a FoundationModel, from newModel() or ",
        "loadModel(); it is a ", class(x)[[1L]], "."
    )
}

#' @aliases modelTensors,ANY-method conditionTable,ANY-method
#'   trainingHistory,ANY-method modelReport,ANY-method saveModel,ANY-method
#' @rdname FoundationModel-class
#' @name FoundationModel-class
NULL

setMethod("modelTensors", "ANY", function(x, ...) .refuseModel(x, "x"))

setMethod("conditionTable", "ANY", function(x, ...) .refuseModel(x, "x"))

setMethod("trainingHistory", "ANY", function(model, ...) .refuseModel(model))

setMethod("modelReport", "ANY", function(model, ...) .refuseModel(model))

setMethod("saveModel", "ANY", function(model, dir, ...) .refuseModel(model))

## ---- looking at a model ----------------------------------------------------

#' @rdname FoundationModel-class
#' @export
setMethod("modelTensors", "FoundationModel", function(x, ...) {
    .alive(x)
    all <- .engineTensors(x)
    shape <- lapply(all$shape, as.numeric)
    data.frame(
        name = all$name,
        shape = vapply(shape, paste, character(1), collapse = " x "),
        parameters = vapply(shape, prod, numeric(1)),
        trainable = all$trainable
    )
})

#' @rdname FoundationModel-class
#' @export
setMethod("conditionTable", "ScCAFMModel", function(x, ...) {
    x@state$conditions
})

#' Weights of a model as R arrays
#'
#' @param model a [FoundationModel-class].
#' @param name name of a tensor, as [modelTensors()] lists them.
#' @param value numeric array of the tensor's shape.
#' @return `modelTensor()`: a numeric vector, matrix or array of the tensor's
#'   shape. `setModelTensor()`: the model, invisibly; it is changed in place.
#' @section Errors: an unknown name, or a value of another size, is an error.
#' @examples
#' model <- newModel(SFMParam(), exampleCells(), seed = 1)
#' name <- "foundation_modules.sfm.backbone.final_norm.weight"
#' range(modelTensor(model, name))
#' setModelTensor(model, name, rep(0.5, 64))
#' @export
modelTensor <- function(model, name) {
    .isModel(model)
    shape <- .tensorShape(model, name)
    .fromRowMajor(.engineGet(model, name), shape)
}

#' @rdname modelTensor
#' @export
setModelTensor <- function(model, name, value) {
    .isModel(model)
    shape <- .tensorShape(model, name)
    if (!is.numeric(value) || length(value) != prod(shape)) {
        .stopArgument("value", "must hold ", prod(shape), " numbers (",
            paste(shape, collapse = " x "), "); it holds ", length(value), "."
        )
    }
    dim(value) <- shape
    .engineSet(model, name, .toRowMajor(value))
    invisible(model)
}

.tensorShape <- function(model, name) {
    .checkText(name, "name")
    all <- .engineTensors(model)
    at <- match(name, all$name)
    if (is.na(at)) {
        .stopArgument("name", "is \"", name, "\", which the model does not ",
            "have; modelTensors(model) lists the names."
        )
    }
    shape <- as.integer(all$shape[[at]])
    if (length(shape)) shape else 1L
}

.fromRowMajor <- function(x, shape) {
    if (length(shape) < 2L) {
        return(as.numeric(x))
    }
    aperm(array(x, rev(shape)), rev(seq_along(shape)))
}

.toRowMajor <- function(x) {
    n <- length(dim(x))
    as.double(if (n < 2L) x else aperm(x, rev(seq_len(n))))
}

#' Training history and load report of a model
#'
#' @param model a [FoundationModel-class].
#' @param run `"last"`, the last training run, or `"all"`.
#' @param ... not used.
#' @return `trainingHistory()`: a data.frame with one row per optimizer step
#'   and columns `step`, `epoch` (from 1), the losses `elbo`, `prior`, `dag`,
#'   `sparsity` (of an EFM: `id`, `expression`), `total` (means over the step's
#'   batches, weighted as they enter the total), `gradNorm` (before clipping), `lr`, `seconds` and `run`. A
#'   loss that is off is `NA`. `elbo` is per cell, summed over its genes; it
#'   is the negative log of a density, so it may fall below 0.
#'   `modelReport()`: `NULL` for a new model, else a list with `path`,
#'   `layout`, `missing`, `unexpected`, `misshapen`, `loaded`, `notes`.
#' @section Errors: none; a dead model still has its history.
#' @examples
#' model <- newModel(SFMParam(), exampleCells(), seed = 1)
#' trainModel(exampleCells(), model, epochs = 1, verbose = FALSE)
#' trainingHistory(model)
#' modelReport(model)
#' @rdname trainingHistory
#' @export
setMethod("trainingHistory", "FoundationModel", function(model,
    run = c("last", "all"), ...) {
    run <- match.arg(run)
    log <- model@state$log
    if (is.null(log)) {
        log <- .emptyLog(0L, model)
    }
    log <- log[!is.na(log[, "step"]), , drop = FALSE]
    if (run == "last" && nrow(log)) {
        log <- log[log[, "run"] == max(log[, "run"]), , drop = FALSE]
    }
    out <- as.data.frame(log)
    for (name in c("step", "epoch", "run")) {
        out[[name]] <- as.integer(out[[name]])
    }
    rownames(out) <- NULL
    out
})

#' @rdname trainingHistory
#' @export
setMethod("modelReport", "FoundationModel", function(model, ...) {
    model@state$report
})

.logColumns <- lapply(list(
    sfm = c("elbo", "prior", "dag", "sparsity"), efm = c("id", "expression")
), function(losses) {
    c("step", "epoch", losses, "total", "gradNorm", "lr", "seconds", "run")
})

## A record of n steps of the model (NULL: of an SFM).
.emptyLog <- function(n, model = NULL) {
    module <- if (is.null(model)) "sfm" else .moduleOf(model)
    columns <- .logColumns[[if (is.null(module)) "sfm" else module]]
    matrix(NA_real_, n, length(columns), dimnames = list(NULL, columns))
}

#' @rdname FoundationModel-class
#' @export
setMethod("show", "SFModel", function(object) {
    s <- object@config$sfm
    state <- object@state
    cat("FoundationModel: SFM, ", s$num_layers, " layers, width ",
        s$embed_dim, ", ", s$num_factors, " factors",
        if (!is.null(s$topk)) c(", top ", s$topk, " per gene"), "\n",
        sep = ""
    )
    n <- nrow(object@vocab) - 1L
    tf <- sum(.isTf(object@vocab$gene_symbol, object@tfs[[state$species]]))
    cat("  genes: ", n, ", of these ", tf, " ", state$species, " TFs\n",
        sep = ""
    )
    cat("  source: ", state$source, "\n", sep = "")
    run <- state$run
    if (is.null(run)) {
        cat("  training: ", state$status, "\n", sep = "")
    } else {
        cat("  training: ", state$status, " after ", run$step, " of ",
            run$total, " steps (", .epochsDone(run), " of ", run$epochs,
            " epochs)", .byProcesses(run$settings), ", prior ", run$prior,
            "\n",
            sep = ""
        )
    }
    if (!.isAlive(object)) {
        cat("  the weights are gone (readRDS?): see ?saveModel, ?loadModel\n")
    } else {
        cat("  next: trainModel(x, model), inferGRN(x, model), ",
            "saveModel(model, dir)\n",
            sep = ""
        )
    }
})

.epochsDone <- function(run) {
    format(round(run$step / max(1, run$perEpoch), 1))
}

#' @rdname FoundationModel-class
#' @export
setMethod("summary", "SFModel", function(object, ...) {
    history <- trainingHistory(object)
    structure(list(
        parameters = if (.isAlive(object)) {
            sum(modelTensors(object)$parameters)
        } else {
            NA_real_
        },
        genes = nrow(object@vocab) - 1L,
        tfs = sum(.isTf(
            object@vocab$gene_symbol, object@tfs[[object@state$species]]
        )),
        species = object@state$species, source = object@state$source,
        status = object@state$status, steps = nrow(history),
        epochs = if (nrow(history)) max(history$epoch) else 0L,
        prior = if (is.null(object@state$run)) "none" else
            object@state$run$prior,
        last = tail(history, 1L), report = object@state$report
    ), class = "summary.FoundationModel")
})

#' @rdname FoundationModel-class
#' @export
print.summary.FoundationModel <- function(x, ...) {
    text <- c(
        paste0("parameters: ", format(x$parameters, big.mark = ",")),
        paste0("genes: ", x$genes, ", TFs: ", x$tfs, " (", x$species, ")"),
        paste0("source: ", x$source),
        paste0("training: ", x$status, ", ", x$steps, " steps, ", x$epochs,
            " epochs, prior: ", x$prior
        )
    )
    if (nrow(x$last)) {
        loss <- x$last[, c("elbo", "prior", "dag", "sparsity", "total")]
        text <- c(text, paste0(
            "last losses: ",
            paste(names(loss), signif(unlist(loss), 4), collapse = ", ")
        ))
    }
    lost <- length(x$report$missing) + length(x$report$misshapen)
    if (lost) {
        text <- c(text, paste0(lost, " tensors missing or misshapen: ",
            "modelReport(model)"
        ))
    }
    writeLines(text)
    invisible(x)
}
