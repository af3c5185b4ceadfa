## Pooled networks on sets with known edges: every method, every null, every
## set, by benchmarkGRN().
##
##   Rscript bench/bench_networks.R DATA [CSV] [LIBRARY] [HTML]
##
## DATA is the folder with beeline_synthetic/, beeline_real_small/,
## sergio_DS4/ and dream4_multifactorial_kboost/. Every gene counts as a
## possible regulator; candidates are the sources of the reference x all genes,
## no self edges. The CSV has a row per set, method and seed: AUPRC, AUROC and
## early precision with 95% bootstrap intervals over edges, time, most memory
## beyond that before the call; then, as rows of "all sets", geometric means,
## mean ranks over the methods, and on how many sets a method reaches the best
## of {Pearson, Spearman, GENIE3-style, GRNBoost2-style}, or that best is not
## above its interval. The machine may be shared: times are for orientation.

source(file.path(dirname(sub("^--file=", "", c(grep("^--file=", commandArgs(),
    value = TRUE
), "bench/x")[[1L]])), "common.R"))
if (!length(arguments)) {
    stop("usage: Rscript bench/bench_networks.R DATA [CSV] [LIBRARY] [HTML]")
}
data <- arguments[[1L]]
csv <- or(2L, file.path(bench, "results", "networks.csv"))
attachCauseway(or(3L, ""))

## ---- the sets -----------------------------------------------------------------

folder <- function(...) file.path(data, ...)
table <- function(file) read.csv(file, row.names = 1, check.names = FALSE)
sets <- list()
references <- list()
add <- function(name, x, reference) {
    x <- as.matrix(x)
    if (is.null(rownames(x))) {
        rownames(x) <- paste0("g", seq_len(nrow(x)))
    }
    colnames(x) <- paste0("c", seq_len(ncol(x)))
    sets[[name]] <<- x[, colSums(x) > 0]
    references[[name]] <<- reference
}
synthetic <- folder("beeline_synthetic")
for (m in c("GSD", "HSC", "VSC", "mCAD")) {
    base <- file.path(synthetic, "Simulated", m, paste0(m, "_2000_0"))
    truth <- if (m == "GSD") {
        file.path(synthetic, "example_GSD", "GroundTruthNetwork.csv")
    } else {
        file.path(base, "refNetwork.csv")
    }
    for (dropout in c("", "_50")) {
        add(paste0(m, dropout), table(file.path(paste0(base, dropout),
            "ExpressionData.csv"
        )), read.csv(truth))
    }
}
for (m in paste0("dyn-", c("BF", "BFC", "CY", "LI", "LL", "TF"))) {
    base <- file.path(synthetic, "Synthetic", m)
    add(m, table(file.path(base, paste0(m, "_500_1"), "ExpressionData.csv")),
        read.csv(file.path(base, "refNetwork.csv"))
    )
}
real <- c(hESC = "human/hESC", mEF = "mouse/mEF", `mES-PE` = "mouse/mES-PE",
    `mES-retinoic` = "mouse/mES-retinoic"
)
for (m in names(real)) {
    base <- folder("beeline_real_small", real[[m]])
    x <- table(file.path(base, "ExpressionData.csv"))
    add(m, if (max(x) > 50) log1p(x) else x,
        read.csv(file.path(base, "refNetwork.csv"))
    )
}
edges <- read.csv(folder("sergio_DS4", "gt_GRN.csv"), header = FALSE)
add("SERGIO DS4",
    log1p(table(folder("sergio_DS4", "simulated_noNoise_T_0.csv"))),
    data.frame(Gene1 = as.character(edges[[1L]]),
        Gene2 = as.character(edges[[2L]])
    )
)
for (i in 1:2) {
    e <- new.env()
    for (f in paste0(c("", "G_"), "D4_multi_", i)) {
        load(folder("dream4_multifactorial_kboost", paste0(f, ".RData")), e)
    }
    edges <- e[[paste0("G_D4_multi_", i)]]
    add(paste0("DREAM4_", i), t(e[[paste0("D4_multi_", i)]]), data.frame(
        Gene1 = paste0("g", edges[, 1L]), Gene2 = paste0("g", edges[, 2L])
    )[edges[, 3L] > 0, ])
}

## ---- the methods ----------------------------------------------------------------

methods <- list(
    pearson = CorGRNParam("pearson"), spearman = CorGRNParam("spearman"),
    partial = CorGRNParam("partial"), ridge = RidgeGRNParam(),
    `GENIE3-style` = TreeGRNParam(trees = 300, cut = "value",
        response = "value", minLeaf = 1, sampleSize = Inf
    ),
    `GRNBoost2-style` = TreeGRNParam("boosting", byTrees = TRUE),
    boosting = TreeGRNParam("boosting"), trees = TreeGRNParam(),
    default = CombinedGRNParam()
)
result <- benchmarkGRN(sets, references, methods, seeds = 1, nBoot = 100,
    tfs = "all", alreadyNormalised = TRUE, preprocess = list(dropQC = FALSE),
    title = "Pooled networks on BEELINE, SERGIO and DREAM4", verbose = TRUE
)
print(result)
html <- or(4L, "")
if (nzchar(html)) {
    write(result, html, overwrite = TRUE)
}

## ---- the table ------------------------------------------------------------------

rows <- as.data.frame(result)
wide <- xtabs(auprcRatio ~ factor(data, unique(data)) +
    factor(method, unique(method)), rows)
high <- xtabs(auprcRatioHigh ~ factor(data, unique(data)) +
    factor(method, unique(method)), rows)
plain <- c("pearson", "spearman", "GENIE3-style", "GRNBoost2-style")
best <- apply(wide[, plain], 1L, max)
s <- summary(result)
over <- rows[rep(1L, nrow(s)), ]
over[] <- NA
over$data <- "all sets"
over$method <- s$method
over$null <- s$null
over$auprcRatio <- s$ratio
over$earlyRatio <- s$early
over$seconds <- s$seconds
rows[c("meanRank", "reachesBest", "withinInterval")] <- NA_real_
over$meanRank <- s$meanRank
over$reachesBest <- colMeans(wide >= best)[s$method]
over$withinInterval <- colMeans(high >= best)[s$method]
rows <- rbind(rows, over)
number <- vapply(rows, is.double, logical(1))
rows[number] <- lapply(rows[number], signif, 4L)
hardware <- system2("sh", file.path(bench, "hardware.sh"), stdout = TRUE)
dir.create(dirname(csv), showWarnings = FALSE, recursive = TRUE)
con <- file(csv, "w")
writeLines(paste("#", c(hardware, paste("benchmarkGRN on sets with known",
    "edges; seed 1, 100 bootstrap samples; see bench/bench_networks.R"
))), con)
write.csv(rows, con, row.names = FALSE, quote = FALSE, na = "")
close(con)
print(over[c("method", "auprcRatio", "earlyRatio", "meanRank", "reachesBest",
    "withinInterval")], row.names = FALSE, digits = 3)
message("wrote ", csv)
