## Functions whose names are gone.

#' Functions of earlier versions
#'
#' Functions that have another name now. Each is an error that says which.
#'
#' | was | is |
#' |---|---|
#' | `tauVerdict(x)` | [verdict()] |
#' | `nullMetrics(x)` | `as.data.frame(x)` |
#' | `nullNetwork(x)` | `poolGRN(x)` |
#' | `byTF(x)` | `as.data.frame(x, which = "TF")` |
#' | `writeBenchmark(x, file)` | [write()] |
#'
#' @param ... not used.
#' @return Nothing: always an error.
#' @section Errors: always, naming the function to use.
#' @seealso [verdict()]
#' @examples
#' try(tauVerdict())
#' @name causeway-defunct
#' @aliases tauVerdict
NULL

#' @rdname causeway-defunct
#' @export
tauVerdict <- function(...) .gone("tauVerdict", "verdict(x)")

#' @rdname causeway-defunct
#' @export
nullMetrics <- function(...) .gone("nullMetrics", "as.data.frame(x)")

#' @rdname causeway-defunct
#' @export
nullNetwork <- function(...) .gone("nullNetwork", "poolGRN(x)")

#' @rdname causeway-defunct
#' @export
byTF <- function(...) .gone("byTF", "as.data.frame(x, which = \"TF\")")

#' @rdname causeway-defunct
#' @export
writeBenchmark <- function(...) .gone("writeBenchmark", "write(x, file)")

.gone <- function(name, instead) {
    stop("'", name, "()' is gone: use ", instead, ".", call. = FALSE)
}
