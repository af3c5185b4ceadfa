## Texts to vectors by BERT.

#' Embed texts
#'
#' Vectors of texts (names of cell types, definitions of terms, abstracts) by
#' an encoder of the BERT family.
#'
#' @details
#' Texts are cut into pieces of words by the model's vocabulary (WordPiece:
#' lower case and no accents where the model was trained so, punctuation and CJK
#' ideographs apart), exactly as the published tokenizer does, and put between
#' `[CLS]` and `[SEP]`. Padding is never computed: a text has the same vector
#' whatever texts come with it. (KCFM's training counted padding in its means;
#' its evaluation, like this, did not.) Equal texts are computed once.
#'
#' @param x character vector of texts.
#' @param model a [BertModel-class], of [loadModel()].
#' @param pooling how a text's tokens become one vector: `"mean"` of their last
#'   states, `"cls"`: the state of `[CLS]`, `"pooler"`: that one through the
#'   pooler, `"projection"`: the mean through KCFM's projection. `NULL`: what
#'   the model's folder says, else `"projection"` where there is one, else
#'   `"mean"`.
#' @param normalise bring vectors to length 1? `NULL`: what the model's folder
#'   says, else `FALSE`.
#' @param pair `NULL`, or second texts, one per text of `x`: each pair is read
#'   as one sequence.
#' @param maxLength most tokens of a text, `[CLS]` and `[SEP]` included; longer
#'   texts are cut at their end, with a message. `NULL`: the model's own.
#' @param verbose say what was cut?
#' @param ... not used.
#' @return A matrix, texts x width, with the names of `x` as row names, or the
#'   texts where they have none.
#' @section Errors: no texts, missing ones, a `pooling` whose head the model
#'   hasn't, a `maxLength` beyond what it reads.
#' @references Devlin et al. (2019), BERT. Reimers & Gurevych (2019),
#'   Sentence-BERT.
#' @seealso [BertModel-class]
#' @examples
#' model <- loadModel(system.file("extdata", "bert", package = "causeway"))
#' v <- embedText(c("T cell", "memory T cell", "neuron"), model)
#' dim(v)
#' @rdname embedText
#' @export
setMethod("embedText", c("ANY", "BertModel"), function(x, model,
    pooling = NULL, normalise = NULL, pair = NULL, maxLength = NULL,
    verbose = interactive(), ...) {
    .noDots(...)
    .alive(model)
    .checkFlag(verbose, "verbose")
    own <- model@state$tokenizer
    pooling <- .bertPooling(model, pooling)
    if (is.null(normalise)) {
        normalise <- own$normalise
    }
    .checkFlag(normalise, "normalise")
    positions <- model@config$max_position_embeddings
    most <- if (is.null(maxLength)) own$maxLength else
        .checkNumber(maxLength, "maxLength", 4, positions, whole = TRUE)
    text <- .checkTexts(x, "x")
    if (!is.null(pair)) {
        pair <- .checkTexts(pair, "pair")
        if (length(pair) != length(text)) {
            .stopArgument("pair", "must have one text per text of 'x', ",
                length(text), "; it has ", length(pair), "."
            )
        }
    }
    out <- .embedTexts(model, text, pair, pooling, most, verbose)
    if (normalise) {
        out <- out / sqrt(rowSums(out^2))
    }
    rownames(out) <- if (is.null(names(x))) text else names(x)
    out
})

#' @rdname embedText
#' @export
setMethod("embedText", c("ANY", "ANY"), function(x, model, ...) {
    .refuseEncoder(x, model, "texts", "texts (BERT)", "embedText(x, model)")
})

.bertPooling <- function(model, pooling) {
    if (is.null(pooling)) {
        return(model@state$tokenizer$pooling)
    }
    pooling <- .oneOf(pooling, c("mean", "cls", "pooler", "projection"),
        "pooling"
    )
    lost <- (pooling == "pooler" && !isTRUE(model@config$pooler)) ||
        (pooling == "projection" && !isTRUE(model@config$projection > 0))
    if (lost) {
        .stopArgument("pooling", "is \"", pooling, "\", which the model has ",
            "no weights for; choose \"mean\" or \"cls\"."
        )
    }
    pooling
}

.checkTexts <- function(x, arg) {
    if (is.factor(x)) {
        x <- as.character(x)
    }
    if (!is.character(x) || !length(x) || anyNA(x)) {
        .stopArgument(arg, "must be texts, a character vector",
            if (is.character(x) && length(x)) {
                paste0("; missing: number ", .some(which(is.na(x))), ".")
            } else "."
        )
    }
    x <- enc2utf8(unname(x))
    bad <- which(!validUTF8(x))
    if (length(bad)) {
        .stopArgument(arg, "has texts that are no valid UTF-8: number ",
            .some(bad), "; see ?iconv."
        )
    }
    x
}

.embedTexts <- function(model, text, pair, pooling, most, verbose) {
    key <- if (is.null(pair)) text else paste0(text, "\r", pair)
    first <- which(!duplicated(key))
    tokens <- .bertTokens(model, text[first], pair[first])
    long <- sum(tokens$length > most)
    if (long) {
        .say(verbose, .count(long, "text"), " of more than ", most,
            " tokens cut at the end."
        )
        tokens <- .bertTokens(model, text[first], pair[first], most)
    }
    found <- .engineRun(model, "embed", tokens[c("id", "type", "length")],
        list(pool = pooling)
    )
    t(found$embedding)[match(key, key[first]), , drop = FALSE]
}
