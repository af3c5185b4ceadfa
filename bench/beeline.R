## BEELINE's simulated networks (Pratapa et al. 2020, Nature Methods 17,
## 147-154): how well does an SFM trained from scratch, without a prior, find
## the edges, beside correlations and a random ranking?
##
##   Rscript bench/beeline.R DATA [SEEDS] [CSV]
##
## DATA: the folder with Simulated/, Synthetic/ and example_GSD/. All genes
## count as possible regulators. The values are BoolODE's, used as they are.
## SFM: SFMParam() and trainModel() with their defaults, except that epochs
## are chosen to give about 1,500 steps. Per set and method: the mean over
## seeds of the AUPRC ratio (AUPRC / share of true edges) and of the early
## precision ratio, and the range over seeds.

arguments <- commandArgs(trailingOnly = TRUE)
if (!length(arguments)) {
    stop("usage: Rscript bench/beeline.R DATA [SEEDS] [CSV]")
}
data <- arguments[[1L]]
seeds <- if (length(arguments) > 1L) as.integer(arguments[[2L]]) else 2L
seeds <- seq_len(seeds)
script <- sub("^--file=", "", grep("^--file=", commandArgs(), value = TRUE))
bench <- if (length(script)) dirname(script) else "bench"
csv <- if (length(arguments) > 2L) arguments[[3L]] else
    file.path(bench, "results", "beeline.csv")
suppressPackageStartupMessages(library(causeway))

## One row per set: its name, expression file and reference file.
curated <- expand.grid(
    model = c("GSD", "HSC", "VSC", "mCAD"), dropout = c("", "_50"),
    stringsAsFactors = FALSE
)
stem <- paste0("Simulated/", curated$model, "/", curated$model, "_2000_0")
dynamic <- paste0("dyn-", c("BF", "BFC", "CY", "LI", "LL", "TF"))
sets <- data.frame(
    set = c(paste0(curated$model, ifelse(nzchar(curated$dropout),
        " 50% dropout", ""
    )), dynamic),
    expression = c(paste0(stem, curated$dropout, "/ExpressionData.csv"),
        paste0("Synthetic/", dynamic, "/", dynamic, "_500_1/ExpressionData.csv")
    ),
    reference = c(
        ifelse(curated$model == "GSD", "example_GSD/GroundTruthNetwork.csv",
            paste0(stem, "/refNetwork.csv")
        ),
        paste0("Synthetic/", dynamic, "/refNetwork.csv")
    )
)

evaluate <- function(set, seed) {
    x <- as.matrix(read.csv(file.path(data, set$expression), row.names = 1,
        check.names = FALSE
    ))
    x <- x[, colSums(x) > 0] # dropout can empty a cell of five genes
    reference <- read.csv(file.path(data, set$reference))
    model <- newModel(SFMParam(), x,
        tfs = rownames(x), seed = seed, threads = 1 # too small for two
    )
    epochs <- max(1, round(1500 / ceiling(ncol(x) / 16)))
    seconds <- system.time({
        trainModel(x, model,
            alreadyNormalised = TRUE, genes = rownames(x), epochs = epochs,
            seed = seed, verbose = FALSE
        )
        grn <- inferGRN(x, model, alreadyNormalised = TRUE, verbose = FALSE)
    })[["elapsed"]]
    table <- as.data.frame(evaluateGRN(grn, reference, nBoot = 200,
        seed = seed
    ))
    data.frame(
        set = set$set, genes = nrow(x), cells = ncol(x), seed = seed,
        method = table$method, auprcRatio = table$auprcRatio,
        earlyRatio = table$earlyRatio, seconds = seconds
    )
}

rows <- list()
for (i in seq_len(nrow(sets))) {
    for (seed in seeds) {
        rows[[length(rows) + 1L]] <- evaluate(sets[i, ], seed)
        last <- rows[[length(rows)]]
        message(sprintf("%-16s seed %d  %s  (%.0f s)", sets$set[[i]], seed,
            paste(last$method, sprintf("%.2f", last$auprcRatio),
                collapse = "  "
            ), last$seconds[[1L]]
        ))
    }
}
all <- do.call(rbind, rows)

mean3 <- function(x) round(mean(x), 3)
low3 <- function(x) round(min(x), 3)
high3 <- function(x) round(max(x), 3)
key <- list(set = factor(all$set, unique(all$set)),
    method = factor(all$method, unique(all$method))
)
over <- function(column, f) aggregate(all[[column]], key, f)$x
result <- aggregate(all[c("genes", "cells")], key, function(x) x[[1L]])
result$auprcRatio <- over("auprcRatio", mean3)
result$auprcRatioLow <- over("auprcRatio", low3)
result$auprcRatioHigh <- over("auprcRatio", high3)
result$earlyRatio <- over("earlyRatio", mean3)
result$seconds <- round(over("seconds", mean), 1)
result <- result[order(result$set, result$method), ]
result$set <- as.character(result$set)

## The last rows: geometric means over all sets.
geometric <- function(x) round(exp(mean(log(pmax(x, 1e-3)))), 3)
whole <- aggregate(result[c("auprcRatio", "earlyRatio")],
    list(method = result$method), geometric
)
result <- rbind(result, data.frame(
    set = "geometric mean", method = whole$method, genes = NA, cells = NA,
    auprcRatio = whole$auprcRatio, auprcRatioLow = NA, auprcRatioHigh = NA,
    earlyRatio = whole$earlyRatio, seconds = NA
))
hardware <- system2("sh", file.path(bench, "hardware.sh"), stdout = TRUE)
dir.create(dirname(csv), showWarnings = FALSE, recursive = TRUE)
con <- file(csv, "w")
writeLines(c(paste("#", hardware),
    paste0("# causeway ", packageVersion("causeway"), "; seeds ",
        paste(range(seeds), collapse = " to "),
        "; SFM from scratch, no prior, about 1500 steps of 16 cells"
    )
), con)
write.csv(result, con, row.names = FALSE, quote = FALSE, na = "")
close(con)
message("wrote ", csv)
print(xtabs(auprcRatio ~ factor(set, unique(set)) + method, result))
