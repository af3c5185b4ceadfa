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
#' @param x a [CellGRN-class], or a `SingleCellExperiment` or `Seurat` object
#'   that gets the result.
#' @param grn for these: the [CellGRN-class].
#' @param method `"targets"` or `"strength"`, see above.
#' @param top targets per TF and cell for `"targets"`.
#' @param name name of the `altExp` (or, for `Seurat`, the assay).
#' @param threads threads of the engine; NULL: `causeway.threads`.
#' @param ... `method` and the like, passed on for a container.
#' @return For a [CellGRN-class] a numeric matrix, TFs x cells, with dimnames:
#'   standard deviations for `"targets"` (0 for a TF without a scored target),
#'   scores for `"strength"`. For a `SingleCellExperiment` the same object
#'   with an alternative experiment `name` (rows TFs, assay `activity`), for
#'   `Seurat` with an assay `name` (slot or layer `data`); columns of cells
#'   that `grn` lacks are NA, with a warning. Stops when no cell is shared or
#'   there are no cell names.
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
#' @rdname regulonActivity
#' @export
setMethod("regulonActivity", "CellGRN", function(x,
    method = c("targets", "strength"), top = 50, ..., threads = NULL) {
    .noDots(...)
    if (!is.character(method)) {
        .stopArgument("method", "must be \"targets\" or \"strength\"; it is a ",
            class(method)[[1L]], "."
        )
    }
    method <- match.arg(method)
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
    if (length(part$view$dims) && part$view$dims[[1L]] == length(x@cells)) {
        return(z)
    }
    values <- x@expression[, block, drop = FALSE]
    z[c("p", "i", "x")] <- list(values@p, values@i, values@x)
    z
}

## What the engine needs to turn expression (genes x cells) into z.
.standardiser <- function(expression) {
    n <- ncol(expression)
    mean <- Matrix::rowMeans(expression)
    ## around the mean, in two passes: zeros add mean^2 each
    centred <- expression
    row <- expression@i + 1L
    centred@x <- (expression@x - mean[row])^2 - mean[row]^2
    variance <- (Matrix::rowSums(centred) + n * mean^2) / max(1, n - 1)
    flat <- variance <= 1e-12 * pmax(1, mean^2)
    list(
        p = expression@p, i = expression@i, x = expression@x,
        mean = unname(mean),
        scale = unname(ifelse(flat, 0, 1 / sqrt(pmax(variance, 1e-300))))
    )
}

#' @rdname regulonActivity
#' @export
setMethod("regulonActivity", "SingleCellExperiment", function(x, grn, ...,
    name = "regulons") {
    .checkText(name, "name")
    full <- .activityFor(colnames(x), grn, ...)
    SingleCellExperiment::altExp(x, name) <-
        SummarizedExperiment::SummarizedExperiment(list(activity = full))
    x
})

#' @rdname regulonActivity
#' @export
setMethod("regulonActivity", "ANY", function(x, grn, ...,
    name = "regulons") {
    if (!inherits(x, "Seurat")) {
        .stopArgument("x", "must be a CellGRN, a SingleCellExperiment or a ",
            "Seurat object; it is a ", class(x)[[1L]], "."
        )
    }
    .checkText(name, "name")
    full <- .activityFor(colnames(x), grn, ...)
    x[[name]] <- SeuratObject::CreateAssayObject(data = full)
    x
})

## Activity of the cells named, in their order; NA where there is no network.
.activityFor <- function(cells, grn, ...) {
    if (missing(grn) || !is(grn, "PerCellNetworks")) {
        .stopArgument("grn", "must be per-cell networks, a CellGRN or a ",
            "StateGRN, as inferGRN() returns."
        )
    }
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

#' @rdname StateGRN-class
#' @export
setMethod("regulonActivity", "StateGRN", function(x,
    method = c("targets", "strength"), top = 50, signed = TRUE, ...) {
    .noDots(...)
    method <- match.arg(method)
    top <- .checkNumber(top, "top", 1, 2^31, whole = TRUE)
    .checkFlag(signed, "signed")
    same <- .sameMemberships(x, seq_along(x@cells))
    scale <- .standardiser(x@expression)
    activity <- matrix(0, length(x@tfs), length(x@cells),
        dimnames = list(x@tfs, x@cells)
    )
    own <- cbind(seq_along(x@tfs), match(x@tfs, x@genes))
    for (u in seq_along(same$first)) {
        scores <- .mixedScores(x, x@memberships[same$first[[u]], ])
        cells <- which(same$of == u)
        if (method == "strength") {
            activity[, cells] <- rowMeans(abs(scores))
            next
        }
        scores[own] <- 0
        weight <- .topWeights(abs(scores), top)
        if (signed) {
            weight <- weight * sign(scores)
        }
        ## weight (z) = weight scale x - weight scale mean, x sparse
        scaled <- weight * rep(scale$scale, each = nrow(weight))
        values <- scaled %*% x@expression[, cells, drop = FALSE]
        activity[, cells] <- as.matrix(values) -
            as.vector(scaled %*% scale$mean)
    }
    activity
})

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
