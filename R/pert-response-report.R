## What predictResponse() returns.

.responseReport <- function(d, tested, job) {
    chosen <- .responseDefault(d$learn, job$method)
    scores <- stats::aggregate(tested[-(1:2)], tested["method"], mean)
    scores <- scores[match(c(.responseMethods, "floor"), scores$method), ]
    rownames(scores) <- NULL
    moved <- .moveCells(d, chosen, job)
    .report("ResponsePrediction", .responseVerdict(d, tested, scores, chosen,
        moved), list(scores = scores, groups = tested, genes = moved$genes),
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
    maps <- .responseMaps(a$scores[learn, , drop = FALSE], d$treated[learn],
        d$group[learn], d$learn, job$threads)
    at <- which(!d$treated & d$group %in% groups)
    z <- maps[[chosen]](a$scores[at, , drop = FALSE])
    change <- (z - a$scores[at, , drop = FALSE]) %*% t(a$axes)
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

.responseVerdict <- function(d, tested, scores, chosen, moved) {
    of <- function(m) scores[scores$method == m, ]
    best <- scores[scores$method %in% setdiff(.responseMethods, chosen), ]
    best <- best[which.min(best$energy), ]
    each <- function(m) tested$energy[tested$method == m]
    wins <- sum(each(chosen) < each("identity"))
    good <- of(chosen)$energy < of("identity")$energy &&
        of(chosen)$explained > 0 && wins > length(d$learn) / 2 &&
        of("identity")$energy > 2 * max(of("floor")$energy, 1e-3)
    text <- c(
        if (good) paste0("Predicts the response: yes, better than doing ",
            "nothing in ", wins, " of ", .count(length(d$learn), "group"),
            if (length(d$learn) == 1L) " (half of the cells left out)" else
                " left out", ".") else paste0(
            "Predicts the response: no, not better than doing nothing."),
        sprintf(paste0("%s: energy distance %.2f (doing nothing %.2f, half of ",
            "the treated cells %.2f); %.0f%% of the mean shift explained."),
            chosen, of(chosen)$energy, of("identity")$energy,
            of("floor")$energy, 100 * of(chosen)$explained),
        sprintf("Best of the others: %s, energy distance %.2f.", best$method,
            best$energy)
    )
    .verdict(text, holds = good)
}
