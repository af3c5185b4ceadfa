## What a run reads: cells that are in memory, or files that are prepared one
## at a time.

## A training set is a list: cells (their number in each part), genes and tfs
## (the most of any part), tokens and report (of the first), print (what tells
## it from others), files (a data.frame, or NULL), part(i) -> prepared cells,
## drop(): what was stored of them isn't needed any more.
.trainingSet <- function(model, x, how, arrange, edges, resume, verbose) {
    if (inherits(x, "causewayFiles")) {
        return(.fileSet(model, x, how, arrange, edges, resume, verbose))
    }
    if (is.character(x) && is.null(dim(x)) && length(x) > 1L) {
        x <- .trainFiles(x)
        return(.fileSet(model, x, how, arrange, edges, resume, verbose))
    }
    prepared <- .modelCells(model, x, "train", how, verbose, store = TRUE)
    .checkTwoCells(prepared, "'x'")
    prepared <- arrange(prepared)
    list(
        cells = ncol(prepared$values), genes = nrow(prepared$values),
        tfs = sum(!prepared$nonTF), tokens = prepared$tokens,
        report = prepared$report, print = .fingerprint(prepared, edges),
        part = function(i) prepared,
        drop = function() .dropStored(prepared$values)
    )
}

.checkTwoCells <- function(prepared, what) {
    if (ncol(prepared$values) < 2L) {
        stop(what, " leaves ", .count(ncol(prepared$values), "cell"),
            "; training needs two or more.",
            call. = FALSE
        )
    }
    invisible()
}

## Files to train on, in this order. open(file): cells that .readCells() takes;
## how(cells, how): the arguments on them.
.trainFiles <- function(paths, open = function(file) file,
    how = function(cells, how) how) {
    there <- file.exists(paths)
    if (!all(there)) {
        .stopArgument("x", "names what is not there: ", .some(paths[!there]),
            "."
        )
    }
    twice <- duplicated(normalizePath(paths))
    if (any(twice)) {
        .stopArgument("x", "names a file twice: ", .some(paths[twice]), ".")
    }
    structure(list(paths = paths, open = open, how = how),
        class = "causewayFiles"
    )
}

## Every file is read once before the first step, to count cells after the
## filters, so that the schedule ends where it should; a run that goes on has
## these numbers in its checkpoint and looks only whether files are the same.
.fileSet <- function(model, x, how, arrange, edges, resume, verbose) {
    how["tokens"] <- list(NULL) # every file has its own variable genes
    old <- model@state$run$files
    same <- !isFALSE(resume) && !is.null(old) &&
        identical(basename(x$paths), old$name)
    prints <- .filePrints(x$paths, if (same) old)
    changed <- if (same) prints$sha256 != old$sha256
    if (any(changed)) {
        .stopArgument("x", "has changed since the run's checkpoint: ",
            .some(x$paths[changed]), ". Put back the file that was there, ",
            "or begin a new run in another folder."
        )
    }
    kept <- new.env(parent = emptyenv())
    part <- function(i) {
        if (!identical(kept$number, i)) {
            .dropStored(kept$prepared$values)
            kept$prepared <- NULL
            kept$prepared <- .prepareFile(model, x, i, how, arrange, verbose)
            kept$number <- i
        }
        kept$prepared
    }
    files <- if (same) old else .scanFiles(x, prints, part, verbose)
    if (same) {
        files[c("size", "mtime")] <- prints[c("size", "mtime")]
    }
    first <- if (same) NULL else kept$prepared
    list(
        cells = as.integer(files$cells), genes = max(files$genes),
        tfs = max(files$tfs),
        tokens = if (same) model@state$run$tokens else first$tokens,
        report = if (same) list(species = model@state$species,
            tfs = max(files$tfs)) else first$report,
        print = .hash(list(files$sha256, edges)), files = files, part = part,
        drop = function() .dropStored(kept$prepared$values)
    )
}

.prepareFile <- function(model, x, i, how, arrange, verbose) {
    path <- x$paths[[i]]
    tryCatch(
        {
            cells <- x$open(path)
            prepared <- .modelCells(model, cells, "train", x$how(cells, how),
                FALSE, store = TRUE
            )
            .checkTwoCells(prepared, "the file")
            arrange(prepared)
        },
        error = function(e) {
            stop("'", path, "': ", conditionMessage(e), call. = FALSE)
        }
    )
}

.scanFiles <- function(x, prints, part, verbose) {
    bar <- .progressStart("Reading ", length(x$paths), verbose)
    on.exit(.progressDone(bar))
    ## backwards, so that the first is at hand when the run begins
    counts <- lapply(rev(seq_along(x$paths)), function(i) {
        .stopIfTold()
        prepared <- part(i)
        .progressTick(bar, length(x$paths) + 1L - i)
        c(cells = ncol(prepared$values), genes = nrow(prepared$values),
            tfs = sum(!prepared$nonTF)
        )
    })
    cbind(prints, do.call(rbind, rev(counts)))
}

## Name, size, time and SHA-256 of files. One whose size and time are those
## of `old` isn't read again.
.filePrints <- function(paths, old = NULL) {
    size <- file.size(paths)
    mtime <- sprintf("%.6f", as.numeric(file.mtime(paths)))
    known <- !is.null(old) & rep(TRUE, length(paths))
    if (!is.null(old)) {
        known <- old$size == size & old$mtime == mtime
    }
    sha <- character(length(paths))
    sha[known] <- old$sha256[known]
    sha[!known] <- vapply(paths[!known], .sha256, "")
    data.frame(name = basename(paths), size = size, mtime = mtime,
        sha256 = sha
    )
}

## ---- where a step is ----------------------------------------------------------

## Optimizer steps of each part in one epoch: no step spans two files.
.windowsOf <- function(cells, s) {
    ceiling(ceiling(cells / (s$batchSize * .processes(s))) / s$accumulate)
}

## Epoch (from 0), file (from 1) and window in it (from 0) of a step (from 0).
.stepPlace <- function(step, windows) {
    per <- sum(windows)
    within <- step %% per
    before <- cumsum(c(0, windows))
    file <- findInterval(within, before, rightmost.closed = FALSE)
    list(epoch = as.integer(step %/% per), file = as.integer(file),
        window = within - before[[file]]
    )
}

## ---- a signal ------------------------------------------------------------------

## Stops as Ctrl-C does where SIGTERM has come.
.stopIfTold <- function() {
    if (.Call(cw_r_signal_seen)) {
        .raiseEngineError("interrupt", "SIGTERM")
    }
    invisible()
}

## expr while SIGTERM is noted instead of ending R.
.withSignals <- function(expr) {
    .Call(cw_r_signal_watch, TRUE)
    on.exit(.Call(cw_r_signal_watch, FALSE))
    force(expr)
}
