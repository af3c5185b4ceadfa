## Contrasts of cells in a file, against those of the same cells in memory.

d <- local({
    x <- simulateCells(900, 60, 10, seed = 3)
    x$donor <- rep_len(c("p", "q", "r", "s", "t"), ncol(x))
    x$plate <- paste0(x$context, rep_len(c("a", "b"), ncol(x)))
    path <- tempfile(fileext = ".h5ad")
    writeH5AD(x, path, verbose = FALSE)
    list(x = x, path = path, tfs = rownames(x)[1:10])
})

## Networks of all cells from sums, as those of a file are; of which `held` are
## kept.
networksOf <- function(x, most) {
    old <- options(causeway.sampleCells = most, causeway.blockBytes = 2e5)
    on.exit(options(old))
    inferGRN(x, PerCellGRNParam(states = "context", nPerm = 2), tfs = d$tfs,
        seed = 1, verbose = FALSE)
}

test_that("a file gives what all its cells give in memory", {
    file <- networksOf(d$path, 150)
    expect_length(cellNames(file), 150L)
    ## as if two labels had networks of their own
    file@verdict$distinguishable <- TRUE
    file@verdict$states$departs <- c(TRUE, FALSE, TRUE, FALSE)
    file@verdict$states$a <- 0.01
    file@slope[, , 1L] <- 1.5 * file@pooled
    file@slope[, , 3L] <- -file@pooled
    ## the same networks with all cells held
    all <- .networkCells(d$x, .inputArgs(tfs = d$tfs), FALSE, total = "median")
    k <- match(d$x$context, colnames(memberships(file)))
    w <- outer(k, seq_len(ncol(memberships(file))), `==`) + 0
    colnames(w) <- colnames(memberships(file))
    memory <- file
    memory@cells <- all$cells
    memory@expression <- .withoutNames(all$values)
    memory@memberships <- w
    memory@cellData <- S4Vectors::DataFrame(all$cellData)
    old <- options(causeway.blockBytes = 2e5)
    on.exit(options(old))
    go <- function(x, ...) contrastGRN(x, "context", level = "context1",
        nPerm = 30, top = 60, seed = 2, ..., verbose = FALSE)
    for (block in list(NULL, "donor", "plate")) {
        a <- go(memory, block = block)
        b <- go(d$path, grn = file, block = block)
        expect_equal(frame(b, "edges"), frame(a, "edges"), tolerance = 1e-7)
        expect_false(is.null(frame(b, "edges")$pNoise))
        expect_equal(frame(b, "regulators"), frame(a, "regulators"),
            tolerance = 1e-7)
        expect_equal(b@facts, a@facts, tolerance = 1e-7)
    }
    part <- go(d$path, grn = file, ref = "context2", by = "regulators",
        signed = FALSE)
    expect_equal(frame(part, "regulators"), frame(go(memory,
        ref = "context2", by = "regulators", signed = FALSE), "regulators"),
        tolerance = 1e-7)
    ## groups that aren't the states
    other <- function(x, ...) contrastGRN(x, d$x$donor, level = "q",
        nPerm = 19, top = 40, seed = 2, ..., verbose = FALSE)
    a <- other(memory)
    b <- other(d$path, grn = file, states = d$x$context)
    expect_equal(b@facts, a@facts, tolerance = 1e-7)
    expect_equal(frame(b, "edges"), frame(a, "edges"), tolerance = 1e-7)
})

test_that("networks are inferred where none are given", {
    old <- options(causeway.sampleCells = 150, causeway.blockBytes = 2e5)
    on.exit(options(old))
    expect_message(one <- contrastGRN(d$path, "context", level = "context1",
        nPerm = 19, top = 20, seed = 1, tfs = d$tfs, by = "edges",
        verbose = TRUE), "Sums over all 900 cells") |> suppressMessages()
    expect_identical(one@facts$nLevel + one@facts$nRef, 900L)
    options(causeway.sampleCells = 1e4)
    grn <- inferGRN(d$path, PerCellGRNParam(states = "context"), seed = 1,
        tfs = d$tfs, verbose = FALSE)
    few <- contrastGRN(d$path, "context", level = "context1", grn = grn,
        nPerm = 19, top = 20, seed = 1, verbose = FALSE)
    expect_identical(few, contrastGRN(grn, "context", level = "context1",
        nPerm = 19, top = 20, seed = 1))
})

test_that("what can't be contrasted is said", {
    file <- networksOf(d$path, 150)
    expect_error(contrastGRN(d$path), "'group' is missing")
    expect_error(contrastGRN(d$path, "context", grn = 1), "'grn' must be")
    file@metadata$statesBy <- NULL
    expect_error(contrastGRN(d$path, "context", level = "context1", grn = file),
        "'states' is missing")
    expect_error(contrastGRN(d$path, "context", level = "context1", grn = file,
        states = "donor"), "'states' has values without a network")
    found <- file
    found@verdict$labelled <- FALSE
    expect_error(contrastGRN(d$path, "context", grn = found),
        "found in the 150 cells")
    old <- options(causeway.memoryLimit = 1e5)
    on.exit(options(old))
    expect_error(contrastGRN(d$path, "context", grn = file, nPerm = 200),
        "'nPerm' is 200: for 900 cells")
})
