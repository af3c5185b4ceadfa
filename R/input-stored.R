## Prepared values of many cells in a temporary file instead of memory: models
## read a batch of cells at a time, in any order. Not compressed, so that a few
## cells take no longer than their values.

## The values of `source` (see .eachBlock()), at most `most` of them not 0, as a
## DelayedMatrix, genes x cells, that reads such a file.
.storeValues <- function(source, most) {
    path <- tempfile("values", fileext = ".h5")
    need <- 12 * most
    free <- .Call(cw_r_disk_free, tempdir())
    if (!is.na(free) && need > free) {
        stop("the values of ", length(source$columns), " cells take ",
            .bytes(need), " of disk space, and ", tempdir(), " has ",
            .bytes(free), " left; set TMPDIR to another folder before R ",
            "starts, or take fewer cells or genes.",
            call. = FALSE
        )
    }
    done <- FALSE
    on.exit(if (!done) .removeFile(path))
    .h5Put(path, list(.putGroup("X"), .putPlain("X/data", numeric(), "f64"),
        .putPlain("X/indices", integer(), "i32"),
        .putPlain("X/indptr", 0, "i64")), fresh = TRUE)
    last <- 0
    .eachBlock(source, function(x, at) {
        x <- .heldColumns(list(x))
        .h5Put(path, list(.putMore("X/data", x@x, "f64"),
            .putMore("X/indices", x@i, "i32"),
            .putMore("X/indptr", last + x@p[-1L], "i64")))
        last <<- last + length(x@x)
        NULL
    })
    seed <- .cellSeed(path, list(name = "X", sparse = TRUE, byCell = TRUE,
        cells = length(source$columns), genes = length(source$rows)))
    done <- TRUE
    DelayedArray::DelayedArray(seed)
}

## The file of such values is gone with them; values in memory are left alone.
.dropStored <- function(values) {
    if (.isDelayed(values)) {
        .removeFile(.fileView(values)$seed@file)
    }
}

## f(values, numbers) of blocks of cells; what is in memory is one block.
.valueBlocks <- function(values, f, at = seq_len(ncol(values))) {
    done <- 0L
    lapply(unname(.columnChunks(values, at)), function(part) {
        here <- done + seq_along(part)
        done <<- done + length(part)
        f(.cellsRead(values, part), here)
    })
}

## The cells `at` of values in memory or in a file, dgCMatrix without names.
.cellsRead <- function(values, at) {
    if (.isDelayed(values)) {
        return(.withoutNames(.columnChunk(values, at)))
    }
    if (identical(at, seq_len(ncol(values)))) values else
        values[, at, drop = FALSE]
}

## What tells values from others, for .hash(); those of a file are never held.
.valuesMark <- function(values, width = 4096L) {
    if (!.isDelayed(values)) {
        return(values)
    }
    at <- seq_len(ncol(values))
    lapply(unname(split(at, (at - 1L) %/% width)), function(part) {
        .hash(.cellsRead(values, part))
    })
}
