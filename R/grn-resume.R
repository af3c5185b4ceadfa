## inferGRN() into a file, block by block: who writes, what a killed call left,
## and what an old file is worth until the new one is complete.
##
## A new file is filled at its own place. One that replaces another is filled
## beside it, in "FILE.part", and renamed at the end. Every call that fills a
## file puts its name into header/writer; a block is written only while the
## file has the id and the writer it had, under HDF5's lock. So of two calls
## the later one goes on, and the other stops.

## What must be the same for a call to go on with a file: hashes by name.
.inferSettings <- function(model, prepared) {
    v <- prepared$values
    v <- if (.isDelayed(v)) .valuesMark(v) else list(v@x, v@i, v@p)
    list(
        model = .modelHash(model), tokens = .hash(prepared$tokens),
        conditions = .hash(prepared$conditions),
        preprocessing = .hash(.dataOnly(prepared$report$settings)),
        "expression values" = .hash(v)
    )
}

## Where the networks go; an error before any work if they can't go there.
.inferPlace <- function(file, resume, overwrite) {
    place <- .filePlace(file, NA)
    if (place$exists && !resume && !overwrite) {
        .stopArgument("file", "exists: ", file, "; choose another name, ",
            "go on with an interrupted one by resume = TRUE, or set ",
            "overwrite = TRUE."
        )
    }
    place
}

.besideOf <- function(target) paste0(target, ".part")

.inferToFile <- function(model, prepared, parts, batchSize, verbose, file,
    resume, overwrite) {
    place <- .inferPlace(file, resume, overwrite)
    settings <- .inferSettings(model, prepared)
    store <- .startFile(place, parts, settings, resume, overwrite, verbose)
    if (!store$finished) {
        progress <- new.env(parent = emptyenv())
        progress$finished <- FALSE
        on.exit(.leaveFile(store, progress))
        .fillFile(model, prepared, parts, batchSize, verbose, store)
        progress$finished <- TRUE
    }
    if (store$path != place$target) {
        .atPlace(.Call(cw_r_place_commit, store$path, place$target, TRUE))
    }
    n <- length(parts$cells)
    new("HDF5Factors", file = place$path, id = store$guard[["header/id"]],
        total = n, at = seq_len(n)
    )
}

## The file to fill: list(path, guard, done, finished).
.startFile <- function(place, parts, settings, resume, overwrite, verbose) {
    found <- if (resume) {
        .findBegun(place, parts, settings, overwrite, verbose)
    }
    if (!is.null(found)) {
        return(.takeOver(found$path, found$header, parts, verbose))
    }
    if (resume) {
        .say(verbose, "There is no file ", place$file, " to go on with: ",
            "beginning."
        )
    }
    id <- .newFileId()
    path <- if (place$exists) .besideOf(place$target) else place$target
    .createFile(path, parts, jsonlite::toJSON(settings, auto_unbox = TRUE),
        id, replace = place$exists
    )
    list(path = path, guard = c("header/id" = id, "header/writer" = id),
        done = 0, finished = FALSE
    )
}

## The file that this call's settings were begun in: list(path, header), or
## NULL where it begins anew.
.findBegun <- function(place, parts, settings, overwrite, verbose) {
    beside <- .besideOf(place$target)
    if (!file.exists(beside)) {
        beside <- NULL
    }
    candidates <- c(if (overwrite || !place$exists) beside,
        if (place$exists) place$target
    )
    for (path in candidates) {
        why <- tryCatch(
            {
                header <- .readHeader(path)
                .checkResume(path, header, parts, settings)
                return(list(path = path, header = header))
            },
            error = identity
        )
        if (!overwrite) {
            stop(conditionMessage(why), if (!is.null(beside)) {
                paste0(" To go on with ", beside, ", which is to replace it, ",
                    "set overwrite = TRUE as well."
                )
            }, call. = FALSE)
        }
        .say(verbose, conditionMessage(why), " Beginning anew.")
    }
    NULL
}

.checkResume <- function(path, header, parts, settings) {
    old <- .readSums(header$settings)
    sizes <- c(length(parts$cells), length(parts$tfs), length(parts$genes),
        parts$nFactors, parts$k
    )
    same <- c(
        vapply(names(settings), function(name) {
            identical(old[[name]], settings[[name]])
        }, logical(1)),
        sizes = identical(header$sizes, as.numeric(sizes))
    )
    for (name in c("tfs", "genes", "cells")) {
        there <- .checkSum(path, name, .fileText(path, name), header$sums)
        same[[name]] <- identical(there, enc2utf8(parts[[name]]))
    }
    if (!all(same)) {
        .stopArgument("file", "was begun with other settings and can't be ",
            "gone on with: ", path, " differs in ",
            .some(names(same)[!same], 9L), ". Repeat the first call exactly, ",
            "or set overwrite = TRUE without 'resume' to begin anew."
        )
    }
}

## Makes this call the file's writer: who wrote it before stops at its next
## block.
.takeOver <- function(path, header, parts, verbose) {
    guard <- c("header/id" = header$id, "header/writer" = header$writer)
    n <- length(parts$cells)
    done <- header$done
    if (!header$finished) {
        guard[["header/writer"]] <- .newFileId()
        .whileWriting(path, .writeTables(path, "header/writer", 0,
            list(guard[["header/writer"]]), guard["header/id"]
        ))
        done <- .soundCells(path, done, parts)
    }
    if (done < header$done) {
        .say(verbose, .count(header$done - done, "cell"), " of ", path,
            " aren't as they were written; they are made again."
        )
    }
    .say(verbose, format(done, big.mark = ","), " of ", .count(n, "cell"),
        " are in ", path, if (header$finished) ": nothing is left to do." else
            "; going on from there."
    )
    list(path = path, guard = guard, done = done, finished = header$finished)
}

## Of the first `done` cells, those before the first that doesn't have its
## checksum: after a power loss the disk may lack some that were counted.
.soundCells <- function(path, done, parts) {
    cell <- 6 * as.numeric(parts$k) * (length(parts$tfs) + length(parts$genes))
    step <- max(1, floor(.blockBytes() / cell))
    for (first in seq(0, max(0, done - 1), by = step)) {
        n <- min(step, done - first)
        if (n < 1) {
            break
        }
        data <- .readTables(path, c(.factorTables, "checksum"), c(first, n))
        factors <- setNames(data[seq_len(4L)], .factorParts)
        sums <- .Call(cw_r_network_checksums, .partsView(parts, n, factors),
            .threads()
        )
        bad <- which(!mapply(identical, sums, data$checksum))
        if (length(bad)) {
            return(first + bad[[1L]] - 1)
        }
    }
    done
}

.fillFile <- function(model, prepared, parts, batchSize, verbose, store) {
    n <- ncol(prepared$values)
    done <- store$done
    cell <- 6 * as.numeric(parts$k) * (length(parts$tfs) + length(parts$genes))
    step <- floor(min(.blockBytes(), 16 * 2^20) / cell)
    step <- max(1, step %/% batchSize) * batchSize
    bar <- .progressStart("Inferring ", n, verbose, done)
    on.exit(.progressDone(bar))
    while (done < n) {
        at <- seq.int(done + 1, min(n, done + step))
        factors <- .inferFactors(model, prepared, at, batchSize, bar)
        done <- .whileWriting(store$path, .writeBlock(store$path, parts, done,
            factors, store$guard
        ))
    }
    .whileWriting(store$path, .finishFile(store$path, n, store$guard))
}

## expr, which writes, its errors told with what they mean.
.whileWriting <- function(path, expr) {
    tryCatch(expr,
        causewayError_state = function(e) {
            .stopFile(path, conditionMessage(e), ", and holds that one's ",
                "networks now; this call stops and leaves it alone."
            )
        },
        causewayError = function(e) .stopWrite(path, e)
    )
}

## After an interrupt or an error: what is complete is kept, and said. A file
## that another call made or fills by now is none of our business.
.leaveFile <- function(store, progress) {
    if (progress$finished) {
        return(invisible())
    }
    old <- options(causeway.lockWait = 0)
    on.exit(options(old))
    header <- tryCatch(.readHeader(store$path), error = function(e) NULL)
    if (is.null(header)) {
        if (file.exists(store$path)) {
            message("What is complete stays in ", store$path, "; the same ",
                "call with resume = TRUE goes on from there."
            )
        }
        return(invisible())
    }
    if (!identical(c(header$id, header$writer), unname(store$guard))) {
        return(invisible())
    }
    if (header$done < 1) {
        .removeFile(store$path)
        message("No cell was complete: the partial file ", store$path,
            " was removed."
        )
        return(invisible())
    }
    message(format(header$done, big.mark = ","), " of ",
        .count(header$sizes[[1L]], "cell"), " are complete in ", store$path,
        "; the same call with resume = TRUE goes on from there."
    )
}
