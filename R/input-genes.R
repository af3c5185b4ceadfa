## Gene names: cleaned, checked, and the symbols that stand beside them.

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

## Symbols to find mitochondrial genes and factors by: the input's own, for
## Ensembl identifiers without any those of the shipped table; else NA.
## For inference without a model: symbols of Ensembl names where none are given.
.symbolsOfEnsembl <- function(input, species, verbose) {
    if (input$type == "ensembl" && is.null(input$symbols)) {
        input$symbols <- .knownSymbols(input, species, verbose)
    }
    input
}

.knownSymbols <- function(input, species, verbose) {
    ids <- grepl("^ENS[A-Z]*G[0-9]{6,}", input$symbols)
    if (!is.null(input$symbols) && mean(ids) < 0.5) {
        return(.cleanSymbol(input$symbols))
    }
    index <- .geneIndex(species)
    names <- .cleanSymbol(input$names)
    found <- .findGenes(names, rep("ensembl", length(names)), index)$gene
    found <- index$genes$symbol[found]
    if (all(is.na(found))) {
        .stopArgument("x", "has identifiers that are not Ensembl's of ",
            species, " (", .some(input$names, 3L), "); name the column of ",
            "rowData(x) with gene symbols in 'symbols', or see ",
            "reconcileGenes()."
        )
    }
    .say(verbose, "Symbols of ", sum(!is.na(found)), " of ", length(found),
        " Ensembl identifiers from the shipped table."
    )
    .cleanSymbol(found)
}
