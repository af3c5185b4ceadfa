## Settings of the SFM: presets and ranges are the engine's.

#' Settings of a structure foundation module (SFM)
#'
#' Every argument left `NULL` takes the value of the preset. `"laptop"`, the
#' default, is sized for minutes on two cores; `"published"` gives the sizes
#' of the published code.
#'
#' @param embedDim model width D, a multiple of `heads`.
#' @param layers,heads transformer blocks and attention heads.
#' @param factors number M of latent factors a network is made of.
#' @param topk factors kept per gene, at most `factors`.
#' @param mlpHidden hidden width of the blocks' SwiGLU; with the published
#'   preset 4 x `embedDim`.
#' @param exprBins,exprHidden,exprTau prototypes, hidden width and softmax
#'   temperature of the expression encoder.
#' @param batchBins,batchHidden,batchTau the same of the encoder that pools
#'   one vector per cell.
#' @param routerHidden,routerTemperature hidden width and temperature of the
#'   two routers (TF and target).
#' @param betaMomentum share, 0 to 1, of each update of the routers' balance.
#' @param rotary positions in attention: `"none"` (SFM's default), `"half"`
#'   or `"interleaved"`.
#' @param rotaryBase base of the rotary angles.
#' @param normEps epsilon of the blocks' RMSNorm.
#' @param condDropout,outDropout,mlpDropout,routerDropout,vgaeDropout dropout
#'   probabilities in training.
#' @param vgaeHidden,vgaeSteps,vgaeDamping hidden width, propagation steps
#'   and damping of the variational graph autoencoder head.
#' @param maxLength most tokens of a cell, one prefix included: a model takes
#'   at most `maxLength - 1` genes.
#' @param preset `"laptop"` or `"published"`: where unset values come from.
#' @return `SFMParam()`: an object of class `SFMParam`. `SFMParamDefaults()`:
#'   a data.frame with one row per argument and columns `argument`, `laptop`,
#'   `published` (text).
#' @section Errors: a value out of range, `embedDim` not a multiple of
#'   `heads`, or `topk` above `factors` is an error that names the argument.
#' @references Source of the architecture and the published sizes: scCAFM,
#'   repository Catchxu/scCAFM (GPL-3).
#' @examples
#' SFMParam()
#' SFMParam(embedDim = 32, factors = 16, topk = 2)
#' SFMParam(preset = "published")
#' SFMParamDefaults()
#' @export
SFMParam <- function(embedDim = NULL, layers = NULL, heads = NULL,
    factors = NULL, topk = NULL, mlpHidden = NULL, exprBins = NULL,
    exprHidden = NULL, exprTau = NULL, batchBins = NULL, batchHidden = NULL,
    batchTau = NULL, routerHidden = NULL, routerTemperature = NULL,
    betaMomentum = NULL, rotary = NULL, rotaryBase = NULL, normEps = NULL,
    condDropout = NULL, outDropout = NULL, mlpDropout = NULL,
    routerDropout = NULL, vgaeHidden = NULL, vgaeSteps = NULL,
    vgaeDamping = NULL, vgaeDropout = NULL, maxLength = NULL,
    preset = c("laptop", "published")) {
    given <- as.list(environment())
    preset <- tryCatch(match.arg(preset), error = function(e) {
        .stopArgument("preset", "must be \"laptop\" or \"published\"; it is ",
            .show(given$preset), "."
        )
    })
    given$preset <- NULL
    given <- given[!vapply(given, is.null, logical(1))]
    value <- .sfmPreset(preset)
    value[names(given)] <- given
    value <- .checkBySettings(value, .sfmArguments())
    value$maxLength <- .checkNumber(value$maxLength, "maxLength", 2, 1e6, TRUE)
    .checkParamPairs(value, given)
    value$topk <- min(value$topk, value$factors)
    new("SFMParam",
        config = .sfmConfig(value), maxLength = value$maxLength,
        preset = preset
    )
}

## The engine's settings of an SFM that are arguments of SFMParam().
.sfmArguments <- function() {
    table <- .engineSettings("sfm")
    table[table$argument %in% names(formals(SFMParam)), ]
}

## Values of a preset by argument.
.sfmPreset <- function(preset) {
    table <- .sfmArguments()
    value <- setNames(as.list(table$default), table$argument)
    chosen <- .enginePresets("sfm")[[preset]]
    value[names(chosen)] <- as.list(chosen)
    if (value$mlpHidden == 0) {
        value["mlpHidden"] <- list(NULL) # 4 x embedDim
    }
    c(value, list(rotary = "none", maxLength = 4096L))
}

## Each value against the range its setting has in the engine.
.checkBySettings <- function(value, table) {
    for (i in seq_len(nrow(table))) {
        s <- table[i, ]
        if (!is.null(value[[s$argument]])) {
            ## where the engine takes 0 for "none", R has NULL
            none <- s$type == "integer" && s$default == 0
            value[[s$argument]] <- .checkNumber(value[[s$argument]],
                s$argument, if (none) max(1, s$min) else s$min, s$max,
                s$type == "integer", s$open == 1
            )
        }
    }
    value
}

.checkParamPairs <- function(value, given) {
    if (!is.null(given$topk) && value$topk > value$factors) {
        .stopArgument("topk", "must not be above 'factors' (",
            value$factors, "); it is ", value$topk, "."
        )
    }
    .checkTrunk(value)
}

## What both of scCAFM's modules ask of the Transformer.
.checkTrunk <- function(value) {
    if (value$embedDim %% value$heads != 0L) {
        .stopArgument("embedDim", "must be a multiple of 'heads' (",
            value$heads, "); it is ", value$embedDim,
            ". Change one of the two."
        )
    }
    allowed <- c("none", "half", "interleaved")
    if (!is.character(value$rotary) || length(value$rotary) != 1L ||
        !(value$rotary %in% allowed)) {
        .stopArgument("rotary", "must be one of ",
            paste0("\"", allowed, "\"", collapse = ", "), "; it is ",
            .show(value$rotary), "."
        )
    }
    headDim <- value$embedDim %/% value$heads
    if (value$rotary != "none" && headDim %% 2L != 0L) {
        .stopArgument("rotary", "needs an even width per head; ",
            "embedDim / heads is ", headDim, "."
        )
    }
    invisible()
}

## The published key names in the published order, as the engine lists them.
## NULL stays (as null in the JSON file).
.sfmConfig <- function(v) {
    .moduleConfig(v, "sfm", c("sfm", "vgae"))
}

.moduleConfig <- function(v, class, parts) {
    v$useRotary <- v$rotary != "none"
    v$rotaryInterleaved <- v$rotary == "interleaved"
    table <- .engineSettings(class)
    part <- function(name) {
        prefix <- paste0(name, ".")
        rows <- table[startsWith(table$name, prefix), ]
        values <- lapply(seq_len(nrow(rows)), function(i) {
            s <- rows[i, ]
            if (s$type == "text") {
                return("fa2") # attention_backend
            }
            if (s$argument %in% names(v) ||
                s$argument %in% c("mlpHidden", "headHidden")) {
                return(v[[s$argument]])
            }
            if (s$type == "flag") s$default == 1 else s$default
        })
        setNames(values, substring(rows$name, nchar(prefix) + 1L))
    }
    lapply(setNames(nm = parts), part)
}

#' @rdname SFMParam
#' @export
SFMParamDefaults <- function() {
    text <- function(preset) {
        value <- .sfmPreset(preset)
        vapply(names(value), function(name) {
            if (is.null(value[[name]])) "4 x embedDim" else format(value[[name]])
        }, character(1))
    }
    laptop <- text("laptop")
    data.frame(argument = names(laptop), laptop = unname(laptop),
        published = unname(text("published"))
    )
}

#' @rdname SFMParam-class
#' @param object an `SFMParam`.
#' @export
setMethod("show", "SFMParam", function(object) {
    s <- object@config$sfm
    cat("SFMParam (preset \"", object@preset, "\")\n", sep = "")
    cat("  backbone: ", s$num_layers, " layers, width ", s$embed_dim, ", ",
        s$num_heads, " heads, hidden ",
        if (is.null(s$backbone_mlp_hidden_dim)) 4L * s$embed_dim else
            s$backbone_mlp_hidden_dim, "\n",
        sep = ""
    )
    cat("  network: ", s$num_factors, " factors, top ", s$topk, " per gene\n",
        sep = ""
    )
    cat("  at most ", object@maxLength - 1L, " genes a cell\n", sep = "")
})
