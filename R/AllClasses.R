#' Settings of a structure foundation module
#'
#' Made by [SFMParam()]; see there.
#'
#' @slot config list with the parts `sfm` and `vgae`, under the published
#'   key names.
#' @slot maxLength integer, most tokens of a cell (prefix included).
#' @slot preset character, the preset the unset values come from.
#' @return An object of class `SFMParam`.
#' @seealso [SFMParam()]
#' @examples
#' SFMParam(embedDim = 32)
#' @name SFMParam-class
#' @exportClass SFMParam
setClass("SFMParam", slots = c(
    config = "list", maxLength = "integer", preset = "character"
))


#' A foundation model held by the native engine
#'
#' Made by [newModel()] or [loadModel()], trained by [trainModel()], used by
#' [inferGRN()]. The weights live in the engine: copies of the object refer to
#' the *same* model, so training one trains the other. A model put away with
#' `saveRDS()` loses its weights; use [saveModel()] and [loadModel()].
#'
#' @slot ptr external pointer to the engine's model.
#' @slot config list, the model's configuration under the published keys.
#' @slot vocab data.frame with columns `token_index`, `gene_symbol`,
#'   `gene_id`; one record has `gene_id` `<pad>`.
#' @slot tfs list of character vectors `human` and `mouse`: the symbols taken
#'   for transcription factors.
#' @slot state environment: training history, position, seed, condition
#'   table, source and load report.
#' @param object,x a `FoundationModel`.
#' @param ... not used.
#' @return `show()` prints and returns nothing; `summary()` returns a list of
#'   class `summary.FoundationModel` with the number of parameters, genes,
#'   TFs and epochs, and the last losses. `modelTensors()` returns a
#'   data.frame with columns `name`, `shape` and `parameters`;
#'   `conditionTable()` one with columns `cond_value` and `token_index`.
#' @seealso [newModel()], [trainingHistory()], [modelReport()]
#' @examples
#' model <- newModel(SFMParam(), exampleCells(), seed = 1)
#' model
#' summary(model)
#' head(modelTensors(model))
#' @name FoundationModel-class
#' @aliases FoundationModel
#' @exportClass FoundationModel
setClass("FoundationModel", slots = c(
    ptr = "externalptr", config = "list", vocab = "data.frame",
    tfs = "list", state = "environment"
))

## What the two kinds of per-cell networks share: names, the values they were
## made from, and the accessors of these. Networks: CellGRN keeps factors of
## every cell, StateGRN slopes of states and the cells' memberships.
setClass("PerCellNetworks", contains = "VIRTUAL", slots = c(
    tfs = "character", genes = "character", cells = "character",
    expression = "dgCMatrix", cellData = "DataFrame", metadata = "list"
))
