## Scoring networks: (speed) seconds of evaluateGRN() on 1e7 candidate edges,
## by parts, and of one bootstrap sample; (fdr) share of edges at q < 0.1 that
## are no regulation, on simulated cells, and whether p is uniform on permuted
## data; (stability) edges kept with other seeds, on halves of the cells and
## with one cell removed.
##
##   Rscript bench/bench_evaluate.R [speed] [fdr] [stability] [RESULTS]
##
## Writes evaluate_speed.csv, evaluate_fdr.csv, evaluate_stability.csv into
## RESULTS (bench/results). speed: random scores, 1,000 TFs x 10,000 genes,
## references of 1% and 26% of the candidates. fdr: 1,000 cells, 100 genes, 15
## TFs, 20 null networks, seeds 1 to 3; `within contexts`: values permuted
## within the true contexts; ksD, minQ, p01: on the same values permuted over
## all cells, the distance of p from uniform, the smallest q, the share of
## p < 0.01. stability: 1,000 cells of the same kind, defaults.

suppressPackageStartupMessages(library(causeway))
arguments <- commandArgs(trailingOnly = TRUE)
script <- sub("^--file=", "", grep("^--file=", commandArgs(), value = TRUE))
bench <- if (length(script)) dirname(script) else "bench"
parts <- intersect(c("speed", "fdr", "stability"), arguments)
folder <- c(setdiff(arguments, parts), file.path(bench, "results"))[[1L]]
if (!length(parts)) {
    parts <- c("speed", "fdr", "stability")
}
hardware <- system2("sh", file.path(bench, "hardware.sh"), stdout = TRUE)
dir.create(folder, showWarnings = FALSE, recursive = TRUE)

save <- function(table, name) {
    con <- file(file.path(folder, name), "w")
    on.exit(close(con))
    writeLines(paste("#", hardware), con)
    utils::write.csv(format(table, digits = 3), con, row.names = FALSE,
        quote = FALSE
    )
    print(table, digits = 3)
}

speed <- function(tfs = 1000, genes = 10000) {
    set.seed(1)
    names <- paste0("g", seq_len(genes))
    x <- PooledGRN(matrix(rexp(tfs * genes), tfs,
        dimnames = list(names[seq_len(tfs)], names)
    ))
    rows <- lapply(c(1e5, 3e6), function(n) {
        reference <- data.frame(TF = sample(names[seq_len(tfs)], n, TRUE),
            target = sample(names, n, TRUE)
        )
        run <- function(...) {
            gc()
            t <- system.time(e <- evaluateGRN(x, reference, seed = 1, ...))
            list(s = t[["elapsed"]], cpu = sum(t[c("user.self",
                "sys.self")]), e = e
            )
        }
        whole <- run(nBoot = 0)
        model <- run(nBoot = 0, methods = "model")
        boot <- run(nBoot = 10, methods = "model")
        data.frame(candidates = whole$e@facts$candidates,
            known = whole$e@facts$positives, seconds = whole$s,
            cpu = whole$cpu, seconds_model_only = model$s,
            seconds_per_bootstrap_sample = (boot$s - model$s) / 10
        )
    })
    save(do.call(rbind, rows), "evaluate_speed.csv")
}

estimators <- list(RidgeGRNParam(), CorGRNParam(), CorGRNParam("partial"),
    CombinedGRNParam(list(TreeGRNParam(trees = 50), RidgeGRNParam()), c(3, 1))
)

## Discoveries and their truth; and the same on permuted values.
oneFdr <- function(mode, param, seed) {
    cells <- simulateCells(nCells = 1000, nGenes = 100, nTFs = 15,
        nContexts = if (mode == "one context") 1 else 4, seed = seed
    )
    truth <- S4Vectors::metadata(cells)$simulation$edges
    grn <- inferGRN(cells, param, nTargets = Inf, centre = FALSE, seed = 1)
    null <- nullGRN(grn, "expression", nPerm = 20, cells = cells, seed = 1,
        group = if (mode == "within contexts") "context"
    )
    e <- edgeFDR(grn, null)
    true <- paste(e$Gene1, e$Gene2) %in% paste(truth$Gene1, truth$Gene2)
    found <- e$q < 0.1
    x <- as.matrix(SummarizedExperiment::assay(cells, "counts"))
    x <- log1p(1e4 * t(t(x) / colSums(x)))
    set.seed(seed)
    x <- t(apply(x, 1, sample))
    dimnames(x) <- dimnames(cells)
    none <- inferGRN(x, param, nTargets = Inf, alreadyNormalised = TRUE,
        centre = FALSE, seed = 2
    )
    p <- edgeFDR(none, nullGRN(none, "expression", nPerm = 20, cells = x, seed = 3))
    data.frame(cells = mode, estimator = metadata(grn)$model, seed = seed,
        found = sum(found), falseShare = 1 - mean(true[found]),
        recall = sum(found & true) / sum(true),
        ksD = suppressWarnings(stats::ks.test(p$p, "punif")$statistic),
        minQ = min(p$q), p01 = mean(p$p < 0.01)
    )
}

fdr <- function() {
    grid <- expand.grid(seed = 1:3, param = seq_along(estimators),
        mode = c("contexts", "within contexts", "one context"),
        stringsAsFactors = FALSE
    )
    rows <- do.call(rbind, lapply(seq_len(nrow(grid)), function(i) {
        oneFdr(grid$mode[[i]], estimators[[grid$param[[i]]]], grid$seed[[i]])
    }))
    means <- stats::aggregate(cbind(found, falseShare, recall, ksD, minQ,
        p01) ~ cells + estimator, rows, mean)
    means$seed <- "mean"
    rows$seed <- as.character(rows$seed)
    save(rbind(means[names(rows)], rows), "evaluate_fdr.csv")
}

stability <- function() {
    cells <- simulateCells(nCells = 1000, nGenes = 100, nTFs = 15, seed = 1)
    models <- c(estimators, list(PerCellGRNParam(nPerm = 2)))
    rows <- lapply(models, function(model) {
        s <- stabilityGRN(cells, model, seed = 1, tfs = NULL, nTargets = 1000)
        t <- as.data.frame(s)
        m <- stats::aggregate(cbind(jaccard, chance, rankCorrelation) ~
            comparison, t, mean)
        data.frame(estimator = s@facts$model, top = s@facts$top, m)
    })
    save(do.call(rbind, rows), "evaluate_stability.csv")
}

for (part in parts) {
    switch(part, speed = speed(), fdr = fdr(), stability = stability())
}
