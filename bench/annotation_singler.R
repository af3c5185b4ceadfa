# annotation_singler.R: the default beside SingleR (Wilcoxon markers), logistic regression and centroids on the tasks of
# annotation_data.R, with processor time, and the default's calibration within each reference. Rscript
# bench/annotation_singler.R [library]; CW_DATA: the shared data. Writes bench/results/annotation_singler.csv, a row per
# task and method as they come: macro-F1 on the query, processor seconds, and ece: of held-out cells of the reference
# (5 parts), the temperature from the other parts, 15 bins.

args <- commandArgs(TRUE)
suppressPackageStartupMessages(library(causeway, lib.loc = if (length(args)) args[[1]]))
here <- if (file.exists("bench/annotation_data.R")) "bench" else "."
source(file.path(here, "annotation_data.R"))
cw <- asNamespace("causeway")
out <- file.path(here, "results", "annotation_singler.csv")
unlink(out)

ece <- function(task, ref) {
    batch <- task$ref$batch
    block <- if (length(unique(batch)) > 1) batch
    set.seed(1)
    fold <- cw$.folds(ref$y, block, runif(length(ref$y)), 5L)
    logp <- cw$.heldOut(ref, fold, function(train, query, held) cw$.classify(train, query, 300L)$logp)
    p <- matrix(0, nrow(logp), ncol(logp))
    for (j in unique(fold)) {
        other <- fold != j
        p[!other, ] <- cw$.tempered(logp[!other, , drop = FALSE], cw$.temperature(logp[other, ], ref$y[other]))
    }
    cw$.calibrationError(apply(p, 1, max), cw$.callsOf(p) == ref$y)
}
write <- function(row) {
    write.table(row, out, sep = ",", row.names = FALSE, append = file.exists(out), col.names = !file.exists(out))
}
for (t in tasks(sets(Sys.getenv("CW_DATA", "../shared/data")))) {
    i <- internal(t, 1L)
    for (m in c("default", "logisticZ", "centroid", "singler")) {
        took <- system.time(p <- if (m == "singler") cw$.singleR(i$ref, i$query) else
            cw$.classify(i$ref, i$query, 300L, m)$logp)
        f1 <- cw$.macroF1(t$query$label, i$ref$types[cw$.callsOf(p)])
        write(data.frame(task = t$name, kind = t$kind, method = m, ref = length(i$ref$y), query = i$query$n,
            genes = length(i$ref$rows), types = i$ref$K, macroF1 = round(f1, 3),
            cpu = round(took[[1]] + took[[2]], 2), ece = if (m == "default") round(ece(t, i$ref), 3) else NA))
    }
}
print(read.csv(out))
