## Networks whose expression stays in a file.

exprCells <- simulateCells(300, 50, 8, seed = 2)
exprPath <- tempfile(fileext = ".h5ad")
writeH5AD(exprCells, exprPath, verbose = FALSE)
exprTfs <- rownames(exprCells)[1:8]
exprModel <- newModel(SFMParam(embedDim = 16, layers = 1, heads = 2,
    factors = 8, topk = 2), exprCells, tfs = exprTfs, seed = 1, threads = 1)
streamed <- function(code) {
    old <- options(causeway.sampleCells = 100, causeway.blockBytes = 2e4)
    on.exit(options(old))
    force(code)
}
exprHeld <- inferGRN(exprCells, exprModel, nTargets = 20, verbose = FALSE)

test_that("networks of a file are those of memory, whatever their backing", {
    file <- h5File()
    on.exit(unlink(file))
    before <- list.files(tempdir(), "^values.*h5$")
    out <- streamed(inferGRN(exprPath, exprModel, nTargets = 20, file = file,
        verbose = FALSE))
    expect_identical(list.files(tempdir(), "^values.*h5$"), before)
    lazy <- streamed(inferGRN(exprPath, exprModel, nTargets = 20,
        backing = "lazy", verbose = FALSE))
    again <- streamed(loadGRN(file))
    for (grn in list(out, lazy, again)) {
        expect_s4_class(grn@expression, "DelayedMatrix")
        sameNetworks(grn[c(3, 200, 7)], exprHeld[c(3, 200, 7)])
        expect_identical(.expressionOf(grn), exprHeld@expression)
        expect_identical(.expressionOf(grn[5:9], 2:3),
            exprHeld@expression[, 6:7])
        ## sums over blocks of other sizes differ in a float's last digits
        expect_equal(streamed(regulonActivity(grn)), regulonActivity(exprHeld),
            tolerance = 1e-5)
        expect_equal(regulonActivity(grn[4:60]),
            regulonActivity(exprHeld[4:60]), tolerance = 1e-5)
    }
    expect_equal(topRegulators(out, exprCells$context),
        topRegulators(exprHeld, exprCells$context), tolerance = 1e-5)
    ## the file is one that any number of cells are read from into memory
    expect_identical(loadGRN(file)@expression, exprHeld@expression)
    copy <- h5File()
    streamed(saveGRN(out[10:200], copy))
    expect_identical(loadGRN(copy)@expression, exprHeld@expression[, 10:200])
    unlink(copy)
    ## gone on with
    expect_message(streamed(inferGRN(exprPath, exprModel, nTargets = 20,
        file = file, resume = TRUE)), "nothing is left to do")
    expect_error(streamed(inferGRN(exprPath, exprModel, nTargets = 19,
        file = file, resume = TRUE)), "other settings")
})

test_that("expression that was altered is refused", {
    skip_if_not_installed("rhdf5")
    file <- h5File()
    on.exit(unlink(file))
    saveGRN(exprHeld, file)
    rhdf5::h5write(99, file, "expression/value", start = 5, count = 1)
    rhdf5::h5closeAll()
    expect_error(streamed(loadGRN(file)),
        "was altered: expression/value doesn't have its checksum")
    expect_error(loadGRN(file), "was altered: expression/value")
})

test_that("a hash in parts is the hash of the whole", {
    withInternal(".hashPiece", 100, {
        for (n in c(0L, 1L, 99L, 100L, 101L, 200L, 1234L)) {
            for (x in list(seq_len(n), seq_len(n) / 3)) {
                parts <- .hashInParts()
                parts$add(x[0])
                for (at in split(seq_len(n), (seq_len(n) - 1L) %/% 37L)) {
                    parts$add(x[at])
                }
                expect_identical(parts$end(), .hash(x))
            }
        }
    })
})
