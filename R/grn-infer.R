## From a model and cells to one network per cell.

#' Infer a gene regulatory network for every cell
#'
#' The cells go through the model once; each cell's network is the product of
#' its TF factors and its target factors, TFs x genes, kept in that factored
#' form. Score `[i, j]` is the strength the model gives to factor i acting on
#' gene j in that cell. Scores are not probabilities; `summary()` of the result
#' compares the network with its baselines.
#'
#' A model that was trained by [trainModel()] reads the genes it was trained
#' on; genes it never saw have random embeddings. A loaded model reads all
#' factors of `x` plus the `nTargets` most variable other genes, as the
#' published tasks do. `genes` or `nTargets` choose otherwise.
#'
#' @inheritParams cellInput
#' @param model a [FoundationModel-class].
#' @param platform,tissue,disease as for [trainModel()]; conditions the model
#'   does not know count as unknown.
#' @param tfs as in [cellInput]; `NULL`: the model's table.
#' @param preprocess see [cellInput]; cells are never filtered here, and genes
#'   only when they have no count at all.
#' @param cells `NULL` (all), or cells by index, name or logical vector.
#' @param nTargets variable genes beside the factors; `NULL`: see Details.
#' @param keep names of genes to read beside the factors and variable genes;
#'   it has no effect where the genes are those of the training.
#' @param genes exactly the genes to read, as in [cellInput]; `NULL`: those the
#'   model was trained on. One without a count in these cells is read as 0.
#' @param batchSize cells per call of the engine.
#' @param file path of an HDF5 file to write the networks to while they are
#'   made: memory then does not grow with them, nor, of a file with many cells
#'   (see [CellGRN-class]), with the values that the model reads.
#' @param backing `"memory"`, `"hdf5"` (the same as giving `file`) or `"lazy"`:
#'   where the networks are kept, see [CellGRN-class].
#' @param resume go on with `file` after a call that was interrupted? The
#'   model, genes, cells and settings must be the same.
#' @param overwrite replace `file` if it exists?
#' @param ... not used.
#' @return A `CellGRN`.
#' @section Writing to a file: The expression values and `cellData` go into the
#'   file too, so that [loadGRN()] needs nothing else; columns of `cellData`
#'   that are not plain vectors, factors, dates or times stay out, with a
#'   message. Disk space for the whole is taken at the beginning. After Ctrl-C
#'   or an error what is complete stays in the file, and `resume = TRUE` goes
#'   on from there; when nothing is complete, the file is removed. A message
#'   says which. A killed call is gone on with in the same way. With
#'   `overwrite = TRUE` the old file stays until the new one is complete; until
#'   then that is `file` with `.part` behind its name. While another program
#'   has the file open the call waits, `options(causeway.lockWait)` seconds
#'   (60), and then stops. Of two calls that write the same file the later one
#'   goes on, and the other stops.
#' @section Errors: those of [cellInput]; genes named
#'   in `genes` that `x` or the model lacks; a model of other genes; a dead
#'   model (after `readRDS()`); more genes than the model takes; not enough
#'   memory. Ctrl-C stops the call within a second and returns nothing.
#' @seealso [PerCellGRNParam()] and [GRNParam-class] for networks without a
#'   model; [edgeTable()], [poolGRN()], [regulonActivity()], [plotGRN()],
#'   [saveGRN()]
#' @references Source of the scores: scCAFM, Catchxu/scCAFM.
#' @examples
#' cells <- exampleCells()
#' model <- newModel(SFMParam(), cells, seed = 1)
#' trainModel(cells, model, epochs = 1, verbose = FALSE)
#' grn <- inferGRN(cells, model, verbose = FALSE)
#' grn
#' @rdname inferGRN
#' @aliases inferGRN,ANY,SFModel-method
#' @export
setMethod("inferGRN", c("ANY", "SFModel"), function(x, model,
    assay.type = NULL, symbols = NULL, species = NULL, platform = NULL,
    tissue = NULL, disease = NULL, cells = NULL, tfs = NULL,
    nTargets = NULL, keep = NULL, genes = NULL, batchSize = 8,
    alreadyNormalised = NULL, preprocess = list(), file = NULL,
    backing = NULL, resume = FALSE, overwrite = FALSE, assay = NULL,
    verbose = TRUE) {
    .alive(model)
    backing <- .chooseBacking(backing, file, resume, overwrite)
    .checkFlag(verbose, "verbose")
    batchSize <- .checkNumber(batchSize, "batchSize", 1, 65536, TRUE)
    how <- .inputArgs(assay.type, symbols,
        if (is.null(species)) model@state$species else species, tfs, nTargets,
        keep, genes, alreadyNormalised, preprocess, assay, platform, tissue,
        disease,
        tokens = if (is.null(genes) && is.null(nTargets)) model@state$tokens
    )
    forecast <- function(cells, genes, tfs, entries) {
        bytes <- if (backing == "memory") 12 * entries +
            .grnBytes(model, cells, genes + tfs) else
            min(.grnBytes(model, cells, genes + tfs), .blockBytes())
        spill <- paste0("Name a 'file' for the networks, or make them when ",
            "they are asked for, backing = \"lazy\"")
        .checkMemory(model, min(batchSize, cells), genes, tfs, FALSE,
            "batchSize", bytes, spill
        )
        .say(verbose && bytes > 2^30, "The networks of ", cells, " cells take ",
            .bytes(bytes), " of memory. ", spill, ", to need less."
        )
    }
    prepared <- .modelCells(model, x, "infer", how, verbose, cells,
        store = backing != "memory", forecast = forecast
    )
    if (backing == "hdf5") {
        on.exit(.dropStored(prepared$values))
    }
    if (!is.null(model@state$student)) {
        prepared <- .readStates(model@state$student, prepared)
    }
    .say(verbose, "Networks of ", ncol(prepared$values), " cells: ",
        prepared$report$tfs, " TFs x ", nrow(prepared$values), " genes."
    )
    .inferBacked(model, prepared, backing, batchSize, verbose, file, resume,
        overwrite
    )
})

#' @rdname inferGRN
#' @aliases inferGRN,ANY,ANY-method
#' @export
setMethod("inferGRN", c("ANY", "ANY"), function(x, model, ...) {
    if (methods::is(x, "FoundationModel")) {
        .modelFirst()
    }
    .noBrackets(model, "model")
    .stopArgument("model", "must be a FoundationModel (newModel(), ",
        "loadModel()), a GRNParam such as TreeGRNParam() or ",
        "PerCellGRNParam(), or left out; it is ",
        if (is.character(model) && length(model) == 1L) dQuote(model, FALSE)
        else paste("a", class(model)[[1L]]), "."
    )
})

## Weights kept of each row; of a student, whose rows are full, the 64 largest.
.gateWidth <- function(model) {
    s <- model@config$sfm
    k <- s$topk
    if (is.null(k) || is.na(k)) k <- s$num_factors
    if (!is.null(model@state$student)) k <- min(k, 64)
    min(k, s$num_factors)
}

## Bytes of the result: index (2) and weight (4) of k factors per row.
.grnBytes <- function(model, cells, rows) {
    as.numeric(cells) * rows * .gateWidth(model) * 6
}

.inferBacked <- function(model, prepared, backing, batchSize, verbose, file,
    resume, overwrite) {
    parts <- .grnParts(model, prepared)
    if (backing == "lazy") {
        parts$factors <- .newLazyFactors(model, prepared, batchSize)
    } else if (backing == "hdf5") {
        parts$factors <- .inferToFile(model, prepared, parts, batchSize,
            verbose, file, resume, overwrite
        )
        if (.isDelayed(parts$expression)) {
            parts$expression <- .fileExpression(parts$factors@file,
                dim(parts$expression)
            )
        }
    } else {
        n <- ncol(prepared$values)
        bar <- .progressStart("Inferring ", n, verbose)
        on.exit(.progressDone(bar))
        parts$factors <- .inferFactors(model, prepared, seq_len(n), batchSize,
            bar
        )
    }
    do.call(CellGRN, parts)
}

## Factors of the cells `at` (rising numbers), four raw vectors.
.inferFactors <- function(model, prepared, at, batchSize, bar = NULL) {
    starts <- seq(1L, length(at), by = batchSize)
    out <- setNames(vector("list", length(.factorParts)), .factorParts)
    for (first in starts) {
        batch <- at[first:min(length(at), first + batchSize - 1L)]
        found <- .engineRun(model, "networks", .tokenBatch(prepared, batch),
            list(keep = as.numeric(.gateWidth(model))), raw = TRUE
        )
        ## every cell takes as many bytes: no copies of the whole at the end
        for (name in .factorParts) {
            width <- length(found[[name]]) / length(batch)
            if (first == 1L) {
                out[[name]] <- raw(width * length(at))
            }
            out[[name]][(first - 1) * width + seq_along(found[[name]])] <-
                found[[name]]
        }
        if (!is.null(bar)) {
            .progressTick(bar, batch[[length(batch)]])
        }
    }
    out
}

## All of a CellGRN but its factors.
.grnParts <- function(model, prepared) {
    state <- model@state
    cellData <- S4Vectors::DataFrame(prepared$cellData)
    rownames(cellData) <- prepared$cells
    list(
        tfs = prepared$labels[!prepared$nonTF], genes = prepared$labels,
        cells = prepared$cells,
        nFactors = as.integer(model@config$sfm$num_factors),
        k = as.integer(.gateWidth(model)),
        expression = prepared$values, cellData = cellData,
        metadata = list(
            model = "SFM", modelSource = state$source,
            modelStatus = state$status, modelHash = .modelHash(model),
            seed = c(
                model = .keyText(state$key), training = .keyText(state$run$key)
            ),
            engine = .engineText(), species = prepared$report$species,
            coverage = prepared$report,
            prior = if (is.null(state$run)) "none" else state$run$prior,
            training = .trainingRecord(model),
            preprocessing = prepared$report$settings
        )
    )
}

## A 64-bit key as "high:low"; a seed below 2^32 is 0:seed.
.keyText <- function(key) {
    if (is.null(key)) NULL else paste(format(key, trim = TRUE,
        scientific = FALSE
    ), collapse = ":")
}

.trainingRecord <- function(model) {
    history <- trainingHistory(model)
    if (!nrow(history)) {
        return(NULL)
    }
    list(
        steps = max(history$step), epochs = max(history$epoch),
        status = model@state$status, seconds = sum(history$seconds),
        settings = model@state$run$settings,
        last = history[nrow(history), , drop = FALSE]
    )
}

## A fingerprint of all weights.
.modelHash <- function(model) {
    names <- .engineTensors(model)$name
    .hash(lapply(setNames(nm = names), function(name) .engineGet(model, name)))
}
