## Models: making one, looking at one. Training is in train.R.

#' Make a new model with random weights
#'
#' The vocabulary (which genes the model can read) is made from the genes of
#' `x`, or from `genes`. Names are trimmed and put in upper case; names that
#' all start with ENSG count as Ensembl identifiers, without version.
#'
#' @param param an [SFMParam()].
#' @param x genes x cells: a `SingleCellExperiment`, `SummarizedExperiment`,
#'   `Seurat` object (v3 to v5), matrix, `dgCMatrix` or `DelayedMatrix`; only
#'   its genes are used. May be `NULL` when `genes` is given.
#' @param genes character vector of gene names; the vocabulary, in this order.
#' @param species `"human"` or `"mouse"`, or a column of `colData(x)`.
#' @param tfs which genes are transcription factors: `NULL` for the shipped
#'   catalogue ([tfCatalogue()]), gene symbols, a data.frame with a column
#'   `TF`, or a list with `human` and/or `mouse` of either.
#' @param seed `NULL`: the model's random key is drawn from R's generator, so
#'   `set.seed()` governs it. A whole number: that number's own key.
#' @param threads threads of the engine; `NULL`: option `causeway.threads`,
#'   else at most 2.
#' @param assay.type assay to look at; `NULL`: `"counts"`, else the first.
#' @param symbols column of `rowData(x)` (or a vector, one per gene) with gene
#'   symbols. With Ensembl row names they serve as labels and to find the
#'   factors; a usual column such as `gene_short_name` is found by itself.
#' @param minCells genes seen in fewer cells of `x` stay out of the vocabulary.
#' @param conditions most values of platform, species, tissue and disease the
#'   model can learn.
#' @param verbose say what is done.
#' @param ... further arguments of the methods.
#' @return A [FoundationModel-class] with random weights, drawn as in the
#'   published code (Xavier-uniform layers, normal embeddings of sd 0.02).
#' @section Errors: empty or unnamed `x`, duplicated genes, no transcription
#'   factor, unknown or mixed species, and settings that don't fit each other
#'   are errors naming argument, value and remedy.
#' @seealso [trainModel()], [loadModel()], [saveModel()]
#' @references Source of the architecture: scCAFM, Catchxu/scCAFM.
#' @examples
#' cells <- exampleCells()
#' model <- newModel(SFMParam(), cells)
#' model
#' newModel(SFMParam(embedDim = 16, heads = 2), genes = rownames(cells))
#' @rdname newModel
#' @aliases newModel,SFMParam-method
#' @export
setMethod("newModel", "SFMParam", function(param, x = NULL, genes = NULL,
    species = c("human", "mouse"), tfs = NULL, seed = NULL, threads = NULL,
    assay.type = NULL, symbols = NULL, minCells = 1, conditions = 64,
    verbose = FALSE) {
    threads <- .threads(threads)
    conditions <- .checkNumber(conditions, "conditions", 4, 1e6, TRUE)
    if (identical(species, c("human", "mouse"))) {
        species <- "human"
    }
    source <- .vocabSource(x, genes, species, assay.type, symbols, minCells,
        verbose
    )
    tfs <- .resolveTfs(tfs, source$species)
    vocab <- .makeVocab(source$clean, source$symbols, source$type)
    if (!any(.isTf(vocab$gene_symbol, tfs[[source$species]]))) {
        .stopArgument(if (is.null(genes)) "x" else "genes",
            "has no transcription factor of the ", source$species, " list",
            .noTfHint(source$clean, all(grepl("^ENS", source$clean)) &&
                all(is.na(vocab$gene_symbol)))
        )
    }
    .buildModel(param@config, .configJson(param@config), vocab, tfs,
        rows = conditions, key = .newKey(seed), threads = threads,
        maxLength = param@maxLength, species = source$species
    )
})

#' @rdname newModel
#' @aliases newModel,ANY-method
#' @export
setMethod("newModel", "ANY", function(param, ...) {
    .stopArgument("param", "must be an SFMParam, from SFMParam(); it is a ",
        class(param)[[1L]], "."
    )
})

## Names the vocabulary is made of.
.vocabSource <- function(x, genes, species, assay.type, symbols, minCells,
    verbose) {
    if (is.null(x) && is.null(genes)) {
        .stopArgument("x", "is missing; give cells, or gene names with ",
            "'genes'."
        )
    }
    if (!is.null(genes)) {
        if (!is.character(genes) || !length(genes)) {
            .stopArgument("genes", "must be gene names; it is ",
                .show(genes), "."
            )
        }
        input <- list(
            matrix = matrix(0, length(genes), 1L), names = genes,
            cells = "none", geneData = data.frame(row.names = seq_along(genes))
        )
        input <- .nameGenes(input, symbols, verbose)
        input$species <- .resolveSpecies(species)
        return(input)
    }
    input <- .cellInput(x, assay.type, symbols, verbose)
    input$species <- .resolveSpecies(species, input$cellData)
    minCells <- .checkNumber(minCells, "minCells", 0, whole = TRUE)
    if (minCells > 0) {
        all <- seq_len(nrow(input$matrix))
        seen <- .cellsPerGene(input$matrix, all, seq_len(ncol(input$matrix)))
        keep <- which(seen >= minCells)
        if (length(keep) < 2L) {
            .stopArgument("x", "has ", length(keep), " genes seen in ",
                minCells, " cells or more; a vocabulary needs two."
            )
        }
        input$clean <- input$clean[keep]
        input$symbols <- input$symbols[keep]
    }
    input
}

.buildModel <- function(config, json, vocab, tfs, rows, key, threads,
    maxLength, species = "human") {
    .checkModelMemory(config, max(vocab$token_index) + rows + 1)
    ptr <- .Call(cw_r_model_new, as.character(json),
        as.integer(max(vocab$token_index) + 1L), as.integer(rows),
        as.integer(.padIndex(vocab)), as.double(key), as.integer(threads)
    )
    state <- new.env(parent = emptyenv())
    state$conditions <- data.frame(
        cond_value = c("<unk>", "human", "mouse")[seq_len(min(3L, rows))],
        token_index = seq_len(min(3L, rows)) - 1L
    )
    state$conditionRows <- as.integer(rows)
    state$maxLength <- as.integer(maxLength)
    state$key <- key
    state$species <- species
    state$source <- "new"
    state$status <- "untrained"
    state$report <- NULL
    state$run <- NULL
    state$log <- NULL
    state$tokens <- NULL
    state$student <- NULL
    new("FoundationModel",
        ptr = ptr, config = config, vocab = vocab, tfs = tfs, state = state
    )
}

## Weights alone, in 32 bits, before the engine asks for them.
.checkModelMemory <- function(config, rows) {
    s <- config$sfm
    d <- as.numeric(s$embed_dim)
    hidden <- s$backbone_mlp_hidden_dim
    hidden <- if (is.null(hidden)) 4 * d else as.numeric(hidden)
    need <- 4 * (d * rows + 5 * d^2 + s$num_layers * (4 * d^2 + 3 * d * hidden))
    limit <- .memoryLimit()
    if (is.finite(need) && need > limit) {
        stop("not enough memory: the weights of this model (embed_dim ", d,
            ", ", s$num_layers, " layers, ", rows, " genes and conditions) ",
            "take ", .bytes(need), ", and ", .bytes(limit), " may be used. ",
            "Make the model smaller, or raise ",
            "options(causeway.memoryLimit = bytes).",
            call. = FALSE
        )
    }
    invisible(need)
}

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
        .stopArgument("model", "must be a FoundationModel, from newModel() ",
            "or loadModel(); it is a ", class(model)[[1L]], "."
        )
    }
    .alive(model)
}

## ---- looking at a model ----------------------------------------------------

#' @rdname FoundationModel-class
#' @export
setMethod("modelTensors", "FoundationModel", function(x, ...) {
    .alive(x)
    all <- .Call(cw_r_model_tensors, x@ptr)
    shape <- lapply(all$shape, as.numeric)
    data.frame(
        name = all$name,
        shape = vapply(shape, paste, character(1), collapse = " x "),
        parameters = vapply(shape, prod, numeric(1))
    )
})

#' @rdname FoundationModel-class
#' @export
setMethod("conditionTable", "FoundationModel", function(x, ...) {
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
    .fromRowMajor(.Call(cw_r_model_get, model@ptr, name), shape)
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
    .Call(cw_r_model_set, model@ptr, name, .toRowMajor(value))
    invisible(model)
}

.tensorShape <- function(model, name) {
    .checkText(name, "name")
    all <- .Call(cw_r_model_tensors, model@ptr)
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
#'   `sparsity`, `total` (means over the step's batches, weighted as they enter
#'   the total), `gradNorm` (before clipping), `lr`, `seconds` and `run`. A
#'   loss that is off is `NA`. `elbo` is per cell, summed over its genes; it
#'   is the negative log of a density, so it may fall below 0.
#'   `modelReport()`: `NULL` for a new model, else a list with `path`,
#'   `layout`, `missing`, `unexpected`, `misshapen`, `loaded`, `notes`.
#' @section Errors: none; a dead model still has its history.
#' @examples
#' model <- newModel(SFMParam(), exampleCells(), seed = 1)
#' trainModel(model, exampleCells(), epochs = 1, verbose = FALSE)
#' trainingHistory(model)
#' modelReport(model)
#' @rdname trainingHistory
#' @export
setMethod("trainingHistory", "FoundationModel", function(model,
    run = c("last", "all"), ...) {
    run <- match.arg(run)
    log <- model@state$log
    if (is.null(log)) {
        log <- .emptyLog(0L)
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

.logColumns <- c(
    "step", "epoch", "elbo", "prior", "dag", "sparsity", "total",
    "gradNorm", "lr", "seconds", "run"
)

.emptyLog <- function(n) {
    matrix(NA_real_, n, length(.logColumns),
        dimnames = list(NULL, .logColumns)
    )
}

#' @rdname FoundationModel-class
#' @export
setMethod("show", "FoundationModel", function(object) {
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
            " epochs), prior ", run$prior, "\n",
            sep = ""
        )
    }
    if (!.isAlive(object)) {
        cat("  the weights are gone (readRDS?): see ?saveModel, ?loadModel\n")
    } else {
        cat("  next: trainModel(model, x), inferGRN(x, model), ",
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
setMethod("summary", "FoundationModel", function(object, ...) {
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
