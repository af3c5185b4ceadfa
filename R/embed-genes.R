## Genes to vectors, masked values, by scGPT.

#' Embed genes
#'
#' The vectors by which an scGPT model knows genes: rows of its gene table, after
#' the norm, as the model reads them. They depend on no cell. With `perCell` the
#' states of the genes in each cell instead: their rows after the last layer,
#' which depend on all that the cell was read as.
#'
#' @details
#' A cell has states of the genes that it was read as: those with counts, and of
#' more than `maxLength` some of them. Other genes get the mean of the gene's
#' states in the cells that have it, since what takes such an array needs
#' numbers everywhere. CellFM's authors read all genes of their set instead, the
#' ones without counts too, and nothing in front of them.
#'
#' @param x the cells or a file of them, or names of genes (symbols); a model:
#'   all genes of its vocabulary.
#' @param model an scGPT, CellFM or KCellFM model; left out where `x` is one.
#' @inheritParams cellInput
#' @param perCell the genes' states in every cell of `x`?
#' @param maxLength,seed,batchSize,verbose for states, as for [embedCells()].
#' @param ... not used.
#' @return A matrix, genes x width, of those genes of `x` that the model knows,
#'   under their names in `x`; attribute `missing` holds the others. It is what
#'   [estimateTau()] and [GEARSParam()] take as `geneEmbedding`. With `perCell`
#'   an array, cells x genes x width, of the genes that some cell was read as;
#'   attribute `read` has for each gene the number of these cells, and `missing`
#'   the other genes. It is held in memory, 8 bytes a number, so give the cells
#'   that are needed only: of control cells it is what [GEARSParam()] takes.
#' @section Errors: no gene that the model knows; states of genes without cells;
#'   an array that memory has no room for.
#' @seealso [embedCells()]
#' @examples
#' model <- newModel(ScGPTParam(embedDim = 16, layers = 1, heads = 2),
#'     rownames(exampleCells()), seed = 1
#' )
#' dim(embedGenes(c("MYOG", "DES", "NOSUCHGENE"), model))
#' dim(embedGenes(exampleCells()[, 1:20], model, perCell = TRUE))
#' @rdname embedGenes
#' @export
setMethod("embedGenes", c("ANY", "ScGPTModel"), function(x, model,
    assay.type = NULL, symbols = NULL, assay = NULL, perCell = FALSE,
    maxLength = 1200, seed = NULL, batchSize = 8, verbose = TRUE, ...) {
    .noDots(...)
    .alive(model)
    how <- .inputArgs(assay.type, symbols, assay = assay)
    if (.checkFlag(perCell, "perCell")) {
        return(.geneStatesOf(x, model, how, .scgptReading(maxLength, seed),
            model@config$embsize, NULL, batchSize, verbose))
    }
    .embedGenes(x, model, how)
})

#' @rdname embedGenes
#' @export
setMethod("embedGenes", c("ScGPTModel", "missing"), function(x, model, ...) {
    .noDots(...)
    .alive(x)
    .allGeneVectors(x)
})

#' @rdname embedGenes
#' @export
setMethod("embedGenes", c("ANY", "ANY"), function(x, model, ...) {
    .stopArgument("model", "must be an encoder of genes (scGPT, CellFM, ",
        "KCellFM), from loadModel(); it is ", if (missing(model)) "missing" else
            paste("a", class(model)[[1L]]), "."
    )
})

.embedGenes <- function(x, model, how) {
    x <- .openedCells(x)
    if (is.character(x)) {
        labels <- names <- x
    } else {
        cells <- .readCells(x, how)
        labels <- cells$names
        names <- .encoderGenes(cells)
    }
    token <- .scgptTokens(model, names)
    if (all(is.na(token))) {
        .stopArgument("x", "has no gene of the model's vocabulary: its are ",
            "like ", .some(names, 3L), "."
        )
    }
    known <- which(!is.na(token))
    out <- .geneVectors(model, token[known])
    rownames(out) <- labels[known]
    attr(out, "missing") <- labels[-known]
    if (length(known) == length(token)) {
        attr(out, "missing") <- character()
    }
    out
}

## States of the genes in each cell, cells x genes x width. `width`: of one;
## `logged`: are values logarithms, NULL: the model doesn't mind.
.geneStatesOf <- function(x, model, how, reading, width, logged, batchSize,
    verbose) {
    .checkFlag(verbose, "verbose")
    x <- .openedCells(x)
    if (is.character(x)) {
        .stopArgument("x", "must be cells for perCell = TRUE: names of genes ",
            "have no states; leave 'perCell' FALSE, or give cells."
        )
    }
    cells <- .encoderCells(x, model, how, verbose)
    if (!is.null(logged)) {
        .needCounts(cells, logged)
    }
    batchSize <- .checkNumber(batchSize, "batchSize", 1, 65536, TRUE)
    if (!isTRUE(reading$zeros)) {
        cells <- .countedRows(cells)
    }
    size <- c(ncol(cells$matrix), length(cells$rows), width)
    now <- min(batchSize, size[[1L]])
    .checkMemory(model, now, min(size[[2L]], reading$maxLength), 0, FALSE,
        "batchSize", 8 * prod(size) + 20 * now * prod(size[-1L]),
        "Give the cells that need states only (for GEARS some control cells)"
    )
    ## everything is done to `out` here: handed on, it would be copied
    out <- array(NA_real_, size, list(cells$cells, cells$names[cells$rows],
        NULL))
    .eachBatch(cells, batchSize, verbose, "Embedding genes ",
        function(batch, columns) {
            batch$batch <- .noBatch(model, length(columns))
            found <- .engineRun(model, "states", batch, c(reading,
                first = columns[[1L]] - 1))
            out[columns, , ] <<- aperm(found$state, 3:1)
            NULL
        }
    )
    there <- matrix(!is.na(out[, , 1L]), size[[1L]])
    read <- as.integer(colSums(there))
    .warnBlind(sum(rowSums(there) == 0))
    for (g in which(read > 0L & read < size[[1L]])) {
        has <- there[, g]
        mean <- colMeans(matrix(out[has, g, ], read[[g]]))
        out[!has, g, ] <- rep(mean, each = sum(!has))
    }
    if (any(read == 0L)) {
        out <- out[, read > 0L, , drop = FALSE]
    }
    attr(out, "read") <- setNames(read[read > 0L], dimnames(out)[[2L]])
    attr(out, "missing") <- setdiff(cells$names, dimnames(out)[[2L]])
    out
}

.warnBlind <- function(n) {
    if (n) {
        warning(.count(n, "cell"), " without counts of any known gene: ",
            "their states are the means over the others.", call. = FALSE)
    }
}

## Of the genes that the model knows those with a count in some cell.
.countedRows <- function(cells) {
    has <- logical(length(cells$rows))
    for (block in .columnChunks(cells$matrix, seq_len(ncol(cells$matrix)))) {
        part <- .columnChunk(cells$matrix, block, cells$rows)
        has <- has | Matrix::rowSums(part) > 0
    }
    if (!any(has)) {
        .stopArgument("x", "has no count of any gene that the model knows.")
    }
    cells$rows <- cells$rows[has]
    cells$token <- cells$token[has]
    cells
}

## Of every gene of a vocabulary with special tokens.
.allGeneVectors <- function(model) {
    gene <- !model@vocab$gene %in% c("<pad>", "<cls>", "<eoc>")
    out <- .geneVectors(model, model@vocab$token[gene])
    rownames(out) <- model@vocab$gene[gene]
    out
}

.geneVectors <- function(model, token) {
    t(.engineRun(model, "genes", list(token = as.integer(token)))$gene)
}

#' Predict masked values
#'
#' Hides a share of each cell's genes from an scGPT model, lets it tell their
#' values from the rest of the cell, and holds what it says against the truth,
#' beside the mean of each gene over the other cells.
#'
#' @inheritParams embedCells
#' @param share share of each cell's genes that is hidden.
#' @param head `"mlm"`: told from the gene's place in the cell; `"mvc"`: from
#'   the cell's vector and the gene.
#' @param seed which genes are hidden; `NULL`: drawn from R's generator.
#' @return A `MaskedReport` (see [verdict()]). Table `cells`: cell, hidden
#'   values, correlation of the prediction and of the baseline with the truth,
#'   in bins (0 to 50). Table `genes`: gene, times hidden, mean of truth and
#'   prediction.
#' @section Errors: those of [embedCells()].
#' @seealso [embedCells()]
#' @examples
#' cells <- exampleCells()
#' model <- newModel(ScGPTParam(embedDim = 16, layers = 1, heads = 2), cells,
#'     seed = 1
#' )
#' predictMasked(cells, model, seed = 1, verbose = FALSE)
#' @aliases MaskedReport-class
#' @export
predictMasked <- function(x, model, share = 0.15, head = c("mlm", "mvc"),
    assay.type = NULL, symbols = NULL, assay = NULL, maxLength = 1200,
    seed = NULL, batchSize = 8, verbose = TRUE) {
    .isScGPT(model)
    share <- .checkNumber(share, "share", 0, 0.9, open = TRUE)
    head <- .oneOf(if (missing(head)) "mlm" else head, c("mlm", "mvc"), "head")
    how <- .inputArgs(assay.type, symbols, assay = assay)
    cells <- .encoderCells(x, model, how, verbose)
    reading <- .scgptReading(maxLength, NULL)
    key <- .newKey(seed)
    truth <- .binnedCells(model, cells, reading, batchSize)
    hidden <- .hiddenGenes(truth, share, key)
    hidden <- hidden[order(hidden$cell), ] # as they come back
    told <- unlist(.eachBatch(cells, batchSize, verbose, "Predicting ",
        function(batch, columns) {
            at <- which(hidden$cell %in% columns)
            place <- cbind(hidden$row[at], match(hidden$cell[at], columns))
            batch$masked <- matrix(0L, length(cells$rows), length(columns))
            batch$masked[place] <- 1L
            batch$batch <- .noBatch(model, length(columns))
            found <- .engineRun(model, "predict", batch, c(reading,
                setNames(list(TRUE), head)
            ))
            found[[head]][place]
        }
    ))
    .maskedReport(truth, hidden, told, cells, head, key)
}

.isScGPT <- function(model) {
    if (!methods::is(model, "ScGPTModel")) {
        .stopArgument("model", "must be an scGPT model, from loadModel(); it ",
            "is a ", class(model)[[1L]], "."
        )
    }
    .alive(model)
}

## data.frame(row, cell, bin): of every token its row among the known genes, its
## cell and value.
.binnedCells <- function(model, cells, reading, batchSize) {
    token <- c(model@special[["<cls>"]], cells$token)
    do.call(rbind, .eachBatch(cells, batchSize, FALSE, "",
        function(batch, columns) {
            batch$batch <- .noBatch(model, length(columns))
            found <- .engineRun(model, "tokens", batch, reading)
            at <- matrix(match(found$token, token), nrow(found$token)) - 1L
            keep <- which(!is.na(at) & at > 0L)
            data.frame(row = at[keep], cell = columns[col(at)[keep]],
                bin = found$value[keep]
            )
        }
    ))
}

## Of each cell floor(share x genes) tokens, at least one.
.hiddenGenes <- function(truth, share, key) {
    order <- .shuffled(nrow(truth), key, 0L)
    mixed <- truth[order, ]
    place <- stats::ave(mixed$row, mixed$cell, FUN = seq_along)
    size <- tabulate(truth$cell, max(truth$cell))[mixed$cell]
    mixed[place <= pmax(1, floor(share * size)), ]
}

#' @exportClass MaskedReport
setClass("MaskedReport", contains = "CausewayReport")

.maskedReport <- function(truth, hidden, told, cells, head, key) {
    ## the gene's mean over what isn't hidden: what one knows without a model
    seen <- !paste(truth$row, truth$cell) %in% paste(hidden$row, hidden$cell)
    mean <- rep(NA_real_, length(cells$rows))
    by <- tapply(truth$bin[seen], truth$row[seen], mean.default)
    mean[as.integer(names(by))] <- by
    guess <- mean[hidden$row]
    guess[is.na(guess)] <- mean(truth$bin[seen])
    pair <- function(v) {
        vapply(split(seq_along(told), hidden$cell), function(at) {
            .quietCorrelation(v[at], hidden$bin[at])
        }, 0)
    }
    perCell <- data.frame(cell = cells$cells[sort(unique(hidden$cell))],
        hidden = as.integer(table(hidden$cell)),
        correlation = unname(pair(told)), baseline = unname(pair(guess))
    )
    genes <- data.frame(gene = cells$names[cells$rows],
        hidden = tabulate(hidden$row, length(cells$rows))
    )
    genes$truth <- .meanBy(hidden$bin, hidden$row, nrow(genes))
    genes$predicted <- .meanBy(told, hidden$row, nrow(genes))
    all <- c(.quietCorrelation(told, hidden$bin),
        .quietCorrelation(guess, hidden$bin)
    )
    better <- isTRUE(all[[1L]] > all[[2L]])
    .report("MaskedReport", seed = .keyText(key),
        verdict = .verdict(sprintf(paste0("Hidden values are told with a ",
            "correlation of %.2f; the gene's mean over other cells reaches ",
            "%.2f: the model tells %s than that."), all[[1L]], all[[2L]],
            if (better) "more" else "no more"
        ), holds = better),
        tables = list(cells = perCell, genes = genes[genes$hidden > 0, ]),
        facts = list(correlation = all[[1L]], baseline = all[[2L]],
            hidden = length(told), head = head
        )
    )
}

.quietCorrelation <- function(a, b) {
    if (length(a) < 2L || !all(is.finite(a)) || stats::var(a) == 0 ||
        stats::var(b) == 0) {
        return(NA_real_)
    }
    stats::cor(a, b)
}

.meanBy <- function(x, group, n) {
    out <- rep(NA_real_, n)
    by <- tapply(x, group, mean.default)
    out[as.integer(names(by))] <- by
    out
}
