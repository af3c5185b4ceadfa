## Cells and genes to vectors by Geneformer.

#' Cells and genes by Geneformer
#'
#' `embedCells()` gives each cell the mean of its genes' states (or the state of
#' `<cls>`), `embedGenes()` each gene the mean of its states over the cells that
#' express it, or its row of the model's table where no cells are given.
#'
#' @inheritParams cellInput
#' @param model a [GeneformerModel-class]; left out where `x` is one.
#' @param name what the reduced dimension is called.
#' @param pool `"mean"` of the genes' states, or `"cls"`.
#' @param layer 0: states of the last layer; -1, the default as published: of
#'   the one before, which is less bent to the training's task; and so on.
#' @param maxLength most tokens of a cell; `NULL`: as many as the model reads.
#' @param batchSize cells that are read at once.
#' @param ... not used.
#' @return `embedCells()`: `x` with `reducedDim(x, name)`, cells x width, or a
#'   matrix for a matrix; attribute `coverage`. Cells without a known gene have
#'   `NA`, with a warning. `embedGenes()`: a matrix, genes x width, under the
#'   names in `x`; attribute `cells` says over how many cells each was averaged.
#' @section Errors: those of [cellInput]; values that are no counts; fewer than
#'   10 genes, or less than a tenth, in the dictionary; `pool = "cls"` where the
#'   dictionary has no `<cls>`.
#' @references Theodoris et al. (2023), Nature 618:616.
#' @examples
#' \dontrun{
#' model <- loadModel("Geneformer/gf-12L-95M-i4096")
#' cells <- embedCells(cells, model)
#' }
#' @name embedGeneformer
NULL

#' @rdname embedGeneformer
#' @export
setMethod("embedCells", c("ANY", "GeneformerModel"), function(x, model,
    name = "Geneformer", assay.type = NULL, symbols = NULL, assay = NULL,
    pool = c("mean", "cls"), layer = -1, maxLength = NULL, batchSize = 8,
    verbose = TRUE, ...) {
    .noDots(...)
    .alive(model)
    .checkText(name, "name")
    .checkFlag(verbose, "verbose")
    how <- .geneformerReading(model, pool, layer, maxLength)
    batchSize <- .checkNumber(batchSize, "batchSize", 1, 65536, TRUE)
    cells <- .geneformerCells(x, model,
        .inputArgs(assay.type, symbols, assay = assay), verbose
    )
    found <- .eachBatch(cells, batchSize, verbose, "Embedding cells ",
        function(batch, columns) {
            tokens <- .rankTokens(model, .wholeCounts(batch$counts),
                batch$token, how$most
            )
            .embedRanks(model, tokens, how)
        }
    )
    out <- do.call(rbind, found)
    rownames(out) <- cells$cells
    empty <- is.na(out[, 1L])
    if (any(empty)) {
        warning(.count(sum(empty), "cell"), " without counts of any known ",
            "gene: their vectors are NA.",
            call. = FALSE
        )
    }
    attr(out, "coverage") <- cells$coverage
    .intoContainer(x, out, name, assay)
})

.geneformerReading <- function(model, pool = "mean", layer = -1,
    maxLength = NULL) {
    pool <- .oneOf(pool, c("mean", "cls"), "pool")
    if (pool == "cls" && !"<cls>" %in% model@vocab$gene) {
        .stopArgument("pool", "is \"cls\", which this model's dictionary ",
            "doesn't have (the first version of Geneformer); choose \"mean\"."
        )
    }
    layers <- model@config$num_hidden_layers
    layer <- .checkNumber(layer, "layer", -layers, 0, whole = TRUE)
    positions <- model@config$max_position_embeddings
    most <- if (is.null(maxLength)) positions else
        .checkNumber(maxLength, "maxLength", 4, positions, whole = TRUE)
    list(pool = pool, early = -layer, most = most)
}

## Vectors of token sequences, a row each; NA for those without a gene.
.embedRanks <- function(model, tokens, how) {
    special <- model@vocab$token[is.na(model@vocab$median)]
    genes <- vapply(tokens, function(v) sum(!v %in% special), 0L)
    out <- matrix(NA_real_, length(tokens), model@config$hidden_size)
    some <- which(genes > 0L)
    if (length(some)) {
        id <- unlist(tokens[some])
        found <- .engineRun(model, "embed", list(id = id,
            length = lengths(tokens[some]),
            count = as.integer(!id %in% special)
        ), list(pool = how$pool, early = how$early))
        out[some, ] <- t(found$embedding)
    }
    out
}

#' @rdname embedGeneformer
#' @export
setMethod("embedGenes", c("ANY", "GeneformerModel"), function(x, model,
    assay.type = NULL, symbols = NULL, assay = NULL, layer = -1,
    maxLength = NULL, batchSize = 8, verbose = TRUE, ...) {
    .noDots(...)
    .alive(model)
    .checkFlag(verbose, "verbose")
    how <- .geneformerReading(model, "mean", layer, maxLength)
    batchSize <- .checkNumber(batchSize, "batchSize", 1, 65536, TRUE)
    cells <- .geneformerCells(x, model,
        .inputArgs(assay.type, symbols, assay = assay), verbose
    )
    rows <- nrow(model@vocab)
    sum <- matrix(0, rows, model@config$hidden_size)
    n <- integer(rows)
    parts <- .eachBatch(cells, batchSize, verbose, "Embedding genes ",
        function(batch, columns) {
            .geneStates(model, .rankTokens(model,
                .wholeCounts(batch$counts), batch$token, how$most
            ), how)
        }
    )
    for (part in parts) {
        sum[part$row, ] <- sum[part$row, ] + part$sum
        n[part$row] <- n[part$row] + part$n
    }
    seen <- which(!is.na(cells$gene) & !duplicated(cells$gene))
    seen <- seen[n[cells$gene[seen]] > 0L]
    at <- cells$gene[seen]
    structure(sum[at, , drop = FALSE] / n[at],
        dimnames = list(cells$names[seen], NULL), cells = n[at]
    )
})

## Sums over cells of the genes' states: list(row of the vocabulary, sum, n).
.geneStates <- function(model, tokens, how) {
    tokens <- tokens[lengths(tokens) > 0L]
    if (!length(tokens)) {
        return(list(row = integer(), sum = NULL, n = integer()))
    }
    id <- unlist(tokens)
    found <- t(.engineRun(model, "states", list(id = id,
        length = lengths(tokens)
    ), list(early = how$early))$hidden)
    row <- match(id, model@vocab$token)
    gene <- !is.na(model@vocab$median[row])
    sum <- rowsum(found[gene, , drop = FALSE], row[gene])
    at <- as.integer(rownames(sum))
    list(row = at, sum = sum, n = tabulate(match(row[gene], at), length(at)))
}

#' @rdname embedGeneformer
#' @export
setMethod("embedGenes", c("GeneformerModel", "missing"), function(x, model,
    ...) {
    .noDots(...)
    .alive(x)
    gene <- !is.na(x@vocab$median)
    table <- modelTensor(x, "bert.embeddings.word_embeddings.weight")
    out <- table[x@vocab$token[gene] + 1L, , drop = FALSE]
    rownames(out) <- x@vocab$gene[gene]
    out
})
