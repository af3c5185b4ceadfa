## Cells and genes to vectors by scCAFM's embedding module, and back.

#' @rdname embedCells
#' @param network for an EFM: where the order of the genes comes from, see
#'   [EFMParam()]. It doesn't matter for the cells' vectors, which see all genes
#'   before any order, as published.
#' @param species,platform,tissue,disease,tfs,nTargets,genes,preprocess for an
#'   EFM, as for [trainModel()].
#' @export
setMethod("embedCells", c("ANY", "EFModel"), function(x, model,
    name = "EFM", network = NULL, assay.type = NULL, symbols = NULL,
    species = NULL, platform = NULL, tissue = NULL, disease = NULL,
    tfs = NULL, nTargets = NULL, genes = NULL, preprocess = list(),
    batchSize = 8, assay = NULL, verbose = TRUE, ...) {
    .noDots(...)
    .checkText(name, "name")
    cells <- .efmCells(x, model, network, .inputArgs(assay.type, symbols,
        species, tfs, nTargets, NULL, genes, NULL, preprocess, assay,
        platform, tissue, disease
    ), batchSize, verbose)
    on.exit(.dropStored(cells$values))
    found <- .efmEach(cells, batchSize, verbose, "Embedding cells ",
        function(batch) t(.engineRun(model, "embed", batch)$cell)
    )
    out <- do.call(rbind, found)
    rownames(out) <- cells$cells
    .intoContainer(x, .allCells(out, x, cells), name, assay)
})

#' Gene embeddings of cells, and decoding, by an EFM
#'
#' `contextGenes()` gives the vectors that the genes have in these cells, as
#' means over groups of cells. `generateExpression()` lets the model tell the
#' expression of every gene from those before it in the order of reading, one
#' by one, with cached keys and values; the cell's prefix sees the observed
#' expression.
#'
#' @inheritParams embedCells
#' @param model an `EFModel`, see [EFMParam()].
#' @param network where the order of the genes comes from, see [EFMParam()].
#' @param file an `.h5ad` file that the expression is written to, a batch of
#'   cells at a time, so that memory doesn't grow with the cells; NULL: kept in
#'   memory.
#' @param overwrite replace `file`, if it exists?
#' @param group `NULL`, a column of `colData(x)`, or one value per cell: the
#'   means are then of each group.
#' @return `contextGenes()`: an array genes x width x groups.
#'   `generateExpression()`: a matrix genes x cells on the scale the model was
#'   trained on (log1p of 10,000 a cell), with attribute `baseline`: the
#'   correlation with the observed values over all genes and cells, beside that
#'   of each gene's mean. With `file` a DelayedMatrix that reads it; in Python
#'   `file` is cells x genes.
#' @section Errors: those of [embedCells()].
#' @seealso [EFMParam()], [embedCells()]
#' @references scCAFM, repository Catchxu/scCAFM.
#' @examples
#' cells <- exampleCells(nCells = 40)
#' model <- trainModel(cells, EFMParam(embedDim = 16, layers = 1, heads = 2),
#'     nTargets = 20, epochs = 1, seed = 1, verbose = FALSE
#' )
#' dim(contextGenes(cells, model, nTargets = 20, verbose = FALSE))
#' told <- generateExpression(cells, model, nTargets = 20, verbose = FALSE)
#' attr(told, "baseline")
#' @export
contextGenes <- function(x, model, network = NULL, group = NULL,
    assay.type = NULL, symbols = NULL, species = NULL, platform = NULL,
    tissue = NULL, disease = NULL, tfs = NULL, nTargets = NULL, genes = NULL,
    preprocess = list(), batchSize = 8, assay = NULL, verbose = TRUE) {
    cells <- .efmCells(x, model, network, .inputArgs(assay.type, symbols,
        species, tfs, nTargets, NULL, genes, NULL, preprocess, assay,
        platform, tissue, disease
    ), batchSize, verbose)
    on.exit(.dropStored(cells$values))
    all <- rep("all", length(cells$cells))
    labels <- if (is.null(group)) all else .conditionValues(group, "group",
        cells$cellData, cells$columns,
        cells$report$cells + cells$report$cellsDropped
    )
    levels <- .sortedUnique(labels)
    sums <- array(0, c(model@config$efm$embed_dim, length(cells$labels),
        length(levels)
    ))
    blocks <- .efmBlocks(cells, batchSize)
    bar <- .progressStart("Embedding genes ", length(blocks), verbose)
    on.exit(.progressDone(bar), add = TRUE)
    for (b in seq_along(blocks)) {
        gene <- .engineRun(model, "embed", .tokenBatch(cells, blocks[[b]]),
            list(genes = TRUE)
        )$gene
        for (i in seq_along(blocks[[b]])) {
            k <- match(labels[[blocks[[b]][[i]]]], levels)
            sums[, , k] <- sums[, , k] + gene[, , i]
        }
        .progressTick(bar, b)
    }
    counts <- as.integer(table(factor(labels, levels)))
    out <- aperm(sweep(sums, 3L, counts, "/"), c(2L, 1L, 3L))
    dimnames(out) <- list(cells$labels, NULL, levels)
    out
}

#' @rdname contextGenes
#' @export
generateExpression <- function(x, model, network = NULL, assay.type = NULL,
    symbols = NULL, species = NULL, platform = NULL, tissue = NULL,
    disease = NULL, tfs = NULL, nTargets = NULL, genes = NULL,
    preprocess = list(), batchSize = 32, file = NULL, overwrite = FALSE,
    assay = NULL, verbose = TRUE) {
    cells <- .efmCells(x, model, network, .inputArgs(assay.type, symbols,
        species, tfs, nTargets, NULL, genes, NULL, preprocess, assay,
        platform, tissue, disease
    ), batchSize, verbose, if (is.null(file)) 8 else 0)
    on.exit(.dropStored(cells$values))
    if (is.null(file)) {
        return(.generateCells(cells, model, batchSize, verbose))
    }
    baseline <- NULL
    .writeH5(file, overwrite, function(part) {
        .startTable(part, cells$cells, cells$labels)
        baseline <<- .generateCells(cells, model, batchSize, verbose, part)
    })
    out <- SummarizedExperiment::assay(.openCells(file))
    attr(out, "baseline") <- baseline
    out
}

## Genes x cells with the attribute `baseline`; with `part`, a file the values
## go to, the baseline alone.
.generateCells <- function(cells, model, batchSize, verbose, part = NULL) {
    genes <- length(cells$labels)
    out <- if (is.null(part)) matrix(0, genes, length(cells$cells))
    seen <- numeric(genes) # sums over cells
    sums <- matrix(0, 3L, 3L) # products of 1, told and observed values
    blocks <- .efmBlocks(cells, batchSize)
    bar <- .progressStart("Generating ", length(blocks), verbose)
    on.exit(.progressDone(bar))
    for (b in seq_along(blocks)) {
        at <- blocks[[b]]
        batch <- .tokenBatch(cells, at)
        told <- .engineRun(model, "generate", batch)$expression
        observed <- as.matrix(batch$values)
        seen <- seen + rowSums(observed)
        sums <- sums + crossprod(cbind(1, c(told), c(observed)))
        if (is.null(part)) {
            out[, at] <- told
        } else {
            .h5Put(part, list(.putMore("X", as.vector(told), "f64",
                c(length(at), genes)
            )))
        }
        .progressTick(bar, b)
    }
    baseline <- .toldBaseline(sums, seen / length(cells$cells))
    if (!is.null(part)) {
        return(baseline)
    }
    dimnames(out) <- list(cells$labels, cells$cells)
    attr(out, "baseline") <- baseline
    out
}

## Correlations with observed values of told ones and of the genes' means. The
## means' covariance with the values is their own variance.
.toldBaseline <- function(sums, mean) {
    n <- sums[1L, 1L]
    v <- sums / n - tcrossprod(sums[1L, ] / n)
    between <- sum((mean - sum(mean) / length(mean))^2) / length(mean)
    c(model = v[2L, 3L] / sqrt(v[2L, 2L] * v[3L, 3L]),
        geneMean = sqrt(between / v[3L, 3L])
    )
}

## The cells as the model reads them, in order; `each`: bytes of what comes out, per gene and cell.
.efmCells <- function(x, model, network, how, batchSize, verbose, each = 0) {
    if (!methods::is(model, "EFModel")) {
        .stopArgument("model", "must be an EFModel, from trainModel(x, ",
            "EFMParam()) or loadModel(module = \"efm\"); it is a ",
            class(model)[[1L]], "."
        )
    }
    .alive(model)
    .checkFlag(verbose, "verbose")
    if (is.null(how$species)) {
        how$species <- model@state$species
    }
    if (is.null(how$genes) && is.null(how$nTargets)) {
        how$tokens <- model@state$tokens
    }
    batchSize <- .checkNumber(batchSize, "batchSize", 1, 65536, TRUE)
    forecast <- function(cells, genes, tfs, entries) {
        .checkMemory(model, min(batchSize, cells), genes, tfs, FALSE,
            "batchSize", each * cells * genes,
            "Name an .h5ad 'file' that it is written to"
        )
    }
    prepared <- .modelCells(model, x, "infer", how, verbose, store = TRUE,
        forecast = forecast
    )
    .withOrder(prepared, model, network, verbose, once = TRUE)
}

.efmBlocks <- function(cells, batchSize) {
    n <- ncol(cells$values)
    unname(split(seq_len(n), (seq_len(n) - 1L) %/% batchSize))
}

## f(batch) of each batch of cells, as a list.
.efmEach <- function(cells, batchSize, verbose, what, f) {
    blocks <- .efmBlocks(cells, batchSize)
    bar <- .progressStart(what, length(blocks), verbose)
    on.exit(.progressDone(bar))
    lapply(seq_along(blocks), function(i) {
        found <- f(.tokenBatch(cells, blocks[[i]]))
        .progressTick(bar, i)
        found
    })
}

## Rows of all cells of x: NA where preprocessing left a cell out.
.allCells <- function(values, x, cells) {
    n <- cells$report$cells + cells$report$cellsDropped
    if (nrow(values) == n) {
        return(values)
    }
    out <- matrix(NA_real_, n, ncol(values))
    out[cells$columns, ] <- values
    warning(.count(n - nrow(values), "cell"), " left out by preprocessing: ",
        "their vectors are NA.",
        call. = FALSE
    )
    if (!is.null(colnames(x))) rownames(out) <- colnames(x)
    out
}
