## A folder as CellRanger writes it; `change` alters the lines of the matrix.
mtxFolder <- function(change = identity, prefix = "", lines = NULL) {
    dir <- tempfile("mtx-")
    dir.create(dir)
    to <- function(name) file.path(dir, paste0(prefix, name))
    m <- methods::as(tinyValues, "dgCMatrix")
    Matrix::writeMM(m, to("matrix.mtx"))
    if (is.null(lines)) lines <- change(readLines(to("matrix.mtx")))
    writeLines(lines, to("matrix.mtx"))
    writeLines(colnames(m), to("barcodes.tsv"))
    writeLines(paste0(rownames(m), "\t", rownames(m)), to("genes.tsv"))
    dir
}

test_that("folders of GEO, with a prefix, and paths of a matrix are read", {
    dir <- mtxFolder(prefix = "GSM1_")
    x <- openCells(dir, verbose = FALSE)
    expect_equal(inMemory(x), tinyValues)
    file.copy(list.files(dir, full.names = TRUE), sub("GSM1", "GSM2",
        list.files(dir, full.names = TRUE)))
    expect_error(openCells(dir), "several matrices: GSM1_matrix.mtx, GSM2_.*one")
    x <- openCells(file.path(dir, "GSM2_matrix.mtx"), verbose = FALSE)
    expect_equal(inMemory(x), tinyValues)
    unlink(file.path(dir, "GSM2_barcodes.tsv"))
    expect_error(openCells(file.path(dir, "GSM2_matrix.mtx")),
        "lacks GSM2_barcodes.tsv")
    expect_match(fileContents(file.path(dir, "GSM1_matrix.mtx"))@verdict$text[1L],
        "4 cells x 3 genes")
    unlink(dir, recursive = TRUE)
})

test_that("what a matrix says of itself is held against what is in it", {
    refused <- function(change, says) {
        dir <- mtxFolder(change)
        expect_error(expect_warning(openCells(dir, verbose = FALSE), NA), says)
        unlink(dir, recursive = TRUE)
    }
    size <- function(to) function(l) replace(l, 2L, to)
    refused(size("3 4 5"), "has 6 values, and says that it has 5: it was changed")
    refused(size("3 4 9"), "has 6 values, and says that it has 9: it was cut")
    refused(size("3 4"), "doesn't say how large it is: \"3 4\"")
    refused(size("3 4 -1"), "doesn't say how large")
    refused(size("2 4 6"), "names row 3, and there are 2")
    refused(size("3 3 6"), "names column 4, and there are 3")
    refused(function(l) sub("^1 1 ", "0 1 ", l), "counts from 1")
    refused(function(l) c(head(l, -1L), "3 4"), "cut or damaged")
    refused(function(l) c(head(l, -1L), "3 4 x"), "cut or damaged")
    refused(function(l) sub("general", "symmetric", l), "isn't read here")
    refused(function(l) sub("real|integer", "complex", l), "isn't read here")
    refused(function(l) l[-1L], "must begin with %%MatrixMarket")
    refused(function(l) l[1L], "doesn't say how large")
})

test_that("comments, blank lines, CRLF, pattern and array are read", {
    read <- function(...) {
        dir <- mtxFolder(...)
        on.exit(unlink(dir, recursive = TRUE))
        inMemory(openCells(dir, verbose = FALSE))
    }
    expect_equal(read(function(l) append(l, c("% a note", ""), 1L)), tinyValues)
    expect_equal(read(function(l) paste0(l, "\r")), tinyValues)
    expect_equal(read(function(l) {
        at <- -(1:2)
        l[at] <- sub("^([0-9]+ [0-9]+).*$", "\\1", l[at])
        sub("real|integer", "pattern", l)
    }), (tinyValues > 0) * 1)
    expect_equal(read(lines = c("%%MatrixMarket matrix array real general",
        "3 4", as.vector(tinyValues))), tinyValues)
    ## as scipy does: a gene named twice in a cell has the sum
    twice <- tinyValues
    twice[1L, 1L] <- 3
    expect_equal(read(function(l) c(l[1L], "3 4 7", l[-(1:2)],
        "1 1 2")), twice)
})

test_that("a gzipped matrix that was cut is refused", {
    dir <- mtxFolder()
    file <- file.path(dir, "matrix.mtx")
    lines <- readLines(file)
    many <- sprintf("%d %d %d", rep(1:3, 4), rep(1:4, each = 3), 1:12)
    con <- gzfile(paste0(file, ".gz"), "w")
    writeLines(c(lines[1L], "3 4 12", many), con)
    close(con)
    unlink(file)
    bytes <- readBin(paste0(file, ".gz"), "raw", 1e6)
    writeBin(head(bytes, -15L), paste0(file, ".gz"))
    expect_error(openCells(dir, verbose = FALSE), "cut")
    unlink(dir, recursive = TRUE)
})

test_that("names that don't fit say what may be wrong with them", {
    dir <- mtxFolder()
    names <- file.path(dir, "barcodes.tsv")
    writeLines(c("barcode", paste0("c", 1:4)), names)
    expect_error(openCells(dir, verbose = FALSE),
        "Is \"barcode\", the first of the barcodes, a heading")
    writeLines(paste0("c", 1:3), names)
    writeLines(LETTERS[1:4], file.path(dir, "genes.tsv"))
    expect_error(openCells(dir, verbose = FALSE), "cells in rows")
    unlink(dir, recursive = TRUE)
})
