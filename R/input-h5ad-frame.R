## obs and var of AnnData's files: tables in all the ways AnnData 0.5 to 0.12
## wrote them.

## list(names, data): a DataFrame of `n` rows. `name` is "obs" or "var", in
## `path`; `uns` the group that held categories before AnnData 0.7.
.h5Frame <- function(path, name, n = NULL, uns = "uns") {
    found <- .h5Need(path, name, c("group", "records"))
    parts <- if (found$kind == "records") .recordFrame(path, found, uns) else
        .groupFrame(path, found)
    rows <- length(parts$names)
    if (!is.null(n) && rows != n) {
        .stopFile(path, "has ", rows, " rows in ", name, ", and the matrix ",
            n, ": it was cut or put together wrongly. Write it again from ",
            "where it came from."
        )
    }
    short <- lengths(parts$columns) != rows
    if (any(short)) {
        at <- which(short)[[1L]]
        .stopFile(path, "has ", length(parts$columns[[at]]), " values in ",
            name, "/", names(parts$columns)[[at]], ", and ", rows,
            " rows in ", name, "."
        )
    }
    data <- S4Vectors::DataFrame(parts$columns, check.names = FALSE,
        row.names = NULL
    )
    if (!length(parts$columns)) {
        data <- S4Vectors::make_zero_col_DFrame(rows)
    }
    list(names = parts$names, data = data, key = parts$key)
}

## Before 0.7: one table of records.
.recordFrame <- function(path, found, uns) {
    key <- intersect(c("index", "_index", found$members), found$members)[[1L]]
    columns <- lapply(setNames(nm = setdiff(found$members, key)),
        function(member) {
            v <- .h5Values(path, found$name, member)
            levels <- .h5Look(path, .h5Path(uns, paste0(member,
                "_categories"
            )))
            if (is.null(levels)) {
                return(v)
            }
            .fromCodes(path, .h5Path(found$name, member), v,
                .h5Values(path, levels$name)
            )
        }
    )
    list(names = as.character(.h5Values(path, found$name, key)),
        columns = columns, key = key
    )
}

.groupFrame <- function(path, found) {
    key <- .h5Text(found, "_index")
    if (!nzchar(key)) {
        key <- intersect(c("_index", "index"), found$children)
        if (!length(key)) {
            .stopFile(path, "doesn't say which column of ", found$name,
                " holds the names: it has no attribute _index."
            )
        }
        key <- key[[1L]]
    }
    names <- .h5Item(path, .h5Path(found$name, key), found)
    order <- found$attributes[["column-order"]]
    if (!is.character(order)) {
        order <- setdiff(found$children, c(key, "__categories"))
    }
    gone <- setdiff(order, found$children)
    if (length(gone)) {
        .stopFile(path, "says that ", found$name, " has the column ",
            gone[[1L]], ", which isn't there."
        )
    }
    columns <- lapply(setNames(nm = order), function(column) {
        .h5Item(path, .h5Path(found$name, column), found)
    })
    list(names = as.character(names),
        columns = Filter(Negate(is.null), columns), key = key
    )
}

## One column: an array, categories (both encodings), values with a mask. NULL
## for what has no meaning as a column here.
.h5Item <- function(path, name, frame) {
    found <- .h5Need(path, name)
    type <- .h5Text(found, "encoding-type")
    if (found$kind == "group") {
        if (type == "categorical") {
            ordered <- isTRUE(as.logical(found$attributes$ordered))
            return(.fromCodes(path, name,
                .h5Values(path, .h5Path(name, "codes")),
                .h5Values(path, .h5Path(name, "categories")), ordered
            ))
        }
        if (all(c("values", "mask") %in% found$children)) {
            return(.fromMask(path, name))
        }
        return(NULL)
    }
    if (!found$kind %in% c("numbers", "flags", "text") ||
        length(found$dims) != 1L) {
        return(NULL)
    }
    values <- .h5Column(path, name, found)
    levels <- .h5Path(frame$name, "__categories", basename(name))
    if ("categories" %in% names(found$attributes) &&
        "__categories" %in% frame$children) {
        table <- .h5Need(path, levels)
        ordered <- isTRUE(as.logical(table$attributes$ordered))
        return(.fromCodes(path, name, values, .h5Values(path, levels), ordered))
    }
    values
}

.fromMask <- function(path, name) {
    values <- .h5Column(path, .h5Path(name, "values"))
    mask <- .h5Values(path, .h5Path(name, "mask"))
    if (length(mask) != length(values)) {
        .stopFile(path, "has ", length(values), " values in ", name,
            ", and a mask of ", length(mask), "."
        )
    }
    values[as.logical(mask)] <- NA
    values
}

## Codes from 0; -1 is missing.
.fromCodes <- function(path, name, codes, levels, ordered = FALSE) {
    if (!is.numeric(codes) || any(codes < -1 | codes >= length(levels),
        na.rm = TRUE)) {
        .stopFile(path, "has codes in ", name, " that stand for none of its ",
            length(levels), " categories."
        )
    }
    levels <- as.character(levels)
    if (anyDuplicated(levels)) {
        .stopFile(path, "names a category of ", name, " twice: ",
            .some(unique(levels[duplicated(levels)])), "."
        )
    }
    codes[codes < 0] <- NA
    structure(as.integer(codes) + 1L, levels = levels,
        class = c(if (ordered) "ordered", "factor")
    )
}
