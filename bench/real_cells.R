## Networks on real cells: which genes are chosen, what repeats in halves of
## the cells, what known edges are worth beside popularity.
##
##   Rscript bench/real_cells.R DATA [CSV] [LIBRARY]
##
## DATA is the folder with 01_scrna/ and 04_resources/. "before": factors seen
## in 3 cells and 300 targets by normalised dispersion; "after": inferGRN()'s
## choice. Ridge with and without reliability, Pearson, and the default. halves:
## share of the top 500 that disjoint halves have, genes as chosen on all cells.
## known: of the top 1,000 (all TFs x genes), beside what networks of the same
## degrees have (z). few: of the top 60, how many rest on 3 common cells or
## fewer. Seed 21.

source(file.path(dirname(sub("^--file=", "", c(grep("^--file=", commandArgs(),
    value = TRUE
), "bench/x")[[1L]])), "common.R"))
if (!length(arguments)) {
    stop("usage: Rscript bench/real_cells.R DATA [CSV] [LIBRARY]")
}
data <- arguments[[1L]]
csv <- or(2L, file.path(bench, "results", "real_cells.csv"))
attachCauseway(or(3L, ""))

## ---- cells and known edges -----------------------------------------------------

cells <- function(...) file.path(data, "01_scrna", ...)
resource <- function(...) file.path(data, "04_resources", ...)
sets <- list()
e <- new.env()
load(cells("pbmc_kang_ifnb_harmony/pbmc_stim.RData"), e)
sets$stim <- e$pbmc.stim
sets$control <- e$pbmc.ctrl
load(cells("pbmc3k_500_cellnexus/pbmc3k_sce.rda"), e)
pbmc <- reconcileGenes(e$pbmc3k_sce, to = "symbol", verbose = FALSE)
sets$PBMC <- SummarizedExperiment::assay(pbmc, "counts")
sets <- lapply(sets, function(m) {
    m <- methods::as(m, "CsparseMatrix")
    m[Matrix::rowSums(m) > 0, Matrix::colSums(m) > 0]
})
load(resource("dorothea/dorothea_hs.rda"), e)
dorothea <- as.data.frame(e$dorothea_hs)
dorothea <- dorothea[dorothea$confidence %in% c("A", "B", "C"), ]
collectri <- read.csv(resource("collectri/collectri.csv"))
trrust <- read.delim(resource("trrust/trrust_rawdata.human.tsv"),
    header = FALSE
)
known <- unique(data.frame(
    Gene1 = c(collectri$source, dorothea$tf, trrust[[1L]]),
    Gene2 = c(collectri$target, dorothea$target, trrust[[2L]])
))
markers <- c("LYZ", "S100A8", "S100A9", "NKG7", "CD74", "MS4A1", "CD79A",
    "CD3D", "IL7R", "HLA-DRA", "GNLY", "FCGR3A", "PPBP", "FCER1A")
interferon <- c("ISG15", "CXCL10", "IFIT1", "IFIT2", "IFIT3", "ISG20", "IFI6",
    "LY6E", "MX1", "MX2", "OAS1", "CXCL11", "IFITM3", "IFI44L", "IFI35",
    "TNFSF10", "RSAD2", "IFITM2", "EPSTI1", "APOBEC3A", "CCL8")

## ---- the former choice of genes -------------------------------------------------

before <- function(m, tfs) {
    x <- m
    x@x <- x@x * rep(1e4 / Matrix::colSums(x), diff(x@p))
    mean <- Matrix::rowMeans(x)
    square <- x
    square@x <- x@x^2
    v <- Matrix::rowMeans(square) - mean^2
    v <- log(v * ncol(x) / (ncol(x) - 1) / mean)
    bin <- cut(log1p(mean), 20)
    s <- ave(v, bin, FUN = sd)
    centre <- ave(v, bin, FUN = base::mean)
    one <- is.na(s)
    s[one] <- centre[one]
    centre[one] <- 0
    seen <- rownames(m)[Matrix::rowSums(m > 0) >= 3]
    v <- sort(((v - centre) / s)[seen], decreasing = TRUE)
    c(intersect(tfs, seen), head(setdiff(names(v), tfs), 300))
}

## ---- measures ---------------------------------------------------------------------

shared <- function(a, b, k = 500) {
    top <- function(s) head(order(-s, method = "radix"), k)
    length(intersect(top(a), top(b))) / k
}
measure <- function(set, choice, name, m, genes, model, ...) {
    infer <- function(m) {
        suppressWarnings(inferGRN(m, model, genes = genes, seed = 21,
            verbose = FALSE, ...
        ))
    }
    grn <- infer(m)
    set.seed(21)
    half <- sample(rep(1:2, length.out = ncol(m)))
    halves <- lapply(1:2, function(h) as.matrix(infer(m[, half == h])))
    p <- as.data.frame(evaluateGRN(grn, known, "model", nBoot = 0,
        candidates = "all"
    ), which = "popularity")
    top <- edgeTable(grn, top = 200, self = FALSE)
    row <- data.frame(set = set, genes = choice, method = name,
        tfs = length(tfNames(grn)), markers = sum(markers %in% genes),
        interferon = sum(interferon %in% genes),
        halves = shared(halves[[1L]], halves[[2L]]),
        known200 = p$known[[1L]], expected200 = p$expected[[1L]],
        z200 = p$z[[1L]], known1000 = p$known[[2L]],
        over1000 = p$known[[2L]] / p$expected[[2L]], z1000 = p$z[[2L]],
        auprcOverDegree = p$auprcOverDegree[[1L]],
        few60 = mean(head(top$cells, 60) <= 3),
        factorsOf200 = length(unique(top$Gene1))
    )
    message(paste(names(row), format(row, digits = 3), collapse = " "))
    if (choice == "after" && name == "default") {
        print(table(top$Gene1)[order(-table(top$Gene1))][seq_len(min(10,
            length(unique(top$Gene1))))])
        print(head(top, 15), row.names = FALSE)
    }
    row
}
qc <- "^(RP[SL]|MT-|HB[ABDEGMQZ][0-9]?$)"
rows <- list()
for (set in names(sets)) {
    m <- sets[[set]]
    m <- m[!grepl(qc, rownames(m)), ]
    tfs <- tfCatalogue("human")$TF
    chosen <- function(n) {
        geneNames(inferGRN(m, CorGRNParam(), nTargets = n, verbose = FALSE))
    }
    after <- chosen(300)
    thousand <- chosen(1000)
    message(set, ": markers of 14 at 1,000: ", sum(markers %in% thousand),
        ", interferon genes of 21: ", sum(interferon %in% thousand)
    )
    old <- before(m, tfs)
    for (reliable in c(FALSE, TRUE)) {
        name <- if (reliable) "ridge x reliability" else "ridge"
        rows <- c(rows, list(
            measure(set, "before", name, m, old, RidgeGRNParam(),
                reliability = reliable
            ),
            measure(set, "after", name, m, after, RidgeGRNParam(),
                reliability = reliable
            )
        ))
    }
    rows <- c(rows, list(
        measure(set, "after", "Pearson x reliability", m, after,
            CorGRNParam()
        ),
        measure(set, "after", "default", m, after, CombinedGRNParam())
    ))
}
rows <- do.call(rbind, rows)
number <- vapply(rows, is.double, logical(1))
rows[number] <- lapply(rows[number], signif, 3L)
hardware <- system2("sh", file.path(bench, "hardware.sh"), stdout = TRUE)
dir.create(dirname(csv), showWarnings = FALSE, recursive = TRUE)
con <- file(csv, "w")
writeLines(paste("#", c(hardware, "see bench/real_cells.R; seed 21")), con)
write.csv(rows, con, row.names = FALSE, quote = FALSE)
close(con)
message("wrote ", csv)
