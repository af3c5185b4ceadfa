## Gene names: cleaned, checked, and the symbols that stand beside them.

.symbolColumns <- c(
    "gene_short_name", "symbol", "Symbol", "SYMBOL", "gene_symbol",
    "gene_name", "Gene", "feature_name"
)

.ensemblPattern <- "^ENS[A-Z]*G[0-9]{6,}"

## Are these Ensembl identifiers of human genes? A transgene, a spike-in or a
## hashtag among them doesn't change it: most are.
.isEnsembl <- function(names) {
    length(names) > 0L &&
        mean(startsWith(toupper(trimws(names)), "ENSG"), na.rm = TRUE) > 0.5
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

## Names as identifiers are compared: Ensembl's of any species without version.
.cleanIds <- function(x) {
    x <- .cleanSymbol(x)
    id <- grepl(.ensemblPattern, x)
    x[id] <- sub("[._].*$", "", x[id])
    x
}

## Fills `names` (what the model matches), `symbols` (labels and TF look-up),
## `ids`, `clean` and `type` of an input of .readCells(). `strict`: names that
## differ in case or Ensembl version only are an error too. A row without a
## symbol among those that have one keeps its own name.
.nameGenes <- function(input, symbols, verbose, strict = TRUE) {
    column <- .symbolVector(input, symbols, nrow(input$matrix))
    own <- as.character(if (is.null(input$names)) column$values else
        input$names)
    if (!length(own)) {
        .stopArgument("x", "has no gene names; set rownames(x), or ",
            "name a column of rowData(x) with 'symbols'."
        )
    }
    type <- if (.isEnsembl(own)) "ensembl" else "symbol"
    ids <- grepl(.ensemblPattern, toupper(trimws(own)))
    foreign <- type == "symbol" && mean(ids) > 0.5
    values <- column$values
    if (!is.null(values)) {
        lost <- is.na(values) | !nzchar(trimws(values))
        values[lost & (!ids | foreign)] <- own[lost & (!ids | foreign)]
    }
    names <- if (type == "symbol" && !is.null(values) &&
        (!is.null(symbols) || foreign)) values else own
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
    if (foreign && is.null(values)) {
        names <- .namesOfForeign(names, ids, input$species)
    }
    input$type <- type
    input$names <- names
    input$ids <- .cleanIds(own)
    input$clean <- .cleanNames(names, type)
    input$symbols <- if (type == "symbol") input$clean else values
    .checkGeneNames(input, strict)
    input
}

## Symbols in place of mouse Ensembl identifiers, by the shipped table; where
## there is none, or an earlier row has it, the identifier stays.
.namesOfForeign <- function(names, ids, species) {
    if (!identical(species, "mouse") ||
        !any(grepl("^ENSMUSG", toupper(trimws(names[ids]))))) {
        return(names)
    }
    index <- .geneIndex(species)
    found <- .findGenes(.cleanIds(names), rep("ensembl", length(names)), index)
    symbol <- index$genes$symbol[found$gene]
    take <- ids & !is.na(symbol) & !duplicated(symbol) &
        !(toupper(symbol) %in% toupper(trimws(names[!ids])))
    names[take] <- symbol[take]
    names
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

## For inference without a model: symbols of Ensembl names where none are given.
.symbolsOfEnsembl <- function(input, verbose) {
    if (input$type == "ensembl" && is.null(input$symbols)) {
        input$symbols <- .knownSymbols(input, verbose)
    }
    input
}

## Symbols to find mitochondrial genes and factors by: the input's own, for
## Ensembl identifiers without any those of the shipped table; else NA. Rows
## that aren't Ensembl's (transgenes, spike-ins) keep their names.
.knownSymbols <- function(input, verbose) {
    ids <- grepl(.ensemblPattern, input$symbols)
    if (!is.null(input$symbols) && mean(ids) < 0.5) {
        return(.cleanSymbol(input$symbols))
    }
    index <- .geneIndex(input$species)
    ids <- grepl(.ensemblPattern, input$ids)
    found <- .findGenes(input$ids, rep("ensembl", length(input$ids)),
        index
    )$gene
    found <- index$genes$symbol[found]
    if (all(is.na(found))) {
        .stopArgument("x", "has identifiers that are not Ensembl's of ",
            input$species, " (", .some(input$names[ids], 3L), "); name the ",
            "column of rowData(x) with gene symbols in 'symbols', say ",
            "'species', or see reconcileGenes()."
        )
    }
    .say(verbose, "Symbols of ", sum(!is.na(found)), " of ", sum(ids),
        " Ensembl identifiers from the shipped table."
    )
    found[!ids] <- input$names[!ids]
    .cleanSymbol(found)
}

## ---- genes by choice --------------------------------------------------------

## What `genes` or `keep` stand for: names of genes; or, as one string that is
## no gene, a column of flags of rowData(x), an entry of metadata(x) with
## names (as of scran's getTopHVGs()), or "VariableFeatures", the variable
## genes that the object itself knows. Chosen in this way (attribute "from")
## a gene that can't be used is left out, where a named one is an error.
.chosenGenes <- function(input, genes, arg) {
    if (is.null(genes) || length(genes) != 1L ||
        .cleanSymbol(genes) %in% c(input$clean, input$symbols) ||
        .cleanIds(genes) %in% input$ids) {
        return(genes)
    }
    flag <- input$geneData[[genes]]
    found <- if (is.logical(flag)) {
        input$names[which(flag)]
    } else if (is.character(input$metadata[[genes]])) {
        input$metadata[[genes]]
    } else if (genes %in% c("VariableFeatures", "variable")) {
        input$variable
    }
    if (!length(found)) {
        .stopArgument(arg, "is \"", genes, "\", which isn't a gene of 'x'",
            .flagsOf(input), "."
        )
    }
    structure(found, from = genes)
}

## The columns and entries that 'genes' could name, for an error.
.flagsOf <- function(input) {
    flags <- names(Filter(is.logical, as.list(input$geneData)))
    lists <- names(Filter(is.character, input$metadata))
    paste0(", nor a column of flags of rowData(x)",
        if (length(flags)) paste0(" (", .some(flags, 4L), ")"),
        ", nor names in metadata(x)",
        if (length(lists)) paste0(" (", .some(lists, 4L), ")"),
        if (length(input$variable)) "; \"VariableFeatures\" is known"
    )
}

## Places among `rows` of the variable genes that the object names; NULL: none.
.knownVariable <- function(input, match, rows, variable) {
    if (!length(variable)) {
        return(NULL)
    }
    at <- match(.namedRows(input, match, variable), rows)
    unique(at[!is.na(at)])
}
