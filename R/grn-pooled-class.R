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
#' @param i,j TFs and genes by name, number or logical; TFs that are kept stay
#'   among the genes.
#' @param row.names,optional,drop,y,... not used; of `plot()` passed to
#'   [plotGRN()].
#' @return `PooledGRN()` gives the object; `dim()` TFs and genes;
#'   `as.matrix()` the scores; `as.data.frame()` all edges with columns
#'   Gene1, Gene2, score, self edges included, highest first; `x[i, j]` the
#'   network of some TFs and genes; `verdict()` that of the networks of
#'   states it was pooled from; `plot()` what [plotGRN()] does.
#' @section Errors: scores that aren't a finite numeric matrix with row and
#'   column names, each once, the TFs among the genes; verbs that need per-cell
#'   networks, and verbs given no network at all, say so.
#' @seealso [poolGRN()], [edgeTable()], [evaluateGRN()],
#'   [summary()][GRNSummary-class]
#' @examples
#' pooled <- poolGRN(exampleGRN())
#' pooled
#' head(as.data.frame(pooled))
#' pooled["MYOG", c("CKM", "DES")]
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

#' @rdname PooledGRN-class
#' @export
setMethod("[", c("PooledGRN", "ANY", "ANY", "ANY"),
    function(x, i, j, ..., drop = TRUE) {
        tfs <- rownames(x@scores)
        genes <- colnames(x@scores)
        row <- if (missing(i)) seq_along(tfs) else .namesAt(i, tfs, "i", "TF")
        column <- if (missing(j)) seq_along(genes) else
            .namesAt(j, genes, "j", "gene")
        ## TFs are genes of the network, so those chosen stay
        column <- union(match(tfs[row], genes), column)
        column <- if (missing(j)) sort(column) else column
        x@scores <- x@scores[row, column, drop = FALSE]
        for (name in c("sign", "cells", "reliability")) {
            if (!is.null(x@metadata[[name]])) {
                x@metadata[[name]] <- x@metadata[[name]][row, column,
                    drop = FALSE
                ]
            }
        }
        if (is.data.frame(x@metadata$targets)) {
            x@metadata$targets <- x@metadata$targets[
                match(colnames(x@scores), x@metadata$targets$gene), ,
                drop = FALSE
            ]
        }
        x
    }
)

#' @rdname PooledGRN-class
#' @export
setMethod("[", c("PooledGRN", "ANY", "missing", "ANY"),
    function(x, i, j, ..., drop = TRUE) {
        if (missing(i)) {
            return(x)
        }
        genes <- colnames(x@scores)
        x[i, genes]
    }
)

## Names by number, name or logical -> positions, none twice.
.namesAt <- function(i, known, arg, what) {
    n <- length(known)
    at <- if (is.character(i) || is.factor(i)) {
        match(as.character(i), known)
    } else if (is.logical(i) && length(i) == n) {
        which(i)
    } else if (is.numeric(i) && all(is.finite(i)) && all(i == round(i)) &&
        all(abs(i) <= n)) {
        seq_len(n)[i]
    } else {
        .stopArgument(arg, "must be names, whole numbers from 1 to ", n,
            ", or ", n, " logical values; it is ", .show(i), "."
        )
    }
    if (anyNA(at)) {
        .stopArgument(arg, "has names that aren't a ", what, " of the ",
            "network: ", .some(as.character(i)[is.na(at)]), "."
        )
    }
    if (!length(at) || anyDuplicated(at)) {
        .stopArgument(arg, "must choose at least one ", what, ", each once.")
    }
    at
}

#' @rdname PooledGRN-class
#' @method plot PooledGRN
#' @importFrom graphics plot
#' @export
plot.PooledGRN <- function(x, y, ...) plotGRN(x, ...)

#' @rdname PooledGRN-class
#' @export
setMethod("verdict", "PooledGRN", function(x, ...) {
    .noDots(...)
    if (is.null(x@metadata$verdict) && !is.null(x@metadata$halves)) {
        return(.halvesVerdict(x@metadata$halves))
    }
    if (is.null(x@metadata$verdict)) {
        return(.verdict("One network for all cells: nothing was tested.", NA))
    }
    x@metadata$verdict
})
