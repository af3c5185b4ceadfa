## Model packages on disk: the published layout, its legacy forms, and the
## files that let training go on.

.modules <- c("sfm", "efm")

## Where a module's files are: structured, in models/, flat.
.modulePaths <- function(module) {
    places <- function(file) {
        c(file.path("models", module, file), file.path("models", file), file)
    }
    list(config = places(paste0(module, "_config.json")),
        weights = places(paste0(module, "_model.safetensors")),
        trainState = file.path("models", module, "train_state.json"),
        trainTensors = file.path("models", module, "train_state.safetensors")
    )
}

.moduleOf <- function(model) {
    switch(class(model)[[1L]], SFModel = "sfm", EFModel = "efm")
}

## The first module a folder has, NA where it has none.
.packageModule <- function(path) {
    for (module in .modules) {
        if (!is.na(.firstFile(path, .modulePaths(module)$config))) {
            return(module)
        }
    }
    NA_character_
}

.packageFiles <- list(
    vocab = c("tokenizer/vocab.json", "models/vocab.json", "vocab.json"),
    conditions = c("tokenizer/cond_dict.json", "models/cond_dict.json",
        "cond_dict.json"
    ),
    human = c("resources/human_tfs.csv", "human_tfs.csv"),
    mouse = c("resources/mouse_tfs.csv", "mouse_tfs.csv")
)

## Further files that saveModel() writes.
.otherFiles <- c("release.json", "tokenizer/vocab.safetensors")

.layoutNames <- c("structured", "legacy, files in models/", "legacy, flat")

.conditionTensor <- "embedding.condition_embedding.cond_embedding.weight"

#' Load a model package
#'
#' Reads the published layout: `models/sfm/sfm_config.json` and
#' `sfm_model.safetensors`, `tokenizer/vocab.json` and `cond_dict.json`,
#' `resources/human_tfs.csv` and `mouse_tfs.csv`. Where these are missing the
#' older layouts are tried: everything in `models/`, then everything in the
#' folder itself. Every offset and size of the weights' file is checked before
#' it is used. Files [saveModel()] adds let a training run go on. Folders of
#' published encoders are recognised by what they hold: scGPT and HyenaDNA, see
#' [EncoderModel-class], CellFM, see [CellFMModel-class], KCellFM, see
#' [KCellFMModel-class], GEARS, see [GEARSModel-class], CellOT and scGen, see
#' [CellOTModel-class], BERT, see
#' [BertModel-class], Geneformer, see [GeneformerModel-class]. Weights may be in any format that
#' [inspectCheckpoint()] reads.
#'
#' @param path the package's folder.
#' @param module of a package of scCAFM: `"sfm"` (structure) or `"efm"`
#'   (embedding); `NULL`: the structure module where there is one.
#' @param threads threads of the engine; `NULL`: option `causeway.threads`,
#'   else at most 2.
#' @param strict `TRUE`: tensors of the structure module that are missing or
#'   have another shape are an error; `FALSE`: they keep random values, and
#'   [modelReport()] lists them.
#' @param verbose say what was found.
#' @return A [FoundationModel-class]; `modelReport()` of it lists missing,
#'   unexpected and misshapen tensors and what had to be assumed.
#' @section Errors: a missing folder or file, text that is not JSON, a
#'   truncated or contradictory weights' file, an impossible configuration,
#'   missing core tensors: each names the file and the reason.
#'   Weights that are not what [saveModel()] wrote; of text files a warning.
#' @seealso [saveModel()]
#' @examples
#' folder <- file.path(tempfile(), "model")
#' dir.create(dirname(folder))
#' model <- newModel(SFMParam(), exampleCells(), seed = 1)
#' saveModel(model, folder)
#' again <- loadModel(folder)
#' modelReport(again)$layout
#' @export
loadModel <- function(path, threads = NULL, strict = TRUE, module = NULL,
    verbose = interactive()) {
    .checkText(path, "path")
    .checkFlag(strict, "strict")
    threads <- .threads(threads)
    .findFolder(path)
    if (!dir.exists(path)) {
        .stopArgument("path", "is \"", path, "\", which is ",
            if (file.exists(path)) "a file" else "not there",
            "; a model package is a folder", if (file.exists(path))
                paste0(" with the weights in it (see ?loadModel); ",
                    "inspectCheckpoint() says what a file of weights holds"),
            "."
        )
    }
    path <- normalizePath(path)
    model <- .loadFolder(path, threads, strict, module, verbose)
    .checkSums(path, "path", strict) # last: what readers say of damage says more
    model
}

.loadFolder <- function(path, threads, strict, module, verbose) {
    annotator <- .loadAnnotator(path)
    if (!is.null(annotator)) {
        return(annotator)
    }
    layout <- .encoderLayout(path)
    if (!is.null(layout)) {
        return(get(layout$load)(path, threads, strict, verbose))
    }
    module <- .chooseModule(path, module)
    known <- c(.modulePaths(module), .packageFiles)
    files <- lapply(known, function(f) .firstFile(path, f))
    for (need in c("config", "weights", "vocab")) {
        if (is.na(files[[need]])) {
            .stopArgument("path", "is \"", path, "\", which holds none of ",
                paste(known[[need]], collapse = ", "), ": not an ",
                toupper(module), " package."
            )
        }
    }
    files$module <- module
    parts <- .readPackage(files, path)
    model <- .buildModel(parts$config, parts$vocab, parts$tfs,
        rows = parts$rows, key = .newKey(0), threads = threads,
        maxLength = 4096L, module = module
    )
    model@state$conditions <- parts$conditions
    loaded <- .engineLoad(model, .weightsFile(files))
    .finishLoad(model, loaded, files, path, parts, strict, verbose)
}

.chooseModule <- function(path, module) {
    if (!is.null(module)) {
        return(.oneOf(module, .modules, "module"))
    }
    found <- .packageModule(path)
    if (is.na(found)) "sfm" else found
}

.firstFile <- function(path, candidates) {
    found <- file.path(path, candidates)
    found <- found[file.exists(found) & !dir.exists(found)]
    if (length(found)) found[[1L]] else NA_character_
}

.readPackage <- function(files, path) {
    config <- .readJson(files$config, simplify = FALSE)
    .checkConfig(config, files$config, files$module)
    vocab <- .checkVocab(.readJson(files$vocab), files$vocab)
    header <- .safetensorsHeader(files$weights)
    notes <- character()
    at <- grep(paste0("(^|\\.)", gsub(".", "\\.", .conditionTensor,
        fixed = TRUE
    ), "$"), names(header))
    shape <- if (length(at)) unlist(header[[at[[1L]]]]$shape)
    rows <- if (length(shape)) shape[[1L]] else NA
    if (is.na(files$conditions)) {
        conditions <- data.frame(cond_value = "<unk>", token_index = 0L)
        notes <- c(notes, paste0("no cond_dict.json: platform, species, ",
            "tissue and disease count as unknown; the table's size comes ",
            "from the weights"
        ))
    } else {
        conditions <- .checkConditions(
            .readJson(files$conditions), files$conditions
        )
    }
    if (is.na(rows)) {
        rows <- max(conditions$token_index) + 1L
    }
    tfs <- .packageTfs(files)
    free <- grepl("^<reserved_[0-9]+>$", conditions$cond_value)
    list(
        config = config, vocab = vocab,
        rows = as.integer(rows), conditions = conditions[!free, ],
        tfs = tfs$tfs, notes = c(notes, tfs$notes), layout = match(
            files$weights, file.path(path, .modulePaths(files$module)$weights)
        )
    )
}

.packageTfs <- function(files) {
    notes <- character()
    tfs <- list()
    for (species in c("human", "mouse")) {
        if (is.na(files[[species]])) {
            tfs[[species]] <- tfCatalogue(species)$TF
            notes <- c(notes, paste0("no ", species,
                "_tfs.csv: using the shipped catalogue"
            ))
        } else {
            table <- tryCatch(
                read.csv(files[[species]], colClasses = "character"),
                error = function(e) data.frame()
            )
            if (!("TF" %in% names(table))) {
                stop("'", files[[species]], "' must be a CSV table with a ",
                    "column TF.",
                    call. = FALSE
                )
            }
            tfs[[species]] <- .tfVector(table)
        }
    }
    list(tfs = tfs, notes = notes)
}

.finishLoad <- function(model, loaded, files, path, parts, strict, verbose) {
    state <- model@state
    state$source <- path
    state$status <- "loaded"
    state$report <- list(
        path = path, layout = .layoutNames[[parts$layout]],
        missing = as.character(loaded$missing),
        unexpected = grep("^optimizer\\.[mv]\\.",
            as.character(loaded$unexpected), invert = TRUE, value = TRUE
        ),
        misshapen = as.character(loaded$misshapen),
        loaded = loaded$loaded, notes = parts$notes
    )
    bad <- c(state$report$missing, state$report$misshapen)
    core <- bad[!startsWith(bad, "head_modules.")]
    if (length(core) && strict) {
        stop("the weights in '", files$weights, "' don't fit the ",
            "configuration: ", length(state$report$missing), " tensors ",
            "missing, ", length(state$report$misshapen), " misshapen (",
            .some(core, 3L), "). loadModel(strict = FALSE) loads the rest ",
            "and reports these.",
            call. = FALSE
        )
    }
    if (length(bad)) {
        warning(length(bad), " tensors are missing or misshapen and keep ",
            "random values: modelReport(model).",
            call. = FALSE
        )
    }
    .readTrainState(state, files)
    .say(verbose, "Loaded ", loaded$loaded, " tensors (", state$report$layout,
        " layout), ", length(state$report$unexpected), " unexpected."
    )
    for (note in state$report$notes) {
        .say(verbose, "Note: ", note, ".")
    }
    model
}
