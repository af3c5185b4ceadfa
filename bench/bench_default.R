## The pooled default beside Pearson, Spearman and trees: real sets apart from
## simulated ones, sets it was chosen on apart from others.
##
##   Rscript bench/bench_default.R DATA [CSV] [LIBRARY]
##
## DATA is the folder 03_grn. Of each set: AUPRC ratios, and `above`, the share
## of paired bootstrap samples over edges in which the default is at least as
## good as the best of the three; below .025 it is significantly worse. Every
## gene counts as a possible regulator but in simulateCells(). Seed 1.

source(file.path(dirname(sub("^--file=", "", c(grep("^--file=", commandArgs(),
    value = TRUE
), "bench/x")[[1L]])), "common.R"))
if (!length(arguments)) {
    stop("usage: Rscript bench/bench_default.R DATA [CSV] [LIBRARY]")
}
data <- arguments[[1L]]
csv <- or(2L, file.path(bench, "results", "default.csv"))
attachCauseway(or(3L, ""))

## ---- the sets -----------------------------------------------------------------

folder <- function(...) file.path(data, ...)
table <- function(file) read.csv(file, row.names = 1, check.names = FALSE)
sets <- list()
## `references`: named list; `chosen`: was the default chosen on it?
add <- function(name, x, references, kind, chosen, counts = FALSE, tfs = NULL) {
    x <- as.matrix(x)
    if (is.null(rownames(x))) {
        rownames(x) <- paste0("g", seq_len(nrow(x)))
    }
    colnames(x) <- paste0("c", seq_len(ncol(x)))
    sets[[name]] <<- list(x = x[, colSums(x) > 0], references = references,
        kind = kind, chosen = chosen, counts = counts,
        tfs = if (is.null(tfs)) rownames(x) else tfs
    )
}
synthetic <- folder("beeline_synthetic")
for (m in c("GSD", "HSC", "VSC", "mCAD")) {
    base <- file.path(synthetic, "Simulated", m, paste0(m, "_2000_0"))
    truth <- read.csv(if (m == "GSD") {
        file.path(synthetic, "example_GSD", "GroundTruthNetwork.csv")
    } else {
        file.path(base, "refNetwork.csv")
    })
    for (dropout in c("", "_50")) {
        add(paste0(m, dropout), table(file.path(paste0(base, dropout),
            "ExpressionData.csv"
        )), list(truth), "simulated", TRUE)
    }
}
for (m in paste0("dyn-", c("BF", "BFC", "CY", "LI", "LL", "TF"))) {
    base <- file.path(synthetic, "Synthetic", m)
    add(m, table(file.path(base, paste0(m, "_500_1"), "ExpressionData.csv")),
        list(read.csv(file.path(base, "refNetwork.csv"))), "simulated", TRUE
    )
}
for (i in 1:2) {
    e <- new.env()
    for (f in paste0(c("", "G_"), "D4_multi_", i)) {
        load(folder("dream4_multifactorial_kboost", paste0(f, ".RData")), e)
    }
    edges <- e[[paste0("G_D4_multi_", i)]]
    add(paste0("DREAM4_", i), t(e[[paste0("D4_multi_", i)]]), list(data.frame(
        Gene1 = paste0("g", edges[, 1L]), Gene2 = paste0("g", edges[, 2L])
    )[edges[, 3L] > 0, ]), "simulated", TRUE)
}
edges <- read.csv(folder("sergio_DS4", "gt_GRN.csv"), header = FALSE)
edges <- data.frame(Gene1 = as.character(edges[[1L]]),
    Gene2 = as.character(edges[[2L]])
)
for (k in c("T", "U", "S")) {
    add(paste("SERGIO", k), log1p(table(folder("sergio_DS4",
        paste0("simulated_noNoise_", k, "_0.csv")
    ))), list(edges), "simulated", k == "T")
}
regimes <- data.frame(nContexts = c(1, 1, 1, 2, 4, 4, 3, 4, 1),
    depth = c(4, 1, 4, 2, 1, 4, 4, 4, 0.5),
    nCells = c(1000, 1000, 300, 1000, 1000, 1500, 1000, 400, 2000),
    trajectory = c("discrete", "discrete", "discrete", "branching", "mixed",
        "branching", "cycle", "mixed", "discrete")
)
for (i in seq_len(nrow(regimes))) {
    x <- do.call(simulateCells, c(as.list(regimes[i, ]), nGenes = 120,
        nTFs = 20, seed = 70 + i
    ))
    add(paste("simulateCells", paste(unlist(regimes[i, ]), collapse = " ")),
        SummarizedExperiment::assay(x, "counts"),
        list(S4Vectors::metadata(x)$simulation$edges), "simulated", FALSE,
        TRUE, rownames(x)[1:20]
    )
}
real <- c(hESC = "human/hESC", mEF = "mouse/mEF", `mES-PE` = "mouse/mES-PE",
    `mES-retinoic` = "mouse/mES-retinoic"
)
networks <- function(species, names, genes) {
    files <- folder("beeline_networks", paste0(species, "_", names,
        "-network.csv"
    ))
    lapply(setNames(files, names), function(f) {
        edges <- read.csv(f)[1:2]
        edges[edges[[1L]] %in% genes & edges[[2L]] %in% genes, ]
    })
}
for (m in names(real)) {
    base <- folder("beeline_real_small", real[[m]])
    x <- table(file.path(base, "ExpressionData.csv"))
    rownames(x) <- toupper(rownames(x))
    files <- list.files(base, "^refNetwork", full.names = TRUE)
    refs <- lapply(setNames(files, sub("[.]csv$", "", basename(files))),
        function(f) {
            r <- read.csv(f)
            data.frame(Gene1 = toupper(r[[1L]]), Gene2 = toupper(r[[2L]]))
        }
    )
    more <- if (m == "hESC") networks("human", c("STRING", "HepG2-ChIP-seq"),
        rownames(x)) else networks("mouse", c("STRING",
        "Non-Specific-ChIP-seq", "mESC-lofgof", "mDC-ChIP-seq"), rownames(x))
    refs <- Filter(function(r) nrow(r) > 5L, c(refs, more))
    add(m, if (max(x) > 50) log1p(x) else x, refs, "real", m %in%
        c("hESC", "mEF"))
}
for (k in c(96, 44)) {
    g <- as.matrix(table(folder("mesc_lif_cespgrn", paste0("GRN_", k, ".csv"))))
    at <- which(g > 0, arr.ind = TRUE)
    add(paste("mESC-LIF", k), t(as.matrix(table(folder("mesc_lif_cespgrn",
        paste0("counts_", k, ".csv")
    )))), list(data.frame(Gene1 = rownames(g)[at[, 1L]],
        Gene2 = colnames(g)[at[, 2L]]
    )), "real", FALSE, TRUE)
}

## ---- networks and scores ---------------------------------------------------------

methods <- list(default = NULL, Pearson = CorGRNParam("pearson"),
    Spearman = CorGRNParam("spearman"), trees = TreeGRNParam()
)
score <- function(name) {
    s <- sets[[name]]
    infer <- function(model) {
        args <- list(s$x, tfs = s$tfs, genes = rownames(s$x), seed = 1,
            alreadyNormalised = !s$counts, preprocess = list(dropQC = FALSE),
            verbose = FALSE
        )
        ## the three as they are, without reliability
        if (!is.null(model)) {
            args <- c(args, list(model = model, reliability = FALSE))
        }
        suppressWarnings(suppressMessages(do.call(inferGRN, args)))
    }
    grn <- lapply(methods, infer)
    rows <- lapply(seq_along(s$references), function(i) {
        e <- tryCatch(as.data.frame(evaluateGRN(grn$default,
            s$references[[i]], "model", nBoot = 400, seed = 1,
            compare = grn[-1L]
        )), error = function(e) NULL)
        if (is.null(e)) {
            return(NULL)
        }
        r <- setNames(e$auprcRatio, e$method)
        best <- which.max(r[c("Pearson", "Spearman", "trees")])
        label <- names(s$references)[[i]]
        data.frame(set = paste(c(name, label), collapse = " "), kind = s$kind,
            chosen = s$chosen, choice = metadata(grn$default)$choice,
            default = r[["model"]], pearson = r[["Pearson"]],
            spearman = r[["Spearman"]], trees = r[["trees"]],
            above = e$modelAbove[match(names(best), e$method)]
        )
    })
    message(name)
    do.call(rbind, rows)
}
rows <- do.call(rbind, lapply(names(sets), score))
means <- do.call(rbind, lapply(split(rows, list(rows$kind, rows$chosen)),
    function(part) {
        data.frame(set = paste(nrow(part), "sets"), kind = part$kind[[1L]],
            chosen = part$chosen[[1L]], choice = "geometric mean",
            lapply(part[5:8], function(x) exp(mean(log(x)))),
            above = mean(part$above >= 0.025)
        )
    }
))
rows <- rbind(rows, means)
number <- vapply(rows, is.double, logical(1))
rows[number] <- lapply(rows[number], signif, 3L)
hardware <- system2("sh", file.path(bench, "hardware.sh"), stdout = TRUE)
dir.create(dirname(csv), showWarnings = FALSE, recursive = TRUE)
con <- file(csv, "w")
writeLines(paste("#", c(hardware, paste("see bench/bench_default.R; seed 1;",
    "in the last rows 'above' is the share of sets on which the default is",
    "not significantly worse than the best of the three"
))), con)
write.csv(rows, con, row.names = FALSE, quote = FALSE)
close(con)
print(means, row.names = FALSE, digits = 3)
message("wrote ", csv)
