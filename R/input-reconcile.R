## Names of genes brought up to date, or to another naming or species.

#' Bring gene names up to date, or to another naming or species
#'
#' Translates gene names to current symbols or Ensembl identifiers: current,
#' previous and alias symbols, Ensembl identifiers with or without version,
#' Entrez identifiers (human), and on request to the one-to-one homologs in
#' the other species. What is not certain is reported and not guessed.
#'
#' @details
#' A name is taken, in this order, for a current symbol, for the previous
#' symbol of one gene, for the alias of one gene; capitals don't count, but an
#' exact match goes first. An alias (or previous symbol) of several genes is
#' `"ambiguous"` and has no output, unless it is plainly used for one of them:
#' the CD antigen of this name, the only one that codes for a protein (OCT4,
#' beside its pseudogenes), or the only such one to which HGNC itself gives the
#' alias (PD-1); the others are listed. A previous symbol that is also the alias
#' of other genes is taken as the previous symbol, and these others are
#' listed. A mouse name that is not known by itself is looked up as a human
#' name, and the one-to-one homolog taken (Oct4 is OCT4's, Pou5f1): `"alias"`.
#' An Ensembl identifier is the gene that gives it as its first one,
#' or else the only gene that lists it. Whole numbers are Entrez identifiers
#' (human). Names that spreadsheets have turned into dates (`1-Mar`, or the
#' day's number, 43891) are `"date"`: they can't be undone with certainty,
#' because MARCH1 and MARC1 both become `1-Mar`.
#'
#' A name that isn't known as written is looked up once more without what
#' programs put into it: a genome's prefix (`GRCh38_TP53`), `.` or `_` for `-`
#' (`HLA.DRA`), the `X` before a digit of `make.names()`, and the number that
#' `make.unique()` appends (`TP53.1`). The text `NA` is a missing name.
#'
#' Rows that get the same name are merged: their counts are added up. Only
#' assays of whole numbers, or called counts, tpm, fpkm, rpkm or cpm, can be
#' added up; when rows are to be merged, others are dropped with a warning.
#' `rowData` is that of the first row. Where an Ensembl identifier is wanted
#' and a symbol has several, the one HGNC (mouse: GENCODE, the first) gives.
#'
#' @param x gene names, or a container of cells with genes in rows: a
#'   SingleCellExperiment, SummarizedExperiment, Seurat object, matrix,
#'   dgCMatrix or DelayedMatrix; or a file or folder of them, see [openCells()].
#' @param to `"symbol"` or `"ensembl"`.
#' @param species of the names given: `"human"` or `"mouse"`; `NULL`: the one
#'   in which more names are known as written.
#' @param from `NULL`: found name by name; or `"symbol"`, `"ensembl"`,
#'   `"entrez"` for all of them.
#' @param homologs `NULL`, or `"mouse to human"` or `"human to mouse"`.
#' @param minCoverage the least share of names that must get an output.
#' @param lost `"drop"` rows without an output, or `"keep"` them under their
#'   own name.
#' @param symbols `NULL` (row names), or the name of a column of `rowData(x)`
#'   to read the names from.
#' @param verbose show a summary.
#' @return For names a data.frame with a row per name:
#'   * `input`, and `output`, `NA` where there is none;
#'   * `how`: `"symbol"`, `"previous"`, `"alias"`, `"ensembl"`, `"entrez"`,
#'     or without output `"ambiguous"`, `"no homolog"`, `"no identifier"`,
#'     `"date"`, `"lost"`;
#'   * `others`: further genes the name could stand for, separated by `|`.
#'
#'   Its attribute `"summary"` counts `how`. For a container the same kind of
#'   container with the outputs as row names, lost rows dropped, equal names
#'   merged, and in `metadata(x)$reconcileGenes` a list of `summary`, `table`
#'   (the data.frame, with `merged`: shares its output with others), `species`,
#'   `to` and `homologs`. A Seurat object is made anew from the counts and
#'   meta data (its other layers and reductions speak of the old names), with
#'   the list in `Misc(x, "reconcileGenes")`; a matrix has no such place: call
#'   `reconcileGenes(rownames(x))` for the table.
#' @section Errors: fewer outputs than `minCoverage`, with the likely reason
#'   (another species, dates, another naming); no names; an unknown `from`,
#'   `to`, `species` or `homologs`.
#' @source Human: HGNC complete set of 2020-05-27 (CC0) and org.Hs.eg.db 3.16.0
#'   (Entrez Gene of 2022-09-12, Artistic-2.0), whose symbols go first. Mouse:
#'   GENCODE symbols and identifiers, aliases of MGI (CC BY 4.0) through
#'   HGNChelper (GPL), which does not tell previous symbols from aliases;
#'   org.Mm.eg.db is not in Debian. Homologs: the table of the package
#'   saezlab/dorothea (GPL-3), one-to-one pairs only. See
#'   `system.file("scripts", "make-gene-tables.R", package = "causeway")`.
#' @seealso [preprocess()], [newModel()]
#' @examples
#' names <- c("TP53", "MLL", "p53", "ENSG00000141510.18", "1-Mar", "SEPT2",
#'     "nothing")
#' reconcileGenes(names, species = "human")
#' reconcileGenes(c("Trp53", "Myod1"), homologs = "mouse to human")
#'
#' counts <- matrix(1:6, 3, dimnames = list(c("KMT2A", "MLL", "MYC"), NULL))
#' reconcileGenes(counts)
#' @export
reconcileGenes <- function(x, to = c("symbol", "ensembl"), species = NULL,
    from = NULL, homologs = NULL, minCoverage = 0.5,
    lost = c("drop", "keep"), symbols = NULL, verbose = interactive()) {
    options <- list(
        to = .oneOf(to, c("symbol", "ensembl"), "to"), species = species,
        from = from, homologs = homologs,
        minCoverage = .checkNumber(minCoverage, "minCoverage", 0, 1),
        lost = .oneOf(lost, c("drop", "keep"), "lost")
    )
    .checkFlag(verbose, "verbose")
    options <- .reconcileOptions(options)
    x <- .openedCells(x)
    if (is.character(x) || is.factor(x)) {
        table <- .reconcileNames(as.character(x), options)
        .sayNames(table, options, verbose)
        return(table)
    }
    .reconcileContainer(x, options, symbols, verbose)
}

.reconcileOptions <- function(o) {
    if (!is.null(o$from)) {
        o$from <- .oneOf(o$from, c("symbol", "ensembl", "entrez"), "from")
    }
    if (!is.null(o$homologs)) {
        o$homologs <- .oneOf(o$homologs, c("mouse to human", "human to mouse"),
            "homologs"
        )
        own <- sub(" to.*", "", o$homologs)
        if (!is.null(o$species) && .resolveSpecies(o$species) != own) {
            .stopArgument("homologs", "is \"", o$homologs, "\", but 'species' ",
                "is ", .resolveSpecies(o$species), "."
            )
        }
        o$species <- own
    }
    if (!is.null(o$species)) {
        o$species <- .resolveSpecies(o$species)
    }
    o
}

.isDateName <- function(x) {
    month <- "(jan|feb|mar|apr|may|jun|jul|aug|sep|sept|oct|nov|dec)"
    grepl(paste0("^([0-9]{1,4}[-/. ]", month, "|", month,
        "[-/. ][0-9]{1,4}|[0-9]{1,4}[-/][0-9]{1,2}([-/][0-9]{1,4})?)$"
    ), tolower(x))
}

.nameKinds <- function(x, from) {
    if (!is.null(from)) {
        return(rep(from, length(x)))
    }
    kind <- rep("symbol", length(x))
    kind[grepl(.ensemblPattern, .bareName(toupper(x)))] <- "ensembl"
    kind[grepl("^[0-9]+$", x)] <- "entrez"
    kind
}

## The number of a day from 2000 to 2049, as a spreadsheet stores a date; few
## genes have such an Entrez identifier.
.isDaySerial <- function(x) {
    number <- suppressWarnings(as.numeric(x))
    grepl("^[0-9]{5}(\\.0)?$", x) & !is.na(number) & number >= 36526 &
        number <= 54788
}

## A name less the genome's name before it.
.bareName <- function(x) {
    sub(.genomePrefix, "", x, ignore.case = TRUE)
}

## Species in which more of the names are known as they are written.
.guessSpecies <- function(x, kind) {
    known <- vapply(c(human = "human", mouse = "mouse"), function(s) {
        index <- .geneIndex(s)
        sum(x[kind == "symbol"] %in% index$genes$symbol) +
            sum(startsWith(toupper(x[kind == "ensembl"]), index$prefix)) +
            sum(x[kind == "entrez"] %in% index$entrez$name)
    }, numeric(1))
    names(known)[[which.max(known)]]
}

.reconcileNames <- function(x, o) {
    given <- x
    x <- trimws(x)
    if (!length(x)) {
        .stopArgument("x", "has no gene names.")
    }
    x[is.na(x) | x == "NA"] <- ""
    kind <- .nameKinds(x, o$from)
    species <- o$species
    if (is.null(species)) {
        species <- .guessSpecies(x, kind)
    }
    found <- .findAltered(x, kind, .geneIndex(species))
    if (species == "mouse") {
        found <- .findByHomolog(found, x, kind)
    }
    last <- .outputs(found, species, o)
    date <- is.na(last$output) & last$how == "lost" &
        (.isDateName(x) | .isDaySerial(x))
    last$how[date] <- "date"
    out <- data.frame(input = given, output = last$output, how = last$how,
        others = last$others
    )
    attr(out, "summary") <- table(factor(out$how, c("symbol", "previous",
        "alias", "ensembl", "entrez", "ambiguous", "no homolog",
        "no identifier", "date", "lost"
    )))
    attr(out, "species") <- species
    .checkSpecies(x, species)
    .checkCoverage(out, kind, species, o)
    out
}

## Capitals don't count in a look-up, so that mouse names would pass for human
## ones; most of them written as in the other species only is an error.
.checkSpecies <- function(x, species) {
    other <- setdiff(c("human", "mouse"), species)
    own <- mean(x %in% .geneIndex(species)$genes$symbol)
    foreign <- x %in% .geneIndex(other)$genes$symbol
    if (mean(foreign) > 0.5 && own < 0.25 * mean(foreign)) {
        .stopArgument("x", "has names written as ", other, " genes (",
            .some(x[foreign], 3L), "), and 'species' says ", species,
            ". Say species = \"", other, "\", or homologs = \"", other,
            " to ", species, "\" to translate them."
        )
    }
}

## Row of the gene table for each name (NA), how it was found, other genes.
.findGenes <- function(x, kind, index) {
    out <- list(
        gene = rep(NA_integer_, length(x)), how = rep("lost", length(x)),
        others = rep("", length(x))
    )
    ways <- list(
        list("symbol", data.frame(name = index$genes$symbol,
            gene = seq_len(nrow(index$genes))
        ), x),
        list("symbol", index$symbol, toupper(x)),
        list("previous", index$previous, toupper(x)),
        list("alias", index$preferred, toupper(x)),
        list("alias", index$alias, toupper(x)),
        list("ensembl", index$first, sub("[._].*$", "", toupper(x))),
        list("ensembl", index$ensembl, sub("[._].*$", "", toupper(x))),
        list("entrez", index$entrez, x)
    )
    for (way in ways) {
        here <- if (way[[1L]] %in% c("ensembl", "entrez")) way[[1L]] else
            "symbol"
        open <- which(kind == here & out$how == "lost" & nzchar(x))
        hit <- .lookUp(way[[3L]][open], way[[2L]])
        some <- !is.na(hit$count)
        at <- open[some]
        single <- hit$count[some] == 1L
        out$gene[at[single]] <- hit$gene[some][single]
        out$how[at] <- ifelse(single, way[[1L]], "ambiguous")
        out$others[at[!single]] <- .symbolLists(
            way[[3L]][at[!single]], way[[2L]], index, NA
        )
        if (way[[1L]] == "previous" ||
            identical(way[[2L]], index$preferred)) {
            out$others[at[single]] <- .symbolLists(
                way[[3L]][at[single]], index$alias, index,
                out$gene[at[single]]
            )
        }
    }
    out
}

## The same; names that aren't found are tried again in the forms that they
## may have had before programs changed them.
.findAltered <- function(x, kind, index) {
    out <- .findGenes(x, kind, index)
    forms <- list(
        .bareName,
        function(x) gsub("[._]", "-", .bareName(x)),
        function(x) sub("^X([0-9])", "\\1", .bareName(x)),
        function(x) sub("[.-][0-9]{1,2}$", "", .bareName(x)),
        function(x) {
            gsub("[._]", "-", sub("[.-][0-9]{1,2}$", "", .bareName(x)))
        }
    )
    for (form in forms) {
        lost <- which(out$how == "lost" & kind != "entrez" & nzchar(x))
        lost <- lost[form(x[lost]) != x[lost]]
        if (!length(lost)) {
            next
        }
        found <- .findGenes(form(x[lost]), kind[lost], index)
        hit <- found$how != "lost"
        for (field in names(out)) {
            out[[field]][lost[hit]] <- found[[field]][hit]
        }
    }
    out
}

## Names of mouse genes that only their human homologs are listed under.
.findByHomolog <- function(found, x, kind) {
    lost <- which(found$how == "lost" & kind == "symbol" & nzchar(x))
    if (!length(lost)) {
        return(found)
    }
    human <- .geneIndex("human")
    other <- .findGenes(x[lost], kind[lost], human)
    pairs <- .homologTable()
    partner <- pairs$mouse[match(human$genes$symbol[other$gene], pairs$human)]
    gene <- match(partner, .geneIndex("mouse")$genes$symbol)
    hit <- !is.na(other$gene) & !is.na(gene)
    found$gene[lost[hit]] <- gene[hit]
    found$how[lost[hit]] <- "alias"
    found
}

.lookUp <- function(names, table) {
    table <- table[table$name %in% names, , drop = FALSE]
    first <- match(names, table$name)
    list(
        gene = table$gene[first],
        count = tabulate(match(table$name, unique(table$name)))[
            match(names, unique(table$name))
        ]
    )
}

## The symbols that names stand for in `table`, less each one's own gene.
.symbolLists <- function(names, table, index, own) {
    if (!length(names)) {
        return(character())
    }
    table <- table[table$name %in% names, , drop = FALSE]
    genes <- split(table$gene, table$name)[names]
    unname(mapply(function(g, o) {
        paste(index$genes$symbol[setdiff(g, o)], collapse = "|")
    }, genes, own))
}

.outputs <- function(found, species, o) {
    index <- .geneIndex(species)
    gene <- found$gene
    how <- found$how
    if (!is.null(o$homologs)) {
        pairs <- .homologTable()
        target <- setdiff(names(pairs), species)
        partner <- pairs[[target]][
            match(index$genes$symbol[gene], pairs[[species]])
        ]
        how[!is.na(gene) & is.na(partner)] <- "no homolog"
        index <- .geneIndex(target)
        gene <- match(partner, index$genes$symbol)
    }
    output <- if (o$to == "symbol") index$genes$symbol[gene] else
        index$main[gene]
    how[!is.na(gene) & is.na(output)] <- "no identifier"
    list(output = output, how = how, others = found$others)
}

## Refuses with the likely reason.
.checkCoverage <- function(out, kind, species, o) {
    good <- !is.na(out$output)
    if (mean(good) >= o$minCoverage) {
        return(invisible())
    }
    .stopArgument("x", "has ", sum(good), " of ", length(good), " names (",
        format(100 * mean(good), digits = 2L), "%) that translate; ",
        "minCoverage is ", o$minCoverage, ". ",
        .coverageReason(out, kind, species, o), "Not translated: ",
        .some(ifelse(out$input[!good] %in% "", '""', out$input[!good])), "."
    )
}

.coverageReason <- function(out, kind, species, o) {
    other <- setdiff(c("human", "mouse"), species)
    x <- trimws(out$input)
    index <- .geneIndex(other)
    foreign <- mean(x %in% index$genes$symbol |
        startsWith(toupper(x), paste0(index$prefix, "0")), na.rm = TRUE)
    prefix <- c(human = "ENSG0", mouse = "ENSMUSG0")[[species]]
    ensembl <- kind == "ensembl"
    lost <- mean(out$how == "no homolog")
    if (lost > 0.3) {
        paste0(sum(out$how == "no homolog"), " have no one-to-one homolog. ")
    } else if (foreign > 0.3) {
        paste0("They look like ", other, " genes: species = \"", other,
            "\", or homologs = \"", other, " to ", species, "\". ")
    } else if (mean(ensembl & !startsWith(toupper(x), prefix)) > 0.3) {
        paste0("They are Ensembl identifiers of another species (",
            .some(x[ensembl], 1L), "); human and mouse are known here. ")
    } else if (mean(.isDateName(x)) > 0.05) {
        paste0("Some are dates, ", .some(x[.isDateName(x)], 2L),
            ": a spreadsheet has changed them; go back to the original ",
            "file. ")
    } else if (mean(grepl("^(cg|rs|[0-9]+_(s_|x_|a_)?at$|chr)", x)) > 0.3 ||
        mean(grepl("_at$", x)) > 0.3) {
        "They look like probes or positions, not genes. "
    } else if (mean(out$how == "ambiguous") > 0.3) {
        paste0(sum(out$how == "ambiguous"), " are aliases of several genes. ")
    } else {
        "Is it another species or another naming? "
    }
}

.sayNames <- function(table, o, verbose) {
    counts <- attr(table, "summary")
    counts <- counts[counts > 0]
    .say(verbose, sum(!is.na(table$output)), " of ", nrow(table), " names (",
        attr(table, "species"), ") translated: ",
        paste(counts, names(counts), collapse = ", "), "."
    )
}
