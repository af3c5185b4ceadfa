## Cells and genes to vectors by KCellFM.

#' Embed cells and genes with KCellFM
#'
#' With a KCellFM model [embedCells()] reads the genes of a cell that have
#' counts, in the order of the rows of `x`, behind a token that stands for the
#' cell. Counts are scaled to 10,000 over the genes that the model knows and
#' logged, as the published data were. Of a cell with more genes than there is
#' room for some are drawn, which keep their order; the numbers that decide
#' belong to the gene unless `seed` is given, so that the same cell always has
#' the same vector. [embedGenes()] gives rows of the gene table, after the norm,
#' or with `perCell` the genes' states in each cell.
#'
#' @inheritParams embedCells
#' @param model a KCellFM model, of [loadModel()].
#' @param maxLength most tokens of a cell, the one in front included.
#' @param alreadyNormalised are the values log1p of normalised counts? They are
#'   then taken as they are.
#' @param zeros are genes without counts read, too? For panels of few markers, as
#'   published.
#' @param unit vectors of length 1? The published ones aren't.
#' @param perCell the genes' states in every cell? See [embedGenes()].
#' @return [embedCells()] and [embedGenes()] say.
#' @section Errors: those of [embedCells()]; values that look like logarithms
#'   unless `alreadyNormalised`.
#' @references KCellFM (2025), nudt-bioinfo/KCFM.
#' @seealso [KCellFMModel-class], [rankNovelTypes()]
#' @examples
#' cells <- exampleCells()
#' model <- newModel(KCellFMParam(embedDim = 16, layers = 1, stateDim = 8,
#'     headDim = 8), cells, seed = 1)
#' cells <- embedCells(cells, model, verbose = FALSE)
#' dim(SingleCellExperiment::reducedDim(cells, "KCellFM"))
#' dim(embedGenes(model))
#' dim(embedGenes(exampleCells()[, 1:20], model, perCell = TRUE))
#' @rdname embedCells-kcellfm
#' @aliases embedCells,ANY,KCellFMModel-method
#' @export
setMethod("embedCells", c("ANY", "KCellFMModel"), function(x, model,
    name = "KCellFM", assay.type = NULL, symbols = NULL, assay = NULL,
    maxLength = 2049, alreadyNormalised = FALSE, zeros = FALSE, unit = FALSE,
    seed = NULL, batchSize = 8, verbose = TRUE, ...) {
    .noDots(...)
    .alive(model)
    .embedLogged(x, model, .inputArgs(assay.type, symbols, assay = assay),
        .kcellfmReading(maxLength, seed, alreadyNormalised, zeros),
        model@config$d_model, name, alreadyNormalised, unit, batchSize, verbose
    )
})

#' @rdname embedCells-kcellfm
#' @aliases embedGenes,ANY,KCellFMModel-method
#' @export
setMethod("embedGenes", c("ANY", "KCellFMModel"), function(x, model,
    assay.type = NULL, symbols = NULL, assay = NULL, perCell = FALSE,
    maxLength = 2049, alreadyNormalised = FALSE, zeros = FALSE, seed = NULL,
    batchSize = 8, verbose = TRUE, ...) {
    .noDots(...)
    .alive(model)
    how <- .inputArgs(assay.type, symbols, assay = assay)
    if (.checkFlag(perCell, "perCell")) {
        return(.geneStatesOf(x, model, how, .kcellfmReading(maxLength, seed,
            alreadyNormalised, zeros), model@config$d_model, alreadyNormalised,
            batchSize, verbose))
    }
    .embedGenes(x, model, how)
})

#' @rdname embedCells-kcellfm
#' @aliases embedGenes,KCellFMModel,missing-method
#' @export
setMethod("embedGenes", c("KCellFMModel", "missing"), function(x, model, ...) {
    .noDots(...)
    .alive(x)
    .allGeneVectors(x)
})

.kcellfmReading <- function(maxLength, seed, logged, zeros) {
    .checkFlag(logged, "alreadyNormalised")
    .checkFlag(zeros, "zeros")
    c(.scgptReading(maxLength, seed, zeros), total = if (logged) 0 else 1e4)
}
