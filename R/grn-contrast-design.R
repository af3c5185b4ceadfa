## Who is compared with whom, and what is permuted.

## list(at = cells, y = is it of `level`?, level, ref).
.contrastGroups <- function(cellData, group, ref, level) {
    if (missing(group) || is.null(group)) {
        .stopArgument("group", "is missing: name a column of cellData(), or ",
            "give a value per cell."
        )
    }
    values <- .groupsIn(cellData, group, seq_len(nrow(cellData)), "group")
    ## numbers in their order, not that of their digits
    known <- as.character(sort(unique(values), method = "radix"))
    if (is.factor(values)) {
        known <- intersect(levels(values), as.character(values))
    }
    values <- as.character(values)
    pick <- .contrastLevels(known, ref, level)
    at <- which(if (is.null(pick$ref)) !is.na(values) else
        values %in% c(pick$ref, pick$level))
    y <- values[at] == pick$level
    if (anyNA(values)) {
        message(sum(is.na(values)), " cells without a group are left out")
    }
    list(at = at, y = y, level = pick$level,
        ref = if (is.null(pick$ref)) "all others" else pick$ref
    )
}

.contrastLevels <- function(known, ref, level) {
    text <- function(value, arg) {
        if (is.null(value)) {
            return(NULL)
        }
        if (length(value) != 1L || !(as.character(value) %in% known)) {
            .stopArgument(arg, "must be one value of 'group', among ",
                .some(known, 8L), "; it is ", .show(value), "."
            )
        }
        as.character(value)
    }
    ref <- text(ref, "ref")
    level <- text(level, "level")
    if (length(known) < 2L) {
        .stopArgument("group", "has ", .count(length(known), "value"),
            "; two are needed to compare."
        )
    }
    if (is.null(level)) {
        others <- setdiff(known, if (is.null(ref)) known[[1L]] else ref)
        if (length(others) != 1L) {
            .stopArgument("level", "is needed, as 'group' has ",
                length(known), " values: ", .some(known, 8L), "."
            )
        }
        return(list(ref = setdiff(known, others), level = others))
    }
    if (is.null(ref) && length(known) == 2L) {
        ref <- setdiff(known, level)
    }
    if (identical(ref, level)) {
        .stopArgument("level", "and 'ref' are both ", level, ".")
    }
    list(ref = ref, level = level)
}

## What multiplies the cells' values. list(at: cells; unit: of every cell, where
## whole blocks are permuted (else NULL: each cell is its own), and unitSize;
## labels: units x (1 + n), 1 for `level`, as labelled and permuted; blocks: of
## every unit; up, down, weight of every block). Labels take a byte each; the
## weights they stand for are made where they are used, see .designAt().
.contrastDesign <- function(cellData, groups, block, n, key) {
    at <- groups$at
    y <- groups$y
    b <- rep(1L, length(at))
    note <- "cells"
    unit <- NULL
    if (!is.null(block)) {
        all <- seq_len(nrow(cellData))
        b <- as.character(.groupsIn(cellData, block, all, "block"))[at]
        if (length(unique(stats::na.omit(b))) < 2L) {
            message("'block' has one value among the cells compared: cells ",
                "are permuted as without it")
        }
        used <- .contrastBlocks(b, y)
        at <- at[used$keep]
        y <- y[used$keep]
        b <- match(b[used$keep], unique(b[used$keep]))
        note <- used$note
        if (used$whole) {
            unit <- b
            y <- y[match(seq_len(max(b)), b)]
            b <- rep(1L, length(y))
        }
    }
    if (sum(y) < 2L || sum(!y) < 2L) {
        .stopArgument("group", "leaves ",
            sum(y), " and ", sum(!y), if (is.null(unit)) " cells" else
                " blocks", " to compare; each group needs at least two."
        )
    }
    labels <- .permutedLabels(y, b, n, key)
    c(.contrastWeights(labels, y, b), list(at = at, unit = unit,
        unitSize = if (!is.null(unit)) tabulate(unit), facts = list(
            nLevel = sum(groups$y), nRef = sum(!groups$y),
            nPerm = ncol(labels) - 1L,
            permuted = note, units = c(sum(y), sum(!y))
        )))
}

## Which cells stay when labels are permuted within blocks, or whole blocks.
.contrastBlocks <- function(b, y) {
    lost <- is.na(b)
    share <- tapply(y, b, mean)
    mixed <- share > 0 & share < 1
    if (any(mixed)) {
        keep <- !lost & b %in% names(share)[mixed]
        if (!all(keep)) {
            message(sum(!keep), " cells of blocks with one group, or without ",
                "a block, are left out"
            )
        }
        return(list(keep = keep, whole = FALSE,
            note = paste("cells within", .count(sum(mixed), "block"))
        ))
    }
    if (length(share) < 4L) {
        .stopArgument("block", "has no block with cells of both groups, and ",
            "only ", length(share), " blocks; to permute whole blocks each ",
            "group needs at least two, better six."
        )
    }
    list(keep = !lost, whole = TRUE,
        note = paste("whole blocks,", length(share))
    )
}

## units x (1 + n), raw: first as labelled, then permuted within blocks. Where
## fewer labellings than n exist (few units), all of them, once.
.permutedLabels <- function(y, b, n, key) {
    size <- length(y)
    if (all(b == 1L) && choose(size, sum(y)) - 1 <= n) {
        sets <- utils::combn(size, sum(y))
        all <- apply(sets, 2L, function(s) seq_len(size) %in% s)
        own <- colSums(all != y) == 0
        all <- cbind(y, all[, !own, drop = FALSE], deparse.level = 0)
        return(matrix(as.raw(all), size))
    }
    place <- order(b)
    y <- as.raw(y)
    labels <- matrix(y, size, n + 1L)
    for (r in seq_len(n)) {
        drawn <- .Call(cw_r_permutation, size, key, r)
        labels[place, r + 1L] <- y[order(b, drawn)]
    }
    labels
}

## Effect: sum over blocks of w (mean of level - mean of ref) / sum of w,
## w = n1 n2 / (n1 + n2).
.contrastWeights <- function(labels, y, b) {
    one <- tabulate(b[y], max(b))
    two <- tabulate(b[!y], max(b))
    w <- one * two / (one + two)
    up <- w / one / sum(w)
    down <- w / two / sum(w)
    list(labels = labels, blocks = b, up = up, down = down,
        weight = w / sum(w), size = cbind(one, two)
    )
}

## Of these units list(d: units x (1 + n), the effect as labelled and permuted;
## strata: units x strata, one-hot).
.unitsAt <- function(design, units) {
    b <- design$blocks[units]
    y <- design$labels[units, , drop = FALSE]
    y <- matrix(as.integer(y), nrow(y))
    list(d = y * (design$up + design$down)[b] - design$down[b],
        strata = outer(2L * b - y[, 1L], seq_len(2L * nrow(design$size)),
            `==`) + 0
    )
}

## Of these of the cells design$at the same, or where whole blocks are permuted
## list(mean: cells x blocks), what makes blocks of cells.
.designAt <- function(design, cells) {
    if (is.null(design$unit)) {
        return(.unitsAt(design, cells))
    }
    u <- design$unit[cells]
    list(mean = outer(u, seq_along(design$unitSize), `==`) /
        design$unitSize[u])
}

## Which of the cells design$at are of `level`.
.ofLevel <- function(design) {
    y <- design$labels[, 1L] == 1
    if (is.null(design$unit)) y else y[design$unit]
}
