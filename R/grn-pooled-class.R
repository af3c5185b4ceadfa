## One network for all cells: class and access.

#' A network pooled over cells
#'
#' The mean of per-cell networks, made by [poolGRN()], or any TF x gene score
#' matrix put into this form to be tabulated, drawn or evaluated like one.
#'
#' @slot scores numeric matrix, TFs x genes, with dimnames.
#' @slot nCells numeric, cells pooled (NA when not from cells).
#' @slot filtered logical: were edges removed (set to 0) by a threshold or a
#'   top list? Such a network can't be evaluated.
#' @slot metadata list, as in [CellGRN-class].
#' @param scores,nCells,filtered,metadata see the slots. `scores` must be
#'   finite, its row names among its column names.
#' @param x,object a `PooledGRN`.
#' @param row.names,optional,... not used.
#' @return `PooledGRN()` gives the object; `dim()` TFs and genes;
#'   `as.matrix()` the scores; `as.data.frame()` all edges with columns
#'   Gene1, Gene2, score, self edges included, highest first.
#' @section Errors: scores that aren't a finite numeric matrix with row and
#'   column names, each once, the TFs among the genes; verbs that need per-cell
#'   networks, and verbs given no network at all, say so.
#' @seealso [poolGRN()], [edgeTable()], [evaluateGRN()]
#' @examples
#' pooled <- poolGRN(exampleGRN())
#' pooled
#' head(as.data.frame(pooled))
#' s <- matrix(c(0, 2, 1, 0, 3, 1), 2, dimnames = list(
#'     c("A", "B"), c("A", "B", "C")
#' ))
#' PooledGRN(s)
#' @name PooledGRN-class
#' @aliases PooledGRN
#' @exportClass PooledGRN
setClass("PooledGRN", slots = c(
    scores = "matrix", nCells = "numeric", filtered = "logical",
    metadata = "list"
))

setValidity("PooledGRN", function(object) {
    s <- object@scores
    if (!is.numeric(s) || is.null(rownames(s)) || is.null(colnames(s))) {
        return("'scores' must be a numeric matrix with row and column names")
    }
    problem <- c(
        .namesProblem(rownames(s), "rownames(scores)"),
        .namesProblem(colnames(s), "colnames(scores)")
    )
    if (is.null(problem) && !all(is.finite(s))) {
        problem <- "'scores' must be finite; replace missing values"
    }
    if (is.null(problem) && !all(rownames(s) %in% colnames(s))) {
        problem <- paste0("TFs (rows of 'scores') must be among the genes ",
            "(columns); these aren't: ",
            .some(setdiff(rownames(s), colnames(s)))
        )
    }
    if (is.null(problem)) TRUE else problem
})

#' @rdname PooledGRN-class
#' @export
PooledGRN <- function(scores, nCells = NA_real_, filtered = FALSE,
    metadata = list()) {
    if (!is.matrix(scores)) {
        .stopArgument("scores", "must be a matrix, TFs x genes; it is ",
            class(scores)[[1L]], "."
        )
    }
    .checkFlag(filtered, "filtered")
    .orStop(new("PooledGRN", scores = scores, nCells = as.numeric(nCells),
        filtered = filtered, metadata = as.list(metadata)
    ))
}

#' @rdname PooledGRN-class
#' @export
setMethod("tfNames", "PooledGRN", function(x) rownames(x@scores))

#' @rdname PooledGRN-class
#' @export
setMethod("geneNames", "PooledGRN", function(x) colnames(x@scores))

#' @rdname PooledGRN-class
#' @export
setMethod("dim", "PooledGRN", function(x) {
    c(tfs = nrow(x@scores), genes = ncol(x@scores))
})

#' @rdname PooledGRN-class
#' @importMethodsFrom S4Vectors metadata
#' @export
setMethod("metadata", "PooledGRN", function(x, ...) x@metadata)

#' @rdname PooledGRN-class
#' @method as.matrix PooledGRN
#' @export
as.matrix.PooledGRN <- function(x, ...) x@scores

#' @rdname PooledGRN-class
#' @export
setMethod("show", "PooledGRN", function(object) {
    s <- object@scores
    estimator <- object@metadata$estimator
    from <- if (is.na(object@nCells)) {
        "a score matrix"
    } else if (!is.null(object@metadata$nulls)) {
        sprintf("mean of %d null networks (%s)", object@metadata$nulls,
            sub("null: ", "", object@metadata$model)
        )
    } else if (is.null(estimator)) {
        paste("the mean of", .count(object@nCells, "cell"))
    } else {
        paste0(object@metadata$model, ", from ",
            .count(object@nCells, "cell")
        )
    }
    cat("PooledGRN: ", from, if (object@filtered) ", filtered", "\n", sep = "")
    cat("  TFs:    ", .preview(rownames(s)), "\n", sep = "")
    cat("  genes:  ", .preview(colnames(s)), "\n", sep = "")
    cat("  scores: ", paste(signif(range(s), 3L), collapse = " to "), "\n",
        sep = ""
    )
    if (all(s == 0)) {
        cat("! All scores are 0: no edge was found (too few cells, or genes ",
            "that don't vary).\n", sep = ""
        )
    } else if (!is.na(object@nCells) && object@nCells < 20 &&
        !is.null(estimator)) {
        cat("! From ", .count(object@nCells, "cell"), " only: scores are ",
            "mostly chance.\n", sep = ""
        )
    }
    cat("Go on with edgeTable(), ", if (!is.null(object@metadata$sign))
        "edgeSign(), ", "plotGRN(), evaluateGRN(), writeGRN(), ",
        "as(x, \"igraph\")\n", sep = ""
    )
})
