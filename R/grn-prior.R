## Networks of regulation known beforehand, as edges.

#' A network of regulation known beforehand
#'
#' Reads transcription factors and their targets from a file or a data.frame
#' into the form that this package takes as a prior: in
#' [trainModel()] (`prior`), in [RidgeGRNParam()] (`prior`), or as a set of
#' candidate edges in [evaluateGRN()].
#'
#' @details
#' Nothing is downloaded unless `download = TRUE`. A named `source` is looked
#' for in `cache`, under the names its authors gave the files too
#' (`collectri.csv`, `dorothea_hs.rda`, `trrust_rawdata.human.tsv`), so that
#' `cache` may be a folder of yours. A download is kept there by
#' [BiocFileCache::BiocFileCache()] with its SHA-256 digest, and every later
#' reading is compared with it. CollecTRI's release
#' (Zenodo 8192729) has a fixed digest; the other sources change, and their
#' digest is that of the first download.
#'
#' CollecTRI is human; for the mouse it is carried over to one-to-one
#' homologs, see [reconcileGenes()]. Files may be csv, tsv (also gz, xz),
#' rds, or an rda with one data.frame. The columns are recognised by their
#' names, factor and target as by [readReference()], which also says which
#' rows are no edges; and if there are sign (`mor`, `sign`, `weight`, `mode`, or
#' OmniPath's stimulation and inhibition) and confidence (`confidence`,
#' `dorothea_level`); TRRUST's files have none. A prior is what was known, not
#' what holds in these cells: score a network made with one on edges it did
#' not hold ([splitReference()]).
#'
#' @param species `"human"` or `"mouse"`.
#' @param source `"collectri"`, `"dorothea"`, `"trrust"`, `"omnipath"`, the
#'   path of a file, or a data.frame.
#' @param download fetch the source when it is not in the cache?
#' @param confidence levels of DoRothEA to keep, `"A"` (most certain) to
#'   `"E"`; of other sources all edges without a level are kept.
#' @param complexes `"expand"`: a complex (`AP1`, `NFKB`, `COMPLEX:FOS_JUN`)
#'   is replaced by its members, each with the edge; `"drop"`; `"keep"` it
#'   under its name.
#' @param cache folder of downloaded files.
#' @param verbose show messages.
#' @return A data.frame with a row per edge, each once: `Gene1` (the factor),
#'   `Gene2` (the target), `sign` (-1 repression, 1 activation, 0 unknown or
#'   both), `weight` (number of rows of the source that name the edge),
#'   `confidence` and `complex` (the complex it was expanded from), `NA` where
#'   there is none. Its attribute `"source"` is a list: `name`, `file`,
#'   `sha256`, `licence`, `species`, `rows` read, and what was left out:
#'   `unnamed`, `level`, `repeated`, `noHomolog`, and the `complexes` met.
#' @section Errors: a source that is not cached (says what to do), a download
#'   that fails, a file that is not the one downloaded or released, columns
#'   that are missing or hold something else, no edges left.
#' @references Mueller-Dott et al. (2023) Nucleic Acids Research 51, 10934
#'   (CollecTRI). Garcia-Alonso et al. (2019) Genome Research 29, 1363
#'   (DoRothEA). Han et al. (2018) Nucleic Acids Research 46, D380 (TRRUST).
#'   Tuerei et al. (2016) Nature Methods 13, 966 (OmniPath).
#' @seealso [RidgeGRNParam()], [trainModel()], [evaluateGRN()]
#' @examples
#' edges <- data.frame(tf = c("MYOD1", "AP1"), target = c("MYOG", "IL2"),
#'     mor = c(1, 1))
#' priorNetwork("human", edges)
#' @export
priorNetwork <- function(species = "human", source = "collectri",
    download = FALSE, confidence = c("A", "B", "C"),
    complexes = c("expand", "drop", "keep"),
    cache = tools::R_user_dir("causeway", "cache"), verbose = interactive()) {
    .noCollection(species)
    species <- .resolveSpecies(species)
    .checkFlag(download, "download")
    .checkFlag(verbose, "verbose")
    complexes <- .oneOf(complexes, c("expand", "drop", "keep"), "complexes")
    if (!is.character(confidence) || !length(confidence) ||
        !all(confidence %in% LETTERS[1:5])) {
        .stopArgument("confidence", "must be some of \"A\" to \"E\"; it is ",
            .show(confidence), "."
        )
    }
    found <- .priorSource(source, species, download, cache, verbose)
    edges <- .priorColumns(found$table, found$name)
    edges <- .priorEdges(edges, confidence, complexes, species, found)
    facts <- attr(edges, "source")
    .say(verbose, found$name, ": ", nrow(edges), " edges of ",
        length(unique(edges$Gene1)), " factors from ", facts$rows, " rows; ",
        "left out ", facts$unnamed, " without names, ", facts$level,
        " of other levels, ", facts$repeated, " repeated",
        if (facts$noHomolog) paste0(", ", facts$noHomolog, " no homolog"),
        "."
    )
    edges
}

## priorNetwork("collectri"): the species comes first.
.noCollection <- function(species) {
    known <- c("collectri", "dorothea", "trrust", "omnipath")
    near <- if (is.character(species) && length(species) == 1L &&
        !is.na(species)) .nearestWord(species, known)
    if (length(near)) {
        .stopArgument("species", "is \"", species, "\"; it must be \"human\" ",
            "or \"mouse\". Did you mean source = \"", near, "\"?"
        )
    }
}

## ---- from rows to edges ----------------------------------------------------

## Members of the complexes that CollecTRI names as one.
.complexMembers <- list(
    AP1 = c("FOS", "FOSB", "FOSL1", "FOSL2", "JUN", "JUNB", "JUND"),
    NFKB = c("NFKB1", "NFKB2", "REL", "RELA", "RELB")
)

.priorEdges <- function(edges, confidence, complexes, species, found) {
    facts <- list(
        name = found$name, file = found$file, sha256 = found$sha256,
        licence = found$licence, species = species, rows = attr(edges, "rows")
    )
    named <- !is.na(edges$Gene1) & !is.na(edges$Gene2) &
        nzchar(edges$Gene1) & nzchar(edges$Gene2)
    level <- is.na(edges$confidence) | edges$confidence %in% confidence
    facts$unnamed <- sum(!named)
    facts$level <- sum(named & !level)
    edges <- .expandComplexes(edges[named & level, ], complexes)
    facts$complexes <- attr(edges, "met")
    facts$noHomolog <- 0L
    if (found$native != species && nrow(edges)) {
        before <- nrow(edges)
        edges <- .priorHomologs(edges, found$native, species)
        facts$noHomolog <- before - nrow(edges)
    }
    if (!nrow(edges)) {
        .stopArgument("source", "(", found$name, ") leaves no edge of ",
            facts$rows, " rows: ", facts$unnamed, " without names, ",
            facts$level, " of levels other than ",
            paste(confidence, collapse = ", "), ", ", facts$noHomolog,
            " without homologs."
        )
    }
    out <- .uniqueEdges(edges)
    facts$repeated <- nrow(edges) - nrow(out)
    attr(out, "source") <- facts
    out
}

## Edges of complexes as edges of their members. Members of COMPLEX:A_B are A
## and B; AP1 and NFKB, as CollecTRI has them, by the table above.
.expandComplexes <- function(edges, how) {
    edges$complex <- rep(NA_character_, nrow(edges))
    bare <- sub("^COMPLEX:", "", edges$Gene1)
    tagged <- bare != edges$Gene1
    which <- tagged | toupper(edges$Gene1) %in% names(.complexMembers)
    met <- unique(edges$Gene1[which])
    if (how == "drop") {
        edges <- edges[!which, ]
    } else if (how == "expand" && any(which)) {
        members <- lapply(which(which), function(i) {
            known <- .complexMembers[[toupper(bare[[i]])]]
            if (is.null(known)) {
                return(strsplit(bare[[i]], "_", fixed = TRUE)[[1L]])
            }
            capital <- bare[[i]] == toupper(bare[[i]])
            if (capital) known else .titleCase(known)
        })
        parts <- edges[rep(which(which), lengths(members)), ]
        parts$complex <- parts$Gene1
        parts$Gene1 <- unlist(members)
        edges <- rbind(edges[!which, ], parts)
    }
    attr(edges, "met") <- met
    edges
}

.titleCase <- function(x) {
    paste0(toupper(substr(x, 1L, 1L)), tolower(substr(x, 2L, nchar(x))))
}

.priorHomologs <- function(edges, from, to) {
    names <- unique(c(edges$Gene1, edges$Gene2))
    table <- reconcileGenes(names, homologs = paste(from, "to", to),
        minCoverage = 0, verbose = FALSE
    )
    edges$Gene1 <- table$output[match(edges$Gene1, names)]
    edges$Gene2 <- table$output[match(edges$Gene2, names)]
    edges[!is.na(edges$Gene1) & !is.na(edges$Gene2), ]
}

## Each edge once, in order of first appearance, those named as such before
## those of complexes: sign 0 where rows disagree, the best level.
.uniqueEdges <- function(edges) {
    edges <- edges[order(!is.na(edges$complex)), ]
    key <- paste(edges$Gene1, edges$Gene2, sep = "\r")
    first <- !duplicated(key)
    group <- match(key, key[first])
    own <- is.na(edges$complex) | !is.na(edges$complex[first])[group]
    n <- sum(first)
    up <- tabulate(group[own & edges$sign > 0], n)
    down <- tabulate(group[own & edges$sign < 0], n)
    ranked <- order(edges$confidence, na.last = TRUE, method = "radix")
    best <- edges$confidence[ranked][match(seq_len(n), group[ranked])]
    out <- data.frame(
        Gene1 = edges$Gene1[first], Gene2 = edges$Gene2[first],
        sign = as.integer((up > 0) - (down > 0)),
        weight = as.numeric(tabulate(group[own], n)), confidence = best,
        complex = edges$complex[first]
    )
    out
}
