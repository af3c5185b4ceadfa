## Making a model.

#' Make a new model with random weights
#'
#' The vocabulary (which genes the model can read) is made from the genes of
#' `x`, or from `genes`. Names are trimmed and put in upper case; names that
#' all start with ENSG count as Ensembl identifiers, without version.
#'
#' @param param an [SFMParam()], [ScGPTParam()] or [HyenaParam()].
#' @inheritParams cellInput
#' @param x the cells, see [cellInput]; only their genes are used. May be
#'   `NULL` when `genes` is given.
#' @param genes character vector of gene names; the vocabulary, in this order.
#' @param seed `NULL`: the model's random key is drawn from R's generator, so
#'   `set.seed()` governs it. A whole number: that number's own key.
#' @param threads threads of the engine; `NULL`: option `causeway.threads`,
#'   else at most 2.
#' @param minCells genes seen in fewer cells of `x` stay out of the vocabulary.
#' @param conditions most values of platform, species, tissue and disease the
#'   model can learn.
#' @param geneVectors for an SFM or EFM: NULL, or vectors that the gene table
#'   starts from, a matrix with genes as rows and the model's width, as of
#'   [geneTextEmbeddings()] or another model's [embedGenes()].
#' @param verbose say what is done.
#' @param ... further arguments of the methods.
#' @return A [FoundationModel-class] with random weights, drawn as in the
#'   published code (Xavier-uniform layers, normal embeddings of sd 0.02).
#' @section Errors: empty or unnamed `x`, duplicated genes, no transcription
#'   factor, unknown or mixed species, and settings that don't fit each other
#'   are errors naming argument, value and remedy.
#' @seealso [trainModel()], [loadModel()], [saveModel()]
#' @references Source of the architecture: scCAFM, Catchxu/scCAFM.
#' @examples
#' cells <- exampleCells()
#' model <- newModel(SFMParam(), cells)
#' model
#' newModel(SFMParam(embedDim = 16, heads = 2), genes = rownames(cells))
#' @rdname newModel
#' @aliases newModel,SFMParam-method
#' @export
setMethod("newModel", "SFMParam", function(param, x = NULL, genes = NULL,
    species = c("human", "mouse"), tfs = NULL, seed = NULL, threads = NULL,
    assay.type = NULL, symbols = NULL, minCells = 1, conditions = 64,
    assay = NULL, geneVectors = NULL, verbose = FALSE) {
    if (identical(species, c("human", "mouse"))) {
        species <- NULL
    }
    .newModule("sfm", param@config, param@maxLength, x, genes, species, tfs,
        seed, threads, assay.type, symbols, minCells, conditions, assay,
        geneVectors, verbose
    )
})

## A new model of one of scCAFM's modules.
.newModule <- function(module, config, maxLength, x, genes, species, tfs,
    seed, threads, assay.type, symbols, minCells, conditions, assay,
    geneVectors, verbose) {
    threads <- .threads(threads)
    conditions <- .checkNumber(conditions, "conditions", 4, 1e6, TRUE)
    source <- .vocabSource(x, genes, species, assay.type, symbols, minCells,
        assay, verbose
    )
    .warnSpecies(species, tfs, source)
    given <- tfs
    tfs <- .resolveTfs(given, source$species)
    tfs[[source$species]] <- .tfSymbols(given, source)
    vocab <- .makeVocab(source$clean, source$symbols, source$type)
    if (!any(.isTf(c(vocab$gene_symbol, vocab$gene_id),
        tfs[[source$species]]))) {
        .stopArgument(if (is.null(genes)) "x" else "genes",
            "has no transcription factor of the ", source$species, " list",
            .noTfHint(source$clean, all(grepl("^ENS", source$clean)) &&
                all(is.na(vocab$gene_symbol)))
        )
    }
    model <- .buildModel(config, vocab, tfs, rows = conditions,
        key = .newKey(seed), threads = threads,
        maxLength = maxLength, species = source$species, module = module
    )
    .startVectors(model, geneVectors, verbose)
}

#' @rdname newModel
#' @aliases newModel,ANY-method
#' @export
setMethod("newModel", "ANY", function(param, ...) {
    .noBrackets(param, "param")
    .stopArgument("param", "must be an SFMParam, from SFMParam(); it is a ",
        class(param)[[1L]], ". The settings come first, newModel(SFMParam(), ",
        "x)."
    )
})

## Names the vocabulary is made of.
.vocabSource <- function(x, genes, species, assay.type, symbols, minCells,
    assay, verbose) {
    if (is.null(x) && is.null(genes)) {
        .stopArgument("x", "is missing; give cells, or gene names with ",
            "'genes'."
        )
    }
    if (!is.null(genes)) {
        if (!is.character(genes) || !length(genes)) {
            .stopArgument("genes", "must be gene names; it is ",
                .show(genes), "."
            )
        }
        input <- list(
            matrix = matrix(0, length(genes), 1L), names = genes,
            cells = "none", geneData = data.frame(row.names = seq_along(genes))
        )
        input$species <- .resolveSpecies(species)
        return(.nameGenes(input, symbols, verbose))
    }
    input <- .readCells(x, .inputArgs(assay.type, symbols, species,
        assay = assay
    ), verbose)
    minCells <- .checkNumber(minCells, "minCells", 0, whole = TRUE)
    if (minCells > 0) {
        all <- seq_len(nrow(input$matrix))
        seen <- .cellsPerGene(input$matrix, all, seq_len(ncol(input$matrix)))
        keep <- which(seen >= minCells)
        if (length(keep) < 2L) {
            .stopArgument("x", "has ", length(keep), " genes seen in ",
                minCells, " cells or more; a vocabulary needs two."
            )
        }
        for (field in c("clean", "symbols", "names", "ids")) {
            input[[field]] <- input[[field]][keep]
        }
    }
    input
}

.buildModel <- function(config, vocab, tfs, rows, key, threads,
    maxLength, species = "human", module = "sfm") {
    .checkModelMemory(config[[module]], max(vocab$token_index) + rows + 1)
    ptr <- .engineNew(module, c(.knownSettings(config, module), list(
        vocab = max(vocab$token_index) + 1L, conditions = rows,
        pad = .padIndex(vocab)
    )), key, threads)
    state <- new.env(parent = emptyenv())
    state$conditions <- data.frame(
        cond_value = c("<unk>", "human", "mouse")[seq_len(min(3L, rows))],
        token_index = seq_len(min(3L, rows)) - 1L
    )
    state$conditionRows <- as.integer(rows)
    state$maxLength <- as.integer(maxLength)
    state$key <- key
    state$species <- species
    state$source <- "new"
    state$status <- "untrained"
    state$report <- NULL
    state$run <- NULL
    state$log <- NULL
    state$tokens <- NULL
    state$student <- NULL
    new(c(sfm = "SFModel", efm = "EFModel")[[module]],
        ptr = ptr, config = config, vocab = vocab, tfs = tfs, state = state
    )
}

## A published configuration less what the engine has no setting for.
.knownSettings <- function(config, class) {
    known <- .engineSettings(class)$name
    parts <- names(config)
    config <- config[parts %in% sub("\\..*", "", known)]
    lapply(setNames(nm = names(config)), function(part) {
        x <- config[[part]]
        if (!is.list(x)) x else x[paste0(part, ".", names(x)) %in% known]
    })
}

## Weights alone, in 32 bits, before the engine asks for them.
.checkModelMemory <- function(s, rows) {
    d <- as.numeric(s$embed_dim)
    hidden <- s$backbone_mlp_hidden_dim
    hidden <- if (is.null(hidden)) 4 * d else as.numeric(hidden)
    need <- 4 * (d * rows + 5 * d^2 + s$num_layers * (4 * d^2 + 3 * d * hidden))
    limit <- .memoryLimit()
    if (is.finite(need) && need > limit) {
        stop("not enough memory: the weights of this model (embed_dim ", d,
            ", ", s$num_layers, " layers, ", rows, " genes and conditions) ",
            "take ", .bytes(need), ", and ", .bytes(limit), " may be used. ",
            "Make the model smaller, or raise ",
            "options(causeway.memoryLimit = bytes).",
            call. = FALSE
        )
    }
    invisible(need)
}
