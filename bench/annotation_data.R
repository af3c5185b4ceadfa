# annotation_data.R: the development sets of spec/annotation-that-works.md from the shared data, and its 22 tasks. Sourced
# by annotation.R. A set is a list: X (genes x cells, dgCMatrix), logged, label, batch, group.

suppressPackageStartupMessages({
    library(Matrix)
    library(SingleCellExperiment)
})

sets <- function(data) {
    path <- function(...) file.path(data, "01_scrna", ...)
    got <- function(...) {
        e <- new.env()
        mget(load(path(...), e), e)
    }
    columns <- function(x) attr(attr(x, "colData"), "listData")
    # genes in upper case, each once
    set <- function(X, logged, label, batch = "one", group = "one") {
        X <- as(as(as(X, "dMatrix"), "generalMatrix"), "CsparseMatrix")
        rownames(X) <- toupper(rownames(X))
        list(X = X[!duplicated(rownames(X)), ], logged = logged, label = as.character(label),
            batch = rep_len(as.character(batch), ncol(X)), group = rep_len(as.character(group), ncol(X)))
    }
    out <- list()
    x <- got("pbmc_three_technologies_symphony", "pbmcs_exprs_small.rda")[[1]]
    m <- got("pbmc_three_technologies_symphony", "pbmcs_meta_small.rda")[[1]]
    m <- m[match(colnames(x), m$cell_id), ]
    out$sym <- set(x, TRUE, m$cell_type, m$donor)
    x <- got("islets_two_studies_scclassify", "scClassify_example.rda")[[1]]
    out$wang <- set(x$exprsMat_wang_subset, TRUE, x$wang_cellTypes)
    out$xin <- set(x$exprsMat_xin_subset, TRUE, x$xin_cellTypes)
    x <- got("kang_donors_muscat", "example_sce.rda")[[1]]
    d <- columns(x)
    out$kang <- set(counts(x), FALSE, d$cluster_id, d$sample_id, d$group_id)
    x <- got("pancreas_human_mouse_cider", "pancreas.RData")[[1]]
    m <- attr(x, "meta.data")
    out$panc <- set(attr(attr(x, "assays")[[1]], "counts"), FALSE, m$Group, m$Sample, m$Batch)
    x <- got("bone_marrow_mouse_cytosimplex", "rnaRaw.rda")[[1]]
    out$bm <- set(x, FALSE, got("bone_marrow_mouse_cytosimplex", "rnaCluster.rda")[[1]])
    x <- got("head_neck_chetah", "headneck_ref.rda")[[1]]
    out$hn <- set(assay(x), TRUE, columns(x)$celltypes)
    x <- got("pbmc3k_500_cellnexus", "pbmc3k_sce.rda")[[1]]
    X <- assay(x)
    symbols <- reconcile(rownames(X), data)
    rownames(X) <- symbols
    out$pbmc500 <- set(X, FALSE, columns(x)$cell_type_unified_ensemble)
    out$pbmc500 <- cells_of(out$pbmc500, out$pbmc500$label != "Unknown")
    out$p68k <- p68k(path("pbmc68k_reduced_scanpy", "10x_pbmc68k_reduced.h5ad"), set)
    out
}

# Ensembl identifiers to symbols by the HGNC table
reconcile <- function(ids, data) {
    h <- read.delim(gzfile(file.path(data, "04_resources", "hgnc", "hgnc_complete_set.txt.gz")), quote = "",
        colClasses = "character")
    at <- match(ids, h$ensembl_gene_id)
    ifelse(is.na(at), ids, h$symbol[at])
}

p68k <- function(file, set) {
    read <- function(name) as.vector(rhdf5::h5read(file, name))
    p <- as.integer(read("raw/X/indptr"))
    var <- read("raw/var/index")
    X <- sparseMatrix(i = as.integer(read("raw/X/indices")) + 1L, p = p, x = as.double(read("raw/X/data")),
        dims = c(length(var), length(p) - 1L), dimnames = list(var, read("obs/index")))
    set(X, TRUE, read("obs/bulk_labels/categories")[read("obs/bulk_labels/codes") + 1L])
}

cells_of <- function(s, keep) {
    s$X <- s$X[, keep, drop = FALSE]
    for (field in c("label", "batch", "group")) s[[field]] <- s[[field]][keep]
    s
}

# labels of the two other PBMC sets in the words of sym; NA: left out
renamed <- list(
    pbmc500 = c("CD14+ Mono" = "Mono_CD14", "FCGR3A+ Mono" = "Mono_CD16", "Memory CD4 T" = "T_CD4",
        "Naive CD4 T" = "T_CD4", "CD8 T" = "T_CD8", "Platelet" = "MK"),
    kang = c("B cells" = "B", "CD14+ Monocytes" = "Mono_CD14", "CD4 T cells" = "T_CD4", "CD8 T cells" = "T_CD8",
        "FCGR3A+ Monocytes" = "Mono_CD16", "NK cells" = "NK", "Dendritic cells" = "DC")
)
rename <- function(s, name) {
    map <- renamed[[name]]
    s$label <- ifelse(s$label %in% names(map), map[s$label], s$label)
    s
}

# A list of tasks: name, kind of split, ref and query (sets on all their genes; types of fewer than 3 cells are gone).
tasks <- function(all, rep = 0) {
    set.seed(1000 + rep)
    out <- list()
    add <- function(name, kind, a, b, ia = NULL, ib = NULL, mapped = FALSE) {
        A <- if (mapped) rename(all[[a]], a) else all[[a]]
        B <- if (mapped) rename(all[[b]], b) else all[[b]]
        ia <- if (is.null(ia)) rep(TRUE, ncol(A$X)) else ia(A)
        ib <- if (is.null(ib)) rep(TRUE, ncol(B$X)) else ib(B)
        take <- sort(sample(which(ia), floor(.8 * sum(ia))))
        ref <- cells_of(A, take)
        n <- table(ref$label)
        good <- names(n)[n >= 3]
        ref <- cells_of(ref, ref$label %in% good)
        query <- cells_of(B, ib)
        new <- cells_of(query, !query$label %in% good)
        out[[length(out) + 1]] <<- list(name = name, kind = kind, ref = ref,
            query = cells_of(query, query$label %in% good), new = new)
    }
    for (b in c("3pv1", "3pv2", "5p")) local({
        b <- b
        add(sprintf("sym:!%s>%s", b, b), "platform", "sym", "sym", function(s) s$batch != b, function(s) s$batch == b)
    })
    is <- function(g) function(s) s$group == g
    add("kang:ctrl>stim", "condition", "kang", "kang", is("ctrl"), is("stim"))
    add("kang:stim>ctrl", "condition", "kang", "kang", is("stim"), is("ctrl"))
    has <- function(t) function(s) grepl(t, s$batch)
    add("kang:d101>d107", "donor", "kang", "kang", has("101"), has("107"))
    add("kang:c101>s107", "condition", "kang", "kang", has("ctrl101"), has("stim107"))
    for (b in paste0("human", 1:4)) local({
        b <- b
        add(sprintf("panc:!%s>%s", b, b), "donor", "panc", "panc", function(s) s$batch != b & s$group == "human",
            function(s) s$batch == b)
    })
    add("panc:human>mouse", "species", "panc", "panc", is("human"), is("mouse"))
    add("panc:mouse>human", "species", "panc", "panc", is("mouse"), is("human"))
    add("wang>xin", "platform", "wang", "xin")
    add("xin>wang", "platform", "xin", "wang")
    add("pbmc500>sym", "study", "pbmc500", "sym", mapped = TRUE)
    add("sym>pbmc500", "study", "sym", "pbmc500", mapped = TRUE)
    add("sym>kang", "study", "sym", "kang", NULL, is("ctrl"), TRUE)
    add("sym>kangstim", "study", "sym", "kang", NULL, is("stim"), TRUE)
    add("kang>sym", "study", "kang", "sym", mapped = TRUE)
    add("pbmc500>kangstim", "study", "pbmc500", "kang", NULL, is("stim"), TRUE)
    for (n in c("p68k", "bm", "hn", "pbmc500")) {
        label <- all[[n]]$label
        held <- unlist(lapply(split(seq_along(label), label), function(j) {
            j[sample.int(length(j))][seq_len(max(1, round(.4 * length(j))))]
        }))
        held <- seq_along(label) %in% held
        add(paste0(n, ":cv"), "cv", n, n, function(s) !held, function(s) held)
        # all of the reference side, as the page has it
        t <- out[[length(out)]]
        t$ref <- cells_of(all[[n]], !held)
        k <- table(t$ref$label)
        t$ref <- cells_of(t$ref, t$ref$label %in% names(k)[k >= 3])
        out[[length(out)]] <- t
    }
    out
}

# A task in the shape of the package's internals: list(ref, query) on the shared genes.
internal <- function(task, threads = 2L) {
    shared <- intersect(rownames(task$ref$X), rownames(task$query$X))
    types <- sort(unique(task$ref$label))
    ref <- causeway:::.reference(task$ref$X, match(shared, rownames(task$ref$X)), task$ref$logged,
        match(task$ref$label, types), types, threads)
    query <- causeway:::.dataSet(task$query$X, match(shared, rownames(task$query$X)), task$query$logged)
    query$block <- causeway:::.typeBlock(query)
    list(ref = ref, query = query)
}
