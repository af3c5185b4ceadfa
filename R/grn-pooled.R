## Pooled networks without a model: from cells to a PooledGRN.

#' Infer a pooled network without a model
#'
#' With a [GRNParam-class] as `model`, or with none, [inferGRN()] estimates
#' one network for all cells from their expression alone. Without a model it
#' is `CombinedGRNParam()`: the weighted geometric mean of the importance in
#' extremely randomised trees and the absolute slope of the evidence ridge.
#'
#' Where cells fall into well-separated states, most of what correlates does so
#' because states differ, and a network within states is much better; on other
#' data removing the states' means ruins it. So `CombinedGRNParam()` centres
#' expression on states (see [PerCellGRNParam()]) only with 500 cells and 80
#' genes, and when the centred data hold more than 0.0005 nats of evidence per
#' entry for a network over none; `centre` decides otherwise. The gate was set
#' on simulations. `metadata(grn)$centring` says what was done.
#'
#' @inheritParams cellInput
#' @param model a [GRNParam-class]; missing: `CombinedGRNParam()`.
#' @param cells `NULL` (all), or cells by index, name or logical vector.
#' @param nTargets variable genes beside the TFs; `NULL`: 1,000; `Inf`: all
#'   genes.
#' @param centre remove the means of cell states first? NULL: by the gate above
#'   for `CombinedGRNParam()`, no for the others.
#' @param preprocess see [cellInput]; cells are never filtered here, genes seen
#'   in fewer than `minCells` (3) cells are left out, `target` is 10,000.
#' @param seed NULL: drawn from R's generator, so `set.seed()` governs it; or a
#'   whole number. Only trees and the search for states (`centre`) use random
#'   numbers.
#' @param threads threads of the engine; `NULL`: option `causeway.threads`,
#'   else at most 2. Results don't depend on it.
#' @param ... not used.
#' @return A [PooledGRN-class], TFs x genes, self edges 0; constant genes have
#'   no edges. Its `metadata()` holds `model` (the estimator's name),
#'   `settings`, `sign` (matrix of -1, 0, 1; see [edgeSign()]), `targets`
#'   (data.frame: gene, and for trees the number grown and the out-of-bag R2),
#'   `seed`, `engine`, `species`, `coverage`, `preprocessing`, `seconds`,
#'   `centring` (list: centred, states, the gate's gain), `block` (its levels),
#'   and with a prior
#'   `priorEvidence` (list: edges, given, strength, gain, nullGain, evidence;
#'   see [GRNParam-class]). An ordinary R object: `saveRDS()` keeps it,
#'   [writeGRN()] writes its edges.
#' @section Errors: those of [cellInput]; no TF among the genes; fewer than two
#'   cells; not enough memory. Ctrl-C stops trees within a second. Scores that
#'   are all 0, since the cells are alike or few, are a warning.
#' @seealso [GRNParam-class], [PerCellGRNParam()], [evaluateGRN()],
#'   [nullGRN()], [edgeTable()], [plotGRN()]
#' @references See [GRNParam-class].
#' @examples
#' cells <- exampleCells()
#' grn <- inferGRN(cells, TreeGRNParam(trees = 50), nTargets = 30, seed = 1)
#' edgeTable(grn, top = 5)
#' inferGRN(cells, RidgeGRNParam(), nTargets = 30)
#' @name inferGRN-pooled
#' @aliases inferGRN,ANY,GRNParam-method inferGRN,ANY,missing-method
NULL

#' @rdname inferGRN-pooled
#' @export
setMethod("inferGRN", c("ANY", "GRNParam"), function(x, model,
    assay.type = NULL, symbols = NULL, species = NULL, tfs = NULL,
    cells = NULL, nTargets = NULL, keep = NULL, genes = NULL,
    centre = NULL, alreadyNormalised = NULL, preprocess = list(),
    seed = NULL, threads = NULL, assay = NULL, block = NULL, verbose = TRUE) {
    .checkFlag(verbose, "verbose")
    if (!is.null(centre)) {
        .checkFlag(centre, "centre")
    }
    how <- .inputArgs(assay.type, symbols, species, tfs, nTargets, keep,
        genes, alreadyNormalised, preprocess, assay
    )
    prepared <- .networkCells(x, how, verbose, cells)
    block <- .blockOf(prepared, block, verbose)
    key <- .newKey(seed)
    threads <- .threads(threads)
    .say(verbose, "Network by ", .paramName(model), ": ",
        .count(prepared$report$tfs, "TF"), " x ", nrow(prepared$values), " genes, ",
        .count(ncol(prepared$values), "cell"), "."
    )
    start <- proc.time()[["elapsed"]]
    centred <- .centreStates(.lessBlocks(prepared, block), model, centre, key, threads, verbose)
    model <- .settleWeights(model, centred$report$centred)
    view <- .estimatorView(centred$prepared)
    view$verbose <- verbose
    fit <- .estimate(model, view, key, threads)
    out <- .estimatorNetwork(model, prepared, fit, key,
        proc.time()[["elapsed"]] - start, centred$report
    )
    out@metadata$block <- levels(block)
    out
})

## Cells less the means of their states, standardised, where the gate or the
## caller says so; and what was done.
.centreStates <- function(prepared, model, centre, key, threads, verbose) {
    v <- prepared$values
    asked <- !is.null(centre)
    use <- if (asked) centre else methods::is(model, "CombinedGRNParam") &&
        ncol(v) >= 500L && nrow(v) >= 80L
    report <- list(centred = FALSE)
    need <- 40 * length(v)
    if (use && need > .memoryLimit()) {
        text <- paste0(ncol(v), " cells x ", nrow(v), " genes need about ",
            .bytes(need), " of memory to be centred on states"
        )
        if (asked) {
            .stopArgument("centre", "is TRUE, but ", text, "; take fewer ",
                "cells or genes."
            )
        }
        message("not centred: ", text)
        use <- FALSE
    }
    if (!use || ncol(v) < 3L) {
        return(list(prepared = prepared, report = report))
    }
    view <- list(p = v@p, i = v@i, x = v@x, genes = as.numeric(nrow(v)),
        cells = as.numeric(ncol(v))
    )
    fit <- .Call(cw_r_centre, view, which(!prepared$nonTF) - 1L, list(
        a = .priorGrid(NULL, sum(!prepared$nonTF)), rho = 0.1
    ), list(low = 2, high = min(8, ncol(v) - 1), neighbours = 30,
        centring = if (asked) "always" else "gated", gateCells = 500,
        gateGenes = 80, gateGain = 5e-4
    ), key, threads)
    report <- list(centred = !is.null(fit$values), states = fit$numbers[[1L]],
        gain = fit$numbers[[3L]]
    )
    if (report$centred) {
        .say(verbose, "Expression is centred on ", report$states, " states.")
        prepared$values <- .asSparse(fit$values)
    }
    list(prepared = prepared, report = report)
}

#' @rdname inferGRN-pooled
#' @export
setMethod("inferGRN", c("ANY", "missing"), function(x, model, ...) {
    if (methods::is(x, "FoundationModel")) {
        .modelFirst()
    }
    inferGRN(x, CombinedGRNParam(), ...)
})

#' @rdname inferGRN-pooled
#' @aliases inferGRN,GRNParam,ANY-method
#' @export
setMethod("inferGRN", c("GRNParam", "ANY"),
    function(x, model, ...) .modelFirst()
)

#' @rdname inferGRN-pooled
#' @aliases inferGRN,GRNParam,missing-method
#' @export
setMethod("inferGRN", c("GRNParam", "missing"),
    function(x, model, ...) .modelFirst()
)

.modelFirst <- function() {
    .stopArgument("x", "is the model; the cells come first, ",
        "inferGRN(x, model)."
    )
}

## The same by gene, as the engine reads it (src/glue/r_estimators.c).
.estimatorView <- function(prepared) {
    byGene <- Matrix::t(.asSparse(prepared$values))
    byGene <- Matrix::drop0(as(byGene, "CsparseMatrix"))
    list(
        dim = dim(byGene), p = byGene@p, i = byGene@i, x = byGene@x,
        tf = which(!prepared$nonTF) - 1L, genes = prepared$values,
        labels = prepared$labels
    )
}

.checkEstimatorMemory <- function(need, what) {
    limit <- .memoryLimit()
    if (need > limit) {
        stop(what, " need about ", .bytes(need), " of memory, and ",
            .bytes(limit), " are free; use fewer cells ('cells'), genes ",
            "('nTargets') or threads.",
            call. = FALSE
        )
    }
    invisible()
}

.estimatorNetwork <- function(param, prepared, fit, key, seconds, centring) {
    names <- list(prepared$labels[!prepared$nonTF], prepared$labels)
    dimnames(fit$scores) <- names
    sign <- fit$sign
    storage.mode(sign) <- "integer"
    dimnames(sign) <- names
    targets <- data.frame(gene = prepared$labels)
    if (!is.null(fit$targets)) {
        targets <- cbind(targets, fit$targets)
    }
    .warnNoScores(fit$scores)
    PooledGRN(fit$scores, nCells = ncol(prepared$values), metadata = list(
        model = .paramName(param), estimator = class(param)[[1L]],
        settings = .paramSettings(param), sign = sign, targets = targets,
        seed = .keyText(key), engine = .engineText(),
        species = prepared$report$species, coverage = prepared$report,
        prior = .priorUse(fit$prior), priorEvidence = fit$prior,
        preprocessing = prepared$report$settings,
        seconds = seconds, centring = centring
    ))
}

## Cells that can't tell anything give a network without an edge: not silently.
.warnNoScores <- function(scores) {
    if (all(scores == 0)) {
        warning("every score of the network is 0: the expression of no gene ",
            "differs enough between these cells to score an edge. Give more ",
            "cells, or cells that differ.",
            call. = FALSE
        )
    }
}

.priorUse <- function(prior) {
    if (is.null(prior)) {
        return("none")
    }
    paste0(prior$edges, " edges, ", if (prior$strength > 1) {
        paste0("variance x ", prior$strength)
    } else {
        "rejected by the evidence"
    })
}
