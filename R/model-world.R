## The processes of a launcher (mpirun, srun) that train one model together.
## MPI starts when the first training asks for them, never before.

.worldState <- new.env(parent = emptyenv())

## How many processes the launcher says there are. SLURM's variables count
## within a step only (srun): in the script of a batch job there is one R.
.launched <- function(env = Sys.getenv()) {
    number <- function(name) {
        n <- suppressWarnings(as.integer(env[name]))
        if (is.na(n)) 1L else n
    }
    step <- c("SLURM_STEP_ID", "SLURM_STEPID")
    most <- max(number("OMPI_COMM_WORLD_SIZE"), number("PMI_SIZE"))
    if (most == 1L && any(step %in% names(env))) {
        tasks <- c("SLURM_STEP_NUM_TASKS", "SLURM_NTASKS")
        most <- number(c(intersect(tasks, names(env)), tasks)[[1L]])
    }
    most
}

## list(rank, size), rank from 0. A fork of a process that has found others is
## alone, and so is one whose option causeway.mpi is FALSE.
.world <- function() {
    s <- .worldState
    if (is.null(s$size)) {
        n <- if (isFALSE(getOption("causeway.mpi"))) 1L else .launched()
        found <- if (n > 1L) .Call(cw_r_world, n) else c(0L, 1L)
        s$process <- Sys.getpid()
        s$rank <- found[[1L]]
        s$size <- found[[2L]]
        if (s$size > 1L) {
            reg.finalizer(s, function(s) .Call(cw_r_world_leave),
                onexit = TRUE
            )
        }
    }
    if (s$process != Sys.getpid()) {
        return(list(rank = 0L, size = 1L))
    }
    list(rank = s$rank, size = s$size)
}

.isFirst <- function() .world()$rank == 0L

## expr, done by all processes: one that fails tells the others why, and none
## goes on before all have come to the end.
.inWorld <- function(expr) {
    if (.world()$size == 1L) {
        return(expr)
    }
    value <- tryCatch(expr,
        error = function(e) {
            .worldFails(conditionMessage(e))
            stop(e)
        },
        interrupt = function(e) {
            .worldFails("it was stopped", TRUE)
            .raiseEngineError("interrupt", "stopped")
        }
    )
    .Call(cw_r_world_meet)
    value
}

.worldFails <- function(text, interrupted = FALSE) {
    .Call(cw_r_world_fail, enc2utf8(text), interrupted)
    NULL
}

## What rank 0 has.
.ofFirst <- function(value) {
    if (.world()$size == 1L) {
        return(value)
    }
    unserialize(.Call(cw_r_world_send, serialize(value, NULL)))
}

## The run of rank 0, which all others must be able to do.
.sharedPlan <- function(plan) {
    first <- .ofFirst(plan)
    if (!identical(first$fingerprint, plan$fingerprint)) {
        stop("process ", .world()$rank + 1L, " reads other cells than the ",
            "first, or another prior: all must be given the same.",
            call. = FALSE
        )
    }
    first
}

## The settings with the number of processes where there are several.
.withProcesses <- function(settings) {
    n <- .world()$size
    c(settings[setdiff(names(settings), "processes")],
        if (n > 1L) list(processes = n))
}

.processes <- function(settings) {
    if (is.null(settings$processes)) 1 else settings$processes
}

.byProcesses <- function(settings) {
    n <- .processes(settings)
    if (n > 1) paste0(" by ", n, " processes") else ""
}

## Who draws which noise, and in which order sums are taken, follows the number
## of processes: another one would not be the same run.
.sameProcesses <- function(run) {
    old <- .processes(run$settings)
    now <- .world()$size
    if (old != now) {
        .stopArgument("resume", "can't be: the run was done by ",
            if (old == 1) "one process" else paste(old, "processes"),
            ", and there ", if (now == 1L) "is one" else paste("are", now),
            " now. Start R as then",
            if (old > 1) paste0(" (mpirun -n ", old, ")"),
            ", or begin a new run with resume = FALSE."
        )
    }
    invisible()
}

## A process's share of the cells of a batch.
.ownCells <- function(cells, world) {
    n <- length(cells)
    from <- (n * world$rank) %/% world$size
    to <- (n * (world$rank + 1L)) %/% world$size
    cells[seq_len(to - from) + from]
}
