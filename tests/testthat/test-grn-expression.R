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

test_that("networks are judged without their expression in memory", {
    file <- h5File()
    on.exit(unlink(file))
    grn <- streamed(inferGRN(exprPath, exprModel, nTargets = 20, file = file,
        verbose = FALSE))
    known <- data.frame(Gene1 = tfNames(grn)[1:3],
        Gene2 = geneNames(grn)[c(9, 12, 15)])
    judge <- function(x, ...) as.data.frame(evaluateGRN(x, known, nBoot = 10,
        seed = 1, ...))
    held <- judge(exprHeld)
    ## as many as are ranked: the sample is all there is
    old <- options(causeway.blockBytes = 2e4)
    expect_equal(judge(grn), held, tolerance = 1e-5)
    options(old)
    values <- .expressionFor(exprHeld)
    some <- streamed(.expressionFor(grn))
    expect_s4_class(some, "DelayedMatrix")
    tf <- c(7L, 2L, 5L)
    expect_equal(streamed(.correlations(some, tf, "pearson")),
        unname(.correlations(values, tf, "pearson")))
    drawn <- sort(.shuffled(300, c(0, 0), 1L)[1:100])
    expect_identical(streamed(.correlations(some, tf, "spearman")),
        .correlations(exprHeld@expression[, drawn], tf, "spearman"))
    mine <- streamed(judge(grn))
    same <- mine$method != "spearman"
    expect_equal(mine[same, ], held[same, ], tolerance = 1e-5)
    part <- c(4:200, 3)
    expect_equal(streamed(judge(grn, cells = part))[same, ],
        judge(exprHeld, cells = part)[same, ], tolerance = 1e-5)
    expect_equal(as.list(streamed(summary(grn)))$marginalShare,
        as.list(summary(exprHeld))$marginalShare, tolerance = 1e-5)
    expect_equal(streamed(.principalPlane(grn@expression)),
        .principalPlane(exprHeld@expression))
    old <- options(causeway.memoryLimit = 1000)
    on.exit(options(old), add = TRUE)
    expect_error(evaluateGRN(grn, known), "candidate edges need about")
})

test_that("networks in memory are forecast before values are read", {
    need <- 6 * 2 * 300 * (28 + 8)
    limit <- function(bytes) options(causeway.memoryLimit = bytes)
    old <- limit(.engineForecast(exprModel, cells = 8, genes = 28, tfs = 8,
        train = FALSE) + need / 2)
    on.exit(options(old))
    withInternal(".sourceValues", function(...) stop("values were read"), {
        expect_error(inferGRN(exprPath, exprModel, nTargets = 20,
            verbose = FALSE), "not enough memory")
        limit(need)
        withInternal(".engineForecast", function(...) 1, {
            expect_error(inferGRN(exprPath, exprModel, nTargets = 20,
                verbose = FALSE), "Name a 'file' for the networks")
        })
    })
})
