## Cells to vectors by a published encoder.

#' Embed cells
#'
#' Reads every cell with an encoder and gives its vector, of length 1, as a
#' reduced dimension of the cells' container. Nothing is trained. Cells are read
#' in blocks, so memory doesn't grow with their number, also where the counts
#' stay in a file (HDF5Array).
#'
#' @details
#' As in the published zero-shot code a cell is `<cls>` and its genes with
#' counts, whose values are put into 50 bins by the cell's own quantiles;
#' normalisation and logarithm would not change the bins. Most counts of a
#' cell tie; the published code spreads ties over the bins they cover, and draws
#' genes where a cell has more than `maxLength`, by random numbers. Here these
#' numbers belong to the gene unless `seed` is given: the same cell then always
#' has the same vector, whatever cells come with it.
#'
#' @inheritParams cellInput
#' @param model an scGPT model, of [loadModel()].
#' @param name what the reduced dimension is called.
#' @param maxLength most tokens of a cell, `<cls>` included.
#' @param seed `NULL`: ties and choices by numbers of the gene, see Details; a
#'   whole number: drawn anew for each cell, as published.
#' @param batchSize cells that are computed at once.
#' @param ... not used.
#' @return `x` with `reducedDim(x, name)`, cells x width (a SummarizedExperiment
#'   becomes a SingleCellExperiment; a Seurat object gets a reduction); for a
#'   matrix the matrix of vectors. Its attribute `coverage` says how many
#'   genes of `x` the model knows and, by cell, how many were read. Cells
#'   without any known gene have `NA`, with a warning.
#' @section Errors: those of [cellInput]; fewer than 10 genes, or less than a
#'   tenth of `x`'s genes, in the vocabulary; counts that are negative or not
#'   finite; not enough memory for a batch.
#' @references Cui et al. (2024), scGPT; scgpt/tasks/cell_emb.py.
#' @seealso [embedGenes()], [predictMasked()], [EncoderModel-class]
#' @examples
#' cells <- exampleCells()
#' model <- newModel(ScGPTParam(embedDim = 16, layers = 1, heads = 2), cells,
#'     seed = 1
#' )
#' cells <- embedCells(cells, model, verbose = FALSE)
#' dim(SingleCellExperiment::reducedDim(cells, "scGPT"))
#' @rdname embedCells
#' @export
setMethod("embedCells", c("ANY", "ScGPTModel"), function(x, model,
    name = "scGPT", assay.type = NULL, symbols = NULL, assay = NULL,
    maxLength = 1200, seed = NULL, batchSize = 8, verbose = TRUE, ...) {
    .noDots(...)
    .alive(model)
    .checkText(name, "name")
    .checkFlag(verbose, "verbose")
    how <- .inputArgs(assay.type, symbols, assay = assay)
    cells <- .encoderCells(x, model, how, verbose)
    reading <- .scgptReading(maxLength, seed)
    batchSize <- .checkNumber(batchSize, "batchSize", 1, 65536, TRUE)
    .checkMemory(model, min(batchSize, ncol(cells$matrix)),
        min(length(cells$rows), reading$maxLength), 0, FALSE, "batchSize",
        8 * ncol(cells$matrix) * model@config$embsize
    )
    found <- .embedBlocks(model, cells, reading, batchSize, verbose)
    .intoContainer(x, found, name, assay)
})

#' @rdname embedCells
#' @export
setMethod("embedCells", c("ANY", "ANY"), function(x, model, ...) {
    .refuseEncoder(x, model, "cells", "cells (scGPT, CellFM, KCellFM)",
        "embedCells(cells, model)"
    )
})

## Symbols by which an encoder knows the genes of an input.
.encoderGenes <- function(cells) {
    if (identical(cells$type, "ensembl") && length(cells$symbols)) {
        return(.cleanSymbol(cells$symbols))
    }
    cells$clean
}

## The cells as .readCells() gives them, with `token` (of `rows`, those rows of
## the matrix that the model knows) and `coverage`. `most`, `genes`: of the
## known ones only the most variable, or these.
.encoderCells <- function(x, model, how, verbose) {
    cells <- .readCells(x, how, verbose)
    names <- .encoderGenes(cells)
    token <- .scgptTokens(model, names)
    twice <- duplicated(token) & !is.na(token)
    token[twice] <- NA
    if (!is.null(how$genes)) {
        token[-.chosenGenes(cells, how$genes, "genes")] <- NA
    }
    cells$rows <- which(!is.na(token))
    cells$token <- token[cells$rows]
    known <- length(cells$rows)
    all <- if (is.null(how$genes)) length(token) else known
    if (known < 10L || known < 0.1 * all) {
        .stopArgument("x", "has ", .count(known, "gene"), " of ", all,
            " in the model's vocabulary, fewer than 10 or than a tenth; its ",
            "genes are like ", .some(names, 3L), ", the model's like ",
            .some(model@vocab$gene, 3L), ". Symbols of human genes are ",
            "needed ('symbols' names a column of rowData(x))."
        )
    }
    .say(verbose, "The model knows ", known, " of ", .count(length(token),
        "gene"), if (any(twice)) paste0(" (", sum(twice),
        " given more than once: the first counts)"), "."
    )
    cells$coverage <- list(genes = length(token), known = known,
        twice = sum(twice)
    )
    cells
}

## Token of each name, NA where the vocabulary doesn't have it.
.scgptTokens <- function(model, names) {
    vocab <- model@vocab
    gene <- !vocab$gene %in% c("<pad>", "<cls>", "<eoc>")
    vocab$token[gene][match(.cleanSymbol(names),
        .cleanSymbol(vocab$gene[gene])
    )]
}

.scgptReading <- function(maxLength, seed, zeros = FALSE) {
    maxLength <- .checkNumber(maxLength, "maxLength", 2, 1e6, TRUE)
    key <- if (is.null(seed)) 0 else .seedNumber(seed)
    list(maxLength = maxLength, drawn = !is.null(seed), key = key,
        zeros = zeros
    )
}

## A seed as one number that a double holds.
.seedNumber <- function(seed) {
    key <- .newKey(seed)
    (key[[1L]] %% 2^20) * 2^32 + key[[2L]]
}

## f(batch, columns) of each batch of cells, as a list. They are read in blocks
## that fit in memory, each cut into batches.
.eachBatch <- function(cells, batchSize, verbose, what, f,
    columns = seq_len(ncol(cells$matrix))) {
    blocks <- .columnChunks(cells$matrix, columns)
    total <- sum(ceiling(lengths(blocks) / batchSize))
    bar <- .progressStart(what, total, verbose)
    on.exit(.progressDone(bar))
    out <- vector("list", total)
    done <- 0L
    for (block in blocks) {
        part <- .columnChunk(cells$matrix, block, cells$rows)
        here <- split(seq_along(block), (seq_along(block) - 1L) %/% batchSize)
        for (at in here) {
            batch <- list(counts = part[, at, drop = FALSE],
                token = cells$token
            )
            done <- done + 1L
            out[[done]] <- f(batch, block[at])
            .progressTick(bar, done)
        }
    }
    out
}

## cells x width, with the attribute `coverage`.
.embedBlocks <- function(model, cells, reading, batchSize, verbose,
    unit = TRUE) {
    found <- .eachBatch(cells, batchSize, verbose, "Embedding cells ",
        function(batch, columns) {
            batch$batch <- .noBatch(model, length(columns))
            found <- .engineRun(model, "embed", batch, c(reading,
                unit = unit, first = columns[[1L]] - 1
            ))
            list(cell = t(found$cell), genes = as.integer(found$genes))
        }
    )
    out <- do.call(rbind, lapply(found, `[[`, "cell"))
    genes <- unlist(lapply(found, `[[`, "genes"))
    rownames(out) <- cells$cells
    empty <- genes == 0L
    if (any(empty)) {
        out[empty, ] <- NA
        warning(.count(sum(empty), "cell"), " without counts of any known ",
            "gene: their vectors are NA.",
            call. = FALSE
        )
    }
    attr(out, "coverage") <- c(cells$coverage, list(read = genes))
    out
}

## Batches play no part in a cell's vector; a model that has them is told one.
.noBatch <- function(model, n) {
    if (isTRUE(model@config$num_batch_labels > 0)) integer(n)
}

## A matrix, cells x dimensions, into the container the cells came in.
.intoContainer <- function(x, values, name, assay = NULL) {
    kind <- .kindOf(x)
    if (.isExperiment(x)) {
        if (kind != "SingleCellExperiment") {
            x <- methods::as(x, "SingleCellExperiment")
        }
        if (is.null(colnames(x))) {
            rownames(values) <- NULL
        }
        SingleCellExperiment::reducedDim(x, name) <- values
        return(x)
    }
    if (kind == "Seurat") {
        colnames(values) <- paste0(gsub("[^A-Za-z0-9]", "", name), "_",
            seq_len(ncol(values))
        )
        x[[name]] <- SeuratObject::CreateDimReducObject(values,
            key = paste0(gsub("[^A-Za-z0-9]", "", name), "_"),
            assay = if (is.null(assay)) SeuratObject::DefaultAssay(x) else assay
        )
        return(x)
    }
    if (kind == "MultiAssayExperiment") {
        .stopArgument("x", "is a MultiAssayExperiment, which has no place for ",
            "a reduced dimension; give its RNA experiment, x[[\"RNA\"]]."
        )
    }
    values
}
