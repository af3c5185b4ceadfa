## Pooled networks without a model: from cells to a PooledGRN.

#' Infer a pooled network without a model
#'
#' With a [GRNParam-class] as `model`, or with none, [inferGRN()] estimates
#' one network for all cells from their expression alone. Without a model it
#' is `CombinedGRNParam()`: a weighted geometric mean of the importance in
#' extremely randomised trees, the absolute slope of the evidence ridge and the
#' absolute correlation.
#'
#' **Which genes.** Factors and targets must be seen in 10 cells and a hundredth
#' of all (of fewer than 40 cells in a quarter); `keep` overrides that, and so
#' does a list of at most 100 `tfs`. Factors left out are said, and kept in
#' `metadata(x)$coverage$tfsBelow`. Targets are the `nTargets` genes of highest
#' excess deviance: how much better a gene's counts are fitted by themselves
#' than by a constant share of every cell's total, less what Poisson counts
#' would have; without counts of highest variance less its trend. Where `x`
#' names variable genes (Seurat's VariableFeatures, `rowSubset()`,
#' [preprocess()]) and neither `genes` nor `nTargets` is given, it is those.
#'
#' **Reliability.** Between genes seen in few cells a few coincidences make a
#' high correlation. The tail of a correlation under permutation is that of a
#' Pearson III variable with skewness skew(factor) skew(target) / sqrt(cells);
#' scores are multiplied by its normal quantile over z = |r| sqrt(cells - 1),
#' at most 1. The tail is followed up to the height that the highest of all
#' pairs would reach by coincidence; what z exceeds that by is not a question of
#' coincidence, and stays as it is. [edgeTable()] has the factor and in how many
#' cells both ends are seen.
#'
#' **What the default does.** By the data, `metadata(x)$choice`: `"counts"`,
#' where at least a tenth of the values are zeros and 30 genes are read:
#' trees^2.7 x ridge^.3 x |Pearson r|^16.5 x |Spearman r|^6.5 x (largest |r| of
#' the target)^10, to the power 1/26; `"few"` with fewer genes: trees^9 x ridge x
#' |Pearson r|^5 x |Spearman r|^5, to the power 1/20; `"trees"` without so many
#' zeros: trees^9 x ridge, to the power 1/10;
#' `"states"`, where expression is centred on cell states (see
#' [PerCellGRNParam()]): trees x ridge x |r|^3, to the power 1/5. It is centred
#' with 300 cells and 80 genes, when the centred data hold more than 0.0005
#' nats of evidence per entry for a network over none, and the ridge's highest
#' edges repeat in halves of the cells at least a third as often as uncentred;
#' never where a column of `colData(x)` says that cells are a time course.
#' `centre` decides otherwise; `metadata(x)$centring` says what was done. Chosen
#' on BEELINE's simulations, hESC and mEF; tested on mESC after LIF withdrawal,
#' mES, SERGIO, [simulateCells()]. The weight of the plain correlations is half of
#' all, untuned: no estimator is best on all counted cells, and the default is
#' then significantly below the best of Pearson, Spearman and trees on 5 of 55
#' pairs of data and reference; see `vignette("numbers")`.
#'
#' @inheritParams cellInput
#' @param model a [GRNParam-class]; missing: `CombinedGRNParam()`.
#' @param cells `NULL` (all), or cells by index, name or logical vector.
#' @param nTargets variable genes beside the TFs; `NULL`: 1,000; `Inf`: all
#'   genes.
#' @param centre remove the means of cell states first? NULL: by the gate above
#'   for `CombinedGRNParam()`, no for the others.
#' @param preprocess see [cellInput]; cells are never filtered here, `target`
#'   is 10,000; `minCells` replaces the floor below.
#' @param seed NULL: drawn from R's generator, so `set.seed()` governs it; or a
#'   whole number. Only trees and the search for states (`centre`) use random
#'   numbers, which go by the names of genes and cells: the order of rows and
#'   columns of `x` does not matter.
#' @param threads threads of the engine; `NULL`: option `causeway.threads`,
#'   else at most 2. Results don't depend on it.
#' @param reliability multiply scores by their reliability, see below? FALSE:
#'   the estimator's own.
#' @param BPPARAM see [severalProcesses]; the trees of genes are shared among
#'   the workers.
#' @param ... not used.
#' @return A [PooledGRN-class], TFs x genes, self edges 0; constant genes have
#'   no edges. Its `metadata()` holds `model` (the estimator's name),
#'   `settings`, `sign` (matrix of -1, 0, 1; see [edgeSign()]), `cells` and
#'   `reliability` (matrices, see [edgeTable()]), `choice`, `targets`
#'   (data.frame: gene, and for trees the number grown and the out-of-bag R2),
#'   `seed`, `engine`, `species`, `coverage`, `preprocessing`, `seconds`,
#'   `centring` (list: centred, states, the gate's gain), `block` (its levels),
#'   and with a prior
#'   `priorEvidence` (list: edges, given, strength, gain, nullGain, evidence;
#'   see [GRNParam-class]). An ordinary R object: `saveRDS()` keeps it,
#'   [writeGRN()] writes its edges.
#' @section Files of many cells: Of more than
#'   `options(causeway.sampleCells)` cells (10,000) in a file, or in another
#'   matrix that isn't in memory, blocks are read in turn: ridge, Pearson
#'   correlations, `reliability` and `cells` are those of all cells, exactly;
#'   trees, Spearman's ranks, the shrinkage of partial correlations, `centre`
#'   and `block` read a sample of so many, drawn by `seed`. Where expression
#'   is centred, or a `block` is given, all come from the sample. A message says
#'   what will be done and how much memory it takes; `metadata(x)$sampled` is
#'   the size of the sample, 0 for none. [nullGRN()] fits everything again, and refuses such a network.
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
    seed = NULL, threads = NULL, assay = NULL, block = NULL,
    reliability = TRUE, BPPARAM = NULL, verbose = TRUE) {
    .checkFlag(verbose, "verbose")
    .checkFlag(reliability, "reliability")
    if (!is.null(centre)) {
        .checkFlag(centre, "centre")
    }
    how <- .inputArgs(assay.type, symbols, species, tfs, nTargets, keep,
        genes, alreadyNormalised, preprocess, assay
    )
    by <- if (is.character(block) && length(block) == 1L) block
    key <- .newKey(seed)
    workers <- .startWorkers(BPPARAM)
    on.exit(.stopWorkers(workers))
    if (!is.null(workers)) {
        workers$threads <- .threads(.partThreads(threads, workers))
    }
    threads <- .threads(threads)
    prepared <- .networkCells(x, how, verbose, cells, most = .mostCells(),
        key = key
    )
    block <- .blockOf(prepared, block, verbose)
    .say(verbose, "Network by ", .paramName(model), ": ",
        .count(prepared$report$tfs, "TF"), " x ", nrow(prepared$values),
        " genes, ", .count(length(prepared$cells), "cell"), "."
    )
    start <- proc.time()[["elapsed"]]
    prepared <- .lessNames(prepared)
    sorted <- .byName(prepared)
    if (is.null(sorted$prepared$sums)) {
        sorted$prepared$sums <- .sumsOf(sorted$prepared$values,
            which(!sorted$prepared$nonTF) - 1L, threads
        )
    }
    centred <- .centreStates(.lessBlocks(sorted$prepared, block[sorted$cells]),
        model, centre, key, threads, verbose
    )
    model <- .settleWeights(model, sorted$prepared, centred$report, verbose)
    view <- .estimatorView(centred$prepared)
    view$verbose <- verbose
    view$workers <- workers
    fit <- .estimate(model, view, key, threads)
    if (reliability) {
        fit$reliability <- .edgeReliability(view$sums)
        fit$scores <- fit$scores * fit$reliability
    }
    fit$cells <- .cellsOfBoth(sorted$prepared$sums)
    fit$halves <- .halvesReport(model, centred, key, threads)
    fit <- .inOrder(fit, sorted, prepared$nonTF)
    out <- .estimatorNetwork(model, prepared, fit, key,
        proc.time()[["elapsed"]] - start, centred$report
    )
    out@metadata$block <- levels(block)
    out@metadata$blockBy <- if (!is.null(block)) by
    out
})

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

## Random numbers and sums go by the place of a gene and a cell. `prepared` in
## the order of their names, so that another order gives the same network; and
## that order.
.byName <- function(prepared) {
    genes <- order(prepared$labels, method = "radix")
    if (!is.null(prepared$sums)) { # of a file: its cells stay as they come
        prepared$sums <- .sortSums(prepared$sums, genes)
        prepared$values <- prepared$values[genes, , drop = FALSE]
        cells <- seq_along(prepared$cells)
    } else {
        cells <- order(prepared$cells, method = "radix")
        prepared$values <- prepared$values[genes, cells, drop = FALSE]
        prepared$cells <- prepared$cells[cells]
        if (!is.null(prepared$cellData)) {
            prepared$cellData <- prepared$cellData[cells, , drop = FALSE]
        }
    }
    prepared$labels <- prepared$labels[genes]
    prepared$nonTF <- prepared$nonTF[genes]
    list(prepared = prepared, genes = genes, cells = cells)
}

## Of a file of many cells (see .streamValues()) without what grows with their
## number and nothing asks for any more: above all their names.
.lessNames <- function(prepared) {
    if (is.null(prepared$sampled)) {
        return(prepared)
    }
    prepared$cells <- as.character(seq_along(prepared$cells)) # not expanded
    rownames(prepared$cellData) <- NULL
    prepared[c("allCells", "source", "reductions")] <- NULL
    gc(verbose = FALSE)
    prepared
}

## What was fitted by name, in the order of the cells that were given.
.inOrder <- function(fit, sorted, nonTF) {
    gene <- order(sorted$genes)
    tf <- match(gene[!nonTF], which(!sorted$prepared$nonTF))
    for (part in intersect(c("scores", "sign", "reliability", "cells"), names(fit))) {
        fit[[part]] <- fit[[part]][tf, gene, drop = FALSE]
    }
    if (!is.null(fit$targets)) {
        fit$targets <- fit$targets[gene, , drop = FALSE]
        rownames(fit$targets) <- NULL
    }
    fit
}

## The same by gene, as the engine reads it (src/glue/r_estimators.c).
.estimatorView <- function(prepared) {
    byGene <- Matrix::t(.asSparse(prepared$values))
    byGene <- Matrix::drop0(as(byGene, "CsparseMatrix"))
    tf <- which(!prepared$nonTF) - 1L
    list(
        dim = dim(byGene), p = byGene@p, i = byGene@i, x = byGene@x,
        tf = tf, genes = prepared$values, labels = prepared$labels,
        sums = if (is.null(prepared$sums)) .sumsOf(prepared$values, tf) else
            prepared$sums
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
    dimnames(sign) <- dimnames(fit$cells) <- names
    if (!is.null(fit$reliability)) {
        dimnames(fit$reliability) <- names
    }
    targets <- data.frame(gene = prepared$labels)
    if (!is.null(fit$targets)) {
        targets <- cbind(targets, fit$targets)
    }
    .warnNoScores(fit$scores)
    PooledGRN(fit$scores, nCells = length(prepared$cells), metadata = list(
        choice = .choiceOf(param),
        model = .paramName(param), estimator = class(param)[[1L]],
        settings = .paramSettings(param), sign = sign, cells = fit$cells,
        reliability = fit$reliability, halves = fit$halves, targets = targets,
        sampled = length(prepared$sampled), seed = .keyText(key),
        engine = .engineText(),
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
