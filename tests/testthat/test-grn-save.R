## saveGRN() and loadGRN().

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

## Every place in `bytes` where `text` stands.
placesOf <- function(bytes, text) {
    text <- charToRaw(text)
    first <- which(bytes == text[[1L]])
    first <- first[first <= length(bytes) - length(text) + 1]
    Filter(function(i) identical(bytes[i + seq_along(text) - 1L], text), first)
}

test_that("names, values, cellData and metadata have checksums", {
    file <- h5File()
    bad <- h5File()
    on.exit(unlink(c(file, bad)))
    grn <- exampleGRN()
    grn@cellData$donor <- rep(c("anna", "bert"), 20)
    grn@cellData$dose <- seq(0.5, 20, 0.5)
    grn@metadata$remark <- "remarkable"
    saveGRN(grn, file)
    bytes <- readBin(file, "raw", file.size(file))
    number <- function(x) rawToChar(writeBin(x, raw(), endian = "little"))
    look <- function(at, bit) {
        changed <- bytes
        changed[[at]] <- xor(changed[[at]], as.raw(bit))
        writeBin(changed, bad)
        tryCatch(
            {
                loadGRN(bad)
                "loaded"
            },
            error = conditionMessage
        )
    }
    tables <- c(MYOG = "genes", cell01 = "cells", anna = "cellData/",
        remarkable = "metadata"
    )
    for (text in names(tables)) {
        places <- placesOf(bytes, text)
        expect_gt(length(places), 0)
        said <- vapply(places, look, character(1), bit = 1)
        expect_match(said, "^the file .* was altered")
        expect_match(said, tables[[text]], all = FALSE)
    }
    ## one expression value and one number of cellData, a low bit of each
    for (value in c(grn@expression@x[[5]], 19.5)) {
        raw <- writeBin(value, raw(), endian = "little")
        at <- which(bytes == raw[[8L]]) - 7L
        at <- Filter(function(i) i > 0 && identical(bytes[i + 0:7], raw), at)
        expect_gt(length(at), 0)
        said <- vapply(at, look, character(1), bit = 1)
        expect_match(said, "(expression/value|cellData/c[0-9]+) doesn't have")
    }
})

test_that("text that isn't UTF-8 is refused; latin1 comes back as UTF-8", {
    file <- h5File()
    on.exit(unlink(file))
    grn <- exampleGRN()
    latin <- "caf\xe9"
    grn@cellData$place <- latin
    if (!l10n_info()[["Latin-1"]]) {
        expect_error(saveGRN(grn, file), "isn't UTF-8")
        expect_false(file.exists(file))
    }
    Encoding(latin) <- "latin1"
    grn@cellData$place <- latin
    grn@cellData$level <- addNA(factor(rep(c("a", NA), 20)))
    saveGRN(grn, file)
    expect_identical(loadGRN(file)$place[[1]], "caf\u00e9")
})

test_that("files that can't be written cost nothing", {
    grn <- exampleGRN()
    folder <- tempfile("files-")
    dir.create(folder)
    on.exit(unlink(folder, recursive = TRUE))
    for (name in c("run1.h5", "run[1].h5", "run*.h5")) {
        saveGRN(grn, file.path(folder, name))
    }
    saveGRN(grn[1:3], file.path(folder, "run[1].h5"), overwrite = TRUE)
    link <- file.path(folder, "link.h5")
    file.symlink("run*.h5", link)
    Sys.chmod(file.path(folder, "run*.h5"), "600")
    saveGRN(grn[1:4], link, overwrite = TRUE)
    expect_identical(Sys.readlink(link), "run*.h5")
    expect_identical(format(file.mode(file.path(folder, "run*.h5"))), "600")
    expect_length(loadGRN(file.path(folder, "run1.h5")), 40)
    expect_length(loadGRN(file.path(folder, "run[1].h5")), 3)
    expect_length(loadGRN(link), 4)
    expect_error(saveGRN(loadGRN(link), file.path(folder, "run*.h5"),
        overwrite = TRUE
    ), "that 'x' is in")
    expect_error(saveGRN(grn, "/dev/null", overwrite = TRUE), "device or pipe")
    expect_error(loadGRN("/dev/null"), "device or pipe")
    expect_setequal(list.files(folder, all.files = TRUE, no.. = TRUE),
        c("run1.h5", "run[1].h5", "run*.h5", "link.h5")
    )
})
