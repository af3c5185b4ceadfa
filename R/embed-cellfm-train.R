## Training CellFM: hidden values, classes, adapters.

#' Train CellFM
#'
#' With a CellFM model [trainModel()] gives a *new* model trained on cells; the
#' one given stays as it is. Without `group` hidden values are learnt, as in
#' pre-training. With `group` classes are: by two layers in which classes ask
#' the genes (`head = "query"`, the published annotation; its backbone loses
#' its decoders), or by a network on the cell's row (`head = "cls"`, the
#' PyTorch port), which learns hidden values beside them.
#'
#' @details
#' `train` says what is trained: `"all"`; `"heads"`: what is no backbone;
#' `"lora"`: that, and pairs of thin matrices beside the layers' (published rank
#' 32 or 64; see [mergeLora()]); `"encoder"`: that, and the layers, while gene
#' vectors, tokens and the reading of values stay (the port). Adam, without
#' decay of embeddings and biases; with `head = "cls"` the rate falls by a
#' twentieth every epoch, else it stays.
#'
#' Cells are held out by `valid` (by `block`, whole blocks: donors, batches),
#' and their classes predicted after every epoch beside a nearest-centroid
#' rule. From scratch on small data the centroid usually wins.
#'
#' @section Runs that survive a kill: with `dir` every epoch leaves a checkpoint
#'   there; the same call goes on from the last one, to the numbers of a run
#'   that was never stopped.
#'
#' @inheritParams cellInput
#' @param group `NULL`, or the classes: a column of `colData(x)`, or one value
#'   per cell. Cells without a class (`NA`) are left out.
#' @param loraRank rank of the pairs.
#' @param values with `head = "cls"`: learn hidden values, too?
#' @param genes exactly the genes that are read.
#' @param epochs,batchSize,lr,weightDecay as for other models.
#' @param valid share of the cells (of the blocks) that is held out; 0: none.
#' @param block `NULL`, or a column of `colData(x)`, or one value per cell.
#' @param seed `NULL`: drawn from R's generator; or a whole number.
#' @param threads threads of the new model.
#' @param verbose show messages and progress.
#' @param ... not used; for a `CellFMParam`: all of the above.
#' @param model a CellFM model, or a [CellFMParam()]: the model is then made of
#'   the cells' genes first.
#' @param head with `group`: `"query"` or `"cls"`.
#' @param train `"all"`, `"heads"`, `"lora"` or `"encoder"`.
#' @param mask share of each cell's genes that is judged; of these a fifth stay
#'   visible, as published.
#' @param similarity weight of the loss that draws cells alike to one another;
#'   slots that are left then take genes without counts.
#' @param thin share of the cells that is read with counts thinned (variant
#'   "finetune", published: 0.5).
#' @param nTargets `NULL`: all genes that the model knows; or so many variable
#'   ones.
#' @param maxLength most genes of a cell that are read.
#' @param alreadyNormalised as for [embedCells()]; the published annotation
#'   takes log1p values.
#' @param classWeights weigh classes by the inverse of their size?
#' @param dir folder for checkpoints, or `NULL`; `keepLast` of them stay.
#' @param keepLast see `dir`.
#' @return A model of class `CellFMModel`; [trainingHistory()] of it has a row
#'   per epoch: `epoch`, the losses, `lr`, `macroF1`, `accuracy` and
#'   `centroidF1` of held-out cells, `seconds`.
#' @section Errors: those of [embedCells()]; fewer than two classes; a folder
#'   that holds another run.
#' @references Zeng et al. (2025), CellFM. Hu et al. (2021), LoRA.
#' @seealso [predictClasses()], [mergeLora()], [embedCells()]
#' @examples
#' cells <- exampleCells()
#' cells$kind <- rep(c("a", "b"), length.out = ncol(cells))
#' model <- newModel(CellFMParam(embedDim = 16, layers = 1, heads = 2,
#'     valueDim = 8), cells, seed = 1)
#' tuned <- trainModel(cells, model, group = "kind", train = "lora",
#'     loraRank = 2, epochs = 1, seed = 1, verbose = FALSE)
#' trainingHistory(tuned)
#' head(predictClasses(cells, tuned, verbose = FALSE))
#' @rdname trainModel-cellfm
#' @aliases trainModel,ANY,CellFMModel-method
#' @export
setMethod("trainModel", c("ANY", "CellFMModel"), function(x, model,
    group = NULL, assay.type = NULL, symbols = NULL,
    head = c("query", "cls"), train = c("all", "heads", "lora", "encoder"),
    loraRank = 32, values = TRUE, mask = 0.2, similarity = 0, thin = 0,
    nTargets = NULL, genes = NULL, maxLength = 2048,
    alreadyNormalised = FALSE, classWeights = FALSE, epochs = 10,
    batchSize = 16, lr = 1e-4, weightDecay = 1e-5, valid = 0.1, block = NULL,
    dir = NULL, keepLast = 3, seed = NULL, threads = NULL, assay = NULL,
    verbose = interactive(), ...) {
    .noDots(...)
    .alive(model)
    head <- .oneOf(if (missing(head)) "query" else head, c("query", "cls"),
        "head"
    )
    train <- .oneOf(if (missing(train)) "all" else train,
        c("all", "heads", "lora", "encoder"), "train"
    )
    .checkFlag(classWeights, "classWeights")
    s <- .tuningSettings(list(loraRank = loraRank, values = values,
        mask = mask, similarity = similarity, epochs = epochs,
        batchSize = batchSize, lr = lr, weightDecay = weightDecay,
        valid = valid, train = train, head = head,
        maxLength = .checkNumber(maxLength, "maxLength", 1, 1e6, TRUE),
        thin = .checkNumber(thin, "thin", 0, 1),
        alreadyNormalised = alreadyNormalised, classWeights = classWeights
    ))
    saving <- .checkSaving(dir, 1, keepLast)
    how <- .inputArgs(assay.type, symbols, NULL, NULL, nTargets, NULL, genes,
        assay = assay
    )
    data <- .cellfmData(x, model, how, group, block, s, verbose)
    key <- .newKey(seed)
    tuned <- .cellfmTuned(model, s, data, key, .threads(threads))
    .tune(tuned, data, s, key, verbose, .cellfmRun(tuned, data, s), saving)
})

#' @rdname trainModel-cellfm
#' @aliases trainModel,ANY,CellFMParam-method
#' @export
setMethod("trainModel", c("ANY", "CellFMParam"), function(x, model, ...,
    assay.type = NULL, symbols = NULL, assay = NULL, seed = NULL,
    threads = NULL) {
    made <- newModel(model, x, seed = seed, threads = threads,
        assay.type = assay.type, symbols = symbols, assay = assay
    )
    trainModel(x, made, ..., assay.type = assay.type, symbols = symbols,
        assay = assay, seed = seed, threads = threads
    )
})

#' @rdname trainModel-cellfm
#' @export
setMethod("trainingHistory", "CellFMModel", function(model, ...) {
    .noDots(...)
    model@state$history
})

.cellfmData <- function(x, model, how, group, block, s, verbose) {
    if (is.null(how$nTargets)) {
        how$nTargets <- Inf
    }
    data <- .tuningData(x, model, how, group, block, verbose)
    .needCounts(list(matrix = data$values, rows = seq_len(nrow(data$values))),
        s$alreadyNormalised
    )
    empty <- Matrix::colSums(data$values) == 0
    if (any(empty)) {
        .stopArgument("x", "has ", .count(sum(empty), "cell"), " without any ",
            "count of a gene that the model knows: ",
            .some(data$cells[empty]), "; drop them."
        )
    }
    if (!is.null(data$class) && s$classWeights) {
        size <- tabulate(data$class + 1L, length(data$levels))
        data$classWeight <- sum(size) / (length(size) * size)
    }
    data
}

## A model of the same weights with a head for these classes and the pairs.
.cellfmTuned <- function(model, s, data, key, threads) {
    config <- model@config
    if (length(data$levels)) {
        config$num_cls <- length(data$levels)
        config$label <- FALSE
        if (s$head == "query") {
            config$variant <- "annotation"
        } else if (identical(config$variant, "annotation")) {
            .stopArgument("head", "is \"cls\", but the model is an annotator; ",
                "train a model with decoders."
            )
        } else {
            config$cls_head <- TRUE
        }
    } else if (identical(config$variant, "annotation") ||
        isFALSE(config$decoders)) {
        .stopArgument("group", "is NULL, and the model has no decoders that ",
            "could learn hidden values."
        )
    }
    if (s$train == "lora" && !isTRUE(config$lora > 0)) {
        config$lora <- s$loraRank
    }
    made <- .cellfmModel(config, model@vocab$gene, key, threads,
        model@state$layout
    )
    .copyWeights(model, made)
    made@state$classes <- data$levels
    made@state$genes <- data$labels
    made@state$tuning <- s
    made@state$history <- NULL
    made
}

.cellfmRun <- function(model, data, s) {
    reading <- .cellfmReading(s$maxLength, NULL, s$alreadyNormalised)
    zeros <- !isTRUE(model@config$pad_zero) && !isFALSE(model@config$add_zero)
    annotates <- identical(model@config$variant, "annotation")
    class <- !is.null(data$class)
    value <- as.numeric(s$values || !class)
    weights <- if (annotates) c(query = 1, cls = 1) else
        c(gene = value, cell = value, geneZero = value * zeros,
            cellZero = value * zeros, similarity = s$similarity,
            queryLabel = 0, cellLabel = 0, class = as.numeric(class)
        )
    list(task = if (annotates) "annotate" else "train",
        what = if (class) "annotation" else "pre-training", reading = reading,
        optimizer = function(steps) {
            if (class && !annotates) {
                list(beta2 = 0.999, schedule = "step", every = steps,
                    gamma = 0.95)
            } else {
                list(beta2 = if (class) 0.999 else 0.95, schedule = "constant")
            }
        },
        settings = if (annotates) reading else c(reading, mask = s$mask,
            thin = s$thin, threshold = 0.8,
            fill = zeros || s$similarity > 0
        ),
        weights = weights, off = names(weights)[weights == 0],
        groups = .cellfmGroups(s$train, annotates)
    )
}

## Of several patterns that match a name the last counts.
.cellfmGroups <- function(train, annotates) {
    group <- function(match, frozen, decay = NA) {
        data.frame(match = match, lr = NA_real_, weightDecay = decay,
            frozen = frozen
        )
    }
    heads <- if (annotates) "cluster_emb|classifier.*|query_layer.*" else
        "cls.*|value_dec.*|cellwise_dec.*"
    switch(train,
        all = rbind(group("*", FALSE), group("*emb*|*.bias", FALSE, 0)),
        heads = rbind(group("*", TRUE), group(heads, FALSE)),
        lora = rbind(group("*", TRUE), group("*lora_*", FALSE),
            group(heads, FALSE)
        ),
        encoder = rbind(group("*", TRUE), group("*encoder.*", FALSE),
            group(heads, FALSE)
        )
    )
}
