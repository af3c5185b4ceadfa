## Reference and query in one shape, and the genes they share.

## What .readCells() gives, with `key` (gene names as two data sets are
## matched), `logged`, and `kind`: "counts" or "logged". `arg` names the
## argument in messages.
.typeCells <- function(x, how, arg = "x", verbose = FALSE) {
    input <- tryCatch(.readCells(x, how, verbose, strict = FALSE),
        error = function(e) {
            stop(if (arg == "x") conditionMessage(e) else sub("'x'",
                paste0("'", arg, "'"), conditionMessage(e), fixed = TRUE
            ), call. = FALSE)
        }
    )
    scan <- .scanValues(input, arg)
    input$logged <- .valuesLogged(how$alreadyNormalised, scan, arg)
    input$key <- input$clean
    input$caseOf <- .speciesByCase(input$names)
    input$arg <- arg
    input
}

## Of evenly spread cells: are all values whole, which is the largest.
.scanValues <- function(input, arg) {
    n <- ncol(input$matrix)
    part <- .columnChunk(input$matrix, unique(round(seq(1, n,
        length.out = min(n, 1000L)
    ))))
    v <- part@x
    .checkFinite(v, input$assay, arg)
    if (!any(v > 0)) {
        .stopArgument(arg, "holds only zeros in assay \"", input$assay, "\".")
    }
    list(whole = all(v == round(v)), largest = max(v))
}

.checkFinite <- function(v, assay, arg) {
    bad <- sum(!is.finite(v))
    if (bad) {
        .stopArgument(arg, "has ", .count(bad, "value"), if (bad == 1L) " that is " else
            " that are ", "NA, NaN or infinite in assay \"", assay, "\"; remove or impute them."
        )
    }
    if (any(v < 0)) {
        .stopArgument(arg, "has negative values in assay \"", assay,
            "\" (the smallest ", format(min(v)), "): scaled or centred data? ",
            "Give counts or log-normalised values; 'assay.type' chooses."
        )
    }
    invisible()
}

## Values that aren't whole numbers and all small are logs.
.valuesLogged <- function(said, scan, arg) {
    if (is.null(said)) {
        return(!scan$whole && scan$largest < 30)
    }
    if (said && scan$largest > 50) {
        .stopArgument("alreadyNormalised", "is TRUE, but '", arg, "' holds ",
            "values up to ", format(scan$largest), ", which are no logs."
        )
    }
    said
}

## Human symbols are upper case, mouse symbols aren't; Ensembl says it itself.
.speciesByCase <- function(names) {
    names <- names[!is.na(names)]
    if (mean(grepl("^ENSG[0-9]", names)) > 0.5) return("human")
    if (mean(grepl("^ENSMUSG[0-9]", names)) > 0.5) return("mouse")
    letters <- names[grepl("[A-Za-z]{2}", names)]
    if (length(letters) < 20L) return(NA_character_)
    upper <- mean(letters == toupper(letters))
    if (upper > 0.7) "human" else if (upper < 0.3) "mouse" else NA_character_
}

## The rows of `reference` and of `query` that are the same gene, in the order
## of the reference: list(reference, query, notes). Where one has Ensembl
## identifiers and the other symbols, the former are translated.
.sharedGenes <- function(reference, query, verbose = FALSE) {
    notes <- character()
    if (reference$type != query$type) {
        side <- if (reference$type == "ensembl") "reference" else "query"
        if (side == "reference") reference$key <- .symbolKey(reference) else
            query$key <- .symbolKey(query)
        notes <- paste0("Ensembl identifiers of the ", side, " were taken ",
            "for the symbols that stand beside them or in the shipped table.")
        .say(verbose, notes)
    }
    rows <- which(reference$key %in% query$key &
        !duplicated(reference$key) & !is.na(reference$key))
    if (length(rows) < 50L) {
        .stopGenes(reference, query, length(rows))
    }
    species <- c(reference$caseOf, query$caseOf)
    if (!anyNA(species) && species[[1L]] != species[[2L]]) {
        notes <- c(notes, sprintf(paste("Reference (%s) and query (%s) look",
            "like different species: genes were matched by symbol without",
            "regard to case; reconcileGenes() translates by homology."),
            species[[1L]], species[[2L]]))
        warning(notes[[length(notes)]], call. = FALSE)
    }
    list(reference = rows, query = match(reference$key[rows], query$key),
        notes = notes)
}

.symbolKey <- function(input) {
    input$symbols <- if (is.null(input$symbols) ||
        all(is.na(input$symbols))) NULL else input$symbols
    tryCatch(.knownSymbols(input, FALSE), error = function(e) input$key)
}

.stopGenes <- function(reference, query, n) {
    look <- function(side) {
        ids <- side$type == "ensembl" ||
            mean(grepl("^ENS[A-Z]*G[0-9]", side$names)) > 0.5
        paste0(if (ids) "Ensembl identifiers" else "symbols", if (!is.na(side$caseOf)) paste0(" that look ",
            side$caseOf), " (", .some(side$names, 3L), ")")
    }
    .stopArgument(query$arg, "and the reference share ", n, " genes; 50 are ",
        "needed. The reference has ", look(reference), ", '", query$arg,
        "' ", look(query), ". Are they of one species and naming? ",
        "reconcileGenes() translates names and finds homologs."
    )
}

## ---- labels ----------------------------------------------------------------

## One text per cell from a column of the cell data or a vector; NA where
## nothing is given. `what` names the argument.
.typeColumn <- function(input, value, what) {
    columns <- colnames(input$cellData)
    n <- ncol(input$matrix)
    if (is.character(value) && length(value) == 1L && n != 1L) {
        if (!value %in% columns) {
            near <- .nearestWord(value, columns)
            .stopArgument(what, "is \"", value, "\", which is no column of ",
                "the cells of '", input$arg, "'",
                if (length(columns)) paste0("; there are ",
                    .some(columns, 8L)), if (length(near)) paste0(
                    ". Is \"", near[[1L]], "\" meant?") else "."
            )
        }
        value <- input$cellData[[value]]
    }
    if (length(value) != n || is.list(value)) {
        .stopArgument(what, "must name a column of the cell data, or hold a ",
            "label per cell (", n, "); it has length ", length(value), "."
        )
    }
    value <- as.character(value)
    value[!is.na(value) & !nzchar(trimws(value))] <- NA_character_
    value
}

## Labels of the reference that can be learnt: a list of `label` (NA: not
## used) and `notes` on what was left out. A type needs `least` cells.
.usableLabels <- function(label, least = 3L) {
    notes <- character()
    if (anyNA(label)) {
        notes <- sprintf("%s without a label left out of the reference.",
            .count(sum(is.na(label)), "cell"))
    }
    n <- table(.asFactor(label))
    few <- names(n)[n < least]
    if (length(few)) {
        notes <- c(notes, sprintf(
            "Left out, with fewer than %d cells: %s.", least, .some(few)))
        label[label %in% few] <- NA_character_
    }
    kept <- length(n) - length(few)
    if (kept < 2L) {
        .stopArgument("labels", "has ", .count(kept, "type"), " with at least ",
            least, " cells; two are needed",
            if (length(few)) paste0(" (too few cells: ", .some(few), ")"), "."
        )
    }
    list(label = label, notes = notes)
}
