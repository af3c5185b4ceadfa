## Vocabularies: the tokens by which a model knows genes.

.padId <- "<pad>"

.makeVocab <- function(names, symbols, type) {
    data.frame(
        token_index = seq(0L, length(names)),
        gene_symbol = c(NA_character_, if (type == "ensembl") {
            if (is.null(symbols)) rep(NA_character_, length(names)) else
                .cleanSymbol(symbols)
        } else names),
        gene_id = c(.padId, names),
        stringsAsFactors = FALSE
    )
}

## Token of every name, -1 where the vocabulary doesn't know it. Where two
## records share a name the later one holds, as in the published code. Names
## that are no identifiers among Ensembl's are also looked up as symbols.
.lookupTokens <- function(vocab, clean, type) {
    pad <- vocab$gene_id %in% .padId
    lookUp <- function(clean, key) {
        usable <- rev(which(!is.na(key) & nzchar(key) & !pad))
        found <- vocab$token_index[usable][match(clean, key[usable])]
        found[is.na(found)] <- -1L
        as.integer(found)
    }
    bySymbol <- function(clean) lookUp(clean, .cleanSymbol(vocab$gene_symbol))
    if (type != "ensembl") {
        return(bySymbol(clean))
    }
    token <- lookUp(clean, .cleanEnsembl(vocab$gene_id))
    odd <- which(token < 0L & !startsWith(clean, "ENSG"))
    token[odd] <- bySymbol(clean[odd])
    token[odd][token[odd] %in% token[-odd]] <- -1L
    token
}

## Symbols of the genes of an input: its own, else the vocabulary's.
.vocabSymbols <- function(vocab, tokens) {
    vocab$gene_symbol[match(tokens, vocab$token_index)]
}

.padIndex <- function(vocab) {
    vocab$token_index[vocab$gene_id %in% .padId][[1L]]
}

.checkVocab <- function(vocab, file) {
    need <- c("token_index", "gene_symbol", "gene_id")
    if (!is.data.frame(vocab) || !all(need %in% names(vocab))) {
        stop("the vocabulary '", file, "' must be an array of records with ",
            paste(need, collapse = ", "), ".",
            call. = FALSE
        )
    }
    vocab <- vocab[need]
    index <- suppressWarnings(as.numeric(vocab$token_index))
    if (anyNA(index) || any(index < 0) || any(index != round(index)) ||
        anyDuplicated(index) || max(index) > 1e8) {
        stop("the vocabulary '", file, "' must give every record its own ",
            "whole 'token_index' from 0 up.",
            call. = FALSE
        )
    }
    vocab$token_index <- as.integer(index)
    vocab$gene_symbol <- as.character(vocab$gene_symbol)
    vocab$gene_id <- as.character(vocab$gene_id)
    if (sum(vocab$gene_id %in% .padId) != 1L) {
        stop("the vocabulary '", file, "' must have exactly one record with ",
            "gene_id \"<pad>\".",
            call. = FALSE
        )
    }
    vocab
}
