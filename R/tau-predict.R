## Delays of genes outside a fit.

#' Delays of genes outside a fit
#'
#' Learns from the fitted genes how delays go with gene embeddings, and says
#' what that gives for other genes. The model is log tau = c + e b + noise, the
#' noise and the penalty on b estimated from the profiles of the fitted genes,
#' so genes with sharp delays count more. It is worth as much as the embedding
#' knows of delays: what held-out fitted genes get is reported beside what they
#' get from a shuffled embedding.
#'
#' @param x a [TauFit-class].
#' @param genes names of genes to predict, rows of `embedding`; NULL: all rows
#'   that have no delay in the fit.
#' @param embedding numeric matrix, genes x dimensions, gene names as row
#'   names, holding fitted genes as well as new ones; NULL: the one the fit was
#'   made with.
#' @param folds parts the fitted genes are cut into to see what is learnt.
#' @param force predict from a fit that isn't identifiable?
#' @param seed NULL: drawn from R's generator; or a whole number.
#' @param ... not used.
#' @return A data.frame with columns `gene`, `tau`, `sd`, `low`, `high` (90%
#'   interval), in model units (median delay 1), and attributes `heldOut` and
#'   `shuffled`: Spearman correlations of predicted with fitted delays over
#'   fitted genes left out in turn, with the embedding as it is and with its
#'   rows shuffled; `r2`: share of the variance of log delays explained.
#'   A warning says when `heldOut` isn't above `shuffled` and 0.1.
#' @section Errors: a fit that isn't identifiable; an embedding with fewer
#'   than 20 usable fitted genes, without the genes asked for, with missing
#'   values or without row names; a fit by `method = "effendi"` takes an
#'   embedding of its own width and needs no learning.
#' @seealso [estimateTau()], [scRNAToTau()]
#' @examples
#' x <- simulateMultiome(nCells = 800, nGenes = 80, seed = 1)
#' fit <- estimateTau(x, links = S4Vectors::metadata(x)$links, seed = 1)
#' ## an embedding that knows a little of the delays
#' truth <- simulatedTruth(x)$tau
#' e <- cbind(log(truth), sin(seq_along(truth)))
#' rownames(e) <- rownames(x)
#' new <- predictTau(fit, genes = rownames(x)[1:5], embedding = e,
#'     force = TRUE, seed = 1)
#' new
#' attr(new, "heldOut")
#' @export
predictTau <- function(x, genes = NULL, embedding = NULL, folds = 5,
    force = FALSE, seed = NULL, ...) {
    .noDots(..., renamed = c(fit = "x"))
    .checkTauFit(x)
    .checkFlag(force, "force")
    folds <- .checkNumber(folds, "folds", 2, 100, whole = TRUE)
    .needIdentifiable(x, force, "predict from")
    e <- .predictionEmbedding(x, embedding)
    genes <- .predictedGenes(x, genes, e)
    if (x@method == "effendi") {
        return(.predictEffendi(x, genes, e))
    }
    .predictAnchored(x, genes, e, folds, .newKey(seed))
}

.predictAnchored <- function(fit, genes, e, folds, key) {
    known <- match(fit@genes, rownames(e))
    use <- fit@table$usable & !is.na(known)
    if (sum(use) < .tauThresholds[["usable"]]) {
        .stopArgument("embedding", "covers ", sum(use), " usable genes of the ",
            "fit; ", .tauThresholds[["usable"]], " are needed."
        )
    }
    own <- e[ifelse(is.na(known), 1L, known), , drop = FALSE]
    from <- .amortise(fit, use, own, e[genes, , drop = FALSE])
    truth <- fit@fit$amortised$plain$tau
    truth <- if (is.null(truth)) fit@table$tau else truth
    shuffled <- own
    order <- .shuffled(sum(use), key, 1L)
    shuffled[use, ] <- own[which(use)[order], ]
    held <- .heldOutTau(fit, use, own, truth, folds, key)
    null <- .heldOutTau(fit, use, shuffled, truth, folds, key)
    if (!isTRUE(held > max(null, 0.1))) {
        warning("the embedding tells little of delays: genes left out get ",
            "their delays with Spearman ", .rho(held), " (shuffled: ",
            .rho(null), ").",
            call. = FALSE
        )
    }
    ## errors of flow and clock are those of the fit's own genes
    more <- stats::median(fit@fit$flowVariance + fit@fit$clockVariance,
        na.rm = TRUE
    )
    if (is.null(fit@fit$flowVariance) || !is.finite(more)) {
        more <- 0
    }
    sd <- sqrt(from$newSd^2 + from$newTau^2 * more)
    structure(.logNormalTable(genes, from$newTau, sd),
        heldOut = held, shuffled = null, r2 = from$r2
    )
}

.predictionEmbedding <- function(fit, embedding) {
    if (is.null(embedding)) {
        embedding <- fit@fit$amortised$embedding
        if (is.null(embedding)) {
            embedding <- fit@fit$geneEmbedding
        }
        if (is.null(embedding)) {
            .stopArgument("embedding", "is needed: the fit was made without ",
                "one. Give a matrix, genes x dimensions, with gene names as ",
                "row names."
            )
        }
    }
    e <- as.matrix(embedding)
    if (!is.numeric(e) || !ncol(e) || is.null(rownames(e))) {
        .stopArgument("embedding", "must be numeric, genes x dimensions, with ",
            "gene names as row names; it is ", .show(embedding), "."
        )
    }
    e <- e[rowSums(!is.finite(e)) == 0L, , drop = FALSE]
    twice <- unique(rownames(e)[duplicated(rownames(e))])
    if (length(twice)) {
        .stopArgument("embedding", "names genes more than once: ",
            .some(twice), "."
        )
    }
    e
}

.predictedGenes <- function(fit, genes, e) {
    if (is.null(genes)) {
        genes <- setdiff(rownames(e), fit@genes[is.finite(fit@table$tau)])
    }
    genes <- .textOf(genes)
    if (!is.character(genes) || !length(genes)) {
        .stopArgument("genes", "must be gene names, rows of 'embedding' that ",
            "have no delay yet; it is ", .show(genes), "."
        )
    }
    lost <- setdiff(genes, rownames(e))
    if (length(lost)) {
        .stopArgument("genes", "names genes that 'embedding' lacks (or has ",
            "missing values for): ", .some(lost), "."
        )
    }
    unique(genes)
}

.amortise <- function(fit, use, own, new) {
    .Call(cw_r_tau_amortise, fit@fit$deviance, fit@fit$grid,
        use, unname(own), unname(new)
    )
}

## Spearman of fitted delays with what genes get when left out in turn.
.heldOutTau <- function(fit, use, own, truth, folds, key) {
    at <- which(use)
    order <- .shuffled(length(at), key, 0L)
    fold <- (order - 1L) %% min(folds, length(at)) + 1L
    guess <- rep(NA_real_, length(use))
    for (f in unique(fold)) {
        out <- at[fold == f]
        some <- use
        some[out] <- FALSE
        guess[out] <- .amortise(fit, some, own, own[out, , drop = FALSE])$newTau
    }
    .spearman(guess[at], truth[at])
}

## Mean, sd and 90% interval of a log-normal with this mean and sd.
.logNormalTable <- function(genes, tau, sd) {
    s <- sqrt(log1p((sd / tau)^2))
    m <- log(tau) - s^2 / 2
    half <- stats::qnorm(0.95) * s
    data.frame(gene = genes, tau = tau, sd = sd, low = exp(m - half),
        high = exp(m + half)
    )
}

.predictEffendi <- function(fit, genes, e) {
    model <- fit@fit$model
    e <- e[genes, , drop = FALSE]
    if (ncol(e) != model$dim) {
        .stopArgument("embedding", "has ", ncol(e), " dimensions; the model ",
            "was trained with ", model$dim, "."
        )
    }
    cells <- .effendiTau(model, fit@fit$zAtac, e)
    sd <- apply(cells, 2L, stats::sd)
    data.frame(gene = genes, tau = colMeans(cells), sd = sd,
        low = apply(cells, 2L, stats::quantile, 0.05),
        high = apply(cells, 2L, stats::quantile, 0.95)
    )
}
