## Writing a model package.

#' Save a model as a package folder
#'
#' Writes the published layout (see [loadModel()]), and beside it
#' `train_state.json` and `train_state.safetensors`, which let a training run
#' go on exactly, and `MD5SUMS`, which [loadModel()] compares the files with
#' (and `md5sum -c`). Everything is written to a folder beside `dir`, flushed to
#' the disk and renamed at the end: `dir` is either complete or not there, and
#' an old one is there until the new one takes its place in one step.
#'
#' @param model a [FoundationModel-class].
#' @param dir the folder to make; its parent must exist.
#' @param overwrite `TRUE` replaces an existing model package.
#' @param ... not used.
#' @return The path of the folder, invisibly.
#' @section Errors: an existing folder (unless `overwrite`), a folder that is
#'   not a model package or holds other files, a parent that is missing or
#'   can't be written, a full disk, and a dead model are errors; nothing is
#'   changed then.
#' @seealso [loadModel()]
#' @examples
#' folder <- file.path(tempfile(), "model")
#' dir.create(dirname(folder))
#' saveModel(newModel(SFMParam(), exampleCells(), seed = 1), folder)
#' list.files(folder, recursive = TRUE)
#' @rdname saveModel
#' @aliases saveModel,SFModel-method saveModel,EFModel-method
#' @export
setMethod("saveModel", "ScCAFMModel", function(model, dir,
    overwrite = FALSE, ...) {
    .alive(model)
    .checkText(dir, "dir")
    .checkFlag(overwrite, "overwrite")
    target <- .findFolder(dir)
    if (file.exists(target)) {
        .checkOverwrite(target, overwrite, .moduleOf(model))
    }
    ## R's connections only warn when a disk is full.
    .writeFolder(target, function(part) {
        withCallingHandlers(.writePackage(model, part),
            warning = function(w) {
                .stopArgument("dir", "could not be written whole: ",
                    conditionMessage(w), ". Choose another folder."
                )
            }
        )
    })
    invisible(dir)
})

## A package of the other module holds files that this one doesn't write.
.checkOverwrite <- function(dir, overwrite, module) {
    if (!overwrite) {
        .stopExists(dir)
    }
    if (is.na(.packageModule(dir))) {
        .stopArgument("dir", "is \"", dir, "\", which exists and is not a ",
            "model package; it is left alone."
        )
    }
    foreign <- setdiff(
        list.files(dir, all.files = TRUE, recursive = TRUE),
        c(unlist(.packageFiles), unlist(.modulePaths(module)), .otherFiles)
    )
    foreign <- grep(paste0("^", .checkpointFolder, "/step-[0-9]+|^",
        .logFolder, "/[a-z]+_pretrain[.]jsonl$"), foreign,
        invert = TRUE, value = TRUE
    )
    .stopForeign(dir, foreign)
}

.stopExists <- function(dir) {
    .stopArgument("dir", "is \"", dir, "\", which exists; choose another ",
        "or say overwrite = TRUE."
    )
}

## Files in a folder to be replaced that nobody here wrote.
.stopForeign <- function(dir, files) {
    files <- setdiff(files, .sumsFile)
    if (length(files)) {
        .stopArgument("dir", "is \"", dir, "\", which also holds files that ",
            "would be lost: ", .some(files), "; move them, or choose ",
            "another folder."
        )
    }
    invisible()
}

.writePackage <- function(model, dir) {
    module <- .moduleOf(model)
    files <- .modulePaths(module)
    for (sub in c(dirname(files$config[[1L]]), "tokenizer", "resources")) {
        dir.create(file.path(dir, sub), recursive = TRUE)
    }
    at <- function(file) file.path(dir, file)
    .writeLines(.configJson(model@config), at(files$config[[1L]]))
    .engineSave(model, at(files$weights[[1L]]))
    .writeLines(.tableJson(model@vocab), at("tokenizer/vocab.json"))
    .writeSafetensor(at("tokenizer/vocab.safetensors"), "embeddings",
        modelTensor(model, .geneTensor(model))
    )
    .writeLines(.tableJson(.allConditions(model@state)),
        at("tokenizer/cond_dict.json")
    )
    for (species in names(model@tfs)) {
        .writeCsv(data.frame(TF = model@tfs[[species]]),
            at(paste0("resources/", species, "_tfs.csv"))
        )
    }
    .writeLines(.releaseJson(module), at("release.json"))
    .writeTrainState(model, dir)
    invisible()
}

.geneTensor <- function(model) {
    names <- .engineTensors(model)$name
    names[endsWith(names, "embedding.gene_embedding.weight")][[1L]]
}

## Every row of the condition table needs a record, so that others who size
## the table by its largest index find the checkpoint's shape.
.allConditions <- function(state) {
    table <- state$conditions
    free <- setdiff(seq_len(state$conditionRows) - 1L, table$token_index)
    rest <- data.frame(
        cond_value = sprintf("<reserved_%d>", as.integer(free)),
        token_index = as.integer(free)
    )
    table <- rbind(table, rest)
    table[order(table$token_index), ]
}

.tableJson <- function(table) {
    jsonlite::toJSON(table, dataframe = "rows", na = "null", pretty = 1)
}

.releaseJson <- function(module) {
    files <- .modulePaths(module)
    .jsonText(list(
        schema_version = 1L,
        resources = list(
            human_tfs = "resources/human_tfs.csv",
            mouse_tfs = "resources/mouse_tfs.csv"
        ),
        tokenizer = list(
            vocab = "tokenizer/vocab.json",
            vocab_tensors = "tokenizer/vocab.safetensors",
            condition_vocab = "tokenizer/cond_dict.json"
        ),
        models = setNames(list(list(
            config = files$config[[1L]], weights = files$weights[[1L]]
        )), module),
        writer = paste("causeway", utils::packageVersion("causeway"))
    ))
}

.jsonText <- function(x, pretty = 1) {
    jsonlite::toJSON(x,
        auto_unbox = TRUE, null = "null", na = "null", digits = NA,
        pretty = pretty
    )
}
