## The HDF5 file of per-cell networks: its layout, and how it is made, filled
## and read. All checks of what comes from a file are here and in grn-columns.R.
##
## /header: format, version, id (text), writer (text: the call that fills it),
##   sizes (cells, TFs, genes, factors, k), progress (cells complete, finished),
##   settings (JSON of hashes, for resuming), sums (JSON: SHA-256 of each table
##   but writer, progress, sums and the factors)
## /tfs /genes /cells, /metadata (R's serialization in ASCII): text
## /u/index, /u/weight (cells, TFs, k), /v/index, /v/weight (cells, genes, k):
##   16-bit numbers and 32-bit floats; /checksum by cell
## /expression: start (cells + 1), gene (from 0), value: columns of a dgCMatrix
## /cellData: names, kinds, and per column its values c1, c2, ... and, for
##   text and factors, numbers from 1 (0: missing) into its levels

.fileFormat <- "causeway per-cell networks"
.fileVersion <- 2L

.factorTables <- c("u/index", "u/weight", "v/index", "v/weight")

.table <- function(name, type, dims, data = NULL, width = 1) {
    list(name = name, type = type, dims = as.numeric(dims),
        width = as.numeric(width), data = data
    )
}

## `room`: bytes of an item, where more than these may be written later.
.textTable <- function(name, x, room = 1L) {
    x <- as.character(x)
    bad <- which(!.isText(x))
    if (length(bad)) {
        stop("text that isn't UTF-8 can't be kept in a file: ",
            .some(iconv(x[bad], "latin1", "ASCII", "byte"), 3L), ", in ", name,
            ". Mark its encoding (?Encoding) or change it.",
            call. = FALSE
        )
    }
    x <- enc2utf8(x)
    x[is.na(x)] <- "NA"
    .table(name, "text", length(x), x, max(room, nchar(x, type = "bytes")))
}

## Text that has a form in UTF-8; R would write the bytes of other text out.
.isText <- function(x) {
    marked <- Encoding(x)
    latin <- marked == "latin1" |
        (marked == "unknown" & l10n_info()[["Latin-1"]])
    marked != "bytes" & (latin | validUTF8(x))
}

.realTable <- function(name, x) .table(name, "f64", length(x), as.numeric(x))
.wholeTable <- function(name, x) .table(name, "i32", length(x), as.integer(x))

## parts: the arguments of CellGRN() but the factors.
.fileTables <- function(parts, settings, id) {
    n <- length(parts$cells)
    sizes <- c(n, length(parts$tfs), length(parts$genes), parts$nFactors,
        parts$k
    )
    rows <- rep(sizes[2:3], each = 2L)
    factors <- lapply(1:4, function(i) {
        .table(.factorTables[[i]], c("u16", "f32")[[2L - i %% 2L]],
            c(n, rows[[i]], parts$k)
        )
    })
    kept <- c(
        list(
            .textTable("header/format", .fileFormat),
            .wholeTable("header/version", .fileVersion),
            .textTable("header/id", id), .realTable("header/sizes", sizes),
            .textTable("header/settings", settings),
            .textTable("metadata", .toText(parts$metadata)),
            .textTable("tfs", parts$tfs), .textTable("genes", parts$genes),
            .textTable("cells", parts$cells)
        ),
        .expressionTables(parts$expression), .columnTables(parts$cellData)
    )
    c(kept,
        list(
            .textTable("header/sums", .sumsText(kept)),
            .textTable("header/writer", id, .writerBytes),
            .realTable("header/progress", c(0, 0)), .table("checksum", "i32", n)
        ),
        factors
    )
}

.writerBytes <- 96L

.sumsText <- function(tables) {
    sums <- lapply(tables, function(t) {
        if (is.null(t$sum)) .hash(t$data) else t$sum
    })
    names(sums) <- vapply(tables, `[[`, character(1), "name")
    as.character(jsonlite::toJSON(sums, auto_unbox = TRUE))
}

.readSums <- function(text) {
    sums <- tryCatch(jsonlite::fromJSON(text, simplifyVector = FALSE),
        error = function(e) NULL
    )
    if (is.list(sums)) sums else list()
}

## x, as it was read, if it is what was written.
.checkSum <- function(path, name, x, sums) {
    if (!identical(.hash(x), sums[[name]])) {
        .stopFile(path, "was altered: ", name, " doesn't have its checksum.")
    }
    x
}

## ---- access -----------------------------------------------------------------

.stopFile <- function(path, ...) {
    stop("the file ", path, " ", ..., call. = FALSE)
}

## Seconds to wait for a file that another program has open.
.lockWait <- function() {
    .checkNumber(getOption("causeway.lockWait", 60),
        "options(causeway.lockWait)", 0
    )
}

## call(), again and again while another program has the file open.
.patiently <- function(path, call) {
    start <- proc.time()[["elapsed"]]
    said <- FALSE
    repeat {
        result <- tryCatch(list(call()), causewayError_busy = identity)
        if (!inherits(result, "condition")) {
            return(result[[1L]])
        }
        waited <- proc.time()[["elapsed"]] - start
        if (waited >= .lockWait()) {
            .stopFile(path, "is in use: another program has the file open ",
                "and keeps it locked (waited ", .duration(waited), "; ",
                "options(causeway.lockWait) says how long). Close it there; ",
                "nothing was removed."
            )
        }
        if (!said && waited > 0.5) {
            message("Waiting: another program has the file ", path, " open.")
            said <- TRUE
        }
        Sys.sleep(0.05)
    }
}

## The same for reading, errors about the file told with the file's name.
.withFile <- function(path, call) {
    tryCatch(.patiently(path, call),
        causewayError_state = function(e) {
            .stopFile(path, conditionMessage(e), ".")
        },
        causewayError = function(e) {
            .stopFile(path, "can't be used: ", conditionMessage(e))
        }
    )
}

## guard: texts by the names of their tables, which the file must hold.
.readTables <- function(path, names, rows = NULL, guard = NULL) {
    .withFile(path, function() {
        .Call(cw_r_h5_read, path, names, rows, guard)
    })
}

.writeTables <- function(path, names, first, data, guard = NULL) {
    .patiently(path, function() {
        .Call(cw_r_h5_write, path, names, first, data, guard)
    })
}

.shapesIn <- function(path, names) {
    .withFile(path, function() .Call(cw_r_h5_shapes, path, names))
}

.fileText <- function(path, name) {
    .validText(path, name, .readTables(path, name)[[1L]])
}

.validText <- function(path, name, x) {
    if (!is.character(x) || !all(validUTF8(x))) {
        .stopFile(path, "is damaged: ", name, " isn't text.")
    }
    x
}

.newFileId <- function() {
    paste(sprintf("%.0f", as.numeric(Sys.time()) * 1e6), Sys.getpid(),
        basename(tempfile("")),
        sep = "-"
    )
}

.headerTables <- c(id = "text", writer = "text", sizes = "f64",
    progress = "f64", settings = "text", sums = "text"
)

## list(id, writer, sizes, done, finished, settings, sums) of one of our files;
## an error that says what it is otherwise.
.readHeader <- function(path) {
    found <- .atPlace(.Call(cw_r_place_find, path))
    if (found$kind != "file") {
        .stopFile(path, switch(found$kind,
            folder = "is a folder; name the file in it.",
            nothing = "does not exist.", "is a device or pipe, not a file."
        ))
    }
    .checkStart(path)
    .checkVersion(path)
    names <- paste0("header/", names(.headerTables))
    if (!identical(.typesIn(path, names), unname(.headerTables))) {
        .stopFile(path, "is damaged: its header isn't whole.")
    }
    x <- .readTables(path, names)
    names(x) <- names(.headerTables)
    .checkHeader(path, x)
    sums <- .readSums(x$sums)
    for (name in c("id", "sizes", "settings")) {
        .checkSum(path, paste0("header/", name), x[[name]], sums)
    }
    list(id = x$id, writer = x$writer, sizes = x$sizes,
        done = x$progress[[1L]], finished = x$progress[[2L]] == 1,
        settings = x$settings, sums = sums
    )
}

.typesIn <- function(path, names) {
    vapply(unname(.shapesIn(path, names)), function(s) {
        if (is.null(s)) "" else s$type
    }, character(1))
}

.checkVersion <- function(path) {
    names <- c("header/format", "header/version")
    if (!identical(.typesIn(path, names), c("text", "i32")) ||
        !identical(.fileText(path, names[[1L]]), .fileFormat)) {
        .stopFile(path, "holds no networks of causeway.")
    }
    version <- .readTables(path, names[[2L]])[[1L]]
    if (!identical(version, .fileVersion)) {
        .stopFile(path, "has version ", .show(version), " of the format; ",
            "this version of causeway reads ", .fileVersion, ". Make the ",
            "networks again, or read them with the causeway that wrote them."
        )
    }
}

## The signature, and the end of the file as its first block (of version 2 or
## 3, with 8-byte addresses) tells it.
.checkStart <- function(path) {
    start <- readBin(path, "raw", 48L)
    sign <- as.raw(c(0x89, 0x48, 0x44, 0x46, 0xd, 0xa, 0x1a, 0xa))
    if (!identical(head(start, 8L), sign)) {
        .stopFile(path, "isn't an HDF5 file.")
    }
    if (length(start) == 48L && start[[9L]] == 3 && start[[12L]] != 0) {
        .stopFile(path, "was being written when its program was killed, by ",
            "an older causeway or by another program. Make it anew ",
            "(overwrite = TRUE)."
        )
    }
    if (length(start) == 48L && start[[9L]] %in% as.raw(2:3) &&
        start[[10L]] == 8) {
        end <- sum(as.numeric(start[29:36]) * 256^(0:7))
        if (end > file.size(path)) {
            .stopFile(path, "is damaged: it was cut, ", file.size(path),
                " bytes of ", format(end, scientific = FALSE), " are left."
            )
        }
    }
}

.checkHeader <- function(path, x) {
    lengths <- lengths(x[c("id", "writer", "sizes", "progress", "settings",
        "sums"
    )])
    whole <- c(x$sizes, x$progress)
    good <- identical(unname(lengths), c(1L, 1L, 5L, 2L, 1L, 1L)) &&
        all(is.finite(whole)) && all(whole == floor(whole)) &&
        all(whole >= 0) && all(x$sizes >= 1) && all(x$sizes < 2^31) &&
        x$progress[[1L]] <= x$sizes[[1L]] && x$progress[[2L]] <= 1 &&
        (x$progress[[2L]] == 0 || x$progress[[1L]] == x$sizes[[1L]])
    if (good) {
        s <- x$sizes
        dims <- list(
            c(s[[1L]], s[[2L]], s[[5L]]), c(s[[1L]], s[[2L]], s[[5L]]),
            c(s[[1L]], s[[3L]], s[[5L]]), c(s[[1L]], s[[3L]], s[[5L]]),
            s[[1L]]
        )
        shapes <- .shapesIn(path, c(.factorTables, "checksum"))
        types <- c("u16", "f32", "u16", "f32", "i32")
        good <- all(vapply(seq_along(types), function(i) {
            identical(shapes[[i]]$type, types[[i]]) &&
                identical(shapes[[i]]$dims, dims[[i]])
        }, logical(1)))
    }
    if (!good) {
        .stopFile(path, "is damaged: its sizes don't agree.")
    }
}

## Fills the empty file `path` with everything but the factors.
.createTables <- function(path, parts, settings, id) {
    tables <- .fileTables(parts, settings, id)
    bytes <- sum(vapply(tables, function(t) {
        item <- c(u16 = 2, i32 = 4, f32 = 4, f64 = 8, text = t$width)
        prod(t$dims) * item[[t$type]]
    }, numeric(1)))
    .checkDisk(path, bytes)
    tryCatch(
        {
            .patiently(path, function() .Call(cw_r_h5_create, path, tables))
            full <- !vapply(tables, function(t) is.null(t$data), logical(1))
            .writeTables(path,
                vapply(tables[full], `[[`, character(1), "name"), 0,
                lapply(tables[full], `[[`, "data")
            )
            .writeExpression(path, parts$expression)
        },
        causewayError = function(e) {
            .stopWrite(path, e, "; it needs ", .bytes(bytes))
        }
    )
    invisible()
}

## The same at `path` in one step: nothing is left when it can't be made, and
## what `replace` lets it replace is there until it is.
.createFile <- function(path, parts, settings, id, replace = TRUE) {
    part <- .atPlace(.Call(cw_r_place_part, path, TRUE))
    on.exit(.removeFile(part))
    .createTables(part, parts, settings, id)
    .atPlace(.Call(cw_r_place_commit, part, path, replace))
    invisible()
}

.checkDisk <- function(path, bytes) {
    folder <- dirname(path)
    if (!dir.exists(folder)) {
        .stopArgument("file", "is in a folder that doesn't exist: ", folder,
            "; create it first."
        )
    }
    if (file.access(folder, 2L) != 0L) {
        .stopArgument("file", "can't be written: the folder ", folder,
            " is read-only."
        )
    }
    free <- .Call(cw_r_disk_free, folder)
    if (!is.na(free) && bytes > free) {
        .stopArgument("file", "needs ", .bytes(bytes), ", and the disk that ",
            "holds ", folder, " has ", .bytes(free), " left. Free some ",
            "space, choose another folder, or take fewer cells or genes."
        )
    }
}

.stopWrite <- function(path, e, ...) {
    stop("'file' could not be written (", conditionMessage(e), ")", ...,
        ". Is the disk that holds ", dirname(path), " full?",
        call. = FALSE
    )
}

## One block of complete cells, `first` from 0: then, on their own, their
## number, so that a kill in between costs the block alone.
.writeBlock <- function(path, x, first, factors, guard = NULL) {
    n <- length(factors$uIndex) / (2 * as.numeric(x$k) * length(x$tfs))
    sums <- .Call(cw_r_network_checksums, .partsView(x, n, factors),
        .threads()
    )
    .writeTables(path, c(.factorTables, "checksum"), first,
        c(unname(factors[.factorParts]), list(sums)), guard
    )
    .writeTables(path, "header/progress", 0, list(c(first + n, 0)), guard)
    first + n
}

.partsView <- function(parts, n, factors) {
    c(
        list(dims = as.numeric(c(n, length(parts$tfs), length(parts$genes),
            parts$nFactors, parts$k
        )), tfGene = match(parts$tfs, parts$genes) - 1L),
        factors
    )
}

## The cells are on the disk before the file says that it is finished.
.finishFile <- function(path, n, guard = NULL) {
    .Call(cw_r_place_sync, path)
    .writeTables(path, "header/progress", 0, list(c(n, 1)), guard)
    .Call(cw_r_place_sync, path)
}

## The factors of the file's cells `rows` (from 1), checked.
.fileFactors <- function(x, rows) {
    f <- x@factors
    if (!file.exists(f@file)) {
        stop("these networks are in the file ", f@file, ", which is gone. If ",
            "it was moved, loadGRN() opens it at its new place.",
            call. = FALSE
        )
    }
    at <- as.integer(rows) - 1L
    if (identical(at, seq.int(at[[1L]], length.out = length(at)))) {
        at <- as.numeric(c(at[[1L]], length(at)))
    }
    data <- tryCatch(
        .patiently(f@file, function() {
            .Call(cw_r_h5_read, f@file, c(.factorTables, "checksum"), at,
                c("header/id" = f@id)
            )
        }),
        causewayError_state = function(e) {
            .stopFile(f@file, "isn't the one these networks are in: it was ",
                "written anew. loadGRN() opens what is there now."
            )
        },
        causewayError = function(e) {
            .stopFile(f@file, "can't be used: ", conditionMessage(e))
        }
    )
    factors <- setNames(data[seq_len(4L)], .factorParts)
    view <- .viewOf(x, length(rows), factors)
    .withFile(f@file, function() {
        .Call(cw_r_network_check, view, .threads())
    })
    sums <- .Call(cw_r_network_checksums, view, .threads())
    if (!identical(sums, data$checksum)) {
        bad <- which(!mapply(identical, sums, data$checksum))
        .stopFile(f@file, "was altered: the factors of ",
            .count(length(bad), "cell"), " don't have their checksum; the ",
            "first is ", x@cells[match(rows[bad[[1L]]], f@at)], "."
        )
    }
    factors
}

