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
#' `FoundationModel` is what all models are; an `SFModel` is scCAFM's structure
#' foundation module, an `EFModel` its embedding module (see [EFMParam()]).
#'
#' @slot ptr external pointer to the engine's model.
#' @slot config list, the model's configuration under the published keys.
#' @slot state environment: training history, position, seed, condition
#'   table, source and load report.
#' @slot vocab (`SFModel`, `EFModel`) data.frame with columns `token_index`,
#'   `gene_symbol`, `gene_id`; one record has `gene_id` `<pad>`.
#' @slot tfs (`SFModel`, `EFModel`) list of character vectors `human` and `mouse`: the
#'   symbols taken for transcription factors.
#' @param object,x a `FoundationModel`.
#' @param ... not used.
#' @return `show()` prints and returns nothing; `summary()` returns a list of
#'   class `summary.FoundationModel` with the number of parameters, genes,
#'   TFs and epochs, and the last losses. `modelTensors()` returns a
#'   data.frame with columns `name`, `shape`, `parameters` and `trainable`
#'   (`FALSE`: state that no training changes); `conditionTable()` one with
#'   columns `cond_value` and `token_index`.
#' @seealso [newModel()], [trainingHistory()], [modelReport()]
#' @examples
#' model <- newModel(SFMParam(), exampleCells(), seed = 1)
#' model
#' summary(model)
#' head(modelTensors(model))
#' @name FoundationModel-class
#' @aliases FoundationModel SFModel-class SFModel EFModel-class EFModel
#' @exportClass FoundationModel
setClass("FoundationModel", contains = "VIRTUAL", slots = c(
    ptr = "externalptr", config = "list", state = "environment"
))

## What scCAFM's two modules share: the genes they read, and their TFs.
setClass("ScCAFMModel", contains = c("FoundationModel", "VIRTUAL"), slots = c(
    vocab = "data.frame", tfs = "list"
))

#' @rdname FoundationModel-class
#' @exportClass SFModel
setClass("SFModel", contains = "ScCAFMModel")

#' @rdname FoundationModel-class
#' @exportClass EFModel
setClass("EFModel", contains = "ScCAFMModel")

## Effendi as the engine holds it; what R knows of it is in the state (see
## .effendiNew).
setClass("EffendiModel", contains = "FoundationModel")

## Expression in memory, or of a file.
#' @importClassesFrom DelayedArray DelayedMatrix
setClassUnion("CellValues", c("dgCMatrix", "DelayedMatrix"))

## What the two kinds of per-cell networks share: names, the values they were
## made from, and the accessors of these. Networks: CellGRN keeps factors of
## every cell, StateGRN slopes of states and the cells' memberships.
setClass("PerCellNetworks", contains = "VIRTUAL", slots = c(
    tfs = "character", genes = "character", cells = "character",
    expression = "CellValues", cellData = "DataFrame", metadata = "list"
))

#' Reports
#'
#' What a comparison, a validation or a test gives. All reports have the same
#' parts, and are printed, read as tables, drawn and written in the same way.
#'
#' @section A report in twenty lines:
#' A class needs one line, a function that makes it ends with `.report()`; if
#' it is to be drawn, an S3 method of `plot()` is added. All else is inherited.
#' \preformatted{
#' setClass("CoverageReport", contains = "CausewayReport")
#'
#' coverageOf <- function(x, reference) {
#'     share <- mean(reference %in% rownames(x))
#'     table <- data.frame(gene = reference, found = reference %in% rownames(x))
#'     .report("CoverageReport",
#'         verdict = .verdict(sprintf("%.0f%% of the genes are there",
#'             100 * share), holds = share > 0.5),
#'         tables = list(genes = table),
#'         facts = list(genes = length(reference), share = share)
#'     )
#' }
#' }
#' A report whose tables need more than their first rows on the screen has a
#' method of `.showBody()`; one that draws has `plot.CoverageReport()`.
#'
#' @slot verdict list: `text`, character, what came out, the first line as the
#'   headline; `holds`, does it beat its baseline and null (NA: nothing was
#'   claimed); and more for some reports.
#' @slot tables named list of data.frames; the first is the main one.
#' @slot facts list: what was done and counted.
#' @slot provenance list: `version` of the package, `engine`, `seed`, and more
#'   for some reports.
#' @return `CausewayReport` is virtual; reports are made by the functions that
#'   compare, validate or test. What its methods give is on the page of
#'   [verdict()].
#' @seealso [verdict()]; [contrastGRN()], [evaluateGRN()], [benchmarkGRN()],
#'   [stabilityGRN()], [evaluatePerturbation()], [nullGRN()],
#'   [splitReference()], [validateTau()], [contrastTau()]
#' @examples
#' change <- contrastGRN(exampleGRN(), "group", top = 50, seed = 1)
#' is(change, "CausewayReport")
#' @name CausewayReport-class
#' @exportClass CausewayReport
setClass("CausewayReport", contains = "VIRTUAL", slots = c(
    verdict = "list", tables = "list", facts = "list", provenance = "list"
), validity = function(object) {
    text <- object@verdict$text
    if (!is.character(text) || !length(text) || anyNA(text)) {
        return("a report's verdict must have a 'text'")
    }
    frames <- vapply(object@tables, is.data.frame, NA)
    if (length(frames) && (!all(frames) || is.null(names(object@tables)) ||
        !all(nzchar(names(object@tables))))) {
        return("a report's tables must be data.frames with names")
    }
    TRUE
})

## Settings of a method or a model: one list, checked by the constructor that
## made it, shown by one show(). A coming Param gives its name and, where not
## all settings are to be shown, what is (.paramName, .paramSettings).
setClass("CausewayParam", contains = "VIRTUAL", slots = c(settings = "list"),
    validity = function(object) {
        names <- names(object@settings)
        if (length(object@settings) && (is.null(names) ||
            !all(nzchar(names)) || anyDuplicated(names))) {
            return("settings must have a different name each")
        }
        TRUE
    }
)
