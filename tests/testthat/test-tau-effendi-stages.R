test_that("a fit returns delays, losses, health and controls", {
    d <- effendiData()
    fit <- fitEffendi(d, controls = c("untrained", "shuffled"))
    expect_named(fit$tau, rownames(d$geneEmbedding))
    expect_identical(dim(fit$tauCells), c(150L, 11L))
    expect_equal(fit$tau, colMeans(fit$tauCells), tolerance = 1e-5)
    expect_true(all(fit$tauCells > 1e-3))
    expect_identical(fit$losses$stage, rep(c("1", "2.1", "2.2"), c(4, 2, 2)))
    expect_identical(fit$losses$epoch, c(1:4, 1:2, 1:2))
    expect_true(all(is.na(fit$losses$ode[1:4])))
    expect_true(all(is.na(fit$losses$sw2[5:8])))
    expect_lt(fit$losses$sw2[[4]], fit$losses$sw2[[1]])
    expect_lt(fit$losses$total[[8]], fit$losses$total[[5]])
    expect_lt(abs(fit$lipschitz - 1), 0.1)
    expect_lt(fit$reversibility, 0.5)
    expect_true(all(abs(fit$rank) <= 1) && !anyNA(fit$rank))
    expect_named(fit$rank, c("untrained", "shuffled"))
    expect_false(isTRUE(all.equal(fit$tau, fit$shuffled)))
})

test_that("the key governs a fit, threads do not", {
    d <- effendiData()
    a <- fitEffendi(d)
    b <- .effendiFit(d$zAtac, d$zRna, d$expression, d$geneEmbedding,
        smallEffendi(), c(3, 4), controls = character(), threads = 2L
    )
    expect_identical(a$tau, b$tau)
    expect_identical(a$losses, b$losses)
    expect_false(identical(a$tau, fitEffendi(d, key = c(3, 5))$tau))
    sparse <- d
    sparse$expression[sparse$expression < 0.4] <- 0
    dense <- fitEffendi(sparse)
    sparse$expression <- Matrix::Matrix(sparse$expression, sparse = TRUE)
    expect_s4_class(sparse$expression, "dgCMatrix")
    expect_identical(fitEffendi(sparse)$tau, dense$tau)
})

test_that("every option changes the fit and leaves it finite", {
    d <- effendiData(64)
    plain <- fitEffendi(d)$tau
    options <- list(
        list(readout = "gene"),
        list(readout = "attention", readoutTokens = 3),
        list(attentionHeads = 2),
        list(adapterHidden = 4), list(wContrast = 0.5),
        list(reverseInStage2 = TRUE), list(method = "rk4"),
        list(spectral = "exact"), list(lr = list(stage2Field = 0)),
        list(weightDecay = 0.1), list(dropout = 0)
    )
    for (o in options) {
        tau <- fitEffendi(d, param = do.call(smallEffendi, o))$tau
        expect_true(all(is.finite(tau)), info = names(o))
        expect_false(isTRUE(all.equal(tau, plain, tolerance = 1e-9)),
            info = names(o)
        )
    }
    peaks <- (d$zAtac[, 1:5] > 0) * 1
    fit <- fitEffendi(d, param = smallEffendi(wPeaks = 1, stage2Epochs = 15),
        peaks = peaks
    )
    expect_lt(tail(fit$losses$peaks, 1), fit$losses$peaks[[5]])
})

test_that("stage 1 takes unpaired cells of other numbers", {
    d <- effendiData(70)
    more <- effendiData(55, seed = 2)
    fit <- fitEffendi(d, unpaired = list(
        atac = more$zAtac[1:33, ], rna = more$zRna
    ))
    expect_true(all(is.finite(fit$tau)))
    expect_false(identical(fit$losses$sw2, fitEffendi(d)$losses$sw2))
    expect_error(
        fitEffendi(d, unpaired = list(atac = more$zAtac[, -1])),
        "unpaired\\$atac"
    )
    expect_error(
        fitEffendi(d, param = smallEffendi(wContrast = 1),
            unpaired = list(rna = more$zRna)
        ), "'wContrast' needs paired"
    )
})

test_that("bad input is named", {
    d <- effendiData(40)
    bad <- function(what, value, text, ...) {
        d[[what]] <- value
        expect_error(fitEffendi(d, ...), text)
    }
    bad("expression", d$expression * 2, "'expression' must lie in \\[0, 1\\]")
    bad("expression", d$expression[-1, ], "'expression' has 39 rows")
    bad("zRna", d$zRna[, -1], "'geneEmbedding' has 8 columns, expected 7")
    x <- d$zAtac
    x[3, 2] <- NA
    bad("zAtac", x, "'zAtac' holds values that are not finite")
    expect_error(fitEffendi(d, param = smallEffendi(dim = 5)),
        "'zRna' has 8 columns, expected 5"
    )
    expect_error(fitEffendi(d, param = smallEffendi(attentionHeads = 3)),
        "'attentionHeads' must divide"
    )
    expect_error(fitEffendi(d, param = smallEffendi(wPeaks = 1)), "'wPeaks'")
    expect_error(fitEffendi(d, param = list()), "'param' must be an Effen")
    withr <- options(causeway.memoryLimit = 1e6)
    on.exit(options(withr))
    expect_error(fitEffendi(d), "not enough memory")
})

test_that("exchanging genes' embeddings exchanges their delays only", {
    ## what makes Effendi's delays exchangeable over genes
    d <- effendiData()
    fit <- fitEffendi(d)
    order <- c(5:11, 1:4)
    tau <- .effendiTau(fit$model, d$zAtac, d$geneEmbedding[order, ])
    expect_equal(unname(tau), unname(fit$tauCells[, order]), tolerance = 1e-5)
})
