## Folders of matrix.mtx, barcodes.tsv and features.tsv (genes.tsv), gzipped or
## not: CellRanger's, STARsolo's, and GEO's, where the names have a prefix.

.mtxPattern <- "^(.*)matrix\\.mtx(\\.gz)?$"

## What the names in `dir` have before "matrix.mtx": one text. `path` is the
## folder, or the matrix in it.
.mtxPrefix <- function(path) {
    names <- if (dir.exists(path)) list.files(path) else basename(path)
    names <- grep(.mtxPattern, names, value = TRUE)
    prefix <- unique(sub(.mtxPattern, "\\1", names))
    if (length(prefix) > 1L && "" %in% prefix) {
        prefix <- ""
    }
    if (length(prefix) > 1L) {
        .stopFile(path, "holds several matrices: ", .some(names), ". Give the ",
            "path of one: openCells(\"", file.path(path, names[[1L]]), "\")."
        )
    }
    prefix
}

.mtxFile <- function(dir, names) {
    at <- file.path(dir, c(names, paste0(names, ".gz")))
    at <- at[file.exists(at)]
    if (length(at)) at[[1L]]
}

.openMtx <- function(path, genome, verbose) {
    prefix <- .mtxPrefix(path)
    folder <- dir.exists(path)
    dir <- if (folder) path else dirname(path)
    beside <- function(...) .mtxFile(dir, paste0(prefix, c(...)))
    files <- list(matrix = if (folder) beside("matrix.mtx") else path,
        barcodes = beside("barcodes.tsv"),
        features = beside("features.tsv", "genes.tsv")
    )
    gone <- names(Filter(is.null, files))
    if (length(gone)) {
        stop("the folder ", dir, " lacks ", prefix, c(matrix = "matrix.mtx",
            barcodes = "barcodes.tsv", features = "features.tsv (genes.tsv)"
        )[[gone[[1L]]]], ", gzipped or not: it is no folder of CellRanger.",
            call. = FALSE
        )
    }
    .say(verbose, "A folder of mtx is read whole, into memory.")
    m <- .readMtx(files$matrix)
    features <- .readTsv(files$features)
    cells <- .readTsv(files$barcodes)[[1L]]
    .checkMtxNames(files, dim(m), features[[1L]], cells)
    genes <- S4Vectors::DataFrame(ID = features[[1L]])
    for (i in seq_len(min(2L, ncol(features) - 1L))) {
        genes[[c("Symbol", "Type")[[i]]]] <- features[[i + 1L]]
    }
    out <- list(kind = "10x mtx", main = "Gene Expression",
        parts = list(`Gene Expression` = list(matrices = list(counts = m),
            names = features[[1L]], genes = genes, cellNames = cells,
            cells = S4Vectors::make_zero_col_DFrame(length(cells)),
            keys = c(basename(files$barcodes), basename(files$features))
        ))
    )
    .tenxTypes(out, genome)
}

.checkMtxNames <- function(files, dim, genes, cells) {
    names <- c(length(genes), length(cells))
    if (all(dim == names)) {
        return(invisible())
    }
    more <- which(names == dim + 1L)
    heading <- list(genes, cells)[more]
    .stopFile(files$matrix, "is ", dim[[1L]], " x ", dim[[2L]], ", and there ",
        "are ", names[[1L]], " features and ", names[[2L]], " barcodes beside ",
        "it.", if (all(dim == rev(names))) {
            " It has cells in rows: write its transpose, t(m)."
        } else if (length(more) == 1L) {
            paste0(" Is \"", heading[[1L]][[1L]], "\", the first of the ",
                c("features", "barcodes")[[more]], ", a heading? Then drop it."
            )
        }
    )
}

## ---- MatrixMarket -----------------------------------------------------------

## A dgCMatrix. Everything that the file says about itself is compared with
## what is in it: a file that was cut, or whose head is another's, must not
## give fewer counts silently.
.readMtx <- function(file) {
    con <- gzfile(file, "rt")
    on.exit(close(con))
    tryCatch(.mtxBody(con, .mtxHead(con)),
        badMtx = function(e) .stopFile(file, conditionMessage(e)),
        warning = function(w) .badMtxFile(file, w),
        error = function(e) .badMtxFile(file, e)
    )
}

.badMtxFile <- function(file, e) {
    .stopFile(file, "is no matrix in MatrixMarket format, or was cut or ",
        "damaged: ", sub("\\.$", "", conditionMessage(e)), ". Copy it again."
    )
}

.stopMtx <- function(...) {
    stop(structure(class = c("badMtx", "error", "condition"),
        list(message = paste0(...), call = NULL)))
}

## list(field, dense, rows, columns, entries).
.mtxHead <- function(con) {
    first <- tolower(readLines(con, 1L))
    words <- strsplit(trimws(first), "[[:space:]]+")
    words <- if (length(words)) words[[1L]]
    if (length(words) < 5L || words[[1L]] != "%%matrixmarket") {
        .stopMtx("is no matrix in MatrixMarket format: it must begin with ",
            "%%MatrixMarket matrix coordinate integer general."
        )
    }
    if (!words[[3L]] %in% c("coordinate", "array") || words[[5L]] != "general" ||
        !words[[4L]] %in% c("integer", "real", "pattern", "double")) {
        .stopMtx("is in MatrixMarket format, but of a kind that isn't read ",
            "here: ", paste(words[-1L], collapse = " "), "; known are ",
            "coordinate and array of integer, real and pattern, general."
        )
    }
    repeat {
        line <- readLines(con, 1L)
        if (!length(line) || nzchar(trimws(line)) && !startsWith(line, "%")) {
            break
        }
    }
    line <- c(line, "")[[1L]]
    dense <- words[[3L]] == "array"
    size <- suppressWarnings(as.numeric(strsplit(trimws(line),
        "[[:space:]]+")[[1L]]))
    if (length(size) != 3L - dense || !all(is.finite(size)) || any(size < 0) ||
        any(size != trunc(size)) || any(size > .Machine$integer.max)) {
        .stopMtx("doesn't say how large it is: \"", substr(line, 1L, 40L),
            "\" must be rows, columns", if (!dense) " and entries", "."
        )
    }
    list(field = words[[4L]], dense = dense, rows = size[[1L]],
        columns = size[[2L]],
        entries = if (dense) size[[1L]] * size[[2L]] else size[[3L]]
    )
}

.mtxBody <- function(con, head) {
    what <- if (head$dense) list(x = 0) else
        c(list(i = 0L, j = 0L), if (head$field != "pattern") list(x = 0))
    found <- scan(con, what, multi.line = FALSE, quiet = TRUE,
        comment.char = "%"
    )
    n <- length(found[[1L]])
    if (n != head$entries) {
        .stopMtx("has ", .count(n, "value"), ", and says that it has ",
            format(head$entries, big.mark = ","), ": it was ",
            if (n < head$entries) "cut; copy it again." else
                "changed; write it again."
        )
    }
    if (head$dense) {
        return(.asColumns(matrix(found$x, head$rows, head$columns)))
    }
    .checkMtxIndex(found$i, head$rows, "row")
    .checkMtxIndex(found$j, head$columns, "column")
    Matrix::sparseMatrix(found$i, found$j,
        x = if (is.null(found$x)) rep(1, n) else found$x,
        dims = c(head$rows, head$columns)
    )
}

.checkMtxIndex <- function(index, most, of) {
    bad <- which(is.na(index) | index < 1L | index > most)
    if (length(bad)) {
        .stopMtx("names ", of, " ", index[bad[[1L]]], ", and there are ", most,
            if (identical(index[bad[[1L]]], 0L)) {
                "; MatrixMarket counts from 1: was it written from 0?"
            } else ": its head is another's, or it was damaged."
        )
    }
    invisible()
}

.readTsv <- function(file) {
    lines <- readLines(file, warn = FALSE)
    fields <- strsplit(lines[nzchar(lines)], "\t", fixed = TRUE)
    most <- if (length(fields)) max(lengths(fields)) else 1L
    out <- lapply(seq_len(most), function(i) {
        vapply(fields, function(f) if (length(f) < i) "" else f[[i]], "")
    })
    as.data.frame(out, col.names = paste0("V", seq_len(most)))
}
