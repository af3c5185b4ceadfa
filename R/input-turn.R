## Counts that are stored by gene (CSC), turned: a pass by blocks of cells over
## such a file reads all of it for every block. Where there is more than one
## block it is read once by blocks of genes and written by cell, into a
## temporary file that this session reads instead.

.turned <- new.env(parent = emptyenv())

## The seed itself, or its counts by cell where they were turned.
.byCellSeed <- function(seed) {
    if (seed@layout$byCell || !seed@layout$sparse) {
        return(seed)
    }
    found <- .turned[[.turnKey(seed)]]
    if (is.null(found) || !file.exists(found@file)) seed else found
}

.turnKey <- function(seed) {
    paste(c(seed@file, seed@layout$name, format(seed@stamp, digits = 17L)),
        collapse = "\r"
    )
}

## Turns what is stored by gene, if `n` of its cells take more than a block of
## `bytes`. The seed to read.
.turnSeed <- function(seed, n, bytes) {
    layout <- seed@layout
    if (layout$byCell || !layout$sparse || .seedBytes(layout) * n <= bytes) {
        return(seed)
    }
    found <- .byCellSeed(seed)
    if (found@layout$byCell) {
        return(found)
    }
    .checkStamp(seed)
    message("The counts of ", basename(seed@file), " are stored by gene. They ",
        "are turned once, by way of temporary files of up to ",
        .bytes(28 * layout$entries), "; counts stored by cell (CSR) don't ",
        "need that."
    )
    path <- tempfile("cells", fileext = ".h5")
    done <- FALSE
    on.exit(if (!done) .removeFile(path))
    .writeTurned(seed, path, bytes)
    layout[c("name", "byCell")] <- list("X", TRUE)
    found <- .cellSeed(path, layout)
    assign(.turnKey(seed), found, envir = .turned)
    done <- TRUE
    found
}

## Blocks of genes are read as blocks of cells are. Their entries go to the
## stretch of scratch files that their block of cells has, and from there, in
## the order of cells, into `path`.
.writeTurned <- function(seed, path, bytes) {
    layout <- seed@layout
    most <- max(1, floor(bytes / 96))
    each <- max(1, layout$entries / max(1, layout$genes))
    genes <- seq_len(layout$genes)
    genes <- split(genes, (genes - 1) %/% max(1, floor(most / each)))
    count <- numeric(layout$cells)
    for (part in genes) {
        count <- count + tabulate(.readGenes(seed, part)@i + 1L, layout$cells)
    }
    block <- cumsum(count) %/% most
    block <- match(block, unique(block))
    scratch <- .openScratch()
    on.exit(.closeScratch(scratch))
    size <- as.vector(rowsum(count, block, reorder = TRUE))
    first <- at <- c(0, cumsum(size))[seq_along(size)]
    for (part in genes) {
        x <- .readGenes(seed, part)
        entries <- list(rep.int(part - 1L, diff(x@p)), x@i, x@x)
        for (here in split(seq_along(x@i), block[x@i + 1L])) {
            b <- block[[x@i[[here[[1L]]]] + 1L]]
            .scratchPut(scratch, at[[b]], lapply(entries, `[`, here))
            at[[b]] <- at[[b]] + length(here)
        }
    }
    type <- if (layout$whole) "i32" else "f64"
    .h5Put(path, list(.putGroup("X"), .putTable("X/data", numeric(), type),
        .putTable("X/indices", integer(), "i32"),
        .putTable("X/indptr", c(0, cumsum(count)), "i64")), fresh = TRUE)
    for (b in seq_along(size)) {
        got <- .scratchGet(scratch, first[[b]], size[[b]])
        by <- order(got[[2L]], method = "radix") # genes rise already
        .h5Put(path, list(.putMore("X/data", got[[3L]][by], type),
            .putMore("X/indices", got[[1L]][by], "i32")))
    }
}

## Values of these genes, cells x genes: slices of what is stored by gene.
.readGenes <- function(seed, genes) {
    layout <- seed@layout
    flipped <- layout
    flipped[c("byCell", "cells", "genes")] <- list(TRUE, layout$genes,
        layout$cells)
    m <- tryCatch(.atFile(seed@file, .Call(cw_r_cells_read, seed@file, flipped,
        genes - 1L, NULL, .threads())), error = function(e) {
        .readSeed(seed, NULL, 1L) # says it with genes as genes
        stop(e)
    })
    .columnsOf(m, as.integer(c(layout$cells, length(genes))))
}

## Files of genes, cells and values.
.openScratch <- function() {
    files <- tempfile(c("genes", "cells", "values"))
    lapply(files, function(f) list(file = f, con = file(f, "w+b")))
}

.closeScratch <- function(scratch) {
    for (s in scratch) {
        close(s$con)
        .removeFile(s$file)
    }
}

.scratchPut <- function(scratch, at, entries) {
    for (k in 1:3) {
        seek(scratch[[k]]$con, c(4, 4, 8)[[k]] * at, rw = "write")
        writeBin(entries[[k]], scratch[[k]]$con)
    }
}

.scratchGet <- function(scratch, at, n) {
    lapply(1:3, function(k) {
        seek(scratch[[k]]$con, c(4, 4, 8)[[k]] * at, rw = "read")
        readBin(scratch[[k]]$con, c("integer", "integer", "double")[[k]], n)
    })
}
