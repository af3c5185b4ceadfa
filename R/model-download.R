## Published model packages from their hub.

#' Download a published model package
#'
#' Fetches the files of a model repository into a folder that [loadModel()]
#' reads and [pretrain()] takes as `model_source`. Nothing is downloaded unless
#' this is called; what is there and sound stays.
#'
#' A download that was cut goes on where it stopped. Every file is checked
#' against the digest the hub gives for it (SHA-256 of large files, git's SHA-1
#' of others) before it gets its name, and noted in a
#' [BiocFileCache::BiocFileCache()], see [repairDownloads()].
#'
#' @param repository name of the repository, `"owner/name"`.
#' @param files regular expression: only files whose path matches; `NULL`: all.
#' @param revision branch, tag or commit.
#' @param cache folder of downloads.
#' @param server address of the hub or a mirror of it.
#' @param verbose say what is done.
#' @return The folder of the package, invisibly.
#' @section Errors: an unknown repository, no connection, a server that keeps
#'   refusing, files that aren't what the hub says. What had come is kept.
#' @seealso [loadModel()], [repairDownloads()], [downloadCells()]
#' @examples
#' if (interactive()) {
#'     folder <- downloadAssets("owner/package")
#'     model <- loadModel(folder)
#' }
#' ## nothing happens without a connection but an error that says so
#' try(downloadAssets("owner/package", server = "http://127.0.0.1:1",
#'     cache = tempfile(), tries = 1))
#' @param tries how often a server that gives nothing is asked.
#' @export
downloadAssets <- function(repository, files = NULL, revision = "main",
    cache = tools::R_user_dir("causeway", "cache"),
    server = "https://huggingface.co", tries = 6, verbose = interactive()) {
    .given(repository, "repository", "the hub's name, \"owner/name\"")
    .checkText(repository, "repository")
    if (!grepl("^[A-Za-z0-9_.-]+/[A-Za-z0-9_.-]+$", repository)) {
        .stopArgument("repository", "must be \"owner/name\"; it is \"",
            repository, "\"."
        )
    }
    .checkText(revision, "revision")
    .checkText(cache, "cache")
    tries <- .checkNumber(tries, "tries", 1, 100, TRUE)
    found <- .hubFiles(repository, revision, server, tries, verbose)
    if (!is.null(files)) {
        found <- found[grepl(.checkText(files, "files"), found$path), ]
    }
    if (!nrow(found)) {
        .stopArgument("files", "matches nothing in ", repository, ".")
    }
    folder <- file.path(cache, "assets", repository, revision)
    for (i in seq_len(nrow(found))) {
        .hubFile(as.list(found[i, ]), folder, paste0(server, "/", repository,
            "/resolve/", revision, "/"
        ), cache, tries, verbose)
    }
    invisible(folder)
}

## path, size, sha256 (large files), blob (git's) of a repository's files.
.hubFiles <- function(repository, revision, server, tries, verbose) {
    all <- .fetchJson(paste0(server, "/api/models/", repository, "/tree/",
        revision, "?recursive=true"
    ), tries, verbose)
    all <- Filter(function(f) is.list(f) && identical(f$type, "file"), all)
    path <- vapply(all, function(f) as.character(f$path), "")
    bad <- grepl("(^|/)[.][.](/|$)|^/|\\\\", path)
    if (any(bad)) {
        stop("the repository names files outside its folder: ",
            .some(path[bad]), ". Nothing was downloaded.",
            call. = FALSE
        )
    }
    large <- vapply(all, function(f) !is.null(f$lfs), NA)
    of <- function(f, name) if (is.null(f[[name]])) NA else f[[name]]
    data.frame(path = path,
        size = vapply(all, function(f) as.numeric(of(f, "size")), 1),
        sha256 = vapply(all, function(f) as.character(of(f$lfs, "oid")), ""),
        blob = ifelse(large, NA, vapply(all, function(f) {
            as.character(of(f, "oid"))
        }, ""))
    )
}

.hubFile <- function(f, folder, base, cache, tries, verbose) {
    to <- file.path(folder, f$path)
    value <- function(x) if (!is.na(x)) x
    if (is.null(.wrongContent(to, f$size, value(f$sha256), value(f$blob)))) {
        return(invisible())
    }
    dir.create(dirname(to), recursive = TRUE, showWarnings = FALSE)
    url <- paste0(base, utils::URLencode(f$path))
    .say(verbose, "Downloading ", f$path, " (", .bytes(f$size), ")")
    .fetchUrl(url, to, f$size, value(f$sha256), value(f$blob), tries, verbose)
    .noteDownload(cache, to, url)
}
