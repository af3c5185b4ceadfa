## A small student of many cells for few cells: what correlations of factors and
## genes were in other studies, as a prior for a hundred to three hundred cells'
## own. Would it be worth a place in the package? Asked on studies left out.
##
##   [BOX_DRAWS=3] Rscript box-student.R DATA [CSV] [MODEL.rds]
##
## DATA is a folder with 01_scrna/ and 04_resources/; CSV gets a row per study
## left out, number of cells, draw and method; MODEL.rds the student of all
## studies (at most 2 MB), which no verb reads: it is not shipped, see below.
##
## The student: of every factor and gene that two studies or more have, the mean
## over studies of Fisher's z of their correlation (mean over batches first),
## in steps of 1/127, 0 where it is below two standard errors; and two variances:
## of a pair's z between studies (t2), and of z over pairs (s2). On few cells z
## is weighted with n - 3, the student with 1 / t2; a pair that it doesn't know
## with 1 / s2 towards 0. Nothing is tuned on networks that are known.
##
## Methods, on the genes and factors that the default chooses in the few cells:
## `student` (|weighted z|), `with default` (mean of the ranks of the student's
## and of the default's scores), `prior` (no look at the cells), `pearson`,
## `default` (trees and ridge, inferGRN(x)). Known edges: CollecTRI, DoRothEA
## A-C, TRRUST. It would ship if `student` or `with default` had a higher AUPRC
## over popularity and AUPRC than both Pearson and the default on nine in ten of
## studies and sizes: it has in 16 of 25 (bench/results/box.csv), all 16 of the
## sets of 1,700 genes and more and none of the 9 of PBMC68k, Xin and Wang (219
## to 980 genes), which nobody had set apart before. Two conditions of one study are one study.

arguments <- commandArgs(trailingOnly = TRUE)
if (!length(arguments)) {
    stop("usage: Rscript box-student.R DATA [CSV] [MODEL.rds]")
}
suppressPackageStartupMessages({
    library(Matrix)
    library(causeway)
})

## ---- cells ------------------------------------------------------------------------

path <- function(...) file.path(arguments[[1L]], "01_scrna", ...)
objects <- function(...) {
    e <- new.env()
    load(path(...), e)
    e
}
sparse <- function(x) {
    x <- as(as(as(x, "dMatrix"), "generalMatrix"), "CsparseMatrix")
    rownames(x) <- toupper(rownames(x))
    x[!duplicated(rownames(x)), ]
}
## list(study, x: genes x cells, counts or logarithms, logged, batch)
set <- function(study, x, logged, batch = "one") {
    x <- sparse(x)
    list(study = study, x = x, logged = logged,
        batch = rep_len(as.character(batch), ncol(x))
    )
}
sets <- list()
e <- objects("pbmc_kang_ifnb_harmony", "pbmc_stim.RData")
sets$control <- set("Kang", e$pbmc.ctrl, FALSE)
sets$stimulated <- set("Kang", e$pbmc.stim, FALSE)
x <- objects("pbmc3k_500_cellnexus", "pbmc3k_sce.rda")$pbmc3k_sce
x <- reconcileGenes(x, to = "symbol", verbose = FALSE)
sets$pbmc3k <- set("PBMC3k", SummarizedExperiment::assay(x, "counts"), FALSE)
x <- objects("pbmc_three_technologies_symphony", "pbmcs_exprs_small.rda")[[
    "pbmcs_exprs_small"]]
m <- objects("pbmc_three_technologies_symphony", "pbmcs_meta_small.rda")[[
    "pbmcs_meta_small"]]
m <- m[match(colnames(x), m$cell_id), ]
## version 1 of the chemistry may be PBMC3k's library
twice <- sub("[-_].*", "", sub(".*_", "", colnames(x))) %in%
    sub("[-_].*", "", colnames(sets$pbmc3k$x))
x <- x[, !twice]
sets$technologies <- set("technologies", x, TRUE, m$donor[!twice])
x <- openCells(path("pbmc68k_reduced_scanpy", "10x_pbmc68k_reduced.h5ad"),
    verbose = FALSE)
sets$pbmc68k <- set("PBMC68k", as(SummarizedExperiment::assay(x, "logcounts"),
    "dgCMatrix"), TRUE)
x <- objects("islets_two_studies_scclassify", "scClassify_example.rda")[[
    "scClassify_example"]]
sets$Xin <- set("Xin", x$exprsMat_xin_subset, TRUE)
sets$Wang <- set("Wang", x$exprsMat_wang_subset, TRUE)
x <- objects("pancreas_human_mouse_cider", "pancreas.RData")$pancreas
m <- attr(x, "meta.data")
x <- attr(attr(x, "assays")[[1L]], "counts")
for (species in c("human", "mouse")) {
    at <- m$Batch == species
    sets[[paste("Baron", species)]] <- set("Baron", x[, at], FALSE,
        m$Sample[at])
}
x <- objects("head_neck_chetah", "headneck_ref.rda")$headneck_ref
sets$tumour <- set("Puram", SummarizedExperiment::assay(x), TRUE)
sets$marrow <- set("marrow", objects("bone_marrow_mouse_cytosimplex",
    "rnaRaw.rda")$rnaRaw, FALSE)

resource <- function(...) file.path(arguments[[1L]], "04_resources", ...)
load(resource("dorothea", "dorothea_hs.rda"), e)
dorothea <- as.data.frame(e$dorothea_hs)
dorothea <- dorothea[dorothea$confidence %in% c("A", "B", "C"), ]
collectri <- read.csv(resource("collectri", "collectri.csv"))
trrust <- read.delim(resource("trrust", "trrust_rawdata.human.tsv"),
    header = FALSE)
known <- unique(data.frame(
    Gene1 = c(collectri$source, dorothea$tf, trrust[[1L]]),
    Gene2 = c(collectri$target, dorothea$target, trrust[[2L]])
))
factors <- tfCatalogue("human")$TF

## ---- the student ------------------------------------------------------------------

logged <- function(x, logged) {
    if (!logged) {
        total <- Matrix::colSums(x)
        x@x <- log1p(x@x * rep(median(total) / pmax(1, total), diff(x@p)))
    }
    x
}

## list(z: factors x genes, n): correlations in one batch, of what ten cells and
## one in fifty have.
correlate <- function(x, genes, tfs) {
    seen <- Matrix::rowSums(x > 0) >= max(10, ncol(x) / 50)
    x <- x[seen & rownames(x) %in% genes, , drop = FALSE]
    v <- scale(t(as.matrix(x)))
    v[, colSums(!is.finite(v)) > 0] <- 0
    tf <- intersect(tfs, colnames(v))
    r <- crossprod(v[, tf, drop = FALSE], v) / (nrow(v) - 1)
    list(z = atanh(pmin(pmax(r, -.99), .99)), n = nrow(v))
}

## Of these sets; as many factors and genes as leave the file small.
teach <- function(sets, mostFactors = 600L, mostGenes = 4000L) {
    seen <- lapply(sets, function(s) Matrix::rowMeans(s$x > 0))
    share <- tapply(unlist(unname(seen)), unlist(lapply(unname(seen), names)),
        sum)
    studies <- table(unlist(unname(lapply(split(sets, vapply(sets, `[[`, "",
        "study")), function(of) unique(unlist(lapply(of, function(s)
        rownames(s$x))))))))
    share <- sort(share[names(studies)[studies >= 2]], decreasing = TRUE)
    tfs <- head(intersect(names(share), factors), mostFactors)
    genes <- union(tfs, head(names(share), mostGenes))
    new <- function() matrix(0, length(tfs), length(genes), dimnames = list(
        tfs, genes))
    sum <- square <- count <- noise <- new()
    for (study in unique(vapply(sets, `[[`, "", "study"))) {
        z <- weight <- new()
        for (s in Filter(function(s) s$study == study, sets)) {
            x <- logged(s$x, s$logged)
            for (b in unique(s$batch)) {
                at <- s$batch == b
                if (sum(at) < 30) next
                r <- correlate(x[, at], genes, tfs)
                w <- r$n - 3
                i <- rownames(r$z)
                j <- colnames(r$z)
                z[i, j] <- z[i, j] + w * r$z
                weight[i, j] <- weight[i, j] + w
            }
        }
        there <- weight > 0
        z <- ifelse(there, z / pmax(1, weight), 0)
        sum <- sum + z
        square <- square + z^2
        count <- count + there
        noise <- noise + ifelse(there, 1 / pmax(1, weight), 0)
    }
    two <- count >= 2 & outer(tfs, genes, "!=")
    mean <- ifelse(two, sum / pmax(1, count), 0)
    spread <- (square - count * mean^2) / pmax(1, count - 1)
    t2 <- max(1e-4, mean(spread[two]) - mean((noise / count)[two]))
    s2 <- max(1e-4, mean((square / pmax(1, count))[two]) -
        mean((noise / count)[two]))
    mean[mean^2 < 4 * (t2 / pmax(1, count) + noise / pmax(1, count)^2)] <- 0
    known <- two & mean != 0
    list(z = matrix(as.raw(128 + round(127 * pmin(pmax(mean, -1), 1))),
        length(tfs)), tfs = tfs, genes = genes, t2 = t2, s2 = s2,
        share = mean(known[two]))
}

## Fisher's z of the student, factors x genes asked for; NA where it knows none.
recall <- function(student, tfs, genes) {
    z <- (as.integer(student$z) - 128) / 127
    z <- matrix(z, length(student$tfs))
    z[z == 0] <- NA
    z[match(tfs, student$tfs), match(genes, student$genes), drop = FALSE]
}

## ---- the test ---------------------------------------------------------------------

ranks <- function(s) array(rank(s), dim(s), dimnames(s))
## One draw of cells: a row per method.
compare <- function(name, s, n, draw, student) {
    set.seed(1000 * draw + n)
    x <- s$x[, sort(sample(ncol(s$x), n))]
    x <- x[Matrix::rowSums(x) > 0, ]
    colnames(x) <- paste0("c", seq_len(n))
    default <- suppressWarnings(suppressMessages(inferGRN(x, seed = draw,
        species = "human", alreadyNormalised = s$logged, verbose = FALSE)))
    tfs <- tfNames(default)
    genes <- geneNames(default)
    v <- as.matrix(logged(x, s$logged)[genes, ])
    r <- suppressWarnings(cor(t(v[tfs, , drop = FALSE]), t(v)))
    r[!is.finite(r)] <- 0
    own <- atanh(pmin(pmax(r, -.99), .99))
    taught <- recall(student, tfs, genes)
    known0 <- is.na(taught)
    weight <- ifelse(known0, 1 / student$s2, 1 / student$t2)
    taught[known0] <- 0
    mixed <- abs((n - 3) * own + weight * taught) / (n - 3 + weight)
    dimnames(mixed) <- dimnames(taught) <- dimnames(as.matrix(default))
    e <- evaluateGRN(default, known, c("model", "pearson", "random"),
        nBoot = 0, seed = draw, expression = v, candidates = "all",
        compare = list(student = mixed, prior = abs(taught),
            `with default` = ranks(mixed) + ranks(as.matrix(default))))
    p <- as.data.frame(e, which = "popularity")
    e <- as.data.frame(e)
    p <- p[p$top == max(p$top), ]
    at <- match(e$method, p$method)
    data.frame(study = name, cells = n, draw = draw, method = ifelse(
        e$method == "model", "default", e$method), tfs = length(tfs),
        genes = length(genes), taught = mean(!known0),
        auprcRatio = e$auprcRatio, earlyRatio = e$earlyRatio,
        auroc = e$auroc, known = p$known[at], expected = p$expected[at],
        z = p$z[at], auprcOverDegree = p$auprcOverDegree[at])
}

draws <- as.integer(Sys.getenv("BOX_DRAWS", "3"))
rows <- list()
for (name in setdiff(names(sets), c("marrow", "Baron mouse"))) {
    s <- sets[[name]]
    student <- teach(Filter(function(o) o$study != s$study, sets))
    message(sprintf("%s left out: t2 %.4f, s2 %.4f, %.0f%% of pairs kept",
        name, student$t2, student$s2, 100 * student$share))
    sizes <- unique(pmin(c(100, 200, 300), ncol(s$x)))
    for (n in sizes[c(TRUE, diff(sizes) >= 50)]) {
        for (draw in seq_len(draws)) {
            found <- tryCatch(compare(name, s, n, draw, student),
                error = function(e) {
                    message(name, " ", n, ": ", conditionMessage(e))
                    NULL
                })
            rows <- c(rows, list(found))
        }
        if (!is.null(found)) {
            print(found[c("study", "cells", "method", "auprcRatio",
                "earlyRatio", "z", "auprcOverDegree")], digits = 3)
        }
    }
}
rows <- do.call(rbind, rows)

## ---- the verdict ------------------------------------------------------------------

means <- aggregate(cbind(auprcRatio, auprcOverDegree) ~ study + cells + method,
    rows, mean)
table <- function(what) {
    xtabs(as.formula(paste(what, "~ paste(study, cells) + method")), means)
}
for (m in c("student", "with default")) {
    wins <- Reduce(`&`, lapply(c("auprcRatio", "auprcOverDegree"), function(w) {
        t <- table(w)
        t[, m] > pmax(t[, "pearson"], t[, "default"])
    }))
    message(m, ": above Pearson and the default by both measures in ",
        sum(wins), " of ", length(wins), " studies x sizes",
        if (mean(wins) >= .9) ": would ship")
}
for (w in c("auprcRatio", "auprcOverDegree")) {
    message("geometric means of ", w)
    print(exp(colMeans(log(table(w)[, c("default", "pearson", "prior",
        "student", "with default")]))), digits = 3)
}
if (length(arguments) > 1L) {
    number <- vapply(rows, is.double, NA)
    rows[number] <- lapply(rows[number], signif, 4L)
    write.csv(rows, arguments[[2L]], row.names = FALSE, quote = FALSE)
}
if (length(arguments) > 2L) {
    saveRDS(teach(sets), arguments[[3L]], compress = "xz")
    message(arguments[[3L]], ": ", file.size(arguments[[3L]]), " bytes")
}
