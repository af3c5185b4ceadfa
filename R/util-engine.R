#' What the native engine is made of and runs on
#'
#' @return A list of class `engineInfo` (printed readably) with the engine's
#'   version, processor, vector and tile instructions in use, BLAS and its core
#'   type (as loaded and in use), threads, and which OpenMP, HDF5, cJSON, FFTW3,
#'   MPI and nvcc were found when the package was built.
#' @section Errors: none.
#' @examples
#' engineInfo()
#' engineInfo()$threads
#' @export
engineInfo <- function() {
    info <- .Call(cw_r_engine_info)
    info$package <- as.character(utils::packageVersion("causeway"))
    info$R <- paste(R.version$major, R.version$minor, sep = ".")
    structure(info, class = "engineInfo")
}

#' @rdname engineInfo
#' @param x an `engineInfo`.
#' @param ... not used.
#' @export
print.engineInfo <- function(x, ...) {
    text <- vapply(unclass(x), function(value) {
        if (!length(value) || !nzchar(value[[1L]])) return("none")
        paste(format(value), collapse = ", ")
    }, character(1))
    writeLines(c("causeway engine", paste0(
        "  ", format(names(text)), "  ", text
    )))
    invisible(x)
}

## One line for the records of a result.
.engineText <- function() {
    info <- engineInfo()
    part <- function(name) {
        value <- info[[name]]
        if (length(value) == 1L && !is.na(value)) paste(format(value))
    }
    paste(c(
        paste("causeway", info$package), part("blas"), part("blasCore"),
        part("simd"), paste(part("threads"), "threads")
    ), collapse = ", ")
}

## Best of `repeats` sgemm n x n x n through the engine, in GFLOP/s; for bench/.
.gemmSpeed <- function(n, repeats, threads) {
    .Call(cw_r_gemm_speed, as.integer(n), as.integer(repeats),
        as.integer(threads)
    )
}
