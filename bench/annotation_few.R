# annotation_few.R: few genes and few cells (spec/annotation-that-works.md, section "Few genes, few reference cells per
# type"): macro-F1 of the default and the baselines with 5, 10, 20 reference cells per type, and on panels of 50 genes,
# random or markers (best one-vs-rest standardised differences in the reference, shared equally by the types). Mean of 8
# tasks x 3 repetitions. Rscript bench/annotation_few.R [library]; CW_DATA: the shared data. Writes
# bench/results/annotation_few.csv.

args <- commandArgs(TRUE)
suppressPackageStartupMessages(library(causeway, lib.loc = if (length(args)) args[[1]]))
here <- if (file.exists("bench/annotation_data.R")) "bench" else "."
source(file.path(here, "annotation_data.R"))
cw <- asNamespace("causeway")
methods <- c("default", "matched", "guess", "logisticZZ", "logisticZ", "centroid", "lda", "bayes", "knn")
used <- c("sym:!3pv2>3pv2", "sym:!5p>5p", "kang:ctrl>stim", "panc:human>mouse", "panc:mouse>human", "pbmc500>sym",
    "p68k:cv", "bm:cv")

few_cells <- function(task, k) {
    keep <- unlist(lapply(split(seq_along(task$ref$label), task$ref$label), function(at) at[sample.int(length(at))][
        seq_len(min(k, length(at)))]))
    task$ref <- cells_of(task$ref, seq_along(task$ref$label) %in% keep)
    task
}
# the panel's genes alone, in both sets
panel <- function(task, kind, size = 50) {
    shared <- intersect(rownames(task$ref$X), rownames(task$query$X))
    i <- internal(task)
    if (kind == "random") {
        genes <- sample(shared[rowSums(i$ref$moments$sum) > 0], size)
    } else {
        m <- i$ref$moments
        all <- rowSums(m$sum) / sum(m$n)
        sd <- sqrt(pmax(rowSums(m$square) / sum(m$n) - all^2, 0))
        rest <- (rowSums(m$sum) - m$sum) %*% diag(1 / (sum(m$n) - m$n))
        d <- (m$sum %*% diag(1 / m$n) - rest) / (sd + 0.1 * median(sd) + 1e-6)
        rank <- apply(-d, 2, rank, ties.method = "first")
        genes <- shared[head(order(apply(rank, 1, min)), size)]
    }
    for (side in c("ref", "query")) {
        s <- task[[side]]
        s$X <- s$X[genes, ]
        task[[side]] <- s
    }
    task
}
score <- function(task) {
    i <- internal(task)
    vapply(methods, function(m) {
        p <- if (m == "knn") cw$.nearestTypes(i$ref, i$query) else cw$.classify(i$ref, i$query, 300L, m)$logp
        cw$.macroF1(task$query$label, i$ref$types[max.col(p, "first")])
    }, 0)
}
settings <- list("5 cells" = function(t) few_cells(t, 5), "10 cells" = function(t) few_cells(t, 10),
    "20 cells" = function(t) few_cells(t, 20), "50 random genes" = function(t) panel(t, "random"),
    "50 marker genes" = function(t) panel(t, "marker"), all = identity)
all <- sets(Sys.getenv("CW_DATA", "../shared/data"))
rows <- NULL
for (r in 0:2) {
    for (t in Filter(function(t) t$name %in% used, tasks(all, r))) {
        for (s in names(settings)) {
            f1 <- score(settings[[s]](t))
            rows <- rbind(rows, data.frame(setting = s, task = t$name, rep = r, method = names(f1), f1 = f1))
        }
    }
}
each <- aggregate(f1 ~ setting + method + rep, rows, mean)
out <- aggregate(f1 ~ method + setting, each, mean)
out$sd <- aggregate(f1 ~ method + setting, each, sd)$f1
names(out) <- c("method", "setting", "macroF1", "sdOverRepetitions")
out[3:4] <- round(out[3:4], 3)
write.csv(out, file.path(here, "results", "annotation_few.csv"), row.names = FALSE)
print(round(tapply(out$macroF1, list(out$method, out$setting), identity)[methods, names(settings)], 3))
