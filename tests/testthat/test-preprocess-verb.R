## preprocess() against scanpy: tests/fixtures/scanpy/make.py wrote the values.
scanpyData <- function() {
    Sys.getenv("CAUSEWAY_DATA", "no-shared-data")
}

scanpySettings <- list(
    ## scanpy had 5 for maxMt, and symbols in which no gene began with MT-
    pbmc3k = list(minGenes = 650, minCells = 3, maxMt = Inf, nTargets = 1001),
    pancreas = list(
        minGenes = 500, minCells = 5, maxMt = 20, nTargets = 800, targetSum = NULL
    ),
    kang = list(minGenes = 300, minCells = 3, maxMt = 20, nTargets = 500),
    marrow = list(minGenes = 200, minCells = 3, maxMt = 4, nTargets = 1000),
    tiny = list(
        minGenes = 3, minCells = 2, maxMt = 60, nTargets = 6, targetSum = 100
    )
)

scanpySet <- function(name) {
    folder <- fixture("scanpy")
    env <- new.env()
    sys.source(file.path(folder, "sets.R"), env)
    set <- tryCatch(env$scanpySets[[name]](scanpyData()),
        error = function(e) NULL, warning = function(w) NULL
    )
    if (is.null(set)) {
        skip(paste("no data set", name, "in", scanpyData()))
    }
    set$golden <- utils::read.csv(file.path(folder, "summary.csv"),
        colClasses = "character"
    )
    set$golden <- set$golden[set$golden$set == name, ]
    set$folder <- folder
    set
}

digest <- function(names) {
    file <- tempfile()
    on.exit(unlink(file))
    cat(paste(names, collapse = "\n"), file = file)
    unname(tools::md5sum(file))
}

runScanpy <- function(set, name, flavor, keep, x = set$counts, ...) {
    args <- c(list(x, flavor = flavor, keepTFs = keep,
        species = set$species, verbose = FALSE
    ), scanpySettings[[name]], list(...))
    do.call(preprocess, args)
}

## Sums and position-weighted sums of the columns, to 1e-6 of their size.
expectSums <- function(table, golden, columns) {
    for (column in columns) {
        v <- as.numeric(table[[column]])
        for (what in c("sum", "weighted")) {
            want <- as.numeric(golden(paste(what, column)))
            got <- if (what == "sum") sum(v) else sum(v * seq_along(v))
            expect_equal(got, want, tolerance = 1e-9,
                label = paste(what, column)
            )
        }
    }
}

expectCase <- function(out, set, name, case) {
    golden <- function(what) {
        set$golden$value[set$golden$flavour == case & set$golden$what == what]
    }
    genes <- as.data.frame(SummarizedExperiment::rowData(out))
    rownames(genes) <- rownames(out)
    info <- paste(name, case)
    variable <- rownames(out)[genes$highly_variable]
    ## 38 genes in the 20 bins of cell_ranger: most scores are equal but for
    ## rounding, and so is what is chosen.
    if (!(name == "tiny" && startsWith(case, "cell_ranger"))) {
        expect_identical(length(variable), as.integer(golden("variable")),
            info = info
        )
        expect_identical(digest(variable), golden("variable_names"),
            info = info
        )
        expect_identical(digest(rownames(out)[genes$chosen]),
            golden("chosen_names"), info = info
        )
    }
    want <- utils::read.csv(
        file.path(set$folder, paste0(name, ".", case, ".csv")),
        row.names = 1L, check.names = FALSE
    )
    compete <- genes
    if (endsWith(case, "+tf")) {
        compete <- genes[!genes$isTF, ]
    }
    for (column in setdiff(names(want), "highly_variable")) {
        got <- compete[rownames(want), column]
        expect_equal(is.finite(got), is.finite(want[[column]]),
            info = paste(info, column)
        )
        fine <- is.finite(got)
        if (column == "highly_variable_rank") {
            ## scanpy's order of equal variances is the sort's
            v <- signif(compete$variances_norm, 10)
            fine <- fine & !(rownames(want) %in%
                rownames(compete)[v %in% v[duplicated(v)]])
        }
        expect_lt(max(abs(got - want[[column]])[fine] /
            pmax(1, abs(want[[column]][fine])), 0), 1e-6,
            label = paste(info, column)
        )
        all <- compete[[column]]
        all <- all[is.finite(all)]
        expect_identical(length(all),
            as.integer(golden(paste("finite", column))),
            info = paste(info, column)
        )
        expect_lt(abs(sum(all) - as.numeric(golden(paste("sum", column)))) /
            max(1, sum(abs(all))), 1e-6, label = paste(info, column))
    }
}

## Haemoglobin: scanpy's numbers are those of the expression in use there, ours
## of the genes by name. Mitochondria under Ensembl names: by HGNC's symbols.
expectShares <- function(out, set, golden) {
    symbol <- toupper(set$symbols)
    share <- function(take) {
        m <- set$counts[, colnames(out)]
        100 * Matrix::colSums(m[which(take), , drop = FALSE]) /
            Matrix::colSums(m)
    }
    cells <- SummarizedExperiment::colData(out)
    expect_equal(sum(share(grepl("^HB[^(P)]", symbol))),
        as.numeric(golden("sum pct_counts_hb")), tolerance = 1e-9
    )
    named <- c("HBA1", "HBA2", "HBB", "HBD", "HBE1", "HBG1", "HBG2", "HBM",
        "HBQ1", "HBZ", "HBA-A1", "HBA-A2", "HBB-B1", "HBB-B2", "HBB-BS",
        "HBB-BT", "HBB-Y", "HBB-BH1", "HBB-BH0", "HBB-BH2", "HBB-BH3",
        "HBA-X", "HBQ1A", "HBQ1B"
    )
    expect_equal(cells$pct_counts_hb, unname(share(symbol %in% named)))
    expect_equal(cells$pct_counts_mt, unname(share(startsWith(symbol, "MT-"))))
}

compareWithScanpy <- function(name) {
    set <- scanpySet(name)
    if (name == "pbmc3k") {
        expect_true(all(startsWith(rownames(set$counts), "ENSG")))
    }
    plain <- function(what) {
        set$golden$value[set$golden$flavour == "" & set$golden$what == what]
    }
    ## each real set with one way of choosing for each flavour, two with each
    keeps <- list(seurat = TRUE, seurat_v3 = FALSE, cell_ranger = TRUE)
    if (name %in% c("pancreas", "marrow")) keeps <- lapply(keeps, `!`)
    if (name == "tiny") keeps <- lapply(keeps, function(k) c(TRUE, FALSE))
    for (flavor in names(keeps)) {
        for (keep in keeps[[flavor]]) {
            out <- suppressWarnings(runScanpy(set, name, flavor, keep))
            expectCase(out, set, name, paste0(flavor, if (keep) "+tf"))
        }
    }
    expect_identical(ncol(out), as.integer(plain("cells")))
    expect_identical(nrow(out), as.integer(plain("genes")))
    expect_identical(digest(colnames(out)), plain("cell_names"))
    expect_identical(digest(rownames(out)), plain("gene_names"))
    expectSums(SummarizedExperiment::colData(out), plain, c(
        "n_genes_by_counts", "total_counts", "log1p_total_counts",
        if (name != "pbmc3k") "pct_counts_mt", "pct_counts_ribo",
        "log1p_n_genes_by_counts"
    ))
    expectSums(SummarizedExperiment::rowData(out), plain, c(
        "n_cells_by_counts", "mean_counts", "pct_dropout_by_counts", "n_cells"
    ))
    expectShares(out, set, plain)
    logged <- SummarizedExperiment::assay(out, "logcounts")
    expect_equal(sum(logged), as.numeric(plain("sum logcounts")),
        tolerance = 1e-9
    )
    weighted <- sum(seq_len(ncol(out)) *
        Matrix::colSums(logged * seq_len(nrow(out))))
    expect_equal(weighted, as.numeric(plain("weighted logcounts")),
        tolerance = 1e-9
    )
}

test_that("made-up cells with every oddity: as scanpy", {
    compareWithScanpy("tiny")
})

test_that("PBMC with Ensembl names: as scanpy", {
    compareWithScanpy("pbmc3k")
})

test_that("mitochondrial genes are found under Ensembl names", {
    set <- scanpySet("pbmc3k")
    out <- preprocess(set$counts, minGenes = 1, maxMt = 100, verbose = FALSE)
    data <- SummarizedExperiment::rowData(out)
    expect_true(all(grepl("^ENSG", rownames(out))))
    expect_identical(sum(data$mt), 13L)
    expect_gt(max(out$pct_counts_mt), 5)
    expect_message(few <- preprocess(set$counts, minGenes = 1, maxMt = 5),
        "more than 5% mitochondrial"
    )
    expect_identical(ncol(few), sum(out$pct_counts_mt <= 5))
})

test_that("a filter that finds no mitochondrial gene says so", {
    m <- matrix(1, 5001, 2, dimnames = list(paste0("GENE", 1:5001), c("a", "b")))
    m[1, ] <- 1:2
    told <- "no mitochondrial gene.*among the 5001 genes"
    run <- function(...) preprocess(m, minCells = 0, minGenes = 1,
        verbose = FALSE, ...
    )
    expect_warning(run(), told)
    expect_no_warning(run(maxMt = Inf))
    rownames(m)[7] <- "MT.CO1"
    expect_no_warning(run())
})

test_that("human pancreas: as scanpy", {
    compareWithScanpy("pancreas")
})

test_that("interferon PBMC: as scanpy", {
    compareWithScanpy("kang")
})

test_that("mouse bone marrow: as scanpy", {
    compareWithScanpy("marrow")
})

tinyScanpy <- function() {
    scanpySet("tiny")
}

test_that("a matrix on disk gives the same, and stays on disk", {
    skip_if_not_installed("HDF5Array")
    set <- tinyScanpy()
    m <- methods::as(set$counts, "HDF5Array")
    dimnames(m) <- dimnames(set$counts)
    for (flavor in c("seurat", "seurat_v3")) {
        want <- suppressWarnings(runScanpy(set, "tiny", flavor, TRUE))
        x <- SingleCellExperiment::SingleCellExperiment(list(raw = m))
        got <- suppressWarnings(runScanpy(set, "tiny", flavor, TRUE, x))
        for (name in c("counts", "logcounts")) {
            a <- SummarizedExperiment::assay(got, name)
            expect_s4_class(a, "DelayedMatrix")
            expect_equal(as.matrix(a),
                as.matrix(SummarizedExperiment::assay(want, name))
            )
        }
        expect_equal(as.data.frame(SummarizedExperiment::rowData(got)),
            as.data.frame(SummarizedExperiment::rowData(want))
        )
        expect_equal(as.data.frame(SummarizedExperiment::colData(got)),
            as.data.frame(SummarizedExperiment::colData(want))
        )
    }
})

test_that("containers come back as what they were", {
    set <- tinyScanpy()
    sce <- SingleCellExperiment::SingleCellExperiment(
        list(counts = set$counts),
        colData = S4Vectors::DataFrame(day = seq_len(24))
    )
    SingleCellExperiment::reducedDim(sce, "PCA") <- matrix(1, 24, 2)
    out <- runScanpy(set, "tiny", "seurat", TRUE, sce)
    expect_s4_class(out, "SingleCellExperiment")
    expect_identical(out$day, setdiff(seq_len(24), 3:4))
    expect_identical(dim(SingleCellExperiment::reducedDim(out)), c(22L, 2L))
    expect_identical(S4Vectors::metadata(out)$preprocess$cellsFewGenes, 2L)
    some <- runScanpy(set, "tiny", "seurat", TRUE, sce, subset = TRUE)
    expect_identical(nrow(some), 9L)
    expect_identical(
        as.matrix(SummarizedExperiment::assay(some, "logcounts")),
        as.matrix(SummarizedExperiment::assay(out, "logcounts"))[
            rownames(some), ]
    )
    lean <- runScanpy(set, "tiny", "seurat", TRUE, sce, dropQC = TRUE)
    expect_false(any(c("MT-ND1", "RPS3", "HBA1") %in% rownames(lean)))
    expect_true("HBP1" %in% rownames(lean))
    skip_if_not_installed("SeuratObject")
    seurat <- suppressWarnings(SeuratObject::CreateSeuratObject(set$counts))
    got <- runScanpy(set, "tiny", "seurat", TRUE, seurat)
    expect_s4_class(got, "Seurat")
    expect_equal(
        as.matrix(SeuratObject::GetAssayData(got)),
        as.matrix(SummarizedExperiment::assay(out, "logcounts"))
    )
    expect_setequal(SeuratObject::VariableFeatures(got),
        rownames(out)[SummarizedExperiment::rowData(out)$highly_variable]
    )
    expect_equal(unname(got$pct_counts_mt), out$pct_counts_mt)
})

test_that("bad arguments and bad cells are named", {
    set <- tinyScanpy()
    run <- function(...) {
        preprocess(set$counts, minGenes = 3, verbose = FALSE, ...)
    }
    expect_error(run(flavor = "scran"), "'flavor'.*seurat_v3")
    expect_error(run(flavor = "seurat_v3", nTargets = NULL), "'nTargets'.*bounds")
    expect_error(run(means = 3), "'means' must be two numbers")
    expect_error(run(targetSum = 0), "'targetSum'")
    expect_error(run(minCells = 99), "keeps 2. of 24 cells and 0 of 40 genes")
    expect_error(run(bins = 0), "'bins'")
    expect_error(preprocess(unname(set$counts)), "no gene names")
    bad <- set$counts
    bad["TP53", 5] <- -1
    expect_error(preprocess(bad, minGenes = 3), "-1 for gene TP53 in cell c5")
    bad["TP53", 5] <- NA
    expect_error(preprocess(bad, minGenes = 3), "NA for gene TP53")
    expect_warning(preprocess(set$counts / 3, "seurat_v3", minGenes = 3,
        maxMt = Inf
    ), "whole numbers")
    fish <- set$counts
    rownames(fish) <- sprintf("ENSDARG%011d", seq_len(nrow(fish)))
    expect_error(preprocess(fish, minGenes = 3, species = "human"),
        "not Ensembl's of human.*'symbols'"
    )
    twice <- set$counts
    rownames(twice)[2] <- "TP53"
    expect_error(preprocess(twice), "duplicated gene names: TP53.*reconcile")
})

test_that("bounds choose where nTargets is NULL, as scanpy's defaults do", {
    set <- tinyScanpy()
    out <- preprocess(set$counts, minGenes = 3, minCells = 2, maxMt = 60,
        targetSum = 100, nTargets = NULL, keepTFs = FALSE, verbose = FALSE,
        means = c(0, 2), dispersions = c(0.2, Inf)
    )
    g <- SummarizedExperiment::rowData(out)
    want <- unname(g$means > 0 & g$means < 2 & !is.na(g$dispersions_norm) &
        g$dispersions_norm > 0.2)
    expect_identical(unname(g$highly_variable), want)
    expect_true(any(want) && !all(want))
})
