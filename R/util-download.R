## Downloads that end whole or not at all, however often they are cut.

## Fetches `url` into `file`. What has come stays in `file`.part, also after a
## kill, and the next call asks the server for the rest; where the file has
## changed there (ETag) it begins anew. `size`, `sha256`, `blob` (git's SHA-1):
## what it must be, NULL where that isn't known. Servers that say 429 or 5xx
## are asked again after the time they name, else after 1, 2, 4 ... s.
.fetchUrl <- function(url, file, size = NULL, sha256 = NULL, blob = NULL,
    tries = 6L, verbose = FALSE) {
    part <- paste0(file, ".part")
    for (fresh in c(FALSE, TRUE)) {
        .fetchRest(url, part, tries, verbose)
        wrong <- .wrongContent(part, size, sha256, blob)
        if (is.null(wrong)) {
            .atPlace(.Call(cw_r_place_sync, part), "file")
            if (!file.rename(part, file)) {
                stop("'", file, "' can't be written.", call. = FALSE)
            }
            .removeFile(paste0(part, ".etag"))
            return(invisible(file))
        }
        .removeFile(c(part, paste0(part, ".etag")))
        .say(verbose && !fresh, "What came from ", url, " is wrong (", wrong,
            "); fetching it anew."
        )
    }
    stop("what comes from '", url, "' is not what it should be: ", wrong,
        ". Nothing of it was kept.",
        call. = FALSE
    )
}

## NULL, or what is wrong with a file.
.wrongContent <- function(file, size = NULL, sha256 = NULL, blob = NULL) {
    if (!file.exists(file)) {
        return("it is not there")
    }
    if (!is.null(size) && !is.na(size) && file.size(file) != size) {
        return(sprintf("%.0f bytes, expected %.0f", file.size(file), size))
    }
    if (!is.null(sha256) && !identical(.sha256(file), sha256)) {
        return(paste("SHA-256", .sha256(file), "expected", sha256))
    }
    if (!is.null(blob)) {
        bytes <- readBin(file, "raw", file.size(file))
        head <- c(charToRaw(paste("blob", length(bytes))), as.raw(0))
        if (!identical(cli::hash_raw_sha1(c(head, bytes)), blob)) {
            return("its SHA-1 is another")
        }
    }
    NULL
}

## All of `url` into `part`, which may hold its beginning. A try that brought
## something doesn't count.
.fetchRest <- function(url, part, tries, verbose) {
    failed <- 0L
    repeat {
        before <- max(0, file.size(part), na.rm = TRUE)
        got <- .fetchOnce(url, part, before)
        if (got$done) {
            return(invisible())
        }
        if (got$fatal) {
            stop("'", url, "' could not be downloaded: ", got$why, ".",
                call. = FALSE
            )
        }
        moved <- max(0, file.size(part), na.rm = TRUE) > before
        failed <- if (moved) 0L else failed + 1L
        if (failed >= tries) {
            stop("'", url, "' could not be downloaded, tried ", tries,
                " times: ", got$why, ". What came is kept; the same call goes ",
                "on from there.",
                call. = FALSE
            )
        }
        wait <- if (is.na(got$wait)) 2^max(0L, failed - 1L) else got$wait
        .say(verbose, got$why, "; again in ", round(wait), " s.")
        Sys.sleep(min(wait, 300) * getOption("causeway.retryWait", 1))
    }
}

## One request: list(done, fatal, why, wait).
.fetchOnce <- function(url, part, before) {
    handle <- curl::new_handle(connecttimeout = 30L, low_speed_limit = 1L,
        low_speed_time = 60L, followlocation = TRUE,
        useragent = paste0("causeway/", utils::packageVersion("causeway"))
    )
    mark <- paste0(part, ".etag")
    if (before > 0) {
        curl::handle_setopt(handle,
            range = paste0(format(before, scientific = FALSE), "-")
        )
        if (file.exists(mark)) {
            curl::handle_setheaders(handle, "If-Range" = readLines(mark))
        }
    }
    con <- NULL
    on.exit(if (!is.null(con)) close(con))
    take <- function(bytes, ...) {
        if (is.null(con)) {
            code <- curl::handle_data(handle)$status_code
            if (!code %in% c(200L, 206L)) {
                return(invisible())
            }
            .noteTag(handle, mark)
            con <<- file(part, if (code == 206L) "ab" else "wb")
        }
        writeBin(bytes, con)
    }
    why <- NULL
    curl::handle_setopt(handle, url = url)
    pool <- curl::new_pool()
    curl::multi_add(handle, done = function(answer) NULL,
        fail = function(text) why <<- text, data = take, pool = pool
    )
    curl::multi_run(pool = pool)
    if (!is.null(con)) {
        close(con)
        con <- NULL
    }
    .judgeAnswer(curl::handle_data(handle), why, part, before)
}

.noteTag <- function(handle, mark) {
    tag <- curl::parse_headers_list(curl::handle_data(handle)$headers)$etag
    if (is.null(tag) || startsWith(tag, "W/")) .removeFile(mark) else
        writeLines(tag, mark)
    invisible()
}

.judgeAnswer <- function(data, why, part, before) {
    code <- data$status_code
    answer <- function(done = FALSE, fatal = FALSE, why = NULL, wait = NA) {
        list(done = done, fatal = fatal, why = why, wait = wait)
    }
    if (!is.null(why)) {
        return(answer(why = why))
    }
    if (code %in% c(200L, 206L)) {
        if (!file.exists(part)) file.create(part) # an empty file
        return(answer(done = TRUE))
    }
    if (code == 416L) { # nothing after `before`: whole, or another file
        return(answer(done = before > 0, why = "the server has no such range"))
    }
    said <- paste("the server answers", code)
    if (code == 429L || code >= 500L) {
        wait <- curl::parse_headers_list(data$headers)[["retry-after"]]
        wait <- suppressWarnings(as.numeric(if (is.null(wait)) NA else wait))
        return(answer(why = said, wait = wait))
    }
    answer(fatal = TRUE, why = said)
}

## A JSON document.
.fetchJson <- function(url, tries, verbose) {
    file <- tempfile(fileext = ".json")
    on.exit(.removeFile(file))
    .fetchUrl(url, file, tries = tries, verbose = verbose)
    .readJson(file, simplify = FALSE)
}

## ---- what was downloaded --------------------------------------------------------

.downloadPrefix <- "download:"

## Notes a file with its digest and source in the cache's register; the file
## stays where it is.
.noteDownload <- function(cache, file, url) {
    dir.create(cache, recursive = TRUE, showWarnings = FALSE)
    store <- BiocFileCache::BiocFileCache(cache, ask = FALSE)
    file <- normalizePath(file)
    name <- paste0(.downloadPrefix, file)
    note <- data.frame(sha256 = .sha256(file), url = url)
    old <- BiocFileCache::bfcquery(store, name, field = "rname", exact = TRUE)
    had <- "causeway" %in% BiocFileCache::bfcmetalist(store)
    if (nrow(old)) { # not removed: that would delete the file
        all <- as.data.frame(BiocFileCache::bfcmeta(store, "causeway"))
        all[match(old$rid[[1L]], all$rid), names(note)] <- note
        BiocFileCache::bfcmeta(store, "causeway", overwrite = TRUE) <- all
        return(invisible(file))
    }
    path <- BiocFileCache::bfcadd(store, name, file, rtype = "local",
        action = "asis"
    )
    BiocFileCache::bfcmeta(store, "causeway", append = had) <-
        cbind(rid = names(path), note)
    invisible(file)
}

#' Check and repair what was downloaded
#'
#' Every file that [downloadAssets()] and [downloadCells()] fetched is noted with
#' its SHA-256 digest and source in a [BiocFileCache::BiocFileCache()]. This
#' looks at each: one that is gone or has changed is fetched again.
#'
#' @param cache folder of the register; as for [downloadAssets()].
#' @param download `FALSE`: look only.
#' @param verbose say what is done.
#' @return A data.frame with a row per file: `file`, `url`, and `state`:
#'   `"sound"`, `"repaired"`, or `"broken"`. Partitions of [downloadCells()]
#'   are made from what was downloaded: a broken one is deleted, and made again
#'   by the next call of [downloadCells()].
#' @section Errors: those of a download.
#' @seealso [downloadAssets()], [downloadCells()]
#' @examples
#' repairDownloads(cache = tempfile())
#' @export
repairDownloads <- function(cache = tools::R_user_dir("causeway", "cache"),
    download = TRUE, verbose = interactive()) {
    .checkText(cache, "cache")
    .checkFlag(download, "download")
    none <- data.frame(file = character(), url = character(),
        state = character()
    )
    if (!file.exists(file.path(cache, "BiocFileCache.sqlite"))) {
        return(none)
    }
    store <- BiocFileCache::BiocFileCache(cache, ask = FALSE)
    known <- as.data.frame(BiocFileCache::bfcinfo(store))
    known <- known[startsWith(known$rname, .downloadPrefix), ]
    if (!nrow(known)) {
        return(none)
    }
    notes <- BiocFileCache::bfcmeta(store, "causeway")
    at <- match(known$rid, notes$rid)
    files <- substring(known$rname, nchar(.downloadPrefix) + 1L)
    state <- vapply(seq_along(files), function(i) {
        .repairOne(files[[i]], notes$url[[at[[i]]]], notes$sha256[[at[[i]]]],
            download, verbose
        )
    }, "")
    data.frame(file = files, url = notes$url[at], state = state)
}

.repairOne <- function(file, url, sha256, download, verbose) {
    if (is.null(.wrongContent(file, sha256 = sha256))) {
        return("sound")
    }
    if (!download) {
        return("broken")
    }
    .removeFile(file)
    if (!grepl("^https?://", url)) {
        return("broken") # made here, not fetched
    }
    dir.create(dirname(file), recursive = TRUE, showWarnings = FALSE)
    .fetchUrl(url, file, sha256 = sha256, verbose = verbose)
    "repaired"
}
