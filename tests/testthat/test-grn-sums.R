cellsOf <- function(n = 300, genes = 12, density = 0.4, seed = 1) {
    set.seed(seed)
    m <- matrix(rpois(n * genes, 3) * (runif(n * genes) < density), genes)
    methods::as(m * 0.37, "CsparseMatrix")
}

test_that("sums don't depend on blocks or threads, to the last bit", {
    x <- cellsOf()
    whole <- .sumsOf(x, c(0L, 3L, 7L), 1L)
    for (width in c(1L, 7L, 150L)) {
        sums <- .newSums(nrow(x), c(0L, 3L, 7L))
        for (part in split(seq_len(ncol(x)), (seq_len(ncol(x)) - 1L) %/%
            width)) {
            .addSums(sums, x[, part, drop = FALSE], 2L)
        }
        expect_identical(.finishSums(sums), whole)
    }
})

test_that("sums are those of their definition", {
    x <- cellsOf()
    x[5, ] <- 0
    x[6, ] <- 2.5
    x[7, ] <- x[7, ] - 1
    tf <- c(0L, 5L, 6L)
    sums <- .sumsOf(x, tf)
    d <- as.matrix(x)
    expect_equal(sums$cells, ncol(x))
    expect_equal(sums$sum, rowSums(d))
    expect_equal(sums$square, rowSums(d^2))
    expect_equal(sums$cube, rowSums(d^3))
    expect_equal(sums$least, apply(d, 1, min))
    expect_equal(sums$most, apply(d, 1, max))
    expect_equal(t(sums$product), unname(d[tf + 1, ] %*% t(d)))
    expect_equal(.cellsOfBoth(sums), matrix(as.integer(tcrossprod(
        d[tf + 1, ] > 0, d > 0)), 3))
    r <- suppressWarnings(cor(t(d[tf + 1, ]), t(d)))
    r[is.na(r)] <- 0
    expect_equal(sums$r, unname(r), tolerance = 1e-12)
    z <- d - rowMeans(d)
    skew <- rowMeans(z^3) / rowMeans(z^2)^1.5
    skew[5:6] <- 0
    expect_equal(sums$skew, skew, tolerance = 1e-10)
})

test_that("sums refuse what is no value", {
    x <- cellsOf()
    x@x[[3]] <- NaN
    expect_error(.sumsOf(x, 0L), "finite")
    expect_error(.sumsOf(cellsOf(), 99L), "TF 0 is gene 99")
})

test_that("a file of many cells gives exact ridge and correlation", {
    x <- simulateCells(400, 60, 10, seed = 3)
    path <- tempfile(fileext = ".h5ad")
    writeH5AD(x, path, verbose = FALSE)
    old <- options(causeway.sampleCells = 150, causeway.blockBytes = 1e5)
    on.exit({
        options(old)
        unlink(path)
    })
    tfs <- rownames(x)[1:10]
    for (param in list(RidgeGRNParam(), CorGRNParam())) {
        memory <- inferGRN(x, param, tfs = tfs, seed = 1, verbose = FALSE)
        file <- inferGRN(path, param, tfs = tfs, seed = 1, verbose = FALSE)
        expect_identical(file@scores, memory@scores)
        expect_identical(metadata(file)$cells, metadata(memory)$cells)
        expect_identical(file@nCells, memory@nCells)
        expect_identical(metadata(file)$sampled, 150L)
    }
    expect_message(
        grn <- inferGRN(path, TreeGRNParam(trees = 5), tfs = tfs, seed = 1),
        "trees, ranks and the search for states read 150"
    )
    again <- inferGRN(path, TreeGRNParam(trees = 5), tfs = tfs, seed = 1,
        verbose = FALSE
    )
    expect_identical(grn@scores, again@scores)
    ## cells that are named are streamed too, in their order
    some <- c(390:201, 3, 1)
    param <- RidgeGRNParam()
    memory <- inferGRN(x, param, tfs = tfs, cells = some, verbose = FALSE)
    file <- inferGRN(path, param, tfs = tfs, cells = some, verbose = FALSE)
    expect_equal(file@scores, memory@scores, tolerance = 1e-12)
    expect_identical(metadata(file)$sampled, 150L)
    expect_equal(file@nCells, 192)
    expect_error(nullGRN(grn, "expression", cells = x, nPerm = 2),
        "of which trees saw 150"
    )
})
