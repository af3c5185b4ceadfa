# annotation.R: the tables of spec/annotation-that-works.md by this package. Rscript bench/annotation.R [repetitions];
# CW_DATA: the shared data (default ../shared/data). Writes bench/results/annotation.md. About 15 minutes on two cores.

suppressPackageStartupMessages(library(causeway))
here <- if (file.exists("bench/annotation_data.R")) "bench" else "."
source(file.path(here, "annotation_data.R"))
cw <- asNamespace("causeway")
args <- commandArgs(TRUE)
reps <- if (length(args)) as.integer(args[[1]]) else 1L
data <- Sys.getenv("CW_DATA", "../shared/data")
all <- sets(data)

# calls, probabilities and log probabilities of one method
answer <- function(i, method) {
    if (method == "knn") {
        p <- cw$.nearestTypes(i$ref, i$query)
    } else {
        p <- exp(cw$.classify(i$ref, i$query, 300L, method)$logp)
    }
    list(call = i$ref$types[max.col(p, "first")], p = apply(p, 1, max))
}
methods <- c("default", "matched", "guess", "logisticZZ", "logisticZ", "centroid", "lda", "bayes", "knn")

score <- function(tasks) {
    rows <- list()
    for (t in tasks) {
        i <- internal(t)
        for (m in methods) {
            a <- answer(i, m)
            name <- sub("^panc:!.*", "panc:LOO-donor", t$name)
            rows[[length(rows) + 1]] <- data.frame(task = name, kind = t$kind, method = m, truth = t$query$label,
                call = a$call, p = a$p)
        }
    }
    do.call(rbind, rows)
}
f1 <- function(rows) cw$.macroF1(rows$truth, rows$call)
wide <- function(rows) {
    by <- split(rows, list(rows$task, rows$method), drop = TRUE)
    m <- tapply(vapply(by, f1, 0), list(vapply(by, function(r) r$task[1], ""), vapply(by, function(r) r$method[1], "")),
        mean)
    m[, methods]
}

started <- proc.time()[[3]]
runs <- lapply(seq_len(reps) - 1, function(r) score(tasks(all, r)))
tables <- lapply(runs, wide)
F1 <- Reduce(`+`, tables) / length(tables)
kind <- vapply(rownames(F1), function(t) runs[[1]]$kind[runs[[1]]$task == t][1], "")
ece <- vapply(methods, function(m) mean(vapply(split(runs[[1]], runs[[1]]$task), function(r) {
    r <- r[r$method == m, ]
    cw$.calibrationError(r$p, r$truth == r$call)
}, 0)), 0)
best <- pmax(F1[, "logisticZ"], F1[, "centroid"])
summary <- data.frame(method = methods, mean = colMeans(F1),
    t(sapply(methods, function(m) tapply(F1[, m], kind, mean)[c("donor", "condition", "platform", "study", "species", "cv")])),
    worst = apply(F1 - apply(F1, 1, max), 2, min), worstOfTwo = apply(F1 - best, 2, min), ECE = ece)

# queries that hold only their one, two, three commonest types
lacking <- function(task, k) {
    keep <- names(sort(table(task$query$label), decreasing = TRUE))[seq_len(k)]
    task$query <- cells_of(task$query, task$query$label %in% keep)
    i <- internal(task)
    vapply(c("centroid", "guess", "matched", "default", "logisticZ", "logisticZZ"), function(m) {
        mean(answer(i, m)$call == task$query$label)
    }, 0)
}
four <- Filter(function(t) t$name %in% c("kang:ctrl>stim", "kang:d101>d107", "panc:human>mouse", "sym:!5p>5p"), tasks(all))
missing <- t(sapply(1:3, function(k) rowMeans(sapply(four, lacking, k = k))))
missing <- data.frame(types = 1:3, missing, check.names = FALSE)

# novelty: each type left out of the reference in turn
novelty <- function(task) {
    i <- internal(task)
    out <- list()
    for (d in names(which(table(task$query$label) >= 8))) {
        k <- match(d, i$ref$types)
        if (is.na(k) || sum(i$ref$y == k) < 8) next
        t2 <- task
        t2$ref <- cells_of(task$ref, task$ref$label != d)
        j <- internal(t2)
        logp <- cw$.classify(j$ref, j$query, 300L)$logp
        model <- cw$.noveltyModel(j$ref, j$query, tabulate(max.col(logp), j$ref$K) / nrow(logp))
        part <- cw$.noveltyOf(model, j$query$block, j$query, 2L)
        value <- cw$.noveltyValues(part$raw, part$raw, part$raw)[, 1, drop = FALSE]
        s <- 1 - cw$.smoothOver(part$point, part$point, value, 2L)[, 1]
        u <- task$query$label == d
        p <- -apply(logp, 1, max)
        out[[d]] <- data.frame(task = task$name, kind = task$kind, type = d, novelty = cw$.auroc(s[u], s[!u]),
            largestP = cw$.auroc(p[u], p[!u]))
    }
    do.call(rbind, out)
}
new <- do.call(rbind, lapply(Filter(function(t) !startsWith(t$name, "panc:!"), tasks(all)), novelty))

md <- function(x, digits = 3) {
    number <- vapply(x, is.numeric, NA)
    x[number] <- lapply(x[number], function(v) formatC(v, digits = digits, format = "f", drop0trailing = TRUE))
    c(paste("|", paste(names(x), collapse = " | "), "|"), paste0("|", strrep("---|", ncol(x))),
        apply(as.matrix(x), 1, function(r) paste("|", paste(trimws(r), collapse = " | "), "|")))
}
out <- file.path(here, "results", "annotation.md")
writeLines(c("# Annotation on the development sets", "",
    sprintf("Made by `Rscript bench/annotation.R %d` in %.0f s; %s. Macro-F1; `worst`: largest loss against the best method", reps,
        proc.time()[[3]] - started, cw$.engineText()),
    "of a task; `worstOfTwo`: against the better of plain logistic regression (logisticZ) and centroids; ECE: raw, 15",
    "bins. `matched` is the default of the specification (its mean .904, worst -.087); the default here blends it with",
    "the first guess on the same 300 genes.", "", md(summary), "", "By task:", "",
    md(data.frame(task = rownames(F1), F1, check.names = FALSE)), "",
    "Queries that hold only their one, two or three commonest types: accuracy, mean of 4 tasks:", "", md(missing), "",
    sprintf("Novelty, %d types left out of the reference in turn: AUROC %.3f (%.0f%% of cases above .8); largest probability %.3f.",
        nrow(new), mean(new$novelty), 100 * mean(new$novelty > .8), mean(new$largestP)), "",
    md(data.frame(aggregate(cbind(novelty, largestP) ~ kind, new, mean), cases = as.vector(table(new$kind)))), "",
    "The lowest:", "", md(head(new[order(new$novelty), ], 10))), out)
cat(readLines(out), sep = "\n")
