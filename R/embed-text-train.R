## Teaching an encoder of texts what an ontology says of its types.

#' Teach a text encoder an ontology
#'
#' With a [BertModel-class] [trainModel()] gives a *new* model whose vectors of
#' names know the ontology: KCellFM's stage 0. For every triple (head, relation,
#' tail) the head's vector plus the relation's is drawn to the tail's, nearer
#' than to the tail of another triple; heads and tails that are disjoint are
#' pushed apart. [embedText()] then gives the vectors of types' names, which
#' [trainModel()] of a KCellFM model and [rankNovelTypes()] take.
#'
#' @details
#' A name's vector is the mean of its tokens' last states through a projection
#' (a linear layer, ReLU, a norm), which is made where the model has none. Of a
#' relation it is a vector of its own, at first that of its name, through a
#' projection of its own. As published: AdamW, the gradient's norm held to 1, the
#' first three layers frozen, names cut at 25 tokens. Padding plays no part.
#'
#' @param x triples, of [readTriples()] or [ontologyTriples()].
#' @param model a BERT model, of [loadModel()].
#' @param projection width of the vectors, where the model has no projection:
#'   that of the KCellFM model they are for.
#' @param margin by how much a triple is to be nearer than another tail.
#' @param frozenLayers how many of the first layers keep their bits.
#' @param maxLength most tokens of a name.
#' @param epochs,batchSize,lr,weightDecay as for other models.
#' @param seed `NULL`: drawn from R's generator; or a whole number.
#' @param threads threads of the new model.
#' @param verbose show progress.
#' @param ... not used.
#' @return A model of class `BertModel`; [trainingHistory()] of it has a row per
#'   epoch: `epoch`, `triplet` (mean loss), `lr`, `seconds`. Ctrl-C ends the run;
#'   the model returned is what was reached.
#' @section Errors: a table that holds no triples, or relations other than the
#'   published ones; a value out of range.
#' @references KCellFM (2025), nudt-bioinfo/KCFM. Gu et al. (2021), PubMedBERT.
#' @seealso [ontologyTriples()], [embedText()]
#' @examples
#' bert <- loadModel(system.file("extdata", "bert", package = "causeway"))
#' triples <- ontologyTriples(
#'     system.file("extdata", "blood.obo", package = "causeway"))
#' taught <- trainModel(triples[1:20, ], bert, projection = 16, epochs = 1,
#'     frozenLayers = 0, seed = 1, verbose = FALSE)
#' trainingHistory(taught)
#' dim(embedText(c("T cell", "B cell"), taught))
#' @rdname trainModel-bert
#' @aliases trainModel,ANY,BertModel-method
#' @export
setMethod("trainModel", c("ANY", "BertModel"), function(x, model,
    projection = 512, margin = 0.5, frozenLayers = 3, maxLength = 25,
    epochs = 20, batchSize = 64, lr = 2e-5, weightDecay = 0.01, seed = NULL,
    threads = NULL, verbose = interactive(), ...) {
    .noDots(...)
    .alive(model)
    .checkFlag(verbose, "verbose")
    triples <- .checkTriples(x, "x")
    if (nrow(triples) < 2L) {
        .stopArgument("x", "has one triple; another one's tail is needed.")
    }
    positions <- c(model@config$max_position_embeddings, 512)[[1L]]
    if (missing(maxLength)) {
        maxLength <- min(25, positions)
    }
    s <- list(
        projection = .checkNumber(projection, "projection", 1, 65536, TRUE),
        margin = .checkNumber(margin, "margin", 0),
        frozen = .checkNumber(frozenLayers, "frozenLayers", 0, whole = TRUE),
        most = .checkNumber(maxLength, "maxLength", 4, positions,
            whole = TRUE
        ),
        epochs = .checkNumber(epochs, "epochs", 1, 1e6, TRUE),
        batchSize = .checkNumber(batchSize, "batchSize", 2, 65536, TRUE),
        lr = .checkNumber(lr, "lr", 0, 1, open = TRUE),
        weightDecay = .checkNumber(weightDecay, "weightDecay", 0, 1)
    )
    key <- .newKey(seed)
    made <- .tripletModel(model, s, key, .threads(threads))
    .teachTriples(made, triples, s, key, verbose)
})

#' @rdname trainModel-bert
#' @export
setMethod("trainingHistory", "BertModel", function(model, ...) {
    .noDots(...)
    model@state$history
})

## The same weights without heads that play no part, with a projection and
## vectors of relations.
.tripletModel <- function(model, s, key, threads) {
    config <- model@config
    had <- isTRUE(config$relations > 0)
    if (!isTRUE(config$projection > 0)) {
        config$projection <- s$projection
    }
    config$relations <- length(.relationWords)
    config$mlm_head <- FALSE
    config$nsp_head <- FALSE
    config$margin <- s$margin
    made <- .encoderModel("BertModel", "bert", config, key, threads,
        model@state$layout, vocab = model@vocab
    )
    .copyWeights(model, made)
    for (name in c("tokenizer", "vocabText", "maxLength")) {
        assign(name, model@state[[name]], envir = made@state)
    }
    made@state$tokenizer$pooling <- "projection"
    made@state$history <- NULL
    if (!had) {
        setModelTensor(made, "rel_emb.weight", .embedTexts(model,
            .relationWords, NULL, "mean", s$most, FALSE
        ))
    }
    made
}

.teachTriples <- function(model, triples, s, key, verbose) {
    n <- nrow(triples)
    data <- list(head = .textTokens(model, triples$head, s$most),
        tail = .textTokens(model, triples$tail, s$most),
        relation = match(triples$relation, .relationWords) - 1L
    )
    parts <- .tripletParts(n, s$batchSize)
    .engineBegin(model, "triplet",
        optimizer = list(optimizer = "adamw", lr = s$lr, beta2 = 0.999,
            weightDecay = s$weightDecay, clip = 1, schedule = "constant",
            totalSteps = s$epochs * length(parts)
        ), groups = .tripletGroups(model, s$frozen), key = key
    )
    run <- .rounds(model, rep(length(parts), s$epochs),
        function(epoch) {
            order <- .shuffled(n, key, epoch)
            function(i) .tripletBatch(data, order[parts[[i]]])
        },
        function(epoch, told, at) {
            total <- vapply(told, `[[`, 0, "total")
            data.frame(epoch = epoch,
                triplet = Reduce(`+`, total * lengths(parts) / n), at)
        },
        verbose = verbose, stopped = function() NULL
    )
    model@state$history <- do.call(rbind, run$log)
    model@state$status <- paste("taught", .count(n, "triple"), "in",
        length(run$log), "of", s$epochs, "epochs"
    )
    model
}

## Batches of places in the order; the last isn't left alone.
.tripletParts <- function(n, size) {
    at <- (seq_len(n) - 1L) %/% size
    if (n > 1L && n %% size == 1L && n > size) {
        at[[n]] <- at[[n - 1L]]
    }
    unname(split(seq_len(n), at))
}

.tripletBatch <- function(data, at) {
    relation <- data$relation[at]
    list(headId = unlist(data$head[at]), headLength = lengths(data$head[at]),
        tailId = unlist(data$tail[at]), tailLength = lengths(data$tail[at]),
        relationId = relation, apart = as.numeric(relation == 1L)
    )
}

## Tokens of each text, a list; equal texts are cut once.
.textTokens <- function(model, text, most) {
    text <- .checkTexts(text, "x")
    all <- unique(text)
    tokens <- .bertTokens(model, all, NULL, most)
    unname(split(tokens$id, rep(seq_along(all), tokens$length)))[
        match(text, all)]
}

.tripletGroups <- function(model, frozen) {
    frozen <- c("bert.pooler.*", sprintf("bert.encoder.layer.%d.*",
        seq_len(min(frozen, model@config$num_hidden_layers)) - 1L))
    if (!isTRUE(model@config$pooler)) {
        frozen <- frozen[-1L]
    }
    if (!length(frozen)) {
        return(NULL)
    }
    data.frame(match = c("*", frozen), lr = NA_real_, weightDecay = NA_real_,
        frozen = c(FALSE, rep(TRUE, length(frozen)))
    )
}
