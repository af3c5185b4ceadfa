## All pairs of some genes in silico: where they lie, and what is more or less
## than the sum of its parts.

#' All pairs of genes, in silico
#'
#' Predicts every single gene and pair of `genes`, lays them out by their
#' effects (without the perturbed genes themselves), clusters them, names the
#' genes that dominate a cluster, and says of measured pairs whether they are
#' more or less than the sum of their genes.
#'
#' @details
#' Epistasis of a measured pair: its effect is projected on the sum of its
#' genes' measured effects, ratio = (pair . sum) / (sum . sum), every factor of
#' a product against another half of the control cells, so that noise does not
#' bias it. Above 1 is synergy, below suppression; the interval is by the
#' jackknife over 20 groups of readouts. `apart` is the share of the pair's
#' squared effect that is not along the sum. Pairs that were not measured have
#' no class: the model knows only one factor for all.
#'
#' Beside these stand the scores of Norman et al. as GEARS computes them, on
#' the 1,000 readouts with the highest mean in control cells: a robust fit
#' (Theil-Sen) pair ~ `c1` first + `c2` second, its `magnitude`
#' (c1^2 + c2^2)^0.5, `dominance` |log10(c1 / c2)| and `modelFit` (correlation
#' with the pair), distance correlations of both singles with the pair
#' (`dcor`) and with each other (`dcorSingles`), and `equality`, how evenly
#' the two contribute (least over most of their own distance correlations).
#'
#' @param fit what [fitPerturbation()] returns.
#' @param genes genes; NULL: the perturbed ones, the 50 with the strongest
#'   effects if there are more.
#' @param nClusters number of clusters; NULL: 2 to 12, by the mean silhouette.
#' @param layout `"umap"` (needs the package uwot) or `"pca"`; NULL: UMAP
#'   where it is installed and there are 15 perturbations or more.
#' @param seed as for [fitPerturbation()]; for UMAP.
#' @param threads threads of the engine; NULL: `causeway.threads`.
#' @param ... not used.
#' @return A [PerturbationMap-class] with the tables `map` (`perturbation`,
#'   `x`, `y`, `cluster`, `seen`, `size`), `clusters` (`cluster`, `members`,
#'   `gene`: in most of its pairs, or NA, and its `share`) and `epistasis`
#'   (measured pairs: `perturbation`, `ratio`, `low`, `high`, `apart`, the
#'   scores above, `class`). `plot(x, type = )` draws `"map"` or `"heatmap"` (ratios).
#' @section Errors: fewer than two genes; a layout whose package is missing.
#' @references Norman et al. (2019) Science 365, 786 (classes of interactions);
#'   Roohani et al. (2024) Nature Biotechnology 42, 927 (GEARS).
#' @seealso [fitPerturbation()], [rankPerturbations()]
#' @examples
#' x <- simulatePerturbations(nPathways = 3, nTargets = 30, nPairs = 6,
#'     cells = c(20, 40), nControl = 100, seed = 1
#' )
#' fit <- fitPerturbation(x, "perturbation", nPerm = 9, nBoot = 20, seed = 1,
#'     network = S4Vectors::metadata(x)$network, verbose = FALSE
#' )
#' map <- perturbationMap(fit, layout = "pca")
#' map
#' plot(map)
#' @export
perturbationMap <- function(fit, genes = NULL, nClusters = NULL,
    layout = NULL, seed = NULL, ..., threads = NULL) {
    .noDots(...)
    .isReport(fit, "PerturbationFit", "fitPerturbation", "fit")
    if (!is.null(nClusters)) {
        .checkNumber(nClusters, "nClusters", 2, 1000, TRUE)
    }
    threads <- .threads(threads)
    s <- fit@state
    genes <- .mapGenes(s, genes)
    perts <- .candidateSets(s, genes, TRUE)
    layout <- .mapLayout(layout, length(perts))
    p <- .predictSets(s, perts, threads)
    keep <- setdiff(seq_len(nrow(p$mean)), unlist(.ownRows(as.list(genes),
        s$effects$readouts)))
    profiles <- t(p$mean[keep, , drop = FALSE])
    axes <- .mapAxes(profiles)
    cluster <- .mapClusters(axes, nClusters)
    at <- .mapPlaces(axes, layout, .newKey(seed))
    map <- data.frame(perturbation = names(perts), x = at[, 1L], y = at[, 2L],
        cluster = cluster, seen = .predictionTable(s, perts, p)$seen,
        size = sqrt(rowMeans(profiles^2)))
    pairs <- .epistasis(s, genes)
    .report("PerturbationMap", .mapVerdict(fit, map, pairs),
        list(map = map, clusters = .dominantGenes(perts, cluster),
            epistasis = pairs),
        list(genes = length(genes), layout = layout)
    )
}

#' A map of perturbations
#'
#' Made by [perturbationMap()]; a [CausewayReport-class].
#'
#' @param x a `PerturbationMap`.
#' @param y not used.
#' @param type `"map"` or `"heatmap"`.
#' @param ... not used.
#' @return `plot()` a `ggplot`.
#' @seealso [perturbationMap()]
#' @name PerturbationMap-class
#' @exportClass PerturbationMap
#' @examples
#' ## see perturbationMap()
#' methods::slotNames("PerturbationMap")
setClass("PerturbationMap", contains = "CausewayReport")

.mapGenes <- function(s, genes) {
    if (!is.null(genes)) {
        genes <- unique(unlist(.askedPerturbations(s, genes, "genes")))
    } else {
        genes <- s$genes
        single <- match(genes, vapply(s$perts, function(g) {
            if (length(g) == 1L) g else NA_character_
        }, ""))
        size <- colSums(s$final$Y^2)[single]
        genes <- genes[order(-ifelse(is.na(size), 0, size))]
        genes <- genes[seq_len(min(50L, length(genes)))]
    }
    if (length(genes) < 2L) {
        .stopArgument("genes", "must be two or more; it is ",
            .count(length(genes), "gene"), "."
        )
    }
    genes
}

.mapLayout <- function(layout, n) {
    there <- requireNamespace("uwot", quietly = TRUE)
    if (is.null(layout)) {
        return(if (there && n >= 15L) "umap" else "pca")
    }
    layout <- .oneOf(layout, c("umap", "pca"), "layout")
    if (layout == "umap") {
        .needPackage("uwot", "layout = \"umap\" needs it",
            "install.packages(\"uwot\"), or say layout = \"pca\""
        )
    }
    layout
}

## Up to 20 principal axes, perturbations x axes.
.mapAxes <- function(profiles) {
    centred <- .lessEach(profiles, colMeans(profiles))
    inner <- eigen(tcrossprod(centred), symmetric = TRUE)
    k <- max(2L, min(20L, sum(inner$values > 1e-9 * inner$values[[1L]])))
    k <- min(k, nrow(profiles))
    inner$vectors[, seq_len(k), drop = FALSE] *
        rep(sqrt(pmax(inner$values[seq_len(k)], 0)), each = nrow(profiles))
}

.mapPlaces <- function(axes, layout, key) {
    if (layout == "pca") {
        return(axes[, seq_len(2L)])
    }
    uwot::umap(axes, n_neighbors = min(15L, nrow(axes) - 1L), n_threads = 1L,
        n_sgd_threads = 1L, seed = as.integer(key[[2L]] %% 2^31)
    )
}

## Ward's tree, cut where the mean silhouette is largest.
.mapClusters <- function(axes, nClusters) {
    d <- stats::dist(axes)
    tree <- stats::hclust(d, "ward.D2")
    if (!is.null(nClusters)) {
        return(stats::cutree(tree, min(nClusters, nrow(axes))))
    }
    far <- as.matrix(d)
    cuts <- lapply(2:min(12L, nrow(axes) - 1L), stats::cutree, tree = tree)
    cuts[[which.max(vapply(cuts, .silhouetteOf, 0, far = far))]]
}

.silhouetteOf <- function(cluster, far) {
    size <- tabulate(cluster)
    sums <- far %*% outer(cluster, seq_along(size), `==`)
    own <- cbind(seq_along(cluster), cluster)
    a <- sums[own] / pmax(size[cluster] - 1, 1)
    b <- sums / rep(size, each = nrow(sums))
    b[own] <- Inf
    b <- apply(b, 1L, min)
    mean(ifelse(size[cluster] == 1L, 0, (b - a) / pmax(a, b)))
}

.dominantGenes <- function(perts, cluster) {
    do.call(rbind, lapply(sort(unique(cluster)), function(k) {
        inside <- perts[cluster == k]
        pairs <- inside[lengths(inside) == 2L]
        count <- sort(table(.asFactor(unlist(pairs))), decreasing = TRUE)
        share <- if (length(pairs)) count[[1L]] / length(pairs) else NA
        strong <- !is.na(share) && share > 0.5
        data.frame(cluster = k, members = length(inside),
            gene = if (strong) names(count)[[1L]] else NA_character_,
            share = share
        )
    }))
}

.epistasis <- function(s, genes) {
    single <- setNames(seq_along(s$perts), ifelse(lengths(s$perts) == 1L,
        vapply(s$perts, `[[`, "", 1L), ""))
    at <- which(lengths(s$perts) == 2L & vapply(s$perts, function(g) {
        all(g %in% names(single)) && all(g %in% genes)
    }, NA))
    if (!length(at)) {
        return(NULL)
    }
    e <- s$effects
    rows <- lapply(at, function(p) {
        parts <- single[s$perts[[p]]]
        use <- setdiff(seq_len(nrow(e$Y)), e$own[[p]])
        a <- rowSums(e$Y[use, parts])
        b <- rowSums(e$T[use, parts])
        y <- e$Y[use, p]
        t <- e$T[use, p]
        block <- seq_along(use) %% 20L
        ratio <- function(k) {
            sum(a[k] * t[k] + b[k] * y[k]) / max(2 * sum(a[k] * b[k]), 1e-9)
        }
        all <- ratio(rep(TRUE, length(use)))
        jack <- vapply(0:19, function(i) ratio(block != i), 0)
        se <- sqrt(19 / 20 * sum((jack - mean(jack))^2))
        data.frame(perturbation = s$names[[p]], ratio = all,
            low = all - 1.96 * se, high = all + 1.96 * se,
            apart = 1 - min(1, max(0, all^2 * sum(a * b) /
                max(sum(y * t), 1e-9))), .interaction(e, use, parts, p),
            row.names = NULL
        )
    })
    out <- do.call(rbind, rows)
    out$class <- ifelse(out$low > 1, "synergy", ifelse(out$high < 1,
        "suppression", "additive"))
    out
}

## GEARS's scores of a pair, on the readouts of `use` that controls express
## most.
.interaction <- function(e, use, parts, pair, most = 1000L) {
    use <- sort(head(use[order(-e$mean[use])], most))
    x <- .Call(cw_r_interaction, e$Y[use, parts[[1L]]], e$Y[use, parts[[2L]]],
        e$Y[use, pair])
    data.frame(c1 = x[[1L]], c2 = x[[2L]], magnitude = x[[3L]],
        dominance = x[[4L]], modelFit = x[[5L]], dcor = x[[6L]],
        dcorSingles = x[[7L]], equality = x[[10L]])
}

.mapVerdict <- function(fit, map, pairs) {
    text <- sprintf("%s in %s.", .count(nrow(map), "perturbation"),
        .count(length(unique(map$cluster)), "cluster"))
    if (!is.null(pairs)) {
        n <- table(factor(pairs$class, c("additive", "synergy",
            "suppression")))
        text <- c(text, paste0("Of ", .count(nrow(pairs), "measured pair"),
            ": ", paste(n, names(n), collapse = ", "), "."))
    }
    if (isFALSE(verdict(fit)$holds) && any(map$seen == "unseen")) {
        text <- c(text, paste0("The fit doesn't predict unseen perturbations: ",
            "where these lie means nothing."))
    }
    .verdict(text, holds = NA)
}
