## Clock time of cells as the unit of delays.

## How much clock time lies behind a step back along the flow; that, at one
## model unit, is the scale. Places at the rim have no past to look at.
.calibrated <- function(unit, fit, time, timeUnit, verdict, threads) {
    left <- function(reason, warn = TRUE) {
        if (warn) {
            warning("'time' isn't used: ", reason, ".", call. = FALSE)
        }
        unit$reason <- reason
        unit
    }
    if (!isTRUE(verdict$identifiable)) {
        return(left("delays are not identifiable", FALSE))
    }
    s <- .clockFit(fit, time, threads)
    if (!is.finite(s$scale) || s$scale <= 0 || s$scale < 3 * s$chance) {
        return(left(paste0("the flow doesn't advance with the clock (",
            "correlation ", .rho(s$correlation), ")"
        )))
    }
    if (s$correlation < 0.7) {
        warning("flow and clock agree poorly (correlation ",
            .rho(s$correlation), "): ", timeUnit, " are rough.",
            call. = FALSE
        )
    }
    list(name = timeUnit, scale = s$scale,
        error = sqrt(s$chance^2 + s$spread^2 + s$systematic^2),
        method = paste0("clock time along the flow, median over ", s$n,
            " metacells; the error has a systematic part of ",
            round(100 * s$systematic / s$scale), " % as found on simulations"
        ), correlation = s$correlation
    )
}

## Error of the scale found on simulations with known delays, beyond chance.
.clockBias <- function(shape) {
    kinetics <- if (length(shape) == 3L && all(is.finite(shape)))
        sum(shape * c(0, 0.5, 1)) else 0
    0.25 + 0.1 * kinetics
}

## The clock of metacells is smoothed on the basis and read back along the
## flow. Cells of one state differ in clock time: their share of the variance
## (1 - r^2) may lie in the state or in the clock, so the slope is divided by
## r, between the two extremes, and half their distance is part of the error.
.clockFit <- function(fit, time, threads) {
    known <- is.finite(time)
    cell <- factor(fit$metacell[known], levels = seq_along(fit$size))
    n <- as.vector(table(cell))
    clock <- as.vector(tapply(time[known], cell, mean))
    clock[n == 0] <- mean(time[known])
    features <- .delayFeatures(fit, threads)
    now <- .slice(features, 1L)
    penalty <- 1e-3 * mean(n) * diag(ncol(now))
    origin <- mean(time[known])
    w <- solve(crossprod(now, now * n) + penalty,
        crossprod(now, n * (clock - origin))
    )
    steps <- which(fit$grid > 0 & fit$grid <= max(2, fit$grid[[2L]]))
    past <- vapply(steps, function(k) {
        as.vector((now - .slice(features, k)) %*% w)
    }, numeric(nrow(now)))
    g <- fit$grid[steps]
    slope <- as.vector(past %*% g) / sum(g^2)
    inner <- n > 0 & !(fit$rimMetacells %in% TRUE)
    r <- stats::cor(time[known], clock[as.integer(cell)])
    slope <- slope[inner]
    scale <- median(slope) / r
    list(
        scale = scale, n = length(slope), correlation = r,
        ## about one independent place per landmark
        chance = 1.25 * stats::mad(slope) / sqrt(min(length(slope),
            ncol(now)
        )) / r,
        spread = scale * (1 / r - r) / 2,
        systematic = scale * .clockBias(fit$shape)
    )
}

.slice <- function(features, k) {
    matrix(features[k, , ], dim(features)[[2L]])
}

## Basis along the flow, at points and not averaged as kinetics does.
.delayFeatures <- function(fit, threads) {
    if (fit$readout == "delay") {
        return(fit$features)
    }
    flow <- fit[c("landmarks", "bandwidth", "velocity", "z", "size", "trace")]
    .Call(cw_r_tau_features, fit$z, flow, fit$grid, c(1, 0, 0), threads)
}
