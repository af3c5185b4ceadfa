## Where the factors of per-cell networks are kept: in memory, in an HDF5 file,
## or nowhere (lazy). All that reads factors goes through .cellView() and
## .cellBlocks().

## Bytes of factors that a function holds at a time.
.blockBytes <- function() {
    .checkNumber(getOption("causeway.blockBytes", 64 * 2^20),
        "options(causeway.blockBytes)", 1
    )
}

## Bytes of one cell's factors: index (2) and weight (4) of k per row.
.cellBytes <- function(x) {
    6 * as.numeric(x@k) * (length(x@tfs) + length(x@genes))
}

.blockCells <- function(x) {
    if (is.list(x@factors)) {
        return(length(x@cells))
    }
    max(1, floor(.blockBytes() / .cellBytes(x)))
}

## The cells `at` in blocks; one block when the factors are in memory anyway.
.cellBlocks <- function(x, at) {
    size <- .blockCells(x)
    unname(split(at, (seq_along(at) - 1L) %/% size))
}

## What the engine reads of the cells `at`: list(view, cells), where `cells`
## are their numbers from 0 within the view, or NULL for all of it.
.cellView <- function(x, at) {
    if (is.list(x@factors)) {
        all <- identical(at, seq_along(x@cells))
        return(list(
            view = .viewOf(x, length(x@cells), x@factors),
            cells = if (!all || length(at) == 1L) as.integer(at) - 1L
        ))
    }
    list(view = .viewOf(x, length(at), .factorsAt(x, at)),
        cells = if (length(at) == 1L) 0L
    )
}

## All cells at once; see src/glue/r_network.c.
.networkView <- function(x) .cellView(x, seq_along(x@cells))$view

.viewOf <- function(x, nCells, factors) {
    c(
        list(
            dims = as.numeric(c(
                nCells, length(x@tfs), length(x@genes), x@nFactors, x@k
            )),
            tfGene = match(x@tfs, x@genes) - 1L
        ),
        factors
    )
}

## The four raw vectors of the cells `at`.
.factorsAt <- function(x, at) {
    f <- x@factors
    if (is(f, "HDF5Factors")) {
        return(.fileFactors(x, f@at[at]))
    }
    if (is(f, "LazyFactors")) {
        return(.lazyFactors(x, at))
    }
    if (identical(at, seq_along(x@cells))) f else .subsetFactors(x, at)
}

.subsetFactors <- function(x, at) {
    f <- x@factors
    if (is(f, "HDF5Factors")) {
        f@at <- f@at[at]
        return(f)
    }
    if (is(f, "LazyFactors")) {
        f@conditions <- f@conditions[, at, drop = FALSE]
        return(f)
    }
    lapply(f, function(part) {
        dim(part) <- c(length(part) / length(x@cells), length(x@cells))
        as.vector(part[, at])
    })
}

.backingText <- function(x) {
    f <- x@factors
    if (is(f, "HDF5Factors")) {
        return(paste0("in the file ", f@file,
            if (length(f@at) < f@total) paste0(
                " (", format(f@total, big.mark = ","), " cells in all)"
            )
        ))
    }
    if (is(f, "LazyFactors")) {
        return("nowhere: the model makes them anew when they are asked for")
    }
    paste0("in memory, ", .bytes(sum(lengths(f))))
}

.chooseBacking <- function(backing, file, resume, overwrite) {
    .checkFlag(resume, "resume")
    .checkFlag(overwrite, "overwrite")
    if (!is.null(file)) {
        .checkText(file, "file")
    }
    if (is.null(backing)) {
        backing <- if (is.null(file)) "memory" else "hdf5"
    }
    if (!is.character(backing) || length(backing) != 1L ||
        !backing %in% c("memory", "hdf5", "lazy")) {
        .stopArgument("backing", "must be \"memory\", \"hdf5\" or \"lazy\"; ",
            "it is ", .show(backing), "."
        )
    }
    if (backing == "hdf5" && is.null(file)) {
        .stopArgument("file", "is missing: backing = \"hdf5\" needs a path.")
    }
    if (backing != "hdf5" && !is.null(file)) {
        .stopArgument("file", "can't be used with backing = \"", backing,
            "\"; leave one of them out."
        )
    }
    if (backing != "hdf5" && (resume || overwrite)) {
        .stopArgument(if (resume) "resume" else "overwrite",
            "has no meaning without 'file'."
        )
    }
    backing
}

## ---- lazy ------------------------------------------------------------------

.newLazyFactors <- function(model, prepared, batchSize) {
    new("LazyFactors",
        model = model, hash = .modelHash(model),
        tokens = as.integer(prepared$tokens),
        nonTF = as.logical(prepared$nonTF),
        conditions = prepared$conditions, batchSize = as.integer(batchSize)
    )
}

.lazyFactors <- function(x, at) {
    f <- x@factors
    if (!.isAlive(f@model)) {
        stop("these networks are lazy: their model makes them when they are ",
            "asked for, and the model is gone (the object comes from ",
            "another R session). Load the model with loadModel() and call ",
            "inferGRN() again; saveGRN(x, file) keeps networks.",
            call. = FALSE
        )
    }
    if (!identical(.modelHash(f@model), f@hash)) {
        stop("these networks are lazy, and their model has changed since ",
            "inferGRN() (it was trained, or weights were set): call ",
            "inferGRN() again. saveGRN(x, file) keeps networks.",
            call. = FALSE
        )
    }
    prepared <- list(
        tokens = f@tokens, values = x@expression, conditions = f@conditions,
        nonTF = f@nonTF
    )
    .inferFactors(f@model, prepared, at, f@batchSize)
}

## ---- HDF5 files: the layout -------------------------------------------------
##
## /header: format, version, id (text), sizes (cells, TFs, genes, factors, k),
##   progress (cells complete, finished), settings (JSON, for resuming)
## /tfs /genes /cells, /metadata (JSON): text
## /u/index, /u/weight (cells, TFs, k), /v/index, /v/weight (cells, genes, k):
##   16-bit numbers and 32-bit floats, chunks of cells; /checksum by cell
## /expression: start (cells + 1), gene (from 0), value: columns of a dgCMatrix
## /cellData: names, kinds, and per column its values c1, c2, ... and, for
##   text and factors, numbers from 1 (0: missing) into its levels

.fileFormat <- "causeway per-cell networks"
.fileVersion <- 1L

.factorTables <- c("u/index", "u/weight", "v/index", "v/weight")

.table <- function(name, type, dims, data = NULL, width = 1, chunk = 0) {
    list(name = name, type = type, dims = as.numeric(dims),
        width = as.numeric(width), chunk = as.numeric(chunk), data = data
    )
}

.textTable <- function(name, x) {
    x <- enc2utf8(as.character(x))
    .table(name, "text", length(x), x, max(1L, nchar(x, type = "bytes")))
}

.realTable <- function(name, x) .table(name, "f64", length(x), as.numeric(x))
.wholeTable <- function(name, x) .table(name, "i32", length(x), as.integer(x))

## parts: the arguments of CellGRN() but the factors.
.fileTables <- function(parts, settings, id) {
    n <- length(parts$cells)
    sizes <- c(n, length(parts$tfs), length(parts$genes), parts$nFactors,
        parts$k
    )
    values <- .asSparse(parts$expression)
    rows <- rep(sizes[2:3], each = 2L)
    factors <- lapply(1:4, function(i) {
        bytes <- rows[[i]] * parts$k * c(2, 4)[[2L - i %% 2L]]
        .table(.factorTables[[i]], c("u16", "f32")[[2L - i %% 2L]],
            c(n, rows[[i]], parts$k),
            chunk = max(1, floor(2^19 / bytes))
        )
    })
    c(
        list(
            .textTable("header/format", .fileFormat),
            .wholeTable("header/version", .fileVersion),
            .textTable("header/id", id), .realTable("header/sizes", sizes),
            .realTable("header/progress", c(0, 0)),
            .textTable("header/settings", settings),
            .textTable("metadata", .toJson(parts$metadata)),
            .textTable("tfs", parts$tfs), .textTable("genes", parts$genes),
            .textTable("cells", parts$cells),
            .table("checksum", "i32", n),
            .realTable("expression/start", values@p),
            .wholeTable("expression/gene", values@i),
            .realTable("expression/value", values@x)
        ),
        factors, .columnTables(parts$cellData)
    )
}

## ---- cellData and metadata in a file ----------------------------------------

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
        .columnOf(x, kinds[[j]], function() read(paste0(table, "_levels")))
    })
    names(columns) <- names
    data <- S4Vectors::make_zero_col_DFrame(n)
    for (name in names) {
        data[[name]] <- columns[[name]]
    }
    data
}

.columnOf <- function(x, kind, levels) {
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

## Lists and plain vectors as JSON that gives them back as they were: each is
## list(type, names, value), values as text. What else there is becomes text.
.toJson <- function(x) {
    as.character(jsonlite::toJSON(.encode(x), auto_unbox = TRUE, na = "null"))
}

.encode <- function(x) {
    names <- if (length(names(x))) list(names = I(enc2utf8(names(x))))
    if (is.null(x)) {
        return(list(type = "NULL"))
    }
    if (is.list(x)) {
        type <- if (is.data.frame(x)) "data.frame" else "list"
        value <- lapply(unname(as.list(x)), .encode)
        return(c(list(type = type, value = value), names))
    }
    plain <- is.atomic(x) && typeof(x) %in% c("logical", "integer", "double")
    type <- if (plain && !is.factor(x)) typeof(x) else "character"
    value <- if (type == "double") {
        ## not ifelse(): where all are NA, or none are there, that is logical
        replace(sprintf("%.17g", x), is.na(x) & !is.nan(x), NA)
    } else {
        tryCatch(as.character(x), error = function(e) class(x)[[1L]])
    }
    c(list(type = type, value = I(enc2utf8(unname(value)))), names)
}

.fromJson <- function(text) {
    x <- .decode(jsonlite::fromJSON(text, simplifyVector = TRUE,
        simplifyDataFrame = FALSE, simplifyMatrix = FALSE
    ))
    if (is.list(x)) x else list()
}

.decode <- function(x) {
    value <- x$value
    value <- switch(x$type,
        "NULL" = NULL,
        list = , data.frame = lapply(as.list(value), .decode),
        logical = as.logical(unlist(value)),
        integer = as.integer(unlist(value)),
        double = as.numeric(unlist(value)),
        character = as.character(unlist(value)),
        stop("its metadata are damaged", call. = FALSE)
    )
    if (length(x$names)) {
        names(value) <- as.character(unlist(x$names))
    }
    if (x$type == "data.frame") as.data.frame(value, optional = TRUE) else value
}

## ---- HDF5 files: access -----------------------------------------------------

.stopFile <- function(path, ...) {
    stop("the file ", path, " ", ..., call. = FALSE)
}

## expr, its errors about the file told with the file's name
.withFile <- function(path, expr) {
    tryCatch(expr, causewayError = function(e) {
        .stopFile(path, "can't be used: ", conditionMessage(e))
    })
}

.readTables <- function(path, names, rows = NULL) {
    .withFile(path, .Call(cw_r_h5_read, path, names, rows))
}

.fileText <- function(path, name, limit = Inf) {
    text <- .readTables(path, name)[[1L]]
    if (!is.character(text) || !all(validUTF8(text))) {
        .stopFile(path, "is damaged: ", name, " isn't text.")
    }
    text
}

.newFileId <- function() {
    paste0(format(as.numeric(Sys.time()) * 1e6, digits = 17), "-",
        Sys.getpid(), "-", basename(tempfile(""))
    )
}

## list(id, sizes, done, finished, settings) of one of our files; an error that
## says what it is otherwise.
.readHeader <- function(path) {
    path <- path.expand(path)
    if (dir.exists(path)) {
        .stopFile(path, "is a folder; name the file in it.")
    }
    if (!file.exists(path)) {
        .stopFile(path, "does not exist.")
    }
    .checkStart(path)
    want <- c(format = "text", version = "i32", id = "text", sizes = "f64",
        progress = "f64", settings = "text"
    )
    names <- paste0("header/", names(want))
    shapes <- .withFile(path, .Call(cw_r_h5_shapes, path, names))
    types <- vapply(shapes, function(s) {
        if (is.null(s)) "" else s$type
    }, character(1))
    if (!identical(unname(types), unname(want)) ||
        !identical(.fileText(path, "header/format"), .fileFormat)) {
        .stopFile(path, "holds no networks of causeway.")
    }
    x <- .readTables(path, names)
    names(x) <- names(want)
    if (!identical(x$version, .fileVersion)) {
        .stopFile(path, "has version ", .show(x$version),
            " of the format; this version of causeway reads ", .fileVersion,
            "."
        )
    }
    .checkHeader(path, x)
    list(id = x$id, sizes = x$sizes, done = x$progress[[1L]],
        finished = x$progress[[2L]] == 1, settings = x$settings
    )
}

## The signature, and the end of the file as its first block (of version 2 or
## 3, with 8-byte addresses) tells it.
.checkStart <- function(path) {
    start <- readBin(path, "raw", 48L)
    sign <- as.raw(c(0x89, 0x48, 0x44, 0x46, 0xd, 0xa, 0x1a, 0xa))
    if (!identical(head(start, 8L), sign)) {
        .stopFile(path, "isn't an HDF5 file.")
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
    lengths <- lengths(x[c("id", "sizes", "progress", "settings")])
    whole <- c(x$sizes, x$progress)
    good <- identical(unname(lengths), c(1L, 5L, 2L, 1L)) &&
        all(is.finite(whole)) && all(whole == floor(whole)) &&
        all(whole >= 0) && all(x$sizes >= 1) && all(x$sizes < 2^31) &&
        x$progress[[1L]] <= x$sizes[[1L]] && x$progress[[2L]] <= 1
    if (good) {
        s <- x$sizes
        dims <- list(
            c(s[[1L]], s[[2L]], s[[5L]]), c(s[[1L]], s[[2L]], s[[5L]]),
            c(s[[1L]], s[[3L]], s[[5L]]), c(s[[1L]], s[[3L]], s[[5L]]),
            s[[1L]]
        )
        shapes <- .withFile(path, .Call(cw_r_h5_shapes, path,
            c(.factorTables, "checksum")
        ))
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

## A new file with everything but the factors. Nothing is left of it when it
## can't be made.
.createFile <- function(path, parts, settings, id) {
    tables <- .fileTables(parts, settings, id)
    bytes <- sum(vapply(tables, function(t) {
        item <- c(u16 = 2, i32 = 4, f32 = 4, f64 = 8, text = t$width)
        chunk <- max(1, min(t$chunk, t$dims[[1L]])) # pieces are whole
        rows <- ceiling(t$dims[[1L]] / chunk) * chunk
        rows * prod(t$dims[-1L]) * item[[t$type]]
    }, numeric(1)))
    .checkDisk(path, bytes)
    done <- FALSE
    on.exit(if (!done) unlink(path))
    tryCatch(
        {
            .Call(cw_r_h5_create, path, tables)
            full <- !vapply(tables, function(t) is.null(t$data), logical(1))
            .Call(cw_r_h5_write, path,
                vapply(tables[full], `[[`, character(1), "name"), 0,
                lapply(tables[full], `[[`, "data")
            )
        },
        causewayError = function(e) .stopWrite(path, e, bytes)
    )
    done <- TRUE
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

.stopWrite <- function(path, e, bytes = NULL) {
    stop("'file' could not be written (", conditionMessage(e), ")",
        if (!is.null(bytes)) paste0("; it needs ", .bytes(bytes)),
        ". Is the disk that holds ", dirname(path), " full? The partial ",
        "file was removed.",
        call. = FALSE
    )
}

## One block of complete cells, `first` from 0.
.writeBlock <- function(path, x, first, factors) {
    n <- length(factors$uIndex) / (2 * as.numeric(x$k) * length(x$tfs))
    view <- c(
        list(dims = as.numeric(c(n, length(x$tfs), length(x$genes),
            x$nFactors, x$k
        )), tfGene = match(x$tfs, x$genes) - 1L),
        factors
    )
    sums <- .Call(cw_r_network_checksums, view, .threads())
    .Call(cw_r_h5_write, path, c(.factorTables, "checksum"), first,
        c(unname(factors[.factorParts]), list(sums))
    )
    .Call(cw_r_h5_write, path, "header/progress", 0, list(c(first + n, 0)))
    first + n
}

.finishFile <- function(path, n) {
    .Call(cw_r_h5_write, path, "header/progress", 0, list(c(n, 1)))
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
    id <- .fileText(f@file, "header/id")
    if (!identical(id, f@id)) {
        .stopFile(f@file, "isn't the one these networks are in: it was ",
            "written anew. loadGRN() opens what is there now."
        )
    }
    at <- as.integer(rows) - 1L
    if (identical(at, seq.int(at[[1L]], length.out = length(at)))) {
        at <- as.numeric(c(at[[1L]], length(at)))
    }
    data <- .readTables(f@file, c(.factorTables, "checksum"), at)
    factors <- setNames(data[seq_len(4L)], .factorParts)
    view <- .viewOf(x, length(rows), factors)
    .withFile(f@file, .Call(cw_r_network_check, view, .threads()))
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

## ---- inferring into a file --------------------------------------------------

## What must be the same for a call to go on with a file.
.inferSettings <- function(model, prepared) {
    list(
        model = .modelHash(model),
        tokens = .twoSums(prepared$tokens),
        conditions = .twoSums(prepared$conditions),
        preprocessing = .toJson(prepared$report$settings),
        "expression values" = paste(.twoSums(prepared$values@x),
            .twoSums(prepared$values@i), .twoSums(prepared$values@p)
        )
    )
}

## Two sums over x, taken in parts, as text.
.twoSums <- function(x) {
    starts <- seq(1, max(1, length(x)), by = 1e6)
    sums <- vapply(starts, function(first) {
        part <- x[first:min(length(x), first + 1e6 - 1)]
        c(sum(part), sum(part * ((first + seq_along(part)) %% 9973)))
    }, numeric(2))
    paste(sprintf("%.14g", c(length(x), rowSums(sums))), collapse = ":")
}

## Removes what an earlier call left, or finds where it stopped: list(id, done,
## finished).
.startFile <- function(path, parts, settings, resume, overwrite, verbose) {
    if (dir.exists(path)) {
        .stopArgument("file", "is a folder: ", path, "; name a file in it.")
    }
    if (file.exists(path) && resume) {
        header <- .readHeader(path)
        .checkResume(path, header, parts, settings)
        if (header$done > 0) {
            .say(verbose, format(header$done, big.mark = ","), " of ",
                .count(length(parts$cells), "cell"), " are in ", path,
                if (header$finished) ": nothing is left to do." else
                    "; going on from there."
            )
            return(header[c("id", "done", "finished")])
        }
        unlink(path)
    } else if (file.exists(path)) {
        if (!overwrite) {
            .stopArgument("file", "exists: ", path, "; choose another name, ",
                "go on with an interrupted one by resume = TRUE, or set ",
                "overwrite = TRUE."
            )
        }
        unlink(path)
    } else if (resume) {
        .say(verbose, "There is no file ", path, " to go on with: beginning.")
    }
    id <- .newFileId()
    .createFile(path, parts, .toJson(settings), id)
    list(id = id, done = 0, finished = FALSE)
}

.checkResume <- function(path, header, parts, settings) {
    old <- tryCatch(.fromJson(header$settings), error = function(e) list())
    sizes <- c(length(parts$cells), length(parts$tfs), length(parts$genes),
        parts$nFactors, parts$k
    )
    same <- c(
        vapply(names(settings), function(name) {
            identical(old[[name]], settings[[name]])
        }, logical(1)),
        sizes = identical(header$sizes, as.numeric(sizes))
    )
    for (name in c("tfs", "genes", "cells")) {
        same[[name]] <- identical(.fileText(path, name),
            enc2utf8(parts[[name]])
        )
    }
    if (!all(same)) {
        .stopArgument("file", "was begun with other settings and can't be ",
            "gone on with: ", path, " differs in ",
            .some(names(same)[!same], 9L), ". Repeat the first call exactly, ",
            "or set overwrite = TRUE without 'resume' to begin anew."
        )
    }
}

.inferToFile <- function(model, prepared, parts, batchSize, verbose, file,
    resume, overwrite) {
    path <- .absolutePath(file)
    settings <- .inferSettings(model, prepared)
    state <- .startFile(path, parts, settings, resume, overwrite, verbose)
    if (!state$finished) {
        progress <- new.env(parent = emptyenv())
        progress$finished <- progress$full <- FALSE
        on.exit(.leaveFile(path, progress))
        .fillFile(model, prepared, parts, batchSize, verbose, path, state$done,
            progress
        )
    }
    n <- length(parts$cells)
    new("HDF5Factors", file = path, id = state$id, total = n, at = seq_len(n))
}

.absolutePath <- function(file) .atPlace(.Call(cw_r_place_find, file))$path

.fillFile <- function(model, prepared, parts, batchSize, verbose, path, done,
    progress) {
    n <- ncol(prepared$values)
    cell <- 6 * as.numeric(parts$k) * (length(parts$tfs) + length(parts$genes))
    step <- floor(min(.blockBytes(), 16 * 2^20) / cell)
    step <- max(1, step %/% batchSize) * batchSize
    bar <- .progressStart("Inferring ", n, verbose, done)
    on.exit(.progressDone(bar))
    while (done < n) {
        at <- seq.int(done + 1, min(n, done + step))
        factors <- .inferFactors(model, prepared, at, batchSize, bar)
        done <- .orFull(path, progress, .writeBlock(path, parts, done, factors))
    }
    .orFull(path, progress, .finishFile(path, n))
    progress$finished <- TRUE
}

## An error while writing means the file goes.
.orFull <- function(path, progress, expr) {
    tryCatch(expr, causewayError = function(e) {
        progress$full <- TRUE
        .stopWrite(path, e)
    })
}

## After an interrupt or an error: keep what is of use, and say so.
.leaveFile <- function(path, progress) {
    if (progress$finished) {
        return(invisible())
    }
    header <- if (!progress$full) {
        tryCatch(.readHeader(path), error = function(e) NULL)
    }
    if (is.null(header) || header$done < 1) {
        unlink(path)
        if (!progress$full) {
            message("No cell was complete: the partial file ", path,
                " was removed."
            )
        }
        return(invisible())
    }
    message(format(header$done, big.mark = ","), " of ",
        .count(header$sizes[[1L]], "cell"), " are complete in ", path,
        "; the same call with resume = TRUE goes on from there."
    )
}

## ---- saveGRN, loadGRN -------------------------------------------------------

#' @rdname saveGRN
#' @export
setGeneric("saveGRN", function(x, file, ...) standardGeneric("saveGRN"))

#' Keep per-cell networks in an HDF5 file
#'
#' `saveGRN()` writes networks of any backing, with their expression values,
#' `cellData` and metadata; `loadGRN()` opens such a file, or one that
#' [inferGRN()] wrote, without reading the networks. They are read from it a
#' block of cells at a time when they are used, and checked as they are read:
#' indexes within bounds, weights finite, a checksum for each cell.
#'
#' The file is plain HDF5: `u/index` and `u/weight` (cells x TFs x k), `v/index`
#' and `v/weight` (cells x genes x k), factor numbers from 0 in 16 bits and
#' weights in 32; names in `tfs`, `genes` and `cells`.
#'
#' @param x a [CellGRN-class].
#' @param file path of the file.
#' @param overwrite replace an existing file?
#' @param verbose say what was written?
#' @param ... not used.
#' @return `saveGRN()` the path, invisibly; `loadGRN()` a [CellGRN-class] that
#'   reads from the file.
#' @section Errors: `saveGRN()` stops when the file exists and `overwrite` is
#'   FALSE, when it is the file that `x` itself is in, or when the disk has not
#'   enough space; a file is whole or not there. `loadGRN()` stops when the file
#'   is missing, isn't one of causeway's, is of another version, damaged, or not
#'   finished.
#' @seealso [inferGRN()] with `file`, [CellGRN-class], [writeGRN()] for lists
#'   of edges.
#' @examples
#' file <- tempfile(fileext = ".h5")
#' saveGRN(exampleGRN(), file)
#' grn <- loadGRN(file)
#' grn
#' poolGRN(grn)
#' unlink(file)
#' @rdname saveGRN
#' @aliases saveGRN,CellGRN-method
#' @export
setMethod("saveGRN", "CellGRN", function(x, file, overwrite = FALSE, ...,
    verbose = interactive()) {
    .noDots(...)
    .checkText(file, "file")
    .checkFlag(overwrite, "overwrite")
    path <- .absolutePath(file)
    .mayWrite(x, path, overwrite)
    partial <- tempfile(paste0(".", basename(path), "-"),
        tmpdir = dirname(path)
    )
    on.exit(unlink(partial))
    parts <- .partsOf(x)
    .createFile(partial, parts, .toJson(list()), .newFileId())
    progress <- new.env(parent = emptyenv())
    done <- 0
    size <- max(1, floor(.blockBytes() / .cellBytes(x)))
    while (done < length(x)) {
        at <- seq.int(done + 1, min(length(x), done + size))
        factors <- .factorsAt(x, at)
        done <- .orFull(path, progress, .writeBlock(partial, parts, done,
            factors
        ))
    }
    .orFull(path, progress, .finishFile(partial, done))
    if (!file.rename(partial, path)) {
        stop("the finished file could not be renamed to ", path, call. = FALSE)
    }
    .say(verbose, "Networks of ", .count(length(x), "cell"), ", ",
        .bytes(file.size(path)), ", written to ", path
    )
    invisible(file)
})

.mayWrite <- function(x, path, overwrite) {
    if (dir.exists(path)) {
        .stopArgument("file", "is a folder: ", path, "; name a file in it.")
    }
    if (!file.exists(path)) {
        return(invisible())
    }
    if (!overwrite) {
        .stopArgument("file", "exists: ", path,
            "; choose another name or set overwrite = TRUE."
        )
    }
    own <- is(x@factors, "HDF5Factors") &&
        identical(normalizePath(x@factors@file, mustWork = FALSE),
            normalizePath(path)
        )
    if (own) {
        .stopArgument("file", "is the file that 'x' is in: ", path,
            "; choose another name."
        )
    }
}

.partsOf <- function(x) {
    list(
        tfs = x@tfs, genes = x@genes, cells = x@cells, nFactors = x@nFactors,
        k = x@k, expression = x@expression, cellData = x@cellData,
        metadata = x@metadata
    )
}

#' @rdname saveGRN
#' @export
loadGRN <- function(file) {
    .checkText(file, "file")
    path <- .absolutePath(file)
    header <- .readHeader(path)
    if (!header$finished) {
        .stopFile(path, "isn't finished: it holds ",
            format(header$done, big.mark = ","), " of ",
            .count(header$sizes[[1L]], "cell"), ". The inferGRN() call that ",
            "made it goes on with resume = TRUE."
        )
    }
    read <- function(name) .readTables(path, name)[[1L]]
    tryCatch(
        {
            n <- as.integer(header$sizes[[1L]])
            parts <- lapply(c(tfs = "tfs", genes = "genes", cells = "cells"),
                function(name) .fileText(path, name)
            )
            expression <- .readValues(read, header$sizes[c(3L, 1L)])
            .checkNames(parts, header$sizes)
            factors <- new("HDF5Factors", file = path, id = header$id,
                total = n, at = seq_len(n)
            )
            CellGRN(
                tfs = parts$tfs, genes = parts$genes, cells = parts$cells,
                nFactors = header$sizes[[4L]], k = header$sizes[[5L]],
                factors = factors, expression = expression,
                cellData = .readColumns(read, n),
                metadata = .fromJson(.fileText(path, "metadata"))
            )
        },
        error = function(e) {
            text <- conditionMessage(e)
            if (startsWith(text, "the file ")) stop(text, call. = FALSE)
            .stopFile(path, "is damaged: ", text)
        }
    )
}

.checkNames <- function(parts, sizes) {
    if (!identical(as.numeric(unname(lengths(parts))), sizes[c(2L, 3L, 1L)])) {
        stop("its names don't fit its sizes", call. = FALSE)
    }
}

## dims: genes, cells
.readValues <- function(read, dims) {
    start <- read("expression/start")
    gene <- read("expression/gene")
    value <- read("expression/value")
    n <- length(value)
    good <- is.double(start) && is.integer(gene) && is.double(value) &&
        length(start) == dims[[2L]] + 1 && all(is.finite(start)) &&
        start[[1L]] == 0 && start[[length(start)]] == n &&
        all(diff(start) >= 0) && length(gene) == n && !anyNA(gene) &&
        all(gene >= 0L) && all(gene < dims[[1L]])
    if (!good) {
        stop("its expression values are damaged", call. = FALSE)
    }
    new("dgCMatrix", i = gene, p = as.integer(start), x = value,
        Dim = as.integer(dims)
    )
}
