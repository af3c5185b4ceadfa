## The arguments on cells that the verbs share: checked and kept in one bundle.

#' Arguments on the cells
#'
#' Every verb that reads cells takes them from the same containers and by the
#' same arguments. Which of them a verb has is said in its usage.
#'
#' @details
#' One matrix of RNA is read: of a SingleCellExperiment (a SpatialExperiment
#' is one) its own, of a Seurat object the default assay, of a
#' MultiAssayExperiment the experiment that looks like RNA; `assay` chooses
#' another. Matrices may be of any class of Matrix, a DelayedMatrix (HDF5Array)
#' or a matrix of BPCells; what is not in memory is read in blocks of columns.
#' Layers of a Seurat object that are split are joined.
#'
#' Rows are symbols or Ensembl identifiers. A few other rows among Ensembl
#' identifiers (transgenes, spike-ins, hashtags) keep their own names.
#'
#' @param x the cells, genes in rows: a SingleCellExperiment,
#'   SummarizedExperiment, Seurat object (version 3 to 5),
#'   MultiAssayExperiment, matrix, dgCMatrix or any other class of Matrix,
#'   DelayedMatrix, or a matrix of BPCells; or the path of a file that
#'   [openCells()] reads (`.h5ad`, `.h5mu`, 10x `.h5` or folder, `.loom`). A
#'   data.frame is not taken: `as.matrix()` makes a matrix of it.
#' @param assay.type name or number of the assay (Seurat: name of the layer);
#'   `NULL`: `"counts"`, else the first.
#' @param assay the assay of a Seurat object, the experiment of a
#'   MultiAssayExperiment, or the altExp of a SingleCellExperiment that holds
#'   the RNA; `NULL`: see Details.
#' @param symbols column of `rowData(x)` (or a vector, one per gene) with gene
#'   symbols. With Ensembl row names they serve as labels and to find the
#'   factors; a usual column such as `gene_short_name` is found by itself, and
#'   without any the shipped table is used.
#' @param species `"human"` or `"mouse"`, or a column of `colData(x)`; `NULL`:
#'   human (for a model: the model's).
#' @param tfs the transcription factors (TFs): `NULL` for the catalogue of the
#'   species ([tfCatalogue()]), or symbols or identifiers as the rows of `x`
#'   have them, a data.frame with a column `TF`, or a list with `human` and/or
#'   `mouse` of either.
#' @param nTargets variable genes beside the factors; `NULL`: 1,000, or those
#'   that `x` names (see [inferGRN-pooled]); `Inf`: all genes.
#' @param keep names of genes to read beside the factors and variable genes,
#'   however few cells they are seen in; given as `genes` are.
#' @param genes exactly the genes to read: their names; or one string that
#'   names a column of flags of `rowData(x)` (as `"highly_variable"`), an entry
#'   of `metadata(x)` with names of genes, or `"VariableFeatures"`: the
#'   variable genes of a Seurat assay, or those flagged by scuttle's
#'   `rowSubset()` or by [preprocess()]. Genes chosen by such a string that
#'   can't be used are left out; a gene that is named is an error. `NULL`:
#'   factors and variable genes.
#' @param alreadyNormalised does the assay hold log1p-normalised values?
#'   Otherwise cells are scaled to one total and log1p-transformed. `NULL`: by
#'   the assay's name: yes for `"logcounts"` and the like and Seurat's layer
#'   `"data"`, unless its values are whole numbers.
#' @param block donors, batches or other blocks whose differences aren't to be
#'   taken for regulation: a column of `colData(x)` or a value per cell, none
#'   missing. The mean of its block is taken off every gene of a cell, after
#'   normalisation and before anything else. What differs between blocks in
#'   other ways stays; so does nothing of what differs between states where a
#'   state is a block. `NULL`: none.
#' @param preprocess named list that changes `minGenes`, `minCells`, `maxMt`,
#'   `dropQC` (leave out mitochondrial, ribosomal and haemoglobin genes?),
#'   `target` (total of a cell), and `sanitize` (non-finite values to 0 instead
#'   of an error).
#' @param verbose show messages and progress.
#' @return Nothing: this is a page on arguments.
#' @section Errors: an empty, transposed or unnamed `x`, names of genes or cells
#'   that are missing or given twice, values that are missing, infinite or
#'   negative, cells without counts, a data.frame as `x`; each names
#'   the argument, the value and what to do.
#' @seealso [inferGRN()], [trainModel()], [preprocess()], [estimateTau()]
#' @name cellInput
NULL

## The bundle. What needs the cells to be judged (a column's name, the
## species) is judged by .readCells(). `platform`, `tissue`, `disease`: see
## .conditionValues(). `tokens`: the genes of a model's training, in place of
## names.
.inputArgs <- function(assay.type = NULL, symbols = NULL, species = NULL,
    tfs = NULL, nTargets = NULL, keep = NULL, genes = NULL,
    alreadyNormalised = NULL, preprocess = list(), assay = NULL,
    platform = NULL, tissue = NULL, disease = NULL, tokens = NULL,
    default = 1000) {
    if (!is.null(assay)) {
        .checkText(assay, "assay")
    }
    if (!is.null(alreadyNormalised)) {
        .checkFlag(alreadyNormalised, "alreadyNormalised")
    }
    .checkTfs(tfs)
    .preprocessSettings(preprocess, "infer", 0L)
    list(
        assay.type = assay.type, assay = assay, symbols = symbols,
        species = species, tfs = tfs,
        asked = !is.null(nTargets),
        nTargets = .checkTargets(if (is.null(nTargets)) default else nTargets),
        keep = .checkGenes(keep, "keep"), genes = .checkGenes(genes, "genes"),
        tokens = tokens, alreadyNormalised = alreadyNormalised,
        preprocess = preprocess, platform = platform, tissue = tissue,
        disease = disease
    )
}

.checkTargets <- function(nTargets) {
    if (identical(nTargets, Inf)) Inf else
        .checkNumber(nTargets, "nTargets", 0, whole = TRUE)
}

.checkGenes <- function(genes, arg) {
    if (is.factor(genes)) {
        genes <- as.character(genes)
    }
    if (!is.null(genes) && (!is.character(genes) || !length(genes) ||
        anyNA(genes))) {
        .stopArgument(arg, "must be gene names, or the name of a column of ",
            "rowData(x) that flags them; it is ",
            if (is.list(genes) || !length(genes)) paste("a", class(genes)[[1L]],
                "of length", length(genes)) else .show(genes), "."
        )
    }
    genes
}
