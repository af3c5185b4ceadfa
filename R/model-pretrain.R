## Pre-training as configured in a file.

#' Pre-train from a configuration file
#'
#' Trains a module of scCAFM on files of cells as a YAML file says, with the
#' published keys. The same from a shell: `Rscript -e
#' 'causeway::pretrain("sfm_pretrain.yaml", dir = "run")'`, or the script
#' `system.file("exec", "causeway", package = "causeway")`: `causeway pretrain
#' sfm_pretrain.yaml --dir run`; `--help` lists what it takes.
#'
#' @details
#' The configuration has the sections `model_source`, `runtime`, `data`,
#' `optimizer`, `scheduler`, `loss` and `trainer` of the published
#' `sfm_pretrain.yaml` and `efm_pretrain.yaml` (the latter is known by
#' `loss.lambda_exp`), and of our own `causeway`: `dir`, `seed` (0),
#' `save_every` (100 steps), `keep_last` (3 checkpoints) and `conditions` (1024,
#' most values in a new table of conditions). Unknown keys, wrong types
#' and values out of range are errors that name the key and its line. Paths are
#' looked up from the working folder, then from that of the configuration.
#'
#' `model_source` is a folder with the module's configuration, vocabulary,
#' tables of factors and, where the prior loss is on, `OmniPath.csv`; of the EFM
#' also a trained SFM. Gene vectors in `vocab.safetensors` are where gene
#' embeddings start. Files are taken one after the other in a seeded order, each
#' with its own variable genes, as published.
#'
#' What differs from the published trainer: computations are in single
#' precision on processors; precision, sharding and workers are checked and
#' passed over. Steps are counted after the filters, so that the schedule ends
#' where it should; a last window that is shorter weighs its batches equally;
#' the order of cells is that of the seed. Files without a species column are
#' human.
#'
#' @section Runs that survive a kill: the folder `dir` is a model package with
#'   checkpoints (see [trainModel()]). The same call goes on from the last one to
#'   the numbers, to the bit, of the run that was never stopped; a file of
#'   cells that changed, and another configuration, are refused. SIGTERM (what
#'   a cluster sends before it kills) stops within the step, writes a checkpoint
#'   and returns the model; the script then ends with exit code 75, "to be
#'   called again", `Rscript -e` with 0.
#'   `mpirun -n 4 causeway pretrain sfm_pretrain.yaml` trains in four processes,
#'   `data.batch_size` cells each, see [trainModel()]; Open MPI's `mpirun` kills
#'   a second after SIGTERM unless told `--mca odls_base_sigkill_timeout 60`.
#'   `logs/sfm_pretrain.jsonl` in `dir` has one JSON object a line: `event`
#'   ("begin", "resume", "step", "stopped", "finished"), `time`, `step`,
#'   `total` (steps), at the start `processes`; of a step `epoch`, every loss, their sum `loss`, `gradNorm`, `lr`, `seconds`. After
#'   a kill steps since the last checkpoint come again.
#'
#' @param config path of the YAML file. Needs the package yaml.
#' @param dir folder of the run; `NULL`: `causeway.dir` of the configuration. A
#'   dry run can do without.
#' @param dryRun `TRUE`: check everything, train nothing.
#' @param resume `NULL`: go on where `dir` holds a run, else begin. `TRUE`: there
#'   must be one. `FALSE`: there must be none.
#' @param init folder of a model package whose weights are where the run
#'   starts (warm start), or `NULL`.
#' @param threads as for [newModel()].
#' @param verbose show messages and progress.
#' @return The trained [FoundationModel-class], invisibly; with `dryRun` a
#'   [CausewayReport-class] with the tables `files` (cells, genes, share of
#'   them in the vocabulary, missing columns, steps) and `checks`, and the
#'   facts `steps`, `warmup`, `processes`, `bytes`, `seconds` (of all steps, told from one
#'   batch; `NA` where memory is too short to try). Steps are counted from all
#'   cells stored, the filters may leave fewer.
#' @section Errors: a configuration that can't be used, by key and line; a
#'   package or file that is missing, unreadable or changed; a folder that holds
#'   another run; those of [trainModel()].
#' @seealso [trainModel()], [loadModel()]
#' @references scCAFM, repository Catchxu/scCAFM: configs/sfm_pretrain.yaml.
#' @examples
#' cells <- exampleCells(nCells = 60)
#' folder <- tempfile("pretrain")
#' dir.create(folder)
#' writeH5AD(cells, file.path(folder, "cells.h5ad"), verbose = FALSE)
#' model <- newModel(SFMParam(embedDim = 16, layers = 1, heads = 2), cells)
#' saveModel(model, file.path(folder, "assets"))
#' writeLines(c(
#'     "model_source: assets",
#'     "data:", "  train_paths: cells.h5ad", "  batch_size: 16",
#'     "  max_length: 512", "  preprocess: {enabled: true, min_genes: 0, n_top_genes: 500}",
#'     "optimizer: {lr: 0.001}", "trainer: {epochs: 1}"
#' ), file.path(folder, "c.yaml"))
#' if (requireNamespace("yaml", quietly = TRUE)) {
#'     pretrain(file.path(folder, "c.yaml"), file.path(folder, "run"),
#'         dryRun = TRUE, verbose = FALSE
#'     )
#' }
#' @export
pretrain <- function(config, dir = NULL, dryRun = FALSE, resume = NULL,
    init = NULL, threads = NULL, verbose = TRUE) {
    .checkFlag(dryRun, "dryRun")
    .checkFlag(verbose, "verbose")
    if (!is.null(resume)) {
        .checkFlag(resume, "resume")
    }
    done <- .inWorld(.pretrainHere(config, dir, dryRun, resume, init, threads,
        verbose && .isFirst()
    ))
    if (dryRun) done else invisible(done)
}

.pretrainHere <- function(config, dir, dryRun, resume, init, threads,
    verbose) {
    plan <- .pretrainPlan(.readConfig(config), dir, init, verbose, dryRun)
    if (dryRun) {
        return(.dryRun(plan, threads, verbose))
    }
    there <- file.exists(.findFolder(plan$dir))
    if (isTRUE(resume) && !there) {
        .stopArgument("resume", "is TRUE, but there is no run in \"", plan$dir,
            "\"."
        )
    }
    if (isFALSE(resume) && there) {
        .stopArgument("resume", "is FALSE, but \"", plan$dir, "\" exists; ",
            "choose another folder."
        )
    }
    model <- if (there) .continuedModel(plan, threads) else
        .pretrainModel(plan, threads)
    .withSignals(.runPretrain(model, plan, verbose))
}

.runPretrain <- function(model, plan, verbose) {
    state <- model@state
    state$config <- .configJsonOf(plan$config)
    state$logFile <- if (.isFirst()) file.path(plan$dir, .logFolder,
        paste0(plan$module, "_pretrain.jsonl")
    )
    state$logEvent <- if (is.null(state$run)) "begin" else "resume"
    on.exit({
        state$logFile <- NULL
        .logClose(state)
    })
    told <- tryCatch(
        {
            .pretrainTrain(model, plan, verbose)
            FALSE
        },
        interrupt = function(e) TRUE
    )
    if (told) {
        if (.isFirst()) {
            message("Stopped before the first step; call it again to begin.")
        }
        state$status <- "stopped"
        return(invisible(model))
    }
    .logRun(state, state$status)
    if (state$status == "finished" && .isFirst()) {
        .refreshWeights(model, plan$dir)
    }
    invisible(model)
}

.pretrainTrain <- function(model, plan, verbose) {
    c <- plan$config
    network <- if (plan$module == "efm") .networkOf(plan)
    .trainModel(model, .configFiles(plan), .configHow(c), .configSettings(c,
        model@config[[plan$module]]$embed_dim, plan$module
    ), c$trainer.epochs, plan$prior, NULL,
    list(
        dir = plan$dir, keep = as.integer(c$causeway.keep_last),
        every = if (is.null(c$causeway.save_every)) 100 else
            c$causeway.save_every,
        at = if (c$trainer.checkpoint_frequency == "epoch") "epoch" else "file"
    ), c$causeway.seed, verbose, function(prepared) {
        .withOrder(prepared, model, network, FALSE)
    })
}

## The package's own file of weights, which other programs read, is that of
## the end of the run.
.refreshWeights <- function(model, dir) {
    file <- file.path(dir, .modulePaths(.moduleOf(model))$weights[[1L]])
    .renewSums(dir, function() {
        .writeFile(file, TRUE, function(part) .engineSave(model, part))
    })
}

## ---- the model ------------------------------------------------------------------

.pretrainModel <- function(plan, threads) {
    c <- plan$config
    files <- plan$files
    config <- .readJson(files$config, simplify = FALSE)
    .checkConfig(config, files$config, plan$module)
    vocab <- .checkVocab(.readJson(files$vocab), files$vocab)
    table <- if (!c$data.condition_vocab.regenerate &&
        !is.na(files$conditions)) {
        .checkConditions(.readJson(files$conditions), files$conditions)
    }
    rows <- if (is.null(table)) as.integer(c$causeway.conditions) else
        max(table$token_index) + 1L
    model <- .buildModel(config, vocab, .packageTfs(files)$tfs, rows = rows,
        key = .newKey(c$causeway.seed), threads = .threads(threads),
        maxLength = as.integer(c$data.max_length), module = plan$module
    )
    if (!is.null(table)) {
        free <- grepl("^<reserved_[0-9]+>$", table$cond_value)
        model@state$conditions <- table[!free, ]
    }
    if (!is.na(plan$vectors)) {
        .setVectors(model, plan$vectors)
    }
    start <- if (!is.null(plan$init)) {
        loadModel(plan$init, threads = threads, module = plan$module,
            verbose = FALSE
        )
    } else if (plan$module == "efm") .networkOf(plan)
    if (!is.null(start)) {
        .startFrom(start, model, is.null(table))
    }
    model
}

.networkOf <- function(plan) {
    loadModel(plan$source, module = "sfm", verbose = FALSE)
}

## The gene vectors of a package.
.setVectors <- function(model, file) {
    name <- .geneTensor(model)
    shape <- .tensorShape(model, name)
    found <- .readSafetensor(file, "embeddings")
    if (!identical(as.numeric(found$shape), as.numeric(shape))) {
        stop("'", file, "' holds vectors of ",
            paste(found$shape, collapse = " x "), "; the model's are ",
            paste(shape, collapse = " x "), ".",
            call. = FALSE
        )
    }
    .engineSet(model, name, found$values)
}

## Tensors of equal name, without the module's prefix; another shape is an
## error. A new table of conditions keeps its own rows.
.startFrom <- function(from, to, newTable) {
    bare <- function(names) {
        sub("^(foundation_modules\\.[a-z]+|head_modules)\\.", "", names)
    }
    a <- .engineTensors(from)
    b <- .engineTensors(to)
    at <- match(bare(b$name), bare(a$name))
    for (i in which(!is.na(at))) {
        if (newTable && endsWith(b$name[[i]], .conditionTensor)) next
        j <- at[[i]]
        if (!identical(as.numeric(a$shape[[j]]), as.numeric(b$shape[[i]]))) {
            stop("the weights to start from don't fit: ", a$name[[j]], " is ",
                paste(a$shape[[j]], collapse = " x "), ", in the new model ",
                paste(b$shape[[i]], collapse = " x "), ".",
                call. = FALSE
            )
        }
        .engineSet(to, b$name[[i]], .engineGet(from, a$name[[j]]))
    }
    invisible()
}

## The run in `dir`, which must be of this configuration.
.continuedModel <- function(plan, threads) {
    if (is.na(.firstFile(.findFolder(plan$dir),
        .modulePaths(plan$module)$config))) {
        .stopArgument("dir", "is \"", plan$dir, "\", which exists and holds ",
            "no run of this module."
        )
    }
    model <- loadModel(plan$dir, threads = threads, module = plan$module,
        verbose = FALSE
    )
    .sameConfig(model@state$config, plan)
    model
}

.sameConfig <- function(old, plan) {
    if (is.null(old)) {
        .stopArgument("dir", "is \"", plan$dir, "\", which holds a model that ",
            "pretrain() didn't make; choose another folder."
        )
    }
    old <- jsonlite::parse_json(old, simplifyVector = TRUE)
    new <- jsonlite::parse_json(.configJsonOf(plan$config),
        simplifyVector = TRUE
    )
    for (key in union(names(new), names(old))) {
        if (!isTRUE(all.equal(old[[key]], new[[key]], tolerance = 1e-12))) {
            .stopKey(key, attr(plan$config, "file"),
                attr(plan$config, "lines"), "is ", .show(new[[key]]),
                ", but the run in '", plan$dir, "' has ", .show(old[[key]]),
                ". Choose another folder for another run."
            )
        }
    }
    invisible()
}

## What makes a run: all but where things are and how they are computed.
.configJsonOf <- function(config) {
    free <- "^(runtime|causeway[.](dir|keep_last|save_every))|_paths?$|^model_source$|^data[.](num_workers|pin_memory|persistent_workers|prefetch_factor)$"
    keep <- unclass(config)[!grepl(free, names(config))]
    as.character(jsonlite::toJSON(keep[!vapply(keep, is.null, NA)],
        auto_unbox = TRUE, digits = NA
    ))
}

## ---- the log ----------------------------------------------------------------------

.logFolder <- "logs"

## One line of JSON: an event, or the step just done. Where a run has no log,
## nothing.
.logRun <- function(state, event) {
    if (is.null(state$logFile)) {
        return(invisible())
    }
    if (is.null(state$logOpen)) {
        dir.create(dirname(state$logFile), showWarnings = FALSE)
        state$logOpen <- file(state$logFile, "at")
        .logLine(state, state$logEvent, state$run$step - (event == "step"))
    }
    if (event == "step") {
        row <- as.list(state$log[state$logged, ])
        row <- row[setdiff(names(row), c("step", "run"))]
        names(row)[names(row) == "total"] <- "loss"
        .logLine(state, event, state$run$step, row[!is.na(row)])
    } else {
        .logLine(state, event, state$run$step)
    }
}

.logLine <- function(state, event, step, values = list()) {
    line <- .jsonText(c(list(event = event,
        time = format(Sys.time(), "%Y-%m-%dT%H:%M:%OS3Z", tz = "UTC"),
        step = step, total = state$run$total
    ), if (event %in% c("begin", "resume")) list(
        processes = .processes(state$run$settings)
    ), values), FALSE)
    writeLines(as.character(line), state$logOpen)
    flush(state$logOpen)
    invisible()
}

.logClose <- function(state) {
    if (!is.null(state$logOpen)) {
        close(state$logOpen)
        state$logOpen <- NULL
    }
    invisible()
}
