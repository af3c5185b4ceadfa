## Networks of regulation known beforehand: CollecTRI, DoRothEA, TRRUST,
## OmniPath, read from files and never downloaded unasked.

## Where a collection comes from. `files`: names it is known by in the cache,
## the first that of a download. `sha256` where the release is fixed.
.priorSources <- function(species) {
    taxon <- c(human = "9606", mouse = "10090")[[species]]
    short <- c(human = "hs", mouse = "mm")[[species]]
    omnipath <- function(...) {
        paste0("https://omnipathdb.org/interactions?format=tsv&genesymbols=1",
            "&organisms=", taxon, ...
        )
    }
    list(
        collectri = list(
            files = c("CollecTRI_regulons.csv", "collectri.csv"),
            url = paste0("https://zenodo.org/records/8192729/files/",
                "CollecTRI_regulons.csv"
            ),
            sha256 = paste0("4473c9189dd53dacc80297709ad1452d",
                "da1086a1cc2185f9a56146c261668701"
            ), native = "human", licence = "CC BY 4.0"
        ),
        dorothea = list(
            files = c(paste0("dorothea_", species, ".tsv"),
                paste0("dorothea_", short, ".rda")
            ),
            url = omnipath("&datasets=dorothea&dorothea_levels=A,B,C,D",
                "&fields=dorothea_level"
            ),
            native = species, licence = "GPL-3 (the package)"
        ),
        trrust = list(
            files = paste0("trrust_rawdata.", species, ".tsv"),
            url = paste0("https://www.grnpedia.org/trrust/data/",
                "trrust_rawdata.", species, ".tsv"
            ), native = species, licence = "CC BY-SA 4.0"
        ),
        omnipath = list(
            files = paste0("omnipath_", species, ".tsv"),
            url = omnipath("&datasets=collectri,dorothea,tf_target",
                "&dorothea_levels=A,B,C&fields=dorothea_level"
            ),
            native = species, licence = "each resource's own"
        )
    )
}

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
#' `cache` may be a folder of yours. A download is kept there with its SHA-256
#' digest, and every later reading is compared with it. CollecTRI's release
#' (Zenodo 8192729) has a fixed digest; the other sources change, and their
#' digest is that of the first download.
#'
#' CollecTRI is human; for the mouse it is carried over to one-to-one
#' homologs, see [reconcileGenes()]. Files may be csv, tsv (also gz, xz),
#' rds, or an rda with one data.frame. The columns are recognised by their
#' names: factor (`Gene1`, `source_genesymbol`, `source`, `tf`, `TF`,
#' `regulator`, `from`), target (`Gene2`, `target_genesymbol`, `target`,
#' `gene`, `to`), and if there are sign (`mor`, `sign`, `weight`, `mode`, or
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

## ---- where it comes from ---------------------------------------------------

.priorSource <- function(source, species, download, cache, verbose) {
    if (is.data.frame(source)) {
        return(list(
            name = "data.frame", table = as.data.frame(source),
            native = species
        ))
    }
    if (!is.character(source) || length(source) != 1L || is.na(source)) {
        .stopArgument("source", "must be \"collectri\", \"dorothea\", ",
            "\"trrust\", \"omnipath\", the path of a file or a data.frame; ",
            "it is ", .show(source), "."
        )
    }
    known <- .priorSources(species)
    if (source %in% names(known)) {
        .checkText(cache, "cache")
        file <- .cachedPrior(known[[source]], source, cache, download, verbose)
        out <- known[[source]][c("native", "licence")]
    } else if (file.exists(source) && !dir.exists(source)) {
        file <- source
        out <- list(native = species, licence = NA_character_)
    } else {
        .stopArgument("source", "is \"", source, "\", which is neither a ",
            "file nor one of ", paste0("\"", names(known), "\"",
                collapse = ", "
            ), "."
        )
    }
    c(out, list(
        name = basename(source), table = .readPrior(file), file = file,
        sha256 = .sha256(file)
    ))
}

.sha256 <- function(file) {
    cli::hash_file_sha256(path.expand(file))
}

.cachedPrior <- function(entry, source, cache, download, verbose) {
    files <- file.path(cache, entry$files)
    there <- files[file.exists(files)]
    if (length(there)) {
        .verifyPrior(there[[1L]], entry)
        return(there[[1L]])
    }
    if (!download) {
        stop("'", source, "' is not in the cache (", cache, "), and nothing ",
            "is downloaded unasked. Say download = TRUE to fetch it from ",
            entry$url, " (licence: ", entry$licence, "), put a file called ",
            paste(entry$files, collapse = " or "), " there, or give the ",
            "path of a file as 'source'.",
            call. = FALSE
        )
    }
    .fetchPrior(entry$url, files[[1L]], entry$sha256, verbose)
    files[[1L]]
}

## The digest written at the download, or the release's own.
.verifyPrior <- function(file, entry) {
    note <- paste0(file, ".sha256")
    want <- if (file.exists(note)) {
        sub(" .*$", "", readLines(note, n = 1L, warn = FALSE))
    } else if (basename(file) == entry$files[[1L]]) {
        entry$sha256
    }
    if (!is.null(want) && !identical(.sha256(file), want)) {
        stop("'", file, "' is not the file it was (SHA-256 ", .sha256(file),
            ", expected ", want, "). Delete it and download it again; a ",
            "file of your own can be given by its path as 'source'.",
            call. = FALSE
        )
    }
    invisible()
}

## Downloads to a temporary name, looks whether it is what it should be, then
## gives it its name and notes its digest.
.fetchPrior <- function(url, file, sha256, verbose) {
    dir.create(dirname(file), showWarnings = FALSE, recursive = TRUE)
    part <- tempfile("download", dirname(file),
        sub("^.*(\\.[a-z]+)$", "\\1", file)
    )
    on.exit(unlink(part))
    .say(verbose, "Downloading ", url)
    failed <- tryCatch({
        .copyUrl(url, part)
        NULL
    }, error = conditionMessage, warning = conditionMessage)
    if (is.null(failed) && (!file.exists(part) || file.size(part) == 0)) {
        failed <- "nothing came"
    }
    if (is.null(failed)) {
        failed <- tryCatch({
            .priorColumns(.readPrior(part), basename(file))
            NULL
        }, error = function(e) paste0("what came is no table of edges: ",
            conditionMessage(e)
        ))
    }
    if (!is.null(failed)) {
        stop("'", url, "' could not be downloaded to '", file, "': ", failed,
            ". Is there a connection, and room on the disk? A file from ",
            "elsewhere can be put there, or given as 'source'.",
            call. = FALSE
        )
    }
    got <- .sha256(part)
    if (!is.null(sha256) && got != sha256) {
        stop("what came from '", url, "' is not the release this package ",
            "knows (SHA-256 ", got, ", expected ", sha256, "); it was not ",
            "kept. If it is a newer one, download it yourself and give its ",
            "path as 'source'.",
            call. = FALSE
        )
    }
    if (!file.rename(part, file)) {
        stop("'", file, "' can't be written.", call. = FALSE)
    }
    writeLines(paste0(got, "  ", basename(file)), paste0(file, ".sha256"))
    .say(verbose, "SHA-256 ", got, if (is.null(sha256)) {
        ", noted for later readings; the source has no fixed release"
    }, ".")
    invisible(file)
}

.copyUrl <- function(url, file) {
    from <- base::url(url, "rb")
    on.exit(close(from))
    to <- base::file(file, "wb")
    on.exit(close(to), add = TRUE)
    repeat {
        bytes <- readBin(from, "raw", 2^20)
        if (!length(bytes)) {
            break
        }
        writeBin(bytes, to)
    }
}

## ---- reading ---------------------------------------------------------------

.readPrior <- function(file) {
    name <- tolower(basename(file))
    if (grepl("\\.(rda|rdata|rds)$", name)) {
        return(.readPriorData(file, name))
    }
    first <- tryCatch(readLines(file, n = 5L, warn = FALSE),
        error = function(e) character(), warning = function(w) character()
    )
    first <- first[nzchar(trimws(first)) & !startsWith(first, "#")]
    if (!length(first)) {
        .stopArgument("source", "names a file without a line of text: ", file,
            "."
        )
    }
    marks <- c("\t", ",", ";")
    count <- vapply(marks, function(m) {
        lengths(regmatches(first[[1L]], gregexpr(m, first[[1L]],
            fixed = TRUE
        )))
    }, numeric(1))
    mark <- marks[[which.max(count)]]
    bare <- grepl("\t(Activation|Repression|Unknown)(\t|$)", first[[1L]])
    args <- list(file, sep = mark, header = !bare, quote = "\"",
        comment.char = "", colClasses = "character", fill = TRUE,
        na.strings = c("NA", ""), check.names = FALSE
    )
    if (bare) {
        args$col.names <- c("tf", "target", "mode", "reference")
    }
    tryCatch(
        do.call(utils::read.table, args),
        error = function(e) {
            .stopArgument("source", "names a file that can't be read as a ",
                "table, ", file, ": ", conditionMessage(e), "."
            )
        }
    )
}

.readPriorData <- function(file, name) {
    table <- tryCatch({
        if (endsWith(name, "rds")) {
            readRDS(file)
        } else {
            env <- new.env()
            tables <- Filter(is.data.frame,
                mget(suppressWarnings(load(file, envir = env)), envir = env)
            )
            if (length(tables) == 1L) tables[[1L]]
        }
    }, error = function(e) {
        .stopArgument("source", "names a file that can't be read, ", file,
            ": ", conditionMessage(e), "."
        )
    })
    if (!is.data.frame(table)) {
        .stopArgument("source", "names a file that doesn't hold one ",
            "data.frame: ", file, "."
        )
    }
    as.data.frame(table)
}

.priorNames <- list(
    Gene1 = c("Gene1", "source_genesymbol", "source", "tf", "TF", "regulator",
        "from"
    ),
    Gene2 = c("Gene2", "target_genesymbol", "target", "gene", "to"),
    sign = c("mor", "sign", "weight", "mode"),
    confidence = c("confidence", "dorothea_level")
)

## data.frame(Gene1, Gene2, sign, confidence) of whatever columns there are.
.priorColumns <- function(table, name) {
    pick <- lapply(.priorNames, function(n) {
        at <- match(tolower(n), tolower(names(table)))
        at[!is.na(at)][1L]
    })
    if (is.na(pick$Gene1) || is.na(pick$Gene2)) {
        .stopArgument("source", "(", name, ") has no columns of factors and ",
            "targets; it has ", .some(names(table), 10L), ". Call them ",
            "Gene1 and Gene2 (or tf and target, source and target)."
        )
    }
    if (!nrow(table)) {
        .stopArgument("source", "(", name, ") has no edges.")
    }
    text <- function(at) as.character(table[[at]])
    data.frame(
        Gene1 = trimws(text(pick$Gene1)), Gene2 = trimws(text(pick$Gene2)),
        sign = .priorSign(table, pick$sign, name),
        confidence = if (is.na(pick$confidence)) NA_character_ else
            .bestLevel(text(pick$confidence))
    )
}

## The best of levels such as "A;D".
.bestLevel <- function(x) {
    vapply(strsplit(x, "[^A-E]+"), function(v) {
        v <- sort(v[nzchar(v) & !is.na(v)])
        if (length(v)) v[[1L]] else NA_character_
    }, character(1))
}

.priorSign <- function(table, at, name) {
    up <- table[["is_stimulation"]]
    down <- table[["is_inhibition"]]
    if (!is.null(up) && !is.null(down)) {
        yes <- function(x) tolower(as.character(x)) %in% c("1", "true", "t")
        return(yes(up) - yes(down))
    }
    if (is.na(at)) {
        return(rep(0, nrow(table)))
    }
    x <- trimws(as.character(table[[at]]))
    words <- c(activation = 1, repression = -1, unknown = 0, activates = 1,
        represses = -1, stimulation = 1, inhibition = -1, `+` = 1, `-` = -1
    )
    number <- suppressWarnings(as.numeric(x))
    word <- is.na(number) & !is.na(x)
    number[word] <- words[tolower(x[word])]
    if (anyNA(number[word])) {
        .stopArgument("source", "(", name, ") has a column '",
            names(table)[[at]], "' of signs with ",
            .some(unique(x[word][is.na(number[word])]), 3L), "; numbers, ",
            "Activation, Repression or Unknown are known."
        )
    }
    number[is.na(number)] <- 0
    sign(number)
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
        licence = found$licence, species = species, rows = nrow(edges)
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
    ranked <- order(edges$confidence, na.last = TRUE)
    best <- edges$confidence[ranked][match(seq_len(n), group[ranked])]
    out <- data.frame(
        Gene1 = edges$Gene1[first], Gene2 = edges$Gene2[first],
        sign = as.integer((up > 0) - (down > 0)),
        weight = as.numeric(tabulate(group[own], n)), confidence = best,
        complex = edges$complex[first]
    )
    out
}
