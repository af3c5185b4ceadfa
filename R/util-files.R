## Every file the package writes goes through here: it is written beside its
## place, flushed to the disk and renamed at the end (src/engine/io/place.h).

## Removes files or, all of them, folders by their names: unlink() would take
## [ ] ? * in a name for a pattern and remove others.
.removeFile <- function(path, recursive = FALSE) {
    unlink(path, recursive = recursive, expand = FALSE)
}

.mostPath <- 4095 # bytes of a path that Linux takes; others take less

## Where `file` leads: list(file, path, target, exists). `path` is what the user
## named, made absolute; `target` the same behind all links. An error that names
## `arg` for what can't be written there; `overwrite = NA` asks for no
## permission to replace.
.filePlace <- function(file, overwrite, arg = "file") {
    .checkText(file, arg)
    if (!identical(overwrite, NA)) {
        .checkFlag(overwrite, "overwrite")
    }
    if (nchar(file, type = "bytes") > .mostPath) {
        .stopArgument(arg, "is a path of ", nchar(file, type = "bytes"),
            " bytes; systems take ", .mostPath, " at most."
        )
    }
    path <- path.expand(file)
    found <- .atPlace(.Call(cw_r_place_find, path), arg)
    if (found$kind == "folder") {
        .stopArgument(arg, "is a folder: ", file, "; name a file in it.")
    }
    if (found$kind == "device" || endsWith(path, "/")) {
        .stopArgument(arg, "is no file but a ",
            if (found$kind == "device") "device or pipe" else "folder", ": ",
            file, "; choose another name."
        )
    }
    exists <- found$kind == "file"
    if (exists && isFALSE(overwrite)) {
        .stopArgument(arg, "exists: ", file,
            "; choose another name or set overwrite = TRUE."
        )
    }
    .mayPut(found$target, exists && isTRUE(overwrite), arg)
    list(file = file, path = found$path, target = found$target,
        exists = exists
    )
}

.mayPut <- function(target, replace, arg) {
    folder <- dirname(target)
    if (file.access(folder, 2L) != 0L) {
        .stopArgument(arg, "can't be written: the folder ", folder,
            " is read-only."
        )
    }
    if (replace && file.access(target, 2L) != 0L) {
        .stopArgument(arg, "can't be replaced: ", target, " is read-only."
        )
    }
}

## What the engine says of a place, as an error about the argument.
.atPlace <- function(expr, arg = "file") {
    tryCatch(expr, causewayError = function(e) {
        .stopArgument(arg, conditionMessage(e), ".")
    })
}

## write(part) makes the content in the file `part`; then it takes the place.
## Returns what write() does. After an error or an interrupt what was at the
## place is there as before, and nothing else.
.writeFile <- function(file, overwrite, write, arg = "file") {
    place <- .filePlace(file, overwrite, arg)
    part <- .atPlace(.Call(cw_r_place_part, place$target, TRUE), arg)
    on.exit(.removeFile(part))
    result <- write(part)
    .atPlace(.Call(cw_r_place_commit, part, place$target, isTRUE(overwrite)),
        arg
    )
    result
}

## The same with write(connection), which gives c(rows, bytes); the rows come
## back. A name that ends in .gz is compressed.
.writeBeside <- function(file, overwrite, write, arg = "file") {
    result <- .writeFile(file, overwrite, function(part) {
        con <- if (grepl("\\.gz$", file, useBytes = TRUE)) {
            gzfile(part, "wb")
        } else {
            file(part, "wb")
        }
        on.exit(if (!is.null(con)) suppressWarnings(close(con)))
        result <- withCallingHandlers(write(con), error = function(e) {
            if (.isWriter(conditionCall(e))) {
                .stopFull(part, arg, conditionMessage(e))
            }
        })
        suppressWarnings(close(con))
        con <- NULL
        if (!.holdsBytes(part, result[["bytes"]])) {
            .stopFull(part, arg, "it is full")
        }
        result
    }, arg)
    result[["rows"]]
}

.isWriter <- function(call) {
    is.call(call) && is.name(call[[1L]]) &&
        as.character(call[[1L]]) %in% c("writeLines", "writeBin")
}

.stopFull <- function(part, arg, why) {
    .stopArgument(arg, "could not be written whole: the disk that holds ",
        dirname(part), " takes no more (", why, "). Free some space, or ",
        "choose another folder."
    )
}

## Text as UTF-8, a line an element, whatever the locale.
.writeLines <- function(lines, file, overwrite = TRUE, arg = "file") {
    lines <- enc2utf8(as.character(lines))
    .writeBeside(file, overwrite, function(con) {
        writeLines(lines, con, useBytes = TRUE)
        c(rows = length(lines), bytes = sum(nchar(lines, type = "bytes") + 1))
    }, arg)
    invisible(file)
}

## Does the file hold that many bytes? Connections don't say when a disk is
## full. A gzip file tells its content's size (modulo 2^32) at its end.
.holdsBytes <- function(file, bytes) {
    size <- file.size(file)
    con <- file(file, "rb")
    on.exit(close(con))
    if (!identical(readBin(con, "raw", 2L), as.raw(c(0x1f, 0x8b)))) {
        return(size == bytes)
    }
    seek(con, size - 4)
    end <- as.numeric(readBin(con, "raw", 4L))
    sum(end * 256^(0:3)) == bytes %% 2^32
}

## ---- numbers and tables as text ---------------------------------------------

## Numbers as other programs read them, whatever the user's options (OutDec,
## scipen, digits); NA as the text "NA".
.numberText <- function(x, digits = 15L) {
    if (is.integer(x) || is.logical(x)) {
        return(formatC(x, format = "d", big.mark = ""))
    }
    text <- sprintf("%.*g", as.integer(digits), x)
    text[is.na(x)] <- ifelse(is.nan(x[is.na(x)]), "NaN", "NA")
    text
}

## expr with numbers as text as they are without the user's options: what goes
## into a file is the same for all users.
.plainNumbers <- function(expr) {
    old <- options(OutDec = ".", scipen = 0L, digits = 7L)
    on.exit(options(old))
    force(expr)
}

.quote <- function(x) {
    bad <- grepl("[\",\r\n]", x)
    x[bad] <- paste0("\"", gsub("\"", "\"\"", x[bad], fixed = TRUE), "\"")
    x
}

## The rows of a data.frame as lines of CSV; fields are quoted where they must.
.csvLines <- function(table, header = TRUE, digits = 15L) {
    text <- lapply(table, function(column) {
        if (is.numeric(column) || is.logical(column)) {
            if (is.logical(column)) as.character(column) else
                .numberText(column, digits)
        } else {
            .quote(as.character(column))
        }
    })
    rows <- if (nrow(table)) do.call(paste, c(unname(text), sep = ","))
    enc2utf8(c(if (header) paste(.quote(names(table)), collapse = ","), rows))
}

.writeCsv <- function(table, file, overwrite = TRUE, arg = "file") {
    .writeLines(.csvLines(table), file, overwrite, arg)
}

## ---- folders ----------------------------------------------------------------

## write(part) fills the new folder `part`, which then takes the place of `dir`.
## An old folder is exchanged for it in one step where the system can; where
## it can't, .findFolder() puts the old one back after a kill in between.
.writeFolder <- function(dir, write, arg = "dir") {
    target <- .atPlace(.Call(cw_r_place_find, dir), arg)$target
    .removeFile(.Call(cw_r_place_leftovers, target), recursive = TRUE)
    part <- .atPlace(.Call(cw_r_place_part, target, FALSE), arg)
    if (!dir.create(part, showWarnings = FALSE)) {
        .stopArgument(arg, "can't be made: the folder ", dirname(target),
            " is read-only or full. Choose another."
        )
    }
    on.exit(.removeFile(part, recursive = TRUE))
    write(part)
    .writeSums(part)
    inside <- list.files(part, all.files = TRUE, recursive = TRUE,
        include.dirs = TRUE, full.names = TRUE, no.. = TRUE
    )
    .atPlace(.Call(cw_r_place_sync, c(inside, part)), arg)
    .swapFolder(part, target, arg)
    .atPlace(.Call(cw_r_place_sync, dirname(target)), arg)
    invisible(dir)
}

## Checksums of a folder's files, as md5sum writes and checks (-c) them: a disk's
## or a copy's damage shows, an enemy's need not.
.sumsFile <- "MD5SUMS"

.writeSums <- function(dir,
    files = list.files(dir, all.files = TRUE, recursive = TRUE)) {
    files <- sort(setdiff(files, .sumsFile), method = "radix")
    writeLines(paste0(cli::hash_file_md5(file.path(dir, files)), "  ", files),
        file.path(dir, .sumsFile), useBytes = TRUE
    )
}

## Of files that are there, named by them.
.listedSums <- function(dir) {
    file <- file.path(dir, .sumsFile)
    if (!file.exists(file) || dir.exists(file)) {
        return(character())
    }
    lines <- readLines(file, warn = FALSE, n = 1e4, skipNul = TRUE)
    lines <- grep("^[0-9a-f]{32}  [^/]", lines, value = TRUE, useBytes = TRUE)
    names <- substring(lines, 35L)
    here <- file.path(dir, names)
    use <- file.exists(here) & !dir.exists(here) & !grepl("[.][.]", names)
    setNames(substring(lines[use], 1L, 32L), names[use])
}

## Runs `change`, which writes files of the folder again. Killed in between, the
## folder has no checksums.
.renewSums <- function(dir, change) {
    names <- names(.listedSums(dir))
    .removeFile(file.path(dir, .sumsFile))
    change()
    if (length(names)) {
        .writeSums(dir, names)
    }
    invisible()
}

## Files that are not what they were when the folder was written: an error, but
## a warning of text, which people edit, and where not strict. Of a folder
## without checksums nothing is known, and of files that are gone their readers
## speak.
.checkSums <- function(dir, arg, strict = TRUE) {
    sums <- .listedSums(dir)
    bad <- names(sums)[cli::hash_file_md5(file.path(dir, names(sums))) != sums]
    if (!length(bad)) {
        return(invisible())
    }
    text <- grepl("[.](json|csv|txt|tsv)$", bad)
    what <- paste0("is \"", dir, "\", where ", .some(bad, 3L),
        if (length(bad) > 1L) " are" else " is", " not what was saved (see ",
        .sumsFile, " there): "
    )
    if (strict && !all(text)) {
        .stopArgument(arg, what, "damaged, or changed by hand. Save the model ",
            "again; if the change is meant, remove ", .sumsFile, "."
        )
    }
    warning("'", arg, "' ", what, "it is taken as it is. If the change is ",
        "meant, remove ", .sumsFile, ".", call. = FALSE
    )
}

.swapFolder <- function(part, target, arg) {
    failed <- function() {
        .stopArgument(arg, "can't be made: renaming to \"", target,
            "\" failed."
        )
    }
    if (dir.exists(target)) {
        Sys.chmod(part, file.mode(target), use_umask = FALSE)
        if (.atPlace(.Call(cw_r_place_swap, part, target), arg)) {
            return(invisible())
        }
        aside <- .asideOf(target)
        .removeFile(aside, recursive = TRUE)
        if (!file.rename(target, aside)) {
            failed()
        }
        if (!file.rename(part, target)) {
            file.rename(aside, target)
            failed()
        }
        .removeFile(aside, recursive = TRUE)
    } else if (!file.rename(part, target)) {
        failed()
    }
    invisible()
}

.asideOf <- function(target) {
    file.path(dirname(target), paste0(".", basename(target), ".old"))
}

## Where `dir` leads, after putting back the folder that a call killed within
## .swapFolder() moved aside. `dir` itself when that can't be told.
.findFolder <- function(dir) {
    target <- tryCatch(.Call(cw_r_place_find, dir)$target,
        causewayError = function(e) NULL
    )
    if (is.null(target)) {
        return(dir)
    }
    if (!file.exists(target) && dir.exists(.asideOf(target)) &&
        file.rename(.asideOf(target), target)) {
        message("'", dir, "' was moved aside by a call that was killed while ",
            "it replaced it; it is back."
        )
    }
    target
}
