## Looking into HDF5 files of cells: what is where, columns of values. What is
## asked of the engine goes through here, and comes back with the file's name.

## The engine's errors about a file, with the file named.
.atFile <- function(path, expr) {
    .loadFilters()
    tryCatch(expr, causewayError = function(e) {
        if (inherits(e, "causewayError_busy")) {
            .stopFile(path, "is being written by another program; try again ",
                "later."
            )
        }
        .stopFile(path, "can't be read: ", conditionMessage(e), ".")
    })
}

## Filters (LZF, Blosc, bzip2 ...) that HDF5 itself hasn't.
.loadFilters <- function() {
    if (is.null(.tables$filters)) {
        folder <- if (requireNamespace("rhdf5filters", quietly = TRUE)) {
            rhdf5filters::hdf5_plugin_path()
        }
        if (length(folder) == 1L) {
            .Call(cw_r_h5_plugins, folder)
        }
        assign("filters", TRUE, envir = .tables)
    }
    invisible()
}

## list(kind, whole, dims, stored, children, members, attributes, name), or
## NULL where the file has nothing of that name.
.h5Look <- function(path, name) {
    found <- .atFile(path, .Call(cw_r_h5_look, path, name))
    if (!is.null(found)) {
        found$name <- name
    }
    found
}

## The same; an error where it isn't there.
.h5Need <- function(path, name, kind = NULL) {
    found <- .h5Look(path, name)
    if (is.null(found)) {
        .stopFile(path, "has no ", name, ".")
    }
    if (!is.null(kind) && !found$kind %in% kind) {
        .stopFile(path, "has ", name, ", but that is of the kind \"",
            found$kind, "\", not \"", kind[[1L]], "\"."
        )
    }
    found
}

## A table (or a member of a table of records) as a vector, row by row; whole
## numbers as integers where they fit.
.h5Values <- function(path, name, member = NULL) {
    .whole(.atFile(path, .Call(cw_r_h5_values, path, name, member)))
}

.whole <- function(v) {
    if (!is.double(v) || !length(v) || anyNA(v)) {
        return(v)
    }
    fits <- all(abs(v) <= .Machine$integer.max) && all(v == trunc(v))
    if (fits) as.integer(v) else v
}

## Values of type integer in the file as integers, others as doubles.
.h5Column <- function(path, name, found = .h5Need(path, name)) {
    v <- .atFile(path, .Call(cw_r_h5_values, path, name, NULL))
    if (isTRUE(found$whole)) .whole(v) else v
}

## A matrix of numbers.
.h5Matrix <- function(path, name, found) {
    v <- .atFile(path, .Call(cw_r_h5_values, path, name, NULL))
    if (length(found$dims) == 2L) {
        v <- matrix(v, found$dims[[1L]], found$dims[[2L]], byrow = TRUE)
    }
    v
}

.h5Path <- function(...) {
    sub("^/+", "", gsub("/+", "/", paste(..., sep = "/")))
}

## The text of an attribute, or "".
.h5Text <- function(found, attribute) {
    v <- found$attributes[[attribute]]
    if (is.character(v) && length(v) == 1L) v else ""
}

## Is it there and holds something? AnnData writes nothing as a null.
.h5Holds <- function(found) {
    !is.null(found) && !identical(.h5Text(found, "encoding-type"), "null") &&
        (found$kind == "group" || length(found$dims) > 0L)
}

## Small things of a group as nested lists: numbers, flags, text of at most
## `most` values; what is more or of another kind is left out.
.h5Tree <- function(path, name, most = 1000, depth = 4L) {
    found <- .h5Look(path, name)
    if (is.null(found) || depth < 1L) {
        return(NULL)
    }
    if (found$kind == "group") {
        out <- lapply(setNames(nm = found$children), function(child) {
            .h5Tree(path, .h5Path(name, child), most, depth - 1L)
        })
        return(Filter(Negate(is.null), out))
    }
    good <- found$kind %in% c("numbers", "flags", "text") &&
        prod(found$dims) <= most && length(found$dims) <= 2L
    if (good) .h5Column(path, name, found)
}
