## CellGRN: construction and cells. Oracles are the dense products in R.

test_that("cell and pooled networks are the products of their factors", {
    d <- denseFactors()
    for (k in c(2L, 6L)) {
        grn <- fromDense(d, k)
        u <- if (k < 6L) keepTop(d$u, k) else d$u
        v <- if (k < 6L) keepTop(d$v, k) else d$v
        want <- lapply(seq_len(5), function(c) u[c, , ] %*% t(v[c, , ]))
        for (c in seq_len(5)) {
            got <- cellNetwork(grn, c)
            expect_equal(unname(got), want[[c]], tolerance = 1e-6)
        }
        expect_equal(dimnames(got), list(tfNames(grn), geneNames(grn)))
        expect_equal(as.matrix(grn, "c2"), cellNetwork(grn, 2))
        pooled <- poolGRN(grn)
        expect_equal(unname(as.matrix(pooled)), Reduce(`+`, want) / 5,
            tolerance = 1e-6
        )
        expect_identical(dim(pooled), c(tfs = 3L, genes = 11L))
        some <- poolGRN(grn, cells = c("c5", "c2"))
        expect_equal(unname(as.matrix(some)), (want[[5]] + want[[2]]) / 2,
            tolerance = 1e-6
        )
    }
})

test_that("networks survive saveRDS", {
    grn <- exampleGRN()
    file <- tempfile(fileext = ".rds")
    on.exit(unlink(file))
    saveRDS(grn, file)
    expect_equal(poolGRN(readRDS(file)), poolGRN(grn))
})

test_that("the constructor refuses what can't be", {
    grn <- exampleGRN()
    make <- function(...) {
        arguments <- list(
            tfs = grn@tfs, genes = grn@genes, cells = grn@cells,
            nFactors = 12, k = 3, factors = grn@factors,
            expression = grn@expression
        )
        given <- list(...)
        arguments[names(given)] <- given
        do.call(CellGRN, arguments)
    }
    expect_equal(poolGRN(make()), {
        p <- poolGRN(grn)
        p@metadata <- list()
        p
    })
    expect_error(make(cells = rep("a", 40)), "'cells' has duplicated")
    expect_error(make(tfs = c(grn@tfs[-1], "XXX")), "'tfs' must be among")
    expect_error(make(genes = rev(grn@genes)[-1]), "'expression' must be")
    expect_error(make(tfs = character()), "'tfs' is empty")
    expect_error(make(k = 4), "raw vector of")
    expect_error(make(k = 13), "'k' must be")
    expect_error(make(factors = grn@factors[-1]), "must have the parts")
    bad <- grn@factors
    bad$vIndex[[5]] <- as.raw(12)
    expect_error(make(factors = bad), "not below the number of factors")
    bad <- grn@factors
    bad$uWeight[1:4] <- writeBin(NaN, raw(), size = 4L)
    expect_error(make(factors = bad), "negative or not finite")
    x <- as.matrix(grn@expression)
    x[[2]] <- Inf
    expect_error(make(expression = x), "'expression' has values that aren't")
    expect_error(make(cellData = data.frame(a = 1:3)), "row per cell")
})

test_that("show says what is there", {
    expect_output(show(exampleGRN()), "cells: +40 .*TFs: +8 .*prior off")
    expect_output(show(poolGRN(exampleGRN())), "mean of 40 cells")
})
