## Who is compared with whom, and what is permuted.

## list(at = cells, y = is it of `level`?, level, ref).
.contrastGroups <- function(x, group, ref, level) {
    if (missing(group) || is.null(group)) {
        .stopArgument("group", "is missing: name a column of cellData(), or ",
            "give a value per cell."
        )
    }
    values <- .cellGroups(x, group, seq_along(cellNames(x)), "group")
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

## What multiplies the cells' values. list(at: cells; mean: cells x units,
## what makes units of cells (NULL: each is its own); d: units x (1 + n), the
## effect as labelled and permuted; strata: units x strata, one-hot; y and b:
## group and block of every unit; weight of every block).
.contrastDesign <- function(x, groups, block, n, key) {
    at <- groups$at
    y <- groups$y
    b <- rep(1L, length(at))
    note <- "cells"
    mean <- NULL
    if (!is.null(block)) {
        all <- seq_along(cellNames(x))
        b <- as.character(.cellGroups(x, block, all, "block"))[at]
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
            mean <- outer(b, seq_len(max(b)), `==`)
            mean <- sweep(mean, 2L, colSums(mean), `/`)
            y <- y[match(seq_len(max(b)), b)]
            b <- rep(1L, length(y))
        }
    }
    if (sum(y) < 2L || sum(!y) < 2L) {
        .stopArgument("group", "leaves ",
            sum(y), " and ", sum(!y), if (is.null(mean)) " cells" else
                " blocks", " to compare; each group needs at least two."
        )
    }
    labels <- .permutedLabels(y, b, n, key)
    c(.contrastWeights(labels, y, b), list(at = at, mean = mean, facts = list(
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

## units x (1 + n): first as labelled, then permuted within blocks. Where
## fewer labellings than n exist (few units), all of them, once.
.permutedLabels <- function(y, b, n, key) {
    size <- length(y)
    if (all(b == 1L) && choose(size, sum(y)) - 1 <= n) {
        sets <- utils::combn(size, sum(y))
        all <- apply(sets, 2L, function(s) seq_len(size) %in% s)
        own <- colSums(all != y) == 0
        return(cbind(y, all[, !own, drop = FALSE], deparse.level = 0))
    }
    place <- order(b)
    labels <- vapply(seq_len(n), function(r) {
        drawn <- .Call(cw_r_permutation, size, key, r)
        out <- logical(size)
        out[place] <- y[order(b, drawn)]
        out
    }, logical(size))
    cbind(y, labels, deparse.level = 0)
}

## Effect: sum over blocks of w (mean of level - mean of ref) / sum of w,
## w = n1 n2 / (n1 + n2).
.contrastWeights <- function(labels, y, b) {
    one <- tabulate(b[y], max(b))
    two <- tabulate(b[!y], max(b))
    w <- one * two / (one + two)
    up <- (w / one / sum(w))[b]
    down <- (w / two / sum(w))[b]
    stratum <- 2L * b - y
    list(
        d = labels * (up + down) - down,
        strata = outer(stratum, seq_len(2L * max(b)), `==`) + 0,
        weight = w / sum(w), size = cbind(one, two), blocks = b
    )
}
