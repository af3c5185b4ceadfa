## CellFM: settings, new models, published files.

#' Settings of a CellFM model
#'
#' For [newModel()]. `size` gives the published sizes by name; arguments that
#' are given replace what it says. Random weights are only good for trying
#' things out and for training on data of one's own.
#'
#' @param size `"80M"` (2 layers) or `"800M"` (40 layers), both of width 1,536
#'   with 48 heads.
#' @param embedDim,layers,heads,valueDim width (a multiple of `heads`), ERetNet
#'   layers, heads of gated attention, hidden width of the network that reads
#'   values; `NULL`: those of `size`.
#' @param variant `"pretrain"`: one token in front of a cell's genes;
#'   `"finetune"`: two more, for the depth that was read and the one aimed at.
#' @param padZero slots without a count are 0 and no keys. `FALSE`: they are
#'   marked, and (`addZero`) whether a gene has a count is told, too.
#' @param addZero see `padZero`.
#' @param loraRank rank of thin pairs beside every matrix of the layers; 0:
#'   none.
#' @param dropout dropout of the last layer's branches in training; earlier
#'   layers have less.
#' @param slope,eps slope of LeakyReLU below 0 and epsilon of the norms:
#'   MindSpore's, in which CellFM was trained; its PyTorch port has 0.01 and
#'   1e-5.
#' @param object a `CellFMParam`.
#' @return An object of class `CellFMParam`.
#' @section Errors: a value out of range, or an `embedDim` that `heads` doesn't
#'   divide.
#' @references Zeng et al. (2025), CellFM, Nature Communications 16:4679
#'   (biomed-AI/CellFM).
#' @seealso [CellFMModel-class], [loadModel()]
#' @examples
#' CellFMParam("80M")
#' CellFMParam(embedDim = 32, layers = 2, heads = 4, valueDim = 16)
#' @export
CellFMParam <- function(size = c("80M", "800M"), embedDim = NULL,
    layers = NULL, heads = NULL, valueDim = NULL,
    variant = c("pretrain", "finetune"), padZero = TRUE, addZero = TRUE,
    loraRank = 0, dropout = 0.1, slope = 0.2, eps = 1e-7) {
    size <- .oneOf(if (missing(size)) "80M" else size, c("80M", "800M"), "size")
    variant <- .oneOf(if (missing(variant)) "pretrain" else variant,
        c("pretrain", "finetune"), "variant"
    )
    given <- list(embedDim = embedDim, layers = layers, heads = heads,
        valueDim = valueDim, padZero = padZero, addZero = addZero,
        loraRank = loraRank, dropout = dropout, slope = slope, eps = eps
    )
    table <- .engineSettings("cellfm")
    preset <- .enginePresets("cellfm")[[size]]
    for (name in names(Filter(is.null, given))) {
        given[[name]] <- preset[[table$name[match(name, table$argument)]]]
    }
    settings <- .checkSettings(given, table[table$argument %in% names(given), ])
    if (settings$embedDim %% settings$heads != 0) {
        .stopArgument("embedDim", "must be a multiple of 'heads' (",
            settings$heads, "); it is ", settings$embedDim, "."
        )
    }
    settings$variant <- variant
    new("CellFMParam", settings = settings)
}

#' @rdname CellFMParam
#' @name CellFMParam-class
#' @exportClass CellFMParam
setClass("CellFMParam", contains = "CausewayParam")

#' @rdname CellFMParam
#' @export
setMethod("show", "CellFMParam", function(object) {
    s <- object@settings
    cat("CellFMParam: ", s$layers, " layers, width ", s$embedDim, ", ",
        s$heads, " heads (", s$variant, ")\n",
        sep = ""
    )
})

#' CellFM
#'
#' CellFM (Zeng et al. 2025) reads a cell as the genes it expresses, each the
#' sum of its own vector and its value's, with gated attention whose cost grows
#' with the genes, not their square. [loadModel()] reads the published
#' MindSpore checkpoint and files of the PyTorch port; `newModel()` with
#' [CellFMParam()] makes small ones. [embedCells()], [embedGenes()],
#' [trainModel()] (pre-training, annotation, LoRA), [predictClasses()],
#' [attentionGenes()] work with it.
#'
#' @section The folder: one file of weights (`.ckpt`, `.pt`, `.pth`, `.bin`,
#'   `.safetensors`) and the table of genes that goes with it, `gene_info.csv`
#'   or `expand_gene_info.csv`, whose first column has the genes in the order
#'   of the model's rows. The published two tables differ: with the wrong one
#'   every gene would be another, so a table whose length doesn't fit the
#'   weights is refused. Sizes are told from the weights; the number of heads,
#'   which no weight tells, is a width of 32 each as published, unless a
#'   `config.json` (`enc_num_heads`) says otherwise. MindSpore's files have a
#'   LeakyReLU slope of 0.2 and an epsilon of 1e-7, the port's 0.01 and 1e-5.
#'
#' @slot vocab data.frame with columns `gene` and `token`, from 1.
#' @param object a model.
#' @return `show()` prints and returns nothing.
#' @section Errors: no weights, or several files of them; no table of genes, or
#'   one of another length; tensors that are missing: each names the file.
#' @references Zeng et al. (2025), CellFM, Nature Communications 16:4679.
#' @seealso [CellFMParam()], [loadModel()], [saveModel()]
#' @examples
#' newModel(CellFMParam(embedDim = 16, layers = 1, heads = 2, valueDim = 8),
#'     rownames(exampleCells()), seed = 1)
#' @name CellFMModel-class
#' @aliases CellFMModel
#' @exportClass CellFMModel
setClass("CellFMModel", contains = "FoundationModel",
    slots = c(vocab = "data.frame")
)

#' @rdname newModel
#' @export
setMethod("newModel", "CellFMParam", function(param, x = NULL, genes = NULL,
    assay.type = NULL, symbols = NULL, assay = NULL, seed = NULL,
    threads = NULL, ...) {
    .noDots(...)
    genes <- .modelGenes(x, genes, .inputArgs(assay.type, symbols,
        assay = assay
    ))
    s <- .engineNames(param@settings, "cellfm")
    .cellfmModel(s, genes, .newKey(seed), .threads(threads), "new")
})

## config: settings as the engine calls them.
.cellfmModel <- function(config, genes, key, threads, layout) {
    config$n_genes <- length(genes)
    .encoderModel("CellFMModel", "cellfm", config, key, threads, layout,
        vocab = data.frame(gene = genes, token = seq_along(genes))
    )
}

#' @rdname CellFMModel-class
#' @export
setMethod("show", "CellFMModel", function(object) {
    s <- object@config
    .encoderShow(object, "CellFM", c(
        paste0(s$enc_nlayers, " layers, width ", s$enc_dims, ", ",
            s$enc_num_heads, " heads (", s$variant, ")"
        ),
        paste0("genes: ", .count(nrow(object@vocab), "token")),
        if (isTRUE(s$lora > 0)) paste0("LoRA pairs of rank ", s$lora),
        if (length(object@state$classes)) {
            paste0("classes: ", .some(object@state$classes))
        }
    ), "embedCells(x, model), embedGenes(x, model), trainModel(x, model)")
})

## ---- published files -------------------------------------------------------

.cellfmWeights <- "\\.(ckpt|pt|pth|bin|safetensors)$"
.cellfmTables <- c("gene_info.csv", "expand_gene_info.csv")

## A folder of CellFM's: by a gene table, or weights with its value encoder.
.isCellFM <- function(path) {
    if (any(file.exists(file.path(path, .cellfmTables)))) {
        return(TRUE)
    }
    files <- list.files(path, .cellfmWeights, full.names = TRUE)
    for (file in files[!dir.exists(files)]) {
        found <- tryCatch(.checkpointTensors(file)$name,
            error = function(e) character()
        )
        if (any(grepl("value_enc\\.value_enc\\.w1\\.weight$", found)) &&
            any(grepl("gene_emb$", found))) {
            return(TRUE)
        }
    }
    FALSE
}

.loadCellFM <- function(path, threads, strict, verbose) {
    file <- .cellfmFile(path)
    found <- .checkpointTensors(file, "path")
    shapes <- setNames(lapply(found$shape, as.integer), found$name)
    said <- file.path(path, "config.json")
    said <- if (file.exists(said)) .readJson(said, FALSE) else list()
    config <- .cellfmConfig(said, shapes, found$format, file)
    genes <- .cellfmTable(path, config$gene_rows, said$n_genes)
    model <- .cellfmModel(config, genes$genes, .newKey(0), threads, "CellFM")
    model@state$classes <- as.character(unlist(said$class_names))
    model@state$genes <- as.character(unlist(said$class_genes))
    model@state$tuning <- said$reading
    needed <- "gene_emb|value_enc|cls_token|encoder\\."
    .finishEncoder(model, file, path, genes$notes, needed, strict, verbose,
        passed = "^(moment[12]|adam_[mv])\\." # the optimiser's
    )
}

.cellfmFile <- function(path) {
    files <- list.files(path, .cellfmWeights)
    files <- files[!dir.exists(file.path(path, files))]
    if ("model.safetensors" %in% files) {
        files <- "model.safetensors"
    }
    if (length(files) != 1L) {
        what <- if (length(files)) {
            paste0("several files of weights (", .some(files), "); leave one")
        } else {
            paste0("a table of CellFM's genes but no weights (.ckpt, .pt, ",
                ".pth, .bin, .safetensors)"
            )
        }
        .stopArgument("path", "is \"", path, "\", which has ", what, ".")
    }
    file.path(path, files)
}

## Settings told from the weights; what a config.json says comes first.
.cellfmConfig <- function(said, shapes, format, file) {
    names(shapes) <- sub("^module\\.", "", names(shapes))
    bare <- sub("^extractor\\.", "", names(shapes))
    at <- function(name) shapes[[match(name, bare)]]
    has <- function(pattern) any(grepl(pattern, bare))
    lost <- setdiff(c("gene_emb", "cls_token", "value_enc.value_enc.w1.weight"),
        bare
    )
    if (length(lost)) {
        stop("'", file, "' has no ", .some(lost), ": not CellFM's weights.",
            call. = FALSE
        )
    }
    layer <- regmatches(bare, regexpr("(?<=^encoder\\.)[0-9]+", bare,
        perl = TRUE
    ))
    width <- at("gene_emb")[[2L]]
    port <- !grepl("mindspore", format, ignore.case = TRUE)
    pair <- grep("lora_q\\.A\\.weight$", bare)
    label <- has("^cluster_emb$")
    own <- has("^query_layer\\.")
    config <- list(
        gene_rows = at("gene_emb")[[1L]], enc_dims = width,
        enc_nlayers = length(unique(layer)),
        enc_num_heads = max(1L, width %/% 32L),
        value_enc_hidden = at("value_enc.value_enc.w1.weight")[[1L]],
        variant = if (own) "annotation" else if (has("^ST_emb$"))
            "finetune" else "pretrain",
        pad_zero = !has("^value_dec\\.zero_logit"), add_zero = TRUE,
        decoders = has("^value_dec\\."), label = label && !own,
        cls_head = has("^cls\\.0\\."),
        num_cls = if (label) at("cluster_emb")[[1L]] else
            if (has("^cls\\.3\\.bias$")) at("cls.3.bias")[[1L]] else 1L,
        lora = if (length(pair)) shapes[[pair[[1L]]]][[1L]] else 0L,
        lora_after = port && length(pair) > 0L,
        leaky_relu_slope = if (port) 0.01 else 0.2,
        layer_norm_eps = if (port) 1e-5 else 1e-7
    )
    if (identical(said$model_type, "cellfm")) {
        ## causeway's own file: what it doesn't say is as in a new model
        config[c("lora_after", "leaky_relu_slope", "layer_norm_eps")] <- NULL
    }
    known <- .knownConfig(said, "cellfm")$known
    config[setdiff(names(known), c("n_genes", "gene_rows"))] <-
        known[setdiff(names(known), c("n_genes", "gene_rows"))]
    config
}

## list(genes, notes): the names of the table's rows 1, 2, ..
.cellfmTable <- function(path, rows, n = NULL) {
    there <- .cellfmTables[file.exists(file.path(path, .cellfmTables))]
    if (!length(there)) {
        .stopArgument("path", "is \"", path, "\", which has no table of ",
            "genes (", paste(.cellfmTables, collapse = " or "), "): the ",
            "weights' rows have no names. Take the table that goes with the ",
            "checkpoint."
        )
    }
    all <- lapply(setNames(nm = there), function(name) {
        .cellfmGenes(file.path(path, name))
    })
    fits <- vapply(all, function(g) {
        8 * ceiling((length(g) + 1) / 8) == rows || length(g) + 1L == rows ||
            length(g) == if (is.null(n)) -1L else n
    }, NA)
    if (!any(fits)) {
        .stopArgument("path", "has ", paste0(names(all), " with ",
            lengths(all), " genes", collapse = ", "), ", but the weights have ",
            rows, " rows: it isn't the table that goes with them (every gene ",
            "would be another)."
        )
    }
    used <- names(which(fits))[[1L]]
    list(genes = all[[used]], notes = paste0("genes are those of ", used))
}

.cellfmGenes <- function(file) {
    table <- tryCatch(utils::read.csv(file, check.names = FALSE,
        colClasses = "character", na.strings = character()
    ), error = function(e) NULL)
    if (is.null(table) || !nrow(table)) {
        stop("'", file, "' is no table of genes.", call. = FALSE)
    }
    genes <- table[[1L]]
    if (all(grepl("^[0-9]+$", genes)) && ncol(table) > 1L) {
        genes <- table[[2L]] # a numbered index
    }
    if (anyDuplicated(genes) || any(!nzchar(genes))) {
        stop("'", file, "' must name every gene once, in its first column.",
            call. = FALSE
        )
    }
    genes
}

#' @rdname saveModel
#' @export
setMethod("saveModel", "CellFMModel", function(model, dir, overwrite = FALSE,
    ...) {
    .noDots(...)
    .alive(model)
    target <- .encoderFolder(dir, overwrite,
        c("config.json", "gene_info.csv", "model.safetensors")
    )
    .writeFolder(target, function(part) {
        state <- model@state
        config <- c(list(model_type = "cellfm"), model@config)
        if (length(state$classes)) {
            config$class_names <- as.list(state$classes)
            config$class_genes <- as.list(state$genes)
            config$reading <- state$tuning[c("maxLength", "alreadyNormalised")]
        }
        .writeLines(as.character(.configJson(config)),
            file.path(part, "config.json")
        )
        .writeCsv(data.frame(gene = model@vocab$gene),
            file.path(part, "gene_info.csv")
        )
        .engineSave(model, file.path(part, "model.safetensors"))
    })
    invisible(dir)
})

## ---- adapters --------------------------------------------------------------

#' Fold LoRA pairs into the matrices they adapt
#'
#' The model then computes the same with fewer tensors, and can be saved for
#' programs that know nothing of LoRA.
#'
#' @param model a CellFM model with LoRA pairs, see [trainModel()].
#' @return A new model without pairs.
#' @section Errors: a model without pairs.
#' @references Hu et al. (2021), LoRA.
#' @seealso [CellFMModel-class]
#' @examples
#' genes <- rownames(exampleCells())
#' model <- newModel(CellFMParam(embedDim = 16, layers = 1, heads = 2,
#'     valueDim = 8, loraRank = 2), genes, seed = 1)
#' mergeLora(model)
#' @export
mergeLora <- function(model) {
    if (!methods::is(model, "CellFMModel")) {
        .stopArgument("model", "must be a CellFM model; it is a ",
            class(model)[[1L]], "."
        )
    }
    .alive(model)
    config <- model@config
    if (!isTRUE(config$lora > 0)) {
        .stopArgument("model", "has no LoRA pairs to merge.")
    }
    after <- isTRUE(config$lora_after)
    config$lora <- 0L
    config$lora_after <- FALSE
    made <- .cellfmModel(config, model@vocab$gene, .newKey(0),
        model@state$threads, model@state$layout
    )
    .copyWeights(model, made)
    names <- modelTensors(model)$name
    for (down in grep("lora_[qkvuo]\\.A\\.weight$", names, value = TRUE)) {
        of <- sub("lora_([qkvuo])\\.A\\.weight$", "\\1_proj.weight", down)
        w <- modelTensor(model, of)
        pair <- modelTensor(model, sub("\\.A\\.", ".B.", down)) %*%
            modelTensor(model, down)
        if (after && grepl("o_proj", of)) {
            pair <- pair %*% w
        }
        setModelTensor(made, of, w + pair)
    }
    made
}
