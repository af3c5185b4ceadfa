test_that("a loop is followed once round", {
    fit <- shapedTau()
    engine <- fit@fit
    expect_false(.flowReturns(engine))
    angle <- seq(0, 2 * pi, length.out = 81)[-81]
    at <- seq(0, 2 * pi, length.out = 31)[-31]
    ## period 2 pi / 0.5
    engine$z <- 2 * cbind(cos(angle), sin(angle))
    engine$landmarks <- 2 * cbind(cos(at), sin(at))
    engine$velocity <- cbind(-sin(at), cos(at))
    engine$time <- rep(c(0, 0.1), 40)
    engine$embedding <- engine$z[engine$metacell, ]
    place <- .flowTime(engine)
    expect_true(place$loop)
    expect_equal(max(place$time), 4 * pi, tolerance = 0.05)
    turned <- (place$time - place$time[[1L]]) %% (4 * pi)
    expect_equal(turned[2:79], 2 * angle[2:79], tolerance = 0.05)
    fit@fit <- engine
    drawn(plotFlow(fit))
    expect_match(plotLag(fit, "gene003")$labels$x, "once round")
})
