## Networks of states of a file, against those of the same cells in memory.

## 36 labels, more than the joint model takes.
fileOfCells <- function() {
    x <- simulateCells(900, 60, 10, seed = 3)
    x$label <- paste0(x$context, "-", rep_len(1:12, ncol(x)))
    path <- tempfile(fileext = ".h5ad")
    writeH5AD(x, path, verbose = FALSE)
    list(x = x, path = path, tfs = rownames(x)[1:10])
}

test_that("networks per label of a file are those of all its cells", {
    d <- fileOfCells()
    old <- options(causeway.sampleCells = 150, causeway.blockBytes = 2e5)
    on.exit({
        options(old)
        unlink(d$path)
    })
    param <- PerCellGRNParam(states = "label", nPerm = 3)
    run <- function(x) inferGRN(x, param, tfs = d$tfs, seed = 1,
        verbose = FALSE)
    memory <- run(d$x)
    file <- run(d$path)
    expect_identical(metadata(memory)$sampled, 0L)
    expect_identical(metadata(file)$sampled, 150L)
    a <- verdict(memory)
    b <- verdict(file)
    expect_equal(b$states, a$states, tolerance = 1e-4)
    expect_equal(b$nullGain, a$nullGain, tolerance = 1e-3)
    expect_equal(file@pooled, memory@pooled, tolerance = 1e-5)
    at <- match(cellNames(file), cellNames(memory))
    expect_length(at, 150L)
    expect_identical(file@memberships, memory@memberships[at, ])
    expect_equal(as.matrix(file@expression),
        as.matrix(memory@expression[, at]))
    expect_identical(cellData(file)$label, cellData(memory)$label[at])
    expect_message(run2 <- inferGRN(d$path, param, tfs = d$tfs, seed = 1),
        "Networks are those of all 900 cells")
    expect_identical(run2@slope, file@slope)
})

test_that("labels that depart do so from a file, with the same slopes", {
    d <- fileOfCells()
    old <- options(causeway.sampleCells = 150, causeway.blockBytes = 2e5)
    on.exit({
        options(old)
        unlink(d$path)
    })
    fit <- function(x, most = Inf) {
        prepared <- .networkCells(x, .inputArgs(tfs = d$tfs), FALSE,
            total = "median", most = most, key = .newKey(1), sums = FALSE)
        s <- .givenStates(PerCellGRNParam(states = "context",
            nPerm = 3)@settings, prepared)
        .fitLabels(prepared, s$label, s, .newKey(2), 1L, function() NULL)
    }
    memory <- fit(d$x)
    file <- fit(d$path, 150)
    expect_true(any(file$full$label[, "a"] > 0))
    expect_equal(file$states, memory$states, tolerance = 1e-4)
    expect_equal(file$full, memory$full, tolerance = 1e-4)
    expect_equal(file$null, memory$null, tolerance = 1e-3)
    expect_equal(file$gateGain, memory$gateGain, tolerance = 1e-6)
    expect_equal(file$explained, memory$explained, tolerance = 1e-5)
})

test_that("states that are found are those of the sample", {
    d <- fileOfCells()
    old <- options(causeway.sampleCells = 600)
    on.exit({
        options(old)
        unlink(d$path)
    })
    run <- function(x, ..., cells = NULL) inferGRN(x, PerCellGRNParam(nPerm = 2,
        ...), tfs = d$tfs, seed = 1, verbose = FALSE)
    file <- run(d$path)
    expect_length(cellNames(file), 600L)
    expect_identical(metadata(file)$sampled, 600L)
    expect_identical(dim(memberships(file))[[1L]], 600L)
    expect_identical(run(d$path)@slope, file@slope)
    block <- run(d$path, states = "context", block = "label")
    expect_length(cellNames(block), 600L)
    expect_length(metadata(block)$block, 600L)
    expect_message(inferGRN(d$path, PerCellGRNParam(nPerm = 2), tfs = d$tfs,
        seed = 1), "Of 900 cells 600, drawn at random, are read")
})

test_that("sums of parts are joined", {
    x <- methods::as(matrix(c(0, 2, 1, 0, 3, 0), 2), "CsparseMatrix") * 1.5
    whole <- .newSums(2L, 0L, FALSE)
    parts <- list(.newSums(2L, 0L, FALSE), .newSums(2L, 0L, FALSE))
    none <- .newSums(2L, 0L, FALSE)
    .addSums(whole, x, 1L)
    .addSums(parts[[1]], x[, 1, drop = FALSE], 1L)
    .addSums(parts[[2]], x[, 2:3], 1L)
    expect_identical(.joinSums(parts[[1]], parts[[2]]), whole)
    expect_identical(.joinSums(none, whole), whole)
    expect_identical(.joinSums(whole, none), whole)
})
