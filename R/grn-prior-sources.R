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
        near <- .nearestWord(source, names(known))
        .stopArgument("source", "is \"", source, "\", which is neither a ",
            "file nor one of ", paste0("\"", names(known), "\"",
                collapse = ", "
            ), if (length(near)) paste0("; did you mean \"", near, "\"?") else
                "."
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

## A file of the user's in the folder, under a name its authors gave it; or
## what was downloaded before; or a download.
.cachedPrior <- function(entry, source, cache, download, verbose) {
    files <- file.path(cache, entry$files)
    there <- files[file.exists(files)]
    if (length(there)) {
        own <- basename(there[[1L]]) == entry$files[[1L]]
        .verifyPrior(there[[1L]], if (own) entry$sha256)
        return(there[[1L]])
    }
    kept <- .keptPrior(cache, entry$files[[1L]])
    if (!is.null(kept)) {
        .verifyPrior(kept$path, kept$sha256)
        return(kept$path)
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
    .fetchPrior(entry$url, cache, entry$files[[1L]], entry$sha256, verbose)
}

## list(path, sha256) of a download under `name`, or NULL. Looking makes no
## cache where there is none.
.keptPrior <- function(cache, name) {
    if (!file.exists(file.path(cache, "BiocFileCache.sqlite"))) {
        return(NULL)
    }
    store <- BiocFileCache::BiocFileCache(cache, ask = FALSE)
    hit <- BiocFileCache::bfcquery(store, name, field = "rname", exact = TRUE)
    if (!nrow(hit)) {
        return(NULL)
    }
    path <- unname(BiocFileCache::bfcpath(store, hit$rid))
    there <- which(file.exists(path))
    if (!length(there)) {
        return(NULL)
    }
    last <- max(there)
    notes <- BiocFileCache::bfcmeta(store, "causeway")
    list(path = path[[last]],
        sha256 = notes$sha256[match(hit$rid[[last]], notes$rid)])
}

## The digest noted at the download, or the release's own.
.verifyPrior <- function(file, sha256) {
    if (length(sha256) && !identical(.sha256(file), sha256)) {
        stop("'", file, "' is not the file it was (SHA-256 ", .sha256(file),
            ", expected ", sha256, "). Delete it and download it again; a ",
            "file of your own can be given by its path as 'source'.",
            call. = FALSE
        )
    }
    invisible()
}

## Downloads, looks whether it is what it should be, then puts it into the
## cache with its digest. Returns its path.
.fetchPrior <- function(url, cache, name, sha256, verbose) {
    .say(verbose, "Downloading ", url)
    part <- file.path(tempfile("prior"), name)
    dir.create(dirname(part))
    on.exit(.removeFile(dirname(part), recursive = TRUE))
    failed <- .downloadPrior(url, part, name)
    if (!is.null(failed)) {
        stop("'", url, "' could not be downloaded: ", failed, ". Is there a ",
            "connection, and room on the disk? A file from elsewhere can be ",
            "put into '", cache, "', or given as 'source'.",
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
    store <- BiocFileCache::BiocFileCache(cache, ask = FALSE)
    path <- BiocFileCache::bfcadd(store, name, part, rtype = "relative",
        action = "move")
    note <- data.frame(rid = names(path), sha256 = got, url = url)
    old <- "causeway" %in% BiocFileCache::bfcmetalist(store)
    BiocFileCache::bfcmeta(store, "causeway", append = old) <- note
    .say(verbose, "SHA-256 ", got, if (is.null(sha256)) {
        ", noted for later readings; the source has no fixed release"
    }, ".")
    unname(path)
}

## NULL, or why the file `part` is not a table of edges now. The download will
## be called `name`, whose ending tells its kind.
.downloadPrior <- function(url, part, name) {
    failed <- tryCatch({
        .copyUrl(url, part)
        NULL
    }, error = conditionMessage, warning = conditionMessage)
    if (is.null(failed) && file.size(part) == 0) {
        failed <- "nothing came"
    }
    if (!is.null(failed)) {
        return(failed)
    }
    tryCatch({
        .priorColumns(.readPrior(part, name), name)
        NULL
    }, error = function(e) paste0("what came is no table of edges: ",
        conditionMessage(e)
    ))
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
