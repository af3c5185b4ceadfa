## Delays from cells without chromatin.

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
#' @param x RNA counts of new cells: a `SingleCellExperiment`, Seurat object or
#'   matrix, genes x cells, with the fit's gene names. Genes that are missing
#'   count as 0 in placing the cells, and get no delay.
#' @param fit a [TauFit-class] of other cells.
#' @param embedding for a fit made with an embedding of RNA, and for
#'   `method = "effendi"`: that of the new cells, cells x dimensions.
#' @param assay.type assay (Seurat: layer) of the counts.
#' @param minCells cells a state must have to be used.
#' @param force use a fit that isn't identifiable?
#' @param ... not used.
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
#' head(scRNAToTau(x[, 601:900], fit, force = TRUE))
#' @export
scRNAToTau <- function(x, fit, embedding = NULL, assay.type = NULL,
    minCells = 3, force = FALSE, ...) {
    .noDots(...)
    .checkCellsFirst(x, fit, "scRNAToTau(x, fit)")
    .checkFlag(force, "force")
    minCells <- .checkNumber(minCells, "minCells", 1, whole = TRUE)
    .needIdentifiable(fit, force, "carry over from", "fit")
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
    input <- .readCells(x, .inputArgs(assay.type))
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
    .widened(table, f)
}

## Errors of flow and clock, which new RNA doesn't lessen, in sd and interval.
.widened <- function(table, f) {
    more <- f$flowVariance + f$clockVariance
    if (!length(more)) {
        return(table)
    }
    more[is.na(more)] <- 0
    at <- pmax(table$tau, 0.04)
    arm <- function(end) {
        sqrt(log(pmax(end, 0.04) / at)^2 + stats::qnorm(0.95)^2 * more)
    }
    table$low <- at * exp(-arm(table$low))
    table$high <- at * exp(arm(table$high))
    table$sd <- sqrt(table$sd^2 + at^2 * more)
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
