## What the user sees during long calls: messages and one progress bar.

.say <- function(verbose, ...) {
    if (isTRUE(verbose)) {
        message(...)
    }
    invisible()
}

## "a, b, c (and 4 more)": the first few of many names, for error texts.
.some <- function(x, n = 5L) {
    shown <- paste(head(x, n), collapse = ", ")
    if (length(x) > n) {
        shown <- paste0(shown, " (and ", length(x) - n, " more)")
    }
    shown
}

.duration <- function(seconds) {
    seconds <- max(0, seconds)
    if (seconds < 90) {
        return(sprintf("%.0f s", seconds))
    }
    if (seconds < 5400) {
        return(sprintf("%.0f min", seconds / 60))
    }
    sprintf("%.1f h", seconds / 3600)
}

.bytes <- function(n) {
    unit <- c("B", "KB", "MB", "GB", "TB")
    i <- if (n < 1) 1L else min(5L, 1L + floor(log(n, 1024)))
    sprintf("%.*f %s", if (i > 2L) 1L else 0L, n / 1024^(i - 1L), unit[[i]])
}

## A bar with the loss terms and the time left on a terminal; elsewhere (a
## log, a batch job) one line per `every` ticks. `verbose = FALSE`: nothing.
.progressStart <- function(what, total, verbose, done = 0L) {
    bar <- new.env(parent = emptyenv())
    bar$what <- what
    bar$total <- total
    bar$first <- done
    bar$started <- proc.time()[["elapsed"]]
    bar$verbose <- isTRUE(verbose)
    bar$dynamic <- bar$verbose && cli::is_dynamic_tty()
    bar$every <- max(1L, ceiling((total - done) / 10))
    if (bar$dynamic) {
        bar$id <- cli::cli_progress_bar(
            name = what, total = total, clear = TRUE, current = FALSE,
            auto_terminate = FALSE,
            format = paste(
                "{cli::pb_name}{cli::pb_bar} {cli::pb_current}/",
                "{cli::pb_total} {cli::pb_extra$terms}",
                "{cli::pb_extra$left}", sep = ""
            ),
            extra = list(terms = "", left = ""), .envir = bar
        )
        if (done > 0L) {
            cli::cli_progress_update(set = done, id = bar$id, .envir = bar)
        }
    }
    bar
}

.progressTick <- function(bar, at, terms = "") {
    if (!bar$verbose) {
        return(invisible())
    }
    spent <- proc.time()[["elapsed"]] - bar$started
    ran <- max(1L, at - bar$first)
    left <- .duration(spent / ran * (bar$total - at))
    if (bar$dynamic) {
        cli::cli_progress_update(
            set = at, id = bar$id, .envir = bar,
            extra = list(
                terms = paste0(" ", terms), left = paste0(" ", left, " left")
            )
        )
    } else if ((at - bar$first) %% bar$every == 0L || at == bar$total) {
        message(bar$what, " ", at, "/", bar$total, " ", terms, " (",
            .duration(spent), ", ", left, " left)"
        )
    }
    invisible()
}

.progressDone <- function(bar) {
    if (bar$dynamic) {
        cli::cli_progress_done(id = bar$id, .envir = bar)
    }
    invisible()
}

## ---- checks of arguments ---------------------------------------------------

.stopArgument <- function(arg, ...) {
    stop("'", arg, "' ", ..., call. = FALSE)
}

## Evaluates an argument that has no default; `what` it is for, where it is
## missing.
.given <- function(x, arg, what) {
    if (missing(x)) {
        .stopArgument(arg, "is missing: ", what, ".")
    }
    invisible(x)
}

.show <- function(x) {
    if (isS4(x) || is.function(x) || is.data.frame(x)) {
        return(paste("a", class(x)[[1L]]))
    }
    text <- tryCatch(
        {
            some <- head(x, 5L) # format() makes all as wide as the widest
            paste(if (is.character(some)) some else trimws(format(some)),
                collapse = ", ")
        },
        error = function(e) class(x)[[1L]]
    )
    if (length(text) == 1L && nzchar(text)) {
        return(text)
    }
    if (is.character(x)) if (length(x)) "\"\"" else "empty" else class(x)[[1L]]
}

## For methods whose generic has `...`: a misspelt argument is an error, and
## one that had another name before (`renamed = c(old = "new")`) is told it.
.noDots <- function(..., renamed = character()) {
    if (...length()) {
        .noRenamed(..., renamed = renamed)
        names <- ...names()
        names <- if (is.null(names)) rep("", ...length()) else names
        names[is.na(names) | !nzchar(names)] <- "(without a name)"
        stop("these arguments aren't known here: ", .some(names),
            "; see the help page.",
            call. = FALSE
        )
    }
    invisible()
}

## The half of it for methods that pass `...` on.
.noRenamed <- function(..., renamed) {
    old <- intersect(...names(), names(renamed))
    if (length(old)) {
        stop("'", old[[1L]], "' is now called '", renamed[[old[[1L]]]], "'.",
            call. = FALSE
        )
    }
    invisible()
}

## The one of `choices` that a misspelt word may mean, or none.
.nearestWord <- function(x, choices) {
    far <- utils::adist(tolower(x), tolower(choices))[1L, ]
    choices[far <= min(2, nchar(x) / 3) & seq_along(far) == which.min(far)]
}

## RidgeGRNParam where RidgeGRNParam() is meant.
.noBrackets <- function(x, arg) {
    if (!is.function(x)) {
        return(invisible())
    }
    known <- grep("Param$", getNamespaceExports("causeway"), value = TRUE)
    for (name in known) {
        if (identical(x, getExportedValue("causeway", name))) {
            .stopArgument(arg, "is the function ", name, "; call it: ", name,
                "()."
            )
        }
    }
    invisible()
}

## Cells come first in every verb.
.cellsFirst <- function(x, grn) {
    network <- function(v) {
        methods::is(v, "PooledGRN") || methods::is(v, "PerCellNetworks")
    }
    if (network(x) && !missing(grn) && !network(grn)) {
        .stopArgument("x", "is a network: the cells come first, then the ",
            "network ('grn')."
        )
    }
    invisible()
}

.checkNumber <- function(x, arg, min = -Inf, max = Inf, whole = FALSE,
    open = FALSE) {
    good <- is.numeric(x) && length(x) == 1L && is.finite(x) &&
        x >= min && x <= max && !(open && x <= min) &&
        (!whole || x == round(x))
    if (!good) {
        kind <- if (whole) "one whole number" else "one number"
        range <- paste0(
            if (open) " greater than " else if (is.finite(min)) " from ",
            if (is.finite(min)) format(min),
            if (is.finite(max)) paste0(" to ", format(max)) else
                if (is.finite(min) && !open) " up"
        )
        .stopArgument(arg, "must be ", kind, range, "; it is ", .show(x), ".")
    }
    if (whole && abs(x) <= .Machine$integer.max) as.integer(x) else x
}

.checkFlag <- function(x, arg) {
    if (!is.logical(x) || length(x) != 1L || is.na(x)) {
        .stopArgument(arg, "must be TRUE or FALSE; it is ", .show(x), ".")
    }
    x
}

.checkText <- function(x, arg) {
    if (!is.character(x) || length(x) != 1L || is.na(x) || !nzchar(x)) {
        .stopArgument(arg, "must be one character string; it is ",
            .show(x), "."
        )
    }
    x
}

.threads <- function(threads = NULL) {
    ## 0 lets the engine's governor decide (option, OMP_NUM_THREADS, cores).
    if (is.null(threads)) {
        threads <- getOption("causeway.threads", 0L)
        name <- "options(causeway.threads)"
        return(.checkNumber(threads, name, 0, 4096, TRUE))
    }
    .checkNumber(threads, "threads", 1, 4096, TRUE)
}

## A 64-bit key as two doubles below 2^32. `seed = NULL` draws it from R's
## generator, so set.seed() governs; a number gives that number's own key.
.newKey <- function(seed = NULL) {
    if (is.null(seed)) {
        return(floor(stats::runif(2L) * 2^32))
    }
    seed <- .checkNumber(seed, "seed", 1 - 2^53, 2^53, whole = TRUE)
    ## A negative seed stands for seed + 2^54, a sum that doubles can't hold.
    c(floor(seed / 2^32) + if (seed < 0) 2^22 else 0, seed %% 2^32)
}
