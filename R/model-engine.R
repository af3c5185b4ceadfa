## Every call of a model into the engine. Nothing here knows a model class by
## name: class, task and query are arguments.

## What a class can be told: a data.frame with one row per setting. kind:
## "model", "optimizer", "task" or "query", the latter two with their name.
.engineSettings <- function(class, kind = "model", name = NULL) {
    table <- .Call(cw_r_model_settings, class, kind, name)
    as.data.frame(table, stringsAsFactors = FALSE)
}

.enginePresets <- function(class) .Call(cw_r_model_presets, class)

## Usual weights of a task's losses, named.
.engineTerms <- function(class, task) .Call(cw_r_model_terms, class, task)

## A model of the class. config: its settings under their names in files,
## nested or not; NULL members count as not given.
.engineNew <- function(class, config, key, threads) {
    json <- as.character(.configJson(config))
    .Call(cw_r_model_new, class, json, as.double(key), as.integer(threads))
}

## list(name, shape, trainable) of all parameters.
.engineTensors <- function(model) .Call(cw_r_model_tensors, model@ptr)

.engineGet <- function(model, name) .Call(cw_r_model_get, model@ptr, name)

.engineSet <- function(model, name, value) {
    .Call(cw_r_model_set, model@ptr, name, as.double(value))
}

## only: a pattern of names (* stands for any text), or NULL.
.engineLoad <- function(model, file, only = NULL) {
    .Call(cw_r_model_load, model@ptr, file, only)
}

.engineSave <- function(model, file, only = NULL) {
    .Call(cw_r_model_save, model@ptr, file, only)
}

## Arrays that stay with the model until others are bound. Matrices are genes
## x cells here and (cells, genes) in the engine.
.engineBind <- function(model, inputs) {
    .Call(cw_r_model_bind, model@ptr, inputs)
}

## Results of a query by name; numbers with their dimensions, or with `raw` the
## engine's bytes.
.engineRun <- function(model, query, inputs, settings = list(), raw = FALSE) {
    .Call(cw_r_model_run, model@ptr, query, inputs, settings, raw)
}

## Bytes at the peak of one batch; NA where the class has no forecast.
.engineForecast <- function(model, ...) {
    .Call(cw_r_model_forecast, model@ptr, list(...))
}

## Begins a task. optimizer, settings: named lists; weights: named numbers, of
## the losses that differ from the usual; groups: data.frame with the columns
## match (a pattern of names), lr, weightDecay (NA: the run's own), frozen.
.engineBegin <- function(model, task, optimizer, settings = list(),
    weights = NULL, groups = NULL, key = c(0, 0)) {
    if (!is.null(groups)) {
        groups <- list(match = as.character(groups$match),
            lr = as.double(groups$lr),
            weightDecay = as.double(groups$weightDecay),
            frozen = as.logical(groups$frozen)
        )
    }
    .Call(cw_r_train_begin, model@ptr, task, optimizer, settings, weights,
        groups, as.double(key)
    )
}

## One micro-batch: list(value, weighted, report, total), of all processes.
## inputs NULL: this one has no cells. weights: of single losses, for this call.
## last: the update follows.
.engineMicro <- function(model, inputs, micro = 0, gradWeight = 1,
    weights = NULL, last = FALSE) {
    .Call(cw_r_train_micro, model@ptr, inputs, list(micro = as.double(micro),
        gradWeight = gradWeight, last = last), weights
    )
}

## The run that has begun is rank 0's at all processes from now on.
.engineShare <- function(model) .Call(cw_r_train_share, model@ptr)

## The update: list(gradNorm, lr, step, discarded, dropped).
.engineApply <- function(model) .Call(cw_r_train_apply, model@ptr)

## list(losses, gradients) of one batch without a step.
.engineGradients <- function(model, task, inputs, settings = list(),
    weights = NULL) {
    .Call(cw_r_train_gradients, model@ptr, task, inputs, settings, weights)
}

## A checkpoint of the run in a folder, the last `keep` of which stay. pairs:
## named strings that are kept with it.
.engineCheckpoint <- function(model, dir, keep = 3L, pairs = character()) {
    .Call(cw_r_train_save, model@ptr, dir, as.integer(keep), pairs)
}

## Weights, moments, step and key of a checkpoint, for a run that has begun.
.engineResume <- function(model, file) .Call(cw_r_train_load, model@ptr, file)

.engineLatest <- function(dir) .Call(cw_r_train_latest, dir)

.enginePair <- function(file, key) .Call(cw_r_train_pair, file, key)

.configJson <- function(config) {
    jsonlite::toJSON(config,
        auto_unbox = TRUE, null = "null", digits = NA, pretty = 1
    )
}
