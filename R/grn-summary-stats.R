## What a summary computes: overlaps, marginal shares, shares between cells.

## What a summary says of one network: its strongest edges, those of
## correlations (where expression is at hand), its marginal share.
.pooledParts <- function(pooled, expression, top) {
    self <- .selfEdges(pooled@scores)
    possible <- length(self) - sum(self)
    used <- max(1, min(top, floor(possible / 10)))
    list(
        possible = possible, topEdges = edgeTable(pooled, top = 10L,
            self = FALSE), top = used,
        overlap = if (is.null(expression)) data.frame() else
            .baselineOverlap(pooled@scores, expression, used),
        marginalShare = .marginalShare(pooled@scores, self)
    )
}

## Between-cell share and marginal share of single cells, cell by cell.
.stateMoments <- function(x, at) {
    self <- .selfEdges(cellNetwork(x, at[[1L]]))
    single <- .evenly(length(at), 10L)
    share <- numeric()
    sum <- squares <- 0 * self
    for (i in seq_along(at)) {
        s <- cellNetwork(x, at[[i]])
        sum <- sum + s
        squares <- squares + s^2
        if (i %in% single) {
            share <- c(share, .marginalShare(s, self))
        }
    }
    n <- length(at)
    within <- sum(squares[!self]) - sum(sum[!self]^2) / n
    total <- sum(squares[!self]) - sum(sum[!self])^2 / (n * sum(!self))
    flat <- n < 2L || total <= 1e-12 * sum(squares[!self])
    list(
        marginalShareCells = mean(share), singleCells = length(share),
        betweenCells = if (flat) NA_real_ else max(0, within / total)
    )
}

## `n` of 1..total, evenly spaced.
.evenly <- function(total, n) {
    unique(as.integer(round(seq(1, total, length.out = min(total, n)))))
}

.selfEdges <- function(scores) {
    outer(rownames(scores), colnames(scores), `==`)
}

## R^2 of scores ~ TF + gene without self edges: alternating least squares on
## the two sets of effects, which needs row and column sums only.
.marginalShare <- function(scores, self) {
    s <- scores
    s[self] <- 0
    n <- length(s) - sum(self)
    use <- 1 - self
    rowN <- pmax(1, rowSums(use))
    colN <- pmax(1, colSums(use))
    grand <- sum(s) / n
    total <- sum((scores - grand)[!self]^2)
    if (n < 1 || total <= 1e-12 * n * max(grand^2, 1e-30)) {
        return(NA_real_)
    }
    column <- numeric(ncol(s))
    for (step in seq_len(200L)) {
        row <- (rowSums(s) - as.vector(use %*% column)) / rowN
        new <- (colSums(s) - as.vector(row %*% use)) / colN
        moved <- max(abs(new - column))
        column <- new
        if (moved <= 1e-10 * max(abs(grand), 1e-30)) break
    }
    rest <- scores - outer(row, column, `+`)
    max(0, 1 - sum(rest[!self]^2) / total)
}

## Variance of scores between cells within an edge / total variance.
.betweenCells <- function(x, at, possible) {
    if (length(at) < 2L || possible < 1) {
        return(NA_real_)
    }
    moments <- lapply(.cellBlocks(x, at), function(block) {
        part <- .cellView(x, block)
        .Call(cw_r_network_moments, part$view, part$cells, .threads())
    })
    moments <- list(
        sum = unlist(lapply(moments, `[[`, "sum")),
        squares = unlist(lapply(moments, `[[`, "squares"))
    )
    mean <- .poolCells(x, as.integer(at))@scores
    mean <- mean[!.selfEdges(mean)]
    n <- length(at)
    squares <- sum(moments$squares)
    total <- squares - n * possible * (sum(moments$sum) / (n * possible))^2
    if (total <= 1e-12 * squares) {
        return(NA_real_)
    }
    max(0, (squares - n * sum(mean^2)) / total)
}

## Rows of `expression` (genes x cells) for the genes `at`, dense, ranked if
## asked, with mean 0 and length 1; 0 for a gene that doesn't vary.
.unitRows <- function(byCell, at, ranked) {
    x <- as.matrix(byCell[, at, drop = FALSE])
    if (ranked) {
        x <- apply(x, 2L, rank)
    }
    x <- sweep(x, 2L, colMeans(x))
    size <- sqrt(colSums(x^2))
    flat <- size <= 1e-9 * sqrt(nrow(x))
    sweep(x, 2L, ifelse(flat, Inf, size), `/`)
}

## Correlation of each TF with each gene over cells -> TFs x genes.
.correlations <- function(expression, tfAt, method) {
    ranked <- method == "spearman"
    if (ncol(expression) < 2L) {
        return(matrix(0, length(tfAt), nrow(expression)))
    }
    if (.isDelayed(expression)) {
        if (!ranked) {
            return(.streamedPearson(expression, tfAt))
        }
        expression <- .drawnValues(expression)
    }
    byCell <- Matrix::t(expression)
    tf <- .unitRows(byCell, tfAt, ranked)
    starts <- seq(1L, ncol(byCell), by = 256L)
    blocks <- lapply(starts, function(first) {
        at <- first:min(ncol(byCell), first + 255L)
        crossprod(tf, .unitRows(byCell, at, ranked))
    })
    do.call(cbind, blocks)
}

.baselineOverlap <- function(scores, expression, top) {
    tfAt <- match(rownames(scores), colnames(scores))
    use <- !.selfEdges(scores)
    flat <- t(scores)[t(use)]
    mine <- head(order(-flat, method = "radix"), top)
    ranks <- rank(flat)
    rows <- lapply(c("pearson", "spearman"), function(method) {
        r <- .correlations(expression, tfAt, method)
        r <- t(r)[t(use)]
        signed <- list(abs(r), r)
        names <- paste(method, c("|r|", "r"))
        do.call(rbind, lapply(seq_along(signed), function(i) {
            other <- head(order(-signed[[i]], method = "radix"), top)
            shared <- length(intersect(mine, other))
            data.frame(
                baseline = names[[i]], shared = shared,
                fraction = shared / top, jaccard = shared / (2 * top - shared),
                chance = top / length(flat),
                rankCorrelation = .rankCorrelation(ranks, signed[[i]])
            )
        }))
    })
    do.call(rbind, rows)
}

## Spearman's correlation of x with the values that have the given ranks.
.rankCorrelation <- function(ranks, x) {
    x <- rank(x)
    if (length(x) < 2L || stats::sd(ranks) == 0 || stats::sd(x) == 0) {
        return(NA_real_)
    }
    stats::cor(ranks, x)
}
