## Gene-gene scores from scGPT's attention.

#' Gene-gene scores from attention
#'
#' With an scGPT model [inferGRN()] gives the published attention analysis: in
#' every cell the attention of each gene to each gene, ranked among its row, then
#' among its column, averaged over heads and cells. The score of TF and gene is
#' how much the gene attends to the TF.
#'
#' All genes chosen are tokens of every cell, also those without counts.
#' Attention was trained to tell expression, not regulation: Pearson's
#' correlation of the same genes in the same cells is kept in
#' `metadata(grn)$pearson`, and how the two agree in
#' `metadata(grn)$agreement`; hold both against a reference with
#' [evaluateGRN()].
#'
#' @inheritParams cellInput
#' @param model an scGPT model, of [loadModel()].
#' @param cells `NULL` (all), or cells by index, name or logical vector: those of
#'   a condition. The published analysis compares the targets of a factor that is
#'   knocked out between two calls.
#' @param nTargets variable genes beside the TFs; `NULL`: 1,000. Time and memory
#'   grow with the square of the genes.
#' @param layer layer whose attention is read; `NULL`: the last, as published.
#' @param kind `"ranks"`, as published, or `"softmax"`: the weights themselves.
#' @param batchSize cells that are computed at once.
#' @return A [PooledGRN-class], TFs x genes, self edges 0, with the `metadata()`
#'   of the other networks, and `pearson`, `agreement` (Spearman's correlation of
#'   the scores with Pearson's absolute values, and with the genes' mean
#'   expression), `layer`, `kind`.
#' @section Errors: those of [cellInput]; genes the model doesn't know; a layer it
#'   doesn't have.
#' @references Cui et al. (2024), scGPT, Tutorial_Attention_GRN. (That code drops
#'   the first cell of every condition; here all count.)
#' @seealso [embedCells()], [embedGenes()], [inferGRN()]
#' @examples
#' cells <- exampleCells()
#' model <- newModel(ScGPTParam(embedDim = 16, layers = 1, heads = 2), cells,
#'     seed = 1
#' )
#' grn <- inferGRN(cells, model, nTargets = 20, verbose = FALSE)
#' grn
#' metadata(grn)$agreement
#' @rdname inferGRN-attention
#' @aliases inferGRN,ANY,ScGPTModel-method
#' @export
setMethod("inferGRN", c("ANY", "ScGPTModel"), function(x, model,
    assay.type = NULL, symbols = NULL, species = NULL, tfs = NULL,
    cells = NULL, nTargets = NULL, keep = NULL, genes = NULL, layer = NULL,
    kind = c("ranks", "softmax"), batchSize = 4, alreadyNormalised = NULL,
    preprocess = list(), assay = NULL, verbose = TRUE) {
    .alive(model)
    .checkFlag(verbose, "verbose")
    started <- proc.time()[["elapsed"]]
    layer <- .attentionLayer(layer, model)
    kind <- .oneOf(kind, c("ranks", "softmax"), "kind")
    batchSize <- .checkNumber(batchSize, "batchSize", 1, 4096, TRUE)
    how <- .inputArgs(assay.type, symbols, species, tfs, nTargets, keep,
        genes, alreadyNormalised, preprocess, assay
    )
    prepared <- .scgptPrepared(x, model, how, verbose, cells)
    n <- nrow(prepared$values)
    .checkAttentionMemory(model, n, batchSize)
    .say(verbose, "Attention of layer ", layer, " between ",
        .count(n, "gene"), " in ", .count(ncol(prepared$values), "cell"), "."
    )
    all <- .attentionScores(model, prepared, layer, kind, batchSize, verbose)
    .attentionNetwork(model, prepared, all, layer, kind,
        proc.time()[["elapsed"]] - started
    )
})

.attentionLayer <- function(layer, model) {
    most <- model@config$nlayers
    if (is.null(layer)) {
        return(as.integer(most))
    }
    .checkNumber(layer, "layer", 1, most, TRUE)
}

## Cells as .preprocess() gives them, genes by the model's vocabulary.
.scgptPrepared <- function(x, model, how, verbose, pick = NULL) {
    input <- .readFactors(.readCells(x, how, verbose), how, verbose)
    vocab <- data.frame(token_index = model@vocab$token,
        gene_symbol = model@vocab$gene, gene_id = model@vocab$gene
    )
    vocab <- vocab[!vocab$gene_id %in% c("<cls>", "<eoc>"), ]
    s <- how$preprocess
    if (is.null(s$minCells)) {
        s$minCells <- 3
    }
    if (identical(input$type, "ensembl") && length(input$symbols)) {
        input$type <- "symbol" # the vocabulary has symbols alone
        input$clean <- .cleanSymbol(input$symbols)
        twice <- is.na(input$clean) | duplicated(input$clean)
        input$clean[twice] <- paste0("<", input$names[twice], ">")
    }
    prepared <- .preprocess(input, vocab, input$tfs, "infer",
        nTargets = how$nTargets, genes = how$genes, keep = how$keep,
        preprocess = s, logged = how$alreadyNormalised, verbose = verbose,
        cells = pick
    )
    prepared$conditions <- matrix(0L, 0L, length(prepared$cells))
    prepared
}

.checkAttentionMemory <- function(model, n, batchSize) {
    need <- .engineForecast(model, cells = batchSize, genes = n,
        train = FALSE
    ) + 8 * n^2 * (model@config$nheads + 4)
    if (need > .memoryLimit()) {
        .stopArgument("nTargets", "gives ", n, " genes, whose attention needs ",
            "about ", .bytes(need), "; ", .bytes(.memoryLimit()), " may be ",
            "used. Take fewer genes, or a smaller 'batchSize'."
        )
    }
    invisible()
}

## genes x genes: the row asks, the column answers; the mean over cells.
.attentionScores <- function(model, prepared, layer, kind, batchSize,
    verbose) {
    n <- nrow(prepared$values)
    reading <- list(maxLength = n + 1, zeros = TRUE, layer = layer,
        kind = kind
    )
    cells <- list(matrix = prepared$values, rows = seq_len(n),
        token = as.integer(prepared$tokens)
    )
    sums <- matrix(0, n + 1L, n + 1L)
    at <- seq_len(ncol(prepared$values))
    parts <- split(at, (at - 1L) %/% batchSize)
    bar <- .progressStart("Attention ", length(parts), verbose)
    on.exit(.progressDone(bar))
    for (i in seq_along(parts)) {
        batch <- list(counts = .columnChunk(cells$matrix, parts[[i]]),
            token = cells$token,
            batch = .noBatch(model, length(parts[[i]]))
        )
        sums <- sums + .engineRun(model, "attention", batch, reading)$score
        .progressTick(bar, i)
    }
    t(sums[-1L, -1L]) / length(at) # without <cls>
}

.attentionNetwork <- function(model, prepared, all, layer, kind, seconds) {
    tf <- which(!prepared$nonTF)
    names <- list(prepared$labels[tf], prepared$labels)
    scores <- t(all[, tf, drop = FALSE])
    pearson <- .correlations(prepared$values, tf, "pearson")
    pearson[is.na(pearson)] <- 0
    self <- cbind(seq_along(tf), tf)
    other <- matrix(TRUE, length(tf), ncol(scores))
    other[self] <- FALSE
    mean <- Matrix::rowMeans(prepared$values)
    rank <- function(a, b) {
        if (length(unique(b)) < 2L) NA_real_ else
            stats::cor(a, b, method = "spearman")
    }
    agreement <- c(
        pearson = rank(scores[other], abs(pearson)[other]),
        expression = rank(scores[other], mean[row(scores)[other]] *
            mean[col(scores)[other]])
    )
    scores[self] <- 0
    dimnames(scores) <- dimnames(pearson) <- names
    PooledGRN(scores, nCells = ncol(prepared$values), metadata = list(
        model = paste0("attention of scGPT (layer ", layer, ", ", kind, ")"),
        estimator = "ScGPTModel", settings = list(layer = layer, kind = kind),
        layer = layer, kind = kind, pearson = pearson, agreement = agreement,
        engine = .engineText(), species = prepared$report$species,
        coverage = prepared$report, source = model@state$source,
        preprocessing = prepared$report$settings, seconds = seconds
    ))
}
