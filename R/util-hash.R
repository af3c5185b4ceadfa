## One fingerprint for everything that must be told apart: data of a run,
## weights of a model, tables of a file.

## Elements of a vector that are hashed at a time: memory stays small.
.hashPiece <- 2^20

## SHA-256 of data, 64 hexadecimal digits: values to the last bit, types, names
## and other attributes, for vectors, factors, lists, data frames and S4
## objects of these. Text counts as UTF-8 and the order of attributes not. What
## isn't data (functions, environments, pointers) is an error.
.hash <- function(x) cli::hash_obj_sha256(.hashForm(x))

## What .hash() gives of a vector without attributes that comes in parts:
## list(add(part), end()).
.hashInParts <- function() {
    rest <- NULL
    pieces <- character()
    n <- 0
    add <- function(x) {
        n <<- n + length(x)
        rest <<- if (is.null(rest)) x else c(rest, x)
        while (length(rest) > .hashPiece) {
            first <- seq_len(.hashPiece)
            pieces <<- c(pieces, cli::hash_obj_sha256(rest[first]))
            rest <<- rest[-first]
        }
    }
    end <- function() {
        if (n <= .Machine$integer.max) {
            n <- as.integer(n)
        }
        values <- if (!length(pieces)) rest else
            c(pieces, cli::hash_obj_sha256(rest))
        cli::hash_obj_sha256(list(typeof(rest), n, values, NULL))
    }
    list(add = add, end = end)
}

.hashForm <- function(x) {
    if (isS4(x)) {
        slots <- methods::slotNames(x)
        parts <- lapply(slots, function(s) .hashForm(methods::slot(x, s)))
        return(c(list("S4", as.character(class(x)), slots), parts))
    }
    if (!is.null(x) && !is.atomic(x) && !is.list(x)) {
        stop("internal error: a ", typeof(x), " has no hash", call. = FALSE)
    }
    marks <- attributes(x)
    attributes(x) <- NULL
    values <- if (is.list(x)) lapply(x, .hashForm) else .hashValues(x)
    if (!is.null(marks)) {
        marks <- marks[order(names(marks), method = "radix")]
        marks <- list(names(marks), lapply(unname(marks), .hashForm))
    }
    list(typeof(x), length(x), values, marks)
}

.hashValues <- function(x) {
    if (is.character(x)) {
        x <- enc2utf8(x)
    }
    if (length(x) <= .hashPiece) {
        return(x)
    }
    starts <- seq(1, length(x), by = .hashPiece)
    vapply(starts, function(first) {
        last <- min(length(x), first + .hashPiece - 1)
        cli::hash_obj_sha256(x[first:last])
    }, character(1))
}
