## Model packages on disk: the published layout, its legacy forms, and the
## files that let training go on.

.packageFiles <- list(
    config = c("models/sfm/sfm_config.json", "models/sfm_config.json",
        "sfm_config.json"
    ),
    weights = c("models/sfm/sfm_model.safetensors",
        "models/sfm_model.safetensors", "sfm_model.safetensors"
    ),
    vocab = c("tokenizer/vocab.json", "models/vocab.json", "vocab.json"),
    conditions = c("tokenizer/cond_dict.json", "models/cond_dict.json",
        "cond_dict.json"
    ),
    human = c("resources/human_tfs.csv", "human_tfs.csv"),
    mouse = c("resources/mouse_tfs.csv", "mouse_tfs.csv"),
    trainState = c("models/sfm/train_state.json"),
    trainTensors = c("models/sfm/train_state.safetensors")
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
#' it is used. Files [saveModel()] adds let a training run go on.
#'
#' @param path the package's folder.
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
#' @seealso [saveModel()]
#' @examples
#' folder <- file.path(tempfile(), "model")
#' dir.create(dirname(folder))
#' model <- newModel(SFMParam(), exampleCells(), seed = 1)
#' saveModel(model, folder)
#' again <- loadModel(folder)
#' modelReport(again)$layout
#' @export
loadModel <- function(path, threads = NULL, strict = TRUE,
    verbose = interactive()) {
    .checkText(path, "path")
    .checkFlag(strict, "strict")
    threads <- .threads(threads)
    .findFolder(path)
    if (!dir.exists(path)) {
        .stopArgument("path", "is \"", path, "\", which is ",
            if (file.exists(path)) "a file" else "not there",
            "; a model package is a folder."
        )
    }
    path <- normalizePath(path)
    files <- lapply(.packageFiles, function(f) .firstFile(path, f))
    for (need in c("config", "weights", "vocab")) {
        if (is.na(files[[need]])) {
            .stopArgument("path", "is \"", path, "\", which holds none of ",
                paste(.packageFiles[[need]], collapse = ", "),
                ": not an SFM package."
            )
        }
    }
    parts <- .readPackage(files, path)
    model <- .buildModel(parts$config, parts$json, parts$vocab, parts$tfs,
        rows = parts$rows, key = .newKey(0), threads = threads,
        maxLength = 4096L
    )
    model@state$conditions <- parts$conditions
    loaded <- .Call(cw_r_model_load, model@ptr, files$weights)
    .finishLoad(model, loaded, files, path, parts, strict, verbose)
}

.firstFile <- function(path, candidates) {
    found <- file.path(path, candidates)
    found <- found[file.exists(found) & !dir.exists(found)]
    if (length(found)) found[[1L]] else NA_character_
}

.readPackage <- function(files, path) {
    config <- .readJson(files$config, simplify = FALSE)
    .checkConfig(config, files$config)
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
        config = config, json = .readText(files$config), vocab = vocab,
        rows = as.integer(rows), conditions = conditions[!free, ],
        tfs = tfs$tfs, notes = c(notes, tfs$notes), layout = match(
            files$weights, file.path(path, .packageFiles$weights)
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
        unexpected = as.character(loaded$unexpected),
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

## ---- JSON and safetensors headers ------------------------------------------

.readText <- function(file) {
    size <- file.size(file)
    if (is.na(size) || size > 512 * 1024^2) {
        stop("'", file, "' can't be read or is larger than 512 MB.",
            call. = FALSE
        )
    }
    bytes <- readBin(file, "raw", size)
    if (any(bytes == 0)) {
        stop("'", file, "' is not JSON: it holds zero bytes.", call. = FALSE)
    }
    text <- rawToChar(bytes)
    Encoding(text) <- "UTF-8"
    text
}

.readJson <- function(file, simplify = TRUE) {
    text <- .readText(file)
    tryCatch(
        jsonlite::parse_json(text, simplifyVector = simplify),
        error = function(e) {
            stop("'", file, "' is not JSON: ",
                strsplit(conditionMessage(e), "\n")[[1L]][[1L]],
                call. = FALSE
            )
        }
    )
}

.checkConfig <- function(config, file) {
    good <- is.list(config) && is.list(config$sfm) && is.list(config$vgae)
    need <- c("embed_dim", "num_heads", "num_layers", "num_factors")
    number <- function(x) is.numeric(x) && length(x) == 1L && x >= 1
    if (!good || !all(vapply(config$sfm[need], number, logical(1)))) {
        stop("'", file, "' must hold objects \"sfm\" (with ",
            paste(need, collapse = ", "), ") and \"vgae\".",
            call. = FALSE
        )
    }
    invisible(config)
}

.checkConditions <- function(table, file) {
    good <- is.data.frame(table) &&
        all(c("cond_value", "token_index") %in% names(table))
    index <- if (good) suppressWarnings(as.integer(table$token_index)) else NA
    if (!good || anyNA(index) || any(index < 0L) || anyDuplicated(index)) {
        stop("'", file, "' must be an array of records with cond_value and ",
            "its own token_index from 0 up.",
            call. = FALSE
        )
    }
    data.frame(
        cond_value = as.character(table$cond_value), token_index = index
    )
}

## Names and shapes in a safetensors file; the engine checks the rest when it
## loads. Needed first: the size of the condition table.
.safetensorsHeader <- function(file) {
    size <- file.size(file)
    broken <- function(...) {
        stop("'", file, "' is not a sound safetensors file: ", ...,
            call. = FALSE
        )
    }
    if (is.na(size) || size < 10) {
        broken("it has ", size, " bytes.")
    }
    con <- file(file, "rb")
    on.exit(close(con))
    length <- sum(as.integer(readBin(con, "raw", 8L)) * 256^(0:7))
    if (length > size - 8 || length > 100 * 1024^2) {
        broken("its header claims ", format(length), " bytes, the file has ",
            size, "."
        )
    }
    bytes <- readBin(con, "raw", length)
    if (any(bytes == 0)) {
        broken("its header is not JSON.")
    }
    header <- tryCatch(
        jsonlite::parse_json(rawToChar(bytes), simplifyVector = TRUE),
        error = function(e) broken("its header is not JSON.")
    )
    header <- header[setdiff(names(header), "__metadata__")]
    for (name in names(header)) {
        entry <- header[[name]]
        end <- if (is.list(entry)) entry$data_offsets else NULL
        if (!is.numeric(end) || length(end) != 2L || anyNA(end) ||
            any(end < 0) || end[[2L]] < end[[1L]] ||
            end[[2L]] > size - 8 - length) {
            broken("tensor ", name, " lies outside the file (truncated?).")
        }
        shape <- unlist(entry$shape)
        if (length(shape) && (!is.numeric(shape) || anyNA(shape) ||
            any(shape < 0 | shape > 2^31 | shape != round(shape)))) {
            broken("tensor ", name, " has an impossible shape.")
        }
    }
    header
}

## One float32 tensor in a safetensors file. `x` is a matrix.
.writeSafetensor <- function(file, name, x) {
    entry <- list(list(
        dtype = "F32", shape = dim(x), data_offsets = c(0, 4 * length(x))
    ))
    names(entry) <- name
    header <- charToRaw(as.character(jsonlite::toJSON(entry,
        auto_unbox = TRUE, digits = NA
    )))
    header <- c(header, rep(charToRaw(" "), (-length(header)) %% 8L))
    .writeBeside(file, TRUE, function(con) {
        writeBin(as.integer(c(length(header), 0L)), con, size = 4L,
            endian = "little"
        )
        writeBin(header, con)
        writeBin(.toRowMajor(x), con, size = 4L, endian = "little")
        c(rows = 1, bytes = 8 + length(header) + 4 * length(x))
    })
    invisible()
}

## ---- saving ----------------------------------------------------------------

#' Save a model as a package folder
#'
#' Writes the published layout (see [loadModel()]), and beside it
#' `train_state.json` and `train_state.safetensors`, which let a training run
#' go on exactly. Everything is written to a folder beside `dir`, flushed to
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
#' @aliases saveModel,FoundationModel-method
#' @export
setMethod("saveModel", "FoundationModel", function(model, dir,
    overwrite = FALSE, ...) {
    .alive(model)
    .checkText(dir, "dir")
    .checkFlag(overwrite, "overwrite")
    target <- .findFolder(dir)
    if (file.exists(target)) {
        .checkOverwrite(target, overwrite)
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

.checkOverwrite <- function(dir, overwrite) {
    if (!overwrite) {
        .stopArgument("dir", "is \"", dir, "\", which exists; choose another ",
            "or say overwrite = TRUE."
        )
    }
    if (is.na(.firstFile(dir, .packageFiles$config))) {
        .stopArgument("dir", "is \"", dir, "\", which exists and is not a ",
            "model package; it is left alone."
        )
    }
    foreign <- setdiff(
        list.files(dir, all.files = TRUE, recursive = TRUE),
        c(unlist(.packageFiles), .otherFiles)
    )
    if (length(foreign)) {
        .stopArgument("dir", "is \"", dir, "\", which also holds files that ",
            "would be lost: ", .some(foreign), "; move them, or choose ",
            "another folder."
        )
    }
    invisible()
}

.writePackage <- function(model, dir) {
    for (sub in c("models/sfm", "tokenizer", "resources")) {
        dir.create(file.path(dir, sub), recursive = TRUE)
    }
    at <- function(file) file.path(dir, file)
    .writeLines(.configJson(model@config), at("models/sfm/sfm_config.json"))
    .Call(cw_r_model_save, model@ptr, at("models/sfm/sfm_model.safetensors"))
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
    .writeLines(.releaseJson(), at("release.json"))
    .writeTrainState(model, dir)
    invisible()
}

.geneTensor <- function(model) {
    names <- .Call(cw_r_model_tensors, model@ptr)$name
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

.releaseJson <- function() {
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
        models = list(sfm = list(
            config = "models/sfm/sfm_config.json",
            weights = "models/sfm/sfm_model.safetensors"
        )),
        writer = paste("causeway", utils::packageVersion("causeway"))
    ))
}

.jsonText <- function(x, pretty = 1) {
    jsonlite::toJSON(x,
        auto_unbox = TRUE, null = "null", na = "null", digits = NA,
        pretty = pretty
    )
}

## ---- the state of a training run -------------------------------------------

.writeTrainState <- function(model, dir) {
    state <- model@state
    at <- file.path(dir, "models/sfm")
    content <- list(
        version = 1L, maxLength = state$maxLength, key = state$key,
        species = state$species, status = state$status,
        tokens = state$tokens, run = state$run, student = state$student
    )
    if (!is.null(state$log)) {
        log <- state$log[!is.na(state$log[, "step"]), , drop = FALSE]
        content$history <- as.list(as.data.frame(log))
    }
    .writeLines(.jsonText(content, FALSE), file.path(at, "train_state.json"))
    if (!is.null(state$run)) {
        tensors <- file.path(at, "train_state.safetensors")
        if (is.null(state$trainFile)) {
            .Call(cw_r_train_save, model@ptr, tensors)
        } else {
            .copyFile(state$trainFile, tensors)
        }
    }
    invisible()
}

.copyFile <- function(from, to) {
    .writeFile(to, TRUE, function(part) {
        if (!file.copy(from, part, overwrite = TRUE) ||
            !identical(file.size(from), file.size(part))) {
            stop("'", from, "' could not be copied to '", to, "': is the ",
                "disk full?",
                call. = FALSE
            )
        }
    })
    invisible(to)
}

.checkTrainState <- function(x, file) {
    number <- function(v, n) is.numeric(v) && length(v) == n && !anyNA(v)
    good <- is.list(x) && number(x$maxLength, 1L) && number(x$key, 2L) &&
        is.character(x$species) && length(x$species) == 1L &&
        x$species %in% .speciesNames && is.character(x$status) &&
        length(x$status) == 1L && (is.null(x$run) || is.list(x$run) &&
            number(x$run$step, 1L) && number(x$run$total, 1L)) &&
        (!length(x$history) || is.list(x$history) &&
            all(.logColumns %in% names(x$history)))
    if (!good) {
        stop("'", file, "' is not the state of a training run that ",
            "saveModel() wrote. Remove it to load the weights without their ",
            "history.",
            call. = FALSE
        )
    }
    invisible(x)
}

.readTrainState <- function(state, files) {
    if (is.na(files$trainState)) {
        return(invisible())
    }
    x <- .readJson(files$trainState)
    .checkTrainState(x, files$trainState)
    state$maxLength <- as.integer(x$maxLength)
    state$key <- as.numeric(x$key)
    state$species <- x$species
    state$tokens <- if (length(x$tokens)) as.integer(x$tokens)
    state$student <- .checkReader(x$student, files$trainState)
    if (length(x$history)) {
        log <- do.call(cbind, lapply(x$history, as.numeric))
        state$log <- log[, .logColumns, drop = FALSE]
    }
    if (!is.null(x$run) && !is.na(files$trainTensors)) {
        run <- x$run
        run$disabled <- as.character(unlist(run$disabled))
        run$tokens <- as.integer(run$tokens)
        state$run <- run
        state$status <- if (x$status == "running") "stopped" else x$status
        ## A copy: the package's folder may be gone when training goes on.
        state$trainFile <- tempfile("causeway-train-",
            fileext = ".safetensors"
        )
        .copyFile(files$trainTensors, state$trainFile)
    } else if (!is.null(x$status)) {
        state$status <- x$status
    }
    invisible()
}
