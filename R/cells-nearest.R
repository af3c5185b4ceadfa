## Cells beside the names of types: KCellFM's way to types nobody has seen.

#' Which named types are cells nearest to?
#'
#' Compares vectors of cells with vectors of the names of cell types by their
#' cosine: KCellFM's way to name cells of types that no training had. The
#' vectors must be made for each other: [embedCells()] by a KCellFM model that was
#' trained with the same type vectors, [embedText()] by the encoder of names that
#' these come from.
#'
#' @details
#' `evaluateNovelTypes()` does as published: only cells of the candidate types
#' count, each called the candidate of largest cosine; of all candidates a share
#' is drawn, `nDraws` times, which makes the task easier, and accuracy and
#' macro-F1 are averaged. Beside it stands chance, and a null: the same with the
#' vectors handed to the wrong names, `nPerm` times.
#'
#' @param x cells x width, a matrix; or cells with such a reduced dimension.
#' @param types types x width, a matrix whose row names are the types.
#' @param group `NULL`: each cell is compared; or a group of cells each, a column
#'   of `colData(x)` or one value per cell, whose cosines are averaged.
#' @param name the reduced dimension.
#' @param top types per cell or group.
#' @param labels the cells' types, a column of `colData(x)` or one value per cell;
#'   in any case.
#' @param levels shares of the candidate types.
#' @param nDraws draws per level; of all types there is one.
#' @param nPerm permutations of the null.
#' @param seed `NULL`: drawn from R's generator; or a whole number.
#' @return `nearestTypes()` a data.frame: `cell` or `group` (with `cells`),
#'   `rank`, `type`, `cosine`. `evaluateNovelTypes()` a report of class
#'   `NovelTypeEvaluation` (see [CausewayReport-class]) with table `levels`:
#'   `level`, `types`, `draws`, `accuracy`, `macroF1`, `chance`, and `null`: the
#'   accuracy that 95% of the permutations don't reach.
#' @section Errors: vectors of different widths, or that aren't finite; fewer than
#'   two types that the cells have.
#' @references KCellFM (2025), nudt-bioinfo/KCFM,
#'   run_novel_cell_classification.
#' @seealso [rankNovelTypes()], [embedText()], [embedCells()]
#' @examples
#' set.seed(1)
#' types <- matrix(rnorm(40), 5, dimnames = list(c("T cell", "B cell",
#'     "neuron", "monocyte", "NK cell")))
#' truth <- rep(rownames(types), 8)
#' cells <- types[truth, ] + rnorm(320)
#' head(nearestTypes(cells, types, group = truth, top = 2))
#' evaluateNovelTypes(cells, types, truth, nDraws = 3, nPerm = 19, seed = 1)
#' @export
nearestTypes <- function(x, types, group = NULL, name = "KCellFM", top = 5) {
    .given(types, "types", "vectors of types, types x width")
    cells <- .cellVectors(x, name)
    top <- .checkNumber(top, "top", 1, whole = TRUE)
    cosine <- .typeCosines(cells$vectors, types)
    names <- rownames(cells$vectors)
    if (is.null(names)) {
        names <- as.character(seq_len(nrow(cells$vectors)))
    }
    size <- NULL
    if (!is.null(group)) {
        group <- .asFactor(.vectorLabels(group, "group", cells))
        keep <- !is.na(group)
        size <- table(group[keep])
        cosine <- rowsum(cosine[keep, , drop = FALSE], group[keep])
        names <- rownames(cosine)
        cosine <- cosine / as.vector(size[names])
    }
    n <- min(top, ncol(cosine))
    best <- apply(cosine, 1L, function(s) order(-s)[seq_len(n)])
    best <- matrix(best, n)
    row <- rep(seq_along(names), each = n)
    out <- data.frame(cell = names[row], rank = rep(seq_len(n), length(names)),
        type = rownames(types)[best], cosine = cosine[cbind(row, as.vector(best))]
    )
    if (is.null(group)) {
        return(out)
    }
    data.frame(group = out$cell, cells = as.integer(size[out$cell]),
        out[c("rank", "type", "cosine")]
    )
}

#' @rdname nearestTypes
#' @export
evaluateNovelTypes <- function(x, types, labels, name = "KCellFM",
    levels = c(0.1, 0.25, 0.5, 0.75, 1), nDraws = 20, nPerm = 99,
    seed = NULL) {
    cells <- .cellVectors(x, name)
    if (!is.numeric(levels) || !length(levels) || anyNA(levels) ||
        any(levels <= 0 | levels > 1)) {
        .stopArgument("levels", "must be shares above 0, up to 1; it is ",
            .show(levels), "."
        )
    }
    nDraws <- .checkNumber(nDraws, "nDraws", 1, 1e5, TRUE)
    nPerm <- .checkNumber(nPerm, "nPerm", 1, 1e5, TRUE)
    labels <- .vectorLabels(labels, "labels", cells)
    cosine <- .typeCosines(cells$vectors, types)
    truth <- match(tolower(labels), tolower(rownames(types)))
    there <- sort(unique(truth[!is.na(truth)]))
    if (length(there) < 2L) {
        .stopArgument("types", "has vectors of ", length(there), " of the ",
            "cells' types (", .some(unique(labels)), "); two are needed."
        )
    }
    use <- !is.na(truth)
    score <- t(cosine[use, there, drop = FALSE])
    truth <- match(truth[use], there) - 1L
    key <- .newKey(seed)
    table <- .noveltyLevels(score, truth, levels, nDraws, key)
    table$null <- NA_real_
    shuffled <- vapply(seq_len(nPerm), function(i) {
        wrong <- .shuffled(length(there), key, 2^21 + i)
        .Call(cw_r_pick_scores, score[wrong, , drop = FALSE], truth,
            seq_along(there) - 1L)[[1L]]
    }, 0)
    all <- .Call(cw_r_pick_scores, score, truth, seq_along(there) - 1L)
    table$null[table$types == length(there)] <-
        stats::quantile(shuffled, 0.95, names = FALSE, type = 1L)
    p <- (1 + sum(shuffled >= all[[1L]])) / (1 + nPerm)
    .report("NovelTypeEvaluation",
        .verdict(.noveltyWords(all, there, truth, p, shuffled), p <= 0.05),
        list(levels = table),
        list(cells = length(truth), types = length(there),
            dropped = sum(!use), p = p, accuracy = all[[1L]],
            macroF1 = all[[2L]]), seed
    )
}

#' @rdname nearestTypes
#' @aliases NovelTypeEvaluation-class
#' @exportClass NovelTypeEvaluation
setClass("NovelTypeEvaluation", contains = "CausewayReport")

.noveltyWords <- function(all, there, truth, p, shuffled) {
    c(sprintf(paste0("Of %s of %d types %.0f%% are nearest to their own name ",
        "(macro-F1 %.2f), %s (p = %.2g): with names handed to the wrong ",
        "vectors it is %.0f%%, by chance %.0f%%."),
        .count(length(truth), "cell"), length(there), 100 * all[[1L]],
        all[[2L]], if (p <= 0.05) "above the null" else "no more than the null",
        p, 100 * mean(shuffled), 100 / length(there)),
        "With fewer types to choose from it is easier: see the levels."
    )
}

## A row per level, as published: the mean over draws of the candidates.
.noveltyLevels <- function(score, truth, levels, nDraws, key) {
    n <- nrow(score)
    rows <- lapply(seq_along(levels), function(i) {
        size <- max(1L, as.integer(n * levels[[i]] + 0.5))
        draws <- if (size == n) 1L else nDraws
        got <- vapply(seq_len(draws), function(draw) {
            pick <- .shuffled(n, key, (i - 1) * nDraws + draw)[seq_len(size)]
            .Call(cw_r_pick_scores, score, truth, pick - 1L)
        }, c(0, 0))
        data.frame(level = levels[[i]], types = size, draws = draws,
            accuracy = mean(got[1L, ], na.rm = TRUE),
            macroF1 = mean(got[2L, ], na.rm = TRUE), chance = 1 / size
        )
    })
    do.call(rbind, rows)
}

## list(vectors, cells, cellData) of a matrix or of a reduced dimension.
.cellVectors <- function(x, name) {
    data <- NULL
    if (!is.matrix(x)) {
        .checkText(name, "name")
        input <- .readCells(x, .inputArgs())
        has <- names(input$reductions)
        if (!name %in% has) {
            .stopArgument("name", "is \"", name, "\", which is no reduced ",
                "dimension of 'x'; ", if (length(has)) paste("there are",
                    .some(has)) else "there are none", ": embedCells(x, model)."
            )
        }
        data <- input$cellData
        x <- as.matrix(input$reductions[[name]]())
    }
    if (!is.numeric(x) || !nrow(x)) {
        .stopArgument("x", "must be a matrix of cells' vectors, cells x width, ",
            "or cells with a reduced dimension."
        )
    }
    if (!all(is.finite(x))) {
        .stopArgument("x", "has vectors that are not finite: cells ",
            .some(which(rowSums(!is.finite(x)) > 0)), "."
        )
    }
    list(vectors = x, cells = seq_len(nrow(x)), cellData = data)
}

.vectorLabels <- function(value, arg, cells) {
    if (is.null(cells$cellData) && length(value) == 1L &&
        length(cells$cells) != 1L) {
        .stopArgument(arg, "must have one value per cell (",
            length(cells$cells), "); 'x' is a matrix, which has no columns of ",
            "data."
        )
    }
    .tuningLabels(value, arg, cells)
}

## cells x types
.typeCosines <- function(vectors, types) {
    types <- .typeVectors(types, rownames(types), ncol(vectors))
    unit <- function(m) m / pmax(sqrt(rowSums(m^2)), 1e-12)
    tcrossprod(unit(vectors), unit(types))
}
