## Differences of per-cell networks between two groups of cells.

#' Differences of networks between groups of cells
#'
#' Which edges and which regulators differ between two groups of cells, or
#' between one group and the rest, against permuted labels.
#'
#' @section Edges:
#' Tested are the edges that are among the `top` of the mean network of either
#' group, self edges left out. The effect is the difference of the mean scores,
#' `level` less `ref`; z is the effect over its standard deviation under
#' permutation of the labels. p is the share of the z of all tested edges and
#' all permutations that are as large in size (1 added to both counts), q is
#' Benjamini and Hochberg's over the edges tested. As the choice of edges sees
#' the labels, read q as approximate for edges near the end of `top`; the count
#' under permuted labels, which is made on the same edges, says how much
#' to expect.
#'
#' In a [StateGRN-class] the cells of a state share one estimated network, so
#' permuted labels ask only whether the groups are in different states: then
#' nearly every edge differs, if only by the noise of its estimation. Therefore
#' `pNoise`: the difference of the slopes (times the TF's standard deviation)
#' over its standard error in the ridge regression; count on edges with both
#' `q` and `qNoise` below 0.05. Neither tells direct edges from indirect ones.
#' In 6 simulations with known edges (2,000 cells, two of four contexts, 300
#' edges each) 9 to 25% of the edges with q < 0.05 truly differed, 18 to 40%
#' of those with both, and of those with both that are edges at all 50 to 80%.
#' @section Regulators:
#' The same for [regulonActivity()], with `method = "targets"` (`activity`) and
#' `"strength"`, and, as the baseline, for the standardised expression of the
#' TF's own gene (`expression`). Where edges have signs ([StateGRN-class]) the
#' targets that a TF represses count negatively in its activity, so that it is
#' high when activated targets are up and repressed ones down. `pSets` asks
#' something else: whether the targets of the TF in the mean network differ
#' otherwise than genes drawn at random with the same weights (and the signs
#' the network gives to them). The distance from random genes, in their
#' standard deviations, is compared with that under permuted labels. Where half
#' of all genes differ between the groups, so does nearly every regulon: then
#' only `pSets` says something about the regulator. The network was estimated
#' from the same cells: a difference is an association, not an effect of the
#' TF.
#' @section What is permuted:
#' Cells, as if each were drawn independently. Where cells come from a few
#' donors or batches, give `block`. If the groups share blocks, the effect is
#' the mean difference within blocks (blocks weighted by n1 n2 / (n1 + n2)) and
#' labels are permuted within blocks; blocks with one group are left out. If
#' the group is the same throughout every block, the effect is the
#' difference between means of blocks, and whole blocks are permuted.
#' Intervals are 95%, normal, with the variances within each group.
#'
#' @param x a [CellGRN-class] or [StateGRN-class].
#' @param group a column of `cellData(x)` or a value per cell; cells without a
#'   value are left out.
#' @param ref,level two values of `group`. `level` alone is compared with
#'   all other cells, `ref` alone with the one other group. Neither: for two
#'   groups, the first is `ref`.
#' @param n permutations, at least 19.
#' @param top highest edges of each group's mean network that are tested.
#' @param by what to compare.
#' @param block NULL, or a column of `cellData(x)` or a value per cell, such as
#'   the donor.
#' @param targets targets per TF and cell for the activity.
#' @param signed use the signs of edges in the activity? NULL: where known.
#' @param seed NULL: from R's generator; or a whole number.
#' @param verbose show messages?
#' @param ... not used.
#' @return A [GRNContrast-class].
#' @section Errors: `group` with one value, or more than two and no `level`; a
#'   value that isn't there; a group with fewer than two cells (or, where whole
#'   blocks are permuted, fewer than two blocks); no block with both groups.
#' @seealso [plotContrast()], [plotEdge()], [poolGRN()], [switchingEdges()],
#'   [regulonActivity()]
#' @references Benjamini and Hochberg (1995) J. R. Stat. Soc. B 57, 289-300.
#'   Tusher et al. (2001) PNAS 98, 5116-5121 (the pooled permutation null).
#'   Efron and Tibshirani (2007) Ann. Appl. Stat. 1, 107-129 (`pSets`).
#' @examples
#' grn <- exampleGRN()
#' change <- contrastGRN(grn, "group", ref = "early", level = "late",
#'     top = 50, seed = 1)
#' change
#' head(as.data.frame(change, "edges"))
#' @rdname contrastGRN
#' @export
setGeneric("contrastGRN",
    function(x, group, ...) standardGeneric("contrastGRN")
)

#' @rdname contrastGRN
#' @aliases contrastGRN,CellGRN-method contrastGRN,StateGRN-method
#' @export
setMethod("contrastGRN", "PerCellNetworks", function(x, group, ref = NULL,
    level = NULL, n = 100, top = 500, by = c("edges", "regulators"),
    block = NULL, targets = 50, signed = NULL, seed = NULL, ...,
    verbose = interactive()) {
    .noDots(...)
    signed <- .signsKnown(x, signed)
    n <- .checkNumber(n, "n", 19, 1e6, whole = TRUE)
    top <- .checkNumber(top, "top", 1, 1e6, whole = TRUE)
    targets <- .checkNumber(targets, "targets", 1, 2^31, whole = TRUE)
    .checkFlag(verbose, "verbose")
    by <- .someOf(by, c("edges", "regulators"), "by")
    groups <- .contrastGroups(x, group, ref, level)
    key <- .newKey(seed)
    design <- .contrastDesign(x, groups, block, n, key)
    facts <- c(groups[c("level", "ref")], design$facts,
        list(top = top, targets = targets, seed = .keyText(key))
    )
    edges <- regulators <- NULL
    if ("edges" %in% by) {
        .say(verbose, "Edges, ", design$facts$n, " permutations")
        edges <- .contrastEdges(x, design, top)
        facts$edges <- edges$found
    }
    if ("regulators" %in% by) {
        .say(verbose, "Regulators, ", design$facts$n, " permutations")
        regulators <- .contrastRegulators(x, design, targets, signed)
        facts$regulators <- regulators$found
    }
    facts$signed <- signed
    facts$noVariation <- methods::is(x, "StateGRN") &&
        !x@verdict$distinguishable
    new("GRNContrast", edges = .orEmpty(edges$table),
        regulators = .orEmpty(regulators$table), facts = facts
    )
})

.orEmpty <- function(x) if (is.null(x)) data.frame() else x

## TRUE or FALSE; an error when signs are asked for that aren't there.
.signsKnown <- function(x, signed) {
    known <- methods::is(x, "StateGRN")
    if (is.null(signed)) {
        return(known)
    }
    if (.checkFlag(signed, "signed") && !known) {
        .stopArgument("signed", "is TRUE, but the scores of a ",
            class(x)[[1L]], " have no signs; leave it NULL."
        )
    }
    signed
}

## One or more of `choices`.
.someOf <- function(x, choices, arg) {
    if (!is.character(x) || !length(x) || anyNA(x) || !all(x %in% choices)) {
        .stopArgument(arg, "must be one or more of ",
            paste0("\"", choices, "\"", collapse = ", "), "; it is ",
            .show(x), "."
        )
    }
    unique(x)
}

## ---- who is compared with whom ---------------------------------------------

## list(at = cells, y = is it of `level`?, level, ref).
.contrastGroups <- function(x, group, ref, level) {
    if (missing(group) || is.null(group)) {
        .stopArgument("group", "is missing: name a column of cellData(), or ",
            "give a value per cell."
        )
    }
    values <- .cellGroups(x, group, seq_along(cellNames(x)), "group")
    ## numbers in their order, not that of their digits
    known <- as.character(sort(unique(values)))
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
        nLevel = sum(groups$y), nRef = sum(!groups$y), n = ncol(labels) - 1L,
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

## ---- effects, their nulls and intervals -------------------------------------

## values(columns): features x these columns; cell i of design$at has the
## values of column of[[i]]. -> list(effect: features x (1 + n), sum, square:
## features x strata).
.contrastSums <- function(values, columns, of, design) {
    collapse <- function(m) {
        if (columns == nrow(m)) m else rowsum(m, of, reorder = TRUE)
    }
    blocks <- .columnBlocks(columns)
    if (!is.null(design$mean)) {
        mean <- collapse(design$mean)
        units <- Reduce(`+`, lapply(blocks, function(at) {
            values(at) %*% mean[at, , drop = FALSE]
        }))
        return(list(effect = units %*% design$d, sum = units %*% design$strata,
            square = units^2 %*% design$strata
        ))
    }
    d <- collapse(design$d)
    strata <- collapse(design$strata)
    parts <- list(effect = 0, sum = 0, square = 0)
    for (at in blocks) {
        v <- values(at)
        parts$effect <- parts$effect + v %*% d[at, , drop = FALSE]
        parts$sum <- parts$sum + v %*% strata[at, , drop = FALSE]
        parts$square <- parts$square + v^2 %*% strata[at, , drop = FALSE]
    }
    parts
}

.columnBlocks <- function(n) split(seq_len(n), (seq_len(n) - 1L) %/% 64L)

## Sums of squares around the mean, per group of columns of strata.
.spread <- function(sum, square, n) {
    pmax(square - sum^2 / rep(pmax(n, 1), each = nrow(sum)), 0)
}

## -> list(table: effect, low, high, z, p, q and the means; found).
.contrastTest <- function(sums, design) {
    k <- nrow(design$size)
    level <- 2L * seq_len(k) - 1L
    n <- as.vector(t(design$size)) # level, ref of block 1, ...
    both <- sums$sum[, level, drop = FALSE] + sums$sum[, -level, drop = FALSE]
    square <- sums$square[, level, drop = FALSE] +
        sums$square[, -level, drop = FALSE]
    total <- rowSums(design$size)
    free <- pmax(total - 1, 1)
    s2 <- .spread(both, square, total) / rep(free, each = nrow(both))
    noise <- as.vector(s2 %*% (design$weight^2 * rowSums(1 / design$size)))
    scale <- as.vector(square %*% rep(1, k)) / sum(total)
    ## differences that are rounding: a variation below 3e-7 of the value
    flat <- as.vector(s2 %*% design$weight) <= 1e-13 * pmax(scale, 1e-280)
    z <- sums$effect / sqrt(ifelse(flat, Inf, noise))
    ## within groups; a group of one cell in a block borrows the block's
    own <- .spread(sums$sum, sums$square, n) /
        rep(pmax(n - 1, 1), each = nrow(both))
    lone <- which(n < 2)
    own[, lone] <- s2[, (lone + 1L) %/% 2L]
    se <- sqrt(as.vector(own %*% (rep(design$weight^2, each = 2L) / n)))
    effect <- sums$effect[, 1L]
    effect[flat] <- 0
    table <- data.frame(
        ref = rowSums(sums$sum[, -level, drop = FALSE]) /
            sum(design$size[, 2L]),
        level = rowSums(sums$sum[, level, drop = FALSE]) /
            sum(design$size[, 1L]),
        effect = effect, low = effect - stats::qnorm(0.975) * se,
        high = effect + stats::qnorm(0.975) * se, z = z[, 1L]
    )
    p <- .pooledP(abs(z))
    table$p <- p[, 1L]
    table$q <- stats::p.adjust(table$p, "BH")
    list(table = table, found = .contrastFound(p, z))
}

## z: features x (1 + n), as labelled and permuted -> p of all of them among
## the permuted of all features.
.pooledP <- function(z) {
    z <- signif(z, 10L) # equal but for rounding is equal
    null <- sort(as.vector(z[, -1L]))
    below <- findInterval(as.vector(z), null, left.open = TRUE)
    p <- (1 + length(null) - below) / (1 + length(null))
    matrix(pmin(1, p), nrow(z))
}

## How many features have q < 0.05, as labelled and with permuted labels; p of
## the mean of z^2 over all features among the permutations.
.contrastFound <- function(p, z) {
    found <- apply(p, 2L, function(v) {
        sum(stats::p.adjust(v, "BH") < 0.05)
    })
    null <- found[-1L]
    size <- signif(colMeans(z^2), 10L)
    list(tested = nrow(p), found = found[[1L]], null = mean(null),
        nullMost = max(null),
        p = (1 + sum(size[-1L] >= size[[1L]])) / length(size)
    )
}

## ---- edges -----------------------------------------------------------------

.contrastEdges <- function(x, design, top) {
    y <- design$d[, 1L] > 0
    if (!is.null(design$mean)) {
        y <- as.vector((design$mean > 0) %*% y) > 0
    }
    pools <- lapply(list(design$at[y], design$at[!y]), function(at) {
        .matrixEdges(as.matrix(poolGRN(x, at)), list(top = top), FALSE)
    })
    edges <- unique(do.call(rbind, pools)[c("Gene1", "Gene2")])
    at <- cbind(match(edges$Gene1, tfNames(x)),
        match(edges$Gene2, geneNames(x))
    )
    columns <- .networkColumns(x, design$at)
    sums <- .contrastSums(function(part) {
        .edgeScores(x, columns$first[part], at)
    }, length(columns$first), columns$of, design)
    test <- .contrastTest(sums, design)
    if (methods::is(x, "StateGRN")) {
        edges$sign <- as.integer(sign(x@pooled[at]))
        test <- .addSlopeNoise(test, .slopeNoiseP(x, design, at))
    }
    table <- cbind(edges, test$table)
    first <- if (is.null(table$pNoise)) order(table$p, -abs(table$z)) else
        order(pmax(table$p, table$pNoise), -abs(table$effect))
    table <- table[first, ]
    rownames(table) <- NULL
    list(table = table, found = test$found)
}

.addSlopeNoise <- function(test, p) {
    if (is.null(p)) {
        return(test)
    }
    test$table$pNoise <- p
    test$table$qNoise <- stats::p.adjust(p, "BH")
    test$found$beyondNoise <- sum(test$table$q < 0.05 &
        test$table$qNoise < 0.05)
    test
}

## ---- slopes of states: is a difference more than the noise of estimation? ---

## p of the difference between the groups of sd_t slope_tg at the groups' mean
## memberships, for the edges `at`. With features F = [x, x W_1, ...] whitened
## by the prior, F'F = V L V', the ridge's contrast c'b of a gene with noise s
## has the sampling variance sum_j (V'c)_j^2 (l_j / s) / (l_j / s + 1)^2.
## NULL where it can't be had: one network, cells missing, too many features.
.slopeNoiseP <- function(x, design, at) {
    v <- x@verdict
    k <- ncol(x@memberships)
    most <- 2000L
    if (!v$distinguishable || length(x@tfs) * (k + 1) > most ||
        !identical(as.integer(x@metadata$coverage$cells), length(x@cells))) {
        return(NULL)
    }
    w <- .groupMemberships(x, design)
    sd <- sqrt(x@sd^2 %*% w) # TFs x 2, level first
    tf <- .fittedValues(x, match(x@tfs, x@genes))
    features <- do.call(cbind, c(list(tf), lapply(seq_len(k), function(j) {
        tf * x@memberships[, j] * sqrt(v$rho)
    }))) * sqrt(v$a)
    e <- eigen(crossprod(features), symmetric = TRUE)
    ## the contrast of every TF, whitened too, on the eigenvectors
    nTF <- length(x@tfs)
    weight <- sqrt(v$a) * cbind(sd[, 1L] - sd[, 2L], sqrt(v$rho) *
        (sd[, 1L] %o% w[, 1L] - sd[, 2L] %o% w[, 2L]))
    on <- Reduce(`+`, lapply(seq_len(k + 1L), function(j) {
        rows <- (j - 1L) * nTF + seq_len(nTF)
        e$vectors[rows, , drop = FALSE] * weight[, j]
    }))
    genes <- unique(at[, 2L])
    noise <- .slopeResiduals(x, tf, genes)
    ratio <- outer(pmax(e$values, 0), noise, `/`)
    variance <- (on^2 %*% (ratio / (ratio + 1)^2))[
        cbind(at[, 1L], match(at[, 2L], genes))]
    flat <- matrix(x@slope, length(x@pooled))[
        (at[, 2L] - 1L) * nTF + at[, 1L], , drop = FALSE] %*% w
    d <- flat[, 1L] * sd[at[, 1L], 1L] - flat[, 2L] * sd[at[, 1L], 2L]
    z <- abs(d) / sqrt(pmax(variance, 1e-300))
    pmax(2 * stats::pnorm(-z), 1e-300)
}

## Mean memberships of the two groups, states x 2, level first.
.groupMemberships <- function(x, design) {
    d <- design$d[, 1L]
    if (!is.null(design$mean)) {
        d <- as.vector(design$mean %*% d)
    }
    w <- x@memberships[design$at, , drop = FALSE]
    part <- function(d) colSums(w * d) / sum(d)
    cbind(part(pmax(d, 0)), part(pmax(-d, 0)))
}

## cells x genes as the ridge saw them: standardised, less the means of
## states where the fit was centred.
.fittedValues <- function(x, genes) {
    unit <- function(z) {
        z <- sweep(z, 2L, colMeans(z))
        size <- sqrt(colMeans(z^2))
        sweep(z, 2L, ifelse(size > 1e-7, size, Inf), `/`)
    }
    z <- unit(t(as.matrix(x@expression[genes, , drop = FALSE])))
    if (x@verdict$centred) {
        w <- x@memberships
        z <- unit(z - w %*% solve(crossprod(w) + diag(1e-3, ncol(w)),
            crossprod(w, z)))
    }
    z
}

## Residual variance of genes under the networks of the states.
.slopeResiduals <- function(x, tf, genes) {
    parts <- lapply(split(genes, (seq_along(genes) - 1L) %/% 256L),
        function(part) {
            rest <- .fittedValues(x, part)
            for (j in seq_len(ncol(x@memberships))) {
                slope <- matrix(x@slope[, part, j], length(x@tfs))
                rest <- rest - x@memberships[, j] * (tf %*% slope)
            }
            pmax(colMeans(rest^2), 1e-3)
        }
    )
    unlist(parts, use.names = FALSE)
}

## Cells whose networks differ: list(first = one cell of each, of = which).
.networkColumns <- function(x, at) {
    if (methods::is(x, "StateGRN")) {
        return(.sameMemberships(x, at))
    }
    list(first = at, of = seq_along(at))
}

## Scores of the edges at (TF, gene) in cells: edges x cells.
.edgeScores <- function(x, cells, at) {
    if (methods::is(x, "StateGRN")) {
        w <- t(x@memberships[cells, , drop = FALSE])
        flat <- matrix(x@slope, length(x@pooled))
        slope <- flat[(at[, 2L] - 1L) * length(x@tfs) + at[, 1L], ,
            drop = FALSE
        ] %*% w
        sd <- sqrt(x@sd^2 %*% w)
        return(abs(slope) * sd[at[, 1L], , drop = FALSE])
    }
    ## factors on disk, or made anew, are fetched once for all these cells
    here <- is.list(x@factors)
    view <- if (here) .networkView(x) else
        .viewOf(x, length(cells), .factorsAt(x, cells))
    cells <- if (here) cells else seq_along(cells)
    threads <- .threads()
    out <- vapply(as.integer(cells) - 1L, function(cell) {
        .Call(cw_r_network_cell, view, cell, threads)[at]
    }, numeric(nrow(at)))
    matrix(out, nrow(at))
}

## ---- regulators ------------------------------------------------------------

.contrastRegulators <- function(x, design, targets, signed) {
    tfs <- tfNames(x)
    z <- .standardiser(x@expression)
    own <- match(tfs, geneNames(x))
    values <- list(
        activity = if (methods::is(x, "StateGRN")) {
            regulonActivity(x, top = targets, signed = signed)
        } else {
            regulonActivity(x, top = targets)
        },
        strength = regulonActivity(x, method = "strength"),
        expression = (as.matrix(x@expression[own, , drop = FALSE]) -
            z$mean[own]) * z$scale[own]
    )
    tests <- lapply(values, function(v) {
        v <- v[, design$at, drop = FALSE]
        sums <- .contrastSums(function(part) v[, part, drop = FALSE],
            ncol(v), seq_len(ncol(v)), design
        )
        .contrastTest(sums, design)
    })
    part <- function(what, prefix) {
        t <- tests[[what]]$table[c("effect", "low", "high", "p", "q")]
        names(t) <- c(prefix, paste0(prefix, c("Low", "High", "P", "Q")))
        t
    }
    a <- tests$activity$table
    table <- data.frame(TF = tfs, a,
        pSets = .setsP(x, design, targets, signed, z),
        part("strength", "strength"), part("expression", "expression")
    )
    table <- table[order(table$p, -abs(table$z)), ]
    rownames(table) <- NULL
    found <- lapply(tests, `[[`, "found")
    found$sets <- sum(stats::p.adjust(table$pSets, "BH") < 0.05)
    list(table = table, found = found)
}

## p of "the targets of the TF in the mean network differ otherwise than genes
## at random": their weighted difference between the groups, less the mean of
## random sets of genes and over their standard deviation, against the same
## with permuted labels (restandardised, Efron and Tibshirani 2007).
.setsP <- function(x, design, targets, signed, z) {
    d <- design$d
    if (!is.null(design$mean)) {
        d <- design$mean %*% d
    }
    ## genes x (1 + n)
    change <- as.matrix(x@expression[, design$at, drop = FALSE] %*% d) *
        z$scale
    scores <- as.matrix(poolGRN(x, design$at))
    own <- match(rownames(scores), colnames(scores))
    scores[cbind(seq_along(own), own)] <- 0
    weight <- .topWeights(scores, targets)
    t <- vapply(seq_along(own), function(i) {
        moved <- if (signed) change * sign(x@pooled[i, ]) else change
        moved <- moved[-own[[i]], , drop = FALSE]
        w <- weight[i, -own[[i]]]
        mean <- colMeans(moved)
        sd <- sqrt(pmax(colMeans(moved^2) - mean^2, 0) * sum(w^2))
        away <- as.vector(w %*% moved) - mean * sum(w)
        abs(away) / ifelse(sd > 0, sd, Inf)
    }, numeric(ncol(change)))
    .pooledP(t(t))[, 1L]
}

## ---- the result ------------------------------------------------------------

#' Differences of networks between two groups
#'
#' What [contrastGRN()] returns.
#'
#' @slot edges data.frame, lowest p first: `Gene1`, `Gene2`, `sign` (pooled;
#'   where known), the mean scores `ref` and `level`, `effect` (level - ref)
#'   with `low` and `high`, `z`, `p`, `q`; for a [StateGRN-class] of all its
#'   cells, with at most 2,000 TFs x (1 + states), also `pNoise` and `qNoise`.
#' @slot regulators data.frame, lowest p first: `TF`; of its activity the means
#'   `ref` and `level`, `effect`, `low`, `high`, `z`, `p`, `q`; `pSets`;
#'   `strength` and `expression` (differences), each with `...Low`, `...High`,
#'   `...P`, `...Q`.
#' @slot facts list: `level`, `ref`, `nLevel`, `nRef`, `n` (permutations),
#'   `permuted` (what), `units`, `top`, `targets`, `signed`, `seed`; for
#'   `edges` and, under `regulators`, for `activity`, `strength` and
#'   `expression`: `tested`, `found` (q < 0.05), `null` and `nullMost` (mean
#'   and most found with permuted labels), `p` (of the mean z^2 over all, among
#'   the permutations); for edges also `beyondNoise` (q and qNoise < 0.05).
#' @param x,object a `GRNContrast`.
#' @param row.names,optional,... not used.
#' @param which `"edges"` or `"regulators"`.
#' @return `as.data.frame()` gives a table; `show()` prints the verdict first.
#' @section Errors: an unknown `which`, or a table that wasn't asked for
#'   with `by`, is an error.
#' @seealso [contrastGRN()], [plotContrast()]
#' @examples
#' change <- contrastGRN(exampleGRN(), "group", top = 50, seed = 1)
#' as.data.frame(change, "regulators")[1:3, 1:6]
#' @name GRNContrast-class
#' @exportClass GRNContrast
setClass("GRNContrast", slots = c(
    edges = "data.frame", regulators = "data.frame", facts = "list"
))

#' @rdname GRNContrast-class
#' @method as.data.frame GRNContrast
#' @export
as.data.frame.GRNContrast <- function(x, row.names = NULL, optional = FALSE,
    which = c("edges", "regulators"), ...) {
    ## as.data.frame(x, "edges") names the table first
    if (is.character(row.names)) {
        which <- row.names
    }
    which <- .oneOf(which, c("edges", "regulators"), "which")
    table <- if (which == "edges") x@edges else x@regulators
    if (!ncol(table)) {
        .stopArgument("which", "is \"", which, "\", which contrastGRN() was ",
            "not asked for ('by')."
        )
    }
    table
}

.contrastName <- function(f) {
    sprintf("%s (%s cells) and %s (%s)", f$level,
        format(f$nLevel, big.mark = ","), f$ref,
        format(f$nRef, big.mark = ",")
    )
}

## "12 of 800 edges differ (q < 0.05; permuted labels: 0.1 on average, ...)"
.foundText <- function(f, what) {
    null <- sprintf("permuted labels: %.1f on average, at most %d; p = %s",
        f$null, as.integer(f$nullMost), format(signif(f$p, 2L))
    )
    if (f$found > 0 && f$p <= 0.05) {
        sprintf("%d of %d %s differ at q < 0.05 (%s)", as.integer(f$found),
            f$tested, what, null
        )
    } else {
        sprintf("%s differ no more than under permuted labels (%d of %d; %s)",
            what, as.integer(f$found), f$tested, null
        )
    }
}

#' @rdname GRNContrast-class
#' @export
setMethod("show", "GRNContrast", function(object) {
    f <- object@facts
    cat("Networks of ", .contrastName(f), "; effect: ", f$level, " less ",
        f$ref, "\n", sep = ""
    )
    if (!is.null(f$edges)) {
        if (!is.null(f$edges$beyondNoise)) {
            cat("  ", f$edges$beyondNoise, " of ", f$edges$tested,
                " edges differ by more than the noise of their estimation ",
                "(q and qNoise < 0.05);\n  cells of a state share one ",
                "network, so permuted labels alone prove less:\n", sep = ""
            )
        }
        cat("  ", .foundText(f$edges, "edges"), "\n", sep = "")
        if (f$noVariation) {
            cat("    (per-cell variation wasn't distinguishable from the ",
                "pooled network: all cells have the same)\n", sep = ""
            )
        }
    }
    if (!is.null(f$regulators)) {
        r <- f$regulators
        cat("  ", .foundText(r$activity, "regulators by activity"), "\n  ",
            .foundText(r$strength, "regulators by strength"), "\n",
            "  baseline: ", r$expression$found, " of ", r$expression$tested,
            " TFs differ in their own expression; targets of ", r$sets,
            " differ otherwise than random genes\n", sep = ""
        )
    }
    cat("Permuted: ", f$permuted, ", ", f$n, " times",
        if (f$permuted == "cells") paste0(" (as if independent; with donors ",
            "or batches give 'block')"), "\n", sep = ""
    )
    .showTop(object@regulators, "regulators", c("TF", "effect", "low", "high",
        "q", "pSets", "expression"))
    if (any(object@edges$effect != 0)) {
        .showTop(object@edges, "edges", intersect(c("Gene1", "Gene2", "ref",
            "level", "effect", "q", "qNoise"), names(object@edges)))
    }
    cat("Go on with as.data.frame(x, \"edges\" or \"regulators\"), ",
        "plotContrast()\n", sep = ""
    )
})

.showTop <- function(table, what, columns) {
    if (!nrow(table)) {
        return(invisible())
    }
    cat("Strongest ", what, ":\n", sep = "")
    few <- head(table[columns], 6L)
    number <- vapply(few, is.numeric, logical(1))
    few[number] <- lapply(few[number], function(v) format(signif(v, 2L)))
    print(few, row.names = FALSE)
}
