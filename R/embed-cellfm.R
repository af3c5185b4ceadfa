## Cells and genes to vectors by CellFM.

#' Embed cells and genes with CellFM
#'
#' With a CellFM model [embedCells()] reads every cell as the published code
#' does without training: the row of the token in front of its genes after the
#' last layer. Counts are scaled to 10,000 over the genes that the model knows
#' and logged. Of a cell with more than `maxLength` expressed genes some are
#' drawn, with probability proportional to log1p(count); the numbers that
#' decide belong to the gene unless `seed` is given, so that the same cell
#' always has the same vector. [embedGenes()] gives rows of the gene table,
#' which depend on no cell, or with `perCell` the genes' states in each cell.
#'
#' @inheritParams embedCells
#' @param model a CellFM model, of [loadModel()].
#' @param maxLength most genes of a cell that are read.
#' @param alreadyNormalised are the values log1p of normalised counts (as for
#'   the published annotation)? They are then taken as they are. Otherwise
#'   counts are needed; where they are lost, see [preprocess()], flavor
#'   "cellfm".
#' @param unit vectors of length 1? The published ones aren't.
#' @param perCell the genes' states in every cell? See [embedGenes()].
#' @return [embedCells()] and [embedGenes()] say.
#' @section Errors: those of [embedCells()]; values that look like logarithms
#'   unless `alreadyNormalised`.
#' @references Zeng et al. (2025), CellFM, Nature Communications 16:4679.
#' @seealso [CellFMModel-class], [attentionGenes()]
#' @examples
#' cells <- exampleCells()
#' model <- newModel(CellFMParam(embedDim = 16, layers = 1, heads = 2,
#'     valueDim = 8), cells, seed = 1)
#' cells <- embedCells(cells, model, verbose = FALSE)
#' dim(SingleCellExperiment::reducedDim(cells, "CellFM"))
#' dim(embedGenes(model))
#' dim(embedGenes(exampleCells()[, 1:20], model, perCell = TRUE))
#' @rdname embedCells-cellfm
#' @aliases embedCells,ANY,CellFMModel-method
#' @export
setMethod("embedCells", c("ANY", "CellFMModel"), function(x, model,
    name = "CellFM", assay.type = NULL, symbols = NULL, assay = NULL,
    maxLength = 2048, alreadyNormalised = FALSE, unit = FALSE, seed = NULL,
    batchSize = 8, verbose = TRUE, ...) {
    .noDots(...)
    .alive(model)
    .embedLogged(x, model, .inputArgs(assay.type, symbols, assay = assay),
        .cellfmReading(maxLength, seed, alreadyNormalised), model@config$enc_dims,
        name, alreadyNormalised, unit, batchSize, verbose
    )
})

#' @rdname embedCells-cellfm
#' @aliases embedGenes,ANY,CellFMModel-method
#' @export
setMethod("embedGenes", c("ANY", "CellFMModel"), function(x, model,
    assay.type = NULL, symbols = NULL, assay = NULL, perCell = FALSE,
    maxLength = 2048, alreadyNormalised = FALSE, seed = NULL, batchSize = 8,
    verbose = TRUE, ...) {
    .noDots(...)
    .alive(model)
    how <- .inputArgs(assay.type, symbols, assay = assay)
    if (.checkFlag(perCell, "perCell")) {
        return(.geneStatesOf(x, model, how, .cellfmReading(maxLength, seed,
            alreadyNormalised), model@config$enc_dims, alreadyNormalised,
            batchSize, verbose))
    }
    .embedGenes(x, model, how)
})

#' @rdname embedCells-cellfm
#' @aliases embedGenes,CellFMModel,missing-method
#' @export
setMethod("embedGenes", c("CellFMModel", "missing"), function(x, model, ...) {
    .noDots(...)
    .alive(x)
    out <- .geneVectors(x, x@vocab$token)
    rownames(out) <- x@vocab$gene
    out
})

.cellfmReading <- function(maxLength, seed, logged) {
    if (is.null(maxLength)) {
        maxLength <- 2048
    }
    .checkFlag(logged, "alreadyNormalised")
    maxLength <- .checkNumber(maxLength, "maxLength", 1, 1e6, TRUE)
    key <- if (is.null(seed)) 0 else .seedNumber(seed)
    list(maxLength = maxLength, logged = logged, drawn = !is.null(seed),
        key = key
    )
}

## embedCells() of models that read logarithms of scaled counts; `width`: of a
## cell's vector.
.embedLogged <- function(x, model, how, reading, width, name, logged, unit,
    batchSize, verbose) {
    .checkText(name, "name")
    .checkFlag(verbose, "verbose")
    .checkFlag(unit, "unit")
    force(reading)
    cells <- .encoderCells(x, model, how, verbose)
    .needCounts(cells, logged)
    batchSize <- .checkNumber(batchSize, "batchSize", 1, 65536, TRUE)
    .checkMemory(model, min(batchSize, ncol(cells$matrix)),
        min(length(cells$rows), reading$maxLength), 0, FALSE, "batchSize",
        8 * ncol(cells$matrix) * width
    )
    found <- .embedBlocks(model, cells, reading, batchSize, verbose, unit)
    .intoContainer(x, found, name, how$assay)
}

## CellFM scales and logs counts itself; logarithms would be logged twice.
.needCounts <- function(cells, logged) {
    m <- cells$matrix
    part <- .columnChunk(m, seq_len(min(ncol(m), 200L)), cells$rows)
    values <- part@x
    .checkFinite(values, if (is.null(cells$assay)) "matrix" else cells$assay,
        "x")
    largest <- max(values, 0)
    if (logged && largest > 50) {
        .stopArgument("alreadyNormalised", "is TRUE, but the largest value is ",
            format(largest), ": log1p values stay below 50."
        )
    }
    if (!logged && any(values != floor(values)) && largest < 15) {
        .stopArgument("x", "looks log-normalised (values aren't whole ",
            "numbers, the largest is ", format(largest, digits = 3L), "), and ",
            "counts are needed: 'assay.type' chooses another assay, ",
            "preprocess(flavor = \"cellfm\") gets counts back, ",
            "alreadyNormalised = TRUE takes values as they are."
        )
    }
    invisible()
}
