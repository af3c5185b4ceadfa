## The three backings: every verb gives the same on all of them; files that are
## interrupted, damaged, foreign, moved or too large for the disk.

h5File <- function() tempfile("grn-", fileext = ".h5")

sameNetworks <- function(a, b, tolerance = 1e-6) {
    expect_identical(dim(a), dim(b))
    expect_identical(cellNames(a), cellNames(b))
    expect_equal(
        lapply(seq_along(a@cells), function(c) cellNetwork(a, c)),
        lapply(seq_along(b@cells), function(c) cellNetwork(b, c)),
        tolerance = tolerance
    )
}

test_that("all verbs agree on memory, file and lazy networks", {
    x <- tinyCells()
    model <- tinyModel(x)
    file <- h5File()
    on.exit(unlink(file))
    memory <- inferGRN(x, model, verbose = FALSE)
    old <- options(causeway.blockBytes = 2000)
    on.exit(options(old), add = TRUE)
    disk <- inferGRN(x, model, file = file, batchSize = 4, verbose = FALSE)
    lazy <- inferGRN(x, model, backing = "lazy", verbose = FALSE)
    expect_gt(length(causeway:::.cellBlocks(disk, seq_along(disk@cells))), 3)
    pick <- c(9, 2, 3, 20)
    for (other in list(disk, lazy, loadGRN(file))) {
        expect_true(validObject(other))
        sameNetworks(other, memory)
        expect_equal(poolGRN(other), poolGRN(memory), tolerance = 1e-6)
        expect_equal(poolGRN(other, cells = pick)@scores,
            poolGRN(memory, cells = pick)@scores,
            tolerance = 1e-6
        )
        expect_equal(poolGRN(other, group = rep(1:3, 7))[[2]]@scores,
            poolGRN(memory, group = rep(1:3, 7))[[2]]@scores,
            tolerance = 1e-6
        )
        expect_equal(edgeTable(other, cells = pick, top = 7)$score,
            edgeTable(memory, cells = pick, top = 7)$score,
            tolerance = 1e-6
        )
        expect_equal(
            nrow(edgeTable(other, threshold = 0.2)),
            nrow(edgeTable(memory, threshold = 0.2))
        )
        for (method in c("targets", "strength")) {
            expect_equal(regulonActivity(other, method = method),
                regulonActivity(memory, method = method),
                tolerance = 1e-4
            )
        }
        expect_equal(as.list(summary(other))$overlap,
            as.list(summary(memory))$overlap,
            tolerance = 1e-4
        )
        expect_equal(as.list(summary(other))$betweenCells,
            as.list(summary(memory))$betweenCells,
            tolerance = 1e-4
        )
        part <- other[pick]
        expect_identical(class(part@factors), class(other@factors))
        sameNetworks(part, memory[pick])
        sameNetworks(part[c(3, 1)], memory[pick[c(3, 1)]])
        expect_equal(regulonActivity(part), regulonActivity(memory[pick]),
            tolerance = 1e-4
        )
        csv <- tempfile(fileext = ".csv")
        writeGRN(part, csv, top = 3, verbose = FALSE)
        expect_equal(nrow(read.csv(csv)), 12)
        unlink(csv)
        expect_equal(other$stage, memory$stage)
    }
    expect_output(show(disk), "kept: +in the file .*h5\n")
    expect_output(show(disk[1:2]), "(21 cells in all)", fixed = TRUE)
    expect_output(show(lazy), "makes them anew")
    expect_output(show(memory), "in memory, ")
    expect_identical(metadata(loadGRN(file))$modelHash,
        metadata(memory)$modelHash
    )
    expect_output(show(summary(loadGRN(file))), "seed 7|seed 0:7|seed")
})

test_that("saveGRN keeps everything of every backing", {
    grn <- exampleGRN()
    file <- h5File()
    twice <- h5File()
    on.exit(unlink(c(file, twice)))
    grn@cellData$text <- c(NA, "", "\u00e9", rep("b/c", 37))
    grn@cellData$whole <- c(NA, seq_len(39))
    grn@cellData$flag <- c(NA, rep(c(TRUE, FALSE), 19), TRUE)
    grn@cellData$level <- factor(rep(c("z", "a"), 20), c("z", "a", "none"))
    grn@cellData$order <- factor(rep(c("lo", "hi"), 20), c("lo", "hi"),
        ordered = TRUE
    )
    grn@cellData$number <- c(NaN, NA, Inf, seq_len(37) / 7)
    grn@cellData$day <- as.Date("2026-01-01") + seq_len(40)
    grn@cellData$list <- as.list(seq_len(40))
    old <- options(causeway.blockBytes = 1500)
    on.exit(options(old), add = TRUE)
    expect_message(saveGRN(grn, file, verbose = FALSE),
        "left out of it: list"
    )
    back <- loadGRN(file)
    expect_equal(back@expression, grn@expression)
    want <- grn@cellData[setdiff(colnames(grn@cellData), "list")]
    expect_identical(as.list(back@cellData), as.list(want))
    expect_identical(metadata(back)$coverage, metadata(grn)$coverage)
    expect_identical(tfNames(back), tfNames(grn))
    sameNetworks(back, grn, 0)
    saveGRN(back[c(40, 3)], twice)
    sameNetworks(loadGRN(twice), grn[c(40, 3)], 0)
    expect_error(saveGRN(grn, file), "exists")
    expect_error(saveGRN(back, file, overwrite = TRUE), "that 'x' is in")
    expect_message(saveGRN(grn[1:5], file, overwrite = TRUE), "left out")
    expect_error(poolGRN(back), "written anew")
    expect_length(loadGRN(file), 5)
    expect_error(saveGRN(grn, tempdir()), "is a folder")
    expect_error(saveGRN(grn, file.path(tempdir(), "no", "x.h5")),
        "doesn't exist"
    )
    expect_error(saveGRN(grn, 3), "'file' must be")
    expect_false(any(grepl("^\\.grn-", list.files(tempdir(), all.files = TRUE)))
    )
})

test_that("an object in a file is small, survives saveRDS, misses its file", {
    file <- h5File()
    rds <- tempfile(fileext = ".rds")
    moved <- h5File()
    on.exit(unlink(c(file, rds, moved)))
    saveGRN(exampleGRN(), file)
    grn <- loadGRN(file)
    expect_lt(object.size(grn@factors), 3000)
    saveRDS(grn[4:9], rds)
    again <- readRDS(rds)
    sameNetworks(again, exampleGRN()[4:9], 0)
    file.rename(file, moved)
    expect_error(poolGRN(again), "which is gone.*loadGRN")
    expect_error(loadGRN(file), "does not exist")
    sameNetworks(loadGRN(moved), exampleGRN(), 0)
})

test_that("lazy networks say why they can't be made", {
    x <- tinyCells()
    model <- tinyModel(x)
    lazy <- inferGRN(x, model, backing = "lazy", verbose = FALSE)
    rds <- tempfile(fileext = ".rds")
    file <- h5File()
    on.exit(unlink(c(rds, file)))
    saveRDS(lazy, rds)
    expect_error(poolGRN(readRDS(rds)), "the model is gone.*saveGRN")
    saveGRN(lazy, file)
    before <- poolGRN(lazy)
    tinyTrain(model, x, epochs = 1)
    expect_error(poolGRN(lazy), "has changed since")
    expect_equal(poolGRN(loadGRN(file))@scores, before@scores,
        tolerance = 1e-6
    )
})

test_that("arguments that don't fit are refused", {
    x <- tinyCells()
    model <- tinyModel(x)
    infer <- function(...) inferGRN(x, model, ..., verbose = FALSE)
    expect_error(infer(backing = "tape"), "\"memory\", \"hdf5\" or \"lazy\"")
    expect_error(infer(backing = "hdf5"), "'file' is missing")
    expect_error(infer(backing = "lazy", file = "a.h5"), "can't be used with")
    expect_error(infer(resume = TRUE), "'resume' has no meaning")
    expect_error(infer(overwrite = NA, file = "a.h5"), "'overwrite' must be")
    expect_error(infer(file = 1), "'file' must be")
    expect_error(infer(file = tempdir()), "is a folder")
    expect_error(infer(file = file.path(tempdir(), "no", "a.h5")),
        "doesn't exist"
    )
    file <- h5File()
    on.exit(unlink(file))
    writeLines("something", file)
    expect_error(infer(file = file), "exists")
    expect_error(infer(file = file, resume = TRUE), "isn't an HDF5 file")
    expect_identical(readLines(file), "something")
    expect_message(
        inferGRN(x, model, file = file, overwrite = TRUE, verbose = TRUE),
        "Networks of"
    )
    expect_length(loadGRN(file), 21)
    old <- options(causeway.blockBytes = "a")
    on.exit(options(old), add = TRUE)
    expect_error(poolGRN(loadGRN(file)), "causeway.blockBytes")
})

## Code with an internal function replaced. (testthat's own way to do this
## differs between its versions.)
withInternal <- function(name, value, code) {
    ns <- asNamespace("causeway")
    old <- get(name, ns)
    unlockBinding(name, ns)
    on.exit({
        assign(name, old, ns)
        lockBinding(name, ns)
    })
    assign(name, value, ns)
    force(code)
}

## inferGRN() that stops, by `how`, before the block that begins at `stopAt`.
interrupted <- function(x, model, file, stopAt, how, ...) {
    real <- causeway:::.writeBlock
    stopping <- function(path, x, first, factors) {
        if (first >= stopAt) how(path)
        real(path, x, first, factors)
    }
    withInternal(".writeBlock", stopping, tryCatch(
        inferGRN(x, model, file = file, batchSize = 4, verbose = FALSE, ...),
        interrupt = function(e) "stopped"
    ))
}

ctrlC <- function(path) {
    stop(structure(list(message = "", call = NULL),
        class = c("interrupt", "condition")
    ))
}

diskFull <- function(path) {
    stop(structure(list(message = "No space left on device", call = NULL),
        class = c("causewayError", "error", "condition")
    ))
}

test_that("an interrupted call keeps what is complete and is gone on with", {
    x <- tinyCells()
    model <- tinyModel(x)
    file <- h5File()
    on.exit(unlink(file))
    old <- options(causeway.blockBytes = 2000)
    on.exit(options(old), add = TRUE)
    resume <- function(...) {
        inferGRN(x, model, ..., file = file, batchSize = 4, resume = TRUE,
            verbose = TRUE
        )
    }
    expect_message(
        expect_identical(interrupted(x, model, file, 8, ctrlC), "stopped"),
        "8 of 21 cells are complete in .*resume = TRUE"
    )
    expect_true(file.exists(file))
    expect_error(loadGRN(file), "isn't finished: it holds 8 of 21")
    expect_error(resume(cells = 1:20), "differs in .*cells")
    expect_error(resume(preprocess = list(target = 5e3)),
        "differs in preprocessing, expression values"
    )
    other <- newModel(tinyParam(), x, seed = 8, threads = 1)
    expect_error(
        inferGRN(x, other, file = file, resume = TRUE, verbose = FALSE),
        "differs in model"
    )
    expect_message(grn <- resume(), "8 of 21 cells are in .*going on")
    want <- inferGRN(x, model, verbose = FALSE)
    sameNetworks(grn, want)
    sameNetworks(loadGRN(file), want)
    expect_message(grn <- resume(), "nothing is left to do")
    sameNetworks(grn, want)
    unlink(file)
    expect_message(grn <- resume(), "no file .* to go on with")
    sameNetworks(grn, want)
})

test_that("nothing complete, or a full disk: the file goes", {
    x <- tinyCells()
    model <- tinyModel(x)
    file <- h5File()
    old <- options(causeway.blockBytes = 2000)
    on.exit(options(old), add = TRUE)
    expect_message(
        expect_identical(interrupted(x, model, file, 0, ctrlC), "stopped"),
        "No cell was complete: the partial file .* was removed"
    )
    expect_false(file.exists(file))
    expect_error(interrupted(x, model, file, 8, diskFull),
        "No space left on device.*full.*partial file was removed"
    )
    expect_false(file.exists(file))
    expect_error(
        withInternal(".fileTables", function(...) {
            writeLines("half a file", file)
            list()
        }, inferGRN(x, model, file = file, verbose = FALSE)),
        "could not be written .*can't create.*partial file was removed"
    )
    expect_false(file.exists(file))
})

test_that("a disk with less room than the file needs is refused", {
    skip_if_not(Sys.info()[["sysname"]] == "Linux" && dir.exists("/dev/shm"))
    huge <- causeway:::.checkDisk
    expect_error(huge("/dev/shm/x.h5", 1e18), "needs .* has .* left")
    expect_silent(huge("/dev/shm/x.h5", 10))
})

test_that("foreign, cut and altered files are told apart", {
    file <- h5File()
    bad <- h5File()
    on.exit(unlink(c(file, bad)))
    grn <- exampleGRN()
    saveGRN(grn, file)
    bytes <- readBin(file, "raw", file.size(file))
    try1 <- function(b) {
        writeBin(b, bad)
        tryCatch(
            {
                x <- loadGRN(bad)
                poolGRN(x)
                "read"
            },
            error = conditionMessage
        )
    }
    expect_identical(try1(bytes), "read")
    expect_match(try1(raw(0)), "isn't an HDF5 file")
    expect_match(try1(charToRaw("a,b\n1,2\n")), "isn't an HDF5 file")
    for (keep in c(9, 100, 600, 3000, length(bytes) %/% 2, length(bytes) - 1)) {
        expect_match(try1(bytes[seq_len(keep)]), "^the file .*(used|damaged)")
    }
    ## every part of the file: an error that names it, or what was there
    step <- length(bytes) %/% 150
    said <- vapply(seq(1, length(bytes), by = step), function(at) {
        b <- bytes
        b[[at]] <- xor(b[[at]], as.raw(0x41))
        try1(b)
    }, character(1))
    expect_true(all(said == "read" | startsWith(said, "the file ")))
    expect_true(any(grepl("was altered: the factors of 1 cell", said)))
})

## A plain table of numbers: no chunks, no filters.
putTable <- function(file, name, value) {
    h <- rhdf5::H5Fopen(file)
    type <- if (is.integer(value)) "H5T_STD_I32LE" else "H5T_IEEE_F64LE"
    dims <- if (is.null(dim(value))) length(value) else dim(value)
    space <- rhdf5::H5Screate_simple(dims)
    d <- rhdf5::H5Dcreate(h, name, type, space)
    rhdf5::H5Dwrite(d, value)
    rhdf5::H5Dclose(d)
    rhdf5::H5Sclose(space)
    rhdf5::H5Fclose(h)
}

test_that("damage with a meaning is found", {
    skip_if_not_installed("rhdf5")
    file <- h5File()
    on.exit(unlink(file))
    saveGRN(exampleGRN(), file)
    change <- function(name, value, pattern, use = loadGRN) {
        copy <- h5File()
        file.copy(file, copy)
        rhdf5::h5delete(copy, name)
        putTable(copy, name, value)
        expect_error(use(copy), pattern)
        unlink(copy)
    }
    change("header/version", 2L, "has version 2 of the format")
    change("header/format", 1, "holds no networks")
    change("header/sizes", c(41, 8, 40, 12, 3), "sizes don't agree")
    change("header/sizes", c(40, 8, 40, 12, NaN), "sizes don't agree")
    change("header/progress", c(40, 0), "isn't finished")
    change("u/index", array(0L, c(3, 8, 40)), "sizes don't agree")
    change("expression/gene", 0L, "expression values are damaged")
    change("expression/start", as.numeric(40:0), "expression values")
    change("cellData/kinds", 1, "cellData is damaged")
    change("cellData/c2", seq(1, 41) / 2, "cellData is damaged")
    change("cellData/c1", rep(9L, 40), "cellData is damaged")
    change("tfs", 1:8, "tfs isn't text")
    rhdf5::h5closeAll()
    other <- h5File()
    rhdf5::h5createFile(other)
    rhdf5::h5write(1:3, other, "x")
    expect_error(loadGRN(other), "holds no networks of causeway")
    unlink(other)
})

test_that("an index that is no factor is refused, checksum or not", {
    file <- h5File()
    on.exit(unlink(file))
    grn <- exampleGRN()
    parts <- causeway:::.partsOf(grn)
    factors <- grn@factors
    factors$vIndex[[5]] <- as.raw(12)
    causeway:::.createFile(file, parts, "{}", "an id")
    causeway:::.writeBlock(file, parts, 0, factors)
    causeway:::.finishFile(file, 40)
    expect_error(poolGRN(loadGRN(file)), "not below the number of factors")
    unlink(file)
    factors <- grn@factors
    factors$uWeight[1:4] <- writeBin(NaN, raw(), size = 4L)
    causeway:::.createFile(file, parts, "{}", "an id")
    causeway:::.writeBlock(file, parts, 0, factors)
    causeway:::.finishFile(file, 40)
    expect_error(poolGRN(loadGRN(file)), "negative or not finite")
})

test_that("metadata come back from a file, also where all numbers are NA", {
    x <- list(none = NA_real_, empty = numeric(), some = c(1.5, NA, NaN),
        loss = data.frame(prior = NA_real_, elbo = 2), text = NA_character_,
        flag = c(a = TRUE)
    )
    back <- causeway:::.fromJson(causeway:::.toJson(x))
    expect_identical(back, x)
})
