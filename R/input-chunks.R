## Any kind of matrix (base, Matrix, DelayedArray and HDF5Array, BPCells'
## IterableMatrix): what it holds, and its columns as dgCMatrix in parts that
## fit in memory.

.isMatrix <- function(x) {
    is.matrix(x) || methods::is(x, "Matrix") || .isDelayed(x) ||
        .isIterable(x)
}

.isDelayed <- function(x) methods::is(x, "DelayedArray")

## BPCells' matrices; the package itself is only needed where they are read.
.isIterable <- function(x) inherits(x, "IterableMatrix")

.matrixType <- function(m) {
    if (.isDelayed(m)) {
        DelayedArray::type(m)
    } else if (.isIterable(m)) {
        "double"
    } else if (methods::is(m, "Matrix")) {
        if (methods::is(m, "zMatrix")) "complex" else "double"
    } else {
        typeof(m)
    }
}

## A chunk of columns as dgCMatrix (restricted to `rows`): the only place where
## values leave the container, so a DelayedArray is never whole in memory.
.columnChunk <- function(m, columns, rows = NULL) {
    if (is.null(rows) && length(columns) == ncol(m) &&
        methods::is(m, "dgCMatrix")) {
        return(m)
    }
    if (methods::is(m, "indMatrix") || methods::is(m, "diagonalMatrix")) {
        m <- methods::as(m, "CsparseMatrix")
    }
    if (.isDelayed(m)) {
        inFile <- .fileColumns(m, columns, rows)
        if (!is.null(inFile)) {
            return(inFile)
        }
    }
    chunk <- if (is.null(rows)) {
        m[, columns, drop = FALSE]
    } else {
        m[rows, columns, drop = FALSE]
    }
    .asColumns(chunk)
}

.asColumns <- function(chunk) {
    if (methods::is(chunk, "dgCMatrix")) {
        return(chunk)
    }
    if (.isIterable(chunk)) {
        .needPackage("BPCells", "'x' holds a matrix of BPCells",
            "remotes::install_github(\"bnprks/BPCells/r\")"
        )
        return(methods::as(chunk, "dgCMatrix"))
    }
    if (.isDelayed(chunk)) {
        chunk <- if (DelayedArray::is_sparse(chunk)) {
            methods::as(chunk, "dgCMatrix")
        } else {
            as.matrix(chunk)
        }
    }
    if (is.matrix(chunk)) {
        chunk <- unclass(chunk) # of tables
        storage.mode(chunk) <- "double"
    }
    if (!methods::is(chunk, "dgCMatrix")) {
        chunk <- methods::as(
            methods::as(methods::as(chunk, "dMatrix"), "generalMatrix"),
            "CsparseMatrix"
        )
    }
    chunk
}

## Column ranges that take about `bytes` of memory each.
.columnChunks <- function(m, columns = seq_len(ncol(m)),
    bytes = .blockBytes()) {
    n <- length(columns)
    if (methods::is(m, "dgCMatrix")) {
        return(list(columns))
    }
    width <- if (.isDelayed(m)) .fileWidth(m, bytes, n)
    if (is.null(width)) {
        width <- bytes / (8 * max(1L, nrow(m)))
    }
    width <- max(1L, as.integer(min(n, width)))
    split(columns, (seq_len(n) - 1L) %/% width)
}

## Any matrix -> dgCMatrix of these columns in this order; one that is not in
## memory is read in chunks.
.sparseColumns <- function(m, columns = seq_len(ncol(m))) {
    if (methods::is(m, "dgCMatrix")) {
        whole <- identical(columns, seq_len(ncol(m)))
        return(if (whole) m else m[, columns, drop = FALSE])
    }
    .bindColumns(lapply(.columnChunks(m, columns), function(part) {
        .columnChunk(m, part)
    }))
}

## dgCMatrix objects side by side, each copied once (cbind() copies the first as
## often as there are others).
.bindColumns <- function(parts) {
    if (length(parts) == 1L) {
        return(parts[[1L]])
    }
    all <- function(of) unlist(lapply(unname(parts), of), use.names = FALSE)
    out <- methods::new("dgCMatrix")
    ## NA beyond 2^31 - 1 values
    out@p <- suppressWarnings(as.integer(c(0, cumsum(as.numeric(all(
        function(x) diff(x@p)))))))
    if (anyNA(out@p)) {
        .stopArgument("x", "has more than 2^31 - 1 values to hold at once; ",
            "give fewer cells or genes."
        )
    }
    out@i <- all(function(x) x@i)
    out@x <- all(function(x) x@x)
    out@Dim <- c(nrow(parts[[1L]]), length(out@p) - 1L)
    columns <- lapply(unname(parts), colnames)
    columns <- if (!any(vapply(columns, is.null, NA))) unlist(columns)
    out@Dimnames <- list(rownames(parts[[1L]]), columns)
    out
}

## Total of every column.
.cellTotals <- function(m, rows = NULL, columns = seq_len(ncol(m))) {
    unlist(lapply(.columnChunks(m, columns), function(part) {
        Matrix::colSums(.columnChunk(m, part, rows))
    }), use.names = FALSE)
}

.needPackage <- function(package, what, how) {
    if (!requireNamespace(package, quietly = TRUE)) {
        stop(what, ", and the package ", package, " is not installed; ", how,
            ".",
            call. = FALSE
        )
    }
}
