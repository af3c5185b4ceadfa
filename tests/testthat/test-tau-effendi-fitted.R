test_that("a fitted model predicts, reverses and intervenes", {
    d <- effendiData()
    fit <- fitEffendi(d)
    m <- fit$model
    tau <- .effendiTau(m, d$zAtac[5:9, ], d$geneEmbedding)
    expect_equal(tau, fit$tauCells[5:9, ], tolerance = 1e-6)
    p <- .effendiForward(m, d$zAtac, d$geneEmbedding)
    expect_identical(dim(p$yHat), c(150L, 11L))
    expect_true(all(p$yHat > 0 & p$yHat < 1))
    expect_equal(p$tauBar, fit$tauBar)
    expect_identical(p$tauBar, {
        all <- sort(fit$tauCells)
        all[[(length(all) + 1) %/% 2]]
    })
    back <- .effendiReverse(m, p$zIntegrated)
    expect_gt(cor(c(back), c(p$zA)), 0.999)
    none <- .effendiIntervene(m, d$zRna, numeric(8), 1, d$geneEmbedding)
    expect_true(all(none$CE == 0) && all(none$displacement == 0))
    some <- .effendiIntervene(m, d$zRna, rep(0.5, 8), 2, d$geneEmbedding)
    expect_identical(dim(some$CE), c(150L, 11L))
    expect_equal(some$CE, some$after - some$before)
    expect_gt(min(some$displacement), 1)
    expect_error(.effendiIntervene(m, d$zRna, 1:3, 1, d$geneEmbedding),
        "'direction' must be 8 finite"
    )
    health <- .effendiHealth(m, d$zAtac)
    expect_true(health$finite)
    expect_equal(health$lipschitz, fit$lipschitz)
    expect_error(.effendiTau(m, d$zAtac[, -1], d$geneEmbedding),
        "'zAtac' has 8 columns, expected 9"
    )
})

test_that("a perturbation runs through the chromatin", {
    d <- effendiData()
    peaks <- (d$zAtac %*% matrix(rnorm(9 * 20), 9) > 0) * 1
    fit <- fitEffendi(d, param = smallEffendi(wPeaks = 1, stage2Epochs = 10),
        peaks = peaks
    )
    m <- fit$model
    open <- .effendiPeaks(m, d$zAtac)
    expect_identical(dim(open), c(150L, 20L))
    expect_gt(cor(c(open), c(peaks)), 0.2)
    encoder <- .effendiEncoder(peaks, d$zAtac)
    again <- (peaks - rep(encoder$centre, each = 150)) %*% encoder$loadings
    expect_gt(cor(c(again), c(d$zAtac)), 0.6)
    run <- function(...) {
        .effendiCascade(m, d$zRna, d$geneEmbedding, 1:5, rep(1, 5), ...,
            encoder = encoder
        )
    }
    none <- run(delta = 0)
    expect_lt(max(abs(none$CE)), 1e-6)
    shut <- run(delta = -1)
    expect_gt(max(abs(shut$CE)), 1e-4)
    expect_true(all(shut$CErna == 0))
    expect_true(all(shut$accessibility[1:5] < 0))
    expect_true(all(shut$accessibility[6:20] == 0))
    both <- run(delta = -1, direction = rep(1, 8))
    expect_gt(max(abs(both$CErna)), 1e-4)
    expect_error(run(delta = 1, direction = 1), "'direction' must be 8")
    expect_error(.effendiCascade(m, d$zRna, d$geneEmbedding, 30, 1, 1,
        encoder
    ), "'peaks' must be numbers of the model's 20")
    expect_error(.effendiCascade(m, d$zRna, d$geneEmbedding, 3, 1:2, 1,
        encoder
    ), "'weights' must be 1 finite")
    expect_error(.effendiPeaks(fitEffendi(d)$model, d$zAtac), "no peak dec")
})
