## cellData and metadata as tables of a file.

.columnKind <- function(x) {
    if (is.factor(x)) return(if (is.ordered(x)) "ordered" else "factor")
    if (inherits(x, "Date")) return("date")
    if (inherits(x, "POSIXct")) return("time")
    if (!is.atomic(x) || is.null(x) || length(dim(x)) || is.object(x)) {
        return(NA_character_)
    }
    kind <- c(double = "double", integer = "integer", logical = "logical",
        character = "text"
    )[typeof(x)]
    unname(kind)
}

.columnTables <- function(data) {
    if (is.null(data)) {
        data <- S4Vectors::make_zero_col_DFrame(0L)
    }
    kinds <- vapply(seq_len(ncol(data)), function(j) {
        .columnKind(data[[j]])
    }, character(1))
    if (anyNA(kinds)) {
        message("these columns of cellData can't be kept in a file and are ",
            "left out of it: ", .some(colnames(data)[is.na(kinds)])
        )
    }
    keep <- which(!is.na(kinds))
    columns <- lapply(seq_along(keep), function(j) {
        .oneColumn(paste0("cellData/c", j), data[[keep[[j]]]], kinds[keep[[j]]])
    })
    c(
        list(
            .textTable("cellData/names", colnames(data)[keep]),
            .textTable("cellData/kinds", kinds[keep])
        ),
        do.call(c, columns)
    )
}

.oneColumn <- function(name, x, kind) {
    if (kind %in% c("double", "date", "time")) {
        return(list(.realTable(name, unclass(x))))
    }
    if (kind %in% c("integer", "logical")) {
        return(list(.wholeTable(name, x)))
    }
    levels <- if (kind == "text") unique(x[!is.na(x)]) else levels(x)
    code <- match(as.character(x), levels, nomatch = 0L)
    list(.wholeTable(name, code), .textTable(paste0(name, "_levels"), levels))
}

## Back from a file; `read` gives tables by name.
.readColumns <- function(read, n) {
    names <- read("cellData/names")
    kinds <- read("cellData/kinds")
    if (!is.character(names) || !is.character(kinds) ||
        length(names) != length(kinds) || anyDuplicated(names)) {
        stop("its cellData is damaged", call. = FALSE)
    }
    columns <- lapply(seq_along(names), function(j) {
        table <- paste0("cellData/c", j)
        x <- read(table)
        if (length(x) != n) {
            stop("its cellData is damaged", call. = FALSE)
        }
        .tableColumn(x, kinds[[j]], function() read(paste0(table, "_levels")))
    })
    names(columns) <- names
    data <- S4Vectors::make_zero_col_DFrame(n)
    for (name in names) {
        data[[name]] <- columns[[name]]
    }
    data
}

.tableColumn <- function(x, kind, levels) {
    number <- if (is.integer(x)) "integer" else "double"
    wanted <- switch(kind, double = , date = , time = "double", "integer")
    if (number != wanted) {
        stop("its cellData is damaged", call. = FALSE)
    }
    switch(kind,
        double = , integer = x,
        logical = as.logical(x),
        date = structure(x, class = "Date"),
        time = structure(x, class = c("POSIXct", "POSIXt"), tzone = "UTC"),
        text = , factor = , ordered = {
            levels <- levels()
            if (!is.character(levels) || anyDuplicated(levels) || anyNA(x) ||
                any(x < 0L | x > length(levels))) {
                stop("its cellData is damaged", call. = FALSE)
            }
            x[x == 0L] <- NA_integer_
            if (kind == "text") levels[x] else
                factor(levels[x], levels, ordered = kind == "ordered")
        },
        stop("its cellData holds a column of kind ", kind, call. = FALSE)
    )
}
