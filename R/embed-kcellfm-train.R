## Training KCellFM: classes, hidden values, ranks of cell types.

#' Train KCellFM
#'
#' With a KCellFM model [trainModel()] gives a *new* model trained on cells; the
#' one given stays as it is. With `group` classes are learnt; with `types` too
#' cells' vectors are drawn to the vectors of their types' names (and these
#' nearer than those of types that `relations` calls close, these nearer than
#' those of other types); with `values` hidden values. Without `group` hidden
#' values are learnt alone.
#'
#' @details
#' The defaults for classes alone are the published fine-tuning's: the last two
#' layers, gene vectors, the reading of values and the class head are trained,
#' the other layers keep their bits; the class head's last layer is drawn anew;
#' AdamW, the gradient's norm held to 1; and the model returned is that of the
#' epoch with the best accuracy on held-out cells, which is therefore too good
#' for an estimate: hold cells back yourself for one. Pre-training as published
#' has `group`, `types`, `relations`, `values = TRUE`, `tuneLayers = NULL`,
#' `lr = 5e-5`, `weightDecay = 0`: losses weigh 0.5 (values), 1 (classes) and 0.5
#' (ranks). Where no type is close to a cell's, another one is drawn in its
#' place, and so is the type that it is to be far from. The token in front of the
#' genes is never hidden (the published code may hide it, too).
#'
#' The published code reads relations of types whose name is one word; here
#' names of several words have theirs, too.
#'
#' @section Runs that survive a kill: with `dir` every epoch leaves a checkpoint
#'   there; the same call goes on from the last one, to the numbers of a run
#'   that was never stopped.
#'
#' @inheritParams cellInput
#' @param model a KCellFM model, or a [KCellFMParam()]: the model is then made of
#'   the cells' genes first.
#' @param group `NULL`, or the classes: a column of `colData(x)`, or one value
#'   per cell. Cells without a class (`NA`) are left out.
#' @param types `NULL`, or a matrix, types x width, of what
#'   `embedText(names, model)` gives for the names of the classes: each class is
#'   a row name, in any case. Its width must be the model's.
#' @param relations `NULL`, or what [readTriples()] gives: which types are close.
#' @param values learn hidden values, too?
#' @param mask share of each cell's genes that is hidden for that.
#' @param tuneLayers how many of the last layers are trained; `NULL`: all.
#' @param nTargets `NULL`: all genes that the model knows; or so many variable
#'   ones. `genes`: exactly those.
#' @param genes see `nTargets`.
#' @param maxLength,alreadyNormalised,zeros as for [embedCells()].
#' @param epochs,batchSize,lr,weightDecay as for other models.
#' @param valid share of the cells (of the blocks) that is held out; 0: none.
#' @param block `NULL`, or a column of `colData(x)`, or one value per cell.
#' @param keepBest return the epoch with the best accuracy on held-out cells,
#'   rather than the last?
#' @param dir folder for checkpoints, or `NULL`; `keepLast` of them stay.
#' @param keepLast see `dir`.
#' @param seed `NULL`: drawn from R's generator; or a whole number.
#' @param threads threads of the new model.
#' @param verbose show messages and progress.
#' @param ... not used; for a `KCellFMParam`: all of the above.
#' @return A model of class `KCellFMModel`; [trainingHistory()] of it has a row
#'   per epoch: `epoch`, the losses, `lr`, `macroF1`, `accuracy` and
#'   `centroidF1` of held-out cells, `seconds`.
#' @section Errors: those of [embedCells()]; fewer than two classes; classes
#'   without a vector; vectors of another width; a folder that holds another
#'   run.
#' @references KCellFM (2025), nudt-bioinfo/KCFM.
#' @seealso [predictClasses()], [ontologyTriples()], [embedCells()]
#' @examples
#' cells <- exampleCells()
#' cells$kind <- rep(c("a", "b"), length.out = ncol(cells))
#' model <- newModel(KCellFMParam(embedDim = 16, layers = 2, stateDim = 8,
#'     headDim = 8), cells, seed = 1)
#' tuned <- trainModel(cells, model, group = "kind", tuneLayers = 1, epochs = 1,
#'     nTargets = 50, seed = 1, verbose = FALSE)
#' trainingHistory(tuned)
#' head(predictClasses(cells, tuned, verbose = FALSE))
#' @rdname trainModel-kcellfm
#' @aliases trainModel,ANY,KCellFMModel-method
#' @export
setMethod("trainModel", c("ANY", "KCellFMModel"), function(x, model,
    group = NULL, assay.type = NULL, symbols = NULL, types = NULL,
    relations = NULL, values = is.null(group), mask = 0.15, tuneLayers = 2,
    nTargets = NULL, genes = NULL, maxLength = 2049,
    alreadyNormalised = FALSE, zeros = FALSE, epochs = 10, batchSize = 32,
    lr = 2e-4, weightDecay = 1e-3, valid = 0.3, block = NULL,
    keepBest = !values && is.null(types), dir = NULL, keepLast = 3,
    seed = NULL, threads = NULL, assay = NULL, verbose = interactive(), ...) {
    .noDots(...)
    .alive(model)
    .checkFlag(keepBest, "keepBest")
    .checkFlag(zeros, "zeros")
    s <- .tuningSettings(list(loraRank = 1, values = values, mask = mask,
        similarity = 0, epochs = epochs, batchSize = batchSize, lr = lr,
        weightDecay = weightDecay, valid = valid, zeros = zeros,
        maxLength = .checkNumber(maxLength, "maxLength", 2, 1e6, TRUE),
        alreadyNormalised = alreadyNormalised, classWeights = FALSE,
        keepBest = keepBest, train = "all layers"
    ))
    layers <- model@config$nlayers
    if (!is.null(tuneLayers)) {
        s$tuneLayers <- .checkNumber(tuneLayers, "tuneLayers", 0, whole = TRUE)
        s$train <- paste("the last", min(s$tuneLayers, layers), "of", layers,
            "layers"
        )
    }
    if (is.null(group) && !values) {
        .stopArgument("group", "is NULL and 'values' FALSE: there is nothing ",
            "to train."
        )
    }
    saving <- .checkSaving(dir, 1, keepLast)
    how <- .inputArgs(assay.type, symbols, NULL, NULL, nTargets, NULL, genes,
        assay = assay
    )
    data <- .cellfmData(x, model, how, group, block, s, verbose)
    known <- .kcellfmTypes(model, data, types, relations)
    s$types <- .hash(known)
    key <- .newKey(seed)
    tuned <- .kcellfmTuned(model, s, data, key, .threads(threads))
    if (!is.null(known)) {
        .engineBind(tuned, known)
        on.exit(.engineBind(tuned, list()))
    }
    .tune(tuned, data, s, key, verbose, .kcellfmRun(tuned, data, s,
        !is.null(known)
    ), saving)
})

#' @rdname trainModel-kcellfm
#' @aliases trainModel,ANY,KCellFMParam-method
#' @export
setMethod("trainModel", c("ANY", "KCellFMParam"), function(x, model, ...,
    tuneLayers = NULL, assay.type = NULL, symbols = NULL, assay = NULL,
    seed = NULL, threads = NULL) {
    made <- newModel(model, x, seed = seed, threads = threads,
        assay.type = assay.type, symbols = symbols, assay = assay
    )
    trainModel(x, made, ..., tuneLayers = tuneLayers, assay.type = assay.type,
        symbols = symbols, assay = assay, seed = seed, threads = threads
    )
})

#' @rdname trainModel-kcellfm
#' @export
setMethod("trainingHistory", "KCellFMModel", function(model, ...) {
    .noDots(...)
    model@state$history
})

## What stays with the model for the ranking loss: list(typeEmbedding: width x
## classes, close: classes x classes, 0 or 1), or NULL.
.kcellfmTypes <- function(model, data, types, relations) {
    if (is.null(types)) {
        if (!is.null(relations)) {
            .stopArgument("relations", "say which 'types' are close, and ",
                "'types' is NULL: give vectors of the classes' names."
            )
        }
        return(NULL)
    }
    if (is.null(data$class)) {
        .stopArgument("types", "are the classes' vectors, and 'group' is NULL.")
    }
    types <- .typeVectors(types, data$levels, model@config$d_model)
    close <- matrix(0L, length(data$levels), length(data$levels))
    if (!is.null(relations)) {
        close <- .closeTypes(relations, data$levels)
    }
    list(typeEmbedding = t(types), close = close)
}

## Rows of `types` for these names, in any case.
.typeVectors <- function(types, names, width, arg = "types") {
    if (!is.matrix(types) || !is.numeric(types) || is.null(rownames(types)) ||
        !all(is.finite(types))) {
        .stopArgument(arg, "must be a matrix of numbers whose rows are named ",
            "by types, as embedText(names, model) gives."
        )
    }
    at <- match(tolower(names), tolower(rownames(types)))
    if (anyNA(at)) {
        .stopArgument(arg, "has no vector of ", .some(names[is.na(at)]),
            "; its rows are like ", .some(rownames(types), 3L), "."
        )
    }
    if (ncol(types) != width) {
        .stopArgument(arg, "has ", ncol(types), " columns, and cells have ",
            "vectors of ", width, "."
        )
    }
    types[at, , drop = FALSE]
}

## A model of the same weights with a head for these classes, whose last layer
## is drawn anew where they are others than before.
.kcellfmTuned <- function(model, s, data, key, threads) {
    config <- model@config
    if (length(data$levels)) {
        config$class_num <- length(data$levels)
    }
    made <- .kcellfmModel(config, model@vocab, key, threads,
        model@state$layout
    )
    fresh <- paste0("cls_decoder.out_layer.", c("weight", "bias"))
    drawn <- lapply(fresh, modelTensor, model = made)
    .copyWeights(model, made)
    if (length(data$levels) &&
        !identical(data$levels, model@state$classes)) {
        for (i in seq_along(fresh)) {
            setModelTensor(made, fresh[[i]], drawn[[i]])
        }
    }
    made@state$classes <- data$levels
    made@state$genes <- data$labels
    made@state$tuning <- s
    made@state$history <- NULL
    made
}

.kcellfmRun <- function(model, data, s, ranked) {
    reading <- .kcellfmReading(s$maxLength, NULL, s$alreadyNormalised, s$zeros)
    class <- !is.null(data$class)
    weights <- c(mlm = 0.5 * s$values, class = as.numeric(class),
        ranking = 0.5 * ranked
    )
    list(task = "train", what = if (class) "annotation" else "pre-training",
        reading = reading, keepBest = s$keepBest,
        optimizer = function(steps) {
            list(optimizer = "adamw", beta2 = 0.999, schedule = "constant",
                clip = 1
            )
        },
        settings = c(reading, mask = s$mask), weights = weights,
        off = names(weights)[weights == 0],
        groups = .kcellfmGroups(s, weights, model@config$nlayers)
    )
}

## What takes no part in a loss is left alone: decay would move it.
.kcellfmGroups <- function(s, weights, layers) {
    frozen <- c(if (weights[["mlm"]] == 0) "decoder.*",
        if (weights[["class"]] == 0) "cls_decoder.*"
    )
    if (!is.null(s$tuneLayers)) {
        first <- seq_len(max(0, layers - s$tuneLayers)) - 1L
        frozen <- c(frozen, sprintf("mamba_encoder.%d.*", first))
    }
    if (!length(frozen)) {
        return(NULL)
    }
    data.frame(match = c("*", frozen), lr = NA_real_, weightDecay = NA_real_,
        frozen = c(FALSE, rep(TRUE, length(frozen)))
    )
}
