## What of a training run is kept with a model.

.stateJson <- function(state) {
    content <- list(
        version = 2L, maxLength = state$maxLength, key = state$key,
        species = state$species, status = state$status,
        tokens = state$tokens, run = state$run, student = state$student,
        config = state$config
    )
    if (!is.null(state$log)) {
        log <- state$log[!is.na(state$log[, "step"]), , drop = FALSE]
        content$history <- .exactNumbers(as.list(as.data.frame(log)))
    }
    if (!is.null(content$run)) {
        content$run$settings <- .exactNumbers(content$run$settings)
        content$run$files <- as.list(content$run$files)
    }
    as.character(.jsonText(content, FALSE))
}

## JSON keeps 15 digits of a number; as text it keeps all 17.
.exactNumbers <- function(x) lapply(x, function(v) sprintf("%.17g", v))

.writeTrainState <- function(model, dir) {
    state <- model@state
    at <- file.path(dir, "models", .moduleOf(model))
    .writeLines(.stateJson(state), file.path(at, "train_state.json"))
    if (is.null(state$run)) {
        return(invisible())
    }
    tensors <- file.path(at, "train_state.safetensors")
    if (!is.null(state$trainFile)) {
        .copyFile(state$trainFile, tensors)
        return(invisible())
    }
    ## beside its place, so that no disk is crossed
    folder <- tempfile("state-", at)
    dir.create(folder)
    on.exit(.removeFile(folder, recursive = TRUE))
    .engineCheckpoint(model, folder)
    file.rename(.engineLatest(folder), tensors)
    invisible()
}

## ---- a run's folder ---------------------------------------------------------

.checkpointFolder <- "checkpoints"
.statePair <- "causeway.state"

## The folder of a run: made as a package where there is none, else it must
## be this run's. Returns `saving` with the folder's whole path.
.openRunFolder <- function(model, plan, saving) {
    if (is.null(saving)) {
        return(NULL)
    }
    if (!file.exists(.findFolder(saving$dir))) {
        saveModel(model, saving$dir)
    }
    saving$dir <- normalizePath(.findFolder(saving$dir))
    points <- file.path(saving$dir, .checkpointFolder)
    last <- if (dir.exists(points)) .engineLatest(points)
    mine <- if (is.null(last)) {
        !is.na(.firstFile(saving$dir,
            .modulePaths(.moduleOf(model))$config)) &&
            !plan$goesOn
    } else {
        old <- .readState(.enginePair(last, .statePair), last)
        plan$goesOn &&
            identical(as.numeric(old$run$key), as.numeric(plan$key)) &&
            identical(old$run$fingerprint, plan$fingerprint)
    }
    if (!mine) {
        .stopArgument("dir", "is \"", saving$dir, "\", which holds another ",
            "run or model. Choose another folder, or go on with that run: ",
            "loadModel() on it, then trainModel() with its cells and settings."
        )
    }
    if (!dir.exists(points) && !dir.create(points)) {
        .stopArgument("dir", "can't be written: ", points)
    }
    saving
}

## After `every` steps, after each file or epoch (`at`), and at the end.
.saveIsDue <- function(state, set = NULL) {
    saving <- state$saving
    step <- state$run$step
    if (is.null(saving)) {
        return(FALSE)
    }
    if (step %% saving$every == 0 || step == state$run$total) {
        return(TRUE)
    }
    if (is.null(saving$at)) {
        return(FALSE)
    }
    place <- .stepPlace(step, .windowsOf(set$cells, state$run$settings))
    place$window == 0 && (saving$at == "file" || place$file == 1L)
}

## A checkpoint of the run as it is now, complete.
.saveRun <- function(model) {
    state <- model@state
    if (!is.null(state$saving)) {
        suspendInterrupts(.engineCheckpoint(model,
            file.path(state$saving$dir, .checkpointFolder), state$saving$keep,
            setNames(.stateJson(state), .statePair)
        ))
    }
    invisible()
}

## The weights to read: those of a run's last checkpoint where there is one.
.weightsFile <- function(files) {
    last <- .lastCheckpoint(files)
    if (is.null(last)) files$weights else last
}

.lastCheckpoint <- function(files) {
    package <- dirname(dirname(dirname(files$config)))
    points <- file.path(package, .checkpointFolder)
    if (dir.exists(points)) .engineLatest(points)
}

.copyFile <- function(from, to) {
    .writeFile(to, TRUE, function(part) {
        if (!file.copy(from, part, overwrite = TRUE) ||
            !identical(file.size(from), file.size(part))) {
            stop("'", from, "' could not be copied to '", to, "': is the ",
                "disk full?",
                call. = FALSE
            )
        }
    })
    invisible(to)
}

.checkTrainState <- function(x, file) {
    number <- function(v, n) is.numeric(v) && length(v) == n && !anyNA(v)
    good <- is.list(x) && number(x$maxLength, 1L) && number(x$key, 2L) &&
        is.character(x$species) && length(x$species) == 1L &&
        x$species %in% .speciesNames && is.character(x$status) &&
        length(x$status) == 1L && (is.null(x$run) || is.list(x$run) &&
            number(x$run$step, 1L) && number(x$run$total, 1L)) &&
        (!length(x$history) || is.list(x$history) &&
            any(vapply(.logColumns, function(columns) {
                all(columns %in% names(x$history))
            }, NA)))
    if (!good) {
        stop("'", file, "' is not the state of a training run that ",
            "saveModel() wrote. Remove it to load the weights without their ",
            "history.",
            call. = FALSE
        )
    }
    invisible(x)
}

.readState <- function(text, file) {
    x <- tryCatch(jsonlite::parse_json(text, simplifyVector = TRUE),
        error = function(e) NULL
    )
    .checkTrainState(x, file)
}

.readTrainState <- function(state, files) {
    last <- .lastCheckpoint(files)
    if (!is.null(last)) {
        x <- .readState(.enginePair(last, .statePair), last)
        tensors <- last
    } else if (!is.na(files$trainState)) {
        x <- .readState(.readText(files$trainState), files$trainState)
        tensors <- files$trainTensors
    } else {
        return(invisible())
    }
    state$maxLength <- as.integer(x$maxLength)
    state$key <- as.numeric(x$key)
    state$species <- x$species
    state$tokens <- if (length(x$tokens)) as.integer(x$tokens)
    state$config <- x$config
    state$student <- .checkReader(x$student, files$trainState)
    if (length(x$history)) {
        log <- do.call(cbind, lapply(x$history, as.numeric))
        columns <- Filter(function(columns) all(columns %in% colnames(log)),
            .logColumns
        )[[1L]]
        state$log <- log[, columns, drop = FALSE]
    }
    if (!is.null(x$run) && !is.na(tensors)) {
        run <- x$run
        run$disabled <- as.character(unlist(run$disabled))
        run$tokens <- as.integer(run$tokens)
        run$files <- if (length(run$files)) as.data.frame(run$files)
        run$settings <- lapply(run$settings, as.numeric)
        state$run <- run
        state$status <- x$status
        if (x$status == "running") { # as every checkpoint says, the last too
            state$status <- if (run$step < run$total) "stopped" else "finished"
        }
        ## A copy: the package's folder may be gone when training goes on.
        state$trainFile <- tempfile("causeway-train-",
            fileext = ".safetensors"
        )
        .copyFile(tensors, state$trainFile)
    } else if (!is.null(x$status)) {
        state$status <- x$status
    }
    invisible()
}
