## inferGRN() into a file: interrupted, killed, overwritten, shared.

## inferGRN() that stops, by `how`, before the block that begins at `stopAt`.
interrupted <- function(x, model, file, stopAt, how, ...) {
    real <- causeway:::.writeBlock
    stopping <- function(path, x, first, factors, guard = NULL) {
        if (first >= stopAt) how(path)
        real(path, x, first, factors, guard)
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

test_that("nothing complete: the file goes; disk full: complete cells stay", {
    x <- tinyCells()
    model <- tinyModel(x)
    file <- h5File()
    on.exit(unlink(file))
    old <- options(causeway.blockBytes = 2000)
    on.exit(options(old), add = TRUE)
    expect_message(
        expect_identical(interrupted(x, model, file, 0, ctrlC), "stopped"),
        "No cell was complete: the partial file .* was removed"
    )
    expect_false(file.exists(file))
    expect_message(
        expect_error(interrupted(x, model, file, 8, diskFull),
            "could not be written .No space left on device.*full"
        ), "8 of 21 cells are complete"
    )
    expect_identical(causeway:::.readHeader(file)$done, 8)
    unlink(file)
    expect_error(
        withInternal(".fileTables", function(...) {
            one <- causeway:::.table("a", "f64", 2)
            list(one, one)
        }, inferGRN(x, model, file = file, verbose = FALSE)),
        "could not be written .can't make the table a"
    )
    expect_false(file.exists(file))
})

test_that("overwriting costs the old file when the new one is complete", {
    x <- tinyCells()
    model <- tinyModel(x)
    other <- newModel(tinyParam(), x, seed = 8, threads = 1)
    file <- h5File()
    beside <- paste0(file, ".part")
    on.exit(unlink(c(file, beside)))
    old <- options(causeway.blockBytes = 2000)
    on.exit(options(old), add = TRUE)
    first <- inferGRN(x, model, file = file, verbose = FALSE)
    Sys.chmod(file, "640", use_umask = FALSE)
    expect_message(
        interrupted(x, other, file, 8, ctrlC, overwrite = TRUE),
        "8 of 21 cells are complete in .*part"
    )
    sameNetworks(loadGRN(file), first, 0)
    expect_error(inferGRN(x, other, file = file, resume = TRUE,
        verbose = FALSE
    ), "differs in model.*overwrite = TRUE as well")
    again <- function() {
        inferGRN(x, other, file = file, batchSize = 4, resume = TRUE,
            overwrite = TRUE, verbose = TRUE
        )
    }
    expect_message(grn <- again(), "8 of 21 cells are in .*part; going on")
    sameNetworks(grn, inferGRN(x, other, verbose = FALSE))
    expect_false(file.exists(beside))
    expect_identical(format(file.mode(file)), "640")
    expect_error(poolGRN(first), "written anew")
})

test_that("of two calls with one file the later one goes on", {
    x <- tinyCells()
    model <- tinyModel(x)
    other <- newModel(tinyParam(), x, seed = 8, threads = 1)
    file <- h5File()
    on.exit(unlink(file))
    old <- options(causeway.blockBytes = 2000)
    on.exit(options(old), add = TRUE)
    want <- inferGRN(x, other, verbose = FALSE)
    ## while the first is at its third block, another call makes it anew
    asked <- new.env()
    asked$before <- FALSE
    anew <- function(path) {
        if (asked$before) return()
        asked$before <- TRUE
        theirs <- inferGRN(x, other, verbose = FALSE)
        saveGRN(theirs, file, overwrite = TRUE)
    }
    expect_error(interrupted(x, model, file, 8, anew),
        "was written anew by another process"
    )
    sameNetworks(loadGRN(file), want)
    ## another call goes on with the same file
    unlink(file)
    asked$before <- FALSE
    resumed <- function(path) {
        if (!asked$before) {
            asked$before <- TRUE
            inferGRN(x, model, file = file, batchSize = 4, resume = TRUE,
                verbose = FALSE
            )
        }
    }
    expect_error(interrupted(x, model, file, 8, resumed),
        "by another process"
    )
    sameNetworks(loadGRN(file), inferGRN(x, model, verbose = FALSE))
})

test_that("cells that were counted but aren't whole are made again", {
    x <- tinyCells()
    model <- tinyModel(x)
    file <- h5File()
    on.exit(unlink(file))
    old <- options(causeway.blockBytes = 2000)
    on.exit(options(old), add = TRUE)
    suppressMessages(interrupted(x, model, file, 12, ctrlC))
    ## as after a power loss: the number is on the disk, cells 6 to 12 aren't
    causeway:::.writeTables(file, "checksum", 5, list(rep(0L, 7)))
    expect_message(grn <- inferGRN(x, model, file = file, batchSize = 4,
        resume = TRUE, verbose = TRUE
    ), "7 cells of .* made again")
    sameNetworks(grn, inferGRN(x, model, verbose = FALSE))
})

test_that("a killed call is gone on with", {
    skip_on_os("windows")
    x <- exampleCells(nCells = 60)
    model <- tinyModel(x)
    file <- h5File()
    on.exit(unlink(file))
    old <- options(causeway.blockBytes = 2000)
    on.exit(options(old), add = TRUE)
    ## killed inside a block: its last table is written, its number isn't
    real <- .writeTables
    blocks <- 0
    dying <- function(path, names, ...) {
        blocks <<- blocks + ("header/progress" %in% names)
        if (blocks == 3) tools::pskill(Sys.getpid(), tools::SIGKILL)
        real(path, names, ...)
    }
    job <- parallel::mcparallel(withInternal(".writeTables", dying,
        inferGRN(x, model, file = file, batchSize = 4, verbose = FALSE)
    ), silent = TRUE)
    expect_null(suppressWarnings(parallel::mccollect(job))[[1L]])
    expect_gt(.readHeader(file)$done, 0)
    expect_message(grn <- inferGRN(x, model, file = file, batchSize = 4,
        resume = TRUE, verbose = TRUE
    ), "going on from there")
    sameNetworks(grn, inferGRN(x, model, verbose = FALSE))
})
