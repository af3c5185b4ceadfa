## What the published encoders share: how their folders are recognised, read
## and reported on.

#' Published encoders
#'
#' scGPT (cells and genes) and HyenaDNA (sequences) as [FoundationModel-class]:
#' [loadModel()] reads their published folders, `newModel()` with
#' [ScGPTParam()] or [HyenaParam()] makes small ones with random weights.
#'
#' @section scGPT's folder: `args.json`, `vocab.json`, and the weights in
#'   `best_model.pt` or `model.safetensors`. Names of the flash-attention
#'   model, of the plain one and of newer wrappers are all read; a file without
#'   the attention's input projections is refused, since a model that
#'   misses them computes with random attention.
#' @section HyenaDNA's folder: `config.json` and the weights in `weights.ckpt`
#'   or `model.safetensors`.
#'
#' @slot vocab (`ScGPTModel`) data.frame with columns `gene` (as the file has
#'   it) and `token`, from 0.
#' @slot special (`ScGPTModel`) the tokens `<pad>` and `<cls>`.
#' @param object a model.
#' @return `show()` prints and returns nothing.
#' @seealso [embedCells()], [embedGenes()], [embedSequences()], [embedPeaks()],
#'   [embedATAC()], [predictMasked()], [loadModel()]
#' @references Cui et al. (2024), scGPT, Nature Methods (bowang-lab/scGPT, MIT).
#'   Nguyen et al. (2023), HyenaDNA (HazyResearch/hyena-dna, Apache 2.0).
#' @examples
#' newModel(ScGPTParam(embedDim = 16, layers = 1, heads = 2),
#'     rownames(exampleCells()), seed = 1)
#' newModel(HyenaParam(embedDim = 8, layers = 1, longest = 100), seed = 1)
#' @name EncoderModel-class
#' @aliases ScGPTModel-class ScGPTModel HyenaModel-class HyenaModel
#' @exportClass ScGPTModel
setClass("ScGPTModel", contains = "FoundationModel", slots = c(
    vocab = "data.frame", special = "integer"
))

#' @rdname EncoderModel-class
#' @exportClass HyenaModel
setClass("HyenaModel", contains = "FoundationModel")

## Layouts of folders beside causeway's own, by what they hold: files that
## must all be there, and who reads them.
.encoderLayouts <- list(
    gears = list(files = character(), load = ".loadGEARS",
        fits = function(path) .isGEARS(path)
    ),
    response = list(files = character(), load = ".loadResponse",
        fits = function(path) .isResponse(path)
    ),
    cellfm = list(files = character(), load = ".loadCellFM",
        fits = function(path) .isCellFM(path)
    ),
    kcellfm = list(files = "vocab.json", load = ".loadKCellFM",
        fits = function(path) .isKCellFM(path)
    ),
    scgpt = list(files = c("args.json", "vocab.json"), load = ".loadScGPT"),
    hyena = list(files = "config.json", load = ".loadHyena",
        fits = function(path) {
            config <- .readJson(file.path(path, "config.json"), FALSE)
            !is.null(config$d_model) && is.list(config$layer) &&
                !is.null(config$layer$l_max)
        }
    ),
    bert = list(files = "config.json", load = ".loadBert", fits = function(path) .isBert(path))
)

## The layout of a folder, or NULL.
.encoderLayout <- function(path) {
    for (layout in .encoderLayouts) {
        there <- all(file.exists(file.path(path, layout$files)))
        if (there && (is.null(layout$fits) || layout$fits(path))) {
            return(layout)
        }
    }
    NULL
}

## The weights of an encoder's folder.
.encoderWeights <- function(path, names) {
    names <- c("model.safetensors", names)
    file <- .firstFile(path, names)
    if (is.na(file)) {
        .stopArgument("path", "is \"", path, "\", which has no weights: none ",
            "of ", paste(names, collapse = ", "), "."
        )
    }
    file
}

## Shapes of a checkpoint's tensors, by name.
.checkpointShapes <- function(file) {
    found <- .checkpointTensors(file, "path")
    setNames(lapply(found$shape, as.integer), found$name)
}

## Reads the weights and says how it went. `needed`: a pattern of the tensors
## without which the model isn't the published one.
.finishEncoder <- function(model, file, path, notes, needed, strict, verbose,
    passed = NULL) {
    loaded <- .engineLoad(model, file)
    if (!is.null(passed)) {
        loaded$unexpected <- grep(passed, loaded$unexpected, invert = TRUE,
            value = TRUE
        )
    }
    state <- model@state
    state$source <- path
    state$status <- "loaded"
    state$report <- list(
        path = path, layout = state$layout,
        missing = as.character(loaded$missing),
        unexpected = as.character(loaded$unexpected),
        misshapen = as.character(loaded$misshapen),
        loaded = loaded$loaded, notes = notes
    )
    bad <- c(state$report$missing, state$report$misshapen)
    core <- grep(needed, bad, value = TRUE)
    if (length(core) && strict) {
        stop("the weights in '", file, "' don't fit the configuration: ",
            length(state$report$missing), " tensors missing, ",
            length(state$report$misshapen), " misshapen (", .some(core, 3L),
            "). loadModel(strict = FALSE) loads the rest and reports these.",
            call. = FALSE
        )
    }
    if (length(bad)) {
        warning(length(bad), " tensors are missing or misshapen and keep ",
            "random values (", .some(bad, 3L), "): modelReport(model).",
            call. = FALSE
        )
    }
    .say(verbose, "Loaded ", loaded$loaded, " tensors of ", state$layout,
        ", ", length(bad), " missing or misshapen, ",
        length(state$report$unexpected), " unexpected."
    )
    for (note in notes) {
        .say(verbose, "Note: ", note, ".")
    }
    model
}

## A model of the engine's class with these settings.
.encoderModel <- function(class, engine, config, key, threads, layout, ...) {
    state <- new.env(parent = emptyenv())
    state$status <- "new"
    state$source <- "random weights"
    state$layout <- layout
    state$threads <- threads
    new(class, ptr = .engineNew(engine, config, key, threads),
        config = config, state = state, ...
    )
}

## The same of a model that reads genes by a vocabulary with `<pad>` and `<cls>`.
## The gene table has a row per token, or `config$ntoken` where that is more.
.tokenModel <- function(class, engine, config, vocab, key, threads, layout) {
    special <- vocab$token[match(c("<pad>", "<cls>"), vocab$gene)]
    names(special) <- c("<pad>", "<cls>")
    config$ntoken <- max(config$ntoken, vocab$token + 1L)
    config$pad_token_id <- special[["<pad>"]]
    config$cls_token_id <- special[["<cls>"]]
    .encoderModel(class, engine, config, key, threads, layout, vocab = vocab,
        special = special
    )
}

## The vocabulary of a new model, and how it is written.
.newVocab <- function(genes) {
    data.frame(gene = c(genes, "<pad>", "<cls>", "<eoc>"),
        token = seq(0L, length(genes) + 2L)
    )
}

.writeVocab <- function(vocab, part) {
    .writeLines(
        as.character(.configJson(as.list(setNames(vocab$token, vocab$gene)))),
        file.path(part, "vocab.json")
    )
}

## Settings of a Param object under the engine's names.
.engineNames <- function(settings, engine) {
    table <- .engineSettings(engine)
    setNames(settings, table$name[match(names(settings), table$argument)])
}

## Settings of a file that the engine knows; the others are named.
.knownConfig <- function(config, engine) {
    known <- .engineSettings(engine)$name
    config <- Filter(Negate(is.null), config)
    list(known = config[names(config) %in% known],
        other = setdiff(names(config), known)
    )
}

.encoderShow <- function(object, name, lines, calls) {
    cat("FoundationModel: ", name, "\n", sep = "")
    cat(paste0("  ", lines, "\n"), sep = "")
    cat("  source: ", object@state$source, "\n", sep = "")
    cat("  training: ", object@state$status, "\n", sep = "")
    if (.isAlive(object)) {
        cat("  next: ", calls, "\n", sep = "")
    } else {
        cat("  the weights are gone (readRDS?): see ?saveModel, ?loadModel\n")
    }
}

#' @rdname FoundationModel-class
#' @export
setMethod("summary", "FoundationModel", function(object, ...) {
    .noDots(...)
    .alive(object)
    all <- modelTensors(object)
    part <- sub("\\..*$", "", sub("^backbone\\.", "", all$name))
    S4Vectors::DataFrame(
        part = unique(part), tensors = as.integer(table(part)[unique(part)]),
        parameters = as.numeric(tapply(all$parameters, part, sum)[unique(part)])
    )
})

## For arguments that no method of an encoder's verb takes.
.refuseEncoder <- function(x, model, things, kind, call) {
    if (methods::is(x, "FoundationModel")) {
        .stopArgument("x", "is a model: the ", things, " come first, ", call,
            "."
        )
    }
    .stopArgument("model", "must be an encoder of ", kind, ", from ",
        "loadModel(); it is a ", class(model)[[1L]], "."
    )
}

## The folder of a model that is written: refuses what it would destroy.
.encoderFolder <- function(dir, overwrite, names) {
    .checkText(dir, "dir")
    .checkFlag(overwrite, "overwrite")
    target <- .findFolder(dir)
    if (!file.exists(target)) {
        return(target)
    }
    if (!overwrite) {
        .stopExists(dir)
    }
    .stopForeign(dir, setdiff(
        list.files(target, all.files = TRUE, no.. = TRUE), names
    ))
    target
}

## Names of a new model's genes: given, or those of the cells.
.modelGenes <- function(x, genes, how) {
    if (is.character(x) && is.null(genes)) {
        genes <- x
    } else if (is.null(genes)) {
        genes <- .encoderGenes(.readCells(x, how))
    }
    genes <- .checkGenes(genes, "genes")
    if (is.null(genes) || anyDuplicated(genes)) {
        .stopArgument("genes", "must be names of genes, each once.")
    }
    genes
}

## The weights and what is known of a model, into another of other settings.
.copyWeights <- function(from, to) {
    file <- tempfile("causeway-copy-", fileext = ".safetensors")
    on.exit(.removeFile(file))
    .engineSave(from, file)
    .engineLoad(to, file)
    for (name in c("source", "status", "report", "classes", "genes", "tuning",
        "history")) {
        assign(name, from@state[[name]], envir = to@state)
    }
    to
}
