test_that("the data are set beside permuted pairing and links", {
    made <- smallTau()
    null <- tauNull(made$fit, made$cells, n = 1, seed = 1, verbose = FALSE)
    expect_identical(null$data, c("observed", "pairing", "links"))
    expect_identical(null$identifiable[2:3], c(FALSE, FALSE))
    expect_identical(null$lead[[1L]], tauVerdict(made$fit)$lead)
    expect_lt(null$concord[[3L]], 0.7)
    again <- tauNull(made$fit, made$cells, n = 1, what = "pairing", seed = 1,
        verbose = FALSE
    )
    expect_equal(again, null[1:2, ], ignore_attr = TRUE)
})

test_that("bad arguments of tauNull are named", {
    made <- smallTau()
    fit <- made$fit
    x <- made$cells
    expect_error(tauNull(fit, x, n = 0), "'n' must be")
    expect_error(tauNull(fit, x, what = "cells"), "'what' must be")
    expect_error(tauNull(fit, x[, 1:300], n = 1), "lacks 300 of its cells")
    expect_error(tauNull(fit, x[1:50, ], n = 1), "lacks features such as")
    fit@method <- "effendi"
    expect_error(tauNull(fit, 1), "'fit' must be of method = \"anchored\"")
})
