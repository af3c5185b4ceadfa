## Numbers that came as something else: a factor of an old file, text of a
## table read without types.

## The numbers that x holds, as doubles; NA where it says so. A factor means
## what its levels say, never their codes. `what` names x in the error of
## argument `arg`: "a column start".
.numbersOf <- function(x, arg, what = NULL) {
    if (methods::is(x, "Rle")) {
        x <- as.vector(x)
    }
    if (is.numeric(x)) {
        return(as.numeric(x))
    }
    if (is.logical(x) && all(is.na(x))) {
        return(rep(NA_real_, length(x)))
    }
    known <- is.factor(x) || is.character(x)
    text <- if (known) trimws(as.character(x)) else character()
    text[text %in% c("", "NA", "NaN")] <- NA
    numbers <- suppressWarnings(as.numeric(text))
    strange <- unique(text[!is.na(text) & is.na(numbers)])
    if (!known || length(strange)) {
        .stopArgument(arg, if (!is.null(what)) paste("has", what),
            if (is.null(what)) "is " else " of class ", class(x)[[1L]],
            if (length(strange)) {
                paste0(" with values that aren't numbers: ",
                    .some(strange, 3L)
                )
            },
            "; it must hold numbers."
        )
    }
    numbers
}

## Names that came as a factor, as text; anything else as it is.
.textOf <- function(x) if (is.factor(x)) as.character(x) else x

## Columns of x less m, and divided by `by`, a number for each; sweep() would
## copy twice more.
.lessEach <- function(x, m) x - rep(m, each = nrow(x))
.perColumn <- function(x, by) x / rep(by, each = nrow(x))
