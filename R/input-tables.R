## The shipped tables of genes: symbols, aliases, previous symbols, Ensembl
## and Entrez identifiers, one-to-one homologs (inst/extdata).

## Tables read so far; by species, and "homologs".
.tables <- new.env(parent = emptyenv())

.readTable <- function(name) {
    file <- system.file("extdata", paste0(name, ".tsv.xz"),
        package = "causeway", mustWork = TRUE
    )
    utils::read.delim(file, colClasses = "character", quote = "",
        comment.char = "", na.strings = NULL
    )
}

## data.frame(symbol, ensembl, entrez, previous, alias, preferred: aliases of
## several genes that are taken for this one) with one row per gene
## and the values of a cell separated by "|"; and the ways to a gene.
.geneIndex <- function(species) {
    if (!is.null(.tables[[species]])) {
        return(.tables[[species]])
    }
    genes <- .readTable(paste0("genes_", species))
    for (column in setdiff(c("entrez", "previous", "alias", "preferred"),
        names(genes))) {
        genes[[column]] <- ""
    }
    prefix <- c(human = "ENSG", mouse = "ENSMUSG")[[species]]
    ids <- .listed(genes$ensembl)
    ids$name <- sprintf("%s%011.0f", prefix, as.numeric(ids$name))
    index <- list(
        genes = genes, prefix = prefix,
        ensembl = ids, entrez = .listed(genes$entrez),
        symbol = .upperNames(genes$symbol, seq_along(genes$symbol)),
        previous = .listed(genes$previous, TRUE),
        alias = .listed(genes$alias, TRUE),
        preferred = .listed(genes$preferred, TRUE)
    )
    index$main <- rep(NA_character_, nrow(genes))
    first <- !duplicated(ids$gene)
    index$main[ids$gene[first]] <- ids$name[first]
    ## a gene without a name of its own gives way to one with
    own <- ids[first, ]
    loc <- startsWith(genes$symbol[own$gene], "LOC")
    index$first <- own[!(loc & own$name %in% own$name[!loc]), ]
    assign(species, index, envir = .tables)
    index
}

## data.frame(name, gene) of cells that hold values separated by "|".
.listed <- function(x, upper = FALSE) {
    parts <- strsplit(x, "|", fixed = TRUE)
    gene <- rep(seq_along(x), lengths(parts))
    if (upper) .upperNames(unlist(parts), gene) else
        data.frame(name = unlist(parts), gene = gene)
}

.upperNames <- function(name, gene) {
    unique(data.frame(name = toupper(name), gene = gene))
}

.homologTable <- function() {
    if (is.null(.tables$homologs)) {
        assign("homologs", .readTable("homologs"), envir = .tables)
    }
    .tables$homologs
}
