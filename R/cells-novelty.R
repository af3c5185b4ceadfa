## Is a cell of a type that the reference lacks? And which could it be?
##
## Two scores, both high for cells like a reference type: the cosine to the
## nearest centroid over the median of that type's own cells; and the distance
## to the overall Gaussian less that to the nearest class (relative
## Mahalanobis, in discriminant space). Their mean rank is averaged over a
## cell's 15 neighbours in the query's own 20 principal components, on the
## query's own most dispersed genes: an unknown type's genes are not among the
## reference's markers.

.noveltyGenes <- 1000L
.noveltyCells <- 5000L

## What scores cells of a query. `query$block` holds the cells that stand for
## it; `share`: of each type among its calls; `geometry`: its .ownSpace().
.noveltyModel <- function(ref, query, share,
    geometry = .ownSpace(query, ref$threads)) {
    genes <- .topGenes(ref$f, .noveltyGenes)
    moments <- .pickMoments(ref$moments, genes)
    share <- 0.5 * share + 0.5 / ref$K
    share[moments$n == 0] <- 0
    m <- .weightedMoments(moments, share / sum(share))
    sd <- m$sd + .sdFloor(m$sd)
    own <- .queryMoments(query, .view(genes), ref$threads)
    r <- query$block$cells / (query$block$cells + 20)
    z <- .cellMatrix(ref$block, ref, .view(genes, mean = m$mean, sd = sd),
        ref$threads)
    unit <- .unitCells(z)
    centre <- .unitCells(rowsum(unit, ref$y) /
        as.vector(table(ref$y)))
    present <- as.integer(rownames(centre))
    cosine <- tcrossprod(unit, centre)
    own_cos <- vapply(seq_along(present), function(j) {
        stats::median(cosine[ref$y == present[[j]], j])
    }, 0)
    space <- .ldaSpace(z, ref$y, ref$K)
    space$means <- space$means[present, , drop = FALSE]
    white <- .lessEach(z %*% space$rotation, space$centre %*% space$rotation)
    list(view = .view(genes, mean = m$mean + r * (own$mean - m$mean),
        sd = exp((1 - r) * log(sd) + r * log(own$sd + .sdFloor(m$sd)))),
        centre = centre, ownCosine = own_cos, space = space,
        middle = colMeans(white), overall = solve(stats::cov(white) +
            1e-6 * diag(ncol(white))), own = geometry,
        present = present)
}

.unitCells <- function(x) {
    x <- x - rowMeans(x)
    x / (sqrt(rowSums(x^2)) + 1e-8)
}

## The query's own geometry: view and directions.
.ownSpace <- function(query, threads) {
    all <- .view(seq_along(query$rows))
    m <- .queryMoments(query, all, threads)
    spread <- m$sd^2 / (m$mean + 0.1)
    spread[m$sd <= 0] <- -Inf
    if (!any(m$sd > 0)) { # one cell, or all alike: every cell is at one point
        return(list(view = .zView(1L, list(mean = m$mean[1L], sd = 1)),
            rotation = matrix(0, 1L, 1L)))
    }
    genes <- head(order(-spread), min(.noveltyGenes, sum(m$sd > 0)))
    m <- list(mean = m$mean[genes], sd = m$sd[genes])
    view <- .zView(genes, m)
    z <- .cellMatrix(query$block, query, view, threads)
    list(view = view, rotation = .principal(.lessEach(z, colMeans(z)), 20L))
}

## list(raw = cells x 2 (cosine, relative Mahalanobis), point = dims x cells)
.noveltyOf <- function(model, block, data, threads) {
    space <- model$space
    got <- .Call(cw_r_cell_novelty, block, list(
        view = .engineView(model$view, data), centre = t(model$centre),
        typical = model$ownCosine, rotation = space$rotation,
        origin = as.vector(space$centre %*% space$rotation),
        mean = t(space$means), middle = model$middle,
        inverse = model$overall, own = .engineView(model$own$view, data),
        axis = model$own$rotation), threads)
    list(raw = t(got$raw), point = got$point)
}

## Mean over the nearest landmarks (dims x landmarks) of values (landmarks x
## v).
.smoothOver <- function(point, landmark, value, threads, k = 15L) {
    k <- min(k, max(3L, ncol(landmark) %/% 10L), ncol(landmark))
    t(.Call(cw_r_neighbour_means, point, landmark, t(value),
        as.integer(k), threads)$mean)
}

## Share of `among` (sorted) that is at most x.
.shareBelow <- function(x, among) findInterval(x, among) / length(among)

## ---- a query ---------------------------------------------------------------

## What .noveltyScores() and .novelGroups() need: `query` holds the cells that
## stand for it, whose numbers `at` are; at most 5,000 of these are landmarks
## (`landmarks`: their numbers). `null`: of the reference's held-out cells.
.noveltyFit <- function(annotator, ref, query, at, o) {
    null <- .heldOutNovelty(annotator, ref, o)
    few <- .spreadCells(query$n, .noveltyCells)
    if (length(few) < query$n) {
        query <- .partOf(query, few)
    }
    guess <- .classify(ref, query, annotator@models$nGenes, "guess",
        annotator@models$guess)$logp
    model <- .noveltyModel(.capped(ref, o), query, tabulate(.callsOf(guess),
        ref$K) / query$n)
    marks <- .noveltyOf(model, query$block, query, o$threads)
    list(model = model, query = query, landmarks = at[few],
        point = marks$point, value = .noveltyValues(marks$raw, marks$raw,
            null$raw), null = null, types = ref$types)
}

## Columns of the table of cells for a block: `novelty` is 1 less the smoothed
## mean rank among the query's landmarks; `noveltyP` the share of the
## reference's held-out cells that are at least as unlike, `noveltyHeld`, by the
## same scores ranked among these.
.noveltyScores <- function(like, block, data, o) {
    point <- .noveltyOf(like$model, block, data, o$threads)$point
    smooth <- .smoothOver(point, like$point, like$value, o$threads)
    list(novelty = 1 - smooth[, 1L], noveltyP = .upperP(1 - smooth[, 2L],
        like$null$score), noveltyHeld = 1 - smooth[, 2L])
}

## list(groups, similarity, findable). groups: a row per group: cells, share at
## p < .05, mean novelty, and whether that is above what 95% of the reference's
## held-out cells have; similarity: the cosine of the mean profile of its unlike
## cells (all, where there are none) with the types'.
.novelGroups <- function(like, group, cells, o) {
    model <- like$model
    each <- split(seq_along(group), .asFactor(group))
    z <- .unitCells(.cellMatrix(like$query$block, like$query, model$view,
        o$threads))
    own_group <- group[like$landmarks]
    odd <- cells$noveltyP[like$landmarks] < 0.05
    profile <- vapply(names(each), function(name) {
        own <- own_group == name & !is.na(own_group)
        use <- if (any(own & odd)) own & odd else own
        colMeans(z[use, , drop = FALSE])
    }, numeric(ncol(z)))
    similarity <- tcrossprod(.unitCells(t(profile)), model$centre)
    dimnames(similarity) <- list(names(each), like$types[model$present])
    limit <- stats::quantile(like$null$score, 0.95, names = FALSE)
    mean_of <- function(v) vapply(each, function(i) mean(v[i]), 0)
    groups <- data.frame(group = names(each), cells = lengths(each),
        unlike = mean_of(cells$noveltyP < 0.05),
        novelty = mean_of(cells$noveltyHeld), row.names = NULL)
    groups$unknown <- groups$novelty > limit
    groups$nearest <- like$types[model$present][max.col(similarity, "first")]
    list(groups = groups, similarity = similarity,
        findable = like$null$findable)
}

## Mean ranks (0 to 1) among the query's landmarks, and among the reference's
## held-out cells.
.noveltyValues <- function(raw, landmarks, held) {
    rank <- function(among) {
        rowMeans(cbind(.shareBelow(raw[, 1L], sort(among[, 1L])),
            .shareBelow(raw[, 2L], sort(among[, 2L]))))
    }
    cbind(rank(landmarks), rank(held))
}

.upperP <- function(x, null) {
    n <- length(null)
    (1 + n - findInterval(x, sort(null), left.open = TRUE)) / (1 + n)
}

## At most 5,000 cells, evenly over types.
.capped <- function(ref, o) {
    at <- unname(.capCells(ref$y, max(20L, .noveltyCells %/% ref$K),
        .shuffled(length(ref$y), o$key, 4)))
    if (length(at) == length(ref$y)) ref else .subReference(ref, at)
}

## ---- the reference's own held-out cells ------------------------------------

## list(raw, score (smoothed novelty), findable): whole blocks (or random
## cells) held out in turn.
.heldOutNovelty <- function(annotator, ref, o) {
    small <- .heldOutCells(ref, annotator@reference$block, o)
    s <- small$ref
    fold <- small$few
    parts <- lapply(sort(unique(fold)), function(j) {
        .foldNovelty(s, fold, j, o)
    })
    raw <- do.call(rbind, lapply(parts, `[[`, "raw"))
    score <- unlist(lapply(parts, function(p) {
        value <- .noveltyValues(p$raw, p$raw, raw)[, 2L, drop = FALSE]
        1 - .smoothOver(p$point, p$point, value, o$threads)
    }))
    list(raw = raw, score = score, findable = .findable(s, fold, o))
}

## Scores of a held-out part (`query`); `without`: a type to leave out of the
## rest.
.foldNovelty <- function(s, fold, j, o, query = .subQuery(s, which(fold == j)),
    geometry = .ownSpace(query, o$threads), without = 0L) {
    train <- .subReference(s, which(fold != j & s$y != without))
    centroid <- .scoreBlock(query$block, query, list(.centroids(train, 300L)),
        o$threads)[[1L]]
    centroid[, train$moments$n == 0] <- -Inf
    model <- .noveltyModel(train, query, tabulate(.callsOf(centroid), s$K) /
        query$n, geometry)
    .noveltyOf(model, query$block, query, o$threads)
}

.mostFindable <- 25L

## Per type of at least 8 cells in the first held-out part: the area under the
## curve of novelty for its cells had it been missing. The 25 largest types.
.findable <- function(s, fold, o) {
    held <- s$y[fold == 1L]
    n <- tabulate(held, s$K)
    tried <- head(order(-n)[sort(n, decreasing = TRUE) >= 8L], .mostFindable)
    if (s$K < 3L || !length(tried)) {
        return(NULL)
    }
    query <- .subQuery(s, which(fold == 1L))
    geometry <- .ownSpace(query, o$threads)
    area <- vapply(tried, function(k) {
        part <- .foldNovelty(s, fold, 1L, o, query, geometry, k)
        value <- .noveltyValues(part$raw, part$raw, part$raw)[, 1L,
            drop = FALSE]
        score <- 1 - .smoothOver(part$point, part$point, value, o$threads)
        .auroc(score[held == k], score[held != k])
    }, 0)
    out <- data.frame(type = s$types[tried], cells = n[tried], auroc = area)
    out[order(out$auroc), , drop = FALSE]
}

## ---- for users -------------------------------------------------------------

#' How unlike every type of the reference are cells?
#'
#' The score of [annotateCells()] for cells of types that the reference lacks.
#'
#' @details
#' Two measures are ranked and averaged: the cosine to the nearest type's
#' centroid over the median of that type's own cells, and the Mahalanobis
#' distance to the nearest type less that to all cells together. The mean rank
#' is averaged over 15 neighbours in the 20 principal components of the cells'
#' own most dispersed genes. `score` ranks among the cells given; `p` compares
#' with held-out cells of the reference, and is too small where batches differ.
#'
#' A missing type is found only if it is unlike every other: siblings are
#' absorbed silently. `as.data.frame(labels, which = "findable")` says which of
#' the reference's own types would have been found.
#'
#' @param x labels of [annotateCells()], or cells as it takes them.
#' @param ... for cells: `reference` and what else [annotateCells()] takes.
#' @return A data.frame: `cell`, `label` (the nearest type), `score` (0 to 1,
#'   high: unlike), `p`.
#' @section Errors: labels that were made with `novelty = FALSE`.
#' @seealso [rankNovelTypes()]
#' @examples
#' cells <- exampleCells(180)
#' labels <- annotateCells(cells, cells[, cells$time < 0.7], "group",
#'     nPerm = 3, seed = 1)
#' head(noveltyScore(labels))
#' @export
noveltyScore <- function(x, ...) {
    if (!methods::is(x, "CellLabels")) {
        x <- annotateCells(x, ..., novelty = TRUE)
    } else {
        .noDots(...)
    }
    cells <- x@tables$cells
    if (is.null(cells$novelty)) {
        .stopArgument("x", "was made with novelty = FALSE; say novelty = TRUE ",
            "in annotateCells()."
        )
    }
    data.frame(cell = cells$cell, label = cells$label, score = cells$novelty,
        p = cells$noveltyP)
}
