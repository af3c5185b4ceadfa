# annotation_phases.R: phases of the cell cycle from a handful of labelled cells: annotateCells(labels = "phase") with 5 and
# 10 cells of each phase, the rest as query, beside the baselines on the same cells and cellCyclePhase(), which needs no
# labels. pbmc68k_reduced (700 blood cells x 765 genes): its phases are calls by marker genes made on all genes, no truth by
# sorting, and blood hardly cycles: a hard case that says what to expect of such data. Rscript bench/annotation_phases.R
# [DRAWS] [LIBRARY]; CW_DATA: the shared data. Writes bench/results/annotation_phases.csv: macro-F1, mean and sd over draws.

args <- commandArgs(TRUE)
draws <- if (length(args)) as.integer(args[[1]]) else 10L
suppressPackageStartupMessages(library(causeway, lib.loc = if (length(args) > 1) args[[2]]))
here <- if (file.exists("bench/annotation_data.R")) "bench" else "."
source(file.path(here, "annotation_data.R"))
cw <- asNamespace("causeway")
file <- file.path(Sys.getenv("CW_DATA", "../shared/data"), "01_scrna", "pbmc68k_reduced_scanpy", "10x_pbmc68k_reduced.h5ad")
s <- p68k(file, function(X, logged, label) list(X = X, logged = logged, batch = rep("one", ncol(X)),
    group = rep("one", ncol(X)),
    label = as.vector(rhdf5::h5read(file, "obs/phase/categories"))[rhdf5::h5read(file, "obs/phase/codes") + 1L]))
cells <- SingleCellExperiment(list(logcounts = as(s$X, "CsparseMatrix")), colData = DataFrame(phase = s$label))
rows <- NULL
for (size in c(5, 10)) {
    for (r in seq_len(draws)) {
        set.seed(1000 * size + r)
        at <- unlist(lapply(split(seq_along(s$label), s$label), function(j) j[sample.int(length(j))][seq_len(size)]))
        used <- seq_along(s$label) %in% at
        truth <- s$label[!used]
        i <- internal(list(ref = cells_of(s, used), query = cells_of(s, !used)))
        f1 <- function(call) cw$.macroF1(truth, call)
        labels <- suppressWarnings(annotateCells(cells[, !used], cells[, used], labels = "phase", seed = r, nPerm = 3,
            novelty = FALSE, verbose = FALSE))
        found <- c(annotateCells = f1(labels@tables$cells$label),
            vapply(c("logisticZ", "centroid", "bayes", "lda"), function(m) {
                f1(i$ref$types[cw$.callsOf(cw$.classify(i$ref, i$query, 300L, m)$logp)])
            }, 0),
            nearest = f1(i$ref$types[cw$.callsOf(cw$.nearestTypes(i$ref, i$query))]),
            majority = f1(rep(names(which.max(table(truth))), length(truth))))
        rows <- rbind(rows, data.frame(cells = size, method = names(found), f1 = found))
    }
}
by <- list(method = rows$method, cells = rows$cells)
out <- aggregate(list(macroF1 = rows$f1), by, mean)
out$sd <- aggregate(list(sd = rows$f1), by, sd)$sd
# the set keeps one of 44 markers of S: refused, and said so
out <- rbind(out, data.frame(method = "cellCyclePhase", cells = 0, macroF1 = tryCatch(cw$.macroF1(s$label,
    cellCyclePhase(cells, nPerm = 20, seed = 1)@tables$cells$label), error = function(e) NA), sd = NA))
out[3:4] <- round(out[3:4], 3)
write.csv(out, file.path(here, "results", "annotation_phases.csv"), row.names = FALSE)
print(table(s$label))
print(out)
