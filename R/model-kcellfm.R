## KCellFM: settings, new models, published files.

#' Settings of a KCellFM model
#'
#' For [newModel()]. The defaults are the published sizes; random weights are
#' only good for trying things out and for training on data of one's own.
#'
#' @param embedDim,layers width, and layers of Mamba 2.
#' @param stateDim,headDim,expand of Mamba 2: width of a head's state, of a head,
#'   and the inner width in widths (a multiple of `headDim`).
#' @param bidirectional read the genes backwards, too?
#' @param strategy what becomes of the two directions: their mean (`"add"`) or
#'   their product (`"ew_multiply"`).
#' @param tied do both directions share the two large matrices of a layer?
#' @param cell a cell's vector: of the token in front of its genes (`"cls"`), the
#'   mean of all (`"avg-pool"`), or their mean weighted by the values, of length 1
#'   (`"w-pool"`). The published code counts padding in the latter two; here a
#'   cell has no padding, so that its vector depends on no other cell.
#' @param classes classes of the class head.
#' @param dropout dropout in training, of what the values are read as.
#' @param object a `KCellFMParam`.
#' @return An object of class `KCellFMParam`.
#' @section Errors: a value out of range, or a `headDim` that doesn't divide the
#'   inner width.
#' @references KCellFM (2025), nudt-bioinfo/KCFM. Dao & Gu (2024), Mamba 2.
#' @seealso [KCellFMModel-class], [loadModel()]
#' @examples
#' KCellFMParam()
#' KCellFMParam(embedDim = 16, layers = 2, stateDim = 8, headDim = 8)
#' @export
KCellFMParam <- function(embedDim = 512, layers = 6, stateDim = 128,
    headDim = 64, expand = 2, bidirectional = TRUE,
    strategy = c("add", "ew_multiply"), tied = TRUE,
    cell = c("cls", "avg-pool", "w-pool"), classes = 164, dropout = 0.1) {
    strategy <- .oneOf(if (missing(strategy)) "add" else strategy,
        c("add", "ew_multiply"), "strategy"
    )
    cell <- .oneOf(if (missing(cell)) "cls" else cell,
        c("cls", "avg-pool", "w-pool"), "cell"
    )
    given <- mget(setdiff(names(formals(KCellFMParam)), c("strategy", "cell")))
    table <- .engineSettings("kcellfm")
    settings <- .checkSettings(given, table[table$argument %in% names(given), ])
    inner <- settings$embedDim * settings$expand
    if (inner %% settings$headDim != 0) {
        .stopArgument("headDim", "must divide the inner width of ", inner,
            " ('embedDim' times 'expand'); it is ", settings$headDim, "."
        )
    }
    settings$strategy <- strategy
    settings$cell <- cell
    new("KCellFMParam", settings = settings)
}

#' @rdname KCellFMParam
#' @name KCellFMParam-class
#' @exportClass KCellFMParam
setClass("KCellFMParam", contains = "CausewayParam")

#' @rdname KCellFMParam
#' @export
setMethod("show", "KCellFMParam", function(object) {
    s <- object@settings
    cat("KCellFMParam: ", s$layers, " layers, width ", s$embedDim, ", ",
        s$embedDim * s$expand / s$headDim, " heads with states of ",
        s$stateDim, "\n",
        sep = ""
    )
})

#' KCellFM
#'
#' KCellFM (2025) reads a cell's genes one after the other, in both directions,
#' by layers of Mamba 2 whose cost grows with the genes, not their square. The
#' order of the genes matters: it is that of the rows of `x`. Names of cell
#' types, turned into vectors by a text encoder that was taught the Cell
#' Ontology ([embedText()], [ontologyTriples()]), are what its cells' vectors
#' are drawn to in training, so that cells of types nobody has seen can be
#' named ([rankNovelTypes()]). [embedCells()], [embedGenes()], [trainModel()]
#' (pre-training, and annotation with the published freeze schedule) and
#' [predictClasses()] work with it.
#'
#' @section The folder: one file of weights, a plain state dictionary (`.pth`,
#'   `.pt`, `.bin`, `.safetensors`), and scGPT's `vocab.json`. In the
#'   repository the weights are pointers of git-lfs: these are told, and have to
#'   be fetched. Sizes are told from the weights; a `config.json` may say more
#'   (`bidirectional_strategy`, `cell_emb_style`). Names of the 164 classes are
#'   in no published file.
#'
#' @slot vocab data.frame with columns `gene` and `token`, from 0.
#' @slot special the tokens `<pad>` and `<cls>`.
#' @param object a model.
#' @return `show()` prints and returns nothing.
#' @section Errors: no weights, several files of them, or a pointer of git-lfs;
#'   a vocabulary with more tokens than the weights have; tensors that are
#'   missing: each names the file.
#' @references KCellFM (2025), nudt-bioinfo/KCFM.
#' @seealso [KCellFMParam()], [loadModel()], [saveModel()]
#' @examples
#' newModel(KCellFMParam(embedDim = 16, layers = 1, stateDim = 8, headDim = 8),
#'     rownames(exampleCells()), seed = 1)
#' @name KCellFMModel-class
#' @aliases KCellFMModel
#' @exportClass KCellFMModel
setClass("KCellFMModel", contains = "FoundationModel", slots = c(
    vocab = "data.frame", special = "integer"
))

#' @rdname newModel
#' @export
setMethod("newModel", "KCellFMParam", function(param, x = NULL, genes = NULL,
    assay.type = NULL, symbols = NULL, assay = NULL, seed = NULL,
    threads = NULL, ...) {
    .noDots(...)
    genes <- .modelGenes(x, genes, .inputArgs(assay.type, symbols,
        assay = assay
    ))
    s <- .engineNames(param@settings, "kcellfm")
    .kcellfmModel(s, .newVocab(genes), .newKey(seed), .threads(threads), "new")
})

## config: settings as the engine calls them; `ntoken` where the gene table has
## more rows than the vocabulary.
.kcellfmModel <- function(config, vocab, key, threads, layout) {
    .tokenModel("KCellFMModel", "kcellfm", config, vocab, key, threads, layout)
}

#' @rdname KCellFMModel-class
#' @export
setMethod("show", "KCellFMModel", function(object) {
    s <- object@config
    .encoderShow(object, "KCellFM", c(
        paste0(s$nlayers, " layers, width ", s$d_model,
            if (isFALSE(s$bidirectional)) ", forwards only" else
                ", both directions"
        ),
        paste0("genes: ", .count(nrow(object@vocab) - 3L, "token")),
        if (length(object@state$classes)) {
            paste0("classes: ", .some(object@state$classes))
        }
    ), "embedCells(x, model), embedGenes(x, model), trainModel(x, model)")
})

## ---- published files -------------------------------------------------------

.kcellfmWeights <- "\\.(pth|pt|bin|safetensors)$"
.kcellfmCore <- "^(module\\.)?mamba_encoder\\.0\\.mamba_fwd\\.A_log$"

## A folder of KCellFM's: by the names of its weights, or a pointer to some.
.isKCellFM <- function(path) {
    if (file.exists(file.path(path, "args.json"))) {
        return(FALSE)
    }
    files <- list.files(path, .kcellfmWeights, full.names = TRUE)
    for (file in files[!dir.exists(files)]) {
        found <- tryCatch(.checkpointTensors(file)$name, error = function(e) {
            if (grepl("git-lfs", conditionMessage(e), fixed = TRUE)) NA
        })
        if (anyNA(found) || any(grepl(.kcellfmCore, found))) {
            return(TRUE)
        }
    }
    FALSE
}

.loadKCellFM <- function(path, threads, strict, verbose) {
    files <- list.files(path, .kcellfmWeights)
    files <- files[!dir.exists(file.path(path, files))]
    if ("model.safetensors" %in% files) {
        files <- "model.safetensors"
    }
    if (length(files) != 1L) {
        .stopArgument("path", "is \"", path, "\", which has several files of ",
            "weights (", .some(files), "); leave one."
        )
    }
    file <- file.path(path, files)
    shapes <- .checkpointShapes(file)
    names(shapes) <- sub("^module\\.", "", names(shapes))
    said <- file.path(path, "config.json")
    said <- if (file.exists(said)) .readJson(said, FALSE) else list()
    vocab <- .scgptVocab(file.path(path, "vocab.json"))
    config <- .kcellfmConfig(said, shapes, file)
    if (max(vocab$token) >= config$ntoken) {
        stop("the vocabulary of '", path, "' has tokens up to ",
            max(vocab$token), ", its weights ", config$ntoken, " rows: they ",
            "don't belong together.",
            call. = FALSE
        )
    }
    model <- .kcellfmModel(config, vocab, .newKey(0), threads, "KCellFM")
    model@state$classes <- as.character(unlist(said$class_names))
    model@state$genes <- as.character(unlist(said$class_genes))
    model@state$tuning <- said$reading
    needed <- "^(encoder|value_encoder|mamba_encoder)\\."
    model <- .finishEncoder(model, file, path, character(), needed, strict,
        verbose
    )
    if (isFALSE(config$bidirectional_weight_tie) &&
        is.null(said$bidirectional_weight_tie)) {
        model <- .kcellfmTie(model)
    }
    model
}

## Settings told from the weights; what a config.json says comes first. Whether
## matrices are tied is seen when they have been read.
.kcellfmConfig <- function(said, shapes, file) {
    need <- c("encoder.embedding.weight", "cls_decoder.out_layer.weight",
        paste0("mamba_encoder.0.mamba_fwd.", c("A_log", "norm.weight",
            "conv1d.weight"))
    )
    lost <- setdiff(need, names(shapes))
    if (length(lost)) {
        stop("'", file, "' has no ", .some(lost), ": not KCellFM's weights.",
            call. = FALSE
        )
    }
    layer <- sub("^mamba_encoder\\.([0-9]+)\\..*$", "\\1",
        grep("^mamba_encoder\\.", names(shapes), value = TRUE)
    )
    at <- function(part) shapes[[paste0("mamba_encoder.0.mamba_fwd.", part)]]
    width <- shapes[["encoder.embedding.weight"]][[2L]]
    inner <- at("norm.weight")[[1L]]
    conv <- at("conv1d.weight")
    both <- any(grepl("mamba_rev", names(shapes)))
    config <- list(
        ntoken = shapes[["encoder.embedding.weight"]][[1L]], d_model = width,
        nlayers = length(unique(layer)),
        class_num = shapes[["cls_decoder.out_layer.weight"]][[1L]],
        mamba2.d_state = (conv[[1L]] - inner) %/% 2L,
        mamba2.d_conv = conv[[3L]], mamba2.expand = inner %/% width,
        mamba2.headdim = inner %/% at("A_log")[[1L]], bidirectional = both,
        bidirectional_weight_tie = FALSE
    )
    for (name in names(said$mamba2)) {
        said[[paste0("mamba2.", name)]] <- said$mamba2[[name]]
    }
    said[c("mamba2", "ntoken", "pad_token_id", "cls_token_id")] <- NULL
    known <- .knownConfig(said, "kcellfm")$known
    config[names(known)] <- known
    config
}

## The same model with one matrix for both directions where they are the same.
.kcellfmTie <- function(model) {
    names <- grep("mamba_rev\\.(in|out)_proj\\.weight$",
        modelTensors(model)$name, value = TRUE
    )
    same <- vapply(names, function(name) {
        identical(modelTensor(model, name),
            modelTensor(model, sub("mamba_rev", "mamba_fwd", name))
        )
    }, NA)
    if (!length(same) || !all(same)) {
        return(model)
    }
    config <- model@config
    config$bidirectional_weight_tie <- TRUE
    .copyWeights(model, .kcellfmModel(config, model@vocab, .newKey(0),
        model@state$threads, model@state$layout
    ))
}

#' @rdname saveModel
#' @export
setMethod("saveModel", "KCellFMModel", function(model, dir, overwrite = FALSE,
    ...) {
    .noDots(...)
    .alive(model)
    target <- .encoderFolder(dir, overwrite,
        c("config.json", "vocab.json", "model.safetensors")
    )
    .writeFolder(target, function(part) {
        state <- model@state
        config <- c(list(model_type = "kcellfm"), model@config)
        if (length(state$classes)) {
            config$class_names <- as.list(state$classes)
            config$class_genes <- as.list(state$genes)
            config$reading <- state$tuning[c("maxLength", "alreadyNormalised",
                "zeros")]
        }
        .writeLines(as.character(.configJson(config)),
            file.path(part, "config.json")
        )
        .writeVocab(model@vocab, part)
        .engineSave(model, file.path(part, "model.safetensors"))
    })
    invisible(dir)
})
