## Layer 1 of the validation: is the model healthy?

.healthLayer <- function(fit, delays) {
    health <- if (methods::slot(fit, "method") == "effendi") {
        .effendiLayer(fit)
    } else {
        .flowHealth(fit)
    }
    one <- function(test, value, threshold, passed, note = "",
        needs = health$needs) {
        if (is.null(value) || is.na(value)) {
            return(.notRun(1L, test, threshold, needs, "nothing"))
        }
        .testRow(1L, test, value, threshold = threshold, passed = passed(value),
            note = note, uses = "nothing"
        )
    }
    rbind(
        one("Lipschitz constant of the flow", health$lipschitz, "<= 1",
            function(x) x <= 1 + 1e-6, health$note
        ),
        one("reversibility error", health$reversibility, "< 0.01",
            function(x) x < 0.01
        ),
        one("reverse consistency loss", health$loss, "< 0.1",
            function(x) x < 0.1
        ),
        one("numbers that aren't finite", health$broken, "0",
            function(x) x == 0
        ),
        one("expression reconstructed", health$reconstructed, "rho > 0.5",
            function(x) x > 0.5, "median Spearman of fit and data over genes",
            health$needsExpression
        ),
        .distributionRows(delays$tau)
    )
}

.distributionRows <- function(tau) {
    n <- length(tau)
    if (n < 3L || length(unique(tau)) < 3L) {
        needs <- "three genes with different delays"
        return(rbind(
            .notRun(1L, "delays skewed to the right", "> 0", needs),
            .notRun(1L, "delays not normal (Shapiro-Wilk)", "p < 0.05", needs)
        ))
    }
    d <- tau - mean(tau)
    skew <- mean(d^3) / mean(d^2)^1.5
    x <- if (n > 5000L) {
        stats::quantile(tau, stats::ppoints(5000L), names = FALSE)
    } else {
        tau
    }
    test <- stats::shapiro.test(x)
    rbind(
        .testRow(1L, "delays skewed to the right", skew, NA, "> 0", skew > 0,
            n, "skewness"
        ),
        .testRow(1L, "delays not normal (Shapiro-Wilk)", test$statistic,
            test$p.value, "p < 0.05", test$p.value < 0.05, n
        )
    )
}

## Of the trained model: measured again where it is still there (it isn't after
## readRDS()), else as the fit keeps it.
.effendiLayer <- function(fit) {
    engine <- .tauEngine(fit, flow = FALSE)
    losses <- engine$losses
    reverse <- losses$reverse[is.finite(losses$reverse)]
    out <- list(
        needs = "the trained model, which this fit doesn't hold",
        needsExpression = "expression, which this method doesn't keep",
        note = "product of the spectral norms of the field's layers",
        lipschitz = engine$lipschitz, reversibility = engine$reversibility,
        loss = if (length(reverse)) reverse[[length(reverse)]],
        reconstructed = engine$reconstruction,
        broken = sum(!is.finite(engine$tau))
    )
    health <- if (!is.null(engine$model) && !is.null(engine$zAtac)) {
        tryCatch(.effendiHealth(engine$model, engine$zAtac),
            error = function(e) NULL
        )
    }
    if (!is.null(health)) {
        out$lipschitz <- health$lipschitz
        out$reversibility <- health$reversibility
        out$broken <- out$broken + !health$finite
    }
    out
}

## Of the anchored flow: nothing bounds it, so that it is measured.
.flowHealth <- function(fit) {
    engine <- .tauEngine(fit, flow = FALSE)
    out <- list(needs = "a flow, which this fit doesn't have",
        needsExpression = "genes with a delay"
    )
    flow <- is.matrix(engine$velocity) && all(is.finite(engine$velocity)) &&
        all(is.finite(engine$z)) &&
        any(engine$velocity != 0)
    shown <- is.finite(as.data.frame(fit)$tau)
    out$broken <- sum(!is.finite(c(engine$z, engine$velocity)),
        !is.finite(unlist(as.data.frame(fit)[shown, c("tau", "sd")]))
    )
    if (!is.null(engine$fittedRna) && any(shown)) {
        rho <- vapply(which(shown), function(g) {
            suppressWarnings(stats::cor(engine$fittedRna[, g],
                engine$rna[, g], method = "spearman"
            ))
        }, 0)
        out$reconstructed <- stats::median(rho, na.rm = TRUE)
    }
    if (!flow) {
        return(out)
    }
    step <- .flowStep(engine)
    at <- engine$z
    there <- at
    for (i in seq_len(16L)) there <- step(there, 1 / 16)
    back <- there
    for (i in seq_len(16L)) back <- step(back, -1 / 16)
    error <- rowSums((back - at)^2)
    out$lipschitz <- .steepestFlow(engine)
    out$reversibility <- mean(sqrt(error))
    out$loss <- mean(error)
    out$note <- paste("largest norm of the flow's derivative at a metacell;",
        "not bounded by construction"
    )
    out
}

## The derivative of v = sum_j B_j v_j at z is sum_j B_j v_j (l_j - l)' / h^2,
## l the mean landmark under B; its largest singular value over metacells.
.steepestFlow <- function(engine) {
    b <- .softBasis(engine$z, engine$landmarks, engine$bandwidth)
    norms <- vapply(seq_len(nrow(b)), function(i) {
        l <- sweep(engine$landmarks, 2L, b[i, ] %*% engine$landmarks)
        j <- crossprod(engine$velocity * b[i, ], l) / engine$bandwidth^2
        svd(j, 0L, 0L)$d[[1L]]
    }, 0)
    max(norms)
}
