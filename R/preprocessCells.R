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

## Symbols to find mitochondrial genes and factors by: the input's own, for
## Ensembl identifiers without any those of the shipped table; else NA.
## For inference without a model: symbols of Ensembl names where none are given.
.symbolsOfEnsembl <- function(input, species, verbose) {
    if (input$type == "ensembl" && is.null(input$symbols)) {
        input$symbols <- .knownSymbols(input, species, verbose)
    }
    input
}

.knownSymbols <- function(input, species, verbose) {
    ids <- grepl("^ENS[A-Z]*G[0-9]{6,}", input$symbols)
    if (!is.null(input$symbols) && mean(ids) < 0.5) {
        return(.cleanSymbol(input$symbols))
    }
    index <- .geneIndex(species)
    names <- .cleanSymbol(input$names)
    found <- .findGenes(names, rep("ensembl", length(names)), index)$gene
    found <- index$genes$symbol[found]
    if (all(is.na(found))) {
        .stopArgument("x", "has identifiers that are not Ensembl's of ",
            species, " (", .some(input$names, 3L), "); name the column of ",
            "rowData(x) with gene symbols in 'symbols', or see ",
            "reconcileGenes()."
        )
    }
    .say(verbose, "Symbols of ", sum(!is.na(found)), " of ", length(found),
        " Ensembl identifiers from the shipped table."
    )
    .cleanSymbol(found)
}

## ---- passes over the matrix ------------------------------------------------

## Quality of every cell and gene of the input, and per gene the number of
## cells with enough genes that it is seen in.
.qcScan <- function(input, flags, s) {
    m <- input$matrix
    n <- ncol(m)
    groups <- c("mt", "ribo", "hb")
    total <- detected <- numeric(n)
    share <- matrix(0, n, length(groups))
    seen <- enough <- sum <- numeric(nrow(m))
    whole <- TRUE
    for (columns in .columnChunks(m)) {
        x <- .columnChunk(m, columns)
        .badValues(x, input$names, input$cells, columns)
        whole <- whole && all(x@x == floor(x@x))
        total[columns] <- Matrix::colSums(x)
        sum <- sum + Matrix::rowSums(x)
        for (g in seq_along(groups)) {
            rows <- which(flags[[groups[[g]]]])
            share[columns, g] <- Matrix::colSums(x[rows, , drop = FALSE])
        }
        x@x <- as.numeric(x@x > 0)
        detected[columns] <- Matrix::colSums(x)
        seen <- seen + Matrix::rowSums(x)
        good <- detected[columns] >= s$minGenes
        enough <- enough + Matrix::rowSums(x[, good, drop = FALSE])
    }
    if (s$flavor == "seurat_v3" && !whole) {
        warning("assay \"", input$assay, "\" holds values that are not whole ",
            "numbers; flavor \"seurat_v3\" is made for counts.",
            call. = FALSE
        )
    }
    cells <- S4Vectors::DataFrame(
        n_genes_by_counts = as.integer(detected),
        log1p_n_genes_by_counts = log1p(detected),
        total_counts = total, log1p_total_counts = log1p(total),
        row.names = input$cells
    )
    for (g in seq_along(groups)) {
        cells[[paste0("total_counts_", groups[[g]])]] <- share[, g]
        cells[[paste0("pct_counts_", groups[[g]])]] <- share[, g] / total * 100
    }
    genes <- S4Vectors::DataFrame(
        n_cells_by_counts = as.integer(seen), mean_counts = sum / n,
        total_counts = sum, pct_dropout_by_counts = (1 - seen / n) * 100,
        n_cells = as.integer(enough), flags[groups], isTF = flags$isTF
    )
    list(cells = cells, genes = genes)
}

.scanpyFilter <- function(input, scan, flags, s, verbose) {
    enough <- scan$cells$n_genes_by_counts >= s$minGenes
    mt <- scan$cells$pct_counts_mt
    clean <- identical(s$maxMt, Inf) | !is.na(mt) & mt <= s$maxMt
    qc <- s$dropQC & (flags$mt | flags$ribo | flags$hb)
    seen <- scan$genes$n_cells >= s$minCells
    columns <- which(enough & clean)
    rows <- which(seen & !qc)
    report <- list(
        cells = length(enough), cellsFewGenes = sum(!enough),
        cellsMt = sum(enough & !clean), genes = length(seen),
        genesFewCells = sum(!seen), genesQC = sum(seen & qc)
    )
    .say(verbose, report$cellsFewGenes, " cells with fewer than ", s$minGenes,
        " genes and ", report$cellsMt, " with more than ", s$maxMt,
        "% mitochondrial counts dropped, ", length(columns), " kept; ",
        report$genesFewCells, " genes in fewer than ", s$minCells, " cells",
        if (s$dropQC) paste0(" and ", report$genesQC, " of quality control"),
        " dropped, ", length(rows), " kept."
    )
    if (length(columns) < 2L || length(rows) < 2L) {
        .stopArgument("x", "keeps ", length(columns), " of ", report$cells,
            " cells and ", length(rows), " of ", report$genes, " genes: ",
            report$cellsFewGenes, " cells have fewer than ", s$minGenes,
            " genes, ", report$cellsMt, " more than ", s$maxMt,
            "% mitochondrial counts, ", report$genesFewCells, " genes are in ",
            "fewer than ", s$minCells, " cells. Loosen 'minGenes', 'maxMt' ",
            "or 'minCells'."
        )
    }
    list(rows = rows, columns = columns, report = report)
}

.columnTotals <- function(m, rows, columns) {
    parts <- lapply(.columnChunks(m, columns), function(part) {
        Matrix::colSums(.columnChunk(m, part, rows))
    })
    unlist(parts, use.names = FALSE)
}

## Mean and unbiased variance per gene of transform(chunk, positions), chunks
## joined by Chan's formula, so that a constant gene has variance 0.
.geneMoments <- function(m, rows, columns, transform,
    chunks = .columnChunks(m, columns)) {
    n <- 0
    mean <- square <- numeric(length(rows))
    for (part in chunks) {
        x <- transform(.columnChunk(m, part, rows), n + seq_along(part))
        here <- ncol(x)
        centre <- Matrix::rowMeans(x)
        listed <- tabulate(x@i + 1L, length(rows))
        x@x <- (x@x - centre[x@i + 1L])^2
        within <- Matrix::rowSums(x) + (here - listed) * centre^2
        step <- centre - mean
        square <- square + within + step^2 * n * here / (n + here)
        mean <- mean + step * here / (n + here)
        n <- n + here
    }
    list(mean = mean, variance = square / max(1, n - 1))
}

## Sum and sum of squares per gene of counts cut at `most`.
.clippedSums <- function(m, rows, columns, most) {
    sum <- square <- numeric(length(rows))
    for (part in .columnChunks(m, columns)) {
        x <- .columnChunk(m, part, rows)
        x@x <- pmin(x@x, most[x@i + 1L])
        sum <- sum + Matrix::rowSums(x)
        x@x <- x@x^2
        square <- square + Matrix::rowSums(x)
    }
    list(sum = sum, square = square)
}

## ---- variable genes --------------------------------------------------------

## Table of the kept genes, see the value of preprocess(); `by`: factor that
## scales each kept cell.
.variableTable <- function(input, kept, isTF, by, s) {
    isTF <- isTF[kept$rows]
    compete <- which(!(s$keepTFs & isTF))
    if (!length(compete)) {
        .stopArgument("keepTFs", "is TRUE, and all kept genes are ",
            "transcription factors: none is left to be variable."
        )
    }
    m <- input$matrix
    moments <- .geneMoments(m, kept$rows, kept$columns, switch(s$flavor,
        seurat = function(x, at) .scaleColumns(x, by[at]),
        cell_ranger = function(x, at) {
            x <- .scaleColumns(x, by[at])
            x@x <- log1p(x@x)
            x
        },
        seurat_v3 = function(x, at) x
    ))
    out <- if (s$flavor == "seurat_v3") {
        .clippedVariance(m, kept, moments, compete, s)
    } else {
        .dispersionTable(moments, compete, s)
    }
    out$chosen <- out$highly_variable | s$keepTFs & isTF
    S4Vectors::DataFrame(out)
}

.dispersionTable <- function(moments, compete, s) {
    raw <- .rawDispersion(moments$mean, moments$variance,
        s$flavor == "seurat"
    )
    norm <- rep(NA_real_, length(raw$mean))
    norm[compete] <- if (s$flavor == "seurat") {
        .binnedDispersion(raw$mean[compete], raw$dispersion[compete], s$bins)
    } else {
        .rankedDispersion(raw$mean[compete], raw$dispersion[compete])
    }
    variable <- logical(length(norm))
    score <- norm[compete]
    if (is.null(s$nTop)) {
        score[is.na(score)] <- 0
        variable[compete] <- raw$mean[compete] > s$means[[1L]] &
            raw$mean[compete] < s$means[[2L]] &
            score > s$dispersions[[1L]] & score < s$dispersions[[2L]]
    } else {
        ranked <- sort(score, decreasing = TRUE)
        last <- if (length(ranked)) ranked[[min(s$nTop, length(ranked))]] else
            Inf
        variable[compete] <- !is.na(score) & score >= last
    }
    list(
        means = raw$mean, dispersions = raw$dispersion,
        dispersions_norm = norm, highly_variable = variable
    )
}

## Variance over mean; "seurat" takes logs of both.
.rawDispersion <- function(mean, variance, logs) {
    mean[mean == 0] <- 1e-12
    dispersion <- variance / mean
    if (logs) {
        dispersion[dispersion == 0] <- NA
        dispersion <- log(dispersion)
        mean <- log1p(mean)
    }
    list(mean = mean, dispersion = dispersion)
}

## "cell_ranger": centred by the median and scaled by the median absolute
## deviation of bins of 5% of the genes, the lowest 10% in one.
.rankedDispersion <- function(mean, dispersion) {
    edges <- stats::quantile(mean, seq(0.1, 1, by = 0.05), names = FALSE)
    edges <- c(-Inf, edges, Inf)
    if (anyDuplicated(edges)) {
        .stopArgument("flavor", "\"cell_ranger\" needs genes of more ",
            "different means: ", length(unique(mean)), " are too few for its ",
            "20 bins. Take \"seurat\"."
        )
    }
    bin <- findInterval(mean, edges, left.open = TRUE)
    centre <- tapply(dispersion, bin, stats::median)
    spread <- tapply(dispersion, bin, stats::mad,
        constant = 1 / stats::qnorm(0.75)
    )
    at <- as.character(bin)
    out <- as.numeric((dispersion - centre[at]) / spread[at])
    out[is.nan(out)] <- NA
    out
}

.clippedVariance <- function(m, kept, moments, compete, s) {
    mean <- moments$mean
    variance <- moments$variance
    sd <- rep(1, length(mean))
    vary <- compete[variance[compete] > 0]
    sd[vary] <- .expectedSd(mean[vary], variance[vary], s$span)
    n <- length(kept$columns)
    clipped <- .clippedSums(m, kept$rows, kept$columns, sd * sqrt(n) + mean)
    norm <- (n * mean^2 + clipped$square - 2 * clipped$sum * mean) /
        ((n - 1) * sd^2)
    norm[-compete] <- NA
    rank <- rep(NA_real_, length(mean))
    order <- compete[order(-norm[compete])]
    order <- order[seq_len(min(s$nTop, length(order)))]
    rank[order] <- seq_along(order) - 1
    list(
        means = mean, variances = variance, variances_norm = norm,
        highly_variable_rank = rank, highly_variable = !is.na(rank)
    )
}

## Standard deviation expected at a gene's mean: R's loess is the library that
## scanpy's scikit-misc wraps.
.expectedSd <- function(mean, variance, span) {
    table <- data.frame(x = log10(mean), y = log10(variance))
    if (nrow(table) < 3L) {
        .stopArgument("x", "has ", nrow(table), " genes that vary; flavor ",
            "\"seurat_v3\" fits a curve through them and needs many more. ",
            "Take \"seurat\"."
        )
    }
    noted <- new.env()
    fit <- withCallingHandlers(
        stats::loess(y ~ x, table, span = span, degree = 2,
            control = stats::loess.control(trace.hat = "approximate")
        ),
        warning = function(w) {
            assign("rough", TRUE, envir = noted)
            invokeRestart("muffleWarning")
        }
    )
    if (!is.null(noted$rough) || !all(is.finite(fit$fitted))) {
        warning("flavor \"seurat_v3\": the loess of variance on mean is near ",
            "singular (few genes, or many of the same mean; scanpy may stop ",
            "here); a larger 'span' or 'minCells' helps.",
            call. = FALSE
        )
    }
    sqrt(10^fit$fitted)
}

## ---- the result ------------------------------------------------------------

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
