## Where the factors of per-cell networks are kept: in memory, in an HDF5 file,
## or nowhere (lazy). All that reads factors goes through .cellView() and
## .cellBlocks().

## Bytes of factors that a function holds at a time.
.blockBytes <- function() {
    .checkNumber(getOption("causeway.blockBytes", 64 * 2^20),
        "options(causeway.blockBytes)", 1
    )
}

## Bytes of one cell's factors: index (2) and weight (4) of k per row.
.cellBytes <- function(x) {
    6 * as.numeric(x@k) * (length(x@tfs) + length(x@genes))
}

.blockCells <- function(x) {
    if (is.list(x@factors)) {
        return(length(x@cells))
    }
    max(1, floor(.blockBytes() / .cellBytes(x)))
}

## The cells `at` in blocks; one block when the factors are in memory anyway.
.cellBlocks <- function(x, at) {
    size <- .blockCells(x)
    unname(split(at, (seq_along(at) - 1L) %/% size))
}

## What the engine reads of the cells `at`: list(view, cells), where `cells`
## are their numbers from 0 within the view, or NULL for all of it.
.cellView <- function(x, at) {
    if (is.list(x@factors)) {
        all <- identical(at, seq_along(x@cells))
        return(list(
            view = .viewOf(x, length(x@cells), x@factors),
            cells = if (!all || length(at) == 1L) as.integer(at) - 1L
        ))
    }
    list(view = .viewOf(x, length(at), .factorsAt(x, at)),
        cells = if (length(at) == 1L) 0L
    )
}

## All cells at once; see src/glue/r_network.c.
.networkView <- function(x) .cellView(x, seq_along(x@cells))$view

.viewOf <- function(x, nCells, factors) {
    c(
        list(
            dims = as.numeric(c(
                nCells, length(x@tfs), length(x@genes), x@nFactors, x@k
            )),
            tfGene = match(x@tfs, x@genes) - 1L
        ),
        factors
    )
}

## The four raw vectors of the cells `at`.
.factorsAt <- function(x, at) {
    f <- x@factors
    if (is(f, "HDF5Factors")) {
        return(.fileFactors(x, f@at[at]))
    }
    if (is(f, "LazyFactors")) {
        return(.lazyFactors(x, at))
    }
    if (identical(at, seq_along(x@cells))) f else .subsetFactors(x, at)
}

.subsetFactors <- function(x, at) {
    f <- x@factors
    if (is(f, "HDF5Factors")) {
        f@at <- f@at[at]
        return(f)
    }
    if (is(f, "LazyFactors")) {
        f@conditions <- f@conditions[, at, drop = FALSE]
        return(f)
    }
    lapply(f, function(part) {
        dim(part) <- c(length(part) / length(x@cells), length(x@cells))
        as.vector(part[, at])
    })
}

.backingText <- function(x) {
    f <- x@factors
    if (is(f, "HDF5Factors")) {
        return(paste0("in the file ", f@file,
            if (length(f@at) < f@total) paste0(
                " (", format(f@total, big.mark = ","), " cells in all)"
            )
        ))
    }
    if (is(f, "LazyFactors")) {
        return("nowhere: the model makes them anew when they are asked for")
    }
    paste0("in memory, ", .bytes(sum(lengths(f))))
}

.chooseBacking <- function(backing, file, resume, overwrite) {
    .checkFlag(resume, "resume")
    .checkFlag(overwrite, "overwrite")
    if (!is.null(file)) {
        .inferPlace(file, resume, overwrite)
    }
    if (is.null(backing)) {
        backing <- if (is.null(file)) "memory" else "hdf5"
    }
    if (!is.character(backing) || length(backing) != 1L ||
        !backing %in% c("memory", "hdf5", "lazy")) {
        .stopArgument("backing", "must be \"memory\", \"hdf5\" or \"lazy\"; ",
            "it is ", .show(backing), "."
        )
    }
    if (backing == "hdf5" && is.null(file)) {
        .stopArgument("file", "is missing: backing = \"hdf5\" needs a path.")
    }
    if (backing != "hdf5" && !is.null(file)) {
        .stopArgument("file", "can't be used with backing = \"", backing,
            "\"; leave one of them out."
        )
    }
    if (backing != "hdf5" && (resume || overwrite)) {
        .stopArgument(if (resume) "resume" else "overwrite",
            "has no meaning without 'file'."
        )
    }
    backing
}
