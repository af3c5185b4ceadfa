## Species and transcription factors.

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
    .checkTfs(tfs)
    table <- list(
        human = tfCatalogue("human")$TF, mouse = tfCatalogue("mouse")$TF
    )
    if (is.null(tfs)) {
        return(table)
    }
    if (.isTfList(tfs)) {
        for (name in names(tfs)) {
            table[[name]] <- .tfVector(tfs[[name]])
        }
        return(table)
    }
    table[[species]] <- .tfVector(tfs)
    table
}

.isTfList <- function(tfs) is.list(tfs) && !is.data.frame(tfs)

.checkTfs <- function(tfs) {
    if (is.null(tfs)) {
        return(invisible())
    }
    parts <- list(tfs)
    if (.isTfList(tfs)) {
        bad <- !(names(tfs) %in% c("human", "mouse"))
        if (!length(tfs) || is.null(names(tfs)) || any(bad) ||
            anyDuplicated(names(tfs))) {
            .stopArgument("tfs", "is a list ", if (is.null(names(tfs)))
                "without names" else
                paste0("with the names ", .some(names(tfs))),
            "; a list may hold human and mouse, each gene symbols or a ",
            "data.frame with a column 'TF'. One list of symbols is given as ",
            "a vector, unlist(tfs)."
            )
        }
        parts <- tfs
    }
    for (part in parts) {
        if (!length(.tfVector(part))) {
            .stopArgument("tfs", "is empty; NULL takes tfCatalogue().")
        }
    }
    invisible()
}

.tfVector <- function(tfs) {
    if (methods::is(tfs, "DataFrame")) {
        tfs <- as.data.frame(tfs)
    }
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
            "column 'TF'; it is ", if (is.list(tfs)) paste("a list of length",
                length(tfs)) else .show(tfs), "."
        )
    }
    tfs <- trimws(tfs[!is.na(tfs)])
    tfs[nzchar(tfs)]
}

## ---- the factors of an input ------------------------------------------------

## An input of .readCells() with symbols for its Ensembl identifiers and
## `tfs`, the names of its species' factors.
.readFactors <- function(input, how, verbose) {
    .warnSpecies(how$species, how$tfs, input)
    input <- .symbolsOfEnsembl(input, verbose)
    input$tfs <- .tfSymbols(how$tfs, input)
    input$fewTfs <- !is.null(how$tfs) && !.isTfList(how$tfs) &&
        length(.tfVector(how$tfs)) <= .shortList
    input
}

## So many factors given one by one are a choice; a catalogue has more.
.shortList <- 100L

## Names of factors for an input: symbols, where the caller gave identifiers
## those of their rows (the identifier where a row has no symbol). None of them
## there is an error; some missing of a short list a warning: a short list is a
## choice, a catalogue always names more than there is.
.tfSymbols <- function(tfs, input) {
    given <- !is.null(tfs) && !.isTfList(tfs)
    tfs <- unique(.resolveTfs(tfs, input$species)[[input$species]])
    if (!given) {
        return(tfs)
    }
    symbols <- if (is.null(input$symbols)) input$clean else input$symbols
    row <- match(.cleanIds(tfs), input$ids)
    byId <- !is.na(row) & !.isTf(tfs, symbols)
    there <- byId | .isTf(tfs, symbols)
    if (!any(there)) {
        .stopNoTfs(tfs, input, symbols)
    }
    lost <- tfs[!there]
    if (length(lost) && length(tfs) <= .shortList) {
        warning("'tfs' names ", length(lost), " of ", length(tfs), " that ",
            "aren't among the genes of 'x': ", .some(lost), "; they are left ",
            "out. reconcileGenes() brings names up to date.",
            call. = FALSE
        )
    }
    symbol <- symbols[row[byId]]
    none <- is.na(symbol) | !nzchar(symbol)
    tfs[byId] <- ifelse(none, input$ids[row[byId]], symbol)
    tfs
}

.stopNoTfs <- function(tfs, input, symbols) {
    word <- length(tfs) == 1L && tolower(tfs) %in% c("all", "any", "every")
    species <- length(tfs) == 1L && tolower(tfs) %in% names(.speciesNames)
    shown <- unique(symbols[!is.na(symbols)])
    if (input$type == "ensembl" && length(shown)) {
        shown <- paste0(head(input$names, 2L), " (", head(symbols, 2L), ")")
    }
    .stopArgument("tfs", "names no gene of 'x': ", .some(tfs, 3L),
        "; those of 'x' are like ",
        .some(if (length(shown)) shown else input$names, 3L), ". ",
        if (word) "All genes as factors are tfs = rownames(x)." else
            if (species) "NULL takes the catalogue of 'species'." else
            "NULL takes the catalogue; reconcileGenes() brings names up to date."
    )
}

## Capitals don't count when names are compared, so that cells of the other
## species would lose a part of their TFs without a word: names written as in
## one species only are told.
.warnSpecies <- function(species, tfs, input) {
    if (!is.null(tfs)) {
        return(invisible())
    }
    own <- input$species
    other <- setdiff(c("human", "mouse"), own)
    symbols <- if (input$type == "symbol") input$names else input$symbols
    there <- symbols %in% tfCatalogue(other)$TF
    mine <- sum(symbols %in% tfCatalogue(own)$TF)
    pattern <- c(human = "^ENSG[0-9]", mouse = "^ENSMUSG")[[other]]
    ids <- grepl(pattern, input$ids)
    if (sum(there) >= max(2, 3 * mine) || mean(ids) > 0.5) {
        shown <- if (any(there)) symbols[there] else input$ids[ids]
        warning("'x' has ", other, " genes (", .some(unique(shown), 3L),
            "), and 'species' ", if (is.null(species))
                paste0("isn't given, which means ", own) else
                paste0("is \"", own, "\""),
            ": say species = \"", other, "\".",
            call. = FALSE
        )
    }
    invisible()
}

## TRUE for genes whose symbol is in the species' table, in upper case.
.isTf <- function(symbols, tfs) {
    !is.na(symbols) & .cleanSymbol(symbols) %in% .cleanSymbol(tfs)
}
