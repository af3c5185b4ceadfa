## Which TFs lead which group of cells: one ranked table.

#' Leading regulators of every group of cells
#'
#' For every state, cell type or other group the TFs whose regulons are more
#' active there than in all other cells, in one ranked table.
#'
#' @details
#' `effect` is the mean activity of the regulon ([regulonActivity()], method
#' `"targets"`) over the cells of the group less that over all others. Where a
#' group differs in half of its genes nearly every regulon does; so TFs are
#' ranked by `beyondRandom`: the weighted difference of the TF's targets, less
#' that expected of as many genes drawn at random with the same weights, in the
#' standard deviation of such draws. Genes go together, so it ranks and is no
#' test; [contrastGRN()] tests two groups against permuted labels. Of more than
#' `options(causeway.sampleCells)` cells in a file (10,000) `auc` is that of so
#' many, evenly chosen, and all else that of all cells. `expression`
#' is the baseline: the difference of the TF's own standardised expression. A
#' regulon estimated from the same cells shows association, not cause.
#'
#' @param x networks: a [StateGRN-class], [CellGRN-class] or [PooledGRN-class].
#' @param cells for a [PooledGRN-class], which holds no expression: the cells,
#'   as for [regulonActivity()] (a matrix: log-normalised, genes x cells; or
#'   the path of a file, read by blocks). NULL: TFs ranked by their share of the
#'   strongest edges, without groups.
#' @param group a column of `cellData(x)` (of `colData(cells)`), or a value per
#'   cell. NULL: the states of a [StateGRN-class], each cell in that of its
#'   largest membership.
#' @param top TFs listed of every group, of those above random genes; `Inf`:
#'   all TFs.
#' @param targets targets of a TF that count.
#' @param edges strongest edges of the network that are shared out where
#'   `cells` is NULL.
#' @param ... for `cells` that are a container: `assay.type`, `symbols`,
#'   `species`, `alreadyNormalised`; else not used.
#' @return A data.frame, by group and rank: `group`, `rank`, `TF`, `effect`,
#'   `beyondRandom`, `auc` (probability that a cell of the group exceeds one of
#'   the others in activity), `expression`, `strength` (mean score of the TF's
#'   edges), `leading` (its strongest targets) and, for states that were given,
#'   `departs`: has the state a network of its own? Without cells `rank`, `TF`,
#'   `edges` (of the strongest), `share`, `strength`, `leading`.
#' @section Errors: a missing or unknown `group`, or one with fewer than two
#'   values; cells that lack genes of the network.
#' @seealso [plotRegulonActivity()] draws them (`means = TRUE`)
#' @examples
#' cells <- simulateCells(nCells = 600, nGenes = 90, nTFs = 10, seed = 1)
#' grn <- inferGRN(cells, PerCellGRNParam(nPerm = 3), seed = 1,
#'     verbose = FALSE)
#' topRegulators(grn, top = 2)
#' pooled <- inferGRN(cells, RidgeGRNParam(), verbose = FALSE)
#' topRegulators(pooled, top = 3)
#' topRegulators(pooled, cells, "context", top = 2)
#' @rdname topRegulators
#' @aliases topRegulators,CellGRN-method topRegulators,StateGRN-method
#' @export
setMethod("topRegulators", "PerCellNetworks", function(x, group = NULL,
    top = 10, targets = 50, ...) {
    .noDots(...)
    all <- seq_along(cellNames(x))
    group <- if (!is.null(group)) {
        .cellGroups(x, group, all)
    } else if (methods::is(x, "StateGRN")) {
        states <- colnames(x@memberships)
        factor(states[max.col(x@memberships, "first")], states)
    } else {
        .stopArgument("group", "is missing: name a column of cellData(), or ",
            "give a value per cell."
        )
    }
    activity <- regulonActivity(x, top = targets)
    networks <- poolGRN(x, group = group)
    out <- .rankRegulators(.standardiser(x@expression)$scale,
        function(f) .valueBlocks(x@expression, function(v, at) {
            f(v, activity[, at, drop = FALSE], at)
        }), networks, group, top, targets)
    if (methods::is(x, "StateGRN") && !is.null(x@verdict$states)) {
        at <- match(out$group, x@verdict$states$state)
        out$departs <- x@verdict$states$departs[at] & x@verdict$distinguishable
    }
    out
})

#' @rdname topRegulators
#' @export
setMethod("topRegulators", "PooledGRN", function(x, cells = NULL, group = NULL,
    top = 10, targets = 50, edges = 1000, ...) {
    if (is.null(cells)) {
        .noDots(...)
        if (!is.null(group)) {
            .stopArgument("cells", "is missing, and 'group' is of cells: ",
                "topRegulators(x, cells, group)."
            )
        }
        return(.sharesOfEdges(x, top, edges))
    }
    read <- if (.kindOf(cells) == "matrix") .pooledCells(cells, x, ...) else
        .pooledSource(cells, x, ...)
    if (is.null(group)) {
        .stopArgument("group", "is missing: name a column of colData(cells), ",
            "or give a value per cell."
        )
    }
    group <- if (is.character(group) && length(group) == 1L) {
        .valuesOrColumn(read$cellData, group, "group", "colData(cells)")
    } else if (length(group) == read$total) {
        group[read$columns]
    } else {
        .stopArgument("group", "must have a value per cell, ", read$total,
            "; it has ", length(group), "."
        )
    }
    networks <- rep(list(x), nlevels(.asFactor(group)))
    names(networks) <- levels(.asFactor(group))
    blocks <- if (is.null(read$values)) {
        function(f) .eachBlock(read$source, f)
    } else {
        values <- .asSparse(read$values)
        function(f) .valueBlocks(values, f)
    }
    z <- if (is.null(read$values)) .sourceStandardiser(read$source) else
        .standardiser(values)
    weight <- .activityWeights(x, "targets", targets, TRUE)
    streamed <- is.null(read$values) && .isStreamed(read$source$matrix,
        length(read$cells), .mostCells())
    .rankRegulators(z$scale, function(f) blocks(function(v, at) {
        f(v, .weightedActivity(weight, v, z), at)
    }), networks, group, top, targets, if (streamed) .mostCells() else Inf)
})

## scale: of genes; each(f): calls f(expression, activity, numbers of the cells)
## of blocks of cells, genes x cells and TFs x cells, and gives a list; networks:
## a PooledGRN of every group; most: cells whose activity is held.
.rankRegulators <- function(scale, each, networks, group, top, targets,
    most = Inf) {
    all <- identical(top, Inf)
    if (!all) {
        top <- .checkNumber(top, "top", 1, 2^31, whole = TRUE)
    }
    targets <- .checkNumber(targets, "targets", 1, 2^31, whole = TRUE)
    group <- droplevels(.asFactor(group))
    if (nlevels(group) < 2L) {
        .stopArgument("group", "has ", .count(nlevels(group), "value"),
            "; two are needed to compare."
        )
    }
    sums <- .regulatorSums(each, group, most)
    parts <- lapply(seq_len(nlevels(group)), function(k) {
        name <- levels(group)[[k]]
        change <- sums$less(sums$expression, k) * scale
        out <- .regulatorsOf(networks[[name]], change, targets)
        out$effect <- unname(sums$less(sums$activity, k)[
            match(out$TF, rownames(networks[[name]]@scores))])
        out <- out[order(-out$beyondRandom, -out$effect), ]
        out <- head(out[all | out$beyondRandom > 0, ], if (all) nrow(out) else
            top)
        at <- match(out$TF, rownames(networks[[name]]@scores))
        here <- which(sums$group == k)
        rest <- which(sums$group != k)
        out$auc <- vapply(at, function(tf) {
            .cellAuc(sums$held[tf, here], sums$held[tf, rest])
        }, 0)
        data.frame(group = rep(name, nrow(out)), rank = seq_len(nrow(out)),
            out[c("TF", "effect", "beyondRandom", "auc", "expression",
                "strength", "leading")])
    })
    out <- do.call(rbind, parts)
    rownames(out) <- NULL
    out
}

## Over blocks of cells (see .rankRegulators()): `expression` and `activity`,
## sums by group; less(sums, k): mean of group k less that of all other cells;
## `held`, the activity of at most `most` cells, evenly chosen, `group` theirs.
.regulatorSums <- function(each, group, most) {
    count <- as.numeric(table(group))
    kept <- .evenly(length(group), most)
    expression <- activity <- 0
    held <- each(function(x, a, at) {
        known <- which(!is.na(group[at]))
        by <- Matrix::sparseMatrix(known, as.integer(group[at[known]]), x = 1,
            dims = c(length(at), nlevels(group))
        )
        expression <<- expression + as.matrix(x %*% by)
        activity <<- activity + as.matrix(a %*% by)
        a[, at %in% kept, drop = FALSE]
    })
    list(expression = expression, activity = activity,
        less = function(sums, k) {
            sums[, k] / count[[k]] - rowSums(sums[, -k, drop = FALSE]) /
                sum(count[-k])
        },
        held = do.call(cbind, unname(held)), group = as.integer(group)[kept]
    )
}

## One row per TF: how its targets differ beyond random genes. `change`: by
## gene, the difference of standardised expression.
.regulatorsOf <- function(network, change, targets) {
    scores <- network@scores
    own <- match(rownames(scores), colnames(scores))
    scores[cbind(seq_along(own), own)] <- 0
    weight <- .topWeights(scores, targets)
    signed <- if (is.null(network@metadata$sign)) weight else
        weight * network@metadata$sign
    spread <- stats::sd(change)
    expected <- mean(change) * rowSums(signed)
    size <- spread * sqrt(rowSums(signed^2))
    away <- as.vector(signed %*% change) - expected
    data.frame(TF = rownames(scores),
        beyondRandom = ifelse(size > 0, away / pmax(size, 1e-300), 0),
        expression = change[own],
        strength = rowSums(scores) / max(1, ncol(scores) - 1),
        leading = .leadingTargets(weight)
    )
}

.leadingTargets <- function(weight, most = 5L) {
    vapply(seq_len(nrow(weight)), function(i) {
        at <- utils::head(order(-weight[i, ]), most)
        paste(colnames(weight)[at[weight[i, at] > 0]], collapse = ", ")
    }, "")
}

## Probability that a value of `a` exceeds one of `b`; ties count half.
.cellAuc <- function(a, b) {
    n <- length(a)
    (sum(rank(c(a, b))[seq_len(n)]) - n * (n + 1) / 2) / (n * length(b))
}

.sharesOfEdges <- function(x, top, edges) {
    top <- if (identical(top, Inf)) nrow(x@scores) else
        .checkNumber(top, "top", 1, 2^31, whole = TRUE)
    edges <- .checkNumber(edges, "edges", 1, 2^31, whole = TRUE)
    table <- .matrixEdges(x@scores, list(top = edges), FALSE)
    table <- table[table$score > 0, ]
    scores <- x@scores
    scores[cbind(seq_len(nrow(scores)),
        match(rownames(scores), colnames(scores)))] <- 0
    count <- as.vector(table(factor(table$Gene1, rownames(scores))))
    strength <- rowSums(scores) / max(1, ncol(scores) - 1)
    at <- utils::head(order(-count, -strength), top)
    data.frame(rank = seq_along(at), TF = rownames(scores)[at],
        edges = count[at], share = count[at] / max(1, nrow(table)),
        strength = unname(strength[at]),
        leading = .leadingTargets(scores[at, , drop = FALSE])
    )
}
