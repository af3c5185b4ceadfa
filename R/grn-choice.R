## What the default estimator does with these cells: centred on states or not,
## led by trees or by correlation. Chosen and tested by bench/bench_networks.R.

## Weights of trees, ridge, Pearson's and Spearman's correlation, and of the
## target's largest Pearson correlation. "trees": where values are measured
## without many zeros. "states": expression centred on states. The other two,
## where cells are measured by counting, give half to one of trees and
## correlation and a quarter to each plain correlation: on counted real cells
## no single estimator wins; means of AUPRC stay within a hundredth of those
## without the quarters, and the best is missed on one set less of 55.
## "few": trees as without zeros. "counts": from 30 genes on many targets are
## mostly noise, and those go first that something explains.
.defaultWeights <- list(trees = c(9, 1), few = c(9, 1, 5, 5),
    counts = c(2.7, 0.3, 16.5, 6.5), states = c(1, 1, 3)
)
.defaultByTarget <- c(trees = 0, few = 0, counts = 10, states = 0)

## Counting leaves zeros.
.isCounted <- function(values) {
    Matrix::nnzero(values) < 0.9 * as.numeric(nrow(values)) * ncol(values)
}

## The default with its weights settled; another estimator as it is.
.settleWeights <- function(model, prepared, centring, verbose) {
    if (!methods::is(model, "CombinedGRNParam") ||
        length(model@settings$weights)) {
        return(model)
    }
    choice <- if (centring$centred) {
        "states"
    } else if (.isCounted(prepared$values)) {
        if (nrow(prepared$values) >= 30L) "counts" else "few"
    } else {
        "trees"
    }
    s <- model@settings
    s$weights <- .defaultWeights[[choice]]
    s$estimators <- c(s$estimators, CorGRNParam("spearman"))
    s$estimators <- s$estimators[seq_along(s$weights)]
    s$byTarget <- .defaultByTarget[[choice]]
    s$choice <- choice
    model@settings <- s
    .say(verbose, "Led by ", .choiceText(choice), ".")
    model
}

.choiceOf <- function(param) {
    if (methods::is(param, "CombinedGRNParam")) param@settings$choice
}

.choiceText <- function(choice) {
    c(states = "correlation within states, with trees and ridge",
        counts = "correlations (many values are zero counts), with trees",
        few = "trees and correlations (many values are zero counts)",
        trees = "trees, with ridge"
    )[[choice]]
}

## ---- centring on states ---------------------------------------------------

## Where the default may centre: cells, genes, and nats per entry of evidence
## that centred expression holds for a network over none; and the share of what
## repeats in halves of the cells that must still do so when centred. Set on
## simulations, and on control and stimulated PBMC, where it must stay closed.
.centreGate <- list(cells = 300, genes = 80, gain = 5e-4, repeats = 1 / 3,
    variance = c(0.001, 0.003, 0.01)
)

## Cells less the means of their states, standardised, where the gate or the
## caller says so; and what was done.
.centreStates <- function(prepared, model, centre, key, threads, verbose) {
    v <- prepared$values
    asked <- !is.null(centre)
    use <- if (asked) centre else .mayCentre(prepared, model, verbose)
    report <- list(centred = FALSE)
    if (use && asked) {
        .warnTimes(prepared)
    }
    need <- 40 * length(v)
    if (use && need > .memoryLimit()) {
        text <- paste0(ncol(v), " cells x ", nrow(v), " genes need about ",
            .bytes(need), " of memory to be centred on states"
        )
        if (asked) {
            .stopArgument("centre", "is TRUE, but ", text, "; take fewer ",
                "cells or genes."
            )
        }
        message("not centred: ", text)
        use <- FALSE
    }
    if (!use || ncol(v) < 3L) {
        return(list(prepared = prepared, report = report))
    }
    fit <- .centreFit(prepared, asked, key, threads)
    report <- list(centred = !is.null(fit$values), states = fit$numbers[[1L]],
        gain = fit$numbers[[3L]], silhouette = fit$numbers[[4L]]
    )
    if (!report$centred) {
        return(list(prepared = prepared, report = report))
    }
    centred <- .asSparse(fit$values)
    if (!asked) {
        report[c("halves", "halvesCentred")] <- .halvesOf(prepared,
            list(v, centred), key, threads
        )
        report$centred <- report$halvesCentred >= .centreGate$repeats *
            report$halves
    }
    if (report$centred) {
        .say(verbose, "Expression is centred on ", report$states, " states.")
        prepared <- .lessSums(prepared)
        prepared$values <- centred
    } else {
        .say(verbose, "Not centred on states: within them ",
            .percent(report$halvesCentred, 0L), " of the highest edges ",
            "repeat in the other half of the cells, ",
            .percent(report$halves, 0L), " over all."
        )
    }
    list(prepared = prepared, report = report)
}

.mayCentre <- function(prepared, model, verbose) {
    may <- methods::is(model, "CombinedGRNParam") &&
        ncol(prepared$values) >= .centreGate$cells &&
        nrow(prepared$values) >= .centreGate$genes
    time <- if (may) .timeColumn(prepared$cellData)
    if (!is.null(time)) {
        .say(verbose, "Not centred on states: column \"", time, "\" of ",
            "colData(x) says that these cells are a time course, whose ",
            "states are the signal."
        )
    }
    may && is.null(time)
}

.centreFit <- function(prepared, asked, key, threads) {
    v <- prepared$values
    view <- list(p = v@p, i = v@i, x = v@x, genes = as.numeric(nrow(v)),
        cells = as.numeric(ncol(v))
    )
    tfs <- sum(!prepared$nonTF)
    .Call(cw_r_centre, view, which(!prepared$nonTF) - 1L, list(
        a = .priorGrid(NULL, tfs), rho = 0.1
    ), list(low = 2, high = min(8, ncol(v) - 1), neighbours = 30,
        centring = if (asked) "always" else "gated",
        gateCells = .centreGate$cells, gateGenes = .centreGate$genes,
        gateGain = .centreGate$gain
    ), key, threads)
}

## ---- time courses ---------------------------------------------------------

## The column of `cellData` that says when the cells were taken; NULL: none. By
## its name, with two or more values, or by values such as "day 2" or "48h".
.timeColumn <- function(cellData) {
    named <- "^(time|timepoint|time_?point|day|days|hour|hours|hpf)$"
    timed <- paste0("^ *(d|day|days|h|hr|hrs|hour|hours|min|week|weeks|wk|e)",
        "[ ._-]*[0-9]+([.][0-9]+)?$|^ *[0-9]+([.][0-9]+)? *",
        "(d|day|days|h|hr|hrs|hour|hours|min|hpf|week|weeks|wk)$")
    for (name in colnames(cellData)) {
        x <- cellData[[name]]
        if (!is.atomic(x) && !is.factor(x)) {
            next
        }
        values <- unique(as.character(x[!is.na(x)]))
        many <- length(values) > 1L && length(values) < nrow(cellData) / 2
        if (many && (grepl(named, name, ignore.case = TRUE) ||
            sum(grepl(timed, values, ignore.case = TRUE)) >= 2L)) {
            return(name)
        }
    }
    NULL
}

.warnTimes <- function(prepared) {
    time <- .timeColumn(prepared$cellData)
    if (!is.null(time)) {
        warning("'centre' is TRUE, and column \"", time, "\" of colData(x) ",
            "says that these cells are a time course: what differs between ",
            "its states is the signal, and centring takes it away. ",
            "centre = FALSE keeps it.",
            call. = FALSE
        )
    }
}

## ---- halves of the cells --------------------------------------------------

## Share of the highest edges (500, at most a twentieth of all) that both
## halves of the cells have, by ridge times reliability; a number for each
## matrix in `values`.
.halvesOf <- function(prepared, values, key, threads) {
    n <- ncol(values[[1L]])
    order <- .shuffled(n, key, 0L)
    half <- list(order[seq_len(n %/% 2L)], order[-seq_len(n %/% 2L)])
    vapply(values, function(v) {
        fits <- lapply(half, function(at) {
            part <- .lessSums(prepared)
            part$values <- v[, sort(at), drop = FALSE]
            view <- .estimatorView(part)
            .estimate(RidgeGRNParam(.centreGate$variance), view, key,
                threads
            )$scores * .edgeReliability(view$sums)
        })
        .sharedTop(fits[[1L]], fits[[2L]])
    }, 0)
}

.halvesTop <- function(possible) max(1, min(500, floor(possible / 20)))

.sharedTop <- function(a, b) {
    top <- .halvesTop(length(a) - nrow(a))
    highest <- function(s) utils::head(order(-s, method = "radix"), top)
    length(intersect(highest(a), highest(b))) / top
}

## How much of the default's data repeats: share of the highest edges that both
## halves have, and by chance. NULL: not asked (other estimators, few cells).
.halvesReport <- function(model, centred, key, threads) {
    v <- centred$prepared$values
    if (!methods::is(model, "CombinedGRNParam") || ncol(v) < 40L) {
        return(NULL)
    }
    r <- centred$report
    known <- if (r$centred) r$halvesCentred else r$halves
    share <- if (is.null(known)) .halvesOf(centred$prepared, list(v), key,
        threads) else known
    possible <- as.numeric(nrow(v) - 1) * sum(!centred$prepared$nonTF)
    top <- .halvesTop(possible)
    list(share = share, top = top, chance = top / possible,
        centred = r$centred
    )
}

.halvesText <- function(h) {
    paste0("of the ", h$top, " highest edges by ridge, halves of the cells ",
        "share ", .percent(h$share, 0L), " (by chance ",
        .percent(h$chance), "): ", if (h$share < max(0.05, 2 * h$chance))
            "no network is seen to repeat" else if (h$share < 0.2)
            "they repeat weakly" else "they repeat",
        if (h$centred) ", within states" else ", states together"
    )
}

.halvesVerdict <- function(h) {
    seen <- h$share >= max(0.05, 2 * h$chance)
    text <- .halvesText(h)
    .verdict(paste0(if (seen) "One network for all cells: " else
        "! One network for all cells: ", text, "."), seen, halves = h)
}
