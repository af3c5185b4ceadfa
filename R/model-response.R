## CellOT and scGen as models that are kept: training, folders, moving cells.

#' CellOT and scGen
#'
#' [trainModel()] with a [CellOTParam()] or a [ScGenParam()] trains one on all
#' cells of both conditions; [predictResponse()] with the model as its `method`
#' moves untreated cells, and [saveModel()] and [loadModel()] keep it. Whether
#' such a network is worth having, [predictResponse()] with the settings tells:
#' it leaves groups out in turn. A model has seen all that it was trained on, so
#' only other cells test it.
#'
#' @section The folder: [saveModel()] writes `config.json` (settings, genes,
#'   scales), `components.safetensors` (genes x components), `centre.csv`, the
#'   weights in `model.safetensors`, and of CellOT in codes the folder
#'   `autoencoder`. The weights have the published names; a published `model.pt`
#'   (CellOT's `f_state`, `g_state`; scGen's `model_state`) is converted by
#'   [convertCheckpoint()], and is of use with the other files only, which tell
#'   what its numbers stand for.
#'
#' @param object a model.
#' @return `show()` prints and returns nothing.
#' @references Bunne et al. (2023) Nature Methods 20, 1759 (CellOT);
#'   Lotfollahi et al. (2019) Nature Methods 16, 715 (scGen).
#' @seealso [CellOTParam()], [predictResponse()], [trainModel()]
#' @examples
#' ## see trainModel() with a CellOTParam()
#' methods::slotNames("CellOTModel")
#' @name CellOTModel-class
#' @aliases CellOTModel ScGenModel-class ScGenModel ResponseModel-class
#' @exportClass CellOTModel
NULL

setClass("ResponseModel", contains = c("FoundationModel", "VIRTUAL"))

setClass("CellOTModel", contains = "ResponseModel")

#' @rdname CellOTModel-class
#' @exportClass ScGenModel
setClass("ScGenModel", contains = "ResponseModel")

#' @rdname CellOTModel-class
#' @export
setMethod("show", "CellOTModel", function(object) .showResponse(object))

#' @rdname CellOTModel-class
#' @export
setMethod("show", "ScGenModel", function(object) .showResponse(object))

.showResponse <- function(object) {
    s <- object@state
    .encoderShow(object, if (identical(object@config$model, "cae")) "cAE" else
        s$layout, c(
        paste0("carries \"", s$ref, "\" to \"", s$level, "\""),
        paste0("genes: ", length(s$genes), ", layers of ",
            paste(unlist(object@config$hidden_units), collapse = ", ")),
        if (!is.null(s$space)) paste0("works on ", s$space)
    ), "predictResponse(x, method = model), saveModel(model, dir)")
}

#' @rdname trainingHistory
#' @export
setMethod("trainingHistory", "ResponseModel", function(model, ...) {
    .noDots(...)
    model@state$history
})

.trainByCondition <- function(x, model, condition, ref, level, group = NULL,
    nTargets = 1000, nComponents = 50, minCells = 20, assay.type = NULL,
    symbols = NULL, alreadyNormalised = NULL, seed = NULL, threads = NULL,
    verbose = interactive(), ...) {
    .noDots(...)
    .trainResponse(x, model, condition, ref, level, group, list(
        nTargets = nTargets, nComponents = nComponents, minCells = minCells,
        key = .newKey(seed), threads = .threads(threads), verbose = verbose),
        .inputArgs(assay.type, symbols, alreadyNormalised = alreadyNormalised))
}

#' Train CellOT or scGen
#'
#' Learns from untreated and treated cells a map from the ones to the others,
#' which can be kept and applied to other untreated cells. Test it first:
#' [predictResponse()] with the same settings leaves groups out in turn, beside
#' doing nothing, moving all cells alike and maps in closed form, which often do
#' as well.
#'
#' @param x cells of both conditions; see [cellInput].
#' @param model a [CellOTParam()] or a [ScGenParam()].
#' @param condition,ref,level,group,nTargets,nComponents,minCells as for
#'   [predictResponse()].
#' @param assay.type,symbols,alreadyNormalised as for [inferGRN()].
#' @param seed NULL: drawn from R's generator; or a whole number.
#' @param threads threads of the engine; NULL: `causeway.threads`.
#' @param verbose show progress.
#' @param ... not used.
#' @return A [CellOTModel-class] or `ScGenModel`. [trainingHistory()] of it has
#'   about 20 rows: `step`, mean losses since the row before (of CellOT `g`, `penalty`,
#'   `f`; of scGen `mse` and `reg`), and of CellOT `mmd`, by which
#'   the weights were chosen.
#' @section Errors: those of [predictResponse()].
#' @seealso [CellOTModel-class], [predictResponse()]
#' @examples
#' x <- simulateCells(nCells = 240, nGenes = 60, nTFs = 8, seed = 1)
#' x$treated <- rep(c("no", "yes"), 120)
#' model <- trainModel(x, CellOTParam(hidden = c(16, 16), steps = 20),
#'     "treated", ref = "no", level = "yes", nComponents = 5, seed = 1,
#'     verbose = FALSE
#' )
#' model
#' predictResponse(x[, x$treated == "no"], method = model)
#' @rdname trainModel-response
#' @aliases trainModel,ANY,CellOTParam-method
#' @export
setMethod("trainModel", c("ANY", "CellOTParam"), .trainByCondition)

#' @rdname trainModel-response
#' @aliases trainModel,ANY,ScGenParam-method
#' @export
setMethod("trainModel", c("ANY", "ScGenParam"), .trainByCondition)

.trainResponse <- function(x, param, condition, ref, level, group, job, how) {
    .given(condition, "condition", "a column of colData(x) or a value per cell")
    .given(ref, "ref", "the value of untreated cells")
    .given(level, "level", "the value of treated cells")
    job <- utils::modifyList(job, .checkResponseJob(job))
    .checkFlag(job$verbose, "verbose")
    input <- .readCells(x, how)
    d <- .responseCells(input, condition, ref, level, group,
        how$alreadyNormalised, job)
    d <- .withGenes(d, d$whole)
    a <- .responseAxes(d, seq_along(d$treated), job$nComponents)
    .responseNet(param, d, a, d$group %in% d$learn, d$learn, job)
}

.checkResponseJob <- function(job) {
    list(nTargets = .checkNumber(job$nTargets, "nTargets", 2, whole = TRUE),
        nComponents = .checkNumber(job$nComponents, "nComponents", 1, 1000,
            TRUE),
        minCells = .checkNumber(job$minCells, "minCells", 4, whole = TRUE))
}

## ---- moving cells ----------------------------------------------------------

## predictResponse() with a model that was trained before. Without `condition`
## all cells are untreated; with `level` they are compared with treated ones.
.responseByModel <- function(x, model, condition, ref, level, group, how, nBoot,
    key) {
    .alive(model)
    nBoot <- .checkNumber(nBoot, "nBoot", 2, 1e5, TRUE)
    input <- .readCells(x, how)
    ref <- if (is.null(ref)) model@state$ref else ref
    value <- if (is.null(condition)) rep(as.character(ref),
        ncol(input$matrix)) else .cellColumn(input, condition, "condition")
    for (arg in c("ref", if (!is.null(level)) "level")) {
        if (!as.character(get(arg)) %in% value) {
            .stopArgument(arg, "is ", .show(get(arg)), ", which no cell's ",
                "'condition' is: ", .some(unique(value), 8L), ".")
        }
    }
    of <- if (is.null(group)) rep("all", length(value)) else
        .cellColumn(input, group, "group")
    use <- which(value %in% c(ref, level) & !is.na(of))
    d <- .cellsOfNet(input, model@state, use, how$alreadyNormalised)
    d$treated <- value[use] != ref
    d$group <- of[use]
    at <- which(!d$treated)
    z <- .moveByNet(model, d$scores[at, , drop = FALSE],
        d$x[at, , drop = FALSE])
    moved <- .movedCells(d, model@state, at, z, unique(d$group[at]))
    scores <- if (any(d$treated)) .scoreMoved(d, model@state, at, z, key,
        nBoot)
    .report("ResponsePrediction", .movedVerdict(model, scores, d),
        list(scores = scores, genes = moved$genes),
        list(method = model@state$layout, moved = moved$groups,
            cells = length(at), genes = length(d$genes),
            missing = length(d$lacking), components = ncol(z)),
        .keyText(key), cells = moved$cells)
}

## Cells on the model's scale: x (cells x genes), scores (cells x components).
## Genes that the cells lack are at the training mean, which says nothing.
.cellsOfNet <- function(input, s, use, logged) {
    at <- match(toupper(s$genes), toupper(.readoutNames(input)))
    if (mean(is.na(at)) > 0.5) {
        .stopArgument("x", "has ", sum(!is.na(at)), " of the model's ",
            length(at), " genes, such as ", .some(s$genes, 3L), "; half of ",
            "them are needed.")
    }
    how <- .valueScale(input, use, logged)
    if (how$logged != s$logged) {
        .stopArgument("x", if (how$logged) "holds log values" else
            "holds counts", ", and the model was trained on ",
            if (s$logged) "log values" else "counts",
            "; give the same (alreadyNormalised says which they are).")
    }
    x <- matrix(rep(s$centre, each = length(use)), length(use))
    there <- which(!is.na(at))
    x[, there] <- t(as.matrix(.extractValues(input$matrix, at[there], use,
        how$total[use] / if (s$logged) how$total[use] else s$target, 1,
        how$logged, FALSE)))
    list(x = x, genes = s$genes, cells = input$cells[use],
        lacking = s$genes[is.na(at)],
        scores = .lessEach(x, s$centre) %*% s$axes)
}

## Energy distance and the others to the treated cells of x.
.scoreMoved <- function(d, s, at, z, key, nBoot) {
    truth <- d$scores[d$treated, , drop = FALSE]
    X <- d$scores[at, , drop = FALSE]
    k <- .shuffled(nrow(truth), key, 31L) %% 2L == 0L
    told <- c(setNames(list(X, z), c("identity", "the model")),
        list(floor = truth[k, , drop = FALSE]))
    do.call(rbind, lapply(names(told), function(m) {
        Y <- if (m == "floor") truth[!k, , drop = FALSE] else truth
        cbind(method = m, .responseScores(told[[m]], Y, X, s, key,
            nBoot)$scores)
    }))
}

.movedVerdict <- function(model, scores, d) {
    energy <- function(m) scores$energy[scores$method == m]
    .verdict(c(
        sprintf("%s moved from \"%s\" to \"%s\" by %s.", .count(sum(!d$treated),
            "cell"), model@state$ref, model@state$level, model@state$layout),
        if (is.null(scores)) paste0("Not tested here: predictResponse() with ",
            "the network's settings as 'method' leaves groups out in turn.")
        else sprintf(paste0("Energy distance to the treated cells %.2f (doing ",
            "nothing %.2f, half of them %.2f): no test if the model has seen ",
            "these cells."), energy("the model"), energy("identity"),
            energy("floor")),
        if (length(d$lacking)) paste0("Without ", .count(length(d$lacking),
            "gene"), " of the model, taken at the training mean: ",
            .some(d$lacking, 5L), ".")
    ), holds = NA)
}

## ---- folder ----------------------------------------------------------------

.responseFiles <- c("config.json", "components.safetensors", "centre.csv",
    "model.safetensors", "autoencoder")

#' @rdname saveModel
#' @export
setMethod("saveModel", "ResponseModel", function(model, dir, overwrite = FALSE,
    ...) {
    .noDots(...)
    .alive(model)
    target <- .encoderFolder(dir, overwrite, .responseFiles)
    .writeFolder(target, function(part) .writeResponse(model, part))
    invisible(dir)
})

.writeResponse <- function(model, dir) {
    s <- model@state
    type <- if (methods::is(model, "ScGenModel")) "scgen" else "cellot"
    plain <- list(model_type = type, engine = model@config, genes = s$genes,
        ref = s$ref, level = s$level, logged = s$logged, target = s$target,
        space = s$space, scale = s$scale, shift = as.numeric(s$shift),
        status = s$status)
    .writeLines(as.character(.configJson(Filter(Negate(is.null), plain))),
        file.path(dir, "config.json"))
    .writeSafetensor(file.path(dir, "components.safetensors"), "axes", s$axes)
    .writeCsv(data.frame(gene = s$genes, centre = s$centre),
        file.path(dir, "centre.csv"))
    .engineSave(model, file.path(dir, "model.safetensors"))
    if (!is.null(s$coder)) {
        inside <- file.path(dir, "autoencoder")
        dir.create(inside)
        .writeResponse(s$coder, inside)
    }
    invisible()
}

.isResponse <- function(path) {
    config <- file.path(path, "config.json")
    file.exists(config) && isTRUE(.readJson(config, FALSE)$model_type %in%
        c("scgen", "cellot"))
}

.loadResponse <- function(path, threads, strict, verbose) {
    said <- .readJson(file.path(path, "config.json"), FALSE)
    lost <- setdiff(c("engine", "genes", "ref", "level", "logged", "target",
        "shift", if (said$model_type == "cellot") c("space", "scale")),
        names(said))
    if (length(lost)) {
        .stopArgument("path", "is \"", path, "\", whose config.json lacks ",
            .some(lost), ".")
    }
    if (any(!file.exists(file.path(path, .responseFiles[2:4])))) {
        .stopArgument("path", "is \"", path, "\", which lacks ",
            .some(.responseFiles[2:4][!file.exists(file.path(path,
                .responseFiles[2:4]))]), ".")
    }
    scgen <- said$model_type == "scgen"
    model <- .encoderModel(if (scgen) "ScGenModel" else "CellOTModel",
        if (scgen) "autoencoder" else "cellot", said$engine, .newKey(0),
        threads, if (scgen) "scGen" else "CellOT")
    s <- model@state
    for (name in c("ref", "level", "logged", "target", "space", "scale")) {
        assign(name, said[[name]], envir = s)
    }
    s$genes <- as.character(unlist(said$genes))
    s$shift <- as.numeric(unlist(said$shift))
    s$centre <- utils::read.csv(file.path(path, "centre.csv"))$centre
    s$axes <- .readSafetensor(file.path(path, "components.safetensors"),
        "axes")
    s$axes <- .fromRowMajor(s$axes$values, as.integer(unlist(s$axes$shape)))
    if (length(s$centre) != length(s$genes) ||
        nrow(s$axes) != length(s$genes)) {
        .stopArgument("path", "is \"", path, "\", whose components are of ",
            nrow(s$axes), " genes, and whose config.json names ",
            length(s$genes), ".")
    }
    if (identical(said$space, "codes")) {
        s$coder <- .loadResponse(file.path(path, "autoencoder"), threads,
            strict, FALSE)
    }
    model <- .finishEncoder(model, file.path(path, "model.safetensors"), path,
        character(), ".", strict, verbose)
    s$status <- if (is.null(said$status)) "loaded" else said$status
    model
}
