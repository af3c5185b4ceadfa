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

## Every vector is its own: the engine adds to them in place. `both`: count
## them, too?
.newSums <- function(genes, tf, both = TRUE) {
    list(tf = as.integer(tf), cells = numeric(1L), sum = numeric(genes),
        square = numeric(genes), cube = numeric(genes),
        least = numeric(genes), most = numeric(genes),
        product = matrix(0, genes, length(tf)),
        both = matrix(0, if (both) genes else 0L, length(tf))
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

## Pearson correlations of the genes `tfAt` with all, from sums over the cells
## of a file.
.streamedPearson <- function(values, tfAt, threads = .threads()) {
    tf <- sort(tfAt)
    sums <- .newSums(nrow(values), tf - 1L, FALSE)
    .valueBlocks(values, function(v, at) .addSums(sums, v, threads))
    .finishSums(sums)$r[match(tfAt, tf), , drop = FALSE]
}

## As many cells of a file as are held, drawn with a fixed key: what has no key
## of its own ranks the same ones each time.
.drawnValues <- function(values) {
    n <- ncol(values)
    drawn <- .shuffled(n, c(0, 0), 1L)[seq_len(min(n, .mostCells()))]
    .bindColumns(.valueBlocks(values, function(v, at) v, sort(drawn)))
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

## list(values, sums, sampled): the values of `most` of the cells, drawn by
## `key`, and (`sums`) the sums over all of them.
.streamValues <- function(source, most, key, sums = TRUE,
    threads = .threads()) {
    sampled <- sort(.shuffled(length(source$columns), key, 1L)[
        seq_len(most)])
    if (!sums) {
        return(list(values = .sourceValues(source, sampled),
            sampled = sampled
        ))
    }
    sums <- .newSums(length(source$rows), which(source$isTf) - 1L)
    parts <- .eachBlock(source, function(x, at) {
        .addSums(sums, x, threads)
        x[, at %in% sampled, drop = FALSE]
    })
    values <- .heldColumns(parts)
    rm(parts)
    gc(verbose = FALSE) # what passes over the file left: estimators come next
    list(values = values, sums = .finishSums(sums), sampled = sampled)
}

## Bytes of it: the sample and what estimators make of it, sums, blocks as they
## are read, names and totals of all cells.
.streamBytes <- function(source, seen, most) {
    60 * most * seen * length(source$rows) + 80 * length(source$rows) *
        sum(source$isTf) + 2^28 + 150 * length(source$columns)
}

## seen: mean share of the cells that a gene is seen in.
.sayStreamed <- function(source, seen, most, sums, verbose) {
    n <- length(source$columns)
    need <- .streamBytes(source, seen, most)
    .checkEstimatorMemory(need, paste(n, "cells of a file"))
    if (sums) {
        .say(verbose, "Sums over all ", n, " cells; trees, ranks and the ",
            "search for states read ", most, " of them, drawn at random. ",
            "About ", .bytes(need), " of memory."
        )
    }
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
