## scGPT: settings, new models, published folders.

#' Settings of an scGPT model
#'
#' For [newModel()]. The defaults are the sizes of the published whole-human
#' model; random weights are only good for trying things out and for training
#' on data of one's own.
#'
#' @param embedDim width, a multiple of `heads`.
#' @param layers,heads,hiddenDim Transformer layers, attention heads, hidden
#'   width of the layers' networks.
#' @param classLayers,classes layers and classes of the class head.
#' @param dropout dropout in training. (Attention weights aren't dropped.)
#' @param mvc a head that tells values from the cell's vector and a gene?
#' @param zeros heads for the probability that a value is above 0?
#' @param batches number of batches that the heads are told; 0: none.
#' @param object an `ScGPTParam`.
#' @return An object of class `ScGPTParam`.
#' @section Errors: a value out of range, or an `embedDim` that `heads` doesn't
#'   divide.
#' @seealso [EncoderModel-class], [loadModel()]
#' @examples
#' ScGPTParam(embedDim = 32, layers = 2, heads = 4, hiddenDim = 32)
#' @export
ScGPTParam <- function(embedDim = 512, layers = 12, heads = 8,
    hiddenDim = embedDim, classLayers = 3, classes = 1, dropout = 0.2,
    mvc = TRUE, zeros = FALSE, batches = 0) {
    given <- mget(names(formals(ScGPTParam)))
    table <- .engineSettings("scgpt")
    settings <- .checkSettings(given, table[table$argument %in% names(given), ])
    if (settings$embedDim %% settings$heads != 0) {
        .stopArgument("embedDim", "must be a multiple of 'heads' (",
            settings$heads, "); it is ", settings$embedDim, "."
        )
    }
    new("ScGPTParam", settings = settings)
}

#' @rdname ScGPTParam
#' @name ScGPTParam-class
#' @exportClass ScGPTParam
setClass("ScGPTParam", contains = "CausewayParam")

#' @rdname ScGPTParam
#' @export
setMethod("show", "ScGPTParam", function(object) {
    s <- object@settings
    cat("ScGPTParam: ", s$layers, " layers, width ", s$embedDim, ", ",
        s$heads, " heads\n",
        sep = ""
    )
})

#' @rdname newModel
#' @export
setMethod("newModel", "ScGPTParam", function(param, x = NULL, genes = NULL,
    assay.type = NULL, symbols = NULL, assay = NULL, seed = NULL,
    threads = NULL, ...) {
    .noDots(...)
    genes <- .modelGenes(x, genes, .inputArgs(assay.type, symbols,
        assay = assay
    ))
    s <- .engineNames(param@settings, "scgpt")
    .scgptModel(s, .newVocab(genes), .newKey(seed), .threads(threads), "new")
})

## config: settings as the engine calls them, without those of the vocabulary.
.scgptModel <- function(config, vocab, key, threads, layout) {
    .tokenModel("ScGPTModel", "scgpt", config, vocab, key, threads, layout)
}

#' @rdname EncoderModel-class
#' @export
setMethod("show", "ScGPTModel", function(object) {
    s <- object@config
    .encoderShow(object, "scGPT", c(
        paste0(s$nlayers, " layers, width ", s$embsize, ", ", s$nheads,
            " heads"
        ),
        paste0("genes: ", .count(nrow(object@vocab) - 3L, "token")),
        if (length(object@state$classes)) {
            paste0("classes: ", .some(object@state$classes))
        }
    ), "embedCells(x, model), embedGenes(x, model), inferGRN(x, model)")
})

## ---- published folders -----------------------------------------------------

.scgptWeights <- c("best_model.safetensors", "best_model.pt")

.loadScGPT <- function(path, threads, strict, verbose) {
    args <- .readJson(file.path(path, "args.json"), FALSE)
    vocab <- .scgptVocab(file.path(path, "vocab.json"))
    file <- .encoderWeights(path, .scgptWeights)
    config <- .scgptConfig(args, .checkpointShapes(file), path)
    model <- .scgptModel(config$config, vocab, .newKey(0), threads, "scGPT")
    model@state$classes <- as.character(unlist(args$classes))
    model@state$genes <- as.character(unlist(args$genes))
    ## heads of one class are untrained in published files
    needed <- "^(encoder|value_encoder|transformer_encoder)\\."
    model <- .finishEncoder(model, file, path, config$notes, needed, strict,
        verbose
    )
    .say(verbose, "Its vocabulary has ", nrow(vocab), " tokens.")
    model
}

## data.frame(gene, token) of an object {"gene": token}.
.scgptVocab <- function(file) {
    raw <- .readJson(file, FALSE)
    token <- suppressWarnings(as.numeric(unlist(raw)))
    if (!is.list(raw) || is.null(names(raw)) || !length(raw) ||
        length(token) != length(raw) || anyNA(token) || any(token < 0) ||
        any(token != round(token)) || anyDuplicated(token) ||
        max(token) > 1e8) {
        stop("the vocabulary '", file, "' must be an object that gives every ",
            "gene its own whole number from 0 up.",
            call. = FALSE
        )
    }
    lost <- setdiff(c("<pad>", "<cls>"), names(raw))
    if (length(lost)) {
        stop("the vocabulary '", file, "' has no ",
            paste(lost, collapse = " and no "), ": the model can't read cells ",
            "without. Is it the vocab.json that came with the weights?",
            call. = FALSE
        )
    }
    data.frame(gene = names(raw), token = as.integer(token))
}

## What of args.json is about the architecture; what it doesn't say is told
## from the shapes of the weights.
.scgptConfig <- function(args, shapes, path) {
    at <- function(pattern) {
        found <- grep(pattern, names(shapes))
        if (length(found)) shapes[[found[[1L]]]]
    }
    need <- c("embsize", "nheads", "d_hid", "nlayers")
    lost <- need[vapply(need, function(n) is.null(args[[n]]), NA)]
    if (length(lost)) {
        stop("'", file.path(path, "args.json"), "' doesn't say ",
            .some(lost), ".",
            call. = FALSE
        )
    }
    args$explicit_zero_prob <- !is.null(at("decoder.zero_logit.0.weight$"))
    args$do_mvc <- !is.null(at("mvc_decoder.gene2query.weight$"))
    args$mvc_detach <- isTRUE(grepl("detach", args$mvc_decoder_style))
    head <- at("cls_decoder.out_layer.weight$")
    args$n_cls <- if (is.null(head)) 1L else head[[1L]]
    batch <- at("batch_encoder.embedding.weight$")
    args$num_batch_labels <- if (is.null(batch)) 0L else batch[[1L]]
    lora <- at("linear1.lora_down$")
    args$lora_rank <- if (is.null(lora)) 0L else lora[[1L]]
    table <- at("value_encoder.embedding.weight$")
    if (!is.null(table)) {
        args$n_input_bins <- table[[1L]]
        args$input_emb_style <- "category"
    }
    if (isTRUE(args$pre_norm)) {
        stop("'", path, "' holds a pre-norm scGPT model, which isn't ",
            "supported; the published models are post-norm.",
            call. = FALSE
        )
    }
    parts <- .knownConfig(args, "scgpt")
    style <- parts$known$input_emb_style
    if (length(style) && !style %in% c("continuous", "category")) {
        stop("'", path, "' reads values in the style \"", style, "\"; known ",
            "are \"continuous\" and \"category\".",
            call. = FALSE
        )
    }
    parts$known[c("ntoken", "pad_token_id", "cls_token_id")] <- NULL
    list(config = parts$known, notes = character())
}

#' @rdname saveModel
#' @export
setMethod("saveModel", "ScGPTModel", function(model, dir, overwrite = FALSE,
    ...) {
    .noDots(...)
    .alive(model)
    target <- .encoderFolder(dir, overwrite,
        c("args.json", "vocab.json", "model.safetensors")
    )
    .writeFolder(target, function(part) {
        args <- c(model@config, list(pad_token = "<pad>"))
        if (length(model@state$classes)) {
            args$classes <- as.list(model@state$classes)
            args$genes <- as.list(model@state$genes)
        }
        .writeLines(as.character(.configJson(args)),
            file.path(part, "args.json")
        )
        .writeVocab(model@vocab, part)
        .engineSave(model, file.path(part, "model.safetensors"))
    })
    invisible(dir)
})
