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
