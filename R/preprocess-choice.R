## Which genes a network reads: how far they vary beyond counting, in how many
## cells they must be seen.

## One pass: `total` per cell (1 where values are logarithms); per gene `seen`,
## in how many cells, and `excess`, how far it varies: for counts the excess
## deviance from a constant share of every cell's total
## (src/engine/stats/genes.h), else the variance of log-normalised values less
## its trend over the mean.
.geneVariation <- function(m, rows, columns, target, counted, logged,
    sanitize, threads = .threads()) {
    n <- length(columns)
    total <- numeric(n)
    sums <- NULL
    at <- 0L
    for (part in .columnChunks(m, columns)) {
        x <- .columnChunk(m, part, rows)
        if (sanitize) {
            x <- .sanitize(x)
        }
        here <- at + seq_along(part)
        at <- at + length(part)
        new <- if (counted) {
            .Call(cw_r_gene_sums, .countsView(x))
        } else {
            .logSums(x, target, logged)
        }
        total[here] <- new$total
        new$total <- NULL
        sums <- if (is.null(sums)) new else Map(`+`, sums, new)
        .dropBlock(length(x@x))
    }
    excess <- if (counted) {
        .Call(cw_r_gene_excess, sums, total, threads)
    } else {
        .varianceOverTrend(sums$sum / n, sums$square, n)
    }
    list(total = total, seen = sums$seen, excess = excess)
}

## The same sums of log-normalised values.
.logSums <- function(x, target, logged) {
    total <- rep(1, ncol(x))
    seen <- x
    seen@x <- as.numeric(x@x > 0)
    if (!logged) {
        total <- Matrix::colSums(x)
        x <- .scaleColumns(x, target / .nonZero(total))
        x@x <- log1p(x@x)
    }
    sum <- Matrix::rowSums(x)
    x@x <- x@x^2
    list(total = total, sum = sum, square = Matrix::rowSums(x),
        seen = Matrix::rowSums(seen)
    )
}

## Variance less its lowess trend over the log mean.
.varianceOverTrend <- function(mean, square, n) {
    variance <- pmax(0, square - n * mean^2) / max(1, n - 1)
    there <- mean > 0
    out <- numeric(length(mean))
    if (sum(there) < 10L) {
        out[there] <- variance[there]
        return(out)
    }
    level <- log(mean[there])
    trend <- stats::lowess(level, variance[there])
    out[there] <- variance[there] - stats::approx(trend$x, trend$y, level,
        ties = base::mean, rule = 2
    )$y
    out
}

## Cells a gene must be seen in to be a factor or a target: 10, and a
## hundredth of all; of fewer than 40 cells a quarter, at least three. Below, an
## edge can rest on a few coincidences.
.cellFloor <- function(n) {
    max(min(10, ceiling(n / 4)), ceiling(n / 100), min(3, n))
}

## Positions among the genes of `variation` that a network reads. `floor`: cells
## they must be seen in. `always`: positions read at any rate. `fixedTfs`: do
## the factors need a count only (a short list the caller gave is a choice)?
## `known`: positions of the genes that stand for the most variable ones; NULL:
## those of highest excess.
.chooseGenes <- function(variation, isTf, nCells, nTargets, always,
    floor = 0, fixedTfs = FALSE, known = NULL) {
    if (nCells < 2L) {
        .stopArgument("x", "has one cell: variable genes can't be chosen ",
            "from it. Give more cells, or name the genes with 'genes'."
        )
    }
    enough <- variation$seen >= floor
    tfs <- which(isTf & (enough | fixedTfs))
    other <- which(!isTf & enough)
    if (!is.null(known)) {
        other <- intersect(other, known)
    } else if (length(other) > nTargets) {
        other <- other[order(-variation$excess[other], other)]
        other <- other[seq_len(nTargets)]
    }
    sort(unique(c(tfs, always, other)))
}

## Nothing above the floor, or no factor: what it is and what helps.
.checkFloor <- function(variation, isTf, pick, floor) {
    if (floor <= 1 || any(isTf[pick]) && length(pick) > 1L) {
        return(invisible())
    }
    lower <- paste0("keep = names genes to read nevertheless, ",
        "preprocess = list(minCells = 3) lowers the floor.")
    if (!any(isTf[pick]) && any(isTf)) {
        .stopArgument("x", "has ", .count(sum(isTf), "factor"), ", each seen ",
            "in fewer than ", floor, " cells (the most in ",
            max(variation$seen[isTf]), "): too few for an edge. ", lower
        )
    }
    if (all(variation$seen < floor)) {
        .stopArgument("x", "has no gene seen in ", floor, " cells or more: ",
            "edges would rest on a few coincidences. ", lower
        )
    }
    invisible()
}

## Factors left out by the floor: named numbers of cells, those that vary most
## first; said.
.tfsBelow <- function(variation, isTf, pick, floor, labels, verbose) {
    below <- setdiff(which(isTf), pick)
    below <- below[order(-variation$excess[below], below)]
    cells <- structure(variation$seen[below], names = labels[below])
    if (length(below)) {
        first <- utils::head(cells, 5L)
        .say(verbose, length(below), " of ", .count(sum(isTf), "factor"),
            " are seen in fewer than ", floor, " cells and left out: ",
            paste0(names(first), " (", first, ")", collapse = ", "),
            if (length(below) > 5L) ", ...",
            "; keep = names those to read nevertheless."
        )
    }
    cells
}
