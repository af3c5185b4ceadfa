## The file itself: foreign, cut, altered, damaged with a meaning.

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
    signed <- TRUE # as if its checksum had been changed with it
    change <- function(name, value, pattern, use = loadGRN) {
        copy <- h5File()
        file.copy(file, copy)
        rhdf5::h5delete(copy, name)
        putTable(copy, name, value)
        if (signed) {
            withInternal(".checkSum", function(path, name, x, sums) x,
                expect_error(use(copy), pattern)
            )
        } else {
            expect_error(use(copy), pattern)
        }
        unlink(copy)
    }
    change("header/version", 1L, "has version 1 of the format")
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
    signed <- FALSE
    change("expression/gene", 0L, "was altered: expression/gene doesn't")
    change("header/progress", c(39, 1), "sizes don't agree")
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

test_that("a file in use is waited for, then left as it is", {
    skip_if(!nzchar(Sys.which("flock")), "no flock")
    file <- h5File()
    on.exit(unlink(file))
    saveGRN(exampleGRN(), file)
    grn <- loadGRN(file)
    ## another program has it open for writing, for 1.5 seconds
    hold <- function(seconds) {
        system(sprintf("flock -x %s sleep %s", shQuote(file), seconds),
            wait = FALSE
        )
        Sys.sleep(0.3)
    }
    hold(1.5)
    expect_message(again <- loadGRN(file), "Waiting: another program has")
    sameNetworks(again, grn, 0)
    old <- options(causeway.lockWait = 0)
    on.exit(options(old), add = TRUE)
    hold(1)
    expect_error(poolGRN(grn), "is in use: another program has the file open")
    Sys.sleep(1.2)
    sameNetworks(loadGRN(file), grn, 0)
})
