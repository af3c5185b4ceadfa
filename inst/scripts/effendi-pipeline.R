## The pipeline of the Effendi specification on one paired file: cells by
## scGPT, their chromatin by HyenaDNA, the vector field (stage 1), delays with
## the field held (2.1) and freed (2.2), the delays' validation; beside them
## the anchored estimate with its verdict, which the losses above can't give.
##
##   Rscript effendi-pipeline.R cells=FILE genome=FILE.fa genes=FILE.gtf
##       scgpt=FOLDER hyena=FOLDER out=FOLDER [more, see below]
##
## cells   .h5 of 10x multiome, .h5mu, .h5ad with both, or an .rds of an object
##         with both (SingleCellExperiment, Seurat)
## genome  indexed FASTA, or the name of a BSgenome; with hyena
## genes   GTF, GFF, BED or CSV of genes: which peaks lie near
## scgpt   published folder or saved model; without it principal components
## hyena   published folder or saved model; without it LSI
## out     folder of what is written; a call that was killed goes on there
## Also: width (bases around a peak's centre, 500), minCells (share of cells
## a peak must be open in, .1), top (most variable peaks), epochs=a,b,c (of the
## stages; the published ones otherwise), seed (1), threads.

given <- commandArgs(trailingOnly = TRUE)
known <- c("cells", "genome", "genes", "scgpt", "hyena", "out", "width",
    "minCells", "top", "epochs", "seed", "threads"
)
name <- sub("=.*", "", given)
wrong <- given[!grepl("=", given, fixed = TRUE) | !name %in% known]
if (length(wrong)) {
    stop("'", wrong[[1L]], "' isn't understood; arguments are name=value with ",
        "the names ", paste(known, collapse = ", "), ".",
        call. = FALSE
    )
}
o <- setNames(as.list(sub("^[^=]*=", "", given)), name)
for (needed in c("cells", "genes", "out")) {
    if (is.null(o[[needed]])) {
        stop(needed, "= is missing; see the first lines of this script.",
            call. = FALSE
        )
    }
}
number <- function(name, default) {
    if (is.null(o[[name]])) default else as.numeric(o[[name]])
}
suppressPackageStartupMessages({
    library(causeway)
    library(ggplot2)
})
options(causeway.threads = number("threads", 2))
seed <- number("seed", 1)
dir.create(o$out, showWarnings = FALSE, recursive = TRUE)
out <- function(file) file.path(o$out, file)

## ---- stage 0: encoders --------------------------------------------------------

cells <- if (grepl("[.]rds$", o$cells)) readRDS(o$cells) else
    openCells(o$cells)
rna <- if (!is.null(o$scgpt)) loadModel(o$scgpt)
atac <- if (!is.null(o$hyena)) loadModel(o$hyena)
encoded <- list()
if (!is.null(rna) || !is.null(atac)) {
    precomputeEmbeddings(cells, out("embeddings.h5"), rna, atac,
        genome = o$genome, width = number("width", 500),
        minCells = number("minCells", 0.1), top = number("top", Inf)
    )
    encoded <- readEmbeddings(out("embeddings.h5"))
}

## ---- stages 1, 2.1, 2.2 --------------------------------------------------------

epochs <- if (!is.null(o$epochs)) {
    as.numeric(strsplit(o$epochs, ",", fixed = TRUE)[[1L]])
}
param <- do.call(EffendiParam, as.list(setNames(epochs,
    c("fieldEpochs", "stage1Epochs", "stage2Epochs")[seq_along(epochs)]
)))
parts <- encoded[intersect(c("rna", "atac"), names(encoded))]
effendi <- estimateTau(cells, genes = o$genes, method = "effendi",
    embedding = if (length(parts)) parts,
    geneEmbedding = if ("rna" %in% names(parts)) encoded$genes,
    param = param, dir = out("checkpoints"), seed = seed
)
write.csv(as.data.frame(effendi), out("gene_tau_estimates.csv"),
    row.names = FALSE
)
write.csv(as.data.frame(validateTau(effendi)), out("validation.csv"),
    row.names = FALSE
)

## ---- beside it: the anchored estimate --------------------------------------------

anchored <- estimateTau(cells, genes = o$genes, seed = seed)
write.csv(as.data.frame(anchored), out("gene_tau_anchored.csv"),
    row.names = FALSE
)
both <- merge(as.data.frame(effendi)[c("gene", "tau")],
    as.data.frame(anchored)[c("gene", "tau")], by = "gene",
    suffixes = c(".effendi", ".anchored")
)
both <- both[stats::complete.cases(both), ]
agree <- if (nrow(both) > 2L) {
    stats::cor(both$tau.effendi, both$tau.anchored, method = "spearman")
} else {
    NA
}
said <- c("Effendi:", verdict(effendi)$text, "", "Anchored:",
    verdict(anchored)$text, "",
    sprintf("Spearman correlation of the two over %d genes: %.2f",
        nrow(both), agree
    )
)
writeLines(said, out("verdict.txt"))
message(paste(said, collapse = "\n"))
if (isTRUE(verdict(anchored)$holds)) {
    ggsave(out("delays.png"), plotTau(anchored), width = 7, height = 7,
        dpi = 150
    )
}
saveRDS(list(effendi = effendi, anchored = anchored), out("fits.rds"))
