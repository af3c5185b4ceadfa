# annotation_draws.R: the tasks split at random within one set (bm, hn, p68k, pbmc500), DRAWS (24) times: the default beside
# logistic regression, centroids and SingleR (where it is installed; needs scran). Of 70 to 280 query cells one draw moves macro-F1 by .02 to .06, so
# a single one (annotation_singler.R) says little about them. Rscript bench/annotation_draws.R [DRAWS] [LIBRARY]; CW_DATA: the
# shared data. Writes bench/results/annotation_draws.csv: mean and sd over draws, and the default's difference from each
# method on the same draws.

args <- commandArgs(TRUE)
draws <- if (length(args)) as.integer(args[[1]]) else 24L
suppressPackageStartupMessages(library(causeway, lib.loc = if (length(args) > 1) args[[2]]))
here <- if (file.exists("bench/annotation_data.R")) "bench" else "."
source(file.path(here, "annotation_data.R"))
cw <- asNamespace("causeway")
methods <- c("default", "logisticZ", "centroid", if (requireNamespace("SingleR", quietly = TRUE)) "singler")
all <- sets(Sys.getenv("CW_DATA", "../shared/data"))
rows <- NULL
for (r in seq_len(draws) - 1L) {
    for (t in Filter(function(t) t$kind == "cv", tasks(all, r))) {
        i <- internal(t, 1L)
        f1 <- vapply(methods, function(m) {
            p <- if (m == "singler") cw$.singleR(i$ref, i$query) else cw$.classify(i$ref, i$query, 300L, m)$logp
            cw$.macroF1(t$query$label, i$ref$types[cw$.callsOf(p)])
        }, 0)
        rows <- rbind(rows, data.frame(task = t$name, draw = r, method = methods, f1 = f1, less = f1[["default"]] - f1))
    }
}
by <- list(task = rows$task, method = rows$method)
out <- aggregate(rows["f1"], by, mean)
names(out)[[3]] <- "macroF1"
out$sd <- aggregate(rows["f1"], by, sd)$f1
out$defaultMinusIt <- aggregate(rows["less"], by, mean)$less
out$sdOfThat <- aggregate(rows["less"], by, sd)$less
out$draws <- draws
out[3:6] <- round(out[3:6], 3)
write.csv(out, file.path(here, "results", "annotation_draws.csv"), row.names = FALSE)
print(out)
