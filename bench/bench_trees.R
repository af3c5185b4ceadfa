## Pooled estimators: how well they find known edges, and how fast trees grow.
##
##   Rscript bench/bench_trees.R quality DATA [CSV] [LIBRARY]
##   Rscript bench/bench_trees.R speed [CSV] [LIBRARY] [PYTHON]
##
## quality: DATA is the folder with beeline_synthetic/, beeline_real_small/,
## sergio_DS4/ and dream4_multifactorial_kboost/. Every gene counts as a
## possible regulator; candidates are the sources of the reference x all genes
## (see evaluateGRN). A row per set and method with its bootstrap interval,
## then geometric means, mean ranks, and the share of sets on which a method
## reaches the best of {Pearson, Spearman, GENIE3-style, GRNBoost2-style} or
## that best lies within its interval.
## speed: simulated counts; the peers GENIE3 (R) and arboreto's GRNBoost2
## regressor (PYTHON has arboreto) run right before or after, on one thread
## each and for as many targets as fit; processor seconds per target, because
## the machine is shared.

source(file.path(dirname(sub("^--file=", "", c(grep("^--file=", commandArgs(),
    value = TRUE
), "bench/x")[[1L]])), "common.R"))
if (!length(arguments)) {
    stop("usage: Rscript bench/bench_trees.R quality|speed ...")
}

write <- function(table, csv, notes) {
    hardware <- system2("sh", file.path(bench, "hardware.sh"), stdout = TRUE)
    dir.create(dirname(csv), showWarnings = FALSE, recursive = TRUE)
    con <- file(csv, "w")
    writeLines(paste("#", c(hardware, notes)), con)
    write.csv(table, con, row.names = FALSE, quote = FALSE, na = "")
    close(con)
    message("wrote ", csv)
}

## ---- quality ----------------------------------------------------------------

readSets <- function(data) {
    folder <- function(...) file.path(data, ...)
    set <- function(name, x, reference) {
        x <- as.matrix(x)
        if (is.null(rownames(x))) {
            rownames(x) <- paste0("g", seq_len(nrow(x)))
        }
        colnames(x) <- paste0("c", seq_len(ncol(x)))
        list(name = name, x = x[, colSums(x) > 0], reference = reference)
    }
    table <- function(file) {
        read.csv(file, row.names = 1, check.names = FALSE)
    }
    synthetic <- folder("beeline_synthetic")
    curated <- expand.grid(model = c("GSD", "HSC", "VSC", "mCAD"),
        dropout = c("", "_50"), stringsAsFactors = FALSE
    )
    out <- lapply(seq_len(nrow(curated)), function(i) {
        m <- curated$model[[i]]
        base <- file.path(synthetic, "Simulated", m, paste0(m, "_2000_0"))
        truth <- if (m == "GSD") {
            file.path(synthetic, "example_GSD", "GroundTruthNetwork.csv")
        } else {
            file.path(base, "refNetwork.csv")
        }
        file <- file.path(paste0(base, curated$dropout[[i]]),
            "ExpressionData.csv"
        )
        set(paste0(m, curated$dropout[[i]]), table(file), read.csv(truth))
    })
    for (m in paste0("dyn-", c("BF", "BFC", "CY", "LI", "LL", "TF"))) {
        base <- file.path(synthetic, "Synthetic", m)
        file <- file.path(base, paste0(m, "_500_1"), "ExpressionData.csv")
        out <- c(out, list(set(m, table(file),
            read.csv(file.path(base, "refNetwork.csv"))
        )))
    }
    real <- c(hESC = "human/hESC", mEF = "mouse/mEF", `mES-PE` = "mouse/mES-PE",
        `mES-retinoic` = "mouse/mES-retinoic"
    )
    for (m in names(real)) {
        base <- folder("beeline_real_small", real[[m]])
        x <- table(file.path(base, "ExpressionData.csv"))
        if (max(x) > 50) {
            x <- log1p(x)
        }
        out <- c(out, list(set(m, x,
            read.csv(file.path(base, "refNetwork.csv"))
        )))
    }
    x <- table(folder("sergio_DS4", "simulated_noNoise_T_0.csv"))
    edges <- read.csv(folder("sergio_DS4", "gt_GRN.csv"), header = FALSE)
    out <- c(out, list(set("SERGIO DS4", log1p(x), data.frame(
        Gene1 = as.character(edges[[1L]]), Gene2 = as.character(edges[[2L]])
    ))))
    for (i in 1:2) {
        e <- new.env()
        for (f in paste0(c("", "G_"), "D4_multi_", i)) {
            base::load(folder("dream4_multifactorial_kboost",
                paste0(f, ".RData")
            ), e)
        }
        edges <- e[[paste0("G_D4_multi_", i)]]
        x <- t(e[[paste0("D4_multi_", i)]])
        out <- c(out, list(set(paste0("DREAM4_", i), x, data.frame(
            Gene1 = paste0("g", edges[, 1L]), Gene2 = paste0("g", edges[, 2L])
        )[edges[, 3L] > 0, ])))
    }
    out
}

quality <- function(data, csv) {
    methods <- list(
        pearson = CorGRNParam("pearson"), spearman = CorGRNParam("spearman"),
        partial = CorGRNParam("partial"), ridge = RidgeGRNParam(),
        `GENIE3-style` = TreeGRNParam(trees = 300, cut = "value",
            response = "value", minLeaf = 1, sampleSize = Inf
        ),
        `GRNBoost2-style` = TreeGRNParam("boosting", byTrees = TRUE),
        boosting = TreeGRNParam("boosting"),
        extratrees = TreeGRNParam(), default = CombinedGRNParam()
    )
    rows <- list()
    for (set in readSets(data)) {
        made <- list()
        for (m in names(methods)) {
            ## the default is made from its parts, which are there already
            seconds <- system.time(grn <- if (m == "default") {
                PooledGRN(as.matrix(made$extratrees)^0.75 *
                    as.matrix(made$ridge)^0.25, nCells = ncol(set$x))
            } else {
                inferGRN(set$x, methods[[m]],
                    tfs = rownames(set$x), nTargets = Inf, seed = 1,
                    alreadyNormalised = TRUE,
                    preprocess = list(dropQC = FALSE), verbose = FALSE
                )
            })[["elapsed"]]
            made[[m]] <- grn
            e <- as.data.frame(evaluateGRN(grn, set$reference,
                methods = "model", nBoot = 100, seed = 1
            ))
            rows[[length(rows) + 1L]] <- data.frame(set = set$name,
                genes = nrow(set$x), cells = ncol(set$x), method = m,
                auprcRatio = e$auprcRatio, low = e$auprcRatioLow,
                high = e$auprcRatioHigh, earlyRatio = e$earlyRatio,
                seconds = seconds
            )
        }
        message(set$name, "  ", paste(names(methods), sprintf("%.2f",
            vapply(tail(rows, length(methods)), `[[`, 1, "auprcRatio")
        ), collapse = "  "))
    }
    all <- do.call(rbind, rows)
    all$set <- factor(all$set, unique(all$set))
    all$method <- factor(all$method, names(methods))
    wide <- xtabs(auprcRatio ~ set + method, all)
    high <- xtabs(high ~ set + method, all)
    plain <- c("pearson", "spearman", "GENIE3-style", "GRNBoost2-style")
    best <- apply(wide[, plain], 1L, max)
    summary <- data.frame(
        set = "all sets", genes = NA, cells = NA, method = names(methods),
        auprcRatio = exp(colMeans(log(wide))), low = NA, high = NA,
        earlyRatio = NA, seconds = NA, meanRank =
            rowMeans(apply(-wide, 1L, rank)),
        reachesBest = colMeans(wide >= best),
        withinInterval = colMeans(high >= best)
    )
    all[c("meanRank", "reachesBest", "withinInterval")] <- NA
    digits <- vapply(all, is.numeric, TRUE)
    all <- rbind(all, summary)
    all[digits] <- lapply(all[digits], round, 3)
    write(all, csv, paste("AUPRC / share of true edges (candidates: sources",
        "of the reference x all genes); last rows: geometric mean"
    ))
    print(round(wide, 2))
    print(summary[c("method", "auprcRatio", "meanRank", "reachesBest",
        "withinInterval")], row.names = FALSE)
}

## ---- speed ------------------------------------------------------------------

## Counts, 85 to 90% zeros, genes x cells, TFs first.
counts <- function(genes, tfs, cells) {
    set.seed(1)
    latent <- matrix(rnorm(20 * cells), 20)
    load <- matrix(rnorm(genes * 20, 0, 0.5), genes)
    rate <- exp(load %*% latent + rnorm(genes, -3, 1))
    x <- matrix(rpois(length(rate), pmin(rate, 50)), genes)
    dimnames(x) <- list(sprintf("G%05d", seq_len(genes)),
        sprintf("c%d", seq_len(cells))
    )
    x[rowSums(x) > 0, colSums(x) > 0]
}

arboreto <- '
import sys, time, numpy as np, pandas as pd
from sklearn.ensemble import GradientBoostingRegressor, ExtraTreesRegressor
x = np.loadtxt(sys.argv[1], delimiter=",").T; tfs = int(sys.argv[2])
targets = int(sys.argv[3]); trees = int(sys.argv[4])
class Stop:  # arboreto.core.EarlyStopMonitor
    def __call__(self, i, e, local):
        return i >= 24 and np.mean(e.oob_improvement_[max(0, i - 24):i + 1]) < 0
n = 0; t = time.process_time()
for g in range(tfs, tfs + targets):
    m = GradientBoostingRegressor(learning_rate=.01, n_estimators=5000,
        max_features=.1, subsample=.9, random_state=1)
    m.fit(x[:, :tfs], x[:, g], monitor=Stop()); m.feature_importances_
    n += m.n_estimators_
boost = (time.process_time() - t) / targets; t = time.process_time()
for g in range(tfs, tfs + targets):
    m = ExtraTreesRegressor(trees, max_features="sqrt", min_samples_leaf=5,
        random_state=1).fit(x[:, :tfs], x[:, g]); m.feature_importances_
print(boost, (time.process_time() - t) / targets, n / targets)
'

speed <- function(csv, python) {
    store <- new.env()
    store$rows <- list()
    note <- function(...) {
        store$rows <- c(store$rows, list(data.frame(...)))
    }
    for (size in list(c(300, 200, 1000), c(1200, 1000, 5000))) {
        x <- counts(size[[1L]], size[[2L]], size[[3L]])
        tfs <- rownames(x)[seq_len(size[[2L]])]
        tfs <- tfs[!is.na(tfs)]
        values <- log1p(t(t(x) / colSums(x)) * 1e4)
        big <- size[[3L]] > 2000
        few <- setdiff(rownames(x), tfs)[seq_len(if (big) 2 else 6)]
        many <- setdiff(rownames(x), tfs)
        ours <- function(method, param, trees, targets = many) {
            prepared <- as(Matrix::Matrix(values, sparse = TRUE), "dgCMatrix")
            view <- causeway:::.estimatorView(list(values = prepared,
                nonTF = !rownames(x) %in% tfs
            ))
            s <- param@settings
            options <- causeway:::.treeOptions(s, view, s$trees)
            target <- match(targets, rownames(x)) - 1L
            seconds <- system.time(fit <- .Call(
                causeway:::cw_r_forest, view[c("dim", "p", "i", "x")],
                view$tf, target, options, c(0, 1), 1L
            ))
            seconds <- sum(seconds[c("user.self", "sys.self")])
            note(cells = ncol(x), tfs = length(tfs), method = method,
                targets = length(targets), trees = mean(fit$grown),
                cpuSecondsPerTarget = seconds / length(targets)
            )
            message(method, " ", seconds / length(targets), " s a target")
        }
        trees <- 1000
        genie <- TreeGRNParam(trees = trees, cut = "value", minLeaf = 1,
            response = "value", sampleSize = Inf
        )
        ours("causeway extra-trees as GENIE3 (all cells, leaf 1)", genie,
            trees, head(many, 4)
        )
        if (requireNamespace("GENIE3", quietly = TRUE)) {
            for (method in c("RF", "ET")) {
                n <- if (big) 20 else trees
                seconds <- system.time(GENIE3::GENIE3(values, regulators = tfs,
                    targets = few, treeMethod = method, nTrees = n
                ))
                seconds <- sum(seconds[c("user.self", "sys.self")]) * trees / n
                note(cells = ncol(x), tfs = length(tfs),
                    method = paste("GENIE3", method), targets = length(few),
                    trees = trees, cpuSecondsPerTarget = seconds / length(few)
                )
                message("GENIE3 ", method, " ", seconds / length(few))
            }
        }
        ours("causeway extra-trees 1000 (2,000 cells, leaf 5)",
            TreeGRNParam(trees = trees, response = "value"), trees,
            head(many, 32)
        )
        ours("causeway extra-trees default (300)", TreeGRNParam(
            response = "value"
        ), 300, head(many, 32))
        ours("causeway boosting", TreeGRNParam("boosting"), NA,
            head(many, 32)
        )
        if (nzchar(python)) {
            file <- tempfile(fileext = ".csv")
            write.table(round(values[c(tfs, many), ], 6), file, sep = ",",
                row.names = FALSE, col.names = FALSE
            )
            code <- tempfile(fileext = ".py")
            writeLines(arboreto, code)
            out <- system2(python, c(code, file, length(tfs), length(few),
                300
            ), stdout = TRUE, env = "OMP_NUM_THREADS=1")
            out <- as.numeric(strsplit(tail(out, 1L), " ")[[1L]])
            names <- c("arboreto GRNBoost2 regressor (scikit-learn)",
                "scikit-learn ExtraTrees 300, leaf 5"
            )
            for (i in 1:2) {
                note(cells = ncol(x), tfs = length(tfs), method = names[[i]],
                    targets = length(few), trees = c(out[[3L]], 300)[[i]],
                    cpuSecondsPerTarget = out[[i]]
                )
                message(names[[i]], " ", out[[i]])
            }
        }
    }
    table <- do.call(rbind, store$rows)
    table$cpuSecondsPerTarget <- signif(table$cpuSecondsPerTarget, 4)
    write(table, csv, paste("processor seconds, one thread each; GENIE3 on",
        "5000 cells: 20 trees, scaled to 1000"
    ))
    print(table)
}

if (arguments[[1L]] == "quality") {
    attachCauseway(or(4L, ""))
    quality(or(2L, "."), or(3L, file.path(bench, "results", "estimators.csv")))
} else {
    attachCauseway(or(3L, ""))
    speed(or(2L, file.path(bench, "results", "trees_speed.csv")), or(4L, ""))
}
