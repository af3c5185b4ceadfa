## Files made by tests/engine/make_checkpoints.py; every value is compared in
## tests/engine/test_archive.c.
example <- function() {
    system.file("extdata", "checkpoint.pt", package = "causeway")
}

test_that("inspectCheckpoint lists tensors, not what only training needs", {
    found <- inspectCheckpoint(example())
    expect_identical(found$name,
        c("state_dict.model.a.weight", "state_dict.model.b.bias")
    )
    expect_identical(found$shape, c("4 x 6", "6"))
    expect_identical(found$dtype, c("F32", "F32"))
    expect_identical(found$bytes, c(96, 24))
    expect_identical(attr(found, "format"), "PyTorch (zip)")
    expect_identical(attr(found, "skipped"), 4)
})

test_that("convertCheckpoint keeps names, types, values", {
    to <- tempfile(fileext = ".safetensors")
    expect_identical(
        expect_invisible(convertCheckpoint(example(), to)), to
    )
    found <- inspectCheckpoint(to)
    expect_identical(attr(found, "format"), "safetensors")
    expect_equal(found, inspectCheckpoint(example()),
        ignore_attr = c("format", "skipped")
    )
    bytes <- readBin(to, "raw", file.size(to))
    values <- readBin(tail(bytes, 120), "numeric", 30, size = 4)
    expect_equal(values, c(0:23, 0:5) / 7 - 1, tolerance = 1e-6)
    expect_error(convertCheckpoint(example(), to), "'to' exists")
    convertCheckpoint(example(), to, overwrite = TRUE)
    expect_message(
        convertCheckpoint(example(), to, overwrite = TRUE, verbose = TRUE),
        "Wrote"
    )
    expect_length(list.files(dirname(to), basename(to)), 1)
})

test_that("what is no file of weights is refused", {
    expect_error(inspectCheckpoint(tempfile()), "'file' .* not there")
    expect_error(inspectCheckpoint(tempdir()), "'file' .* folder")
    expect_error(inspectCheckpoint(3), "'file'")
    expect_error(convertCheckpoint(tempfile(), "x"), "'from' .* not there")
    bad <- tempfile()
    writeLines("hello, I am text", bad)
    expect_error(inspectCheckpoint(bad), "'file' .*no known format")
    bytes <- readBin(example(), "raw", file.size(example()))
    writeBin(bytes[seq_len(2000)], bad)
    expect_error(inspectCheckpoint(bad), "cut short")
    to <- tempfile()
    expect_error(convertCheckpoint(bad, to), "'from' .*cut short")
    expect_false(file.exists(to))
    ## cos\nsystem\n: what pickle calls os.system
    writeBin(c(as.raw(0x80), as.raw(2), charToRaw("cposix\nsystem\n.")), bad)
    expect_error(inspectCheckpoint(bad), "posix.system")
})

test_that("pickled dictionaries of numbers and of texts are read", {
    file <- tempfile()
    ## {"ENSG1": 3, "<pad>": 0, "half": 0.5}, protocol 2
    text <- function(x) {
        c(charToRaw("X"), as.raw(c(nchar(x), 0, 0, 0)), charToRaw(x))
    }
    writeBin(c(as.raw(c(0x80, 2)), charToRaw("}("),
        text("ENSG1"), charToRaw("K"), as.raw(3),
        text("<pad>"), charToRaw("K"), as.raw(0),
        text("half"), charToRaw("G"), as.raw(c(0x3f, 0xe0, 0, 0, 0, 0, 0, 0)),
        charToRaw("u.")
    ), file)
    expect_identical(causeway:::.readPickle(file),
        c(ENSG1 = 3, "<pad>" = 0, half = 0.5)
    )
    writeBin(c(charToRaw("}("), text("A"), text("b"), charToRaw("u.")), file)
    expect_identical(causeway:::.readPickle(file), c(A = "b"))
    writeBin(c(charToRaw("}("), text("A"), charToRaw("]"), charToRaw("u.")),
        file
    )
    expect_error(causeway:::.readPickle(file), "more than texts and numbers")
    writeBin(charToRaw("]."), file)
    expect_error(causeway:::.readPickle(file), "no dictionary")
    writeBin(charToRaw("cbuiltins\neval\n."), file)
    expect_error(causeway:::.readPickle(file), "builtins.eval")
})
