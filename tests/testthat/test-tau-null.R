test_that("the data are set beside permuted pairing and links", {
    made <- smallTau()
    null <- tauNull(made$cells, made$fit, nPerm = 1, seed = 1, verbose = FALSE)
    expect_identical(null$data, c("observed", "pairing", "links"))
    expect_identical(null$identifiable[2:3], c(FALSE, FALSE))
    expect_identical(null$lead[[1L]], verdict(made$fit)$lead)
    expect_lt(null$concord[[3L]], 0.7)
    ## another process gives the same
    by <- if (requireNamespace("BiocParallel", quietly = TRUE) &&
        .Platform$OS.type == "unix") BiocParallel::MulticoreParam(1L)
    again <- tauNull(made$cells, made$fit, nPerm = 1, what = "pairing", seed = 1,
        BPPARAM = by, verbose = FALSE
    )
    expect_equal(again, null[1:2, ], ignore_attr = TRUE)
})

test_that("bad arguments of tauNull are named", {
    made <- smallTau()
    fit <- made$fit
    x <- made$cells
    expect_error(tauNull(x, fit, nPerm = 0), "'nPerm' must be")
    expect_error(tauNull(x, fit, what = "cells"), "'what' must be")
    expect_error(tauNull(x[, 1:300], fit), "lacks 300 of its cells")
    expect_error(tauNull(x[1:50, ], fit), "lacks features such as")
    expect_error(tauNull(x), "'fit' is missing: tauNull\\(x, fit\\) takes")
    expect_error(tauNull(fit = fit), "'x' is missing")
    expect_error(tauNull(fit, x), "cells come first, tauNull\\(x, fit\\)")
    expect_error(tauNull(fit), "'fit' is missing")
    expect_error(tauNull(x, 3), "'fit' must be a TauFit")
    expect_error(tauNull(x, fit, asay.type = "counts"), "asay.type")
    fit@method <- "effendi"
    expect_error(tauNull(x, fit), "'fit' must be of method = \"anchored\"")
})
