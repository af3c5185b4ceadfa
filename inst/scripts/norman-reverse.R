## Reverse perturbation on the screen of Norman et al. (2019), by the protocol of
## scGPT, CellFM and KCellFM: 20 genes and the 210 perturbations that they make,
## alone and in pairs; of those that were measured (47 there) 33 are trained on,
## 3 left for validation, 11 asked for. Which of the 210 did it?
##
##   Rscript norman-reverse.R data=norman.h5ad out=FOLDER [condition=condition]
##       [genes=A,B,.. or FILE] [split=FILE.csv] [go=FILE.csv] [seed=1]
##
## data       .h5ad, or an .rds of a SingleCellExperiment; counts
## condition  column of labels ("ctrl", "KLF1+ctrl", "KLF1+BAK1")
## genes      the 20 genes; else those of which most was measured
## split      columns condition, set (train, valid, test): the published one;
##            else drawn by seed, 33 to 3 to 11
## go         columns gene, term: side information
##
## Differs from the published protocol in one thing: training cells and the
## cells asked about have control cells of their own each (they share them
## there, which alone finds perturbations that did nothing).
## Written: ranks.csv, recall.csv; sourced, it defines normanProtocol().

## Of the labels' sets the 20 genes within which most sets were measured: genes
## with the fewest sets are dropped one by one.
normanGenes <- function(sets, n = 20L) {
    genes <- unique(unlist(sets))
    while (length(genes) > n) {
        inside <- sets[vapply(sets, function(g) all(g %in% genes), NA)]
        count <- table(factor(unlist(inside), sort(genes)))
        genes <- setdiff(genes, names(count)[[which.min(count)]])
    }
    sort(genes)
}

## "train", "valid", "test" of n sets, 33 to 3 to 11.
normanSplit <- function(n) {
    test <- max(1L, round(n * 11 / 47))
    valid <- if (n >= 16L) max(1L, round(n * 3 / 47)) else 0L
    sample(rep(c("test", "valid", "train"), c(test, valid, n - test - valid)))
}

## Ranks of the right answer and of the first answer that shares a gene with it,
## for each perturbation asked for.
normanRanks <- function(ranking, right) {
    genes <- strsplit(ranking$perturbation, "+", fixed = TRUE)
    near <- vapply(genes, function(g) any(g %in% right), NA)
    hit <- vapply(genes, setequal, NA, right)
    one <- function(rank, is) {
        rank <- rank[is & !is.na(rank)]
        if (length(rank)) min(rank) else NA_integer_
    }
    columns <- c(model = "rank", additive = "rankAdditive",
        measured = "rankMeasured")
    do.call(rbind, lapply(names(columns), function(m) {
        rank <- ranking[[columns[[m]]]]
        data.frame(method = m, rank = one(rank, hit), near = one(rank, near))
    }))
}

normanProtocol <- function(x, condition, genes = NULL, split = NULL,
    seed = 1, ..., k = c(1, 2, 5, 8, 10, 20)) {
    set.seed(seed)
    label <- as.character(SummarizedExperiment::colData(x)[[condition]])
    read <- parsePerturbations(label, genes = rownames(x))
    of <- read$perturbation[match(trimws(label), read$label)]
    measured <- unique(of[!of %in% c(NA, "control")])
    sets <- stats::setNames(strsplit(measured, "+", fixed = TRUE), measured)
    sets <- sets[lengths(sets) <= 2L]
    if (is.null(genes)) genes <- normanGenes(sets)
    sets <- sets[vapply(sets, function(g) all(g %in% genes), NA)]
    if (length(sets) < 8L) {
        stop("of these ", length(genes), " genes ", length(sets), " single ",
            "genes and pairs were measured; 8 are needed.", call. = FALSE)
    }
    set <- if (is.null(split)) normanSplit(length(sets)) else {
        given <- parsePerturbations(split$condition, genes = rownames(x))
        split$set[match(names(sets), given$perturbation[match(
            trimws(split$condition), given$label)])]
    }
    control <- which(of == "control")
    ask <- sample(control, length(control) %/% 2L)
    train <- c(setdiff(control, ask), which(of %in% names(sets)[set %in%
        "train"]))
    fit <- fitPerturbation(x[, train], condition, seed = seed, ...)
    test <- names(sets)[set %in% "test"]
    ranks <- do.call(rbind, lapply(test, function(p) {
        r <- rankPerturbations(fit, from = x[, ask], to = x[, which(of == p)],
            genes = genes, pairs = TRUE, top = Inf)
        cbind(perturbation = p, normanRanks(as.data.frame(r), sets[[p]]))
    }))
    candidates <- length(genes) * (length(genes) + 1) / 2
    recall <- do.call(rbind, lapply(unique(ranks$method), function(m) {
        r <- ranks[ranks$method == m, ]
        data.frame(method = m, k = k, found = vapply(k, function(k) mean(
            !is.na(r$rank) & r$rank <= k), 0), near = vapply(k, function(k)
            mean(!is.na(r$near) & r$near <= k), 0), chance = k / candidates)
    }))
    list(fit = fit, genes = genes, candidates = candidates, ranks = ranks,
        split = data.frame(condition = names(sets), set = set),
        recall = recall)
}

normanArguments <- function(given) {
    known <- c("data", "out", "condition", "genes", "split", "go", "seed")
    name <- sub("=.*", "", given)
    wrong <- given[!grepl("=", given, fixed = TRUE) | !name %in% known]
    if (length(wrong)) {
        stop("'", wrong[[1L]], "' isn't understood; arguments are name=value ",
            "with the names ", paste(known, collapse = ", "), ".",
            call. = FALSE)
    }
    as.list(stats::setNames(sub("^[^=]*=", "", given), name))
}

normanMain <- function(given) {
    given <- normanArguments(given)
    if (is.null(given$data) || !file.exists(given$data)) {
        stop("the screen is not there: data=", given$data, " must be an .h5ad ",
            "or .rds file (Norman et al. 2019, GSE133344).", call. = FALSE)
    }
    x <- if (grepl("[.]rds$", given$data)) readRDS(given$data) else
        openCells(given$data)
    genes <- given$genes
    if (!is.null(genes)) {
        genes <- if (file.exists(genes)) readLines(genes) else
            strsplit(genes, ",", fixed = TRUE)[[1L]]
    }
    or <- function(a, b) if (is.null(a)) b else a
    table <- function(file) if (!is.null(file)) utils::read.csv(file)
    found <- normanProtocol(x, or(given$condition, "condition"), genes,
        table(given$split), as.integer(or(given$seed, 1)), go = table(given$go))
    dir.create(or(given$out, "."), showWarnings = FALSE, recursive = TRUE)
    for (name in c("ranks", "recall", "split")) {
        utils::write.csv(found[[name]], file.path(or(given$out, "."),
            paste0(name, ".csv")), row.names = FALSE)
    }
    print(found$fit)
    print(found$recall, digits = 2, row.names = FALSE)
}

if (sys.nframe() == 0L) {
    suppressPackageStartupMessages(library(causeway))
    normanMain(commandArgs(trailingOnly = TRUE))
}
