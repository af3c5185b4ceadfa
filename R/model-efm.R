## The embedding module of scCAFM: settings, new models, training.

#' Embedding foundation module (EFM)
#'
#' The second module of scCAFM reads a cell's genes in the causal order of its
#' network, regulators first, and learns to tell each gene and its expression
#' from those before it. Its state at the cell's prefix is the cell's
#' embedding.
#'
#' @details
#' The order comes from `network`: with an `SFModel` every cell has the order of
#' its own network; with a [PooledGRN-class] all cells have one. Again and again
#' the gene with no incoming weight left and the most outgoing weight is
#' taken; where every gene has incoming weight, a cycle is broken at the largest
#' ratio of outgoing to incoming. Without a network genes are read as they stand,
#' which is no causal order.
#'
#' @param embedDim,layers,heads,mlpHidden width, blocks, attention heads and
#'   hidden width of the Transformer.
#' @param exprBins,exprHidden,batchBins,batchHidden,headHidden see
#'   [SFMParam()]; `headHidden`: hidden width of the two heads.
#' @param condDropout,outDropout,mlpDropout,headDropout dropout in training.
#' @param rotary positions in attention: `"half"` (as published),
#'   `"interleaved"` or `"none"`.
#' @param maxLength most tokens of a cell, one prefix included.
#' @param preset `"laptop"` or `"published"`: where unset values come from.
#' @param object an `EFMParam`.
#' @return An object of class `EFMParam`.
#' @section Errors: a value out of range or an `embedDim` that isn't a multiple
#'   of `heads` is an error that names the argument.
#' @references scCAFM, repository Catchxu/scCAFM (GPL-3).
#' @seealso [newModel()], [trainModel()], [embedCells()],
#'   [generateExpression()], [loadModel()] with `module = "efm"`
#' @examples
#' EFMParam(embedDim = 32, layers = 1)
#' @export
EFMParam <- function(embedDim = NULL, layers = NULL, heads = NULL,
    mlpHidden = NULL, exprBins = NULL, exprHidden = NULL, batchBins = NULL,
    batchHidden = NULL, headHidden = NULL, condDropout = NULL,
    outDropout = NULL, mlpDropout = NULL, headDropout = NULL, rotary = "half",
    maxLength = 4096, preset = c("laptop", "published")) {
    given <- Filter(Negate(is.null), mget(names(formals(EFMParam))))
    preset <- .oneOf(preset[[1L]], c("laptop", "published"), "preset")
    table <- .engineSettings("efm")
    table <- table[table$argument %in% names(formals(EFMParam)), ]
    value <- setNames(as.list(table$default), table$argument)
    chosen <- .enginePresets("efm")[[preset]]
    value[names(chosen)] <- as.list(chosen)
    value[c("mlpHidden", "headHidden")] <- lapply(
        value[c("mlpHidden", "headHidden")], function(v) if (v > 0) v
    )
    known <- intersect(names(given), table$argument)
    value[known] <- given[known]
    value <- .checkBySettings(value, table)
    value$rotary <- rotary
    value$maxLength <- .checkNumber(maxLength, "maxLength", 2, 1e6, TRUE)
    .checkTrunk(value)
    new("EFMParam", settings = c(value, preset = preset))
}

#' @rdname EFMParam
#' @name EFMParam-class
#' @exportClass EFMParam
setClass("EFMParam", contains = "CausewayParam")

#' @rdname EFMParam
#' @export
setMethod("show", "EFMParam", function(object) {
    s <- object@settings
    cat("EFMParam (preset \"", s$preset, "\"): ", s$layers, " layers, width ",
        s$embedDim, ", ", s$heads, " heads\n",
        sep = ""
    )
})

#' @rdname newModel
#' @export
setMethod("newModel", "EFMParam", function(param, x = NULL, genes = NULL,
    species = NULL, tfs = NULL, seed = NULL, threads = NULL,
    assay.type = NULL, symbols = NULL, minCells = 1, conditions = 64,
    assay = NULL, geneVectors = NULL, verbose = FALSE) {
    .newModule("efm", .moduleConfig(param@settings, "efm", "efm"),
        param@settings$maxLength, x, genes, species, tfs, seed, threads,
        assay.type, symbols, minCells, conditions, assay, geneVectors,
        verbose
    )
})

#' @rdname FoundationModel-class
#' @export
setMethod("show", "EFModel", function(object) {
    s <- object@config$efm
    .encoderShow(object, "EFM", c(
        paste0(s$num_layers, " layers, width ", s$embed_dim, ", ",
            s$num_heads, " heads"
        ),
        paste0("genes: ", nrow(object@vocab) - 1L)
    ), "trainModel(x, model, network), embedCells(x, model, network)")
})

## ---- the order in which genes are read ------------------------------------

## prepared with `order`: places from 0, genes x cells, or one column for all;
## `once`: every cell is read once, and its order is made when it is.
.withOrder <- function(prepared, model, network, verbose, once = FALSE) {
    if (is.null(network)) {
        return(prepared)
    }
    prepared$order <- if (methods::is(network, "SFModel")) {
        .checkOrders(model, network)
        if (once) {
            plain <- prepared # without the order that is being made
            function(at) .cellOrders(plain, model, network, FALSE, at)
        } else {
            .checkOrderMemory(prepared)
            .cellOrders(prepared, model, network, verbose)
        }
    } else if (methods::is(network, "PooledGRN")) {
        .pooledOrder(prepared, model, network)
    } else {
        .stopArgument("network", "must be an SFModel, a PooledGRN, or NULL; ",
            "it is a ", class(network)[[1L]], "."
        )
    }
    prepared
}

.checkOrders <- function(model, network) {
    .alive(network)
    if (!identical(network@vocab, model@vocab)) {
        .stopArgument("network", "has another vocabulary than 'model'; make ",
            "the model of the same genes, newModel(EFMParam(), genes = ...), ",
            "or load both from one package."
        )
    }
    invisible()
}

.checkOrderMemory <- function(prepared) {
    n <- ncol(prepared$values)
    need <- 8 * as.numeric(n) * nrow(prepared$values)
    if (need > .memoryLimit()) {
        .stopArgument("network", "has an order of genes for every cell, which ",
            "takes ", .bytes(need), " for ", n, " cells, and ",
            .bytes(.memoryLimit()), " may be used; take fewer cells or genes, ",
            "or one order for all: poolGRN() of some cells' networks."
        )
    }
    invisible()
}

## Of the cells `at`.
.cellOrders <- function(prepared, model, network, verbose,
    at = seq_len(ncol(prepared$values))) {
    blocks <- unname(split(at, (seq_along(at) - 1L) %/% 8L))
    bar <- .progressStart("Ordering genes ", length(blocks), verbose)
    on.exit(.progressDone(bar))
    orders <- lapply(seq_along(blocks), function(i) {
        batch <- .tokenBatch(prepared, blocks[[i]])
        batch$conditions[] <- 0L # the two tables number conditions apart
        found <- .engineRun(network, "networks", batch)
        .progressTick(bar, i)
        genes <- length(prepared$tokens)
        gates <- .unpackGates(found, genes, which(!prepared$nonTF),
            network@config$sfm$num_factors
        )
        .engineRun(model, "order", gates)$order
    })
    do.call(cbind, orders)
}

## Gates of all cells as the engine packs them, as arrays factors x genes x
## cells; those of genes that are no TFs are 0 in u.
.unpackGates <- function(found, genes, tf, factors) {
    spread <- function(index, weight, rows) {
        cells <- ncol(index) / length(rows)
        full <- array(0, c(factors, genes, cells))
        at <- cbind(as.integer(index) + 1L,
            rep(rep(rows, cells), each = nrow(index)),
            rep(seq_len(cells), each = nrow(index) * length(rows))
        )
        keep <- weight > 0
        full[at[keep, , drop = FALSE]] <- weight[keep]
        full
    }
    list(u = spread(found$uIndex, found$uWeight, tf),
        v = spread(found$vIndex, found$vWeight, seq_len(genes))
    )
}

.pooledOrder <- function(prepared, model, network) {
    scores <- as.matrix(network)
    at <- match(prepared$labels, colnames(scores))
    tf <- match(prepared$labels, rownames(scores))
    if (all(is.na(at)) || all(is.na(tf))) {
        .stopArgument("network", "has no gene or no TF of these cells; its ",
            "genes are like ", .some(colnames(scores), 3L), "."
        )
    }
    known <- which(!is.na(tf))
    genes <- length(at)
    u <- array(0, c(length(known), genes, 1L))
    u[cbind(seq_along(known), known, 1L)] <- 1
    v <- scores[tf[known], at, drop = FALSE]
    v[is.na(v)] <- 0
    found <- .engineRun(model, "order",
        list(u = u, v = array(v, c(length(known), genes, 1L)))
    )
    matrix(found$order, genes, 1L)
}

## ---- training ---------------------------------------------------------------

#' @rdname trainModel
#' @param network for an EFM: where the order of the genes comes from, see
#'   [EFMParam()].
#' @param lambdaExpression for an EFM: weight of the expression's squared error
#'   beside the cross entropy of the next gene.
#' @export
setMethod("trainModel", c("ANY", "EFModel"), function(x, model,
    network = NULL, assay.type = NULL, symbols = NULL, species = NULL,
    platform = NULL, tissue = NULL, disease = NULL, tfs = NULL,
    nTargets = NULL, keep = NULL, genes = NULL, epochs = NULL, batchSize = 16,
    accumulate = 1, lr = NULL, weightDecay = 0.05, warmup = 0.03,
    minLrRatio = 0.1, clip = 1, lambdaExpression = 0.5, conditionMask = 0.1,
    preprocess = list(), alreadyNormalised = NULL, resume = NULL, dir = NULL,
    saveEvery = 100, keepLast = 3, seed = NULL, assay = NULL,
    verbose = interactive(), ...) {
    .noDots(...)
    .alive(model)
    how <- .inputArgs(assay.type, symbols,
        if (is.null(species)) model@state$species else species, tfs, nTargets,
        keep, genes, alreadyNormalised, preprocess, assay, platform, tissue,
        disease
    )
    settings <- .runSettings(list(batchSize = batchSize,
        accumulate = accumulate, lr = lr, weightDecay = weightDecay,
        warmup = warmup, minLrRatio = minLrRatio, clip = clip,
        lambdaExpression = .checkNumber(lambdaExpression,
            "lambdaExpression", 0
        ), conditionMask = conditionMask
    ), model@config$efm$embed_dim)
    saving <- .checkSaving(dir, saveEvery, keepLast)
    .trainModel(model, x, how, settings, epochs, NULL, resume, saving, seed,
        verbose, function(prepared) {
            .withOrder(prepared, model, network, verbose)
        }
    )
})

#' @rdname trainModel
#' @export
setMethod("trainModel", c("ANY", "EFMParam"), function(x, model, ...,
    species = NULL, tfs = NULL, assay.type = NULL, symbols = NULL,
    assay = NULL, threads = NULL, seed = NULL) {
    .trainNew(x, model, ..., species = species, tfs = tfs,
        assay.type = assay.type, symbols = symbols, assay = assay,
        threads = threads, seed = seed
    )
})
