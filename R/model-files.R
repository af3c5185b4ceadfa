## Reading the files of model packages: JSON, safetensors' headers, tables.

.readText <- function(file) {
    size <- file.size(file)
    if (is.na(size) || size > 512 * 1024^2) {
        stop("'", file, "' can't be read or is larger than 512 MB.",
            call. = FALSE
        )
    }
    bytes <- readBin(file, "raw", size)
    if (any(bytes == 0)) {
        stop("'", file, "' is not JSON: it holds zero bytes.", call. = FALSE)
    }
    text <- rawToChar(bytes)
    Encoding(text) <- "UTF-8"
    text
}

.readJson <- function(file, simplify = TRUE) {
    text <- .readText(file)
    tryCatch(
        jsonlite::parse_json(text, simplifyVector = simplify),
        error = function(e) {
            stop("'", file, "' is not JSON: ",
                strsplit(conditionMessage(e), "\n")[[1L]][[1L]],
                call. = FALSE
            )
        }
    )
}

.checkConfig <- function(config, file, module = "sfm") {
    sfm <- module == "sfm"
    good <- is.list(config) && is.list(config[[module]]) &&
        (!sfm || is.list(config$vgae))
    need <- c("embed_dim", "num_heads", "num_layers", if (sfm) "num_factors")
    number <- function(x) is.numeric(x) && length(x) == 1L && x >= 1
    if (!good || !all(vapply(config[[module]][need], number, logical(1)))) {
        stop("'", file, "' must hold ", if (sfm) "objects" else "an object",
            " \"", module, "\" (with ", paste(need, collapse = ", "), ")",
            if (sfm) " and \"vgae\"", ".",
            call. = FALSE
        )
    }
    invisible(config)
}

.checkConditions <- function(table, file) {
    good <- is.data.frame(table) &&
        all(c("cond_value", "token_index") %in% names(table))
    index <- if (good) suppressWarnings(as.integer(table$token_index)) else NA
    if (!good || anyNA(index) || any(index < 0L) || anyDuplicated(index)) {
        stop("'", file, "' must be an array of records with cond_value and ",
            "its own token_index from 0 up.",
            call. = FALSE
        )
    }
    data.frame(
        cond_value = as.character(table$cond_value), token_index = index
    )
}

## Names and shapes in a safetensors file; the engine checks the rest when it
## loads. Needed first: the size of the condition table.
.safetensorsHeader <- function(file) {
    size <- file.size(file)
    broken <- function(...) {
        stop("'", file, "' is not a sound safetensors file: ", ...,
            call. = FALSE
        )
    }
    if (is.na(size) || size < 10) {
        broken("it has ", size, " bytes.")
    }
    con <- file(file, "rb")
    on.exit(close(con))
    length <- sum(as.integer(readBin(con, "raw", 8L)) * 256^(0:7))
    if (length > size - 8 || length > 100 * 1024^2) {
        broken("its header claims ", format(length), " bytes, the file has ",
            size, "."
        )
    }
    bytes <- readBin(con, "raw", length)
    if (any(bytes == 0)) {
        broken("its header is not JSON.")
    }
    header <- tryCatch(
        jsonlite::parse_json(rawToChar(bytes), simplifyVector = TRUE),
        error = function(e) broken("its header is not JSON.")
    )
    header <- header[setdiff(names(header), "__metadata__")]
    for (name in names(header)) {
        entry <- header[[name]]
        end <- if (is.list(entry)) entry$data_offsets else NULL
        if (!is.numeric(end) || length(end) != 2L || anyNA(end) ||
            any(end < 0) || end[[2L]] < end[[1L]] ||
            end[[2L]] > size - 8 - length) {
            broken("tensor ", name, " lies outside the file (truncated?).")
        }
        shape <- unlist(entry$shape)
        if (length(shape) && (!is.numeric(shape) || anyNA(shape) ||
            any(shape < 0 | shape > 2^31 | shape != round(shape)))) {
            broken("tensor ", name, " has an impossible shape.")
        }
    }
    header
}

## A float32 tensor of a file, or one of whole numbers from 0 below 2^31:
## list(shape, values), rows first.
.readSafetensor <- function(file, name) {
    entry <- .safetensorsHeader(file)[[name]]
    shape <- unlist(entry$shape)
    whole <- identical(entry$dtype, "I64")
    size <- (if (whole) 8 else 4) * prod(shape)
    if (is.null(entry) || !entry$dtype %in% c("F32", "I64") ||
        diff(entry$data_offsets) != size) {
        stop("'", file, "' holds no float32 or int64 tensor '", name, "'.",
            call. = FALSE
        )
    }
    con <- file(file, "rb")
    on.exit(close(con))
    header <- sum(as.integer(readBin(con, "raw", 8L)) * 256^(0:7))
    seek(con, 8 + header + entry$data_offsets[[1L]])
    values <- readBin(con, if (whole) "integer" else "numeric", size / 4, 4L,
        endian = "little"
    )
    list(shape = shape, values = if (whole) values[c(TRUE, FALSE)] else values)
}

## One float32 tensor in a safetensors file. `x` is a matrix.
.writeSafetensor <- function(file, name, x) {
    entry <- list(list(
        dtype = "F32", shape = dim(x), data_offsets = c(0, 4 * length(x))
    ))
    names(entry) <- name
    header <- charToRaw(as.character(jsonlite::toJSON(entry,
        auto_unbox = TRUE, digits = NA
    )))
    header <- c(header, rep(charToRaw(" "), (-length(header)) %% 8L))
    .writeBeside(file, TRUE, function(con) {
        writeBin(as.integer(c(length(header), 0L)), con, size = 4L,
            endian = "little"
        )
        writeBin(header, con)
        writeBin(.toRowMajor(x), con, size = 4L, endian = "little")
        c(rows = 1, bytes = 8 + length(header) + 4 * length(x))
    })
    invisible()
}

## ---- saving ----------------------------------------------------------------
