## The noise of slopes of states.

example <- exampleGRN()
states <- contrastStates()

test_that("the noise of slopes is that of the ridge", {
    data <- cellData(states)
    design <- .contrastDesign(data, .contrastGroups(data, "context",
        "context1", "context2"), NULL, 20L, .newKey(1))
    at <- cbind(c(1L, 3L, 5L), c(20L, 40L, 60L))
    got <- .slopeNoiseP(states, .networkColumns(states, design$at), design, at)
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

test_that("networks per label: the noise is that of a label's ridge", {
    d <- labelledCells(300)
    grn <- fitLabels(d)
    expect_true(all(verdict(grn)$states$departs))
    ## as if two labels had the pooled network
    grn@verdict$states$departs[c(1L, 3L)] <- FALSE
    grn@slope[, , c(1L, 3L)] <- grn@pooled
    grn@sd[, c(1L, 3L)] <- 1
    change <- contrastGRN(grn, d$label, ref = "a", level = "b", nPerm = 19,
        top = 20, seed = 1, verbose = FALSE)
    t <- as.data.frame(change, "edges")
    row <- which(t$Gene1 == "G4" & t$Gene2 == "G5")
    ## the departure of b alone, by its definition
    z <- t(d$x)
    z <- z - apply(z, 2L, stats::ave, d$label)
    z <- sweep(z, 2L, sqrt(colMeans(z^2)), "/")[d$label == "b", ]
    f <- z[, 1:4]
    s <- max(0.2, mean((z[, 5] - f %*% grn@pooled[, 5])^2))
    m <- solve(crossprod(f) + diag(1 / verdict(grn)$states$a[[2L]], 4))
    se <- sqrt(s * (m %*% crossprod(f) %*% m)[4, 4]) * grn@sd[4, 2]
    gap <- grn@slope[4, 5, 2] * grn@sd[4, 2] - grn@pooled[4, 5]
    expect_equal(t$pNoise[[row]], 2 * stats::pnorm(-abs(gap) / se),
        tolerance = 1e-4)
    expect_true(verdict(change)$holds)
    expect_match(verdict(change)$text, "pooled network: a", all = FALSE)
    ## two labels with the pooled network: nothing to compare
    same <- contrastGRN(grn, d$label, ref = "a", level = "c", nPerm = 19,
        top = 20, seed = 1, verbose = FALSE)
    expect_false(verdict(same)$holds)
    expect_match(verdict(same)$text, "all cells have the same", all = FALSE)
})
