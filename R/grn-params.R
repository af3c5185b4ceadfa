## Estimators of pooled networks: classes, constructors, names.

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
#' standard deviations above the mean gain, of `nPerm` priors in which the
#' known TFs are dealt to other genes; otherwise the prior is not used. The
#' prior's signs are not used. It moves the edges it holds and hardly any other
#' (`bench/prior.R`), so score such a network on edges the prior did not hold
#' ([splitReference()]); `metadata(x)$priorEvidence` has the gains.
#'
#' `CorGRNParam()`: absolute correlation; `"partial"` is that of TF and gene
#' given all other TFs, from correlations shrunken after Schaefer and Strimmer.
#'
#' `CombinedGRNParam()`: the weighted geometric mean of the scores of several
#' estimators, times the `byTarget`-th power (over the sum of the weights) of
#' the largest absolute correlation of the target with a factor. Importances of
#' trees say how one target's factors share it, not whether anything explains
#' it; where many targets are mostly noise, that is what tells edges apart. By
#' default trees, ridge and Pearson correlation, with weights that depend on
#' the data, see [inferGRN-pooled].
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
#' @param variance prior variances of the slopes to choose from; NULL: 0.001,
#'   0.003, 0.01, and with more than 24 TFs these times 24 / TFs as well.
#' @param prior NULL, or edges believed beforehand: a data.frame with columns
#'   `Gene1` (TF) and `Gene2`, such as [priorNetwork()] gives.
#' @param strength numbers of 1 or more to choose from, see Details; 1, no use
#'   of the prior, always competes.
#' @param nPerm priors of the null; 0: the highest evidence decides.
#' @param estimators list of two or more of the objects above.
#' @param weights a number above 0 for each estimator; NULL: equal, but for the
#'   default estimators by the data, see [inferGRN-pooled].
#' @param byTarget see Details; 0: all targets alike.
#' @param object a parameter object.
#' @param ... not used.
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
setClass("GRNParam", contains = c("CausewayParam", "VIRTUAL"))

#' @rdname GRNParam-class
#' @exportClass TreeGRNParam
setClass("TreeGRNParam", contains = "GRNParam")

#' @rdname GRNParam-class
#' @exportClass RidgeGRNParam
setClass("RidgeGRNParam", contains = "GRNParam")

#' @rdname GRNParam-class
#' @exportClass CorGRNParam
setClass("CorGRNParam", contains = "GRNParam")

#' @rdname GRNParam-class
#' @exportClass CombinedGRNParam
setClass("CombinedGRNParam", contains = "GRNParam")

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
RidgeGRNParam <- function(variance = NULL, prior = NULL,
    strength = c(1, 3, 10, 30), nPerm = 8, ...) {
    .noDots(..., renamed = c(nulls = "nPerm"))
    if (!is.null(variance) && (!is.numeric(variance) || !length(variance) ||
        !all(is.finite(variance)) || any(variance <= 0))) {
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
    new("RidgeGRNParam", settings = list(
        variance = if (!is.null(variance)) as.numeric(variance),
        prior = .checkPrior(prior),
        strength = sort(unique(c(1, as.numeric(strength)))),
        nPerm = .checkNumber(nPerm, "nPerm", 0, 1000, TRUE)
    ))
}

.checkPrior <- function(prior) {
    if (is.null(prior)) {
        return(data.frame(Gene1 = character(), Gene2 = character()))
    }
    if (!is.data.frame(prior) && !is(prior, "DataFrame")) {
        .stopArgument("prior", "must be a data.frame with columns Gene1 (the ",
            "factor) and Gene2, such as priorNetwork() gives; it is ",
            .show(prior), "."
        )
    }
    prior <- .referenceEdges(prior, "prior")
    if (!nrow(prior)) {
        .stopArgument("prior", "has no edges; NULL means no prior.")
    }
    prior <- data.frame(
        Gene1 = .cleanSymbol(prior$Gene1), Gene2 = .cleanSymbol(prior$Gene2)
    )
    unique(prior[!is.na(prior$Gene1) & !is.na(prior$Gene2), ])
}

#' @rdname GRNParam-class
#' @export
CorGRNParam <- function(method = c("pearson", "spearman", "partial")) {
    new("CorGRNParam", settings = list(method = .oneOf(method,
        c("pearson", "spearman", "partial"), "method"
    )))
}

#' @rdname GRNParam-class
#' @export
CombinedGRNParam <- function(estimators = list(
        TreeGRNParam(), RidgeGRNParam(), CorGRNParam()
    ), weights = NULL, byTarget = 0) {
    byData <- is.null(weights) && missing(estimators) && missing(byTarget)
    simple <- function(e) {
        methods::is(e, "GRNParam") && !methods::is(e, "CombinedGRNParam") &&
            !methods::is(e, "PerCellGRNParam")
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
    new("CombinedGRNParam", settings = list(estimators = estimators,
        weights = if (byData) numeric() else as.numeric(weights),
        byTarget = .checkNumber(byTarget, "byTarget", 0)
    ))
}

## The weights of the default depend on the data, see grn-choice.R; those of
## its estimators that count for nothing are not run.
.weightsOf <- function(param) {
    weights <- param@settings$weights
    if (length(weights)) weights else .defaultWeights$trees
}

setMethod(".paramName", "TreeGRNParam", function(param) {
    s <- param@settings
    if (s$method == "boosting") "gradient boosting" else
        "extremely randomised trees"
})
setMethod(".paramName", "RidgeGRNParam", function(param) "evidence ridge")
setMethod(".paramName", "CorGRNParam", function(param) {
    paste(c(pearson = "Pearson", spearman = "Spearman",
        partial = "partial")[[param@settings$method]], "correlation")
})
setMethod(".paramName", "CombinedGRNParam", function(param) {
    paste(vapply(param@settings$estimators, .paramName, ""), collapse = " x ")
})

setMethod(".paramSettings", "TreeGRNParam", function(param) {
    s <- param@settings
    boost <- c("depth", "rate", "subsample", "window")
    trees <- c("sampleSize", "cut")
    s[setdiff(names(s), if (s$method == "boosting") trees else boost)]
})
setMethod(".paramSettings", "RidgeGRNParam", function(param) {
    s <- param@settings
    c(s["variance"], if (nrow(s$prior)) {
        c(list(priorEdges = nrow(s$prior)), s[c("strength", "nPerm")])
    })
})
setMethod(".paramSettings", "CombinedGRNParam", function(param) {
    c(lapply(param@settings$estimators, .paramSettings),
        list(weights = .weightsOf(param), byTarget = param@settings$byTarget)
    )
})

#' @rdname GRNParam-class
#' @aliases show,GRNParam-method
#' @export
setMethod("show", "CausewayParam", function(object) {
    name <- .paramName(object)
    cat(class(object), if (nzchar(name)) paste0(": ", name), "\n", sep = "")
    s <- .paramSettings(object)
    s <- s[nzchar(names(s))]
    values <- vapply(s, function(v) {
        if (!length(v)) {
            return("NULL")
        }
        paste(format(v, trim = TRUE), collapse = ", ")
    }, "")
    cat(sprintf("  %s = %s\n", names(s), values), sep = "")
})

setMethod(".paramName", "CausewayParam", function(param) "")

setMethod(".paramSettings", "CausewayParam", function(param) param@settings)
