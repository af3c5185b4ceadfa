## Geneformer: published folders, cells as ranked genes.

#' Geneformer
#'
#' Geneformer (Theodoris et al. 2023): a BERT that reads a cell as its genes in
#' the order of their counts over their medians across cells. [loadModel()]
#' reads the published folder; [embedCells()] and [embedGenes()] give vectors,
#' [deleteGenes()] asks what a gene's deletion moves.
#'
#' @section The folder: `config.json`, the weights (`model.safetensors`,
#'   `pytorch_model.bin`), and, beside them or in a folder `geneformer`, the
#'   dictionaries `token_dictionary*.pkl` and `gene_median_dictionary*.pkl`;
#'   `gene_name_id_dict*.pkl`, where it is there, lets genes have symbols.
#'   Pickles are read without running anything in them.
#' @section Tokens: counts over the gene's median, highest first (ties: in the
#'   order of the genes; the published sort leaves that open), genes without
#'   counts left out, at most as many as the model reads; `<cls>` and `<eos>`
#'   around them where the dictionary has these (the second version). The
#'   cell's depth scales all its values and plays no part. Rows of the same gene
#'   are added up.
#'
#' @slot vocab data.frame with the columns `gene` (Ensembl id, or `<pad>`, ..),
#'   `token`, from 0, and `median`.
#' @slot symbols character, Ensembl ids named by symbol; may be empty.
#' @param object a model.
#' @return `show()` prints and returns nothing.
#' @section Errors: a folder without one of its parts, dictionaries with other
#'   things in them than numbers or without `<pad>`, tokens that the weights
#'   don't know: each names the file.
#' @references Theodoris et al. (2023), Nature 618:616.
#' @seealso [BertModel-class], [loadModel()]
#' @examples
#' showClass("GeneformerModel")
#' @name GeneformerModel-class
#' @aliases GeneformerModel
#' @exportClass GeneformerModel
setClass("GeneformerModel", contains = "FoundationModel",
    slots = c(vocab = "data.frame", symbols = "character")
)

#' @rdname GeneformerModel-class
#' @export
setMethod("show", "GeneformerModel", function(object) {
    s <- object@config
    .encoderShow(object, "Geneformer", c(
        paste0(s$num_hidden_layers, " layers, width ", s$hidden_size, ", ",
            s$num_attention_heads, " heads"
        ),
        paste0("genes: ", sum(!is.na(object@vocab$median)), ", at most ",
            s$max_position_embeddings, " tokens a cell"
        )
    ), "embedCells(x, model), embedGenes(x, model), deleteGenes(x, model)")
})

## The dictionaries of a folder: list(token, median, symbol), paths or NULL.
.geneformerFiles <- function(path) {
    folders <- c(path, file.path(path, "geneformer"))
    one <- function(pattern) {
        found <- list.files(folders, pattern, full.names = TRUE)
        if (length(found)) found[[1L]]
    }
    list(token = one("^token_dictionary.*\\.pkl$"),
        median = one("^gene_median_dictionary.*\\.pkl$"),
        symbol = one("^gene_name_id_dict.*\\.pkl$")
    )
}

.loadGeneformer <- function(path, threads, strict, verbose) {
    files <- .geneformerFiles(path)
    if (is.null(files$median)) {
        .stopArgument("path", "is \"", path, "\", which has a token ",
            "dictionary but no gene_median_dictionary*.pkl: counts can't be ",
            "ranked without the genes' medians."
        )
    }
    file <- .encoderWeights(path, .bertWeights)
    vocab <- .geneformerVocab(files)
    config <- .bertConfig(path, .checkpointShapes(file), max(vocab$token) + 1L)
    pad <- vocab$token[vocab$gene == "<pad>"]
    config$pad_token_id <- pad
    model <- .bertModel("GeneformerModel", config, threads, "Geneformer",
        vocab = vocab, symbols = .geneformerSymbols(files)
    )
    .finishBert(model, file, path, strict, verbose)
}

.geneformerVocab <- function(files) {
    token <- .readPickle(files$token)
    median <- .readPickle(files$median)
    wrong <- function(file, ...) {
        stop("the dictionary '", file, "' ", ..., call. = FALSE)
    }
    if (!is.numeric(token) || any(token < 0 | token != round(token)) ||
        anyDuplicated(token) || max(token) > 1e8) {
        wrong(files$token, "must give every gene its own whole number.")
    }
    if (!"<pad>" %in% names(token)) {
        wrong(files$token, "has no \"<pad>\": not Geneformer's.")
    }
    if (!is.numeric(median) || any(!is.finite(median) | median <= 0)) {
        wrong(files$median, "must give genes medians above 0.")
    }
    vocab <- data.frame(gene = names(token), token = as.integer(token))
    vocab$median <- unname(median[match(vocab$gene, names(median))])
    if (sum(!is.na(vocab$median)) < 2L) {
        wrong(files$median, "has no gene of '", files$token, "'.")
    }
    vocab
}

.geneformerSymbols <- function(files) {
    if (is.null(files$symbol)) {
        return(character())
    }
    found <- .readPickle(files$symbol)
    if (!is.character(found)) {
        stop("the dictionary '", files$symbol, "' must give symbols ids.",
            call. = FALSE
        )
    }
    found
}

## ---- cells as tokens -------------------------------------------------------

## The cells as .readCells() gives them, with `gene`: the row of the vocabulary
## of each row of the matrix, NA where it has none.
.geneformerCells <- function(x, model, how, verbose) {
    cells <- .readCells(x, how, verbose)
    cells$gene <- .geneformerGenes(model, cells$clean, cells$type)
    known <- sum(!is.na(cells$gene))
    if (known < 10L || known < 0.1 * length(cells$gene)) {
        .stopArgument("x", "has ", .count(known, "gene"), " of ",
            length(cells$gene), " in the model's dictionary, fewer than 10 or ",
            "than a tenth; its genes are like ", .some(cells$clean, 3L),
            ", the model's like ", .some(model@vocab$gene[
                !is.na(model@vocab$median)
            ], 3L), if (!length(model@symbols)) {
                paste0(". Symbols can't be looked up: the folder has no ",
                    "gene_name_id_dict*.pkl; give Ensembl ids"
                )
            }, "."
        )
    }
    .say(verbose, "The model knows ", known, " of ",
        .count(length(cells$gene), "gene"), "."
    )
    cells$rows <- which(!is.na(cells$gene))
    cells$token <- cells$gene[cells$rows]
    cells$coverage <- list(genes = length(cells$gene), known = known)
    cells
}

## Rows of the vocabulary for clean names.
.geneformerGenes <- function(model, clean, type) {
    if (!identical(type, "ensembl") && length(model@symbols)) {
        clean <- unname(model@symbols)[match(clean,
            .cleanSymbol(names(model@symbols))
        )]
        clean[is.na(clean)] <- ""
    }
    usable <- which(!is.na(model@vocab$median))
    usable[match(.cleanEnsembl(clean), .cleanEnsembl(
        model@vocab$gene[usable]
    ))]
}

## Tokens of each cell of a block of counts, highest first. gene: the row of the
## vocabulary of each row of counts. A list of integer vectors.
.rankTokens <- function(model, counts, gene, most) {
    special <- model@vocab$token[match(c("<cls>", "<eos>"), model@vocab$gene)]
    most <- most - sum(!is.na(special))
    values <- as.matrix(rowsum(as.matrix(counts), gene))
    at <- as.integer(rownames(values))
    values <- values / model@vocab$median[at]
    token <- model@vocab$token[at]
    lapply(seq_len(ncol(values)), function(j) {
        v <- values[, j]
        top <- order(-v)[seq_len(min(sum(v > 0), most))]
        c(special[1L][!is.na(special[1L])], token[top],
            special[2L][!is.na(special[2L])]
        )
    })
}

.wholeCounts <- function(counts) {
    v <- if (methods::is(counts, "dgCMatrix")) counts@x else counts
    if (any(v < 0 | v != round(v))) {
        .stopArgument("x", "holds values that are no counts (negative or not ",
            "whole); Geneformer ranks counts: assay.type = \"counts\"."
        )
    }
    invisible(counts)
}
