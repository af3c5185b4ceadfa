## A fine-tuning run of an encoder: its epochs, its checkpoints.

## The run: epochs of batches in a seeded order, held-out cells after each. how:
## task, optimizer (beside the rate and its decay), settings, weights, groups,
## off (losses that aren't there), reading (of cells whose classes are asked).
## With `saving` (dir, keep) every epoch leaves a checkpoint, and a run whose
## cells and settings are those of the folder's goes on from the last. With
## how$keepBest the weights of the epoch of best accuracy come back.
.tune <- function(model, data, s, key, verbose, how = .scgptRun(model, data, s),
    saving = NULL) {
    .inWorld(.tuneHere(model, data, .withProcesses(s), key,
        verbose && .isFirst(), how, if (.isFirst()) saving
    ))
}

.tuneHere <- function(model, data, s, key, verbose, how, saving) {
    if (.world()$size > 1L) {
        key <- .sharedPlan(list(fingerprint = .tuningPrint(data, s),
            key = key))$key
    }
    held <- .tuningHeld(data, s$valid, key)
    seen <- setdiff(seq_along(data$cells), held)
    .checkMemory(model, min(s$batchSize, length(seen)),
        min(nrow(data$values), how$reading$maxLength), 0, TRUE, "batchSize"
    )
    last <- .ofFirst(.tuningLast(data, s, saving))
    if (!is.null(last)) {
        key <- last$key
    }
    batches <- .shuffledBatches(seen, s$batchSize * .processes(s), key)
    steps <- batches$n
    .engineBegin(model, how$task,
        optimizer = c(list(optimizer = "adam", lr = s$lr,
            weightDecay = s$weightDecay, totalSteps = s$epochs * steps
        ), how$optimizer(steps)),
        settings = how$settings, weights = how$weights, groups = how$groups,
        key = key
    )
    log <- list()
    if (!is.null(last)) {
        if (.isFirst()) .engineResume(model, last$file)
        log <- split(last$history, last$history$epoch)
        .say(verbose, "Going on after epoch ", length(log), " of ", s$epochs,
            "."
        )
    }
    best <- if (.isFirst()) .bestFile(how, saving)
    if (is.null(saving)) {
        on.exit(.removeFile(best))
    }
    world <- .world()
    if (world$size > 1L) {
        .engineShare(model)
    }
    run <- .rounds(model, rep(steps, s$epochs),
        function(epoch) {
            parts <- batches$of(epoch)
            function(i) {
                own <- .ownCells(parts[[i]], world)
                if (length(own)) .tuningBatch(model, data, own)
            }
        },
        function(epoch, told, at) {
            losses <- Reduce(`+`, told) / length(told)
            losses[names(losses) %in% how$off] <- NA
            cbind(data.frame(epoch = epoch, as.list(losses), at),
                .tuningScore(model, data, held, seen, how$reading))
        },
        verbose = verbose, log = log, world = world,
        score = if (!is.null(best)) function(row) row$accuracy, file = best,
        keep = function(log) .saveTuning(model, data, s, key, log, saving),
        stopped = function() {
            if (world$size > 1L) .worldFails("it was stopped", TRUE)
        }
    )
    n <- length(run$log)
    model@state$status <- paste0(if (run$stopped) "stopped" else "finished",
        " after ", n, " of ", s$epochs, " epochs of ", how$what, " (", s$train,
        ")", if (run$best < n) paste(", weights of epoch", run$best)
    )
    if (world$size > 1L && isTRUE(how$keepBest)) {
        .engineShare(model)
    }
    history <- do.call(rbind, run$log)
    rownames(history) <- NULL
    model@state$history <- history
    .tellTuning(model, verbose)
    model
}

## Where the best epoch's weights wait; NULL: the last epoch is taken.
.bestFile <- function(how, saving) {
    if (isTRUE(how$keepBest)) {
        if (is.null(saving)) tempfile("causeway-best-", fileext =
            ".safetensors") else file.path(saving$dir, "best.safetensors")
    }
}

.scgptRun <- function(model, data, s) {
    reading <- .tuningReading(data)
    list(task = "train", what = "fine-tuning", reading = reading,
        optimizer = function(steps) {
            list(beta2 = 0.999, schedule = "step", every = steps, gamma = 0.9)
        },
        settings = c(reading, mask = s$mask, threshold = 0.8),
        weights = .tuningWeights(data, s), groups = .tuningGroups(s$train),
        off = .tuningOff(model, data, s)
    )
}

## ---- checkpoints of a run --------------------------------------------------

.tuningPair <- "causeway.tuning"

## What tells one run from another; the number of epochs may grow.
.tuningPrint <- function(data, s) {
    s$epochs <- NULL
    .hash(list(data$values, data$tokens, data$class, data$block, unlist(s)))
}

## The last checkpoint of this run in its folder: list(file, key, history), or
## NULL where the folder is empty.
.tuningLast <- function(data, s, saving) {
    if (is.null(saving)) {
        return(NULL)
    }
    if (!dir.exists(saving$dir) && !dir.create(saving$dir)) {
        .stopArgument("dir", "can't be made: \"", saving$dir, "\".")
    }
    file <- .engineLatest(saving$dir)
    if (is.null(file)) {
        return(NULL)
    }
    old <- tryCatch(jsonlite::parse_json(.enginePair(file, .tuningPair),
        simplifyVector = TRUE
    ), error = function(e) NULL)
    if (!identical(old$print, .tuningPrint(data, s)) ||
        NROW(old$history$epoch) > s$epochs) {
        .stopArgument("dir", "is \"", saving$dir, "\", which holds another ",
            "run (of other cells, settings or number of processes, or of ",
            "more epochs); choose ",
            "another folder."
        )
    }
    history <- as.data.frame(lapply(old$history, function(v) {
        if (length(v)) as.numeric(v) else NA_real_ # of one epoch a null
    }))
    history$epoch <- as.integer(history$epoch)
    list(file = file, key = as.numeric(old$key), history = history)
}

.saveTuning <- function(model, data, s, key, log, saving) {
    if (is.null(saving)) {
        return(invisible())
    }
    history <- lapply(do.call(rbind, log), function(v) {
        ifelse(is.na(v), NA_character_, sprintf("%.17g", v))
    })
    state <- list(print = .tuningPrint(data, s),
        key = sprintf("%.17g", key), history = history
    )
    suspendInterrupts(.engineCheckpoint(model, saving$dir, saving$keep,
        setNames(as.character(.jsonText(state, FALSE)), .tuningPair)
    ))
    invisible()
}

.tuningBatch <- function(model, data, at) {
    list(counts = data$values[, at, drop = FALSE], token = data$tokens,
        label = if (!is.null(data$class)) data$class[at],
        classWeight = data$classWeight,
        batch = .noBatch(model, length(at))
    )
}
