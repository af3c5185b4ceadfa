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
        .fetchRest(url, part, size, tries, verbose)
        wrong <- .wrongContent(part, size, sha256, blob)
        page <- .isPage(part)
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
        if (page) ". It is a page of HTML: of a proxy, or a login",
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

.isPage <- function(file) {
    first <- if (file.exists(file)) readBin(file, "raw", 64L)
    grepl("^\\s*<(!doctype )?html", rawToChar(first[first != 0L]),
        ignore.case = TRUE, useBytes = TRUE
    )
}

## All of `url` into `part`, which may hold its beginning; `size`: what it is to
## have, NULL if that isn't known. A try that brought more than all before it
## doesn't count, but one in which the server all but stood still does.
.fetchRest <- function(url, part, size, tries, verbose) {
    failed <- 0L
    most <- max(0, file.size(part), na.rm = TRUE)
    repeat {
        before <- max(0, file.size(part), na.rm = TRUE)
        got <- .fetchOnce(url, part, before, size)
        if (got$done) {
            return(invisible())
        }
        if (got$fatal) {
            stop("'", url, "' could not be downloaded: ", got$why, ".",
                call. = FALSE
            )
        }
        now <- max(0, file.size(part), na.rm = TRUE)
        moved <- now > most
        most <- max(most, now)
        failed <- if (moved && !got$slow) 0L else failed + 1L
        if (failed >= tries) {
            stop("'", url, "' could not be downloaded, tried ", tries,
                " times: ", got$why, ". What came is kept; the same call goes ",
                "on from there.",
                call. = FALSE
            )
        }
        wait <- if (is.na(got$wait)) 2^max(0L, failed - 1L) else got$wait
        wait <- min(wait, 300)
        .say(verbose, got$why, "; again in ", round(wait), " s.")
        Sys.sleep(wait * getOption("causeway.retryWait", 1))
    }
}

## One request: list(done, fatal, why, wait, slow). Fewer than 100 bytes a
## second for a minute are a server that stands still.
.fetchOnce <- function(url, part, before, size = NULL) {
    handle <- curl::new_handle(connecttimeout = 30L, low_speed_limit = 100L,
        low_speed_time = as.integer(getOption("causeway.stallTime", 60)),
        followlocation = TRUE, maxredirs = 10L,
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
    to <- .partWriter(handle, part, mark, before)
    on.exit(to$close())
    why <- NULL
    curl::handle_setopt(handle, url = url)
    pool <- curl::new_pool()
    curl::multi_add(handle, done = function(answer) NULL,
        fail = function(text) why <<- text, data = to$take, pool = pool
    )
    ## what take() stops for is told below, not by curl
    old <- options(show.error.messages = FALSE)
    tryCatch(curl::multi_run(pool = pool), error = function(e) {
        if (is.null(to$broken())) stop(e)
    }, finally = options(old))
    to$close()
    .judgeAnswer(curl::handle_data(handle), why, part, before, size,
        to$broken()
    )
}

## Writes what comes into `part`: after what is there if the server gives the
## rest of it. list(take, close, broken); broken(): NULL, or what went wrong
## here: list(why, fatal).
.partWriter <- function(handle, part, mark, before) {
    con <- broken <- NULL
    long <- 0
    fail <- function(why, fatal) {
        broken <<- list(why = why, fatal = fatal)
    }
    full <- function(e) {
        fail(paste0("'", part, "' can't be written; is there room on its ",
            "disk, and permission? What came is kept; the same call goes on ",
            "from there"
        ), TRUE)
    }
    open <- function(code) {
        if (code == 206L && !identical(.rangeStart(handle), before)) {
            fail("the server gives another part than it was asked for", FALSE)
            .removeFile(c(part, mark)) # and asked for all of it next time
            return(invisible())
        }
        long <<- if (code == 206L) before else 0
        .noteTag(handle, mark)
        con <<- file(part, if (code == 206L) "ab" else "wb")
    }
    take <- function(bytes, ...) {
        code <- curl::handle_data(handle)$status_code
        if (!code %in% c(200L, 206L)) {
            return(invisible())
        }
        tryCatch({
            if (is.null(con)) open(code)
            if (is.null(broken)) writeBin(bytes, con)
            long <<- long + length(bytes)
        }, error = full, warning = full)
        if (!is.null(broken)) stop("stopped")
    }
    close <- function() {
        if (!is.null(con)) {
            base::close(con)
            con <<- NULL
            if (is.null(broken) && !identical(file.size(part), long)) full()
        }
    }
    list(take = take, close = close, broken = function() broken)
}

## Where the part begins that a server gives; NA where it doesn't say.
.rangeStart <- function(handle) {
    said <- curl::parse_headers_list(curl::handle_data(handle)$headers)
    from <- sub("^bytes ([0-9]+)-.*$", "\\1", c(said[["content-range"]],
        "")[[1L]])
    suppressWarnings(as.numeric(from))
}

.noteTag <- function(handle, mark) {
    tag <- curl::parse_headers_list(curl::handle_data(handle)$headers)$etag
    if (is.null(tag) || startsWith(tag, "W/")) .removeFile(mark) else
        writeLines(tag, mark)
    invisible()
}

.judgeAnswer <- function(data, why, part, before, size, broken) {
    code <- data$status_code
    answer <- function(done = FALSE, fatal = FALSE, why = NULL, wait = NA,
        slow = FALSE) {
        list(done = done, fatal = fatal, why = why, wait = wait, slow = slow)
    }
    if (!is.null(broken)) {
        return(answer(why = broken$why, fatal = broken$fatal))
    }
    if (!is.null(why)) {
        return(answer(why = why, slow = grepl("too slow", why)))
    }
    said <- curl::parse_headers_list(data$headers)
    if (code %in% c(200L, 206L)) {
        if (!file.exists(part)) file.create(part) # an empty file
        all <- .promised(said, code, size)
        if (file.size(part) < all) {
            return(answer(why = sprintf("it ended after %.0f of %.0f bytes",
                file.size(part), all
            )))
        }
        return(answer(done = TRUE))
    }
    if (code == 416L) { # nothing after `before`: whole, or another file
        return(answer(done = before > 0, why = "the server has no such range"))
    }
    text <- paste("the server answers", code)
    if (code == 429L || code >= 500L) {
        return(answer(why = text, wait = .retryAfter(said[["retry-after"]])))
    }
    answer(fatal = TRUE, why = text)
}

## How many bytes there are of all, where the end of an answer doesn't say that
## it is whole: part of a file, or an answer without a length. Else 0.
.promised <- function(said, code, size) {
    if (code == 206L) {
        total <- sub("^.*/([0-9]+)$", "\\1", c(said[["content-range"]], "")[[1L]])
        return(max(0, suppressWarnings(as.numeric(total)), na.rm = TRUE))
    }
    open <- is.null(said[["content-length"]]) &&
        is.null(said[["transfer-encoding"]])
    if (open) max(0, size, na.rm = TRUE) else 0
}

## Seconds; a server says them, or a date.
.retryAfter <- function(text) {
    if (is.null(text)) {
        return(NA)
    }
    wait <- suppressWarnings(as.numeric(text))
    if (is.na(wait)) {
        wait <- as.numeric(curl::parse_date(text)) - as.numeric(Sys.time())
    }
    max(0, wait)
}

## A JSON document.
.fetchJson <- function(url, tries, verbose) {
    file <- tempfile(fileext = ".json")
    on.exit(.removeFile(file))
    .fetchUrl(url, file, tries = tries, verbose = verbose)
    tryCatch(.readJson(file, simplify = FALSE), error = function(e) {
        stop("'", url, "' gives no JSON", if (.isPage(file))
            ", but a page of HTML: of a proxy, or a login", "; is 'server' ",
            "right?",
            call. = FALSE
        )
    })
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
#' @section Errors: none for a file that can't be fetched: it stays as it is,
#'   its state is `"broken"`, and a warning at the end says why.
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
    failed <- character()
    state <- vapply(seq_along(files), function(i) {
        tryCatch(.repairOne(files[[i]], notes$url[[at[[i]]]],
            notes$sha256[[at[[i]]]], download, verbose
        ), error = function(e) {
            failed <<- c(failed, conditionMessage(e))
            "broken"
        })
    }, "")
    if (length(failed)) {
        warning(.count(length(failed), "file"), " couldn't be fetched again: ",
            paste(unique(failed), collapse = " "),
            call. = FALSE
        )
    }
    data.frame(file = files, url = notes$url[at], state = state)
}

.repairOne <- function(file, url, sha256, download, verbose) {
    if (is.null(.wrongContent(file, sha256 = sha256))) {
        return("sound")
    }
    if (!download) {
        return("broken")
    }
    if (!grepl("^https?://", url)) {
        .removeFile(file)
        return("broken") # made here, not fetched
    }
    dir.create(dirname(file), recursive = TRUE, showWarnings = FALSE)
    .fetchUrl(url, file, sha256 = sha256, verbose = verbose)
    "repaired"
}
