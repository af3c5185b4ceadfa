## Functions whose names are gone.

#' Functions of earlier versions
#'
#' Functions that have another name now. Each is an error that says which.
#'
#' | was | is |
#' |---|---|
#' | `tauVerdict(x)` | [verdict()] |
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
tauVerdict <- function(...) .Defunct("verdict", "causeway")
