## Parts of a call over the processes of a BiocParallelParam.

#' Several processes
#'
#' [`inferGRN()`][inferGRN-pooled], [nullGRN()], [stabilityGRN()],
#' [contrastGRN()] and [tauNull()] take `BPPARAM`, and share trees, null networks,
#' fits and cells among its workers.
#'
#' @details
#' `BPPARAM` is NULL (this process alone) or a `BiocParallelParam`, such as
#' `BiocParallel::MulticoreParam(4)`.
#'
#' What is drawn at random goes by the number of the part, never by the worker,
#' so the results are those of one process, to the last bit. Where
#' `threads` isn't given a worker computes on one thread: with as many workers
#' as cores nothing is gained by more. A worker holds its own copy of the cells.
#' Workers that aren't running are started, and stopped at the end; those that
#' run already (`BiocParallel::bpstart()`) stay. Workers of `SnowParam` and
#' `BatchtoolsParam` must find the package in their library. Of a
#' [FoundationModel-class], which can't be sent to another process, `BPPARAM`
#' is not used.
#'
#' @return Nothing: this is a page on an argument.
#' @section Errors: `BPPARAM` that is something else; the package BiocParallel
#'   isn't installed; the first error of a worker.
#' @seealso [causeway-package] on threads
#' @examples
#' cells <- simulateCells(nCells = 150, nGenes = 30, nTFs = 5, seed = 1)
#' if (requireNamespace("BiocParallel", quietly = TRUE)) {
#'     stabilityGRN(cells, RidgeGRNParam(), nSeeds = 0, nSamples = 2, seed = 1,
#'         BPPARAM = BiocParallel::SerialParam()
#'     )
#' }
#' @name severalProcesses
#' @aliases BPPARAM
NULL

## Workers by number. What is sent to a worker must not hold the BPPARAM, whose
## copy there would speak into the connection that the worker itself uses; and
## functions hold all that is around them. So they hold the number.
.workerTable <- new.env(parent = emptyenv())

## list(id, stop, n): stop those that were started here. NULL: one process.
.startWorkers <- function(BPPARAM) {
    if (is.null(BPPARAM)) {
        return(NULL)
    }
    if (!methods::is(BPPARAM, "BiocParallelParam")) {
        .stopArgument("BPPARAM", "must be NULL or a BiocParallelParam, such ",
            "as BiocParallel::MulticoreParam(2); it is ", .show(BPPARAM), "."
        )
    }
    .needPackage("BiocParallel", "'BPPARAM' asks for several processes",
        "BiocManager::install(\"BiocParallel\") does that"
    )
    start <- !BiocParallel::bpisup(BPPARAM)
    if (start) {
        BiocParallel::bpstart(BPPARAM)
    }
    id <- as.character(1L + max(0L, as.integer(names(.workerTable))))
    .workerTable[[id]] <- BPPARAM
    list(id = id, stop = start, n = BiocParallel::bpnworkers(BPPARAM))
}

.stopWorkers <- function(workers) {
    if (!is.null(workers)) {
        if (workers$stop) {
            BiocParallel::bpstop(.workerTable[[workers$id]])
        }
        rm(list = workers$id, envir = .workerTable)
    }
    invisible()
}

## Threads of each part.
.partThreads <- function(threads, workers) {
    if (is.null(threads) && !is.null(workers)) 1L else threads
}

## part(1), ..., part(n), to be asked for in turn, once each, as a function of
## the number. Workers compute rounds of four a worker ahead, no more: parts may
## be large. `part` must depend on nothing but its number and its enclosure,
## whose promises are to be forced: they hold the frame they come from.
.partsAhead <- function(n, part, workers) {
    if (is.null(workers)) {
        return(part)
    }
    force(part)
    ahead <- new.env(parent = emptyenv())
    ahead$from <- 1L
    ahead$parts <- list()
    function(i) {
        if (i >= ahead$from + length(ahead$parts)) {
            ahead$from <- i
            round <- seq(i, min(n, i + 4L * workers$n - 1L))
            ahead$parts <- .partsOrStop(BiocParallel::bptry(
                BiocParallel::bplapply(round, part,
                    BPPARAM = .workerTable[[workers$id]]
                )
            ))
        }
        at <- i - ahead$from + 1L
        out <- ahead$parts[[at]]
        ahead$parts[at] <- list(NULL)
        out
    }
}

## An error of a worker is an error here, with the worker's words.
.partsOrStop <- function(parts) {
    bad <- Filter(function(p) inherits(p, "error"), parts)
    bad <- c(Filter(function(p) !inherits(p, "unevaluated_error"), bad), bad)
    if (length(bad)) {
        stop(conditionMessage(bad[[1L]]), call. = FALSE)
    }
    parts
}
