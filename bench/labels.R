## Networks per label on real cells: variance of held-out cells explained by the
## pooled network and by the label's own, shrunken to it, and the same with
## permuted labels (section 6 of networks-on-real-cells.md).
##
##   Rscript bench/labels.R DATA [CSV]
##
## DATA: the folder with 01_scrna. TFs seen in 5% of cells, 200 targets; halves
## of each label, 2 splits; departs: see ?PerCellGRNParam.

arguments <- commandArgs(trailingOnly = TRUE)
data <- file.path(arguments[[1L]], "01_scrna")
script <- sub("^--file=", "", grep("^--file=", commandArgs(), value = TRUE))
bench <- if (length(script)) dirname(script) else "bench"
csv <- if (length(arguments) > 1L) arguments[[2L]] else
    file.path(bench, "results", "labels.csv")
suppressPackageStartupMessages({
    library(causeway)
    library(SingleCellExperiment)
})

read <- function(file, name) {
    e <- new.env()
    load(file.path(data, file), e)
    get(name, e)
}
sets <- list(
    marrow = function() {
        folder <- "bone_marrow_mouse_cytosimplex"
        list(read(file.path(folder, "rnaRaw.rda"), "rnaRaw"),
            read(file.path(folder, "rnaCluster.rda"), "rnaCluster"), "mouse")
    },
    condition = function() {
        file <- "pbmc_kang_ifnb_harmony/pbmc_stim.RData"
        parts <- list(ctrl = read(file, "pbmc.ctrl"),
            stim = read(file, "pbmc.stim"))
        list(do.call(cbind, unname(parts)),
            rep(names(parts), vapply(parts, ncol, 1L)), "human")
    },
    "PBMC 500" = function() {
        x <- read("pbmc3k_500_cellnexus/pbmc3k_sce.rda", "pbmc3k_sce")
        list(counts(x), x$cell_type_unified_ensemble, "human")
    },
    pancreas = function() {
        x <- read("pancreas_human_mouse_cider/pancreas.RData", "pancreas")
        human <- x$Batch == "human"
        list(SeuratObject::GetAssayData(x, slot = "counts")[, human],
            x$Group[human], "human")
    },
    "interferon, 5 types" = function() {
        x <- read("kang_donors_muscat/example_sce.rda", "example_sce")
        list(counts(x), x$cluster_id, "human")
    }
)
rows <- list()
for (name in names(sets)) {
    d <- sets[[name]]()
    counts <- as(d[[1L]], "CsparseMatrix")
    colnames(counts) <- paste0("cell", seq_len(ncol(counts)))
    counts <- counts[!duplicated(toupper(rownames(counts))), ]
    set.seed(5)
    for (kind in c("given", "permuted")) {
        label <- as.character(d[[2L]])
        if (kind == "permuted") {
            label <- sample(label)
        }
        grn <- inferGRN(counts, PerCellGRNParam(states = label),
            species = d[[3L]], nTargets = 200, maxTFs = 1000, seed = 1,
            preprocess = list(minCells = ceiling(0.05 * ncol(counts))),
            verbose = FALSE
        )
        rows[[paste(name, kind)]] <- data.frame(set = name, labels = kind,
            tfs = length(tfNames(grn)), model = metadata(grn)$model,
            verdict(grn)$states
        )
    }
}
result <- do.call(rbind, rows)
hardware <- system2("sh", file.path(bench, "hardware.sh"), stdout = TRUE)
con <- file(csv, "w")
writeLines(paste("#", hardware), con)
short <- vapply(result, is.numeric, TRUE)
result[short] <- lapply(result[short], signif, 3)
utils::write.csv(result, con, row.names = FALSE)
close(con)
print(result, digits = 3, row.names = FALSE)
