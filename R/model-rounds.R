## Trainings whose steps R counts, run in rounds: what is the same for all of
## them. A round is an epoch, or the steps between two looks at a run.

## Runs the rounds of a training that .engineBegin() has begun; the model is
## changed in place.
##   steps    steps of each round, of all rounds
##   batches  function(round) that gives a function(i): inputs of its step i
##   row      function(round, told, at): the round's row of the log. told: the
##            losses of each step, named, `total` last; at: `lr` of the last
##            step and `seconds`
##   what     of the progress bar
##   log      rows of the rounds that are done already
##   score    function(row), a number: the weights of the round in which it was
##            largest come back (the first of equals; those without a finite
##            one don't count). They wait in `file`. NULL: the last ones stay
##   keep     function(log) after each round: a checkpoint
##   stopped  function() for an interrupt, which ends the run after its last
##            whole round. NULL: it ends the caller's call
##   world    of the processes that share each step; NULL: each works alone
## -> list(log, stopped, best: the round of the weights).
.rounds <- function(model, steps, batches, row, what = "Training ",
    verbose = FALSE, log = list(), score = NULL, file = NULL,
    keep = function(log) NULL, stopped = NULL, world = NULL) {
    before <- cumsum(c(0, steps))
    bar <- .progressStart(what, sum(steps), verbose, before[[length(log) + 1L]])
    on.exit(.progressDone(bar))
    one <- function(round) {
        started <- proc.time()[["elapsed"]]
        batch <- batches(round)
        told <- vector("list", steps[[round]])
        for (i in seq_along(told)) {
            step <- if (is.null(world)) .engineMicro(model, batch(i)) else
                .engineMicro(model, batch(i), world$rank, last = TRUE)
            update <- .engineApply(model)
            told[[i]] <- c(step$value, total = step$total)
            .progressTick(bar, before[[round]] + i, .lossText(told[[i]]))
        }
        list(told = told, at = list(lr = update[["lr"]],
            seconds = proc.time()[["elapsed"]] - started))
    }
    ended <- FALSE
    for (round in seq_along(steps)[seq_along(steps) > length(log)]) {
        ran <- if (is.null(stopped)) one(round) else
            tryCatch(one(round), interrupt = function(e) {
                stopped()
                NULL
            })
        if (is.null(ran)) {
            ended <- TRUE
            break
        }
        log[[round]] <- row(round, ran$told, ran$at)
        if (!is.null(score) && .bestRound(log, score) == round) {
            .engineSave(model, file)
        }
        keep(log)
    }
    best <- if (is.null(score)) 0L else .bestRound(log, score)
    if (best %in% c(0L, length(log)) || !file.exists(file)) {
        best <- length(log)
    } else {
        .engineLoad(model, file)
    }
    list(log = log, stopped = ended, best = best)
}

## The first round of the largest finite score; 0 where there is none.
.bestRound <- function(log, score) {
    values <- vapply(log, score, 0)
    values[!is.finite(values)] <- NA
    max(0L, which.max(values))
}

## Batches of `size` places of `at` in an order of their own for each round:
## `use` and the round's number are the order's. `last`: is one that is short
## used? -> list(n: their number, of: function(round), a list of places).
.shuffledBatches <- function(at, size, key, use = 0, last = TRUE) {
    n <- if (last) ceiling(length(at) / size) else length(at) %/% size
    list(n = n, of = function(round) {
        order <- at[.shuffled(length(at), key, use + round)]
        unname(split(order, (seq_along(order) - 1L) %/% size))[seq_len(n)]
    })
}
