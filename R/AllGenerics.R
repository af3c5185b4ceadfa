## ---- generics of base ------------------------------------------------------
## Made here in so many words: code inside a namespace finds base's plain
## function before a generic that only other packages hold.

setGeneric("summary")
setGeneric("as.matrix")

## Arguments are evaluated before a method is looked for: an error in one of
## them is then told as it is, and not as an "error in evaluating the argument
## 'model' in selecting a method".

## ---- models (newModel, trainModel, inferGRN, saveModel) --------------------

#' @rdname newModel
#' @export
setGeneric("newModel", function(param, ...) {
    force(param)
    standardGeneric("newModel")
})

#' @rdname trainModel
#' @export
setGeneric("trainModel", function(x, model, ...) {
    force(x)
    .given(model, "model", "SFMParam(), or a model of newModel()")
    standardGeneric("trainModel")
})

#' @rdname inferGRN
#' @export
setGeneric("inferGRN", function(x, model, ...) {
    force(x)
    if (!missing(model)) force(model)
    standardGeneric("inferGRN")
})

#' @rdname saveModel
#' @export
setGeneric("saveModel", function(model, dir, ...) {
    force(model)
    .given(dir, "dir", "the folder to put the model in")
    standardGeneric("saveModel")
})

#' @rdname trainingHistory
#' @export
setGeneric("trainingHistory", function(model, ...) {
    force(model)
    standardGeneric("trainingHistory")
})

#' @rdname trainingHistory
#' @export
setGeneric("modelReport", function(model, ...) {
    force(model)
    standardGeneric("modelReport")
})

#' @rdname FoundationModel-class
#' @export
setGeneric("modelTensors", function(x, ...) {
    force(x)
    standardGeneric("modelTensors")
})

#' @rdname FoundationModel-class
#' @export
setGeneric("conditionTable", function(x, ...) {
    force(x)
    standardGeneric("conditionTable")
})

## ---- end of the models' block ----------------------------------------------

## ---- types of cells ---------------------------------------------------------

#' @rdname annotateCells
#' @export
setGeneric("annotateCells", function(x, reference, ...) {
    force(x)
    .given(reference, "reference", "labelled cells, or what trainAnnotator() gives")
    standardGeneric("annotateCells")
})

## ---- networks (CellGRN, PooledGRN) ------------------------------------------

#' @rdname CellGRN-class
#' @export
setGeneric("tfNames", function(x) {
    force(x)
    standardGeneric("tfNames")
})

#' @rdname CellGRN-class
#' @export
setGeneric("geneNames", function(x) {
    force(x)
    standardGeneric("geneNames")
})

#' @rdname CellGRN-class
#' @export
setGeneric("cellNames", function(x) {
    force(x)
    standardGeneric("cellNames")
})

#' @rdname CellGRN-class
#' @export
setGeneric("cellData", function(x) {
    force(x)
    standardGeneric("cellData")
})

#' @rdname topRegulators
#' @export
setGeneric("topRegulators", function(x, ...) {
    force(x)
    standardGeneric("topRegulators")
})

#' @rdname stateNetwork
#' @export
setGeneric("stateNetwork", function(x, ...) {
    force(x)
    standardGeneric("stateNetwork")
})

#' @rdname cellNetwork
#' @export
setGeneric("cellNetwork", function(x, ...) {
    force(x)
    standardGeneric("cellNetwork")
})

#' @rdname poolGRN
#' @export
setGeneric("poolGRN", function(x, ...) {
    force(x)
    standardGeneric("poolGRN")
})

#' @rdname edgeTable
#' @export
setGeneric("edgeTable", function(x, ...) {
    force(x)
    standardGeneric("edgeTable")
})

#' @rdname regulonActivity
#' @export
setGeneric("regulonActivity", function(x, ...) {
    force(x)
    standardGeneric("regulonActivity")
})

#' @rdname toIgraph
#' @export
setGeneric("toIgraph", function(x, ...) {
    force(x)
    standardGeneric("toIgraph")
})

#' @rdname writeGRN
#' @export
setGeneric("writeGRN", function(x, file, ...) {
    force(x)
    .given(file, "file", "the file to write")
    standardGeneric("writeGRN")
})

#' @rdname plotGRN
#' @export
setGeneric("plotGRN", function(x, ...) {
    force(x)
    standardGeneric("plotGRN")
})

#' @rdname plotRegulonActivity
#' @export
setGeneric("plotRegulonActivity", function(x, ...) {
    force(x)
    standardGeneric("plotRegulonActivity")
})

#' @rdname plotTraining
#' @export
setGeneric("plotTraining", function(x, ...) {
    force(x)
    standardGeneric("plotTraining")
})

#' @rdname evaluateGRN
#' @export
setGeneric("evaluateGRN", function(x, reference, ...) {
    force(x)
    if (!missing(reference)) force(reference)
    standardGeneric("evaluateGRN")
})

#' @rdname nullGRN
#' @export
setGeneric("nullGRN", function(x, ...) {
    force(x)
    standardGeneric("nullGRN")
})

#' @rdname contrastGRN
#' @export
setGeneric("contrastGRN", function(x, group, ...) {
    force(x)
    standardGeneric("contrastGRN")
})

#' @rdname StateGRN-class
#' @export
setGeneric("memberships", function(x) {
    force(x)
    standardGeneric("memberships")
})

## Every estimator of a pooled network: (param, view, key, threads) ->
## list(scores, sign: TFs x genes; targets: data.frame with a row per gene, or
## NULL).
setGeneric(".estimate",
    function(param, view, key, threads) standardGeneric(".estimate")
)

## What a method is called in show() and in the metadata of what it made.
setGeneric(".paramName", function(param) standardGeneric(".paramName"))

## Settings as a plain list, for metadata and show().
setGeneric(".paramSettings", function(param) standardGeneric(".paramSettings"))

## A network that moves untreated cells (see R/pert-response-nets.R), trained.
setGeneric(".responseNet", function(param, d, a, from, groups, job) {
    standardGeneric(".responseNet")
})

## ---- end of the networks' block -----------------------------------------------

## ---- reports ----------------------------------------------------------------

#' @rdname verdict
#' @export
setGeneric("verdict", function(x, ...) {
    force(x)
    standardGeneric("verdict")
})

## Of what is no report base's function does what it always did.
#' @rdname verdict
#' @export
setGeneric("write", function(x, file = "data", ...) standardGeneric("write"),
    signature = "x",
    useAsDefault = function(x, file = "data", ...) base::write(x, file, ...)
)

## What show() prints of a report below its verdict.
setGeneric(".showBody", function(x) standardGeneric(".showBody"))

## What its HTML page has between the verdict and the facts: a list of tags.
setGeneric(".pageBody", function(x) standardGeneric(".pageBody"))

## ---- delays (estimateTau, TauFit) -------------------------------------------

#' @rdname estimateTau
#' @export
setGeneric("estimateTau", function(x, ...) {
    force(x)
    standardGeneric("estimateTau")
})

#' @rdname TauFit-class
#' @export
setGeneric("tau", function(x, ...) {
    force(x)
    standardGeneric("tau")
})

#' @rdname TauFit-class
#' @export
setGeneric("tauCells", function(x, ...) {
    force(x)
    standardGeneric("tauCells")
})

#' @rdname TauFit-class
#' @export
setGeneric("peakLinks", function(x, ...) {
    force(x)
    standardGeneric("peakLinks")
})

## ---- end of the delays' block ------------------------------------------------

#' @rdname saveGRN
#' @export
setGeneric("saveGRN", function(x, file, ...) {
    force(x)
    .given(file, "file", "the file to write")
    standardGeneric("saveGRN")
})

## ---- encoders (embedCells, embedGenes, embedSequences, ...) -------------------

#' @rdname embedCells
#' @export
setGeneric("embedCells", function(x, model, ...) {
    force(x)
    .given(model, "model", "an encoder, as loadModel() gives")
    standardGeneric("embedCells")
})

#' @rdname embedGenes
#' @export
setGeneric("embedGenes", function(x, model, ...) {
    force(x)
    if (!missing(model)) force(model)
    standardGeneric("embedGenes")
})

#' @rdname embedSequences
#' @export
setGeneric("embedSequences", function(x, model, ...) {
    force(x)
    .given(model, "model", "an encoder of sequences, as loadModel() gives")
    standardGeneric("embedSequences")
})

#' @rdname embedPeaks
#' @export
setGeneric("embedPeaks", function(x, ...) {
    force(x)
    standardGeneric("embedPeaks")
})

#' @rdname embedPeaks
#' @export
setGeneric("embedATAC", function(x, ...) {
    force(x)
    standardGeneric("embedATAC")
})

#' @rdname embedText
#' @export
setGeneric("embedText", function(x, model, ...) {
    force(x)
    .given(model, "model", "an encoder of texts, as loadModel() gives")
    standardGeneric("embedText")
})

## ---- end of the encoders' block -----------------------------------------------
