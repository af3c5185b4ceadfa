## HyenaDNA: settings, new models, published folders, the tokens of DNA.

#' Settings of a HyenaDNA model
#'
#' For [newModel()]. The defaults are the sizes of the published
#' `hyenadna-tiny-1k-seqlen`.
#'
#' @param embedDim width.
#' @param layers blocks.
#' @param hiddenDim hidden width of the blocks' networks.
#' @param longest most tokens of a sequence.
#' @param order order of the Hyena operator, 2 or more.
#' @param features positional features of the filters, an odd number.
#' @param filterWidth width of the network that makes the filters.
#' @param classes classes of a head for whole sequences; 0: no head.
#' @param object a `HyenaParam`.
#' @return An object of class `HyenaParam`.
#' @section Errors: a value out of range; an even number of features.
#' @seealso [EncoderModel-class], [loadModel()]
#' @examples
#' HyenaParam(embedDim = 16, layers = 1, longest = 200)
#' @export
HyenaParam <- function(embedDim = 128, layers = 2, hiddenDim = 4 * embedDim,
    longest = 1026, order = 2, features = 5, filterWidth = 64, classes = 0) {
    given <- mget(names(formals(HyenaParam)))
    classes <- .checkNumber(classes, "classes", 0, 1e6, TRUE)
    given$classes <- max(1, classes)
    table <- .engineSettings("hyena")
    settings <- .checkSettings(given, table[table$argument %in% names(given), ])
    if (settings$features %% 2 == 0) {
        .stopArgument("features", "must be odd; it is ", settings$features,
            "."
        )
    }
    new("HyenaParam", settings = c(settings, head = classes > 0))
}

#' @rdname HyenaParam
#' @name HyenaParam-class
#' @exportClass HyenaParam
setClass("HyenaParam", contains = "CausewayParam")

#' @rdname HyenaParam
#' @export
setMethod("show", "HyenaParam", function(object) {
    s <- object@settings
    cat("HyenaParam: ", s$layers, " blocks, width ", s$embedDim,
        ", sequences of up to ", s$longest, " tokens\n",
        sep = ""
    )
})

#' @rdname newModel
#' @export
setMethod("newModel", "HyenaParam", function(param, seed = NULL,
    threads = NULL, ...) {
    .noDots(...)
    s <- .engineNames(param@settings, "hyena")
    .encoderModel("HyenaModel", "hyena", .nestedConfig(s), .newKey(seed),
        .threads(threads), "new"
    )
})

## "layer.order" as a member of the object "layer".
.nestedConfig <- function(flat) {
    inner <- startsWith(names(flat), "layer.")
    c(flat[!inner], list(layer = setNames(flat[inner],
        sub("^layer\\.", "", names(flat)[inner])
    )))
}

#' @rdname EncoderModel-class
#' @export
setMethod("show", "HyenaModel", function(object) {
    s <- object@config
    .encoderShow(object, "HyenaDNA", c(
        paste0(s$n_layer, " blocks, width ", s$d_model),
        paste0("sequences of up to ", s$layer$l_max - 2L, " bases")
    ), "embedSequences(x, model), embedPeaks(peaks, genome, model)")
})

.hyenaWeights <- c("weights.safetensors", "weights.ckpt",
    "pytorch_model.bin"
)

.loadHyena <- function(path, threads, strict, verbose) {
    config <- .readJson(file.path(path, "config.json"), FALSE)
    file <- .encoderWeights(path, .hyenaWeights)
    layer <- config$layer
    names(layer) <- paste0("layer.", names(layer))
    flat <- c(config[names(config) != "layer"], layer)
    heads <- any(grepl("head.output_transform", names(.checkpointShapes(file)),
        fixed = TRUE
    ))
    notes <- character()
    if (!is.null(flat$use_head) && flat$use_head != heads) {
        notes <- paste0("config.json says use_head = ", flat$use_head,
            ", the weights ", if (heads) "have" else "have no",
            " head; the weights count"
        )
    }
    flat$use_head <- heads
    if (is.null(flat[["layer.shift"]])) {
        notes <- c(notes, paste0("the shift of the filters' window is in no ",
            "file: 0.05, as in the published inference code"
        ))
    }
    parts <- .knownConfig(flat, "hyena")
    model <- .encoderModel("HyenaModel", "hyena", .nestedConfig(parts$known),
        .newKey(0), threads, "HyenaDNA"
    )
    .finishEncoder(model, file, path, notes, "^backbone\\.", strict, verbose)
}

#' @rdname saveModel
#' @export
setMethod("saveModel", "HyenaModel", function(model, dir, overwrite = FALSE,
    ...) {
    .noDots(...)
    .alive(model)
    target <- .encoderFolder(dir, overwrite,
        c("config.json", "model.safetensors")
    )
    .writeFolder(target, function(part) {
        .writeLines(as.character(.configJson(model@config)),
            file.path(part, "config.json")
        )
        .engineSave(model, file.path(part, "model.safetensors"))
    })
    invisible(dir)
})

## ---- tokens of DNA ---------------------------------------------------------

.dnaSpecial <- c(cls = 0L, sep = 1L, pad = 4L, unknown = 6L)

## The token of each byte.
.dnaTable <- local({
    table <- rep(.dnaSpecial[["unknown"]], 256L)
    table[as.integer(charToRaw("ACGTN")) + 1L] <- 7:11
    table
})

## list(id, length): tokens of all sequences one behind the other. `special`:
## [CLS] in front and [SEP] behind, as the published tokenizer adds.
.dnaTokens <- function(x, special = FALSE) {
    n <- nchar(x, type = "bytes")
    id <- .dnaTable[as.integer(charToRaw(paste(x, collapse = ""))) + 1L]
    if (!special) {
        return(list(id = id, length = n))
    }
    end <- cumsum(n + 2L)
    all <- integer(sum(n + 2L))
    all[end] <- .dnaSpecial[["sep"]]
    first <- end - n - 1L
    all[-c(first, end)] <- id
    all[first] <- .dnaSpecial[["cls"]]
    list(id = all, length = n + 2L)
}
