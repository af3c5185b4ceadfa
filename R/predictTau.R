## Delays beyond the fit: other genes, and cells without chromatin.

#' Delays of genes outside a fit
#'
#' Learns from the fitted genes how delays go with gene embeddings, and says
#' what that gives for other genes. The model is log tau = c + e b + noise, the
#' noise and the penalty on b estimated from the profiles of the fitted genes,
#' so genes with sharp delays count more. It is worth as much as the embedding
#' knows of delays: what held-out fitted genes get is reported beside what they
#' get from a shuffled embedding.
#'
#' @param fit a [TauFit-class].
#' @param genes names of genes to predict, rows of `embedding`; NULL: all rows
#'   that have no delay in the fit.
#' @param embedding numeric matrix, genes x dimensions, gene names as row
#'   names, holding fitted genes as well as new ones; NULL: the one the fit was
#'   made with.
#' @param folds parts the fitted genes are cut into to see what is learnt.
#' @param force predict from a fit that isn't identifiable?
#' @param seed NULL: drawn from R's generator; or a whole number.
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
predictTau <- function(fit, genes = NULL, embedding = NULL, folds = 5,
    force = FALSE, seed = NULL) {
    .checkTauFit(fit)
    .checkFlag(force, "force")
    folds <- .checkNumber(folds, "folds", 2, 100, whole = TRUE)
    .needIdentifiable(fit, force, "predict from")
    e <- .predictionEmbedding(fit, embedding)
    genes <- .predictedGenes(fit, genes, e)
    if (fit@method == "effendi") {
        return(.predictEffendi(fit, genes, e))
    }
    known <- match(fit@genes, rownames(e))
    use <- fit@table$usable & !is.na(known)
    if (sum(use) < .tauThresholds[["usable"]]) {
        .stopArgument("embedding", "covers ", sum(use), " usable genes of the ",
            "fit; ", .tauThresholds[["usable"]], " are needed."
        )
    }
    own <- e[ifelse(is.na(known), 1L, known), , drop = FALSE]
    from <- .amortise(fit, use, own, e[genes, , drop = FALSE])
    key <- .newKey(seed)
    truth <- fit@fit$amortised$plain$tau
    truth <- if (is.null(truth)) fit@table$tau else truth
    shuffled <- own
    order <- .Call(cw_r_permutation, sum(use), as.double(key), 1L) + 1L
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
    structure(.logNormalTable(genes, from$newTau, from$newSd),
        heldOut = held, shuffled = null, r2 = from$r2
    )
}

.needIdentifiable <- function(fit, force, what) {
    if (!isTRUE(fit@verdict$identifiable) && !force) {
        .stopArgument("fit", "has delays that are not identifiable (",
            .reasonText(fit@verdict), "): there is nothing to ", what,
            ". force = TRUE does it all the same."
        )
    }
    invisible()
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
    .Call(cw_r_tau_amortise, fit@fit$deviance[[fit@readout]], fit@fit$grid,
        use, unname(own), unname(new)
    )
}

## Spearman of fitted delays with what genes get when left out in turn.
.heldOutTau <- function(fit, use, own, truth, folds, key) {
    at <- which(use)
    order <- .Call(cw_r_permutation, length(at), as.double(key), 0L) + 1L
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

## ---- RNA alone -------------------------------------------------------------

#' Delays from cells without chromatin
#'
#' Reads delays from the RNA of other cells, with the chromatin curves and the
#' flow of a paired fit: every new cell is placed among the fit's states by its
#' RNA, the flow is followed back from there, and each gene's delay is the one
#' at which the fit's chromatin curve explains the new RNA best. So delays of
#' another sample, condition or modality-poor atlas can be held against those
#' of the paired cells.
#'
#' New cells must be of the kinds the fit saw; cells far from all of its states
#' are left out and counted.
#'
#' @param fit a [TauFit-class].
#' @param x RNA counts of new cells: a `SingleCellExperiment`, Seurat object or
#'   matrix, genes x cells, with the fit's gene names. Genes that are missing
#'   count as 0 in placing the cells, and get no delay.
#' @param embedding for a fit made with an embedding of RNA, and for
#'   `method = "effendi"`: that of the new cells, cells x dimensions.
#' @param assay.type assay (Seurat: layer) of the counts.
#' @param minCells cells a state must have to be used.
#' @param force use a fit that isn't identifiable?
#' @return A data.frame with a row per gene of the fit: `gene`, `tau`, `sd`,
#'   `low`, `high` (90%), `paired` (the fit's delay), and attributes `cells`
#'   (new cells used), `left` (left out), `agreement` (Spearman of `tau` and
#'   `paired`). For `method = "effendi"` the columns are means over cells, and
#'   the attribute `tauCells` holds cells x genes.
#' @section Errors: a fit that isn't identifiable; fewer than half of the
#'   fit's genes in `x`; fewer than 50 cells near its states; counts that are
#'   negative or missing.
#' @seealso [estimateTau()], [contrastTau()]
#' @examples
#' x <- simulateMultiome(nCells = 900, nGenes = 80, seed = 1)
#' fit <- estimateTau(x[, 1:600], links = S4Vectors::metadata(x)$links,
#'     seed = 1)
#' head(scRNAToTau(fit, x[, 601:900], force = TRUE))
#' @export
scRNAToTau <- function(fit, x, embedding = NULL, assay.type = NULL,
    minCells = 3, force = FALSE) {
    .checkTauFit(fit)
    .checkFlag(force, "force")
    minCells <- .checkNumber(minCells, "minCells", 1, whole = TRUE)
    .needIdentifiable(fit, force, "carry over from")
    rna <- .newRna(fit, x, assay.type)
    if (fit@method == "effendi") {
        return(.rnaToTauEffendi(fit, rna, embedding))
    }
    f <- fit@fit
    near <- .nearestStates(f, .placeByRna(fit, rna, embedding),
        .placeByRna(fit, f$counts$rna, f$rnaEmbedding)
    )
    states <- which(tabulate(near, nrow(f$z)) >= minCells)
    near <- match(near, states)
    if (sum(!is.na(near)) < 50L) {
        .stopArgument("x", "has ", sum(!is.na(near)), " cells near the states ",
            "of the fit; 50 are needed. Are they of the same kinds?"
        )
    }
    table <- .rnaReadout(fit, rna, near, states)
    structure(table, cells = sum(!is.na(near)), left = sum(is.na(near)),
        agreement = .spearman(table$tau, table$paired)
    )
}

## The state (metacell) whose own cells, placed by their RNA alone, are nearest;
## NA for cells farther than nearly all of the fit's own. RNA trails the joint
## state, so a place found from RNA alone can't be read on the joint axes.
.nearestStates <- function(f, z, own) {
    centre <- rowsum(own, f$metacell) / as.vector(table(f$metacell))
    states <- as.integer(rownames(centre))
    nearest <- function(x) {
        d2 <- outer(rowSums(x^2), rowSums(centre^2), `+`) -
            2 * tcrossprod(x, centre)
        at <- max.col(-d2, ties.method = "first")
        list(at = at, d2 = d2[cbind(seq_along(at), at)])
    }
    limit <- 2 * stats::quantile(nearest(own)$d2, 0.99, names = FALSE)
    found <- nearest(z)
    ifelse(found$d2 > limit, NA, states[found$at])
}

## Counts of the fit's genes (0 where missing; attribute `present`), sparse.
.newRna <- function(fit, x, assay.type) {
    input <- .cellInput(x, assay.type, NULL, FALSE)
    m <- .asSparse(.columnChunk(input$matrix, seq_len(ncol(input$matrix))))
    if (!all(is.finite(m@x)) || any(m@x < 0)) {
        .stopArgument("x", "has counts that are negative or missing.")
    }
    at <- match(fit@genes, input$names)
    if (mean(!is.na(at)) < 0.5) {
        .stopArgument("x", "holds ", sum(!is.na(at)), " of the ", length(at),
            " genes of the fit (such as ", .some(fit@genes[is.na(at)], 3L),
            "); at least half are needed. Are the names of one kind? See ",
            "reconcileGenes()."
        )
    }
    rows <- Matrix::sparseMatrix(i = which(!is.na(at)), j = at[!is.na(at)],
        x = 1, dims = c(length(at), nrow(m))
    )
    out <- .asSparse(rows %*% m)
    if (!all(Matrix::colSums(out) > 0)) {
        .stopArgument("x", "has ", sum(Matrix::colSums(out) == 0), " cells ",
            "without a count in the fit's genes; drop them."
        )
    }
    dimnames(out) <- list(fit@genes, input$cells)
    attr(out, "present") <- !is.na(at)
    out
}

.placeByRna <- function(fit, rna, embedding) {
    projection <- fit@fit$projectRna
    given <- is.null(projection$loading)
    if (given != !is.null(embedding)) {
        .stopArgument("embedding", if (given) {
            "is needed: the fit was made with an embedding of RNA."
        } else {
            "must be NULL: the fit places cells by their counts."
        })
    }
    if (given) {
        embedding <- as.matrix(embedding)
        if (!is.numeric(embedding) || nrow(embedding) != ncol(rna) ||
            ncol(embedding) != length(projection$mean) ||
            !all(is.finite(embedding))) {
            .stopArgument("embedding", "must be finite numbers, ", ncol(rna),
                " cells x ", length(projection$mean), " dimensions; it is ",
                nrow(embedding), " x ", ncol(embedding), "."
            )
        }
        storage.mode(embedding) <- "double"
    }
    .Call(cw_r_tau_project, projection,
        if (given) unname(embedding) else .sparseView(rna), "rna"
    )
}

## Profile over the grid of the new RNA rates against the fit's chromatin.
.rnaReadout <- function(fit, rna, near, states) {
    f <- fit@fit
    cells <- which(!is.na(near))
    pool <- Matrix::sparseMatrix(i = cells, j = near[cells], x = 1,
        dims = c(ncol(rna), length(states))
    )
    counts <- as.matrix(rna %*% pool)
    depth <- colSums(counts)
    rate <- t(counts) / depth
    use <- f$usable & attr(rna, "present") & colSums(rate) > 0
    rate <- rate[, use, drop = FALSE]
    mean <- colMeans(rate)
    rate <- rate / rep(mean, each = nrow(rate))
    curve <- .chromatinCoefficients(f)[, use, drop = FALSE]
    weight <- depth / base::mean(depth)
    deviance <- .delayedFits(f$features[, states, , drop = FALSE], curve, rate,
        weight
    )
    post <- .Call(cw_r_tau_posterior, deviance, f$grid, rep(TRUE, sum(use)))
    table <- data.frame(gene = fit@genes, tau = NA_real_, sd = NA_real_,
        low = NA_real_, high = NA_real_, paired = fit@table$tau
    )
    table$tau[use] <- post$mean
    for (column in c("sd", "low", "high")) {
        table[[column]][use] <- post[[column]]
    }
    table
}

## J x G: chromatin alone on the basis at delay 0, so that nothing of the
## paired RNA is in the curves that new RNA is held against.
.chromatinCoefficients <- function(f) {
    basis <- matrix(f$features[1L, , ], nrow = nrow(f$z))
    weight <- f$depthChromatin / mean(f$depthChromatin)
    solve(crossprod(basis, weight * basis) +
        diag(f$options$lambda, ncol(basis)),
    crossprod(basis, weight * f$chromatin))
}

## Grid x genes: quasi-likelihood deviance of rate ~ alpha + beta delayed
## curve, beta >= 0.02, weights by depth over the dispersion at the best fit.
.delayedFits <- function(features, curve, rate, weight) {
    ones <- matrix(weight / sum(weight), nrow(rate), ncol(rate))
    y <- rate - rep(colSums(ones * rate), each = nrow(rate))
    fits <- lapply(seq_len(dim(features)[[1L]]), function(k) {
        x <- matrix(features[k, , ], nrow = nrow(rate)) %*% curve
        x <- x - rep(colSums(ones * x), each = nrow(x))
        beta <- colSums(weight * x * y) / pmax(colSums(weight * x^2), 1e-12)
        y - x * rep(pmax(beta, 0.02), each = nrow(x))
    })
    rss <- vapply(fits, function(r) colSums(weight * r^2), numeric(ncol(rate)))
    rss <- matrix(rss, nrow = ncol(rate))
    dispersion <- apply(rss, 1L, min) / max(1, nrow(rate) - 3)
    t(rss / pmax(dispersion, 1e-12))
}

.rnaToTauEffendi <- function(fit, rna, embedding) {
    model <- fit@fit$model
    if (is.null(embedding)) {
        .stopArgument("embedding", "is needed: cells x ", model$dim,
            ", from the encoder the model was trained with."
        )
    }
    zRna <- .effendiMatrix(as.matrix(embedding), "embedding", ncol(rna),
        model$dim
    )
    zA <- .effendiReverse(model, zRna)
    cells <- .effendiPredict(model, zA, fit@fit$geneEmbedding, "tau", TRUE)$tau
    dimnames(cells) <- list(colnames(rna), fit@genes)
    table <- data.frame(gene = fit@genes, tau = colMeans(cells),
        sd = apply(cells, 2L, stats::sd),
        low = apply(cells, 2L, stats::quantile, 0.05),
        high = apply(cells, 2L, stats::quantile, 0.95),
        paired = fit@table$tau
    )
    structure(table, cells = nrow(cells), left = 0L, tauCells = cells,
        agreement = .spearman(table$tau, table$paired)
    )
}
