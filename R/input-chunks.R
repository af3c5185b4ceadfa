## Columns of any matrix as dgCMatrix, in parts that fit in memory.

## A chunk of columns as dgCMatrix (restricted to `rows`): the only place where
## values leave the container, so a DelayedArray is never whole in memory.
.columnChunk <- function(m, columns, rows = NULL) {
    if (is.null(rows) && length(columns) == ncol(m) &&
        methods::is(m, "dgCMatrix")) {
        return(m)
    }
    chunk <- if (is.null(rows)) {
        m[, columns, drop = FALSE]
    } else {
        m[rows, columns, drop = FALSE]
    }
    if (methods::is(chunk, "dgCMatrix")) {
        return(chunk)
    }
    if (methods::is(chunk, "DelayedArray")) {
        chunk <- if (DelayedArray::is_sparse(chunk)) {
            methods::as(chunk, "dgCMatrix")
        } else {
            as.matrix(chunk)
        }
    }
    if (is.matrix(chunk)) {
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

## Column ranges of at most `cells` cells; chunks of about 64 MB when dense.
.columnChunks <- function(m, columns = seq_len(ncol(m)),
    bytes = 64 * 1024^2) {
    n <- length(columns)
    if (methods::is(m, "dgCMatrix")) {
        return(list(columns))
    }
    width <- max(1L, min(n, as.integer(bytes / (8 * max(1L, nrow(m))))))
    split(columns, (seq_len(n) - 1L) %/% width)
}

## Any matrix -> dgCMatrix of these columns in this order; a DelayedArray is
## read in chunks.
.sparseColumns <- function(m, columns) {
    if (methods::is(m, "dgCMatrix")) {
        whole <- identical(columns, seq_len(ncol(m)))
        return(if (whole) m else m[, columns, drop = FALSE])
    }
    chunks <- lapply(.columnChunks(m, columns), function(part) {
        .columnChunk(m, part)
    })
    if (length(chunks) == 1L) chunks[[1L]] else do.call(cbind, unname(chunks))
}
