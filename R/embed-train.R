## Fine-tuning scGPT: classes and masked values.

#' Fine-tune scGPT
#'
#' With an scGPT model [trainModel()] gives a *new* model, fine-tuned on cells;
#' the model given stays as it is. Masked values (told from the tokens, and from
#' the cell's vector) and, with `group`, classes are trained at once.
#'
#' @details
#' Cells are read as published: the most variable genes the model knows, zeros
#' included, in 50 bins. A share of the cells is held out (by `block`, whole
#' blocks: donors, batches): after every epoch their classes are predicted, beside
#' a nearest-centroid rule on the same genes. `train` says what is trained:
#' `"all"`; `"heads"`: only the heads, the rest keeps its bits; `"lora"`: the heads
#' and pairs of thin matrices (rank `loraRank`) beside every matrix of the
#' Transformer. Attention weights have no dropout here, other layers do.
#'
#' @inheritParams cellInput
#' @param model an scGPT model.
#' @param group `NULL`, or the classes: a column of `colData(x)`, or one value
#'   per cell. Cells without a class (`NA`) are left out.
#' @param train `"all"`, `"heads"` or `"lora"`.
#' @param loraRank rank of the pairs.
#' @param values train masked values, too?
#' @param mask share of each cell's genes that is masked.
#' @param similarity weight of the loss that draws cells alike to one another
#'   (published: 10 for integration).
#' @param nTargets variable genes that are read; `genes` names them.
#' @param epochs,batchSize,lr,weightDecay as for other models; the rate falls by
#'   a tenth every epoch, as published.
#' @param valid share of the cells (of the blocks) that is held out; 0: none.
#' @param block `NULL`, or a column of `colData(x)`, or one value per cell.
#' @param seed `NULL`: drawn from R's generator; or a whole number.
#' @param threads threads of the new model.
#' @param verbose show messages and progress.
#' @param ... not used.
#' @return A model of class `ScGPTModel`. `trainingHistory()` of it: a data.frame
#'   with a row per epoch: `epoch`, the losses (means over the epoch; `NA` where
#'   one is off), `lr`,
#'   `macroF1` and `accuracy` on held-out cells, `centroidF1` of the
#'   nearest-centroid rule, `seconds`. Ctrl-C ends the run after the last step; the
#'   model returned is what was reached.
#' @section Errors: those of [cellInput]; fewer than two classes; nothing to
#'   train.
#' @seealso [predictClasses()], [embedCells()]
#' @references Cui et al. (2024), scGPT. Hu et al. (2021), LoRA.
#' @examples
#' cells <- exampleCells()
#' cells$kind <- rep(c("a", "b"), length.out = ncol(cells))
#' model <- newModel(ScGPTParam(embedDim = 16, layers = 1, heads = 2), cells,
#'     seed = 1
#' )
#' tuned <- trainModel(cells, model, group = "kind", epochs = 1, seed = 1,
#'     verbose = FALSE
#' )
#' head(predictClasses(cells, tuned, verbose = FALSE))
#' @rdname trainModel-scgpt
#' @aliases trainModel,ANY,ScGPTModel-method
#' @export
setMethod("trainModel", c("ANY", "ScGPTModel"), function(x, model,
    group = NULL, assay.type = NULL, symbols = NULL, species = NULL,
    train = c("all", "heads", "lora"), loraRank = 8, values = TRUE,
    mask = 0.4, similarity = 0, nTargets = 1200, genes = NULL, epochs = 10,
    batchSize = 16, lr = 1e-4, weightDecay = 0, valid = 0.1, block = NULL,
    seed = NULL, threads = NULL, assay = NULL, verbose = interactive(), ...) {
    .noDots(...)
    .alive(model)
    train <- .oneOf(train, c("all", "heads", "lora"), "train")
    s <- .tuningSettings(list(loraRank = loraRank, values = values,
        mask = mask, similarity = similarity, epochs = epochs,
        batchSize = batchSize, lr = lr, weightDecay = weightDecay,
        valid = valid, train = train
    ))
    if (is.null(group) && !s$values && s$similarity == 0) {
        .stopArgument("group", "is NULL and 'values' FALSE: there is nothing ",
            "to train."
        )
    }
    how <- .inputArgs(assay.type, symbols, species, NULL, nTargets, NULL,
        genes, assay = assay
    )
    data <- .tuningData(x, model, how, group, block, verbose)
    key <- .newKey(seed)
    tuned <- .tuningModel(model, s, data, key, .threads(threads))
    .tune(tuned, data, s, key, verbose)
})

.tuningSettings <- function(s) {
    .checkFlag(s$values, "values")
    s$loraRank <- .checkNumber(s$loraRank, "loraRank", 1, 4096, TRUE)
    s$mask <- .checkNumber(s$mask, "mask", 0, 0.99)
    s$similarity <- .checkNumber(s$similarity, "similarity", 0)
    s$epochs <- .checkNumber(s$epochs, "epochs", 1, 1e6, TRUE)
    s$batchSize <- .checkNumber(s$batchSize, "batchSize", 1, 65536, TRUE)
    s$lr <- .checkNumber(s$lr, "lr", 0, 1, open = TRUE)
    s$weightDecay <- .checkNumber(s$weightDecay, "weightDecay", 0, 1)
    s$valid <- .checkNumber(s$valid, "valid", 0, 0.9)
    s
}

## list(values, tokens, labels, class: numbers from 0 or NULL, levels, block).
.tuningData <- function(x, model, how, group, block, verbose) {
    prepared <- .scgptTokensOf(x, model, how, verbose)
    class <- .tuningLabels(group, "group", prepared)
    block <- .tuningLabels(block, "block", prepared)
    keep <- if (is.null(class)) seq_along(prepared$cells) else
        which(!is.na(class))
    class <- if (!is.null(class)) .asFactor(class[keep])
    if (!is.null(class) && nlevels(class) < 2L) {
        .stopArgument("group", "has ", .count(nlevels(class), "class"),
            "; at least two are needed."
        )
    }
    list(values = prepared$values[, keep, drop = FALSE],
        tokens = as.integer(prepared$tokens), labels = prepared$labels,
        class = if (!is.null(class)) as.integer(class) - 1L,
        levels = levels(class), block = block[keep], cells = prepared$cells[keep]
    )
}

## Cells and their most variable genes, factors or not.
.scgptTokensOf <- function(x, model, how, verbose) {
    cells <- .encoderCells(x, model, how, verbose)
    values <- .columnChunk(cells$matrix, seq_len(ncol(cells$matrix)),
        cells$rows
    )
    if (is.null(how$genes) && length(cells$rows) > how$nTargets) {
        top <- .variableRows(values, how$nTargets)
        values <- values[top, , drop = FALSE]
        cells$rows <- cells$rows[top]
        cells$token <- cells$token[top]
    }
    list(values = values, tokens = cells$token, cells = cells$cells,
        labels = cells$names[cells$rows], cellData = cells$cellData
    )
}

## Rows of largest variance after scaling cells to one total and log1p.
.variableRows <- function(m, n) {
    logged <- .logNormalised(m)
    mean <- Matrix::rowMeans(logged)
    spread <- Matrix::rowMeans(logged^2) - mean^2
    sort(order(-spread)[seq_len(min(n, nrow(m)))])
}

## One value per cell: a column of the cells' data, or a vector. NULL stays.
.tuningLabels <- function(value, arg, prepared) {
    if (is.null(value)) {
        return(NULL)
    }
    n <- length(prepared$cells)
    if (is.character(value) && length(value) == 1L && n != 1L) {
        if (!value %in% colnames(prepared$cellData)) {
            .stopArgument(arg, "is \"", value, "\", which is no column of ",
                "colData(x); there are ",
                .some(colnames(prepared$cellData), 8L), "."
            )
        }
        return(as.character(prepared$cellData[[value]]))
    }
    if (length(value) != n) {
        .stopArgument(arg, "must be the name of a column of colData(x), or ",
            "have one value per cell (", n, "); it has ", length(value), "."
        )
    }
    as.character(value)
}

## A model of the same weights, with a head for these classes and, for LoRA,
## the pairs.
.tuningModel <- function(model, s, data, key, threads) {
    config <- model@config
    if (length(data$levels)) {
        config$n_cls <- length(data$levels)
    }
    if (s$train == "lora" && !isTRUE(config$lora_rank > 0)) {
        config$lora_rank <- s$loraRank
    }
    made <- .scgptModel(config, model@vocab, key, threads, model@state$layout)
    .copyWeights(model, made)
    made@state$classes <- data$levels
    made@state$genes <- data$labels
    made@state$tuning <- s
    made
}

.tuningGroups <- function(train) {
    switch(train,
        all = NULL,
        heads = data.frame(match = c("*", "decoder.*", "cls_decoder.*"),
            lr = NA, weightDecay = NA, frozen = c(TRUE, FALSE, FALSE)
        ),
        lora = data.frame(match = c("*", "*lora_*", "decoder.*",
            "cls_decoder.*"), lr = NA, weightDecay = NA,
            frozen = c(TRUE, FALSE, FALSE, FALSE)
        )
    )
}

.tuningReading <- function(data) {
    list(maxLength = length(data$tokens) + 1, zeros = TRUE)
}

.tuningWeights <- function(data, s) {
    value <- as.numeric(s$values)
    c(mlm = value, mlmZero = value, mvc = value, mvcZero = value,
        class = as.numeric(!is.null(data$class)), similarity = s$similarity
    )
}

## Losses that aren't there.
.tuningOff <- function(model, data, s) {
    off <- names(which(.tuningWeights(data, s) == 0))
    if (!isTRUE(model@config$explicit_zero_prob)) {
        off <- c(off, "mlmZero", "mvcZero")
    }
    if (isFALSE(model@config$do_mvc)) c(off, "mvc", "mvcZero") else off
}

.tuningHeld <- function(data, share, key) {
    n <- length(data$cells)
    if (share == 0 || is.null(data$class)) {
        return(integer())
    }
    block <- if (is.null(data$block)) seq_len(n) else data$block
    all <- unique(block)
    first <- .shuffled(length(all), key, 2^20)
    which(block %in% all[first[seq_len(max(1, round(share * length(all))))]])
}

## On held-out cells: macro-F1 and accuracy, and of the nearest centroid.
.tuningScore <- function(model, data, held, seen, reading) {
    if (!length(held)) {
        return(data.frame(macroF1 = NA_real_, accuracy = NA_real_,
            centroidF1 = NA_real_
        ))
    }
    logits <- .classLogits(model, data$values[, held, drop = FALSE],
        data$tokens, reading, 16L
    )
    told <- max.col(logits, ties.method = "first") - 1L
    true <- data$class[held]
    data.frame(macroF1 = .macroF1(true, told), accuracy = mean(told == true),
        centroidF1 = .macroF1(true, .nearestCentroid(data, seen, held))
    )
}

## cells x classes.
.classLogits <- function(model, values, tokens, reading, batchSize) {
    cells <- list(matrix = values, rows = seq_len(nrow(values)),
        token = tokens
    )
    do.call(rbind, .eachBatch(cells, batchSize, FALSE, "",
        function(batch, columns) {
            batch$batch <- .noBatch(model, length(columns))
            t(.engineRun(model, "predict", batch, c(reading, class = TRUE))$class)
        }
    ))
}

.nearestCentroid <- function(data, seen, held) {
    logged <- .logNormalised(data$values)
    known <- sort(unique(data$class[seen]))
    centre <- vapply(known, function(k) {
        Matrix::rowMeans(logged[, seen[data$class[seen] == k], drop = FALSE])
    }, numeric(nrow(logged)))
    near <- as.matrix(Matrix::crossprod(logged[, held, drop = FALSE], centre))
    near <- sweep(near, 2L, colSums(centre^2) / 2)
    known[max.col(near, ties.method = "first")]
}

.tellTuning <- function(model, verbose) {
    last <- utils::tail(model@state$history, 1L)
    if (!is.null(last) && !is.na(last$macroF1)) {
        .say(verbose, sprintf(paste0("Held-out cells: macro-F1 %.3f; the ",
            "nearest centroid reaches %.3f."), last$macroF1, last$centroidF1
        ))
    }
    invisible()
}

#' @rdname trainModel-scgpt
#' @export
setMethod("trainingHistory", "ScGPTModel", function(model, ...) {
    .noDots(...)
    model@state$history
})

#' Classes of cells by a fine-tuned model
#'
#' @inheritParams embedCells
#' @param model an scGPT, CellFM or KCellFM model that [trainModel()] was given
#'   classes for.
#' @return A data.frame with one row per cell: `cell`, `class`, `probability`
#'   of that class, and one column of probabilities per class.
#' @section Errors: a model without classes; too few genes of its training in
#'   `x`.
#' @seealso [trainModel()]
#' @examples
#' cells <- exampleCells()
#' cells$kind <- rep(c("a", "b"), length.out = ncol(cells))
#' model <- newModel(ScGPTParam(embedDim = 16, layers = 1, heads = 2), cells,
#'     seed = 1
#' )
#' tuned <- trainModel(cells, model, group = "kind", epochs = 1, seed = 1,
#'     verbose = FALSE
#' )
#' table(predictClasses(cells, tuned, verbose = FALSE)$class)
#' @export
predictClasses <- function(x, model, assay.type = NULL, symbols = NULL,
    assay = NULL, batchSize = 16, verbose = TRUE) {
    if (!methods::is(model, "CellFMModel") &&
        !methods::is(model, "KCellFMModel")) {
        .isScGPT(model)
    }
    .alive(model)
    classes <- model@state$classes
    if (length(classes) < 2L) {
        .stopArgument("model", "knows no classes: trainModel(x, model, ",
            "group = ) teaches it some."
        )
    }
    how <- .inputArgs(assay.type, symbols, assay = assay)
    cells <- .encoderCells(x, model, how, verbose)
    genes <- .scgptTokens(model, model@state$genes)
    if (length(genes)) {
        keep <- which(cells$token %in% genes)
        if (length(keep) < 0.5 * length(genes)) {
            .stopArgument("x", "has ", length(keep), " of the ",
                length(genes), " genes the model was trained on."
            )
        }
        cells$rows <- cells$rows[keep]
        cells$token <- cells$token[keep]
    }
    s <- model@state$tuning
    reading <- switch(class(model)[[1L]],
        CellFMModel = .cellfmReading(s$maxLength, NULL,
            isTRUE(s$alreadyNormalised)
        ),
        KCellFMModel = .kcellfmReading(s$maxLength, NULL,
            isTRUE(s$alreadyNormalised), isTRUE(s$zeros)
        ),
        list(maxLength = length(cells$token) + 1, zeros = TRUE)
    )
    logits <- do.call(rbind, lapply(.columnChunks(cells$matrix), function(at) {
        .classLogits(model, .columnChunk(cells$matrix, at, cells$rows),
            cells$token, reading, batchSize
        )
    }))
    p <- exp(.logSoftmax(logits))
    colnames(p) <- classes
    best <- max.col(p, ties.method = "first")
    data.frame(cell = cells$cells, class = classes[best],
        probability = p[cbind(seq_along(best), best)], p,
        check.names = FALSE
    )
}
