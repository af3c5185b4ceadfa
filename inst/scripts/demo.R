## Demonstration: one gene regulatory network per cell of differentiating
## human myoblasts, from the raw matrix to figures.
##
##   Rscript demo.R [FOLDER] [EPOCHS]     (`make demo` does: demo-output)
##
## Cells: Bioconductor's HSMMSingleCell (Trapnell et al. 2014, Nature
## Biotechnology 32, 381-386): 271 human skeletal muscle myoblasts, 0, 24, 48
## and 72 hours after the switch to differentiation medium; FPKM values.
## What the numbers say is computed below and written to findings.txt; no
## sentence there is fixed in advance. No network is used.

arguments <- commandArgs(trailingOnly = TRUE)
folder <- if (length(arguments)) arguments[[1L]] else "demo-output"
epochs <- if (length(arguments) > 1L) as.integer(arguments[[2L]]) else 40L
seed <- 2014L
nTfs <- 100L # regulators the model reads
nTargets <- 400L # other genes

for (package in c("causeway", "HSMMSingleCell")) {
    if (!requireNamespace(package, quietly = TRUE)) {
        stop("the demonstration needs the package ", package, ": ",
            "BiocManager::install(\"", package, "\"), or on Debian ",
            "apt-get install r-bioc-hsmmsinglecell", call. = FALSE
        )
    }
}
suppressPackageStartupMessages({
    library(causeway)
    library(SingleCellExperiment)
    library(ggplot2)
})
set.seed(seed)
started <- proc.time()[["elapsed"]]
say <- function(...) {
    cat(sprintf("[%3.0f s] ", proc.time()[["elapsed"]] - started), ...,
        "\n", sep = ""
    )
}
dir.create(folder, showWarnings = FALSE, recursive = TRUE)
out <- function(name) file.path(folder, name)
figure <- function(name, plot, width, height) {
    ggsave(out(name), plot, width = width, height = height, dpi = 150)
    say("wrote ", out(name))
}

## ---- 1. cells --------------------------------------------------------------

data <- new.env()
utils::data("HSMM_expr_matrix", "HSMM_sample_sheet", "HSMM_gene_annotation",
    package = "HSMMSingleCell", envir = data
)
genes <- data$HSMM_gene_annotation
sheet <- data$HSMM_sample_sheet
sheet$hours <- as.numeric(as.character(sheet$Hours))
cells <- SingleCellExperiment(
    list(fpkm = methods::as(data$HSMM_expr_matrix, "dgCMatrix")),
    rowData = genes, colData = sheet
)
## Protein-coding genes with a symbol of their own, seen in a tenth of the
## cells: fewer observations say nothing about regulation.
symbol <- as.character(genes$gene_short_name)
twice <- symbol %in% symbol[duplicated(symbol)]
seen <- Matrix::rowMeans(assay(cells, "fpkm") >= 0.1) >= 0.1
usable <- genes$biotype == "protein_coding" & seen & !twice
cells <- cells[usable, ]
rownames(cells) <- symbol[usable]
say(ncol(cells), " cells, ", nrow(cells), " usable genes of ", nrow(genes),
    "; cells per hour: ",
    paste0(names(table(cells$hours)), " h ", table(cells$hours),
        collapse = ", "
    )
)

## ---- 2. genes to read ------------------------------------------------------

## Log-normalised expression, for choosing genes and for findings.txt.
fpkm <- as.matrix(assay(cells, "fpkm"))
logged <- log1p(sweep(fpkm, 2L, colSums(fpkm) / 1e4, "/"))
byVariance <- rownames(cells)[order(-apply(logged, 1L, var))]
catalogue <- tfCatalogue("human")$TF

## Known actors of muscle differentiation are always read. ID1 to ID3 bind no
## DNA and so are not in the catalogue; as inhibitors of MYOD1 they are
## regulators here, named by hand. The others are the most variable factors.
named <- c(
    "MYOD1", "MYOG", "MYF5", "MYF6", "MEF2A", "MEF2C", "MEF2D", "SIX1", "MYC",
    "ID1", "ID2", "ID3"
)
named <- intersect(named, rownames(cells))
tfs <- union(named, head(setdiff(intersect(byVariance, catalogue), named),
    nTfs - length(named)
))
## Mitochondrial, ribosomal and haemoglobin genes are left out, as the package
## does by itself when it chooses.
left <- grepl("^(MT-|RPS|RPL|HB[^P])", byVariance)
targets <- head(setdiff(byVariance[!left], c(tfs, catalogue)), nTargets)
say("the model reads ", length(tfs), " regulators and ", length(targets),
    " other genes, the most variable ones"
)

## ---- 3. networks without a model -------------------------------------------

## What works best comes first: one network of all cells by trees and ridge;
## and networks per cell state, with a verdict on whether states differ.
focus <- intersect(c("MYOG", "MEF2C", "MYF5", "ID1"), tfs)
states <- inferGRN(cells, PerCellGRNParam(),
    assay.type = "fpkm", tfs = tfs, genes = c(tfs, targets), verbose = FALSE
)
verdict <- utils::capture.output(states)[seq_len(2L)]
trees <- inferGRN(cells,
    assay.type = "fpkm", tfs = tfs, genes = c(tfs, targets), verbose = FALSE
)
figure("network_without_model.png",
    plotGRN(trees, tfs = focus, top = 60,
        title = paste("Without a model: strongest edges of",
            paste(focus, collapse = ", ")
        )
    ), 9, 7
)
writeGRN(trees, out("edges_without_model.csv"), top = 5000, self = FALSE,
    overwrite = TRUE
)
say(verdict[[1L]])
stateActivity <- regulonActivity(states)[, colnames(logged)]
ofStates <- cells
altExp(ofStates, "regulons") <- SummarizedExperiment::SummarizedExperiment(
    list(activity = stateActivity)
)
figure("activity_without_model.png",
    plotRegulonActivity(ofStates, order = "hours",
        tfs = union(focus, intersect(named, tfNames(states))),
        title = "Regulon activity without a model (networks per state)"
    ), 9, 4.5
)
networkWidget(trees, out("network.html"), tfs = focus, overwrite = TRUE,
    title = "Myoblasts: strongest edges of chosen regulators"
)
say("wrote ", out("network.html"), " (open it in a browser)")

## ---- 4. train --------------------------------------------------------------

## No network of known edges comes with the package: the prior loss is off.
model <- newModel(SFMParam(), cells, tfs = tfs, assay.type = "fpkm")
trainModel(cells, model,
    assay.type = "fpkm", genes = c(tfs, targets), epochs = epochs,
    verbose = TRUE
)
say("trained")
figure("training.png", plotTraining(model), 8, 4.5)
utils::write.csv(trainingHistory(model), out("training.csv"),
    row.names = FALSE
)

## ---- 5. networks -----------------------------------------------------------

grn <- inferGRN(cells, model, assay.type = "fpkm", verbose = TRUE)
say("inferred ", length(grn), " networks")
pooled <- poolGRN(grn)

figure("network_pooled.png", plotGRN(pooled, top = 60), 9, 7)
## Of each chosen regulator its 15 strongest edges; all others set to 0.
around <- as.matrix(pooled)
around[cbind(tfNames(grn), tfNames(grn))] <- 0
around[setdiff(tfNames(grn), focus), ] <- 0
for (tf in focus) {
    around[tf, rank(-around[tf, ], ties.method = "first") > 15] <- 0
}
around <- PooledGRN(around, nCells = length(grn), filtered = TRUE)
figure("network_myogenic.png",
    plotGRN(around, tfs = focus, top = 15 * length(focus),
        title = paste("The 15 strongest edges of each of",
            paste(focus, collapse = ", ")
        )
    ), 9, 7
)
writeGRN(pooled, out("edges_pooled.csv"), top = 5000, self = FALSE,
    overwrite = TRUE
)
writeGRN(grn, out("edges_per_cell.csv.gz"), top = 100, self = FALSE,
    overwrite = TRUE
)
saveRDS(grn, out("grn.rds"))

## ---- 6. regulon activity ---------------------------------------------------

cells <- regulonActivity(cells, grn)
activity <- assay(altExp(cells, "regulons"), "activity")
figure("activity_heatmap.png",
    plotRegulonActivity(cells, order = "hours",
        tfs = union(focus, intersect(named, tfNames(grn))),
        title = "Regulon activity, hours since the switch of medium"
    ), 9, 4.5
)
figure("activity_heatmap_top.png",
    plotRegulonActivity(cells, order = "hours", top = 30), 9, 6
)

hours <- cells$hours
course <- function(matrix, what) {
    do.call(rbind, lapply(focus, function(gene) {
        data.frame(gene = gene, what = what, hours = hours,
            value = as.numeric(scale(matrix[gene, ]))
        )
    }))
}
both <- rbind(
    course(logged, "expression of the gene"),
    course(activity, "activity of its regulon")
)
both$gene <- factor(both$gene, focus)
both$what <- factor(both$what, unique(both$what))
figure("markers.png",
    ggplot(both, aes(factor(hours), value)) +
        geom_jitter(width = 0.2, height = 0, size = 0.6, alpha = 0.4,
            colour = "#0072B2"
        ) +
        stat_summary(aes(group = 1), fun = mean, geom = "line",
            colour = "#D55E00", linewidth = 0.8
        ) +
        stat_summary(fun.data = mean_se, geom = "pointrange",
            colour = "#D55E00", size = 0.3
        ) +
        facet_grid(what ~ gene, scales = "free_y") +
        labs(x = "hours since the switch to differentiation medium",
            y = "standard deviations",
            title = "Does the regulon move as its gene does?",
            subtitle = "blue: cells; orange: mean and its standard error"
        ) +
        theme_bw(base_size = 11) +
        theme(panel.grid.minor = element_blank(),
            strip.background = element_rect(fill = "grey95")
        ),
    9, 5
)

## ---- 7. what is seen -------------------------------------------------------

## What is known: differentiation switches MYOG and MEF2C on, ID1 and MYF5
## belong to the dividing myoblast.
expected <- c(MYOG = "up", MEF2C = "up", ID1 = "down", MYF5 = "down")[focus]

## A cell after the switch against one before it: how often the later one is
## higher (0.5: no difference; Wilcoxon), "flat" when that can't be told from
## 0.5 at 1%. Beside it the rank correlation with hours, which misses a gene
## that rises and falls again.
later <- hours > 0
trend <- function(x) {
    test <- suppressWarnings(stats::wilcox.test(x[later], x[!later]))
    higher <- unname(test$statistic) / (sum(later) * sum(!later))
    flat <- is.na(test$p.value) || test$p.value > 0.01
    list(
        higher = higher,
        rho = suppressWarnings(stats::cor(x, hours, method = "spearman")),
        direction = if (flat) "flat" else if (higher > 0.5) "up" else "down"
    )
}
byHour <- function(x) {
    paste(sprintf("%6.2f", tapply(x, hours, mean)), collapse = " ")
}
report <- function(title, matrix) {
    found <- lapply(focus, function(g) trend(matrix[g, ]))
    way <- vapply(found, `[[`, "", "direction")
    agree <- way == expected
    c(
        title,
        paste0("            mean at 0, 24, 48, 72 h    later higher  ",
            "rho with hours  seen  expected"
        ),
        sprintf("  %-6s %s      %5.2f          %5.2f      %-5s %-5s %s",
            focus, vapply(focus, function(g) byHour(matrix[g, ]), ""),
            vapply(found, `[[`, 0, "higher"), vapply(found, `[[`, 0, "rho"),
            way, expected, ifelse(agree, "agrees", "DOES NOT AGREE")
        ),
        sprintf("  %d of %d as the biology says.", sum(agree), length(agree)),
        ""
    )
}

## Two things to measure regulons against. Of correlations: the same activity
## with the 50 genes that correlate best with the TF. Of nothing: regulons of
## 50 genes drawn at random.
z <- t(scale(t(logged[geneNames(grn), ])))
r <- stats::cor(t(z[tfNames(grn), ]), t(z))
meanOf <- function(genes) colMeans(z[genes, , drop = FALSE])
correlated <- t(vapply(focus, function(g) {
    best <- setdiff(names(sort(r[g, ], decreasing = TRUE)), g)[seq_len(50L)]
    meanOf(best)
}, numeric(ncol(z))))
nullShift <- replicate(1000L, {
    trend(meanOf(sample(rownames(z), 50L)))$higher
})
shift <- apply(activity, 1L, function(a) trend(a)$higher)
range95 <- stats::quantile(nullShift, c(0.025, 0.975))
outside <- sum(shift < range95[[1L]] | shift > range95[[2L]])
same <- stats::cor(t(activity))
same <- same[upper.tri(same)]
own <- vapply(tfNames(grn), function(g) {
    stats::cor(activity[g, ], logged[g, colnames(activity)],
        method = "spearman"
    )
}, 0)

## 0 hours against 72: regulators and edges, with q from permuted labels.
change <- contrastGRN(states, hours, ref = 0, level = 72, nPerm = 200,
    seed = seed, verbose = FALSE
)
figure("contrast_regulators.png",
    plotContrast(change, tfs = union(focus, intersect(named,
        tfNames(states)
    ))), 9, 5.5
)
figure("contrast_edges.png", plotContrast(change, "edges"), 8, 6)
for (what in c("regulators", "edges")) {
    utils::write.csv(as.data.frame(change, what),
        out(paste0("contrast_", what, ".csv")), row.names = FALSE
    )
}

history <- trainingHistory(model)
loss <- tapply(history$elbo, history$epoch, mean)
facts <- summary(grn)
parts <- as.list(facts)
shared <- parts$overlap

findings <- c(
    "What this run shows (computed from the data by inst/scripts/demo.R)",
    "",
    sprintf(
        "Data: %d cells, %d regulators x %d genes; seed %d; %d epochs.",
        length(grn), length(tfNames(grn)), length(geneNames(grn)), seed,
        epochs
    ),
    sprintf(
        paste("Training: ELBO loss per cell %.0f in the first epoch, %.0f",
            "in the last; last epoch's change %.1f%%."
        ), loss[[1L]], loss[[length(loss)]],
        100 * (loss[[length(loss)]] / loss[[max(1L, length(loss) - 1L)]] - 1)
    ),
    paste("Prior network: none (none can be shipped); the prior loss was",
        "off."
    ),
    paste("Regulators: the most variable factors of the catalogue and named",
        "ones, among them ID1 to ID3, which bind no DNA."
    ),
    paste("Reference network: none is shipped for these cells, so no",
        "accuracy is given; see ?evaluateGRN."
    ),
    "",
    report("A. Expression of the genes themselves (log1p, cell total 1e4)",
        logged
    ),
    report(paste("B. Activity of their regulons in the SFM's networks",
        "(50 strongest targets of each cell)"
    ), activity),
    report(paste("C. The same from correlation alone (the 50 genes that",
        "correlate best, no model)"
    ), correlated),
    report(paste("D. Activity in networks per cell state, without a model",
        "(PerCellGRNParam)"
    ), stateActivity),
    paste0("  ", verdict),
    "",
    "E. 0 h against 72 h in the networks of D (contrastGRN, permuted labels)",
    paste0("  ", utils::capture.output(change)),
    "",
    "How much of B is about the TF?",
    sprintf(
        paste("  \"later higher\" over all %d regulons: median %.2f, range",
            "%.2f to %.2f."
        ), length(shift), median(shift), min(shift), max(shift)
    ),
    sprintf(
        paste("  Sets of 50 genes drawn at random: 95%% between %.2f and",
            "%.2f."
        ), range95[[1L]], range95[[2L]]
    ),
    sprintf("  Regulons outside that range: %d of %d (by chance %.0f): %s",
        outside, length(shift), 0.05 * length(shift),
        if (outside > qbinom(0.99, length(shift), 0.05)) {
            "more than random sets of genes."
        } else {
            paste("not more than random sets of genes; movement of a",
                "regulon is no evidence for its TF here."
            )
        }
    ),
    sprintf(
        paste("  Correlation between the activities of two regulons: median",
            "%.2f (1 = all regulons say the same)."
        ), median(same)
    ),
    sprintf(
        paste("  Correlation of a regulon's activity with its TF's own",
            "expression: median %.2f (%d of %d above 0.2)."
        ), median(own, na.rm = TRUE), sum(own > 0.2, na.rm = TRUE),
        length(own)
    ),
    "",
    "Against correlation networks",
    sprintf("  top %d edges shared with %-14s %5.1f%% (by chance %.1f%%)",
        parts$top, shared$baseline, 100 * shared$fraction,
        100 * shared$chance
    ),
    sprintf(
        paste("  TF and gene marginals explain %.0f%% of the pooled scores;",
            "%.0f%% of the variance of scores lies between cells."
        ), 100 * parts$marginalShare, 100 * parts$betweenCells
    )
)
writeLines(findings, out("findings.txt"))
cat("\n")
writeLines(findings)
cat("\n")

## ---- 8. the rest -----------------------------------------------------------

writeLines(utils::capture.output(facts), out("summary.txt"))
writeLines(utils::capture.output(engineInfo()), out("engine.txt"))
saveModel(model, out("model"), overwrite = TRUE)
again <- loadModel(out("model"), verbose = FALSE)
five <- seq_len(5L)
repeated <- inferGRN(cells, again, assay.type = "fpkm", cells = five,
    genes = geneNames(grn), verbose = FALSE
)
difference <- max(vapply(five, function(i) {
    max(abs(as.matrix(grn, i)[tfNames(repeated), geneNames(repeated)] -
        as.matrix(repeated, i)))
}, 0))
say("saved the model, loaded it again: largest difference of a score ",
    format(difference)
)
writeLines(utils::capture.output(utils::sessionInfo()),
    out("sessionInfo.txt")
)
## ---- the same through a file -----------------------------------------------

cellsFile <- out("cells.h5ad")
writeH5AD(regulonActivity(cells, grn), cellsFile, overwrite = TRUE,
    verbose = FALSE
)
fromFile <- inferGRN(cellsFile, CorGRNParam(), assay.type = 1,
    genes = geneNames(grn), tfs = tfNames(grn), verbose = FALSE
)
fromMemory <- inferGRN(cells, CorGRNParam(), assay.type = "fpkm",
    genes = geneNames(grn), tfs = tfNames(grn), verbose = FALSE
)
say("wrote ", basename(cellsFile), ", ", round(file.size(cellsFile) / 2^20, 1),
    " MB; correlations read from it differ from those in memory by ",
    format(max(abs(as.matrix(fromFile) - as.matrix(fromMemory))))
)

## ---- 8. delays from chromatin to RNA ---------------------------------------

script <- sub("^--file=", "", grep("^--file=", commandArgs(), value = TRUE))
output <- folder
source(file.path(if (length(script)) dirname(script) else "inst/scripts",
    "demo-tau.R"
))
say("done; everything is in ", folder, ": ",
    paste(list.files(folder), collapse = ", ")
)
