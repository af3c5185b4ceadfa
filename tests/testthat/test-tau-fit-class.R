test_that("a fit gives its parts", {
    fit <- tauFit()
    expect_true(validObject(fit))
    expect_equal(tau(fit)$tau, seq(0.3, 2, length.out = 30))
    expect_identical(attr(tau(fit), "unit"), "median delay")
    expect_identical(dim(fit), c(genes = 30L, cells = 230L))
    expect_identical(geneNames(fit), paste0("gene", 1:30))
    expect_identical(nrow(cellData(fit)), 230L)
    expect_identical(peakLinks(fit)$weight, rep(1, 60))
    expect_identical(as.data.frame(fit)$peaks, rep(2L, 30))
    expect_error(tauCells(fit), "one delay per gene")
    expect_error(tau(fit, forse = TRUE), "forse")
})

test_that("what isn't identifiable has no numbers unless forced", {
    null <- tauFit(list(lead = 0.52, gain = -3))
    expect_warning(t <- tau(null), "not identifiable: RNA doesn't follow")
    expect_true(all(is.na(unlist(t[c("tau", "sd", "low", "high")]))))
    expect_identical(t$gene, geneNames(null))
    expect_silent(t <- tau(null, force = TRUE))
    expect_false(anyNA(t$tau))
    expect_identical(verdict(null)$lead, 0.52)
    expect_false(verdict(null)$holds)
    expect_match(verdict(null)$text, "^Delays are NOT identifiable: RNA")
    expect_true(verdict(tauFit())$holds)
})

test_that("what isn't a fit is said in words", {
    for (verb in list(tau, tauCells, peakLinks)) {
        expect_error(verb(3), "'x' must be a TauFit, as estimateTau\\(\\) gives")
    }
    expect_error(tau(data.frame(a = 1)), "it is a data.frame")
})
