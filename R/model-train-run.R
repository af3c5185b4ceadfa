## A training run: its plan, its steps, its record.

.trainSettings <- function(s, width) {
    s <- .runSettings(s, width)
    if (!is.numeric(s$priorWeight) || length(s$priorWeight) != 2L ||
        !all(is.finite(s$priorWeight)) || any(s$priorWeight < 0)) {
        .stopArgument("priorWeight", "must be two numbers from 0 up, first ",
            "and last; it is ", .show(s$priorWeight), "."
        )
    }
    s$priorEdges <- .checkNumber(s$priorEdges, "priorEdges", 1, 1e7, TRUE)
    .checkNumber(s$lambdaDag, "lambdaDag", 0)
    .checkNumber(s$lambdaSparsity, "lambdaSparsity", 0)
    s
}

## What every run is told.
.runSettings <- function(s, width) {
    if (is.null(s$lr)) {
        s$lr <- if (width >= 512) 1e-4 else 1e-3
    }
    s$batchSize <- .checkNumber(s$batchSize, "batchSize", 1, 65536, TRUE)
    s$accumulate <- .checkNumber(s$accumulate, "accumulate", 1, 4096, TRUE)
    .checkNumber(s$lr, "lr", 0, 1, open = TRUE)
    .checkNumber(s$weightDecay, "weightDecay", 0)
    .checkNumber(s$warmup, "warmup", 0, 1)
    .checkNumber(s$minLrRatio, "minLrRatio", 0, 1)
    .checkNumber(s$clip, "clip", 0, open = TRUE)
    .checkNumber(s$conditionMask, "conditionMask", 0, 1)
    s
}

## arrange: what is done to the prepared cells of an EFM.
.trainModel <- function(model, x, how, settings, epochs, prior, resume,
    saving, seed, verbose, arrange = identity) {
    invisible(.inWorld(.trainHere(model, x, how, .withProcesses(settings),
        epochs, prior, resume, if (.isFirst()) saving, seed, verbose, arrange
    )))
}

.trainHere <- function(model, x, how, settings, epochs, prior, resume,
    saving, seed, verbose, arrange) {
    if (!is.null(epochs)) {
        epochs <- .checkNumber(epochs, "epochs", 1, 1e6, whole = TRUE)
    }
    if (!is.null(resume)) {
        .checkFlag(resume, "resume")
    }
    .checkFlag(verbose, "verbose")
    verbose <- verbose && .isFirst()
    state <- model@state
    if (isTRUE(resume)) {
        if (is.null(state$run)) {
            .stopArgument("resume", "is TRUE, but the model has no run to go ",
                "on with; leave it out to begin one."
            )
        }
        how$tokens <- state$run$tokens
        settings <- state$run$settings
    }
    before <- state$conditions
    done <- FALSE
    ## An error before the first step leaves the condition table as it was.
    on.exit(if (!done) state$conditions <- before)
    edges <- .priorTokens(prior, model@vocab)
    set <- .trainingSet(model, x, how, arrange, edges, resume, verbose)
    on.exit(set$drop(), add = TRUE)
    plan <- .sharedPlan(.planRun(model, set, settings, epochs, edges, resume,
        seed, verbose
    ))
    if (plan$total <= plan$step) {
        .say(verbose, "The run has finished (", plan$epochs, " epochs); ",
            "raise 'epochs' to go on, or say resume = FALSE."
        )
        return(invisible(model))
    }
    .checkMemory(model, settings$batchSize, set$genes, set$tfs, TRUE,
        "batchSize"
    )
    saving <- .openRunFolder(model, plan, saving)
    .beginRun(model, plan, edges)
    done <- TRUE
    state$saving <- saving
    state$species <- set$report$species
    state$tokens <- set$tokens
    state$coverage <- set$report
    .say(verbose, "Training on ", sum(set$cells), " cells ",
        if (length(set$cells) > 1L) paste("of", length(set$cells), "files "),
        "x ", set$genes, " genes (", set$report$tfs, " TFs), ",
        plan$epochs, " epochs, ", plan$total - plan$step, " steps",
        if (is(model, "SFModel")) paste0("; prior ", plan$prior),
        .byProcesses(plan$settings), "."
    )
    .saveRun(model)
    .runSteps(model, set, verbose)
    invisible(model)
}

## Edges as a 2 x E matrix of tokens; NULL without a prior.
.priorTokens <- function(prior, vocab) {
    if (is.null(prior)) {
        return(NULL)
    }
    prior <- .referenceEdges(prior, "prior")
    genes <- c(prior$Gene1, prior$Gene2)
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

## What tells one training set from another.
.fingerprint <- function(prepared, edges) {
    .hash(c(list(.valuesMark(prepared$values), prepared$tokens, prepared$nonTF,
        prepared$conditions, edges
    ), if (!is.null(prepared$order)) list(prepared$order)))
}

## The run to do: a new one, or the old one further on.
.planRun <- function(model, set, settings, epochs, edges, resume, seed,
    verbose) {
    old <- model@state$run
    print <- set$print
    sameData <- !is.null(old) && identical(old$fingerprint, print)
    bare <- function(s) s[setdiff(names(s), "processes")]
    same <- sameData && isTRUE(all.equal(bare(old$settings), bare(settings),
        tolerance = 1e-12
    ))
    if (!isFALSE(resume) && same) {
        .sameProcesses(old)
    }
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
    perEpoch <- sum(.windowsOf(set$cells, settings))
    list(
        settings = settings, epochs = epochs, perEpoch = perEpoch,
        total = epochs * perEpoch, step = 0, fingerprint = print,
        key = .newKey(seed), tokens = set$tokens, files = set$files,
        prior = if (is.null(edges)) "none" else
            paste(ncol(edges), "edges"),
        usePrior = !is.null(edges), goesOn = FALSE, stretched = FALSE,
        number = if (is.null(old)) 1L else old$number + 1L,
        disabled = character(), discarded = 0
    )
}

## The run as the engine is told it. DAG and sparsity act after the warm-up.
.beginEngine <- function(model, plan, edges) {
    s <- plan$settings
    optimizer <- list(
        lr = s$lr, beta2 = 0.95, weightDecay = s$weightDecay,
        clip = s$clip, totalSteps = as.double(plan$total),
        warmupSteps = floor(plan$total * s$warmup),
        minLrRatio = s$minLrRatio, delay = floor(plan$total * s$warmup)
    )
    further <- intersect(names(s), c("beta1", "beta2", "eps", "delay"))
    optimizer[further] <- s[further]
    if (isTRUE(s$constant == 1)) {
        optimizer$schedule <- "constant"
    }
    if (is(model, "EFModel")) {
        return(.engineBegin(model, "pretrain", optimizer,
            weights = c(expression = s$lambdaExpression), key = plan$key
        ))
    }
    .engineBind(model, list(prior = edges))
    .engineBegin(model, "pretrain",
        optimizer = optimizer,
        settings = s[intersect(names(s),
            c("priorEdges", "priorPositive", "priorNegative")
        )],
        weights = c(
            prior = if (plan$usePrior) s$priorWeight[[1L]] else 0,
            dag = s$lambdaDag, sparsity = s$lambdaSparsity
        ),
        key = plan$key
    )
}

## Sets the engine's optimizer up. A run that goes on keeps its moments and
## counters: they are put aside over the begin, which starts afresh.
.beginRun <- function(model, plan, edges) {
    state <- model@state
    log <- state$log
    if (!is.null(log)) {
        log <- log[!is.na(log[, "step"]), , drop = FALSE]
    }
    ## first what may fail for want of memory: then the old run is still whole
    room <- rbind(log, .emptyLog(plan$total - plan$step, model))
    keep <- state$trainFile
    if (plan$goesOn && is.null(keep) && .isFirst()) {
        folder <- tempfile("causeway-train-")
        dir.create(folder)
        on.exit(.removeFile(folder, recursive = TRUE))
        .engineCheckpoint(model, folder)
        keep <- .engineLatest(folder)
    }
    .beginEngine(model, plan, edges)
    if (plan$goesOn && .isFirst()) {
        .engineResume(model, keep)
    }
    if (.world()$size > 1L) {
        .engineShare(model)
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

.runSteps <- function(model, set, verbose) {
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
                .stopIfTold()
                terms <- .trainStep(model, set)
                .logRun(state, "step")
                if (.saveIsDue(state, set)) .saveRun(model)
                .progressTick(bar, state$run$step, terms)
            }
            "finished"
        },
        interrupt = function(e) {
            if (.world()$size > 1L) .worldFails("it was stopped", TRUE)
            "stopped"
        }
    )
    state$status <- status
    .progressDone(bar)
    if (!.isFirst()) {
        return(invisible())
    }
    if (status == "stopped") {
        .saveRun(model)
        message("Training stopped after ", state$run$step, " of ",
            state$run$total, " steps. The model is usable; ",
            "trainModel(x, model, ..., resume = TRUE) goes on from here."
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
            "run; a smaller 'lr' may keep it.",
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

## Order of the cells and masked conditions of an epoch (of one of several
## files: each has its own `number`); kept between steps.
.epochPlan <- function(state, prepared, number) {
    cached <- state$epochPlan
    if (!is.null(cached) && identical(cached$number, number) &&
        identical(cached$key, state$run$key) &&
        length(cached$order) == ncol(prepared$values)) {
        return(cached)
    }
    key <- as.double(state$run$key)
    state$epochPlan <- list(
        number = number, key = state$run$key,
        order = .shuffled(ncol(prepared$values), key, number),
        conditions = .maskConditions(prepared$conditions,
            state$run$settings$conditionMask, key, number
        )
    )
    state$epochPlan
}

## One optimizer step: `accumulate` batches, each shared out among the
## processes, then the update. The update and
## its record can't be parted by an interrupt.
.trainStep <- function(model, set) {
    state <- model@state
    run <- state$run
    s <- run$settings
    started <- proc.time()[["elapsed"]]
    at <- .stepPlace(run$step, .windowsOf(set$cells, s))
    epoch <- at$epoch
    prepared <- set$part(at$file)
    plan <- .epochPlan(state, prepared,
        epoch * length(set$cells) + at$file - 1L
    )
    cells <- .windowCells(plan$order, at$window, s)
    world <- .world()
    prior <- if (run$usePrior) {
        c(prior = .priorWeightAt(s$priorWeight, epoch, run$epochs))
    }
    losses <- lapply(seq_along(cells), function(i) {
        own <- .ownCells(cells[[i]], world)
        batch <- if (length(own)) .tokenBatch(prepared, own, plan$conditions)
        step <- .engineMicro(model, batch, (i - 1L) * world$size + world$rank,
            1 / length(cells), prior, i == length(cells)
        )
        .stepLosses(step)
    })
    losses <- rowMeans(do.call(cbind, losses))
    losses[.lossesOff(names(losses), run)] <- NA
    suspendInterrupts({
        update <- .engineApply(model)
        .recordStep(state, epoch, losses, update,
            proc.time()[["elapsed"]] - started
        )
    })
    .lossText(losses)
}

## The record's losses of one batch: an SFM's two parts of the ELBO are one.
.stepLosses <- function(step) {
    w <- step$weighted
    if ("kl" %in% names(w)) {
        w <- c(elbo = w[["reconstruction"]] + w[["kl"]],
            w[c("prior", "dag", "sparsity")]
        )
    }
    c(w, total = step$total)
}

.lossesOff <- function(names, run) {
    s <- run$settings
    off <- c(prior = !run$usePrior, dag = isTRUE(s$lambdaDag == 0),
        sparsity = isTRUE(s$lambdaSparsity == 0)
    )
    names %in% names(off)[off]
}

.windowCells <- function(order, window, s) {
    batch <- s$batchSize * .processes(s)
    first <- window * batch * s$accumulate
    last <- min(length(order), first + batch * s$accumulate)
    here <- order[seq(first + 1, last)]
    unname(split(here, (seq_along(here) - 1L) %/% batch))
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
    names <- c(dag = "DAG", sparsity = "sparsity")
    off <- vapply(names(names), function(name) {
        name %in% names(update$dropped) && update$dropped[[name]] != 0
    }, NA)
    state$run$disabled <- union(state$run$disabled, names[off])
    invisible()
}

.lossText <- function(losses) {
    losses <- losses[!is.na(losses)]
    value <- vapply(losses, function(x) format(signif(x, 3)), character(1))
    paste(names(losses), value, collapse = " ")
}
