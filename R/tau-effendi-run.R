## A run of Effendi in a folder: what is kept after each stage and, within one,
## every so many steps, and taken up again.

.effendiFiles <- list(
    list(
        vector_field_frozen.safetensors = c("vector_field.*", "tau_bar"),
        align_mlp.safetensors = "align.*"
    ),
    list(effendi_stage1.safetensors = "*"),
    list(effendi_final.safetensors = "*")
)

## The state of a run in `dir`: NULL where there is nothing yet.
.effendiResume <- function(dir, print, overwrite) {
    file <- file.path(dir, "effendi_run.json")
    known <- c(
        unlist(lapply(.effendiFiles, names)), "gene_tau_estimates.csv",
        "effendi_run.json"
    )
    there <- known[file.exists(file.path(dir, known))]
    if (overwrite || !length(there)) {
        return(NULL) # each stage replaces its files when it is done
    }
    run <- if (file.exists(file)) {
        tryCatch(jsonlite::read_json(file, simplifyVector = TRUE),
            error = function(e) NULL
        )
    }
    if (is.null(run) || !identical(as.character(run$fingerprint), print)) {
        .stopArgument("dir", "holds files of another run (", .some(there, 3L),
            " in ", dir, "): other data or settings. Give another folder, or ",
            "say overwrite = TRUE."
        )
    }
    run
}

.effendiWriteRun <- function(dir, run) {
    if (is.null(dir)) {
        return(invisible())
    }
    file <- file.path(dir, "effendi_run.json")
    .writeLines(jsonlite::toJSON(run,
        auto_unbox = TRUE, digits = NA, pretty = TRUE, null = "null"
    ), file, arg = "dir")
    invisible()
}

.effendiCheckpoint <- function(model, dir, stage, save) {
    files <- .effendiFiles[[stage + 1L]]
    missing <- vapply(names(files), function(name) {
        file <- file.path(dir, name)
        only <- paste(files[[name]], collapse = "|")
        if (save) {
            .engineSave(model$engine, file, only)
            return(0L)
        }
        report <- .engineLoad(model$engine, file, only)
        length(report$missing) + length(report$misshapen)
    }, integer(1))
    if (!save && any(missing > 0L)) {
        .stopArgument("dir", "has checkpoints that lack tensors (",
            .some(names(files)[missing > 0L]), " in ", dir,
            "). Say overwrite = TRUE to fit anew."
        )
    }
    invisible()
}

.effendiWriteTau <- function(dir, result) {
    if (is.null(dir)) {
        return(invisible())
    }
    file <- file.path(dir, "gene_tau_estimates.csv")
    .writeCsv(data.frame(
        gene = names(result$tau), tau = unname(result$tau),
        tau_base = unname(result$tauBase)
    ), file, arg = "dir")
    invisible()
}

## Losses as read from JSON, where a column of NA alone is not written.
.effendiOldLosses <- function(losses) {
    losses <- as.data.frame(losses)
    all <- c("stage", "epoch", .effendiLosses, "tauBar", "gradNorm")
    losses[setdiff(all, names(losses))] <- NA_real_
    losses[all]
}

## ---- within a stage --------------------------------------------------------

## Where and what a stage's checkpoints are: `folder`; `every` so many steps;
## `print` and `key`, which must be the run's. NULL: none are kept.
.effendiKeeping <- function(dir, stage, print, key, every) {
    if (is.null(dir)) {
        return(NULL)
    }
    list(folder = file.path(dir, paste0("stage-", .effendiStages[[stage + 1L]])),
        every = every, mark = paste(c(print, sprintf("%.0f", key), stage),
            collapse = " "
        )
    )
}

## How far a stage is: `log`, the mean losses of finished epochs; `steps`, the
## losses of the present epoch's steps. As text and back without rounding.
.effendiPosition <- list(
    write = function(at) {
        hex <- function(x) sprintf("%a", as.numeric(unlist(x)))
        as.character(jsonlite::toJSON(list(log = hex(at$log),
            steps = hex(at$steps))))
    },
    read = function(text) {
        lapply(jsonlite::parse_json(text, simplifyVector = TRUE), function(x) {
            x <- matrix(as.numeric(x), nrow = 10L, dimnames = list(
                c(.effendiLosses, "tauBar", "gradNorm"), NULL
            ))
            lapply(seq_len(ncol(x)), function(i) x[, i])
        })
    }
)

## Weights, moments, step and position into the stage's folder. A kill at any
## moment leaves the last complete one.
.effendiKeep <- function(model, keeping, at) {
    if (!dir.exists(keeping$folder) && !dir.create(keeping$folder)) {
        .stopArgument("dir", "can't be written: ", keeping$folder, ".")
    }
    suspendInterrupts(.engineCheckpoint(model$engine, keeping$folder, 2L,
        c(causeway.effendi = keeping$mark,
            causeway.position = .effendiPosition$write(at))
    ))
}

## Where a stage that has begun goes on: its last checkpoint, or the start.
.effendiTakeUp <- function(model, keeping) {
    start <- list(log = list(), steps = list())
    last <- if (!is.null(keeping) && dir.exists(keeping$folder)) {
        .engineLatest(keeping$folder)
    }
    if (is.null(last) || !identical(.enginePair(last, "causeway.effendi"),
        keeping$mark)) {
        return(start)
    }
    .engineResume(model$engine, last)
    .effendiPosition$read(.enginePair(last, "causeway.position"))
}

## A finished stage is kept whole, its checkpoints go.
.effendiForget <- function(keeping) {
    if (!is.null(keeping) && dir.exists(keeping$folder)) {
        .removeFile(list.files(keeping$folder, "^step-[0-9]+[.]safetensors$",
            full.names = TRUE
        ))
        if (!length(list.files(keeping$folder, all.files = TRUE,
            no.. = TRUE))) {
            .removeFile(keeping$folder, recursive = TRUE)
        }
    }
    invisible()
}
