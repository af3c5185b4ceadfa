## Regulon activity.

#' How active each TF's regulon is in each cell
#'
#' With `method = "targets"`, the activity of a TF in a cell is the mean, over
#' its `top` highest-scoring targets in *that cell's* network, of the
#' target's standardised expression there (z over the cells of `x`), weighted
#' by score; the TF itself is left out. It says whether the genes that the
#' network gives to a TF are high in the cell. With `method = "strength"` it is
#' the mean score of the TF's edges in the cell, expression not used.
#'
#' A [PooledGRN-class] has the same targets in all cells, and no expression: it
#' needs the cells, `regulonActivity(cells, grn)`.
#'
#' @param x per-cell networks, [CellGRN-class] or [StateGRN-class]; or the
#'   cells: a `SingleCellExperiment` or `Seurat` object that gets the result, or
#'   a matrix of log-normalised expression, genes x cells.
#' @param grn for cells: their networks, of any of the three kinds.
#' @param method `"targets"` or `"strength"`, see above.
#' @param top targets per TF and cell for `"targets"`.
#' @param name name of the `altExp` (or, for `Seurat`, the assay).
#' @param threads threads of the engine; NULL: `causeway.threads`.
#' @param file for cells with a [PooledGRN-class]: an `.h5ad` file that the
#'   activity is written to, a block of cells at a time, so that memory doesn't
#'   grow with the cells; NULL: kept in memory.
#' @param overwrite replace `file`, if it exists?
#' @param ... for cells with per-cell networks: `method` and the like; for
#'   cells with a [PooledGRN-class] `assay.type`, `symbols`, `species` and
#'   `alreadyNormalised`, how `x` is read, as for [inferGRN()], and `signed`: do
#'   targets that a TF represses count negatively?
#' @return For per-cell networks and a matrix a numeric matrix, TFs x cells,
#'   with dimnames: standard deviations for `"targets"` (0 for a TF without a
#'   scored target), scores for `"strength"`. For a `SingleCellExperiment` the
#'   same object with an alternative experiment `name` (rows TFs, assay
#'   `activity`), for `Seurat` with an assay `name` (slot or layer `data`);
#'   columns of cells that `grn` lacks are NA, with a warning. With `file` the
#'   activity is a DelayedMatrix that reads it; in Python `file` is cells x TFs.
#'   Stops when no cell is shared or there are no cell names.
#' @seealso [plotRegulonActivity()]
#' @examples
#' grn <- exampleGRN()
#' regulonActivity(grn)[1:3, 1:4]
#' sce <- SingleCellExperiment::SingleCellExperiment(
#'     list(counts = matrix(1, 5, length(grn),
#'         dimnames = list(letters[1:5], cellNames(grn))
#'     ))
#' )
#' sce <- regulonActivity(sce, grn)
#' SingleCellExperiment::altExp(sce, "regulons")
#' cells <- exampleCells()
#' pooled <- inferGRN(cells, RidgeGRNParam(), nTargets = 30, verbose = FALSE)
#' cells <- regulonActivity(cells, pooled)
#' @rdname regulonActivity
#' @export
setMethod("regulonActivity", "CellGRN", function(x,
    method = c("targets", "strength"), top = 50, ..., threads = NULL) {
    .noDots(...)
    method <- .activityMethod(method)
    top <- .checkNumber(top, "top", 1, 2^31, whole = TRUE)
    threads <- .threads(threads)
    z <- if (method == "targets") .standardiser(x@expression)
    parts <- lapply(.cellBlocks(x, seq_along(x@cells)), function(block) {
        part <- .cellView(x, block)
        if (method == "strength") {
            return(.Call(cw_r_network_strength, part$view, part$cells, threads))
        }
        .Call(cw_r_network_activity, part$view, part$cells,
            .standardiserOf(z, x, block, part), as.numeric(top), threads
        )
    })
    activity <- if (length(parts) == 1L) parts[[1L]] else do.call(cbind, parts)
    dimnames(activity) <- list(x@tfs, x@cells)
    activity
})

## The values of the cells that a view holds.
.standardiserOf <- function(z, x, block, part) {
    if (!is.null(z$x) && part$view$dims[[1L]] == length(x@cells)) {
        return(z)
    }
    values <- .expressionOf(x, block)
    z[c("p", "i", "x")] <- list(values@p, values@i, values@x)
    z
}

## What the engine needs to turn expression (genes x cells) into z; of values in
## a file without these.
.standardiser <- function(expression) {
    if (.isDelayed(expression)) {
        sums <- .noMoments(nrow(expression))
        .valueBlocks(expression, function(x, at) {
            sums <<- .addMoments(sums, x)
            NULL
        })
        return(.zScale(.momentsOf(sums)))
    }
    n <- ncol(expression)
    mean <- Matrix::rowMeans(expression)
    ## around the mean, in two passes: zeros add mean^2 each
    centred <- expression
    row <- expression@i + 1L
    centred@x <- (expression@x - mean[row])^2 - mean[row]^2
    variance <- (Matrix::rowSums(centred) + n * mean^2) / max(1, n - 1)
    c(list(p = expression@p, i = expression@i, x = expression@x),
        .zScale(list(mean = mean, variance = variance))
    )
}

.activityMethod <- function(method) {
    if (!is.character(method)) {
        if (!is.atomic(method)) {
            .stopArgument("x", "is a network; the cells come first, ",
                "regulonActivity(cells, grn)."
            )
        }
        .stopArgument("method", "must be \"targets\" or \"strength\"; it is a ",
            class(method)[[1L]], "."
        )
    }
    .oneOf(method, c("targets", "strength"), "method")
}

#' @rdname regulonActivity
#' @export
setMethod("regulonActivity", "PooledGRN", function(x, ...) {
    .stopArgument("x", "is a PooledGRN, which holds no expression; give the ",
        "cells first, regulonActivity(cells, grn)."
    )
})

#' @rdname regulonActivity
#' @export
setMethod("regulonActivity", "SingleCellExperiment", function(x, grn, ...,
    name = "regulons", file = NULL, overwrite = FALSE) {
    .checkText(name, "name")
    full <- .activityFor(x, grn, ..., file = file, overwrite = overwrite)
    SingleCellExperiment::altExp(x, name) <-
        SummarizedExperiment::SummarizedExperiment(list(activity = full))
    x
})

#' @rdname regulonActivity
#' @export
setMethod("regulonActivity", "ANY", function(x, grn, ...,
    name = "regulons") {
    if (.isPath(x)) {
        return(regulonActivity(.cellsOf(x), grn, ..., name = name))
    }
    if (.kindOf(x) == "Seurat") {
        .checkText(name, "name")
        full <- .activityFor(x, grn, ...)
        x[[name]] <- SeuratObject::CreateAssayObject(data = full)
        return(x)
    }
    if (.kindOf(x) == "matrix") {
        .needNetwork(grn)
        if (methods::is(grn, "PooledGRN")) {
            return(.matrixActivity(x, grn, ...))
        }
        return(.activityFor(x, grn, ...))
    }
    .stopArgument("x", "must be per-cell networks (CellGRN, StateGRN) or the ",
        "cells: a SingleCellExperiment, Seurat object or matrix; it is a ",
        class(x)[[1L]], "."
    )
})

.needNetwork <- function(grn) {
    .given(grn, "grn", "the networks, as inferGRN(x) returns")
    if (!(methods::is(grn, "PerCellNetworks") ||
        methods::is(grn, "PooledGRN"))) {
        .stopArgument("grn", "must be networks as inferGRN() returns: a ",
            "PooledGRN, a StateGRN or a CellGRN; it is a ", class(grn)[[1L]],
            "."
        )
    }
}

## Activity of the cells of a container, in their order; NA where there is no
## network.
.activityFor <- function(x, grn, ..., file = NULL, overwrite = FALSE) {
    .needNetwork(grn)
    if (methods::is(grn, "PooledGRN")) {
        return(.pooledActivity(x, grn, ..., file = file, overwrite = overwrite))
    }
    if (!is.null(file)) {
        .stopArgument("file", "is for a PooledGRN; 'grn' is a ",
            class(grn)[[1L]], ", which holds its cells in memory."
        )
    }
    cells <- colnames(x)
    at <- match(cells, cellNames(grn))
    if (is.null(cells) || all(is.na(at))) {
        .stopArgument("x", "shares no cell names with 'grn'; give 'x' the ",
            "column names that inferGRN() saw."
        )
    }
    full <- regulonActivity(grn, ...)[, at, drop = FALSE]
    colnames(full) <- cells
    if (anyNA(at)) {
        warning(sum(is.na(at)), " of ", length(at), " cells have no network ",
            "in 'grn': their activity is NA",
            call. = FALSE
        )
    }
    full
}

.pooledActivity <- function(x, grn, method = c("targets", "strength"),
    top = 50, signed = TRUE, ..., file = NULL, overwrite = FALSE,
    threads = NULL) {
    weight <- .activityWeights(grn, method, top, signed)
    if (is.null(file)) {
        .checkActivityMemory(grn, ncol(x))
        out <- .sourceActivity(.pooledSource(x, grn, ...), grn, weight)
    } else {
        .writeH5(file, overwrite, function(part) {
            .sourceActivity(.pooledSource(x, grn, ...), grn, weight, part)
        })
        out <- SummarizedExperiment::assay(.openCells(file))
    }
    if (!is.null(colnames(x)) && !identical(colnames(x), colnames(out))) {
        out <- out[, match(colnames(x), colnames(out)), drop = FALSE]
        colnames(out) <- colnames(x)
    }
    out
}

.checkActivityMemory <- function(grn, n) {
    need <- 16 * length(tfNames(grn)) * as.numeric(n)
    if (need > .memoryLimit()) {
        .stopArgument("file", "is needed: the activity of ", n, " cells takes ",
            .bytes(need), " of memory, and ", .bytes(.memoryLimit()), " are ",
            "free. Name an .h5ad file to write it to."
        )
    }
}

## The activity of all cells, TFs x cells, or (`file`) written to it.
.sourceActivity <- function(read, grn, weight, file = NULL) {
    tfs <- tfNames(grn)
    z <- if (is.matrix(weight)) .sourceStandardiser(read$source)
    block <- function(x) {
        if (is.null(z)) matrix(weight, length(tfs), ncol(x)) else
            .weightedActivity(weight, x, z)
    }
    if (is.null(file)) {
        out <- do.call(cbind, unname(.eachBlock(read$source, function(x, at) {
            block(x)
        })))
        dimnames(out) <- list(tfs, read$cells)
        return(out)
    }
    .startTable(file, read$cells, tfs)
    .eachBlock(read$source, function(x, at) {
        .h5Put(file, list(.putMore("X", as.vector(block(x)), "f64",
            c(ncol(x), length(tfs))
        )))
        NULL
    })
}

## What .standardiser() gives, of values read by blocks.
.sourceStandardiser <- function(source) {
    sums <- .noMoments(length(source$rows))
    .eachBlock(source, function(x, at) {
        sums <<- .addMoments(sums, x)
        NULL
    })
    .zScale(.momentsOf(sums))
}

## A gene that doesn't vary has the scale 0.
.zScale <- function(m) {
    flat <- m$variance <= 1e-12 * pmax(1, m$mean^2)
    list(mean = unname(m$mean),
        scale = unname(ifelse(flat, 0, 1 / sqrt(pmax(m$variance, 1e-300))))
    )
}

## How cells are read as inferGRN() reads them, on the network's genes:
## list(source, see .eachBlock(); cells, their names; cellData; columns of `x`
## that they are; total, how many `x` has; labels of the genes). `same`: these
## are the cells of the network, and their totals must be the ones it saw: of
## the genes that were usable then.
.pooledSource <- function(x, grn, ..., assay.type = NULL, symbols = NULL,
    species = grn@metadata$species, alreadyNormalised = NULL, same = FALSE) {
    .noDots(...)
    s <- grn@metadata$preprocessing
    same <- same && !is.null(grn@metadata$coverage$floor)
    how <- .inputArgs(assay.type, symbols, species, tfNames(grn), 0,
        keep = if (same) geneNames(grn), genes = if (!same) geneNames(grn),
        alreadyNormalised = alreadyNormalised, preprocess = if (same)
            s[names(.preprocessDefaults)] else
            c(list(minCells = 0), s["target"])
    )
    prepared <- .networkCells(x, how, FALSE, most = 0)
    prepared$source$rows <- prepared$source$rows[.genesOf(prepared$labels,
        grn)]
    c(prepared[c("source", "cells", "cellData", "columns")],
        list(total = length(prepared$allCells))
    )
}

## The same with `values`, genes x cells. A matrix is taken as it is.
.pooledCells <- function(x, grn, ...) {
    if (.kindOf(x) == "matrix") {
        .noDots(...)
        all <- seq_len(ncol(x))
        return(list(values = x[.genesOf(rownames(x), grn), , drop = FALSE], cells = all,
            cellData = NULL, columns = all, total = ncol(x)))
    }
    read <- .pooledSource(x, grn, ...)
    read$values <- .sourceValues(read$source)
    dimnames(read$values) <- list(geneNames(grn), read$cells)
    read
}

## Which of `names` are the network's genes, in their order.
.genesOf <- function(names, grn) {
    at <- match(geneNames(grn), names)
    if (anyNA(at)) {
        .stopArgument("x", "lacks genes of the network: ",
            .some(geneNames(grn)[is.na(at)]), "; row names must be those of ",
            "geneNames(grn)."
        )
    }
    at
}

## values: log-normalised expression, genes x cells.
.matrixActivity <- function(values, grn, method = c("targets", "strength"),
    top = 50, signed = TRUE, ..., threads = NULL) {
    .noDots(...)
    weight <- .activityWeights(grn, method, top, signed)
    values <- .asSparse(values[.genesOf(rownames(values), grn), , drop = FALSE])
    out <- if (is.matrix(weight)) {
        .weightedActivity(weight, values, .standardiser(values))
    } else {
        matrix(weight, length(weight), ncol(values))
    }
    dimnames(out) <- list(tfNames(grn), colnames(values))
    out
}

.activityWeights <- function(grn, method, top, signed) {
    method <- .activityMethod(method)
    top <- .checkNumber(top, "top", 1, 2^31, whole = TRUE)
    .checkFlag(signed, "signed")
    .regulonWeights(grn@scores, if (signed) grn@metadata$sign, method, top)
}

## TFs x genes: weights of a TF's `top` targets, summing to 1, times `sign`
## (NULL: none); of method "strength" the mean score of each TF.
.regulonWeights <- function(scores, sign, method, top) {
    scores <- abs(scores)
    own <- cbind(seq_len(nrow(scores)), match(rownames(scores),
        colnames(scores)
    ))
    if (method == "strength") {
        scores[own] <- 0
        return(rowSums(scores) / max(1, ncol(scores) - 1))
    }
    scores[own] <- 0
    weight <- .topWeights(scores, top)
    if (is.null(sign)) weight else weight * sign
}

## weight (z) = weight scale x - weight scale mean, x sparse.
.weightedActivity <- function(weight, values, z) {
    scaled <- weight * rep(z$scale, each = nrow(weight))
    as.matrix(scaled %*% values) - as.vector(scaled %*% z$mean)
}

#' @rdname StateGRN-class
#' @export
setMethod("regulonActivity", "StateGRN", function(x,
    method = c("targets", "strength"), top = 50, signed = TRUE, ...) {
    .noDots(...)
    method <- .activityMethod(method)
    top <- .checkNumber(top, "top", 1, 2^31, whole = TRUE)
    .checkFlag(signed, "signed")
    same <- .sameMemberships(x, seq_along(x@cells))
    scale <- .standardiser(x@expression)
    activity <- matrix(0, length(x@tfs), length(x@cells),
        dimnames = list(x@tfs, x@cells)
    )
    for (u in seq_along(same$first)) {
        cells <- which(same$of == u)
        if (method == "strength") {
            activity[, cells] <- rowMeans(abs(.mixedScores(x,
                x@memberships[same$first[[u]], ])))
            next
        }
        activity[, cells] <- .weightedActivity(
            .mixedWeights(x, x@memberships[same$first[[u]], ], top, signed),
            x@expression[, cells, drop = FALSE], scale
        )
    }
    activity
})

## TFs x genes: what the regulons of a cell with memberships `w` weigh.
.mixedWeights <- function(x, w, top, signed) {
    scores <- .mixedScores(x, w)
    scores[cbind(seq_along(x@tfs), match(x@tfs, x@genes))] <- 0
    weight <- .topWeights(abs(scores), top)
    if (signed) weight * sign(scores) else weight
}

## Rows of scores with all but their `top` highest set to 0, summing to 1.
.topWeights <- function(scores, top) {
    for (t in seq_len(nrow(scores))) {
        if (top < ncol(scores)) {
            scores[t, order(-scores[t, ])[-seq_len(top)]] <- 0
        }
        scores[t, ] <- scores[t, ] / max(sum(scores[t, ]), 1e-300)
    }
    scores
}
