## Networks per cell state on simulated cells with a known network in each:
## the numbers of the method page (networks-that-work.md) on fresh seeds.
##
##   Rscript bench/percell.R [SEEDS] [CSV]
##
## Regimes: "switching" (the page's: half of the edges work in some contexts,
## TFs can be off), "constant" (contexts differ, no edge switches), "one type"
## (no contexts to see). Methods: the pooled network in every cell, that times
## the TF's spread in the state, the per-cell default, the same given the true
## contexts, and uncentred with the true contexts permuted over cells (beside
## that fit's own pooled network).
## pooled: AUPRC ratio of the mean over cells against all edges; cell: mean
## over cells of the AUPRC ratio against the cell's own edges; switching: mean
## over edges of the AUROC, over cells, of whether an edge is active; expressed:
## the same over the cells in which the TF is on. 200 cells are scored.
## called: "distinguishable" or not; elapsed, cpu: seconds of inferGRN() alone,
## 2 threads.

arguments <- commandArgs(trailingOnly = TRUE)
seeds <- 2000L + seq_len(
    if (length(arguments)) as.integer(arguments[[1L]]) else 5L
)
script <- sub("^--file=", "", grep("^--file=", commandArgs(), value = TRUE))
bench <- if (length(script)) dirname(script) else "bench"
csv <- if (length(arguments) > 1L) arguments[[2L]] else
    file.path(bench, "results", "percell.csv")
suppressPackageStartupMessages(library(causeway))

averagePrecision <- function(positive, score) {
    y <- positive[order(-score)]
    mean((cumsum(y) / seq_along(y))[y])
}

auroc <- function(positive, score) {
    n <- as.numeric(sum(positive))
    m <- length(positive) - n
    (sum(rank(score)[positive]) - n * (n + 1) / 2) / (n * m)
}

## score(cells): matrix, candidate edges x cells; NULL `mean`: their row means.
evaluate <- function(score, mean, cells, truth) {
    set.seed(1)
    at <- sample(ncol(cells), 200)
    jitter <- 1e-12 * stats::runif(nrow(truth$active))
    n <- ncol(cells)
    one <- score(at)
    out <- c(pooled = averagePrecision(truth$union, mean + jitter) /
        base::mean(truth$union))
    out[["cell"]] <- base::mean(vapply(seq_along(at), function(i) {
        y <- truth$active[, at[[i]]]
        averagePrecision(y, one[, i] + jitter) / base::mean(y)
    }, numeric(1)))
    all <- score(seq_len(n))[truth$edge, ]
    active <- truth$active[truth$edge, ]
    varies <- function(y) sum(y) > 30 && sum(!y) > 30
    sw <- hard <- numeric()
    for (e in seq_along(truth$edge)) {
        y <- active[e, ]
        on <- truth$on[truth$tf[[e]], ]
        if (varies(y)) {
            sw <- c(sw, auroc(y, all[e, ]))
        }
        if (varies(y[on])) {
            hard <- c(hard, auroc(y[on], all[e, on]))
        }
    }
    out[["switching"]] <- if (length(sw)) base::mean(sw) else NA
    out[["expressed"]] <- if (length(hard)) base::mean(hard) else NA
    out
}

## Candidate edges (all but self) x cells, and which of them are edges.
truthOf <- function(cells, grn) {
    sim <- S4Vectors::metadata(cells)$simulation
    tfs <- tfNames(grn)
    genes <- geneNames(grn)
    pairs <- which(outer(tfs, genes, "!="), arr.ind = TRUE)
    id <- paste0(tfs[pairs[, 1L]], ">", genes[pairs[, 2L]])
    known <- simulatedTruth(cells)
    active <- matrix(FALSE, nrow(pairs), ncol(cells))
    at <- match(rownames(known), id)
    active[at[!is.na(at)], ] <- known[!is.na(at), ]
    on <- crossprod(sim$on, sim$context) > 0.5
    list(pairs = pairs, active = active, union = rowSums(active) > 0,
        edge = at[!is.na(at)], tf = sim$edges$Gene1[!is.na(at)], on = on
    )
}

## |slope| x sd at every cell's memberships, for the candidate pairs.
scorer <- function(grn, pairs, slope = grn@slope, sd = grn@sd) {
    flat <- matrix(slope, ncol = dim(slope)[[3L]])
    flat <- flat[(pairs[, 2L] - 1L) * dim(slope)[[1L]] + pairs[, 1L], ,
        drop = FALSE
    ]
    function(at) {
        w <- t(grn@memberships[at, , drop = FALSE])
        abs(flat %*% w) * sqrt((sd^2 %*% w)[pairs[, 1L], , drop = FALSE])
    }
}

regimes <- list(
    switching = list(),
    constant = list(switching = 0, off = 0),
    "one type" = list(switching = 0, off = 0, tfSpread = 0, geneSpread = 0,
        trajectory = "discrete"
    )
)
rows <- list()
for (regime in names(regimes)) {
    for (depth in c(4, 1)) {
        for (seed in seeds) {
            cells <- do.call(simulateCells, c(
                list(seed = seed, depth = depth), regimes[[regime]]
            ))
            seconds <- system.time(
                grn <- inferGRN(cells, PerCellGRNParam(), seed = seed,
                    threads = 2, verbose = FALSE
                )
            )
            truth <- truthOf(cells, grn)
            v <- verdict(grn)
            same <- abs(grn@pooled)[truth$pairs]
            add <- function(method, score, mean, v = NULL,
                seconds = c(elapsed = NA, user.self = NA, sys.self = NA)) {
                rows[[length(rows) + 1L]] <<- data.frame(
                    regime = regime, depth = depth, seed = seed,
                    method = method,
                    t(evaluate(score, mean, cells, truth)),
                    states = if (is.null(v)) NA else ncol(grn@memberships),
                    gain = if (is.null(v)) NA else v$gain,
                    nullMax = if (is.null(v)) NA else max(v$nullGain),
                    variation = if (is.null(v)) NA else v$variation,
                    called = if (is.null(v)) NA else v$distinguishable,
                    elapsed = seconds[["elapsed"]],
                    cpu = seconds[["user.self"]] + seconds[["sys.self"]]
                )
            }
            add("pooled", function(at) {
                matrix(same, length(same), length(at))
            }, same)
            spread <- scorer(grn, truth$pairs,
                array(grn@pooled, dim(grn@slope))
            )
            add("pooled x sd", spread, rowMeans(spread(seq_len(ncol(cells)))))
            own <- scorer(grn, truth$pairs)
            add("per cell", own, poolGRN(grn)@scores[truth$pairs], v, seconds)
            if (regime == "switching") {
                given <- inferGRN(cells, PerCellGRNParam(states = "context"),
                    seed = seed, verbose = FALSE
                )
                add("per cell, true contexts", scorer(given, truth$pairs),
                    poolGRN(given)@scores[truth$pairs]
                )
                mixed <- sample(cells$context)
                null <- inferGRN(cells, PerCellGRNParam(states = mixed,
                    centre = FALSE
                ), seed = seed, verbose = FALSE)
                add("permuted states", scorer(null, truth$pairs),
                    poolGRN(null)@scores[truth$pairs], verdict(null)
                )
                flat <- abs(null@pooled)[truth$pairs]
                add("pooled of the line above", function(at) {
                    matrix(flat, length(flat), length(at))
                }, flat)
            }
        }
    }
}
result <- do.call(rbind, rows)
keys <- c("method", "depth", "regime")
numbers <- setdiff(names(result), c(keys, "seed"))
means <- stats::aggregate(result[numbers], result[keys], mean, na.rm = TRUE,
    na.action = NULL
)
means$seed <- "mean"
result$seed <- as.character(result$seed)
out <- rbind(means[names(result)], result)
hardware <- system2("sh", file.path(bench, "hardware.sh"), stdout = TRUE)
con <- file(csv, "w")
writeLines(paste("#", hardware), con)
utils::write.csv(format(out, digits = 4), con, row.names = FALSE,
    quote = FALSE
)
close(con)
print(means[order(means$regime, -means$depth), ], digits = 3)
