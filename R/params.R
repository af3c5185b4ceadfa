## Settings of the SFM: two presets and the published key names.

.sfmPresets <- list(
    published = list(
        embedDim = 768L, exprBins = 32L, exprHidden = 128L, exprTau = 1,
        batchBins = 128L, batchHidden = 128L, batchTau = 1,
        condDropout = 0.1, outDropout = 0.1,
        layers = 4L, heads = 8L, mlpHidden = NULL, mlpDropout = 0.1,
        rotary = "none", rotaryBase = 10000, normEps = 1e-6,
        factors = 256L, routerHidden = 128L, routerDropout = 0.1,
        topk = 32L, routerTemperature = 1, betaMomentum = 1,
        vgaeHidden = 128L, vgaeDropout = 0.1, vgaeSteps = 3L,
        vgaeDamping = 0.5, maxLength = 4096L
    ),
    laptop = list(
        embedDim = 64L, exprBins = 16L, exprHidden = 32L, exprTau = 1,
        batchBins = 16L, batchHidden = 32L, batchTau = 1,
        condDropout = 0.1, outDropout = 0.1,
        layers = 2L, heads = 4L, mlpHidden = 128L, mlpDropout = 0.1,
        rotary = "none", rotaryBase = 10000, normEps = 1e-6,
        factors = 32L, routerHidden = 32L, routerDropout = 0.1,
        topk = 4L, routerTemperature = 1, betaMomentum = 1,
        vgaeHidden = 32L, vgaeDropout = 0.1, vgaeSteps = 3L,
        vgaeDamping = 0.5, maxLength = 4096L
    )
)

## Allowed range of each setting: c(min, max, whole, open at min).
.sfmRanges <- list(
    embedDim = c(1, 65536, 1, 0), layers = c(1, 1000, 1, 0),
    heads = c(1, 4096, 1, 0), factors = c(1, 65535, 1, 0),
    topk = c(1, 65535, 1, 0), mlpHidden = c(1, 1048576, 1, 0),
    exprBins = c(2, 65536, 1, 0), exprHidden = c(1, 65536, 1, 0),
    exprTau = c(0, Inf, 0, 1), batchBins = c(1, 65536, 1, 0),
    batchHidden = c(1, 65536, 1, 0), batchTau = c(0, Inf, 0, 1),
    routerHidden = c(1, 65536, 1, 0), routerTemperature = c(0, Inf, 0, 1),
    betaMomentum = c(0, 1, 0, 0), rotaryBase = c(0, Inf, 0, 1),
    normEps = c(0, 1, 0, 1), condDropout = c(0, 0.999, 0, 0),
    outDropout = c(0, 0.999, 0, 0), mlpDropout = c(0, 0.999, 0, 0),
    routerDropout = c(0, 0.999, 0, 0), vgaeDropout = c(0, 0.999, 0, 0),
    vgaeHidden = c(1, 65536, 1, 0), vgaeSteps = c(0, 1000, 1, 0),
    vgaeDamping = c(-Inf, Inf, 0, 0), maxLength = c(2, 1e6, 1, 0)
)

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
    value <- .sfmPresets[[preset]]
    value[names(given)] <- given
    for (name in names(.sfmRanges)) {
        r <- .sfmRanges[[name]]
        if (!is.null(value[[name]])) {
            value[[name]] <- .checkNumber(
                value[[name]], name, r[[1L]], r[[2L]], r[[3L]] == 1,
                r[[4L]] == 1
            )
        }
    }
    .checkParamPairs(value, given)
    value$topk <- min(value$topk, value$factors)
    new("SFMParam",
        config = .paramConfig(value), maxLength = value$maxLength,
        preset = preset
    )
}

.checkParamPairs <- function(value, given) {
    if (value$embedDim %% value$heads != 0L) {
        .stopArgument("embedDim", "must be a multiple of 'heads' (",
            value$heads, "); it is ", value$embedDim,
            ". Change one of the two."
        )
    }
    if (!is.null(given$topk) && value$topk > value$factors) {
        .stopArgument("topk", "must not be above 'factors' (",
            value$factors, "); it is ", value$topk, "."
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

## The published key names, in the published order. NULL stays (as null in
## the JSON file): the hidden width is then 4 x embed_dim.
.paramConfig <- function(v) {
    sfm <- list(
        embed_dim = v$embedDim, expr_num_bins = v$exprBins,
        expr_hidden_dim = v$exprHidden, expr_tau = v$exprTau,
        batch_num_bins = v$batchBins, batch_hidden_dim = v$batchHidden,
        batch_tau = v$batchTau, cond_dropout = v$condDropout,
        out_dropout = v$outDropout, num_layers = v$layers,
        num_heads = v$heads, backbone_mlp_hidden_dim = v$mlpHidden,
        backbone_mlp_dropout = v$mlpDropout, attention_backend = "fa2",
        use_rotary = v$rotary != "none", qkv_bias = TRUE, out_bias = TRUE,
        backbone_mlp_bias = TRUE, norm_eps = v$normEps,
        rotary_base = v$rotaryBase,
        rotary_interleaved = v$rotary == "interleaved",
        num_factors = v$factors, router_hidden_dim = v$routerHidden,
        router_dropout = v$routerDropout, topk = v$topk,
        router_temperature = v$routerTemperature,
        beta_momentum = v$betaMomentum
    )
    vgae <- list(
        hidden_dim = v$vgaeHidden, dropout = v$vgaeDropout,
        fp_steps = v$vgaeSteps, fp_damping = v$vgaeDamping
    )
    list(sfm = sfm, vgae = vgae)
}

#' @rdname SFMParam
#' @export
SFMParamDefaults <- function() {
    text <- function(preset) {
        vapply(names(preset), function(name) {
            value <- preset[[name]]
            if (is.null(value)) "4 x embedDim" else format(value)
        }, character(1))
    }
    names <- names(.sfmPresets$laptop)
    published <- .sfmPresets$published
    ## `mlpHidden = NULL` vanishes from the list's names; put it back.
    wide <- setNames(lapply(names, function(n) published[[n]]), names)
    data.frame(
        argument = names, laptop = unname(text(.sfmPresets$laptop)),
        published = unname(text(wide))
    )
}

.configJson <- function(config) {
    jsonlite::toJSON(config,
        auto_unbox = TRUE, null = "null", digits = NA, pretty = 1
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
