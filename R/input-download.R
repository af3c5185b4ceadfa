## Cells from CELLxGENE Discover, by tissue, disease and organism.

#' Download cells from CELLxGENE Discover
#'
#' Asks the Discover curation API for data sets of an organism, tissue and
#' disease, downloads their `.h5ad` files one at a time, and writes the cells
#' that were asked for in partitions that [pretrain()] takes as `train_paths`.
#' Nothing is downloaded unless this is called.
#'
#' @details
#' Of each data set the cells with raw counts are taken whose tissue, disease and
#' organism are those asked for, whose `suspension_type` isn't `na` and, with
#' `primary`, of which this is the primary copy: the published pipeline has no
#' such filter, and reads cells that are in several collections several times.
#' Partitions are `dir/ORGANISM/NAME/DATASET_I.h5ad` of at most `size` cells
#' (published: 200,000) with a column `species`; genes are Ensembl identifiers.
#' Mouse genes become human ones: by the shipped one-to-one homologs
#' ([reconcileGenes()]), or by the table `homologs` in the published way: one
#' human gene per mouse gene, those of `genes` first, then the smallest
#' identifier; rows that lack an identifier or a symbol don't count. Of mouse
#' genes with the same human gene the first stays.
#'
#' A call that was stopped goes on where it was: finished partitions stay, a file
#' that was cut asks for its rest. Partitions are noted with their digests, see
#' [repairDownloads()]. `DATASET.json` beside them says what came from which
#' version of the data set.
#'
#' @param tissue,disease names of CELLxGENE (`"lung"`, `"normal"`), without regard
#'   to case, several or `NULL`: any. The tissue of a data set is compared, and
#'   of a cell `tissue` and `tissue_general`.
#' @param organism `"human"` or `"mouse"`.
#' @param dir folder of the partitions.
#' @param name name of the query's folder; `NULL`: the first tissue, or `"all"`.
#' @param size most cells in a partition.
#' @param most stop after this many data sets; `Inf`: all.
#' @param primary only cells marked `is_primary_data`.
#' @param homologs `NULL`, or a file or data.frame with the columns
#'   `mouse_EnsemblID`, `mouse_Symbol`, `human_EnsemblID`, `human_Symbol`.
#' @param genes human Ensembl identifiers that go first, see Details; others
#'   are then left out.
#' @param keepSource keep the data sets' own files (in a folder `.sources`)?
#' @param tries as for [downloadAssets()].
#' @param cache folder of the register of downloads.
#' @param server address of the API.
#' @param verbose say what is done.
#' @return A data.frame, invisibly: a row per partition with `file`, `dataset`,
#'   `cells`, `genes`, `sha256`.
#' @section Errors: nothing that fits the query; a folder with cells of another
#'   query; no connection; a file that isn't of the size the API says or can't be
#'   opened; a data set without raw counts is passed over with a warning.
#' @seealso [pretrain()], [repairDownloads()]
#' @references CZI Cell Science Program et al. (2025), CZ CELLxGENE Discover,
#'   Nucleic Acids Research 53, D886-D900.
#' @examples
#' if (interactive()) {
#'     downloadCells(tissue = "lung", disease = "normal", dir = "cells", most = 1)
#' }
#' try(downloadCells("lung", dir = tempfile(), server = "http://127.0.0.1:1",
#'     tries = 1))
#' @export
downloadCells <- function(tissue = NULL, disease = "normal",
    organism = c("human", "mouse"), dir, name = NULL, size = 2e5, most = Inf,
    primary = TRUE, homologs = NULL, genes = NULL, keepSource = FALSE,
    tries = 6, cache = tools::R_user_dir("causeway", "cache"),
    server = "https://api.cellxgene.cziscience.com",
    verbose = interactive()) {
    organism <- .oneOf(organism[[1L]], c("human", "mouse"), "organism")
    .given(dir, "dir", "the folder of the partitions")
    .checkText(dir, "dir")
    size <- .checkNumber(size, "size", 2, 1e9, TRUE)
    tries <- .checkNumber(tries, "tries", 1, 100, TRUE)
    .checkFlag(primary, "primary")
    .checkFlag(keepSource, "keepSource")
    query <- list(tissue = tolower(tissue), disease = tolower(disease),
        organism = organism, primary = primary, size = size,
        genes = if (!is.null(genes)) cli::hash_sha256(paste(sort(genes),
            collapse = " "
        ))
    )
    if (is.null(name)) {
        name <- if (length(tissue)) gsub("[^a-z0-9]+", "-", query$tissue[[1L]]) else
            "all"
    }
    map <- if (organism == "mouse" && !is.null(homologs)) {
        .homologMap(homologs, genes)
    }
    sets <- .discoverSets(query, server, tries, verbose)
    folder <- file.path(dir, organism, name)
    dir.create(folder, recursive = TRUE, showWarnings = FALSE)
    done <- lapply(utils::head(sets, most), function(set) {
        .discoverSet(set, query, folder, size, map, genes, keepSource, tries,
            cache, verbose
        )
    })
    done <- do.call(rbind, done)
    if (is.null(done)) {
        .stopArgument("tissue", "and the other arguments leave no cell of ",
            .count(length(sets), "data set"), "."
        )
    }
    invisible(done)
}

## ---- the query --------------------------------------------------------------------

.discoverSets <- function(query, server, tries, verbose) {
    all <- .fetchJson(paste0(server, "/curation/v1/datasets"), tries, verbose)
    labels <- function(set, field) {
        tolower(vapply(set[[field]], function(v) {
            if (is.list(v)) as.character(v$label) else as.character(v)
        }, ""))
    }
    of <- c(human = "homo sapiens", mouse = "mus musculus")[[query$organism]]
    fits <- vapply(all, function(set) {
        of %in% labels(set, "organism") &&
            (!length(query$tissue) ||
                any(query$tissue %in% labels(set, "tissue"))) &&
            (!length(query$disease) ||
                any(query$disease %in% labels(set, "disease"))) &&
            !is.null(.discoverAsset(set))
    }, NA)
    if (!any(fits)) {
        .stopArgument("tissue", "and the other arguments fit none of ",
            .count(length(all), "data set"), " of CELLxGENE Discover; names ",
            "are like those of its web site."
        )
    }
    sets <- all[fits]
    id <- vapply(sets, function(s) as.character(s$dataset_id), "")
    if (any(!grepl("^[A-Za-z0-9-]+$", id))) {
        stop("the API names a data set '", id[!grepl("^[A-Za-z0-9-]+$", id)][[1L]],
            "', which can't be the name of a file.",
            call. = FALSE
        )
    }
    sets[order(id, method = "radix")]
}

.discoverAsset <- function(set) {
    for (asset in set$assets) {
        if (identical(toupper(asset$filetype), "H5AD")) {
            return(asset)
        }
    }
    NULL
}

## ---- one data set -------------------------------------------------------------------

## What was noted of a data set; NULL where it must be made (again). What another
## query made isn't overwritten, nor given for what is asked for now.
.finishedSet <- function(set, query, folder) {
    file <- file.path(folder, paste0(set$dataset_id, ".json"))
    if (!file.exists(file)) {
        return(NULL)
    }
    x <- .readJson(file)
    other <- .otherQuery(x$query, query)
    if (length(other)) {
        .stopArgument("dir", "has cells of another query in ", folder, ": its ",
            "'", other[[1L]], "' was another. Give another 'name' or 'dir', or ",
            "delete that folder."
        )
    }
    table <- as.data.frame(x$partitions)
    table$file <- file.path(folder, table$file)
    if (!identical(x$version, as.character(set$dataset_version_id))) {
        .removeFile(table$file) # there may be fewer of the new version
        return(NULL)
    }
    sound <- vapply(seq_len(nrow(table)), function(i) {
        is.null(.wrongContent(table$file[[i]], sha256 = table$sha256[[i]]))
    }, NA)
    if (all(sound)) table
}

## Names of what differs between two queries, of those that the older one noted.
.otherQuery <- function(old, new) {
    text <- function(v) {
        sort(format(unlist(v), scientific = FALSE, trim = TRUE))
    }
    Filter(function(n) !identical(text(old[[n]]), text(new[[n]])),
        intersect(names(new), names(old)))
}

.discoverSet <- function(set, query, folder, size, map, genes, keepSource,
    tries, cache, verbose) {
    done <- .finishedSet(set, query, folder)
    if (!is.null(done)) {
        return(if (nrow(done)) done)
    }
    asset <- .discoverAsset(set)
    ## hidden, so that who reads the folder finds partitions alone
    source <- file.path(folder, ".sources", paste0(set$dataset_id, ".h5ad"))
    dir.create(dirname(source), showWarnings = FALSE)
    if (!is.null(.wrongContent(source, asset$filesize))) {
        .say(verbose, "Downloading ", set$dataset_id, " (",
            .bytes(asset$filesize), ")")
        .fetchUrl(asset$url, source, asset$filesize, tries = tries,
            verbose = verbose
        )
    }
    table <- .writePartitions(source, set, query, folder, size, map, genes,
        cache
    )
    if (!keepSource) {
        .removeFile(source)
    }
    own <- table
    own$file <- basename(as.character(own$file))
    .writeLines(.jsonText(list(version = as.character(set$dataset_version_id),
        title = set$title, url = asset$url, query = query, partitions = own
    )), file.path(folder, paste0(set$dataset_id, ".json")))
    if (nrow(table)) table
}

.writePartitions <- function(source, set, query, folder, size, map, genes,
    cache) {
    none <- data.frame(file = character(), dataset = character(),
        cells = integer(), genes = integer(), sha256 = character()
    )
    cells <- openCells(source, verbose = FALSE)
    if (!"counts" %in% SummarizedExperiment::assayNames(cells)) {
        warning("data set ", set$dataset_id, " holds no raw counts and is ",
            "passed over.",
            call. = FALSE
        )
        return(none)
    }
    at <- .queryCells(SummarizedExperiment::colData(cells), query)
    if (!length(at)) {
        return(none)
    }
    blocks <- split(at, (seq_along(at) - 1L) %/% size)
    rows <- lapply(seq_along(blocks), function(i) {
        part <- .humanGenes(cells[, blocks[[i]]], query$organism, map, genes)
        SummarizedExperiment::colData(part)$species <- query$organism
        file <- file.path(folder, sprintf("%s_%d.h5ad", set$dataset_id, i - 1L))
        writeH5AD(part, file, assay.type = "counts", overwrite = TRUE,
            verbose = FALSE
        )
        .noteDownload(cache, file, paste0("made of ", set$dataset_id))
        data.frame(file = file, dataset = set$dataset_id, cells = ncol(part),
            genes = nrow(part), sha256 = .sha256(file)
        )
    })
    do.call(rbind, rows)
}

## Which cells fit. A column that isn't there excludes nobody but where it is
## asked for.
.queryCells <- function(data, query) {
    column <- function(name) {
        if (name %in% colnames(data)) tolower(as.character(data[[name]]))
    }
    ok <- rep(TRUE, nrow(data))
    among <- function(ok, wanted, ...) {
        if (!length(wanted)) {
            return(ok)
        }
        hit <- lapply(c(...), function(n) column(n) %in% wanted)
        ok & Reduce(`|`, Filter(length, hit), rep(FALSE, length(ok)))
    }
    ok <- among(ok, query$tissue, "tissue", "tissue_general")
    ok <- among(ok, query$disease, "disease")
    of <- c(human = "homo sapiens", mouse = "mus musculus")[[query$organism]]
    if (!is.null(column("organism"))) {
        ok <- ok & column("organism") == of
    }
    if (!is.null(column("suspension_type"))) {
        ok <- ok & column("suspension_type") != "na"
    }
    if (query$primary && !is.null(column("is_primary_data"))) {
        ok <- ok & column("is_primary_data") == "true"
    }
    which(ok)
}

## Cells with human Ensembl identifiers as row names.
.humanGenes <- function(cells, organism, map, genes) {
    if (organism == "mouse" && is.null(map)) {
        SummarizedExperiment::assays(cells) <-
            SummarizedExperiment::assays(cells)["counts"]
        cells <- reconcileGenes(cells, "ensembl", "mouse",
            homologs = "mouse to human", minCoverage = 0, verbose = FALSE
        )
    } else {
        names <- sub("[.][0-9]+$", "", rownames(cells))
        if (organism == "mouse") {
            SummarizedExperiment::rowData(cells)$source_feature_id <- names
            names <- unname(map[names])
        }
        keep <- !is.na(names) & !duplicated(names)
        cells <- cells[keep, ]
        rownames(cells) <- names[keep]
    }
    if (!is.null(genes)) {
        cells <- cells[rownames(cells) %in% genes, ]
    }
    cells
}

## Mouse to human identifiers in the published way, a named vector.
.homologMap <- function(table, genes) {
    if (is.character(table)) {
        table <- utils::read.csv(table, colClasses = "character",
            na.strings = character()
        )
    }
    need <- c("mouse_EnsemblID", "mouse_Symbol", "human_EnsemblID",
        "human_Symbol"
    )
    if (!is.data.frame(table) || !all(need %in% names(table))) {
        .stopArgument("homologs", "must have the columns ",
            paste(need, collapse = ", "), "."
        )
    }
    clean <- lapply(table[need], function(v) trimws(as.character(v)))
    empty <- vapply(clean, function(v) {
        is.na(v) | tolower(v) %in% c("", "nan", "none", "na", "<na>", "null")
    }, logical(nrow(table)))
    keep <- rowSums(matrix(empty, nrow(table))) == 0
    mouse <- sub("[.][0-9]+$", "", clean$mouse_EnsemblID[keep])
    human <- sub("[.][0-9]+$", "", clean$human_EnsemblID[keep])
    known <- startsWith(mouse, "ENSMUSG") & startsWith(human, "ENSG")
    mouse <- mouse[known]
    human <- human[known]
    order <- order(!(human %in% genes), human, method = "radix")
    first <- order[!duplicated(mouse[order])]
    stats::setNames(human[first], mouse[first])
}
