## What a student keeps of its teacher: on the teacher's cells, on held-out
## cells of the same data, and on a second data set: the same system at another
## depth (same network, other counts).
##
##   Rscript bench/student.R [SEEDS] [CSV]
##
## ratio: mean over 150 cells of the AUPRC ratio against the edges active in
## the cell; switching: mean over edges of the AUROC, over these cells, of
## whether the edge is active. Methods: the teacher (cells it was made from),
## its pooled network in every cell, the student, and, for cells the student
## never saw, a per-cell estimator fitted to those cells themselves.

arguments <- commandArgs(trailingOnly = TRUE)
seeds <- 2000L + seq_len(
    if (length(arguments)) as.integer(arguments[[1L]]) else 3L
)
script <- sub("^--file=", "", grep("^--file=", commandArgs(), value = TRUE))
bench <- if (length(script)) dirname(script) else "bench"
csv <- if (length(arguments) > 1L) arguments[[2L]] else
    file.path(bench, "results", "student.csv")
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

## network(cell): TFs x genes
evaluate <- function(network, x, cells) {
    edges <- strsplit(rownames(simulatedTruth(x)), ">", fixed = TRUE)
    edges <- do.call(rbind, edges)
    active <- simulatedTruth(x)[, cells]
    ratio <- numeric(length(cells))
    one <- matrix(0, nrow(edges), length(cells))
    for (i in seq_along(cells)) {
        s <- network(cells[[i]])
        y <- simulatedTruth(x, cells[[i]])[rownames(s), colnames(s)]
        use <- outer(rownames(s), colnames(s), "!=")
        ratio[[i]] <- averagePrecision(y[use], s[use]) / mean(y[use])
        one[, i] <- s[edges]
    }
    varies <- which(rowSums(active) > 20 & rowSums(!active) > 20)
    c(ratio = mean(ratio), switching = mean(vapply(varies, function(e) {
        auroc(active[e, ], one[e, ])
    }, numeric(1))))
}

rows <- list()
for (seed in seeds) for (depth in c(4, 1)) {
    x <- simulateCells(depth = depth, seed = seed)
    other <- simulateCells(depth = if (depth == 4) 2 else 4, seed = seed)
    stopifnot(identical(rownames(simulatedTruth(x)),
        rownames(simulatedTruth(other))
    ))
    set.seed(seed)
    half <- sample(ncol(x), ncol(x) / 2)
    seen <- x[, half]
    unseen <- x[, -half]
    other <- other[, -half]
    teacher <- inferGRN(seen, PerCellGRNParam(), seed = seed)
    pooled <- as.matrix(poolGRN(teacher))
    seconds <- system.time(student <- trainModel(seen, SFMParam(),
        teacher = teacher, seed = seed, verbose = FALSE
    ))[["elapsed"]]
    for (set in c("teacher's cells", "held-out cells", "other depth")) {
        y <- switch(set, "teacher's cells" = seen, "held-out cells" = unseen,
            other
        )
        cells <- sample(colnames(y), 150)
        own <- if (set == "teacher's cells") teacher else
            inferGRN(y, PerCellGRNParam(), seed = seed)
        taught <- inferGRN(y, student, verbose = FALSE)
        methods <- list(
            pooled = function(cell) pooled,
            student = function(cell) cellNetwork(taught, cell),
            fitted = function(cell) cellNetwork(own, cell)
        )
        for (m in names(methods)) {
            value <- evaluate(methods[[m]], y, cells)
            rows[[length(rows) + 1L]] <- data.frame(seed = seed, depth = depth,
                cells = set, method = if (m == "fitted") {
                    if (set == "teacher's cells") "teacher" else "fitted anew"
                } else m, ratio = value[["ratio"]],
                switching = value[["switching"]], teaching = seconds
            )
            print(rows[[length(rows)]], row.names = FALSE)
        }
    }
}
table <- do.call(rbind, rows)
print(aggregate(cbind(ratio, switching, teaching) ~ method + cells + depth,
    table, mean), digits = 3)
hardware <- system2("sh", file.path(bench, "hardware.sh"), stdout = TRUE)
writeLines(c(paste("#", hardware), "# see bench/student.R"), csv)
suppressWarnings(utils::write.table(table, csv, append = TRUE, sep = ",",
    row.names = FALSE, quote = FALSE
))
