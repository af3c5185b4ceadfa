## Sums over cells that pooled estimators read (src/engine/stats/gram.h), and
## which cells of a large file are held in memory.
##
## Sums are a list: `tf` (from 0), `cells`, `sum`, `square`, `cube`, `least`,
## `most` (by gene), `product`, `both` (genes x TFs); finished, also `r` (TFs x
## genes) and `skew` (by gene). They don't depend on how the cells were cut into
## blocks, to the last bit.

## Cells of a file that estimators hold: of more, trees, ranks and the search
## for states see a sample.
.mostCells <- function() {
    most <- getOption("causeway.sampleCells", 10000L)
    if (!is.numeric(most) || length(most) != 1L || !isTRUE(most >= 2)) {
        stop("options(causeway.sampleCells) must be a number of cells, at ",
            "least 2; it is ", .show(most), ".",
            call. = FALSE
        )
    }
    as.integer(min(most, .Machine$integer.max))
}

## Every vector is its own: the engine adds to them in place.
.newSums <- function(genes, tf) {
    list(tf = as.integer(tf), cells = numeric(1L), sum = numeric(genes),
        square = numeric(genes), cube = numeric(genes),
        least = numeric(genes), most = numeric(genes),
        product = matrix(0, genes, length(tf)),
        both = matrix(0, genes, length(tf))
    )
}

.addSums <- function(sums, x, threads) {
    .Call(cw_r_gram_add, sums, list(p = x@p, i = x@i, x = x@x,
        cells = ncol(x)
    ), threads)
    invisible()
}

.finishSums <- function(sums) {
    numbers <- .Call(cw_r_gram_numbers, sums)
    sums$r <- t(numbers$r)
    sums$skew <- numbers$skew
    sums
}

## values: genes x cells; tf: numbers of the TFs, from 0.
.sumsOf <- function(values, tf, threads = .threads()) {
    sums <- .newSums(nrow(values), tf)
    .addSums(sums, .asSparse(values), threads)
    .finishSums(sums)
}

## Those of a view of .estimatorView(), or of one made from it.
.viewSums <- function(view) {
    if (is.null(view$sums)) .sumsOf(view$genes, view$tf) else view$sums
}

## ---- cells of a file ------------------------------------------------------

## Are the cells read once more by blocks, and only a sample held?
.isStreamed <- function(m, cells, most) {
    cells > most && (.isDelayed(m) || .isIterable(m))
}

## list(values, sums, sampled): the values of `most` of the cells `columns`,
## drawn by `key`, and the sums over all of them.
.streamValues <- function(m, rows, columns, isTf, total, how, most, key,
    threads = .threads()) {
    n <- length(columns)
    sampled <- sort(.Call(cw_r_permutation, n, key, 1)[seq_len(most)] + 1L)
    sums <- .newSums(length(rows), which(isTf) - 1L)
    at <- 0L
    parts <- lapply(.columnChunks(m, columns), function(part) {
        x <- .chunkValues(m, rows, part, total[at + seq_along(part)], how)
        .addSums(sums, x, threads)
        take <- sampled[sampled > at & sampled <= at + length(part)] - at
        at <<- at + length(part)
        x[, take, drop = FALSE]
    })
    values <- do.call(cbind, unname(parts))
    dimnames(values) <- list(NULL, NULL)
    list(values = Matrix::drop0(values), sums = .finishSums(sums),
        sampled = sampled
    )
}

## Bytes of it: the sample and what estimators make of it, sums, blocks as they
## are read, names and totals of all cells.
.streamBytes <- function(entries, cells, genes, tfs, most) {
    60 * most * entries / max(1, cells) + 80 * genes * tfs + 2^28 + 150 * cells
}

.sayStreamed <- function(m, rows, columns, isTf, seen, most, verbose) {
    need <- .streamBytes(sum(seen), length(columns), length(rows), sum(isTf),
        most
    )
    .checkEstimatorMemory(need, paste(length(columns), "cells of a file"))
    .say(verbose, "Sums over all ", length(columns), " cells; trees, ranks ",
        "and the search for states read ", most, " of them, drawn at random. ",
        "About ", .bytes(need), " of memory."
    )
}

## Sums over all cells no longer hold for values that were changed.
.lessSums <- function(prepared) {
    prepared$sums <- NULL
    prepared
}

## With the genes in this order.
.sortSums <- function(sums, genes) {
    at <- match(sums$tf + 1L, genes)
    tf <- order(at)
    for (part in c("sum", "square", "cube", "least", "most", "skew")) {
        sums[[part]] <- sums[[part]][genes]
    }
    for (part in c("product", "both")) {
        sums[[part]] <- sums[[part]][genes, tf, drop = FALSE]
    }
    sums$r <- sums$r[tf, genes, drop = FALSE]
    sums$tf <- at[tf] - 1L
    sums
}
