# annotation_null.R: labels that mean nothing. Permutes the labels of development sets (annotation_data.R) and asks
# trainAnnotator() whether they can be told apart; at least 95 of 100 must be "not distinguishable". Rscript
# bench/annotation_null.R [runs] [library]; CW_DATA: the shared data. Writes bench/results/annotation_null.csv, a row per
# run as they come, real labels first. 200 cells of a set, of which no two runs are the same, and the 1,000 genes seen in
# most of them; labels permuted within donors where there are donors, else freely.

args <- commandArgs(TRUE)
runs <- if (length(args)) as.integer(args[[1]]) else 100L
suppressPackageStartupMessages(library(causeway, lib.loc = if (length(args) > 1) args[[2]]))
here <- if (file.exists("bench/annotation_data.R")) "bench" else "."
source(file.path(here, "annotation_data.R"))
all <- sets(Sys.getenv("CW_DATA", "../shared/data"))

one <- function(name, run, permuted = TRUE) {
    set.seed(5000 + run)
    s <- all[[name]]
    s <- cells_of(s, sort(sample(ncol(s$X), min(200L, ncol(s$X)))))
    s$X <- s$X[sort(head(order(-Matrix::rowSums(s$X > 0)), 1000)), ]
    colnames(s$X) <- paste0("c", seq_len(ncol(s$X)))
    block <- if (length(unique(s$batch)) > 1) s$batch
    unit <- if (is.null(block)) rep(1, ncol(s$X)) else block
    label <- s$label
    if (permuted) {
        for (u in unique(unit)) {
            at <- which(unit == u)
            label[at] <- s$label[at[sample.int(length(at))]]
        }
    }
    x <- SingleCellExperiment(setNames(list(s$X), if (s$logged) "logcounts" else "counts"))
    a <- trainAnnotator(x, label, block = block, seed = run, verbose = FALSE)
    data.frame(set = name, run = run, permuted = permuted, cells = ncol(s$X), types = a@facts$types,
        f1 = round(a@facts$f1, 3), nullMax = round(max(a@facts$f1Null), 3), distinguishable = verdict(a)$holds,
        engine = causeway:::.engineText())
}
out <- file.path(here, "results", "annotation_null.csv")
unlink(out)
write <- function(row) {
    write.table(row, out, sep = ",", row.names = FALSE, append = file.exists(out), col.names = !file.exists(out))
}
use <- c("sym", "kang", "panc", "wang", "pbmc500", "p68k")
for (i in seq_along(use)) write(one(use[[i]], i, FALSE))
for (i in seq_len(runs)) write(one(use[[(i - 1) %% length(use) + 1]], i))
rows <- read.csv(out)
print(table(rows$permuted, rows$distinguishable, dnn = c("permuted", "distinguishable")))
