## Networks to files.

test_that("the file holds what edgeTable() gives", {
    grn <- exampleGRN()
    file <- tempfile(fileext = ".csv")
    on.exit(unlink(file))
    expect_silent(writeGRN(grn, file, top = 6, verbose = FALSE))
    got <- read.csv(file)
    want <- edgeTable(grn, top = 6)
    expect_equal(got[1:3], want[1:3])
    expect_equal(got$score, want$score, tolerance = 1e-6)
    expect_identical(readLines(file, 1), "cell_id,Gene1,Gene2,score")
    writeGRN(poolGRN(grn), file, threshold = 0.2, overwrite = TRUE)
    got <- read.csv(file)
    expect_equal(got[1:2], edgeTable(poolGRN(grn), threshold = 0.2)[1:2])
    one <- writeGRN(grn, file, cells = 2, top = 3, overwrite = TRUE)
    expect_identical(one, file)
    expect_identical(unique(read.csv(file)$cell_id), "cell02")
})

test_that("a compressed file can be read back", {
    file <- tempfile(fileext = ".csv.gz")
    on.exit(unlink(file))
    writeGRN(exampleGRN(), file, top = 2)
    expect_identical(readBin(file, "raw", 2), as.raw(c(0x1f, 0x8b)))
    expect_equal(nrow(read.csv(file)), 80)
})

test_that("names with commas and quotes are quoted", {
    s <- matrix(c(1, 3), 1, dimnames = list("a,\"b\"", c("a,\"b\"", "c")))
    file <- tempfile()
    on.exit(unlink(file))
    writeGRN(PooledGRN(s), file, top = 2)
    expect_equal(read.csv(file), edgeTable(PooledGRN(s), top = 2))
})

test_that("nothing is lost and nothing is left behind", {
    grn <- exampleGRN()
    folder <- tempfile("out")
    dir.create(folder)
    on.exit(unlink(folder, recursive = TRUE))
    file <- file.path(folder, "edges.csv")
    writeLines("precious", file)
    expect_error(writeGRN(grn, file, top = 1), "exists")
    expect_identical(readLines(file), "precious")
    expect_error(
        causeway:::.writeBeside(file, TRUE, function(con) {
            writeLines("half", con)
            stop("broken off")
        }), "broken off"
    )
    expect_identical(readLines(file), "precious")
    expect_identical(list.files(folder, all.files = TRUE, no.. = TRUE),
        "edges.csv"
    )
    expect_error(writeGRN(grn, folder, top = 1), "is a folder")
    expect_error(writeGRN(grn, file.path(folder, "no", "x.csv"), top = 1),
        "doesn't exist"
    )
    expect_error(writeGRN(grn, file, top = 1, threshold = 1), "together")
})

test_that("a folder that can't be written is named", {
    skip_if(identical(Sys.info()[["user"]], "root") && !dir.exists("/proc"))
    folder <- "/proc"
    if (!identical(Sys.info()[["user"]], "root")) {
        folder <- tempfile("readonly")
        dir.create(folder, mode = "0555")
        on.exit(unlink(folder, recursive = TRUE))
    }
    expect_error(
        writeGRN(exampleGRN(), file.path(folder, "x.csv"), top = 1),
        "read-only"
    )
})

test_that("a file cut short by a full disk is told from a whole one", {
    whole <- c(plain = tempfile(), packed = tempfile(fileext = ".gz"))
    on.exit(unlink(whole))
    for (file in whole) {
        writeGRN(exampleGRN(), file, top = 30)
        size <- sum(nchar(readLines(file)) + 1)
        expect_true(causeway:::.holdsBytes(file, size))
        bytes <- readBin(file, "raw", 1e6)
        writeBin(bytes[seq_len(length(bytes) - 100L)], file)
        expect_false(causeway:::.holdsBytes(file, size))
    }
    file <- tempfile(fileext = ".csv")
    writeLines("precious", file)
    on.exit(unlink(file), add = TRUE)
    expect_error(
        causeway:::.writeBeside(file, TRUE, function(con) {
            writeLines("short", con)
            c(rows = 1, bytes = 99)
        }), "could not be written whole"
    )
    expect_identical(readLines(file), "precious")
    expect_length(list.files(tempdir(), all.files = TRUE,
        pattern = paste0("^\\.", basename(file))
    ), 0L)
})
