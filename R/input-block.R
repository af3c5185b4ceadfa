## Donors, batches and other blocks of cells: their means are taken out.

## The block of every cell of `prepared`, a factor; NULL for none, or for one
## level. `block`: a column of colData(x), or a value per cell of `x` or per
## cell that is used.
.blockOf <- function(prepared, block, verbose = FALSE) {
    if (is.null(block)) {
        return(NULL)
    }
    n <- length(prepared$cells)
    if (is.character(block) && length(block) == 1L && n != 1L) {
        if (!block %in% colnames(prepared$cellData)) {
            .stopArgument("block", "is \"", block, "\", which isn't a column ",
                "of colData(x): ", .some(colnames(prepared$cellData), 8L), "."
            )
        }
        block <- prepared$cellData[[block]]
    } else if (length(block) != n &&
        length(block) == length(prepared$allCells)) {
        block <- block[prepared$columns]
    }
    if (length(block) != n || anyNA(block)) {
        .stopArgument("block", "must have a value per cell, ", n, ", none ",
            "missing; it has ", length(block), " with ", sum(is.na(block)),
            " missing."
        )
    }
    block <- droplevels(.asFactor(block))
    if (nlevels(block) == n) {
        .stopArgument("block", "has another value for every cell; it must ",
            "name donors, batches or other groups of cells."
        )
    }
    if (nlevels(block) == 1L) {
        message("'block' has one value, ", levels(block), ": nothing to take ",
            "out")
        return(NULL)
    }
    .say(verbose, "The means of ", .count(nlevels(block), "block"),
        " are taken out.")
    block
}

## `prepared` with the mean of its block taken off every gene of a cell.
.lessBlocks <- function(prepared, block) {
    if (is.null(block)) {
        return(prepared)
    }
    if (!is.null(prepared$sampled)) {
        block <- block[prepared$sampled]
    }
    prepared <- .lessSums(prepared)
    v <- prepared$values
    .checkEstimatorMemory(28 * length(v), "cells less the means of blocks")
    mean <- .blockMeans(v, block)
    prepared$values <- .asSparse(as.matrix(v) -
        mean[, as.integer(block), drop = FALSE])
    prepared
}

## genes x blocks
.blockMeans <- function(values, block) {
    at <- Matrix::sparseMatrix(seq_along(block), as.integer(block),
        x = 1 / as.vector(table(block))[as.integer(block)]
    )
    as.matrix(values %*% at)
}

## Where no block has cells of two states, what differs between states can't
## be told from what differs between blocks.
.confounded <- function(block, label) {
    !is.null(block) && !is.null(label) &&
        all(rowSums(table(block, label) > 0) == 1L)
}
