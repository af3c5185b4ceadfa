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
#' to 10,000; log1p. Then all factors and the `nTargets` most variable other
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
#'   where the run stopped: same order, same numbers as without the stop, to
#'   the last bit. `resume = TRUE` does the same and takes the settings from
#'   the stopped run. A larger `epochs` extends a
#'   finished run; the learning rate's schedule is then stretched. `resume =
#'   FALSE`, or other settings, begin a new run from the present weights.
#'
#' @section Runs that survive a kill: with `dir = ` the model is kept there as
#'   a package (as by [saveModel()]), and every `saveEvery` steps, and at the
#'   end, a checkpoint with weights, moments, step and everything else the run
#'   stands on; the last `keepLast` are kept. After a crash, `model <-
#'   loadModel(dir)` and the same call of `trainModel()` go on from the last
#'   checkpoint to the numbers of the run that was never stopped. A checkpoint
#'   is written beside, synced and renamed: what is there is whole.
#'
#' @section Several processes: under `mpirun -n 4 Rscript script.R` (or SLURM's
#'   `srun`) all processes train one model, where the package was built with MPI
#'   (`engineInfo()$mpi`). Each runs the whole script and reads the same cells;
#'   a batch is then `batchSize` cells *per process*, shared out evenly, and
#'   the weights, seed and run are the first one's. Losses are those of one
#'   process with that larger batch, cells, pairs and masked positions counted
#'   over all; noise follows the number of a batch, so `accumulate = 4` in one
#'   process gives the same numbers up to the order of sums where batches are
#'   full and no `prior` is given. The first process alone prints, and
#'   writes `dir`. One that fails stops the others with its message, one that is
#'   killed ends them. A run goes on with as many processes as it began with.
#'   What else the script does, every process does; `options(causeway.mpi =
#'   FALSE)` makes each train for itself.
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
#'   are then `epochs` (`NULL`: about 600 steps), `batchSize`, `lr` (5e-3),
#'   `weightDecay`, `clip`, `preprocess`, `alreadyNormalised`, `verbose`; a stopped run isn't resumed. It keeps the teacher's errors too.
#'
#' @param x the cells, as for [newModel()].
#' @param model a [FoundationModel-class], or an [SFMParam()]: the model is
#'   then made from the cells first.
#' @inheritParams cellInput
#' @param platform,tissue,disease `NULL` (unknown), a column of `colData(x)`,
#'   one value, or one value per cell.
#' @param tfs as in [cellInput]; `NULL`: the model's table.
#' @param nTargets variable genes beside the factors; `NULL`: 1,000.
#' @param genes exactly the genes to read, as in [cellInput]. Genes without any
#'   count in these cells and, unless `preprocess = list(dropQC = FALSE)`,
#'   mitochondrial, ribosomal and haemoglobin genes can't be among them.
#' @param epochs passes over the cells; `NULL`: 10, or those of the run that
#'   is resumed.
#' @param batchSize cells per batch.
#' @param accumulate batches per optimizer step.
#' @param lr learning rate; `NULL`: 1e-4, as published, for models of width 512
#'   and more, and 1e-3 for smaller ones, which need and bear more.
#' @param weightDecay,clip AdamW's weight decay, and the largest global
#'   gradient norm.
#' @param warmup share of the steps with rising learning rate; DAG and
#'   sparsity start after them.
#' @param minLrRatio the cosine schedule ends at this share of
#'   `lr`.
#' @param prior `NULL`, or a data.frame with columns `Gene1` (source) and
#'   `Gene2` (target) of known edges.
#' @param priorWeight weight of the prior loss in the first epoch and the
#'   value its cosine schedule goes to.
#' @param priorEdges edges per cell the prior loss looks at.
#' @param lambdaDag,lambdaSparsity weights of these losses; 0 switches off.
#' @param conditionMask share of platform, tissue and disease labels replaced
#'   by `<unk>`, anew in every epoch.
#' @param preprocess named list, see Details and [cellInput].
#' @param resume see "Stopping and going on".
#' @param dir folder for the run's model and checkpoints, or `NULL`.
#' @param saveEvery optimizer steps between two checkpoints.
#' @param keepLast how many checkpoints are kept.
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
#' trainModel(cells, model, epochs = 2, seed = 1, verbose = FALSE)
#' model
#' tail(trainingHistory(model), 3)
#' @rdname trainModel
#' @aliases trainModel,ANY,SFModel-method
#' @export
setMethod("trainModel", c("ANY", "SFModel"), function(x, model,
    assay.type = NULL, symbols = NULL, species = NULL, platform = NULL,
    tissue = NULL, disease = NULL, tfs = NULL, nTargets = NULL,
    keep = NULL, genes = NULL, epochs = NULL, batchSize = 16, accumulate = 1,
    lr = NULL, weightDecay = 0.05, warmup = 0.03, minLrRatio = 0.1, clip = 1,
    prior = NULL, priorWeight = c(20, 10), priorEdges = 512, lambdaDag = 1,
    lambdaSparsity = 0.001, conditionMask = 0.1, preprocess = list(),
    alreadyNormalised = NULL, resume = NULL, dir = NULL, saveEvery = 100,
    keepLast = 3, seed = NULL, assay = NULL, verbose = interactive(), ...) {
    .noTrainDots(...)
    .alive(model)
    how <- .inputArgs(assay.type, symbols,
        if (is.null(species)) model@state$species else species, tfs, nTargets,
        keep, genes, alreadyNormalised, preprocess, assay, platform, tissue,
        disease
    )
    settings <- .trainSettings(list(
        batchSize = batchSize, accumulate = accumulate,
        lr = lr, weightDecay = weightDecay,
        warmup = warmup, minLrRatio = minLrRatio, clip = clip,
        priorWeight = priorWeight, priorEdges = priorEdges,
        lambdaDag = lambdaDag, lambdaSparsity = lambdaSparsity,
        conditionMask = conditionMask
    ), model@config$sfm$embed_dim)
    saving <- .checkSaving(dir, saveEvery, keepLast)
    .trainModel(model, x, how, settings, epochs, prior, resume, saving, seed,
        verbose
    )
})

#' @rdname trainModel
#' @aliases trainModel,ANY,SFMParam-method
#' @param threads threads of the engine, as for [newModel()].
#' @param teacher for `SFMParam`: `NULL`, or the networks the model is to learn,
#'   see "Teacher and student".
#' @export
setMethod("trainModel", c("ANY", "SFMParam"), function(x, model, ...,
    species = NULL, tfs = NULL, assay.type = NULL, symbols = NULL,
    assay = NULL, threads = NULL, seed = NULL, teacher = NULL) {
    if (!is.null(teacher)) {
        if (!is.null(tfs)) {
            .stopArgument("tfs", "can't be chosen: they are the teacher's.")
        }
        return(.distil(model, x, teacher, species, assay.type, symbols,
            threads, seed, ...
        ))
    }
    .trainNew(x, model, ..., species = species, tfs = tfs,
        assay.type = assay.type, symbols = symbols, assay = assay,
        threads = threads, seed = seed
    )
})

## A new model of these settings, made from the cells and trained on them.
.trainNew <- function(x, param, ..., species, tfs, assay.type, symbols, assay,
    threads, seed) {
    made <- newModel(param, x,
        species = species, tfs = tfs, seed = seed, threads = threads,
        assay.type = assay.type, symbols = symbols, assay = assay
    )
    trainModel(x, made, ...,
        species = species, assay.type = assay.type, symbols = symbols,
        assay = assay, seed = seed
    )
}

#' @rdname trainModel
#' @aliases trainModel,ANY,ANY-method
#' @export
setMethod("trainModel", c("ANY", "ANY"), function(x, model, ...) {
    if (methods::is(x, "SFModel") || methods::is(x, "SFMParam")) {
        .stopArgument("x", "is the model; the cells come first, ",
            "trainModel(x, model)."
        )
    }
    .noBrackets(model, "model")
    .stopArgument("model", "must be a FoundationModel or an SFMParam; it is a ",
        class(model)[[1L]], ". The cells come first, trainModel(x, model)."
    )
})

## What trainModel() once took under another name, or took and didn't heed.
.noTrainDots <- function(...) {
    if ("deterministic" %in% ...names()) {
        stop("there is no argument 'deterministic' any more: training gives ",
            "the same bits run to run and for any number of threads, always.",
            call. = FALSE
        )
    }
    .noDots(..., renamed = c(learningRate = "lr", nTopGenes = "nTargets"))
}

.checkSaving <- function(dir, every, keep) {
    every <- .checkNumber(every, "saveEvery", 1, whole = TRUE)
    keep <- .checkNumber(keep, "keepLast", 1, 1000, TRUE)
    if (is.null(dir)) {
        return(NULL)
    }
    list(dir = .checkText(dir, "dir"), every = every, keep = keep)
}
