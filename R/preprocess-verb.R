## preprocess(): scanpy's filters, normalisation and variable genes on a
## container of cells. Values leave the container through .columnChunk() only,
## so a matrix on disk is read in blocks; once, where the total to scale to is
## given.

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
#'    ribosomal (`RPS`, `RPL`) and haemoglobin genes by symbol, case, genome
#'    prefixes and separators ignored (`GRCh38_MT-ND1`, `MT.ND1`). The
#'    haemoglobin genes are those by name; the expression `^HB[^P]` in use with
#'    scanpy also takes HBEGF and HBS1L for some;
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
#' `"cellfm"` is another way altogether, that of CellFM's published code: (1)
#' where the values are logarithms (largest below log(10,000), not whole) counts
#' are got back: e^x - 1 over the cell's smallest positive value, rounded; (2)
#' cells with at least `minGenes` genes (its pre-training: 200) and genes in at
#' least `minCells` cells (its: 1); (3) with `hgnc` genes that aren't among
#' `vocabulary` get the symbol that HGNC approves for their alias or previous
#' symbol, unless the alias is itself approved or the symbol is there already;
#' (4) cells of more than 100,000 counts are scaled down to that. It gives
#' counts; the model scales and logs them itself, see [embedCells()].
#'
#' Ties: `"seurat"` and `"cell_ranger"` take every gene that equals the last
#' one chosen, so that there can be more than `nTargets`; for `"seurat_v3"` scanpy
#' leaves the order of ties to the sort, here the first come first. Batches
#' (`batch_key`) are not supported: split `x` and take the genes variable in
#' most parts. scanpy keeps single precision when it is given single
#' precision; here all is double, so compare with `adata.X` as `float64`.
#' Where scanpy stops with an error of its loess library for lack of distinct
#' means, a warning is given here.
#'
#' @inheritParams cellInput
#' @param flavor how variable genes are found, see Details.
#' @param hgnc for `"cellfm"`: HGNC's table, a data.frame or a file (comma- or
#'   tab-separated) with the columns `Approved symbol`, `Status`, `Alias
#'   symbols`, `Previous symbols` (separated by ", "); `NULL`: names stay.
#' @param vocabulary for `"cellfm"` with `hgnc`: genes that keep their names, as
#'   those of a model, or a CellFM model; `NULL`: approved symbols do.
#' @param minGenes,minCells least number of genes seen in a cell, of cells a
#'   gene is seen in.
#' @param maxMt highest percentage of mitochondrial counts; `Inf`: no filter.
#' @param targetSum total of each cell after normalisation; `NULL`: the median
#'   of the cells' totals.
#' @param nTargets number of variable genes; `NULL`: those within `means` and
#'   `dispersions` (not for `"seurat_v3"`).
#' @param keepTFs keep all transcription factors and choose the variable genes
#'   among the other genes?
#' @param subset keep the chosen genes only? Otherwise they are flagged.
#' @param dropQC drop mitochondrial, ribosomal and haemoglobin genes?
#' @param bins number of bins of the mean, `"seurat"`.
#' @param span span of the loess, `"seurat_v3"`.
#' @param means,dispersions two numbers each, the bounds (excluded) of mean
#'   and normalised dispersion for `nTargets = NULL`.
#' @param verbose say which filters drop how many cells and genes?
#' @param ... not used.
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
#'   * with `"cellfm"` the assay `counts` alone, `rowData` with `given`, the
#'     names before, and `colData` with `n_genes` and `total_counts` before (4);
#'   * in `metadata(x)$preprocess` the settings and what each step dropped
#'     (Seurat: `Misc(x, "preprocess")`).
#' @section Errors: those of [cellInput]; filters that leave fewer than two
#'   cells or genes; `nTargets = NULL` with `"seurat_v3"`. Warnings: values that
#'   look like logarithms (this verb needs counts); values that are not whole
#'   numbers with `"seurat_v3"`; no mitochondrial gene in a whole transcriptome.
#' @references Wolf et al. (2018) Genome Biology 19, 15 (scanpy). Satija et al.
#'   (2015) Nature Biotechnology 33, 495 (`"seurat"`). Zheng et al. (2017)
#'   Nature Communications 8, 14049 (`"cell_ranger"`). Stuart et al. (2019)
#'   Cell 177, 1888 (`"seurat_v3"`).
#' @seealso [reconcileGenes()], [tfCatalogue()], [inferGRN()]
#' @examples
#' cells <- exampleCells()
#' out <- preprocess(cells, minGenes = 5, nTargets = 20)
#' out
#' table(SummarizedExperiment::rowData(out)$chosen)
#' SummarizedExperiment::colData(out)[1:3, c("total_counts", "pct_counts_mt")]
#' @export
preprocess <- function(x, flavor = c("seurat", "seurat_v3", "cell_ranger",
    "cellfm"),
    minGenes = 200, minCells = 3, maxMt = 20, targetSum = 1e4,
    nTargets = 1000, keepTFs = TRUE, species = NULL, tfs = NULL,
    subset = FALSE, dropQC = FALSE, bins = 20, span = 0.3,
    means = c(0.0125, 3), dispersions = c(0.5, Inf), assay.type = NULL,
    assay = NULL, symbols = NULL, hgnc = NULL, vocabulary = NULL,
    verbose = TRUE, ...) {
    .noDots(..., renamed = c(nTop = "nTargets"))
    flavor <- .oneOf(flavor, c("seurat", "seurat_v3", "cell_ranger", "cellfm"),
        "flavor"
    )
    if (flavor == "cellfm") {
        return(.preprocessCellFM(.cellsOf(x), list(
            flavor = flavor, minGenes = minGenes,
            minCells = if (missing(minCells)) 1 else minCells
        ), .inputArgs(assay.type, symbols, species, assay = assay), hgnc,
            vocabulary, verbose
        ))
    }
    settings <- .scanpySettings(list(
        flavor = flavor,
        minGenes = minGenes, minCells = minCells, maxMt = maxMt,
        targetSum = targetSum, nTargets = nTargets, keepTFs = keepTFs,
        subset = subset, dropQC = dropQC, bins = bins, span = span,
        means = means, dispersions = dispersions
    ))
    .checkFlag(verbose, "verbose")
    x <- .cellsOf(x)
    how <- .inputArgs(assay.type, symbols, species, tfs, assay = assay)
    input <- .readCells(x, how, verbose, strict = FALSE)
    input$symbols <- .knownSymbols(input, verbose)
    input <- .readFactors(input, how, verbose)
    flags <- c(.qcGenes(input$symbols), list(
        isTF = .isTf(input$symbols, input$tfs) | .isTf(input$ids, input$tfs)
    ))
    .warnNoMt(flags$mt, settings$maxMt, "maxMt")
    scan <- .qcScan(input, flags, settings, verbose)
    kept <- .scanpyFilter(input, scan, flags, settings, verbose)
    found <- .keptMoments(input, scan, kept, settings)
    genes <- .variableTable(input, kept, flags$isTF, found$moments, settings)
    genes <- cbind(scan$genes[kept$rows, , drop = FALSE], genes)
    settings$species <- input$species
    report <- c(settings, kept$report, list(target = found$target,
        like = "scanpy"))
    .scanpyResult(x, input, kept, scan$cells[kept$columns, , drop = FALSE],
        genes, found$target / found$total, report
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
    if (is.null(s$nTargets)) {
        if (s$flavor == "seurat_v3") {
            .stopArgument("nTargets", "is NULL, but flavor \"seurat_v3\" has no ",
                "bounds to choose by; give a number of genes."
            )
        }
    } else {
        .checkNumber(s$nTargets, "nTargets", 1, whole = TRUE)
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
