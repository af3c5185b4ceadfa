## BERT: published folders of encoders of texts.

#' Encoders of texts
#'
#' BERT models (Devlin et al. 2019) as [FoundationModel-class]: PubMedBERT and
#' its relatives, sentence encoders, and KCFM's ontology encoder (PubMedBERT
#' with a projection). [loadModel()] reads their published folders,
#' [embedText()] turns texts into vectors.
#'
#' @section The folder: `config.json` and `vocab.txt`, and the weights in
#'   `model.safetensors`, `pytorch_model.bin`, shards with their index, or
#'   KCFM's `finetune_bert.pth`. Names with and without `bert.` are read, norms named
#'   `gamma` and `beta` too. Of a sentence encoder's further files those that
#'   say how its vectors are made are heeded (`1_Pooling/config.json`,
#'   `modules.json`, `sentence_bert_config.json`), and `tokenizer_config.json`'s
#'   `do_lower_case`. Which heads there are is told from the weights.
#'
#' @slot vocab data.frame with the columns `token` and `id`, from 0.
#' @param object,model a model.
#' @param dir folder to write, which doesn't exist or, with `overwrite`, holds
#'   such a model.
#' @param overwrite `TRUE`: a model that is there is replaced.
#' @param ... not used.
#' @return `show()` prints and returns nothing; `saveModel()` returns `dir`,
#'   invisibly.
#' @section Errors: a vocabulary without `[UNK]`, `[CLS]`, `[SEP]` or `[PAD]`,
#'   or with more tokens than the weights have; tensors that are missing or have
#'   another shape than `config.json` says; an activation or a kind of positions
#'   that isn't BERT's. Each names the file.
#' @references Devlin et al. (2019), BERT. Gu et al. (2021), PubMedBERT.
#' @seealso [embedText()], [loadModel()], [modelReport()]
#' @examples
#' model <- loadModel(system.file("extdata", "bert", package = "causeway"))
#' model
#' modelReport(model)$loaded
#' @name BertModel-class
#' @aliases BertModel
#' @exportClass BertModel
setClass("BertModel", contains = "FoundationModel",
    slots = c(vocab = "data.frame")
)

#' @rdname BertModel-class
#' @export
setMethod("show", "BertModel", function(object) {
    s <- object@config
    heads <- c("pooler"[isTRUE(s$pooler)],
        "masked tokens"[isTRUE(s$mlm_head)],
        "pairs of texts"[isTRUE(s$nsp_head)],
        if (s$projection > 0) paste("projection to", s$projection)
    )
    .encoderShow(object, "BERT", c(
        paste0(s$num_hidden_layers, " layers, width ", s$hidden_size, ", ",
            s$num_attention_heads, " heads"
        ),
        paste0("vocabulary: ", .count(nrow(object@vocab), "token"),
            ", at most ", object@state$maxLength, " a text"
        ),
        if (length(heads)) paste0("heads: ", paste(heads, collapse = ", "))
    ), "embedText(x, model)")
})

.bertWeights <- c("pytorch_model.bin", "model.safetensors.index.json",
    "pytorch_model.bin.index.json", "finetune_bert.pth"
)

.isBert <- function(path) {
    config <- .readJson(file.path(path, "config.json"), FALSE)
    need <- c("hidden_size", "num_hidden_layers", "num_attention_heads",
        "intermediate_size"
    )
    is.list(config) && all(need %in% names(config)) &&
        (is.null(config$model_type) || identical(config$model_type, "bert"))
}

.loadBert <- function(path, threads, strict, verbose) {
    if (length(.geneformerFiles(path)$token)) {
        return(.loadGeneformer(path, threads, strict, verbose))
    }
    file <- .encoderWeights(path, .bertWeights)
    lines <- file.path(path, "vocab.txt")
    if (!file.exists(lines)) {
        .stopArgument("path", "is \"", path, "\", which has no vocab.txt (a ",
            "text encoder) and no token dictionary (Geneformer)."
        )
    }
    vocab <- .bertVocab(lines)
    config <- .bertConfig(path, .checkpointShapes(file), nrow(vocab))
    model <- .bertModel("BertModel", config, threads, "BERT", vocab = vocab)
    model@state$tokenizer <- .bertTokenizer(path, config)
    model@state$vocabText <- readBin(lines, "raw", file.size(lines))
    model@state$maxLength <- model@state$tokenizer$maxLength
    .finishBert(model, file, path, strict, verbose)
}

.bertModel <- function(class, config, threads, layout, ...) {
    known <- .knownConfig(config, "bert")$known
    .encoderModel(class, "bert", known, .newKey(0), threads, layout, ...)
}

.finishBert <- function(model, file, path, strict, verbose) {
    .finishEncoder(model, file, path, character(), "^bert\\.", strict,
        verbose, passed = "position_ids$" # a counter that old files hold
    )
}

.bertVocab <- function(file) {
    text <- readLines(file, warn = FALSE, encoding = "UTF-8")
    lost <- setdiff(c("[UNK]", "[CLS]", "[SEP]", "[PAD]"), text)
    if (length(lost)) {
        stop("the vocabulary '", file, "' has no ",
            paste(lost, collapse = " and no "), ": not one of BERT's. Is it ",
            "the vocab.txt that came with the weights?",
            call. = FALSE
        )
    }
    data.frame(token = text, id = seq_along(text) - 1L)
}

## config.json, and which heads the weights have. tokens: of the vocabulary.
.bertConfig <- function(path, shapes, tokens) {
    file <- file.path(path, "config.json")
    config <- .readJson(file, FALSE)
    at <- function(pattern) {
        found <- grep(pattern, names(shapes))
        if (length(found)) shapes[[found[[1L]]]]
    }
    words <- at("embeddings\\.word_embeddings\\.weight$")
    if (!is.null(words) && tokens > words[[1L]]) {
        stop("the vocabulary of '", path, "' has ", tokens, " tokens, its ",
            "weights know ", words[[1L]], ": they don't belong together.",
            call. = FALSE
        )
    }
    if (!is.null(words) && tokens < 0.9 * words[[1L]]) {
        warning("the vocabulary of '", path, "' has ", tokens, " tokens, its ",
            "weights know ", words[[1L]], ": is vocab.txt cut off? What it ",
            "lacks is read as [UNK].",
            call. = FALSE
        )
    }
    if (!is.null(words) && !is.null(config$vocab_size) &&
        !identical(as.integer(config$vocab_size), words[[1L]])) {
        stop("'", file, "' says vocab_size ", config$vocab_size, ", the ",
            "weights have ", words[[1L]], " tokens.",
            call. = FALSE
        )
    }
    project <- at("projection(_state)?\\.0\\.weight$")
    config$pooler <- !is.null(at("pooler\\.dense\\.weight$"))
    config$mlm_head <- !is.null(at("predictions\\.transform\\.dense\\.weight$"))
    config$nsp_head <- !is.null(at("seq_relationship\\.weight$")) &&
        config$pooler
    config$projection <- if (is.null(project)) 0L else project[[1L]]
    relation <- at("^rel_emb\\.weight$")
    config$relations <- if (is.null(relation)) 0L else relation[[1L]]
    config
}

## How the folder says that texts are read and vectors are made.
.bertTokenizer <- function(path, config) {
    json <- function(name) {
        file <- file.path(path, name)
        if (file.exists(file)) .readJson(file, FALSE)
    }
    lower <- json("tokenizer_config.json")$do_lower_case
    lower <- if (is.null(lower)) config$do_lower_case else lower
    pooling <- json("1_Pooling/config.json")
    modules <- vapply(json("modules.json"), function(m) {
        paste(m$type, collapse = "")
    }, "")
    most <- json("sentence_bert_config.json")$max_seq_length
    positions <- config$max_position_embeddings
    positions <- if (is.null(positions)) 512L else positions
    list(
        lower = if (is.null(lower)) TRUE else isTRUE(lower),
        pooling = if (isTRUE(config$projection > 0)) "projection" else
            if (isTRUE(pooling$pooling_mode_cls_token)) "cls" else "mean",
        normalise = any(grepl("Normalize$", modules)),
        maxLength = as.integer(min(positions, most))
    )
}

## Tokens of texts: list(id, type, length). most: 0, no limit.
.bertTokens <- function(model, text, pair = NULL, most = 0L, cut = 0L) {
    file <- tempfile("vocab-", fileext = ".txt")
    writeBin(model@state$vocabText, file)
    on.exit(.removeFile(file))
    .Call(cw_r_wordpiece, file, model@state$tokenizer$lower, enc2utf8(text),
        if (!is.null(pair)) enc2utf8(pair), as.integer(most), as.integer(cut)
    )
}

#' @rdname BertModel-class
#' @export
setMethod("saveModel", "BertModel", function(model, dir, overwrite = FALSE,
    ...) {
    .noDots(...)
    .alive(model)
    target <- .encoderFolder(dir, overwrite,
        c("config.json", "vocab.txt", "model.safetensors")
    )
    .writeFolder(target, function(part) {
        config <- c(list(model_type = "bert",
            do_lower_case = model@state$tokenizer$lower
        ), model@config)
        .writeLines(as.character(.configJson(config)),
            file.path(part, "config.json")
        )
        writeBin(model@state$vocabText, file.path(part, "vocab.txt"))
        .engineSave(model, file.path(part, "model.safetensors"))
    })
    invisible(dir)
})
