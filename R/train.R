## Training: R counts epochs and steps, the engine does one step per call.

#' Train a model on cells
#'
#' Cells are preprocessed (see Details), cut into batches in a seeded order
#' and fed to the engine; progress shows the loss terms and the time left.
#' The model is changed in place: `model` and every copy of it are the trained
#' one afterwards, also when the run is stopped.
#'
#' Preprocessing follows the published pre-training: genes of the vocabulary;
#' cells with at least 200 genes (only when `x` has 2,000 genes or more) and
#' at most 20 % mitochondrial counts; genes in at least 3 cells;
#' mitochondrial, ribosomal and haemoglobin genes left out; every cell scaled
#' to 10,000; log1p. Then all factors and the `nTopGenes` most variable other
#' genes (scanpy's "seurat" flavour, approximately) make the tokens; the
#' published pre-training takes the 4,095 most variable genes, factors or not.
#' `preprocess` changes `minGenes`, `minCells`, `maxMt`, `dropQC`, `target`,
#' and `sanitize` (non-finite values to 0 instead of an error).
#'
#' The loss is the ELBO of the autoencoder head plus DAG and sparsity terms
#' and, where a `prior` network is given, the prior's cross entropy. A
#' regulariser that turns non-finite is switched off for the rest of the run,
#' with a warning.
#'
#' @section Stopping and going on: Ctrl-C stops between or inside steps; an
#'   unfinished step is forgotten. The model is returned, and usable. Calling
#'   `trainModel()` again with the same cells and settings goes on exactly
#'   where the run stopped: same order, same numbers as without the stop (to
#'   the last bit with `deterministic = TRUE`). `resume = TRUE` does the same
#'   and takes the settings from the stopped run. A larger `epochs` extends a
#'   finished run; the learning rate's schedule is then stretched. `resume =
#'   FALSE`, or other settings, begin a new run from the present weights.
#'
#' @section Teacher and student: from one data set alone the published recipe
#'   learns little; a model taught by a better estimator keeps what that found
#'   and applies it to cells it never saw. With `teacher = ` a [StateGRN-class]
#'   (or [PooledGRN-class]) made from the same cells, the model gets one factor
#'   for each TF and one for none, and learns by cross entropy which factors
#'   each gene belongs to in each state; ELBO, DAG, sparsity and balancing play
#'   no part, and `param`'s `factors`, `topk` and dropout rates are replaced.
#'   The student reads a cell as the mean profile of its state; the states of
#'   new cells are those of the 30 nearest of up to 2,000 of its own, so a
#'   cell's network does not depend on the cells that come with it. Arguments
#'   are then `epochs` (`NULL`: about 600 steps), `batchSize`, `learningRate`
#'   (5e-3), `weightDecay`, `clip`, `preprocess`, `alreadyNormalised`,
#'   `verbose`; a stopped run isn't resumed. It keeps the teacher's errors too.
#'
#' @param model a [FoundationModel-class], or an [SFMParam()]: the model is
#'   then made from the cells first.
#' @param x the cells, as for [newModel()].
#' @param assay.type assay (Seurat: layer); `NULL`: `"counts"`, else the first.
#' @param symbols as for [newModel()].
#' @param species `NULL` (the model's), `"human"`, `"mouse"`, or a column of
#'   `colData(x)`; one species per call.
#' @param platform,tissue,disease `NULL` (unknown), a column of `colData(x)`,
#'   one value, or one value per cell.
#' @param tfs gene symbols to be taken for factors; `NULL`: the model's table.
#' @param nTopGenes variable genes beside the factors.
#' @param keep names of genes to read beside these, variable or not.
#' @param genes names of exactly the genes to read instead. Genes without any
#'   count in these cells and, unless `preprocess = list(dropQC = FALSE)`,
#'   mitochondrial, ribosomal and haemoglobin genes can't be among them.
#' @param epochs passes over the cells; `NULL`: 10, or those of the run that
#'   is resumed.
#' @param batchSize cells per batch.
#' @param accumulate batches per optimizer step.
#' @param learningRate `NULL`: 1e-4, as published, for models of width 512
#'   and more, and 1e-3 for smaller ones, which need and bear more.
#' @param weightDecay,clip AdamW's weight decay, and the largest global
#'   gradient norm.
#' @param warmup share of the steps with rising learning rate; DAG and
#'   sparsity start after them.
#' @param minLrRatio the cosine schedule ends at this share of
#'   `learningRate`.
#' @param prior `NULL`, or a data.frame with columns `Gene1` (source) and
#'   `Gene2` (target) of known edges.
#' @param priorWeight weight of the prior loss in the first epoch and the
#'   value its cosine schedule goes to.
#' @param priorEdges edges per cell the prior loss looks at.
#' @param lambdaDag,lambdaSparsity weights of these losses; 0 switches off.
#' @param conditionMask share of platform, tissue and disease labels replaced
#'   by `<unk>`, anew in every epoch.
#' @param deterministic `TRUE`: bit-identical results run to run and for any
#'   number of threads.
#' @param preprocess named list, see Details.
#' @param alreadyNormalised `TRUE`: the assay holds log1p-normalised values.
#' @param resume see "Stopping and going on".
#' @param seed `NULL`: the run's random key is drawn from R's generator. A
#'   whole number: that number's own key.
#' @param verbose show messages and progress.
#' @param ... for `SFMParam`: `seed`, `threads` and everything above.
#' @return The model, invisibly; it is the same object, trained in place.
#'   [trainingHistory()] holds the numbers.
#' @section Errors: see the bad-input rules in [newModel()]; also one cell,
#'   one gene, negative or non-finite values, cells without counts, a model
#'   with another vocabulary, more genes than the model takes, too little
#'   memory, and a loss that is not finite. None of them loses the weights.
#' @seealso [PerCellGRNParam()] for teachers, [priorNetwork()], [inferGRN()],
#'   [saveModel()], [trainingHistory()], [plotTraining()]
#' @references Source of losses and schedule: scCAFM, Catchxu/scCAFM.
#' @examples
#' cells <- exampleCells()
#' model <- newModel(SFMParam(), cells, seed = 1)
#' trainModel(model, cells, epochs = 2, seed = 1, verbose = FALSE)
#' model
#' tail(trainingHistory(model), 3)
#' @rdname trainModel
#' @aliases trainModel,FoundationModel,ANY-method
#' @export
setMethod("trainModel", c("FoundationModel", "ANY"), function(model, x,
    assay.type = NULL, symbols = NULL, species = NULL, platform = NULL,
    tissue = NULL, disease = NULL, tfs = NULL, nTopGenes = 1000,
    keep = NULL, genes = NULL, epochs = NULL, batchSize = 16, accumulate = 1,
    learningRate = NULL, weightDecay = 0.05, warmup = 0.03,
    minLrRatio = 0.1, clip = 1, prior = NULL, priorWeight = c(20, 10),
    priorEdges = 512, lambdaDag = 1, lambdaSparsity = 0.001,
    conditionMask = 0.1, deterministic = FALSE, preprocess = list(),
    alreadyNormalised = FALSE, resume = NULL, seed = NULL,
    verbose = interactive()) {
    .alive(model)
    args <- list(
        assay.type = assay.type, symbols = symbols,
        species = if (is.null(species)) model@state$species else species,
        platform = platform, tissue = tissue, disease = disease, tfs = tfs,
        nTargets = .checkNumber(nTopGenes, "nTopGenes", 0, whole = TRUE),
        keep = keep, genes = genes, preprocess = preprocess,
        alreadyNormalised = .checkFlag(alreadyNormalised, "alreadyNormalised")
    )
    settings <- .trainSettings(list(
        batchSize = batchSize, accumulate = accumulate,
        learningRate = learningRate, weightDecay = weightDecay,
        warmup = warmup, minLrRatio = minLrRatio, clip = clip,
        priorWeight = priorWeight, priorEdges = priorEdges,
        lambdaDag = lambdaDag, lambdaSparsity = lambdaSparsity,
        conditionMask = conditionMask, deterministic = deterministic
    ), model@config$sfm$embed_dim)
    if (!is.null(epochs)) {
        epochs <- .checkNumber(epochs, "epochs", 1, 1e6, whole = TRUE)
    }
    if (!is.null(resume)) {
        .checkFlag(resume, "resume")
    }
    .checkFlag(verbose, "verbose")
    .trainModel(model, x, args, settings, epochs, prior, resume, seed, verbose)
})

#' @rdname trainModel
#' @aliases trainModel,SFMParam,ANY-method
#' @param threads threads of the engine, as for [newModel()].
#' @param teacher for `SFMParam`: `NULL`, or the networks the model is to learn,
#'   see "Teacher and student".
#' @export
setMethod("trainModel", c("SFMParam", "ANY"), function(model, x, ...,
    species = NULL, tfs = NULL, assay.type = NULL, symbols = NULL,
    threads = NULL, seed = NULL, teacher = NULL) {
    if (!is.null(teacher)) {
        if (!is.null(tfs)) {
            .stopArgument("tfs", "can't be chosen: they are the teacher's.")
        }
        return(.distil(model, x, teacher, species, assay.type, symbols,
            threads, seed, ...
        ))
    }
    made <- newModel(model, x,
        species = if (is.null(species)) "human" else species, tfs = tfs,
        seed = seed, threads = threads, assay.type = assay.type,
        symbols = symbols
    )
    trainModel(made, x, ...,
        species = species, assay.type = assay.type, symbols = symbols,
        seed = seed
    )
})

#' @rdname trainModel
#' @aliases trainModel,ANY,ANY-method
#' @export
setMethod("trainModel", c("ANY", "ANY"), function(model, x, ...) {
    .stopArgument("model", "must be a FoundationModel or an SFMParam; it is a ",
        class(model)[[1L]], ". The model comes first, trainModel(model, x)."
    )
})

.trainSettings <- function(s, width) {
    if (is.null(s$learningRate)) {
        s$learningRate <- if (width >= 512) 1e-4 else 1e-3
    }
    s$batchSize <- .checkNumber(s$batchSize, "batchSize", 1, 65536, TRUE)
    s$accumulate <- .checkNumber(s$accumulate, "accumulate", 1, 4096, TRUE)
    .checkNumber(s$learningRate, "learningRate", 0, 1, open = TRUE)
    .checkNumber(s$weightDecay, "weightDecay", 0)
    .checkNumber(s$warmup, "warmup", 0, 1)
    .checkNumber(s$minLrRatio, "minLrRatio", 0, 1)
    .checkNumber(s$clip, "clip", 0, open = TRUE)
    if (!is.numeric(s$priorWeight) || length(s$priorWeight) != 2L ||
        !all(is.finite(s$priorWeight)) || any(s$priorWeight < 0)) {
        .stopArgument("priorWeight", "must be two numbers from 0 up, first ",
            "and last; it is ", .show(s$priorWeight), "."
        )
    }
    s$priorEdges <- .checkNumber(s$priorEdges, "priorEdges", 1, 1e7, TRUE)
    .checkNumber(s$lambdaDag, "lambdaDag", 0)
    .checkNumber(s$lambdaSparsity, "lambdaSparsity", 0)
    .checkNumber(s$conditionMask, "conditionMask", 0, 1)
    .checkFlag(s$deterministic, "deterministic")
    s
}

.trainModel <- function(model, x, args, settings, epochs, prior, resume,
    seed, verbose) {
    state <- model@state
    if (isTRUE(resume)) {
        if (is.null(state$run)) {
            .stopArgument("resume", "is TRUE, but the model has no run to go ",
                "on with; leave it out to begin one."
            )
        }
        args$genes <- state$run$tokens
        settings <- state$run$settings
    }
    before <- state$conditions
    done <- FALSE
    ## An error before the first step leaves the condition table as it was.
    on.exit(if (!done) state$conditions <- before)
    prepared <- .prepareCells(model, x, "train", args, verbose)
    if (ncol(prepared$values) < 2L) {
        .stopArgument("x", "leaves ", ncol(prepared$values), " cell; training ",
            "needs two or more."
        )
    }
    edges <- .priorTokens(prior, model@vocab)
    plan <- .planRun(model, prepared, settings, epochs, edges, resume, seed,
        verbose
    )
    if (plan$total <= plan$step) {
        .say(verbose, "The run has finished (", plan$epochs, " epochs); ",
            "raise 'epochs' to go on, or say resume = FALSE."
        )
        return(invisible(model))
    }
    .checkMemory(model, settings$batchSize, nrow(prepared$values), TRUE,
        "batchSize"
    )
    .beginRun(model, plan, edges)
    done <- TRUE
    state$species <- prepared$report$species
    state$tokens <- prepared$tokens
    state$coverage <- prepared$report
    .say(verbose, "Training on ", ncol(prepared$values), " cells x ",
        nrow(prepared$values), " genes (", prepared$report$tfs, " TFs), ",
        plan$epochs, " epochs, ", plan$total - plan$step, " steps; prior ",
        plan$prior, "."
    )
    .runSteps(model, prepared, verbose)
    invisible(model)
}

## Edges as a 2 x E matrix of tokens; NULL without a prior.
.priorTokens <- function(prior, vocab) {
    if (is.null(prior)) {
        return(NULL)
    }
    if (!is.data.frame(prior) || !all(c("Gene1", "Gene2") %in% names(prior))) {
        .stopArgument("prior", "must be a data.frame with columns Gene1 and ",
            "Gene2."
        )
    }
    genes <- c(as.character(prior$Gene1), as.character(prior$Gene2))
    type <- if (.isEnsembl(genes)) "ensembl" else "symbol"
    token <- .lookupTokens(vocab, .cleanNames(genes, type), type)
    edges <- rbind(
        token[seq_len(nrow(prior))], token[nrow(prior) + seq_len(nrow(prior))]
    )
    edges <- edges[, edges[1L, ] >= 0L & edges[2L, ] >= 0L, drop = FALSE]
    if (!ncol(edges)) {
        .stopArgument("prior", "has no edge between genes the model knows; ",
            "its first are ", .some(paste(prior$Gene1, prior$Gene2), 3L), "."
        )
    }
    edges[, !duplicated(t(edges)), drop = FALSE]
}

## What tells one training set from another: sizes and weighted sums.
.fingerprint <- function(prepared, edges) {
    v <- prepared$values
    weight <- (seq_along(v@x) %% 1009) + 1
    signif(c(
        dim(v), length(v@x), sum(v@x * weight),
        sum(as.numeric(prepared$tokens) * seq_along(prepared$tokens)),
        sum(prepared$nonTF * seq_along(prepared$nonTF)),
        sum(prepared$conditions * (seq_along(prepared$conditions) %% 1009)),
        if (is.null(edges)) 0 else c(ncol(edges), sum(edges * c(1, 3)))
    ), 10)
}

## The run to do: a new one, or the old one further on.
.planRun <- function(model, prepared, settings, epochs, edges, resume, seed,
    verbose) {
    old <- model@state$run
    print <- .fingerprint(prepared, edges)
    sameData <- !is.null(old) && length(old$fingerprint) == length(print) &&
        isTRUE(all.equal(old$fingerprint, print, tolerance = 1e-9))
    same <- sameData && isTRUE(all.equal(old$settings, settings,
        tolerance = 1e-12
    ))
    if (isTRUE(resume) && !sameData) {
        .stopArgument("resume", "is TRUE, but 'x', 'prior' or the way they ",
            "are read differ from the run that stopped. Give the same, or ",
            "begin a new run with resume = FALSE."
        )
    }
    if (!isFALSE(resume) && same) {
        if (is.null(epochs)) {
            epochs <- old$epochs
        }
        old$stretched <- epochs > old$epochs
        if (old$stretched) {
            .say(verbose, "Extending the run to ", epochs, " epochs.")
            old$epochs <- epochs
            old$total <- epochs * old$perEpoch
        }
        old$goesOn <- TRUE
        return(old)
    }
    if (!is.null(old) && is.null(resume) && old$step < old$total) {
        .say(verbose, "Other cells or settings than the run that stopped: ",
            "beginning a new run from the present weights."
        )
    }
    epochs <- if (is.null(epochs)) 10L else epochs
    batches <- ceiling(ncol(prepared$values) / settings$batchSize)
    perEpoch <- ceiling(batches / settings$accumulate)
    list(
        settings = settings, epochs = epochs, perEpoch = perEpoch,
        total = epochs * perEpoch, step = 0, fingerprint = print,
        key = .newKey(seed), tokens = prepared$tokens,
        prior = if (is.null(edges)) "none" else
            paste(ncol(edges), "edges"),
        usePrior = !is.null(edges), goesOn = FALSE, stretched = FALSE,
        number = if (is.null(old)) 1L else old$number + 1L,
        disabled = character(), discarded = 0
    )
}

.beginOptions <- function(plan, edges) {
    s <- plan$settings
    list(
        key = as.double(plan$key), lr = s$learningRate, beta1 = 0.9,
        beta2 = 0.95, eps = 1e-8,
        weightDecay = s$weightDecay, clip = s$clip,
        totalSteps = as.double(plan$total), warmupRatio = s$warmup,
        minLrRatio = s$minLrRatio, priorPos = 5, priorNeg = 0.1,
        priorTopk = as.integer(s$priorEdges), lambdaDag = s$lambdaDag,
        lambdaSparsity = s$lambdaSparsity, usePrior = plan$usePrior,
        useDag = s$lambdaDag > 0, useSparsity = s$lambdaSparsity > 0,
        priorEdges = if (is.null(edges)) matrix(0L, 2L, 0L) else edges,
        deterministic = s$deterministic,
        regWarmupSteps = floor(plan$total * s$warmup)
    )
}

## Sets the engine's optimizer up. A run that goes on keeps its moments and
## counters: they are put aside over train_begin, which starts afresh.
.beginRun <- function(model, plan, edges) {
    state <- model@state
    log <- state$log
    if (!is.null(log)) {
        log <- log[!is.na(log[, "step"]), , drop = FALSE]
    }
    ## first what may fail for want of memory: then the old run is still whole
    room <- rbind(log, .emptyLog(plan$total - plan$step))
    keep <- state$trainFile
    if (plan$goesOn && is.null(keep)) {
        keep <- tempfile("causeway-train-", fileext = ".safetensors")
        on.exit(.removeFile(keep))
        .Call(cw_r_train_save, model@ptr, keep)
    }
    .Call(cw_r_train_begin, model@ptr, .beginOptions(plan, edges))
    if (plan$goesOn) {
        .Call(cw_r_train_load, model@ptr, keep)
    }
    ## A state that waited on disk since loadModel() has been read now.
    if (!is.null(state$trainFile)) {
        .removeFile(state$trainFile)
        state$trainFile <- NULL
    }
    state$logged <- if (is.null(log)) 0L else nrow(log)
    state$log <- room
    state$run <- plan
    state$status <- "running"
    invisible()
}

.runSteps <- function(model, prepared, verbose) {
    state <- model@state
    run <- state$run
    bar <- .progressStart("Training ", run$total, verbose, run$step)
    on.exit({
        .progressDone(bar)
        if (identical(state$status, "running")) {
            state$status <- "failed"
        }
    })
    status <- tryCatch(
        {
            while (state$run$step < state$run$total) {
                terms <- .trainStep(model, prepared)
                .progressTick(bar, state$run$step, terms)
            }
            "finished"
        },
        interrupt = function(e) "stopped"
    )
    state$status <- status
    .progressDone(bar)
    if (status == "stopped") {
        message("Training stopped after ", state$run$step, " of ",
            state$run$total, " steps. The model is usable; ",
            "trainModel(model, x, ..., resume = TRUE) goes on from here."
        )
    }
    .warnTraining(state)
    invisible()
}

.warnTraining <- function(state) {
    run <- state$run
    if (length(run$disabled)) {
        warning("the loss ", paste(run$disabled, collapse = " and "),
            " turned non-finite and was switched off for the rest of the ",
            "run; a smaller 'learningRate' may keep it.",
            call. = FALSE
        )
    }
    if (run$discarded > 0) {
        warning(run$discarded, " steps were discarded because their ",
            "gradient was not finite.",
            call. = FALSE
        )
    }
    invisible()
}

## Order of the cells and masked conditions of an epoch; kept between steps.
.epochPlan <- function(state, prepared, epoch) {
    cached <- state$epochPlan
    if (!is.null(cached) && identical(cached$epoch, epoch) &&
        identical(cached$key, state$run$key) &&
        length(cached$order) == ncol(prepared$values)) {
        return(cached)
    }
    key <- as.double(state$run$key)
    state$epochPlan <- list(
        epoch = epoch, key = state$run$key,
        order = .Call(cw_r_permutation, ncol(prepared$values), key, epoch) + 1L,
        conditions = .maskConditions(prepared$conditions,
            state$run$settings$conditionMask, key, epoch
        )
    )
    state$epochPlan
}

## One optimizer step: `accumulate` batches, then the update. The update and
## its record can't be parted by an interrupt.
.trainStep <- function(model, prepared) {
    state <- model@state
    run <- state$run
    s <- run$settings
    started <- proc.time()[["elapsed"]]
    epoch <- as.integer(run$step %/% run$perEpoch)
    plan <- .epochPlan(state, prepared, epoch)
    cells <- .windowCells(plan$order, run$step %% run$perEpoch, s)
    weight <- .priorWeightAt(s$priorWeight, epoch, run$epochs)
    losses <- vapply(seq_along(cells), function(i) {
        batch <- .tokenBatch(prepared, cells[[i]], plan$conditions)
        .Call(cw_r_train_micro, model@ptr, batch, list(
            priorWeight = weight, eps = NULL, step = as.double(run$step),
            micro = i - 1L, train = TRUE, gradWeight = 1 / length(cells)
        ))[c("elbo", "prior", "dag", "sparsity", "total")]
    }, numeric(5L))
    losses <- rowMeans(losses)
    off <- c(FALSE, !run$usePrior, s$lambdaDag == 0, s$lambdaSparsity == 0,
        FALSE
    )
    losses[off] <- NA
    suspendInterrupts({
        update <- .Call(cw_r_train_apply, model@ptr)
        .recordStep(state, epoch, losses, update,
            proc.time()[["elapsed"]] - started
        )
    })
    .lossText(losses)
}

.windowCells <- function(order, window, s) {
    first <- window * s$batchSize * s$accumulate
    last <- min(length(order), first + s$batchSize * s$accumulate)
    here <- order[seq(first + 1, last)]
    unname(split(here, (seq_along(here) - 1L) %/% s$batchSize))
}

.priorWeightAt <- function(weight, epoch, epochs) {
    share <- min(max(epoch, 0), epochs) / epochs
    weight[[2L]] + (weight[[1L]] - weight[[2L]]) * (1 + cos(pi * share)) / 2
}

.recordStep <- function(state, epoch, losses, update, seconds) {
    state$logged <- state$logged + 1L
    discarded <- isTRUE(update[["discarded"]] != 0)
    state$log[state$logged, ] <- c(
        state$run$step + 1, epoch + 1, losses, update[["gradNorm"]],
        update[["lr"]], seconds, state$run$number
    )
    state$run$step <- state$run$step + 1
    state$run$discarded <- state$run$discarded + discarded
    off <- c(
        DAG = isTRUE(update[["disabledDag"]] != 0),
        sparsity = isTRUE(update[["disabledSparsity"]] != 0)
    )
    state$run$disabled <- union(state$run$disabled, names(off)[off])
    invisible()
}

.lossText <- function(losses) {
    losses <- losses[!is.na(losses)]
    value <- vapply(losses, function(x) format(signif(x, 3)), character(1))
    paste(names(losses), value, collapse = " ")
}
