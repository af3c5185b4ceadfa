## The noise of slopes of states.

example <- exampleGRN()
states <- contrastStates()

test_that("the noise of slopes is that of the ridge", {
    design <- .contrastDesign(states, .contrastGroups(states, "context",
        "context1", "context2"), NULL, 20L, .newKey(1))
    at <- cbind(c(1L, 3L, 5L), c(20L, 40L, 60L))
    got <- .slopeNoiseP(states, design, at)
    v <- verdict(states)
    expect_true(v$distinguishable)
    ## the definition: features, prior, the covariance of the estimate
    w <- memberships(states)
    x <- .fittedValues(states, match(tfNames(states), geneNames(states)))
    f <- do.call(cbind, c(list(x), lapply(seq_len(ncol(w)), function(k) {
        x * w[, k]
    })))
    prior <- rep(v$a * c(1, v$rho), c(8, 8 * ncol(w)))
    one <- colMeans(w[states$context == "context2", ])
    two <- colMeans(w[states$context == "context1", ])
    for (r in 1:3) {
        t <- at[r, 1L]
        g <- at[r, 2L]
        noise <- .slopeResiduals(states, x, g)
        m <- solve(crossprod(f) / noise + diag(1 / prior))
        cov <- m %*% (crossprod(f) / noise) %*% m
        sd <- sqrt(states@sd[t, ]^2 %*% cbind(one, two))
        contrast <- numeric(ncol(f))
        contrast[t + 8 * (0:ncol(w))] <- c(sd[[1L]] - sd[[2L]],
            sd[[1L]] * one - sd[[2L]] * two)
        d <- sum(states@slope[t, g, ] * one) * sd[[1L]] -
            sum(states@slope[t, g, ] * two) * sd[[2L]]
        z <- abs(d) / sqrt(as.vector(contrast %*% cov %*% contrast))
        expect_equal(got[[r]], 2 * pnorm(-z), tolerance = 1e-5)
    }
    ## the slopes are this ridge's: residuals fit
    g <- 30L
    b <- solve(crossprod(f) / 0.8 + diag(1 / prior),
        crossprod(f, .fittedValues(states, g)) / 0.8
    )
    expect_equal(.slopeResiduals(states, x, g), mean((.fittedValues(states,
        g) - f %*% b)^2), tolerance = 0.05)
})

test_that("noise of slopes: where it can't be had it isn't given", {
    all <- frame(contrastGRN(states, "context", level = "context1", nPerm = 19,
        seed = 1, by = "edges"), "edges")
    expect_true(all(all$pNoise > 0 & all$pNoise <= 1))
    expect_false(is.unsorted(pmax(all$p, all$pNoise)))
    part <- frame(contrastGRN(states[1:300], "context", level = "context1",
        nPerm = 19, seed = 1, by = "edges"), "edges")
    expect_null(part$pNoise)
    expect_null(frame(contrastGRN(example, "group", seed = 1,
        by = "edges"), "edges")$pNoise)
})
