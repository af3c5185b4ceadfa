genes <- setGenes()

test_that("health: a flow that breaks its thresholds fails", {
    fit <- fastEarly()
    fit@fit$velocity <- cbind(rep(c(8, -8), 15), 0)
    out <- namedRows(fit)
    expect_identical(out["Lipschitz constant of the flow", "status"], "FAILED")
    ## derivative by differences
    engine <- fit@fit
    v <- .flowAt(engine)
    h <- 1e-5
    norms <- vapply(seq_len(nrow(engine$z)), function(i) {
        j <- vapply(1:2, function(k) {
            d <- replace(numeric(2), k, h)
            as.vector(v(engine$z[i, , drop = FALSE] + d) -
                v(engine$z[i, , drop = FALSE] - d)) / (2 * h)
        }, numeric(2))
        svd(j)$d[[1L]]
    }, 0)
    expect_equal(out["Lipschitz constant of the flow", "statistic"],
        max(norms), tolerance = 1e-5
    )
    fit@fit$z[3, 1] <- NaN
    expect_identical(namedRows(fit)["numbers that aren't finite", "status"],
        "FAILED"
    )
    none <- fastEarly()
    none@fit$velocity[] <- NaN
    out <- namedRows(none)
    expect_identical(out["reversibility error", "status"], "not run")
    left <- shapedTau(genes, tau = 3 - exp(seq(-3, 0.9, length.out = 50)))
    expect_identical(namedRows(left)["delays skewed to the right", "status"],
        "FAILED"
    )
    set.seed(1)
    normal <- shapedTau(genes, tau = 1 + 0.1 * stats::qnorm(ppoints(50)))
    expect_identical(namedRows(normal)["delays not normal (Shapiro-Wilk)",
        "status"], "FAILED")
    flat <- shapedTau(genes, tau = rep(1, 50))
    expect_identical(namedRows(flat)["delays skewed to the right", "status"],
        "not run"
    )
})

test_that("a trained model's own numbers are used", {
    fit <- fastEarly()
    fit@method <- "effendi"
    fit@fit <- list(lipschitz = 0.98, reversibility = 0.2, tau = 1:3,
        losses = data.frame(stage = 1, epoch = 1:2, reverse = c(1, 0.05))
    )
    out <- namedRows(fit)
    expect_identical(out[out$layer == 1, "status"][1:5],
        c("passed", "FAILED", "passed", "passed", "not run")
    )
    expect_equal(out["reverse consistency loss", "statistic"], 0.05)
})
