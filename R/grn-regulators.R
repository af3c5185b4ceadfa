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
#' test; [contrastGRN()] tests two groups against permuted labels. `expression`
#' is the baseline: the difference of the TF's own standardised expression. A
#' regulon estimated from the same cells shows association, not cause.
#'
#' @param x networks: a [StateGRN-class], [CellGRN-class] or [PooledGRN-class].
#' @param cells for a [PooledGRN-class], which holds no expression: the cells,
#'   as for [regulonActivity()] (a matrix: log-normalised, genes x cells). NULL:
#'   TFs ranked by their share of the strongest edges, without groups.
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
    out <- .rankRegulators(activity, x@expression, networks, group, top,
        targets)
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
    read <- .pooledCells(cells, x, ...)
    all <- seq_along(read$cells)
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
    .rankRegulators(.matrixActivity(read$values, x, top = targets),
        .asSparse(read$values), networks, group, top, targets)
})

## Activity: TFs x cells; expression: genes x cells, sparse; networks: a
## PooledGRN of every group.
.rankRegulators <- function(activity, expression, networks, group, top,
    targets) {
    all <- identical(top, Inf)
    top <- if (all) nrow(activity) else
        .checkNumber(top, "top", 1, 2^31, whole = TRUE)
    targets <- .checkNumber(targets, "targets", 1, 2^31, whole = TRUE)
    group <- droplevels(.asFactor(group))
    if (nlevels(group) < 2L) {
        .stopArgument("group", "has ", .count(nlevels(group), "value"),
            "; two are needed to compare."
        )
    }
    z <- .standardiser(expression)
    parts <- lapply(levels(group), function(name) {
        here <- which(group == name)
        rest <- which(group != name)
        mean <- function(at) Matrix::rowMeans(expression[, at, drop = FALSE])
        change <- (mean(here) - mean(rest)) * z$scale
        out <- .regulatorsOf(networks[[name]], change, targets)
        a <- activity[out$TF, here, drop = FALSE]
        b <- activity[out$TF, rest, drop = FALSE]
        out$effect <- rowMeans(a) - rowMeans(b)
        out <- out[order(-out$beyondRandom, -out$effect), ]
        out <- head(out[all | out$beyondRandom > 0, ], top)
        out$auc <- vapply(out$TF, function(tf) {
            .cellAuc(activity[tf, here], activity[tf, rest])
        }, 0)
        data.frame(group = rep(name, nrow(out)), rank = seq_len(nrow(out)),
            out[c("TF", "effect", "beyondRandom", "auc", "expression",
                "strength", "leading")])
    })
    out <- do.call(rbind, parts)
    rownames(out) <- NULL
    out
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
