## Lists of data as JSON text that gives them back to the last bit: metadata in
## files that others may have written, so nothing in the text is run and only
## attributes of plain data are set.
##
## A value is {"type": ..., "value": [...], "attributes": {...}}. Numbers are
## text ("%.17g": JSON's own keep 15 digits), a missing text is null.

.dataTypes <- c("null", "logical", "integer", "double", "character", "raw",
    "list", "DataFrame")
.dataClasses <- c("factor", "ordered", "Date", "POSIXct", "POSIXt", "difftime",
    "data.frame", "table", "AsIs", "noquote", "numeric_version",
    "package_version", "R_system_version")
.dataDepth <- 100L

.toText <- function(x) {
    as.character(jsonlite::toJSON(.packData(.dataOnly(x)), auto_unbox = TRUE,
        null = "null"
    ))
}

## NULL where the text isn't one that `.toText()` writes.
.fromText <- function(text) {
    force(text)
    packed <- tryCatch(jsonlite::parse_json(text), error = function(e) NULL)
    tryCatch(.unpackData(packed, 0L), damagedData = function(e) NULL)
}

## What isn't data (functions, environments, objects of a package) as text.
.dataOnly <- function(x) {
    if (is.list(x) && all(oldClass(x) %in% .dataClasses)) {
        at <- attributes(x)
        x <- lapply(unclass(x), .dataOnly)
        attributes(x) <- at
        return(x)
    }
    plain <- is.atomic(x) && !is.complex(x) &&
        all(oldClass(x) %in% .dataClasses)
    if (is.null(x) || plain || is(x, "DataFrame")) {
        return(x)
    }
    if (is.atomic(x) || is.list(x)) {
        return(.dataOnly(unclass(x)))
    }
    if (isS4(x)) {
        return(paste("an object of class", class(x)[[1L]]))
    }
    tryCatch(paste(deparse(x, 500L), collapse = "\n"),
        error = function(e) class(x)[[1L]]
    )
}

.packData <- function(x) {
    if (is(x, "DataFrame")) {
        columns <- as.list(x)
        return(list(type = "DataFrame",
            value = lapply(unname(columns), function(v) .packData(.dataOnly(v))),
            names = as.list(names(columns)),
            rows = as.list(rownames(x)), count = nrow(x)
        ))
    }
    bare <- unclass(x)
    attributes(bare) <- NULL
    value <- switch(typeof(bare),
        `NULL` = NULL,
        double = as.list(sprintf("%.17g", bare)),
        character = lapply(enc2utf8(bare), function(v) if (!is.na(v)) v),
        list = lapply(bare, .packData),
        logical = , integer = , raw = as.list(as.character(bare))
    )
    type <- if (is.null(bare)) "null" else typeof(bare)
    if (type %in% c("logical", "integer")) {
        value[is.na(bare)] <- "NA"
    }
    c(list(type = type, value = value), .packAttributes(attributes(x)))
}

## Row numbers of a data frame as R keeps them come back by themselves.
.packAttributes <- function(at) {
    if (is.null(at)) {
        return(NULL)
    }
    list(names = as.list(names(at)),
        attributes = lapply(unname(at), function(v) .packData(.dataOnly(v)))
    )
}

.damagedData <- function() {
    stop(structure(class = c("damagedData", "error", "condition"),
        list(message = "the text isn't data", call = NULL)
    ))
}

.unpackData <- function(p, depth) {
    if (!is.list(p) || depth > .dataDepth || !is.character(p$type) ||
        length(p$type) != 1L || !p$type %in% .dataTypes) {
        .damagedData()
    }
    if (p$type == "DataFrame") {
        return(.unpackDataFrame(p, depth))
    }
    value <- p$value
    x <- switch(p$type,
        null = NULL,
        list = lapply(value, .unpackData, depth + 1L),
        .unpackVector(value, p$type)
    )
    .unpackAttributes(x, p, depth)
}

.unpackVector <- function(value, type) {
    text <- vapply(value, function(v) {
        if (is.null(v)) NA_character_ else
            if (is.character(v) && length(v) == 1L) v else .damagedData()
    }, "")
    switch(type,
        character = text,
        double = {
            known <- text == "NA"
            x <- suppressWarnings(as.double(text))
            if (anyNA(text) || any(is.na(x) & !known & text != "NaN")) {
                .damagedData()
            }
            x
        },
        integer = , logical = {
            x <- suppressWarnings(switch(type,
                integer = as.integer(text), as.logical(text)
            ))
            if (anyNA(text) || any(is.na(x) & text != "NA")) .damagedData()
            x
        },
        raw = {
            x <- suppressWarnings(strtoi(text, 16L))
            if (anyNA(x) || any(x < 0L | x > 255L)) .damagedData()
            as.raw(x)
        }
    )
}

.unpackAttributes <- function(x, p, depth) {
    if (is.null(p$attributes)) {
        return(x)
    }
    names <- .unpackVector(p$names, "character")
    if (length(names) != length(p$attributes) || is.null(x)) {
        .damagedData()
    }
    values <- lapply(p$attributes, .unpackData, depth + 1L)
    if (any(!unlist(values[names == "class"]) %in% .dataClasses)) {
        .damagedData()
    }
    names(values) <- names
    tryCatch(`attributes<-`(x, values), error = function(e) .damagedData())
}

.unpackDataFrame <- function(p, depth) {
    columns <- lapply(p$value, .unpackData, depth + 1L)
    names <- .unpackVector(p$names, "character")
    rows <- .unpackVector(p$rows, "character")
    count <- p$count
    if (!is.numeric(count) || length(count) != 1L || count < 0 ||
        length(names) != length(columns) || any(lengths(columns) != count) ||
        !length(rows) %in% c(0L, count)) {
        .damagedData()
    }
    data <- S4Vectors::make_zero_col_DFrame(count)
    for (j in seq_along(columns)) {
        data[[j]] <- columns[[j]]
    }
    names(data) <- names
    if (length(rows)) {
        rownames(data) <- rows
    }
    data
}
