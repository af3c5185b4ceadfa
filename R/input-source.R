## Where prepared values are read: blocks of cells of any matrix, as models and
## estimators see them.

## The chosen genes' values as the model sees them, genes x cells, of the cells
## source$columns[at], a block at a time: a list of each(values, numbers of the
## cells in `at`). `source`: list(matrix, rows, columns, total (by cell), isTf,
## target, logged, sanitize).
.eachBlock <- function(source, each, at = seq_along(source$columns)) {
    done <- 0L
    lapply(.columnChunks(source$matrix, source$columns[at]), function(part) {
        here <- done + seq_along(part)
        done <<- done + length(part)
        x <- .blockValues(source, part, source$total[at[here]])
        entries <- length(x@x)
        out <- each(x, here)
        rm(x)
        .dropBlock(2 * entries) # as stored and as prepared
        out
    })
}

## Frees what a loop's blocks left, this one so many numbers, once it is worth the
## time: each collection looks through R's young objects, a million cells' names
## among them. R alone would let large blocks pile up, and a pass over more cells
## would take more memory.
.dropBlock <- function(numbers) {
    .blocks$numbers <- .blocks$numbers + numbers
    if (.blocks$numbers > 2^21) {
        .blocks$numbers <- 0
        gc(verbose = FALSE, full = FALSE)
    }
}

## numbers in the blocks since then
.blocks <- new.env(parent = emptyenv())
.blocks$numbers <- 0

.blockValues <- function(source, columns, total) {
    x <- .columnChunk(source$matrix, columns, source$rows)
    if (source$sanitize) {
        x <- .sanitize(x)
    }
    if (!source$logged) {
        x <- .scaleColumns(x, source$target / .nonZero(total))
        x@x <- log1p(x@x)
    }
    x
}

.sourceValues <- function(source, at = seq_along(source$columns)) {
    .heldColumns(.eachBlock(source, function(x, at) x, at))
}

## Blocks as one matrix, without names and zeros.
.heldColumns <- function(parts) {
    x <- .bindColumns(lapply(parts, .withoutNames))
    if (all(x@x != 0)) x else Matrix::drop0(x)
}

.extractValues <- function(m, rows, columns, total, target, logged,
    sanitize) {
    .sourceValues(list(matrix = m, rows = rows, columns = columns,
        total = total, target = target, logged = logged, sanitize = sanitize
    ))
}
