## Gene names, vocabularies and transcription factors.

.isEnsembl <- function(names) {
    length(names) > 0L && all(startsWith(toupper(trimws(names)), "ENSG"))
}

## Symbols: trimmed, upper case. Ensembl: also without the version.
.cleanSymbol <- function(x) toupper(trimws(x))

.cleanEnsembl <- function(x) {
    x <- .cleanSymbol(x)
    human <- startsWith(x, "ENSG")
    x[human] <- sub("\\..*$", "", x[human])
    x
}

.cleanNames <- function(names, type) {
    if (identical(type, "ensembl")) .cleanEnsembl(names) else
        .cleanSymbol(names)
}

## Fills `names` (what the model matches), `symbols` (labels and TF look-up)
## and `type` of an input from .cellInput(). `strict`: names that differ in
## case or Ensembl version only are an error too.
.nameGenes <- function(input, symbols, verbose, strict = TRUE) {
    n <- nrow(input$matrix)
    names <- input$names
    column <- .symbolVector(input, symbols, n)
    if (is.null(names)) {
        if (is.null(column$values)) {
            .stopArgument("x", "has no gene names; set rownames(x), or ",
                "name a column of rowData(x) with 'symbols'."
            )
        }
        names <- column$values
    }
    names <- as.character(names)
    type <- if (.isEnsembl(names)) "ensembl" else "symbol"
    foreign <- type == "symbol" && all(grepl("^ENS[A-Z]*G[0-9]", names))
    if (type == "symbol" && !is.null(column$values) &&
        (!is.null(symbols) || foreign)) {
        names <- column$values
    }
    bad <- is.na(names) | !nzchar(trimws(names))
    if (any(bad)) {
        .stopArgument("x", "has ", sum(bad), " genes without a name (first: ",
            "row ", which(bad)[[1L]], "); name or drop them."
        )
    }
    if (!is.null(column$name) && (type == "ensembl" || foreign)) {
        .say(verbose, "Gene symbols from rowData column \"", column$name,
            "\"."
        )
    }
    input$type <- type
    input$names <- names
    input$clean <- .cleanNames(names, type)
    input$symbols <- if (type == "symbol") input$clean else column$values
    .checkGeneNames(input, strict)
    input
}

.symbolVector <- function(input, symbols, n) {
    columns <- colnames(input$geneData)
    if (is.null(symbols)) {
        found <- intersect(.symbolColumns, columns)
        if (!length(found)) {
            return(list(name = NULL, values = NULL))
        }
        return(list(
            name = found[[1L]],
            values = as.character(input$geneData[[found[[1L]]]])
        ))
    }
    if (is.character(symbols) && length(symbols) == 1L && n != 1L) {
        if (!(symbols %in% columns)) {
            .stopArgument("symbols", "is \"", symbols, "\", which is not a ",
                "column of rowData(x)", if (length(columns)) {
                    paste0("; there are ", .some(columns, 10L))
                }, "."
            )
        }
        return(list(
            name = symbols, values = as.character(input$geneData[[symbols]])
        ))
    }
    if (!is.character(symbols) && !is.factor(symbols) ||
        length(symbols) != n) {
        .stopArgument("symbols", "must be the name of a column of ",
            "rowData(x), or one name per gene (", n, "); it has length ",
            length(symbols), "."
        )
    }
    list(name = "symbols", values = as.character(symbols))
}

.checkGeneNames <- function(input, strict) {
    twice <- unique(input$names[duplicated(input$names)])
    if (length(twice)) {
        .stopArgument("x", "has duplicated gene names: ", .some(twice),
            ". Keep one row each, x[!duplicated(names), ], use ",
            "identifiers that are unique as row names, or let ",
            "reconcileGenes() add their counts up."
        )
    }
    if (!strict) {
        return(invisible())
    }
    twice <- duplicated(input$clean) | duplicated(input$clean, fromLast = TRUE)
    if (any(twice)) {
        shown <- paste0("\"", head(input$names[twice], 4L), "\"",
            collapse = ", "
        )
        .stopArgument("x", "has names that mean the same gene (case, spaces ",
            "and Ensembl versions do not count): ", shown,
            ". Keep one of each, or let reconcileGenes() add their counts up."
        )
    }
    invisible()
}

## ---- vocabulary ------------------------------------------------------------

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
## records share a name the later one holds, as in the published code.
.lookupTokens <- function(vocab, clean, type) {
    key <- if (type == "ensembl") .cleanEnsembl(vocab$gene_id) else
        .cleanSymbol(vocab$gene_symbol)
    usable <- !is.na(key) & nzchar(key) & !(vocab$gene_id %in% .padId)
    key <- rev(key[usable])
    token <- rev(vocab$token_index[usable])
    found <- token[match(clean, key)]
    found[is.na(found)] <- -1L
    as.integer(found)
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

## ---- species and transcription factors -------------------------------------

.speciesNames <- c(
    "human" = "human", "homo sapiens" = "human", "hs" = "human",
    "mouse" = "mouse", "mus musculus" = "mouse", "mm" = "mouse"
)

## One species for all cells: NULL (human), a name, or a column of colData.
.resolveSpecies <- function(species, cellData = NULL) {
    if (is.null(species)) {
        return("human")
    }
    if (length(species) == 1L && is.character(species) &&
        species %in% colnames(cellData)) {
        species <- as.character(cellData[[species]])
    }
    plain <- unique(tolower(trimws(as.character(species))))
    known <- .speciesNames[plain]
    if (!length(plain) || anyNA(known)) {
        .stopArgument("species", "must be human or mouse (or Homo sapiens, ",
            "hs, Mus musculus, mm), or a column of colData(x) holding one; ",
            "it is ", .some(plain[is.na(known)]), "."
        )
    }
    known <- unique(unname(known))
    if (length(known) > 1L) {
        .stopArgument("species", "is mixed (", paste(known, collapse = ", "),
            "); split 'x' by species first."
        )
    }
    known
}

#' Transcription factors of the shipped catalogue
#'
#' Genes the Gene Ontology annotates to GO:0003700, DNA-binding transcription
#' factor activity, or to one of its children. Human: taken from
#' `org.Hs.eg.db` 3.16.0 (GO of 2022-07-01), every evidence code, nothing
#' added by hand; 1,430 symbols. Mouse: the human list carried over to the
#' symbols that are one-to-one homologs (table of the GPL-3 package
#' saezlab/dorothea); 1,014 symbols, so a factor without a one-to-one partner
#' is missing. The inhibitors ID1 to ID4 are not listed: they don't bind DNA,
#' and GO gives them GO:0140416 instead. The deriving script is
#' `system.file("scripts", "make-tf-catalogue.R", package = "causeway")`.
#'
#' @param species `"human"` or `"mouse"`.
#' @return A data.frame with a column `TF` (symbols) and columns on the
#'   source: `ensembl`, `entrez`, `evidence` (human) or `human`, the homolog
#'   (mouse).
#' @section Errors: an unknown `species` is an error.
#' @source Gene Ontology (CC BY 4.0) through org.Hs.eg.db (Artistic-2.0).
#' @examples
#' tfs <- tfCatalogue("human")
#' head(tfs)
#' c("MYOD1", "MYOG", "MEF2C", "ID1") %in% tfs$TF
#' @export
tfCatalogue <- function(species = c("human", "mouse")) {
    species <- .resolveSpecies(if (length(species) > 1L) species[[1L]] else
        species)
    file <- system.file("extdata", paste0("tfs_", species, ".csv"),
        package = "causeway", mustWork = TRUE
    )
    read.csv(file, colClasses = "character", na.strings = "")
}

## TF tables of a model: `tfs` may be NULL (catalogue), a character vector for
## `species`, a data.frame with column TF, or a list with human and/or mouse.
.resolveTfs <- function(tfs, species) {
    table <- list(
        human = tfCatalogue("human")$TF, mouse = tfCatalogue("mouse")$TF
    )
    if (is.null(tfs)) {
        return(table)
    }
    if (is.list(tfs) && !is.data.frame(tfs)) {
        for (name in intersect(names(table), names(tfs))) {
            table[[name]] <- .tfVector(tfs[[name]])
        }
        return(table)
    }
    table[[species]] <- .tfVector(tfs)
    table
}

.tfVector <- function(tfs) {
    if (is.data.frame(tfs)) {
        if (!("TF" %in% names(tfs))) {
            .stopArgument("tfs", "is a data.frame without a column 'TF'; it ",
                "has ", .some(names(tfs)), "."
            )
        }
        tfs <- tfs$TF
    }
    if (is.factor(tfs)) {
        tfs <- as.character(tfs)
    }
    if (!is.character(tfs)) {
        .stopArgument("tfs", "must be gene symbols or a data.frame with a ",
            "column 'TF'; it is ", .show(tfs), "."
        )
    }
    tfs <- trimws(tfs[!is.na(tfs)])
    tfs[nzchar(tfs)]
}

## Without 'species' cells are taken for human, and capitals don't count: mouse
## cells would lose a sixth of their TFs without a word.
.warnSpecies <- function(species, tfs, input) {
    if (!is.null(species) || !is.null(tfs)) {
        return(invisible())
    }
    symbols <- if (input$type == "symbol") input$names else input$symbols
    mouse <- symbols %in% tfCatalogue("mouse")$TF
    human <- sum(symbols %in% tfCatalogue("human")$TF)
    ids <- grepl("^ENSMUSG", input$names)
    if (sum(mouse) >= max(2, 3 * human) || mean(ids) > 0.5) {
        shown <- if (any(mouse)) symbols[mouse] else input$names[ids]
        warning("'x' has mouse genes (", .some(shown, 3L), "), and 'species' ",
            "isn't given, which means human: say species = \"mouse\".",
            call. = FALSE
        )
    }
    invisible()
}

## A short list of TFs is a choice: names that the cells lack are told. A
## catalogue always names more than there is.
.warnTfs <- function(tfs, symbols) {
    if (is.null(tfs) || (is.list(tfs) && !is.data.frame(tfs))) {
        return(invisible())
    }
    tfs <- unique(.tfVector(tfs))
    lost <- tfs[!.isTf(tfs, symbols[!is.na(symbols)])]
    if (length(lost) && length(lost) < length(tfs) && length(tfs) <= 100L) {
        warning("'tfs' names ", length(lost), " of ", length(tfs), " that ",
            "aren't among the genes of 'x': ", .some(lost), "; they are left ",
            "out. reconcileGenes() brings names up to date.",
            call. = FALSE
        )
    }
    invisible()
}

## TRUE for genes whose symbol is in the species' table, in upper case.
.isTf <- function(symbols, tfs) {
    !is.na(symbols) & .cleanSymbol(symbols) %in% .cleanSymbol(tfs)
}
