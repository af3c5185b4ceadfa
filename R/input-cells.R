## From the user's container to one shape, for every verb that reads cells.

## A list: `matrix` (genes x cells, any kind that .columnChunk() reads),
## `cells`, `names` (of genes), `clean` (names as they are matched), `ids`
## (row names of `x` as identifiers are matched), `type` ("ensembl" or
## "symbol"), `symbols` (or NULL), `cellData`, `geneData`, `assay` (its name),
## `species`, `reductions`, `variable`, `metadata` (see .part()). `how`: what
## .inputArgs() returns. `strict`: names that differ in case or Ensembl version
## only are an error too.
.readCells <- function(x, how = .inputArgs(), verbose = FALSE, strict = TRUE) {
    found <- .modalities(x)
    cells <- .readPart(.rnaPart(found, how$assay), how$assay.type, verbose)
    .checkMatrix(cells$matrix)
    .checkOrientation(cells, how$symbols)
    cells <- .nameCells(cells, verbose)
    cells$species <- .resolveSpecies(how$species, cells$cellData)
    cells <- .nameGenes(cells, how$symbols, verbose, strict)
    .checkMixed(cells$cellData)
    .checkGenomes(cells$names)
    cells$elsewhere <- setdiff(names(found$parts), how$assay)
    cells
}

## The part that holds the RNA: the one asked for, the container's own, or the
## one that looks like it.
.rnaPart <- function(found, assay) {
    names <- names(found$parts)
    if (!is.null(assay)) {
        if (length(names) < 2L && !assay %in% names) {
            .stopArgument("assay", "is \"", assay, "\", but 'x' holds one ",
                "modality; leave it NULL. Its assays are chosen by ",
                "'assay.type'."
            )
        }
        return(found$parts[[.chosen(assay, names, "assay",
            if (is.null(found$what)) "a part" else found$what
        )]])
    }
    if (!is.null(found$main)) {
        return(found$parts[[found$main]])
    }
    chromatin <- .guessChromatin(names, function(n) found$parts[[n]]$features)
    found$parts[[.guessRna(names, chromatin, "assay")]]
}

.checkMatrix <- function(m) {
    if (length(dim(m)) != 2L) {
        .stopArgument("x", "must have two dimensions, genes and cells.")
    }
    if (nrow(m) == 0L || ncol(m) == 0L) {
        .stopArgument("x", "is empty: ", nrow(m), " genes x ", ncol(m),
            " cells. Genes go in rows, cells in columns."
        )
    }
    type <- .matrixType(m)
    if (!(type %in% c("double", "integer", "logical"))) {
        .stopArgument("x", "must hold numbers; its assay holds ", type,
            " values."
        )
    }
    invisible()
}

## Genes in columns: these hold names of factors or Ensembl identifiers, and
## the rows (names, or the column that 'symbols' names) none.
.checkOrientation <- function(cells, symbols) {
    known <- function(names) {
        names <- .cleanSymbol(as.character(names))
        names %in% .factorNames() | grepl("^ENS[A-Z]*G[0-9]{6,}", names)
    }
    columns <- cells$cells
    if (length(columns) > 2e5) { # more than any genome has genes
        return(invisible())
    }
    there <- known(columns)
    if (sum(there) < 2L) {
        return(invisible())
    }
    column <- .symbolVector(cells, symbols, nrow(cells$matrix))$values
    if (any(known(c(cells$names, column)))) {
        return(invisible())
    }
    .stopArgument("x", "is transposed: its columns have the names of genes (",
        .some(columns[there], 3L), "), its rows ", if (length(cells$names))
            paste0("don't (", .some(cells$names, 3L), ")") else "have none",
        ". Genes go in rows, cells in columns: t(x)."
    )
}

## Symbols of the factors of both species, in upper case.
.factorNames <- function() {
    if (is.null(.tables$factors)) {
        assign("factors", unique(toupper(c(tfCatalogue("human")$TF,
            tfCatalogue("mouse")$TF
        ))), envir = .tables)
    }
    .tables$factors
}

.nameCells <- function(input, verbose) {
    if (is.null(input$cells)) {
        input$cells <- paste0("cell", seq_len(ncol(input$matrix)))
        .say(verbose, "The cells have no names: calling them cell1, cell2, ",
            "..."
        )
    }
    bad <- is.na(input$cells) | !nzchar(input$cells)
    if (any(bad)) {
        .stopArgument("x", "has ", .count(sum(bad), "cell"), " without a name ",
            "(first: column ", which(bad)[[1L]], "); name or drop them, or ",
            "colnames(x) <- NULL."
        )
    }
    twice <- unique(input$cells[duplicated(input$cells)])
    if (length(twice)) {
        .stopArgument("x", "has duplicated cell names: ", .some(twice),
            ". Make them unique, colnames(x) <- make.unique(colnames(x))."
        )
    }
    input
}

## A column "species" of both species, whatever the argument says.
.checkMixed <- function(cellData) {
    if (!("species" %in% colnames(cellData))) {
        return(invisible())
    }
    found <- .speciesNames[unique(tolower(trimws(
        as.character(cellData[["species"]])
    )))]
    if (all(c("human", "mouse") %in% found)) {
        .stopArgument("x", "mixes species: colData(x)$species holds human and ",
            "mouse. Split 'x' by species first."
        )
    }
    invisible()
}

## Genes of both species, as mixtures of their cells have them.
.checkGenomes <- function(names) {
    pattern <- c(human = "^(GRCh3[78]|hg19|hg38)_+|^ENSG[0-9]",
        mouse = "^(GRCm3[89]|mm9|mm10|mm39)_+|^ENSMUSG[0-9]"
    )
    own <- lapply(pattern, grep, names, ignore.case = TRUE)
    if (min(lengths(own)) > 0.05 * length(names)) {
        .stopArgument("x", "mixes species: it has genes of human (",
            .some(names[own$human], 2L), ") and of mouse (",
            .some(names[own$mouse], 2L), "). Take the cells and genes of one, ",
            "x[genes, cells], a file with openCells() first."
        )
    }
    invisible()
}
