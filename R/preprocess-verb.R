## preprocess(): scanpy's filters, normalisation and variable genes on a
## container of cells. Values leave the container through .columnChunk() only,
## so a matrix on disk is read in blocks, three or four times over.

#' Filter cells and genes, normalise, choose variable genes, as scanpy does
#'
#' The usual first steps with the results of scanpy (1.11): the same cells and
#' genes kept, the same values. Training and inference of this package do
#' their own preprocessing from counts (see [trainModel()]); use this to look
#' at the data first, to work with other tools, or to choose `genes` yourself.
#'
#' @details
#' In this order, with scanpy's names:
#'
#' 1. `calculate_qc_metrics` over all genes, with mitochondrial (`MT-`),
#'    ribosomal (`RPS`, `RPL`) and haemoglobin (`HB`, not `HBP`) genes by
#'    symbol, case ignored;
#' 2. `filter_cells`: cells with at least `minGenes` genes;
#' 3. `filter_genes`: genes in at least `minCells` of those cells;
#' 4. cells with at most `maxMt` percent mitochondrial counts (of step 1), and
#'    with `dropQC` the mitochondrial, ribosomal and haemoglobin genes;
#' 5. `normalize_total` to `targetSum` (`NULL`: the median), then `log1p`;
#' 6. `highly_variable_genes`. `"seurat"`: log of variance over mean of the
#'    normalised values, standardised within 20 bins of the mean;
#'    `"cell_ranger"`: variance over mean of the log values, by median and
#'    median absolute deviation within bins of equal size; `"seurat_v3"`:
#'    variance of clipped, standardised counts, the expected standard
#'    deviation from a loess of log variance on log mean. With `keepTFs` all
#'    transcription factors are kept and the variable genes are chosen among
#'    the others only, as for the published models.
#'
#' Ties: `"seurat"` and `"cell_ranger"` take every gene that equals the last
#' one chosen, so that there can be more than `nTop`; for `"seurat_v3"` scanpy
#' leaves the order of ties to the sort, here the first come first. Batches
#' (`batch_key`) are not supported: split `x` and take the genes variable in
#' most parts. scanpy keeps single precision when it is given single
#' precision; here all is double, so compare with `adata.X` as `float64`.
#' Where scanpy stops with an error of its loess library for lack of distinct
#' means, a warning is given here.
#'
#' @param x the cells, genes in rows: a SingleCellExperiment,
#'   SummarizedExperiment, Seurat object, matrix, dgCMatrix or DelayedMatrix of
#'   counts (not normalised).
#' @param flavor how variable genes are found, see Details.
#' @param minGenes,minCells least number of genes seen in a cell, of cells a
#'   gene is seen in.
#' @param maxMt highest percentage of mitochondrial counts; `Inf`: no filter.
#' @param targetSum total of each cell after normalisation; `NULL`: the median
#'   of the cells' totals.
#' @param nTop number of variable genes; `NULL`: those within `means` and
#'   `dispersions` (not for `"seurat_v3"`).
#' @param keepTFs keep all transcription factors and choose the variable genes
#'   among the other genes?
#' @param species `"human"` or `"mouse"`, or a column of `colData(x)`; `NULL`:
#'   human. Used for the list of factors, and for the symbols of Ensembl
#'   identifiers.
#' @param tfs the transcription factors as for [newModel()]; `NULL`:
#'   [tfCatalogue()].
#' @param subset keep the chosen genes only? Otherwise they are flagged.
#' @param dropQC drop mitochondrial, ribosomal and haemoglobin genes?
#' @param bins number of bins of the mean, `"seurat"`.
#' @param span span of the loess, `"seurat_v3"`.
#' @param means,dispersions two numbers each, the bounds (excluded) of mean
#'   and normalised dispersion for `nTop = NULL`.
#' @param assay.type,symbols as for [newModel()].
#' @param verbose show messages.
#' @return An object of the class of `x` (for a matrix a SingleCellExperiment)
#'   with the cells and genes kept and
#'   * assay `counts`, where `x` had the counts under another name, and
#'     `logcounts` (Seurat: layer `data`); a DelayedMatrix stays delayed;
#'   * `colData`: `n_genes_by_counts`, `total_counts` and their `log1p_`, and
#'     `total_counts_` and `pct_counts_` for `mt`, `ribo` and `hb`;
#'   * `rowData`: `n_cells_by_counts`, `mean_counts`, `total_counts`,
#'     `pct_dropout_by_counts` (of `x` as given), `n_cells` (of step 3),
#'     `mt`, `ribo`, `hb`, `isTF`, `means`, `dispersions`,
#'     `dispersions_norm` or `means`, `variances`, `variances_norm`,
#'     `highly_variable_rank` (from 0), `highly_variable`, and `chosen`:
#'     variable or, with `keepTFs`, a factor. Of genes that did not compete
#'     the normalised dispersion is `NA`;
#'   * in `metadata(x)$preprocess` the settings and what each step dropped
#'     (Seurat: `Misc(x, "preprocess")`).
#' @section Errors: values that are negative, missing or infinite; no gene
#'   names or the same twice; filters that leave fewer than two cells or genes;
#'   `nTop = NULL` with `"seurat_v3"`. Values that are not whole numbers are a
#'   warning with `"seurat_v3"`.
#' @references Wolf et al. (2018) Genome Biology 19, 15 (scanpy). Satija et al.
#'   (2015) Nature Biotechnology 33, 495 (`"seurat"`). Zheng et al. (2017)
#'   Nature Communications 8, 14049 (`"cell_ranger"`). Stuart et al. (2019)
#'   Cell 177, 1888 (`"seurat_v3"`).
#' @seealso [reconcileGenes()], [tfCatalogue()], [inferGRN()]
#' @examples
#' cells <- exampleCells()
#' out <- preprocess(cells, minGenes = 5, nTop = 20)
#' out
#' table(SummarizedExperiment::rowData(out)$chosen)
#' SummarizedExperiment::colData(out)[1:3, c("total_counts", "pct_counts_mt")]
#' @export
preprocess <- function(x, flavor = c("seurat", "seurat_v3", "cell_ranger"),
    minGenes = 200, minCells = 3, maxMt = 20, targetSum = 1e4, nTop = 1000,
    keepTFs = TRUE, species = NULL, tfs = NULL, subset = FALSE,
    dropQC = FALSE, bins = 20, span = 0.3, means = c(0.0125, 3),
    dispersions = c(0.5, Inf), assay.type = NULL, symbols = NULL,
    verbose = interactive()) {
    settings <- .scanpySettings(list(
        flavor = .oneOf(flavor, c("seurat", "seurat_v3", "cell_ranger"),
            "flavor"
        ),
        minGenes = minGenes, minCells = minCells, maxMt = maxMt,
        targetSum = targetSum, nTop = nTop, keepTFs = keepTFs,
        subset = subset, dropQC = dropQC, bins = bins, span = span,
        means = means, dispersions = dispersions
    ))
    .checkFlag(verbose, "verbose")
    input <- .cellInput(x, assay.type, symbols, verbose, strict = FALSE)
    .warnSpecies(species, tfs, input)
    species <- .resolveSpecies(species, input$cellData)
    known <- .knownSymbols(input, species, verbose)
    tfs <- .resolveTfs(tfs, species)[[species]]
    flags <- c(.qcGenes(known), list(isTF = .isTf(known, tfs)))
    scan <- .qcScan(input, flags, settings)
    kept <- .scanpyFilter(input, scan, flags, settings, verbose)
    total <- .columnTotals(input$matrix, kept$rows, kept$columns)
    .checkTotals(input, list(total = total), kept$columns, FALSE)
    target <- settings$targetSum
    if (is.null(target)) {
        target <- stats::median(total)
    }
    genes <- .variableTable(input, kept, flags$isTF, target / total, settings)
    genes <- cbind(scan$genes[kept$rows, , drop = FALSE], genes)
    settings$species <- species
    report <- c(settings, kept$report, list(target = target, like = "scanpy"))
    .scanpyResult(x, input, kept, scan$cells[kept$columns, , drop = FALSE],
        genes, target / total, report
    )
}

.scanpySettings <- function(s) {
    .checkNumber(s$minGenes, "minGenes", 0, whole = TRUE)
    .checkNumber(s$minCells, "minCells", 0, whole = TRUE)
    if (!identical(s$maxMt, Inf)) {
        .checkNumber(s$maxMt, "maxMt", 0)
    }
    if (!is.null(s$targetSum)) {
        .checkNumber(s$targetSum, "targetSum", 0, open = TRUE)
    }
    if (is.null(s$nTop)) {
        if (s$flavor == "seurat_v3") {
            .stopArgument("nTop", "is NULL, but flavor \"seurat_v3\" has no ",
                "bounds to choose by; give a number of genes."
            )
        }
    } else {
        .checkNumber(s$nTop, "nTop", 1, whole = TRUE)
    }
    for (flag in c("keepTFs", "subset", "dropQC")) {
        .checkFlag(s[[flag]], flag)
    }
    .checkNumber(s$bins, "bins", 1, 1e5, whole = TRUE)
    .checkNumber(s$span, "span", 0, 1, open = TRUE)
    for (pair in c("means", "dispersions")) {
        v <- s[[pair]]
        if (!is.numeric(v) || length(v) != 2L || anyNA(v) ||
            v[[1L]] > v[[2L]]) {
            .stopArgument(pair, "must be two numbers, the lower first; it is ",
                .show(v), "."
            )
        }
    }
    s
}

## log1p of scaled counts: delayed where the matrix is, else a dgCMatrix.
.logCounts <- function(m, by) {
    if (methods::is(m, "DelayedArray")) {
        return(log1p(DelayedArray::t(DelayedArray::t(m) * by)))
    }
    x <- .scaleColumns(.columnChunk(m, seq_len(ncol(m))), by)
    x@x <- log1p(x@x)
    dimnames(x) <- dimnames(m)
    x
}

.scanpyResult <- function(x, input, kept, cells, genes, by, report) {
    take <- list(
        rows = if (report$subset) which(genes$chosen) else
            seq_len(nrow(genes))
    )
    rows <- kept$rows[take$rows]
    genes <- genes[take$rows, , drop = FALSE]
    counts <- input$matrix[rows, kept$columns, drop = FALSE]
    if (!length(rows)) {
        .stopArgument("subset", "is TRUE, and no gene was chosen; set 'nTop'.")
    }
    dimnames(counts) <- list(input$names[rows], input$cells[kept$columns])
    logged <- .logCounts(counts, by)
    if (inherits(x, "Seurat")) {
        return(.seuratResult(x, counts, logged, cells, genes, report))
    }
    if (!methods::is(x, "SummarizedExperiment")) {
        x <- SingleCellExperiment::SingleCellExperiment(list(counts = counts))
    } else {
        x <- x[rows, kept$columns]
        colnames(x) <- input$cells[kept$columns]
        if (is.null(rownames(x))) {
            rownames(x) <- input$names[rows]
        }
    }
    rownames(genes) <- rownames(x)
    if (input$assay != "counts") {
        SummarizedExperiment::assay(x, "counts", withDimnames = FALSE) <- counts
    }
    SummarizedExperiment::assay(x, "logcounts", withDimnames = FALSE) <- logged
    data <- SummarizedExperiment::rowData(x)
    data[names(genes)] <- as.list(genes)
    SummarizedExperiment::rowData(x) <- data
    data <- SummarizedExperiment::colData(x)
    data[names(cells)] <- as.list(cells)
    SummarizedExperiment::colData(x) <- data
    S4Vectors::metadata(x)$preprocess <- report
    x
}

## The same for a Seurat object: layer "data", meta data, Misc().
.seuratResult <- function(x, counts, logged, cells, genes, report) {
    name <- SeuratObject::DefaultAssay(x)
    x <- subset(x, features = rownames(counts), cells = colnames(counts))
    ns <- asNamespace("SeuratObject")
    logged <- logged[rownames(x[[name]]), colnames(x)]
    assay <- if ("LayerData<-" %in% getNamespaceExports(ns)) {
        object <- x[[name]]
        getExportedValue("SeuratObject", "LayerData<-")(object, "data",
            value = logged
        )
    } else {
        SeuratObject::SetAssayData(x[[name]], slot = "data",
            new.data = methods::as(logged, "dgCMatrix")
        )
    }
    genes <- as.data.frame(genes)
    rownames(genes) <- rownames(counts)
    assay <- SeuratObject::AddMetaData(assay, genes[rownames(assay), ])
    x[[name]] <- assay
    SeuratObject::VariableFeatures(x) <- rownames(genes)[genes$highly_variable]
    x <- SeuratObject::AddMetaData(x,
        as.data.frame(cells)[colnames(x), , drop = FALSE]
    )
    SeuratObject::Misc(x, "preprocess") <- report
    x
}
