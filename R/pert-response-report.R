## What predictResponse() returns.

.responseReport <- function(d, tested, job) {
    chosen <- .responseDefault(d$learn, job$method)
    d <- .withGenes(d, d$whole)
    scores <- stats::aggregate(tested$scores[-(1:2)], tested$scores["method"],
        mean)
    scores <- scores[match(unique(tested$scores$method), scores$method), ]
    rownames(scores) <- NULL
    moved <- .moveCells(d, chosen, job)
    .report("ResponsePrediction", .responseVerdict(d, tested, scores, chosen,
        job$key), list(scores = scores, groups = tested$scores,
            genes = moved$genes),
        list(method = chosen, learnt = d$learn, moved = moved$groups,
            cells = length(d$treated), genes = length(d$genes),
            components = moved$components), .keyText(job$key),
        cells = moved$cells
    )
}

## Untreated cells of groups that were never treated, or of all.
.moveCells <- function(d, chosen, job) {
    learn <- d$group %in% d$learn
    groups <- setdiff(unique(d$group[!d$treated]), d$learn)
    if (!length(groups)) {
        groups <- d$learn
    }
    a <- .responseAxes(d, seq_along(d$treated), job$nComponents)
    job$nets <- job$nets[intersect(names(job$nets), chosen)]
    maps <- .responseMaps(d, a, learn, d$learn, job)
    at <- which(!d$treated & d$group %in% groups)
    z <- maps[[chosen]](a$scores[at, , drop = FALSE], at)
    .movedCells(d, a, at, z, groups)
}

## The cells `at` whose components are now z: expression, genes that change.
.movedCells <- function(d, a, at, z, groups) {
    old <- if (is.null(a$scores)) d$scores else a$scores
    change <- (z - old[at, , drop = FALSE]) %*% t(a$axes)
    values <- t(pmax(as.matrix(d$x[at, , drop = FALSE]) + change, 0))
    dimnames(values) <- list(d$genes, d$cells[at])
    dimnames(z) <- list(d$cells[at], paste0("PC", seq_len(ncol(z))))
    cells <- SingleCellExperiment::SingleCellExperiment(
        assays = list(logcounts = values),
        colData = S4Vectors::DataFrame(group = d$group[at],
            row.names = d$cells[at]),
        reducedDims = list(PCA = z)
    )
    genes <- do.call(rbind, lapply(groups, function(g) {
        delta <- colMeans(change[d$group[at] == g, , drop = FALSE])
        top <- order(-abs(delta))[seq_len(min(50L, length(delta)))]
        data.frame(group = g, gene = d$genes[top], delta = delta[top])
    }))
    list(cells = cells, genes = genes, groups = groups,
        components = ncol(z))
}

## Energy distance saved against another method: mean over groups with its 95%
## interval, groups and their cells drawn anew.
.responseGain <- function(samples, scores, chosen, other, key) {
    of <- function(m) scores$energy[scores$method == m]
    D <- samples[[other]] - samples[[chosen]]
    n <- nrow(D)
    at <- matrix((.shuffled(n * ncol(D), key, 36L) - 1L) %% n + 1L, n)
    means <- vapply(seq_len(ncol(D)), function(b) mean(D[at[, b], b]), 0)
    c(mean(of(other) - of(chosen)),
        stats::quantile(means, c(0.025, 0.975), names = FALSE))
}

.responseVerdict <- function(d, tested, scores, chosen, key) {
    of <- function(m) scores[scores$method == m, ]
    each <- function(m) tested$scores$energy[tested$scores$method == m]
    gain <- function(other) {
        .responseGain(tested$samples, tested$scores, chosen, other, key)
    }
    n <- length(d$learn)
    wins <- function(other) {
        paste0("in ", sum(each(chosen) < each(other)), " of ",
            .count(n, "group"), if (n == 1L) " (half of the cells left out)"
            else " left out")
    }
    saved <- if (chosen == "identity") c(0, 0, 0) else gain("identity")
    good <- saved[[2L]] > 0 && of(chosen)$explained > 0 &&
        sum(each(chosen) < each("identity")) > n / 2 &&
        of("identity")$energy > 2 * max(of("floor")$energy, 1e-3)
    interval <- function(x) sprintf("%.2f [%.2f, %.2f]", x[[1L]], x[[2L]],
        x[[3L]])
    text <- c(
        if (good) paste0("Predicts the response: yes, better than doing ",
            "nothing ", wins("identity"), ".") else paste0(
            "Predicts the response: no, not better than doing nothing."),
        sprintf(paste0("%s: energy distance %.2f (doing nothing %.2f, half of ",
            "the treated cells %.2f), saved %s; %.0f%% of the mean shift ",
            "explained."), chosen, of(chosen)$energy, of("identity")$energy,
            of("floor")$energy, interval(saved), 100 * of(chosen)$explained),
        if (!chosen %in% c("identity", "mean shift")) {
            more <- gain("mean shift")
            paste0("Beside moving all cells alike: ", if (more[[2L]] > 0)
                "better" else if (more[[3L]] < 0) "worse" else
                "no difference shown", " (mean shift ",
                sprintf("%.2f", of("mean shift")$energy), ", saved ",
                interval(more), "), ", wins("mean shift"), ".")
        },
        .bestOther(scores, chosen)
    )
    .verdict(text, holds = good)
}

.bestOther <- function(scores, chosen) {
    rest <- scores[!scores$method %in% c(chosen, "floor"), ]
    best <- rest[which.min(rest$energy), ]
    sprintf("Best of the others: %s, energy distance %.2f.", best$method,
        best$energy)
}
