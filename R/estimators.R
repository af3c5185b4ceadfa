## Pooled networks without a model: tree ensembles, evidence ridge,
## correlations, and their combinations.

#' Estimators of a pooled network
#'
#' Settings for [inferGRN()] without a foundation model. Every estimator
#' regresses or correlates each gene with the transcription factors (TFs), and
#' gives one network for all cells, a [PooledGRN-class].
#'
#' @details
#' `TreeGRNParam(method = "extratrees")`: extremely randomised trees in
#' GENIE3's manner. A gene's standardised expression is regressed on the TFs;
#' the score of a TF is its share of the fall of the sum of squares over all
#' splits of all trees, so the scores of a gene's regulators add up to 1.
#' Thresholds are those of a random cell (`cut = "cell"`), which is
#' indifferent to the scale of the TFs, or uniform between the smallest and
#' largest value as published (`cut = "value"`). With `response = "both"` half
#' of the trees explain expression, the other half its ranks.
#' `TreeGRNParam(method = "boosting")`: stochastic gradient boosting in
#' GRNBoost2's manner; it stops when the mean out-of-bag gain of the last
#' `window` trees is negative. TFs are cut into at most 255 bins. Defaults of
#' the originals: GENIE3 `TreeGRNParam(trees = 1000, minLeaf = 1,
#' cut = "value", response = "value", sampleSize = Inf)`; GRNBoost2
#' `TreeGRNParam("boosting", byTrees = TRUE)`.
#'
#' `RidgeGRNParam()`: ridge regression of every gene on all TFs, the prior
#' variance of the slopes chosen from `variance` by the exact log evidence
#' over all genes; score: the absolute slope of standardised genes. With
#' `prior` the prior variance of the slopes of its edges is multiplied by the
#' number of `strength` that the evidence prefers. A number above 1 is taken
#' only if its gain of log evidence over 1 is larger than all gains, and three
#' standard deviations above the mean gain, of `nulls` priors in which the
#' known TFs are dealt to other genes; otherwise the prior is not used. The
#' prior's signs are not used. It moves the edges it holds and hardly any other
#' (`bench/prior.R`), so score such a network on edges the prior did not hold
#' ([splitReference()]); `metadata(x)$priorEvidence` has the gains.
#'
#' `CorGRNParam()`: absolute correlation; `"partial"` is that of TF and gene
#' given all other TFs, from correlations shrunken after Schaefer and Strimmer.
#'
#' `CombinedGRNParam()`: the weighted geometric mean of the scores of several
#' estimators; by default trees and ridge, with weights 9 and 1 or, where
#' expression is centred on cell states (see [inferGRN-pooled]), 1 and 1. Both
#' were chosen on simulations and small real sets.
#'
#' The sign of an edge is that of the ridge slope where there is one, of the
#' (partial) correlation otherwise; [edgeSign()] gives it.
#'
#' @param method the ensemble, or the kind of correlation.
#' @param trees trees of a gene; boosting: at most so many. NULL: 300, for
#'   boosting 5000.
#' @param features TFs tried at a split: NULL (`"sqrt"`, for boosting 0.1),
#'   `"sqrt"`, `"all"`, a share below 1 or a whole number.
#' @param minLeaf cells a leaf must have. NULL: 5, for boosting 1.
#' @param sampleSize extremely randomised trees: cells a tree is grown on,
#'   drawn without replacement; `Inf`: all.
#' @param cut,response see Details.
#' @param depth,rate,subsample,window boosting: depth of a tree, learning
#'   rate, share of cells a tree sees, trees over which the out-of-bag gain is
#'   watched (0: never stop early).
#' @param byTrees multiply a gene's scores by its number of trees, as
#'   GRNBoost2 does? Otherwise they add up to 1.
#' @param variance prior variances of the slopes to choose from.
#' @param prior NULL, or edges believed beforehand: a data.frame with columns
#'   `Gene1` (TF) and `Gene2`, such as [priorNetwork()] gives.
#' @param strength numbers of 1 or more to choose from, see Details; 1, no use
#'   of the prior, always competes.
#' @param nulls priors of the null; 0: the highest evidence decides.
#' @param estimators list of two or more of the objects above.
#' @param weights a number above 0 for each estimator; NULL: equal, but for the
#'   default estimators as in Details.
#' @param object a parameter object.
#' @return Objects of classes `TreeGRNParam`, `RidgeGRNParam`, `CorGRNParam`
#'   and `CombinedGRNParam`, all of the virtual class `GRNParam`.
#' @section Errors: values out of range are errors naming the argument.
#' @references Geurts et al. (2006) Machine Learning 63, 3-42. Huynh-Thu et al.
#'   (2010) PLoS ONE 5, e12776 (GENIE3). Moerman et al. (2019) Bioinformatics
#'   35, 2159-2161 (GRNBoost2). MacKay (1992) Neural Computation 4, 415-447
#'   (evidence). Schaefer and Strimmer (2005) Stat. Appl. Genet. Mol. Biol. 4,
#'   32.
#' @seealso [inferGRN()], [PerCellGRNParam()], [priorNetwork()],
#'   [benchmarkGRN()], [evaluateGRN()], [edgeTable()]
#' @examples
#' TreeGRNParam(trees = 50)
#' TreeGRNParam("boosting")
#' RidgeGRNParam()
#' CorGRNParam("spearman")
#' CombinedGRNParam(list(RidgeGRNParam(), CorGRNParam("partial")))
#' @name GRNParam-class
#' @aliases GRNParam TreeGRNParam-class RidgeGRNParam-class CorGRNParam-class
#'   CombinedGRNParam-class
#' @exportClass GRNParam
setClass("GRNParam", representation("VIRTUAL"))

#' @rdname GRNParam-class
#' @exportClass TreeGRNParam
setClass("TreeGRNParam", contains = "GRNParam",
    slots = c(settings = "list")
)

#' @rdname GRNParam-class
#' @exportClass RidgeGRNParam
setClass("RidgeGRNParam", contains = "GRNParam", slots = c(
    variance = "numeric", prior = "data.frame", strength = "numeric",
    nulls = "numeric"
))

#' @rdname GRNParam-class
#' @exportClass CorGRNParam
setClass("CorGRNParam", contains = "GRNParam", slots = c(method = "character"))

#' @rdname GRNParam-class
#' @exportClass CombinedGRNParam
setClass("CombinedGRNParam", contains = "GRNParam",
    slots = c(estimators = "list", weights = "numeric")
)

.oneOf <- function(x, choices, arg) {
    if (identical(x, choices)) {
        return(choices[[1L]])
    }
    if (!is.character(x) || length(x) != 1L || is.na(x) || !x %in% choices) {
        .stopArgument(arg, "must be one of ",
            paste0("\"", choices, "\"", collapse = ", "), "; it is ",
            .show(x), "."
        )
    }
    x
}

.checkFeatures <- function(features) {
    if (is.character(features)) {
        return(.oneOf(features, c("sqrt", "all"), "features"))
    }
    features <- .checkNumber(features, "features", 0, open = TRUE)
    if (features >= 1) {
        features <- .checkNumber(features, "features", 1, whole = TRUE)
    }
    features
}

#' @rdname GRNParam-class
#' @export
TreeGRNParam <- function(method = c("extratrees", "boosting"), trees = NULL,
    features = NULL, minLeaf = NULL, sampleSize = 2000,
    cut = c("cell", "value"), response = c("both", "value", "rank"),
    depth = 3, rate = 0.01, subsample = 0.9, window = 25, byTrees = FALSE) {
    method <- .oneOf(method, c("extratrees", "boosting"), "method")
    boost <- method == "boosting"
    response <- if (boost && missing(response)) "value" else
        .oneOf(response, c("both", "value", "rank"), "response")
    if (boost && response == "both") {
        .stopArgument("response", "\"both\" is for extremely randomised ",
            "trees; boosting takes \"value\" or \"rank\"."
        )
    }
    or <- function(x, default) if (is.null(x)) default else x
    trees <- .checkNumber(or(trees, if (boost) 5000 else 300), "trees",
        if (response == "both") 2 else 1, 1e6, TRUE
    )
    if (!identical(sampleSize, Inf)) {
        sampleSize <- .checkNumber(sampleSize, "sampleSize", 2, whole = TRUE)
    }
    new("TreeGRNParam", settings = list(
        method = method, trees = trees,
        features = .checkFeatures(or(features, if (boost) 0.1 else "sqrt")),
        minLeaf = .checkNumber(or(minLeaf, if (boost) 1 else 5), "minLeaf", 1,
            whole = TRUE
        ),
        sampleSize = sampleSize, cut = .oneOf(cut, c("cell", "value"), "cut"),
        response = response,
        depth = .checkNumber(depth, "depth", 1, 6, TRUE),
        rate = .checkNumber(rate, "rate", 0, 1, open = TRUE),
        subsample = .checkNumber(subsample, "subsample", 0, 1, open = TRUE),
        window = .checkNumber(window, "window", 0, 1e6, TRUE),
        byTrees = .checkFlag(byTrees, "byTrees")
    ))
}

#' @rdname GRNParam-class
#' @export
RidgeGRNParam <- function(variance = c(0.001, 0.003, 0.01), prior = NULL,
    strength = c(1, 3, 10, 30), nulls = 8) {
    if (!is.numeric(variance) || !length(variance) ||
        !all(is.finite(variance)) || any(variance <= 0)) {
        .stopArgument("variance", "must be numbers above 0; it is ",
            .show(variance), "."
        )
    }
    if (!is.numeric(strength) || !length(strength) ||
        !all(is.finite(strength)) || any(strength < 1)) {
        .stopArgument("strength", "must be numbers from 1 up; it is ",
            .show(strength), "."
        )
    }
    new("RidgeGRNParam", variance = as.numeric(variance),
        prior = .checkPrior(prior),
        strength = sort(unique(c(1, as.numeric(strength)))),
        nulls = .checkNumber(nulls, "nulls", 0, 1000, TRUE)
    )
}

.checkPrior <- function(prior) {
    if (is.null(prior)) {
        return(data.frame(Gene1 = character(), Gene2 = character()))
    }
    if (!is.data.frame(prior) || !all(c("Gene1", "Gene2") %in% names(prior))) {
        .stopArgument("prior", "must be a data.frame with columns Gene1 (the ",
            "factor) and Gene2; it ", if (is.data.frame(prior))
                paste0("has ", .some(names(prior))) else
                paste0("is ", .show(prior)), "."
        )
    }
    if (!nrow(prior)) {
        .stopArgument("prior", "has no edges; NULL means no prior.")
    }
    prior <- data.frame(
        Gene1 = .cleanSymbol(as.character(prior$Gene1)),
        Gene2 = .cleanSymbol(as.character(prior$Gene2))
    )
    unique(prior[!is.na(prior$Gene1) & !is.na(prior$Gene2), ])
}

#' @rdname GRNParam-class
#' @export
CorGRNParam <- function(method = c("pearson", "spearman", "partial")) {
    new("CorGRNParam", method = .oneOf(method,
        c("pearson", "spearman", "partial"), "method"
    ))
}

#' @rdname GRNParam-class
#' @export
CombinedGRNParam <- function(estimators = list(
        TreeGRNParam(), RidgeGRNParam()
    ), weights = NULL) {
    byCentring <- is.null(weights) && missing(estimators)
    simple <- function(e) {
        methods::is(e, "GRNParam") && !methods::is(e, "CombinedGRNParam")
    }
    if (!is.list(estimators) || length(estimators) < 2L ||
        !all(vapply(estimators, simple, logical(1)))) {
        .stopArgument("estimators", "must be a list of two or more of ",
            "TreeGRNParam(), RidgeGRNParam() and CorGRNParam(); it is ",
            .show(estimators), "."
        )
    }
    if (is.null(weights)) {
        weights <- rep(1, length(estimators))
    }
    if (!is.numeric(weights) || length(weights) != length(estimators) ||
        !all(is.finite(weights)) || any(weights <= 0)) {
        .stopArgument("weights", "must be ", length(estimators),
            " numbers above 0, one for each estimator; it is ",
            .show(weights), "."
        )
    }
    new("CombinedGRNParam", estimators = estimators,
        weights = if (byCentring) numeric() else as.numeric(weights)
    )
}

## The default's weights depend on whether expression was centred on states.
.weightsOf <- function(param) {
    if (length(param@weights)) param@weights else c(9, 1)
}

.settleWeights <- function(param, centred) {
    if (methods::is(param, "CombinedGRNParam") && !length(param@weights)) {
        param@weights <- if (centred) c(1, 1) else c(9, 1)
    }
    param
}

## What an estimator is called in show() and in a network's metadata.
setGeneric(".estimatorName", function(param) standardGeneric(".estimatorName"))
setMethod(".estimatorName", "TreeGRNParam", function(param) {
    s <- param@settings
    if (s$method == "boosting") "gradient boosting" else
        "extremely randomised trees"
})
setMethod(".estimatorName", "RidgeGRNParam", function(param) "evidence ridge")
setMethod(".estimatorName", "CorGRNParam", function(param) {
    paste(c(pearson = "Pearson", spearman = "Spearman",
        partial = "partial")[[param@method]], "correlation")
})
setMethod(".estimatorName", "CombinedGRNParam", function(param) {
    paste(vapply(param@estimators, .estimatorName, ""), collapse = " x ")
})

## Settings as a plain list, for metadata and show().
setGeneric(".estimatorSettings",
    function(param) standardGeneric(".estimatorSettings")
)
setMethod(".estimatorSettings", "TreeGRNParam", function(param) {
    s <- param@settings
    boost <- c("depth", "rate", "subsample", "window")
    trees <- c("sampleSize", "cut")
    s[setdiff(names(s), if (s$method == "boosting") trees else boost)]
})
setMethod(".estimatorSettings", "RidgeGRNParam", function(param) {
    out <- list(variance = param@variance)
    if (nrow(param@prior)) {
        out$priorEdges <- nrow(param@prior)
        out$strength <- param@strength
        out$nulls <- param@nulls
    }
    out
})
setMethod(".estimatorSettings", "CorGRNParam", function(param) {
    list(method = param@method)
})
setMethod(".estimatorSettings", "CombinedGRNParam", function(param) {
    c(lapply(param@estimators, .estimatorSettings),
        list(weights = .weightsOf(param))
    )
})

#' @rdname GRNParam-class
#' @export
setMethod("show", "GRNParam", function(object) {
    cat(class(object), ": ", .estimatorName(object), "\n", sep = "")
    if (!methods::is(object, "CombinedGRNParam")) {
        s <- .estimatorSettings(object)
        values <- vapply(s, function(v) paste(format(v), collapse = ", "), "")
        cat(paste0("  ", names(s), " = ", values, "\n"), sep = "")
    } else {
        cat("  weights = ", paste(.weightsOf(object), collapse = ", "),
            if (!length(object@weights)) " (1, 1 where centred)", "\n",
            sep = ""
        )
    }
})

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
#' @param x the cells, as for [newModel()].
#' @param model a [GRNParam-class]; missing: `CombinedGRNParam()`.
#' @param assay.type,symbols,species,tfs as for [newModel()]; Ensembl names
#'   without symbols get those of the shipped table.
#' @param cells `NULL` (all), or cells by index, name or logical vector.
#' @param nTargets variable genes beside the TFs; `Inf`: all genes.
#' @param keep names of genes to use beside TFs and variable genes.
#' @param genes names of exactly the genes to use.
#' @param centre remove the means of cell states first? NULL: by the gate above
#'   for `CombinedGRNParam()`, no for the others.
#' @param alreadyNormalised is the assay log-normalised? Otherwise counts are
#'   scaled to 10,000 a cell and log1p-transformed.
#' @param preprocess as for [trainModel()]; cells are never filtered here;
#'   genes seen in fewer than `minCells` (3) cells are left out.
#' @param seed NULL: drawn from R's generator, so `set.seed()` governs it; or a
#'   whole number. Only trees and the search for states (`centre`) use random
#'   numbers.
#' @param threads threads of the engine; `NULL`: option `causeway.threads`,
#'   else at most 2. Results don't depend on it.
#' @param verbose show messages.
#' @param ... not used.
#' @return A [PooledGRN-class], TFs x genes, self edges 0; constant genes have
#'   no edges. Its `metadata()` holds `model` (the estimator's name),
#'   `settings`, `sign` (matrix of -1, 0, 1; see [edgeSign()]), `targets`
#'   (data.frame: gene, and for trees the number grown and the out-of-bag R2),
#'   `seed`, `engine`, `species`, `coverage`, `preprocessing`, `seconds`,
#'   `centring` (list: centred, states, the gate's gain), and with a prior
#'   `priorEvidence` (list: edges, given, strength, gain, nullGain, evidence;
#'   see [GRNParam-class]). An ordinary R object: `saveRDS()` keeps it,
#'   [writeGRN()] writes its edges.
#' @section Errors: bad cells or names as for [newModel()]; no TF among the
#'   genes; fewer than two cells; not enough memory. Ctrl-C stops trees within
#'   a second.
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
    cells = NULL, nTargets = 1000, keep = NULL, genes = NULL,
    centre = NULL, alreadyNormalised = FALSE, preprocess = list(),
    seed = NULL, threads = NULL, verbose = interactive()) {
    .checkFlag(verbose, "verbose")
    if (!is.null(centre)) {
        .checkFlag(centre, "centre")
    }
    if (!identical(nTargets, Inf)) {
        nTargets <- .checkNumber(nTargets, "nTargets", 0, whole = TRUE)
    }
    prepared <- .estimatorCells(x, list(
        assay.type = assay.type, symbols = symbols, species = species,
        tfs = tfs, nTargets = nTargets, keep = keep, genes = genes,
        preprocess = preprocess,
        alreadyNormalised = .checkFlag(alreadyNormalised, "alreadyNormalised")
    ), cells, verbose)
    key <- .newKey(seed)
    threads <- .threads(threads)
    .say(verbose, .estimatorName(model), ": ", prepared$report$tfs, " TFs x ",
        nrow(prepared$values), " genes, ", ncol(prepared$values), " cells."
    )
    start <- proc.time()[["elapsed"]]
    centred <- .centreStates(prepared, model, centre, key, threads, verbose)
    model <- .settleWeights(model, centred$report$centred)
    fit <- .estimate(model, .estimatorView(centred$prepared), key, threads)
    .estimatorNetwork(model, prepared, fit, key,
        proc.time()[["elapsed"]] - start, centred$report
    )
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
        a = .priorGrid(NULL, sum(!prepared$nonTF)), rho = 0.1,
        low = 2, high = min(8, ncol(v) - 1), neighbours = 30,
        centring = if (asked) 1 else 0, gateCells = 500, gateGenes = 80,
        gateGain = 5e-4
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
    if (methods::is(x, "FoundationModel") ||
        methods::is(x, "PerCellGRNParam")) {
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

## Two genes seen in the same one cell only correlate perfectly: what estimates
## a network from these cells leaves out genes seen in fewer than three.
.rareGenes <- function(preprocess) {
    if (is.list(preprocess) && is.null(preprocess$minCells)) {
        preprocess$minCells <- 3
    }
    preprocess
}

## Cells in the form all estimators share, see .preprocess().
.estimatorCells <- function(x, args, cells, verbose) {
    input <- .cellInput(x, args$assay.type, args$symbols, verbose)
    .warnSpecies(args$species, args$tfs, input)
    species <- .resolveSpecies(args$species, input$cellData)
    input <- .symbolsOfEnsembl(input, species, verbose)
    tfs <- .resolveTfs(args$tfs, species)[[species]]
    .warnTfs(args$tfs, c(input$clean, input$symbols))
    vocab <- .makeVocab(input$clean, input$symbols, input$type)
    prepared <- .preprocess(input, vocab, tfs, "infer",
        nTargets = args$nTargets, genes = args$genes, keep = args$keep,
        preprocess = .rareGenes(args$preprocess), logged = args$alreadyNormalised,
        verbose = verbose
    )
    prepared$conditions <- matrix(0L, 0L, length(prepared$cells))
    prepared <- .pickCells(prepared, cells)
    if (ncol(prepared$values) < 2L) {
        .stopArgument(if (is.null(cells)) "x" else "cells",
            "leaves one cell; a network needs at least two, better hundreds."
        )
    }
    prepared$report$species <- species
    prepared
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

## Every estimator: (param, view, key, threads) -> list(scores, sign: TFs x
## genes; targets: data.frame with a row per gene, or NULL).
setGeneric(".estimate",
    function(param, view, key, threads) standardGeneric(".estimate")
)

setMethod(".estimate", "TreeGRNParam", function(param, view, key, threads) {
    s <- param@settings
    parts <- switch(s$response,
        both = list(value = ceiling(s$trees / 2), rank = s$trees %/% 2),
        value = list(value = s$trees), rank = list(rank = s$trees)
    )
    fits <- lapply(names(parts), function(response) {
        .growTrees(s, view, parts[[response]], response, key, threads)
    })
    scores <- Reduce(`+`, lapply(fits, `[[`, "importance")) / length(fits)
    grown <- Reduce(`+`, lapply(fits, `[[`, "grown"))
    if (s$byTrees) {
        scores <- sweep(scores, 2L, grown, `*`)
    }
    r2 <- fits[[1L]]$r2
    list(
        scores = scores, sign = .correlationSign(view),
        targets = data.frame(trees = grown, r2 = ifelse(is.nan(r2), NA, r2))
    )
})

.treeOptions <- function(s, view, trees) {
    nTF <- length(view$tf)
    features <- if (identical(s$features, "sqrt")) {
        floor(sqrt(nTF))
    } else if (identical(s$features, "all")) {
        nTF
    } else if (s$features < 1) {
        floor(s$features * nTF)
    } else {
        min(s$features, nTF)
    }
    list(
        kind = s$method, cut = s$cut, trees = trees,
        features = max(1, features),
        sample = if (s$sampleSize < 2^31) s$sampleSize else 0,
        minLeaf = min(s$minLeaf, 2^31), depth = s$depth, rate = s$rate,
        subsample = s$subsample, window = s$window
    )
}

.growTrees <- function(s, view, trees, response, key, threads) {
    options <- .treeOptions(s, view, trees)
    n <- view$dim[[2L]]
    x <- view[c("dim", "p", "i", "x")]
    if (response == "rank") {
        x$x <- .rankColumns(x)
        key <- .otherKey(key)
    }
    sizes <- as.numeric(c(view$dim[[1L]], length(view$tf), n, length(x$x),
        max(1L, if (threads == 0L) 2L else threads)
    ))
    .checkEstimatorMemory(.Call(cw_r_forest_forecast, sizes, options),
        "the trees"
    )
    .Call(cw_r_forest, x, view$tf, seq_len(n) - 1L, options, key, threads)
}

## Ranks of each column less the rank of its zeros, so that zeros stay zeros.
.rankColumns <- function(x) {
    out <- x$x
    for (g in seq_len(x$dim[[2L]])) {
        at <- seq_len(x$p[[g + 1L]] - x$p[[g]]) + x$p[[g]]
        zeros <- x$dim[[1L]] - length(at)
        value <- out[at]
        out[at] <- rank(value) + if (zeros) {
            zeros * (value > 0) - sum(value < 0) - (zeros + 1) / 2
        } else {
            0
        }
    }
    out
}

.correlationSign <- function(view) {
    s <- sign(.correlations(view$genes, view$tf + 1L, "pearson"))
    s[cbind(seq_along(view$tf), view$tf + 1L)] <- 0
    s
}

setMethod(".estimate", "RidgeGRNParam", function(param, view, key, threads) {
    x <- view[c("dim", "p", "i", "x")]
    known <- if (nrow(param@prior)) .knownEdges(param, view)
    sizes <- c(view$dim, length(view$tf), 0, length(param@variance))
    if (!is.null(known)) {
        sizes[[5L]] <- sizes[[5L]] * length(param@strength)
        sizes <- c(sizes, max(diff(known$start)))
    }
    need <- .Call(cw_r_ridge_forecast, as.numeric(sizes), threads)
    .checkEstimatorMemory(need, "the regressions")
    fit <- if (is.null(known)) {
        .Call(cw_r_ridge_pooled, x, view$tf, param@variance, threads)
    } else {
        .Call(cw_r_ridge_known, x, view$tf, known, list(
            variance = param@variance, strength = param@strength,
            nulls = param@nulls
        ), key, threads)
    }
    slope <- t(fit$slope)
    list(
        scores = abs(slope), sign = sign(slope),
        targets = data.frame(
            ## 0: a constant gene, of which there is nothing to say
            evidence = ifelse(fit$evidence == 0, 0,
                fit$evidence + view$dim[[1L]] / 2
            ),
            variance = fit$chosen[[1L]]
        ),
        prior = if (!is.null(known)) .priorReport(param, fit, known)
    )
})

## The prior's edges between genes that are here, by target, as the engine
## reads them.
.knownEdges <- function(param, view) {
    names <- .cleanSymbol(view$labels)
    tf <- match(param@prior$Gene1, names[view$tf + 1L])
    gene <- match(param@prior$Gene2, names)
    here <- !is.na(tf) & !is.na(gene)
    here[here] <- view$tf[tf[here]] + 1L != gene[here]
    if (!any(here)) {
        .stopArgument("prior", "has no edge from a factor to a gene among ",
            "those used; its first are ",
            .some(paste(param@prior$Gene1, param@prior$Gene2), 3L),
            ", the factors ", .some(view$labels[view$tf + 1L], 3L),
            ". Another species? reconcileGenes() translates names."
        )
    }
    edges <- unique(data.frame(gene = gene[here], tf = tf[here]))
    edges <- edges[order(edges$gene, edges$tf), ]
    list(
        start = c(0L, cumsum(tabulate(edges$gene, length(names)))),
        tf = edges$tf - 1L
    )
}

.priorReport <- function(param, fit, known) {
    list(
        edges = length(known$tf), given = nrow(param@prior),
        strength = fit$chosen[[2L]], gain = fit$chosen[[3L]],
        nullGain = fit$nullGain, evidence = data.frame(
            strength = param@strength, evidence = fit$best
        )
    )
}

setMethod(".estimate", "CorGRNParam", function(param, view, key, threads) {
    at <- view$tf + 1L
    r <- if (param@method == "partial") {
        .partialCorrelations(view$genes, at)
    } else {
        .correlations(view$genes, at, param@method)
    }
    r[cbind(seq_along(at), at)] <- 0
    list(scores = abs(r), sign = sign(r), targets = NULL)
})

## TFs x genes: correlation given all other TFs. With P the inverse of the
## TFs' shrunken correlations R, beta = P r_g and s = 1 - r_g' beta it is
## beta_t / sqrt(s P_tt + beta_t^2), for TFs -P_tu / sqrt(P_tt P_uu).
.partialCorrelations <- function(expression, tfAt,
    lambda = .shrinkage(Matrix::t(expression), tfAt)) {
    r <- (1 - lambda) * .correlations(expression, tfAt, "pearson")
    tfs <- r[, tfAt, drop = FALSE]
    diag(tfs) <- 1
    p <- tryCatch(chol2inv(chol(tfs)), error = function(e) {
        solve(tfs + diag(1e-6, nrow(tfs)))
    })
    beta <- p %*% r
    s <- pmax(1 - colSums(r * beta), 1e-12)
    out <- beta / sqrt(outer(diag(p), s) + beta^2)
    out[, tfAt] <- -p / sqrt(outer(diag(p), diag(p)))
    out
}

## Schaefer and Strimmer's estimate of the best share of shrinkage towards no
## correlation: sum Var(r_tg) / sum r_tg^2 over TFs and genes; at least 1e-4.
## byCell: cells x genes, taken in blocks of cells.
.shrinkage <- function(byCell, tfAt) {
    n <- nrow(byCell)
    if (ncol(byCell) < 2L || n < 3L) {
        return(1e-4)
    }
    mean <- Matrix::colMeans(byCell)
    square <- pmax(Matrix::colSums(byCell^2) - n * mean^2, 0)
    scale <- ifelse(square > 1e-9 * n, sqrt((n - 1) / square), 0)
    first <- second <- matrix(0, length(tfAt), ncol(byCell))
    for (from in seq(1L, n, by = 2048L)) {
        at <- from:min(n, from + 2047L)
        z <- as.matrix(byCell[at, , drop = FALSE])
        z <- sweep(sweep(z, 2L, mean), 2L, scale, `*`)
        tf <- z[, tfAt, drop = FALSE]
        first <- first + crossprod(tf, z)
        second <- second + crossprod(tf^2, z^2)
    }
    variance <- n / (n - 1)^3 * (second - first^2 / n)
    r <- first / (n - 1)
    self <- cbind(seq_along(tfAt), tfAt)
    total <- sum(r^2) - sum(r[self]^2)
    noise <- sum(variance) - sum(variance[self])
    if (total <= 0) 1 - 1e-4 else min(1 - 1e-4, max(1e-4, noise / total))
}

setMethod(".estimate", "CombinedGRNParam", function(param, view, key,
    threads) {
    fits <- lapply(param@estimators, .estimate, view = view, key = key,
        threads = threads
    )
    ridge <- vapply(param@estimators, methods::is, logical(1),
        class2 = "RidgeGRNParam"
    )
    from <- if (any(ridge)) which(ridge)[[1L]] else 1L
    weights <- .weightsOf(param) / sum(.weightsOf(param))
    scores <- Map(function(fit, w) fit$scores^w, fits, weights)
    targets <- Filter(Negate(is.null), lapply(fits, `[[`, "targets"))
    list(
        scores = Reduce(`*`, scores),
        sign = fits[[from]]$sign,
        targets = if (length(targets)) do.call(cbind, targets),
        prior = fits[[from]]$prior
    )
})

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
    PooledGRN(fit$scores, nCells = ncol(prepared$values), metadata = list(
        model = .estimatorName(param), estimator = class(param)[[1L]],
        settings = .estimatorSettings(param), sign = sign, targets = targets,
        seed = .keyText(key), engine = .engineText(),
        species = prepared$report$species, coverage = prepared$report,
        prior = .priorUse(fit$prior), priorEvidence = fit$prior,
        preprocessing = prepared$report$settings,
        seconds = seconds, centring = centring
    ))
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

#' Activation or repression
#'
#' The sign of the edges of a network made by [inferGRN()] without a
#' foundation model: that of the ridge slope or (partial) correlation over the
#' cells. It is an association: a repressor that is made along with its
#' target's activator can look like an activator.
#'
#' @param x a [PooledGRN-class] with signs.
#' @param edges NULL, or a data.frame with columns Gene1 and Gene2, such as
#'   [edgeTable()] gives.
#' @return Without `edges` an integer matrix TFs x genes of -1, 0 and 1; with
#'   `edges` one such number per row. Stops when the network has no signs, or
#'   an edge is not in it.
#' @seealso [edgeTable()], [GRNParam-class]
#' @examples
#' grn <- inferGRN(exampleCells(), RidgeGRNParam(), nTargets = 30)
#' edges <- edgeTable(grn, top = 5)
#' edges$sign <- edgeSign(grn, edges)
#' edges
#' @export
edgeSign <- function(x, edges = NULL) {
    if (!is(x, "PooledGRN")) {
        .stopArgument("x", "must be a PooledGRN; it is a ", class(x)[[1L]],
            "."
        )
    }
    sign <- x@metadata$sign
    if (is.null(sign)) {
        .stopArgument("x", "has no signs; networks that inferGRN() estimates ",
            "without a foundation model have them."
        )
    }
    if (is.null(edges)) {
        return(sign)
    }
    if (!is.data.frame(edges) ||
        !all(c("Gene1", "Gene2") %in% names(edges))) {
        .stopArgument("edges", "must be a data.frame with columns Gene1 and ",
            "Gene2; it is ", .show(names(edges)), "."
        )
    }
    at <- cbind(
        match(edges$Gene1, rownames(sign)), match(edges$Gene2, colnames(sign))
    )
    if (anyNA(at)) {
        bad <- which(is.na(at[, 1L]) | is.na(at[, 2L]))
        .stopArgument("edges", "has edges that are not in 'x': ",
            .some(paste(edges$Gene1, edges$Gene2)[bad]), "."
        )
    }
    sign[at]
}
