## What is known of genes beside the screen: similarities (kernels) and direct
## profiles. Both are made on demand for any genes, seen or not.

## Checked side information: `network` (from, to, weight), `go` (gene, term,
## weight), `graph` (from, to), `embedding` (genes x dimensions). Names in upper
## case throughout.
.sideInformation <- function(network, go, graph, embedding) {
    side <- list(
        network = if (!is.null(network)) .sideNetwork(network),
        go = if (!is.null(go)) .sideTerms(go),
        graph = if (!is.null(graph)) .sideGraph(graph),
        embedding = if (!is.null(embedding)) .sideEmbedding(embedding)
    )
    Filter(Negate(is.null), side)
}

## Two columns of a table, by the usual names or as the first two.
.twoColumns <- function(x, arg, first, second) {
    if (!is.data.frame(x) || ncol(x) < 2L) {
        .stopArgument(arg, "must be a data.frame with columns such as ",
            first[[1L]], " and ", second[[1L]], "; it is ",
            if (is.data.frame(x)) "one of one column" else
                paste("a", class(x)[[1L]]), "."
        )
    }
    pick <- function(names, other) {
        at <- match(names, names(x))
        at <- at[!is.na(at)]
        if (length(at)) at[[1L]] else other
    }
    at <- c(pick(first, 1L), pick(second, 2L))
    out <- lapply(at, function(i) toupper(trimws(as.character(x[[i]]))))
    if (!all(vapply(at, function(i) is.character(x[[i]]) ||
        is.factor(x[[i]]), NA))) {
        .stopArgument(arg, "must have names in its columns ",
            paste(names(x)[at], collapse = " and "), "."
        )
    }
    out
}

.sideNetwork <- function(x) {
    if (methods::is(x, "PooledGRN") || methods::is(x, "PerCellNetworks")) {
        x <- as.data.frame(if (methods::is(x, "PooledGRN")) x else poolGRN(x))
    }
    if (is.matrix(x) && is.numeric(x) && !is.null(rownames(x)) &&
        !is.null(colnames(x))) {
        at <- which(x != 0, arr.ind = TRUE)
        x <- data.frame(from = rownames(x)[at[, 1L]],
            to = colnames(x)[at[, 2L]], weight = x[at]
        )
    }
    ends <- .twoColumns(x, "network", c("from", "Gene1", "TF", "source"),
        c("to", "Gene2", "target")
    )
    weight <- x$sign
    if (is.null(weight) || all(weight %in% c(0, NA))) {
        weight <- if (is.numeric(x$weight)) x$weight else x$score
    }
    weight <- if (is.numeric(weight)) as.numeric(weight) else
        rep(1, nrow(x))
    weight[weight == 0] <- 1 # a sign that isn't known
    keep <- is.finite(weight) & !is.na(ends[[1L]]) & !is.na(ends[[2L]])
    twice <- duplicated(paste(ends[[1L]], ends[[2L]]))
    keep <- keep & !twice
    data.frame(from = ends[[1L]], to = ends[[2L]], weight = weight)[keep, ]
}

## Terms of 2 to 500 genes, weight log(18000 / size).
.sideTerms <- function(x) {
    if (is.list(x) && !is.data.frame(x) && !is.null(names(x))) {
        x <- data.frame(gene = as.character(unlist(x)),
            term = rep(names(x), lengths(x))
        )
    }
    ends <- .twoColumns(x, "go", c("gene", "symbol", "SYMBOL"),
        c("term", "go_id", "GO", "GOALL", "pathway")
    )
    table <- unique(data.frame(gene = ends[[1L]], term = ends[[2L]]))
    table <- table[!is.na(table$gene) & !is.na(table$term), ]
    size <- table(table$term)[table$term]
    table$weight <- log(18000 / as.numeric(size))
    table <- table[size >= 2L & size <= 500L, ]
    if (!nrow(table)) {
        .stopArgument("go", "has no term of 2 to 500 genes; give the terms of ",
            "all genes, not of the perturbed ones only."
        )
    }
    table
}

.sideGraph <- function(x) {
    ends <- .twoColumns(x, "graph", c("from", "Gene1", "protein1"),
        c("to", "Gene2", "protein2")
    )
    both <- unique(data.frame(from = c(ends[[1L]], ends[[2L]]),
        to = c(ends[[2L]], ends[[1L]])
    ))
    both[!is.na(both$from) & !is.na(both$to) & both$from != both$to, ]
}

.sideEmbedding <- function(x, arg = "embedding") {
    if (!is.matrix(x) || !is.numeric(x) || is.null(rownames(x)) ||
        any(!is.finite(x))) {
        .stopArgument(arg, "must be a matrix of finite numbers with ",
            "the genes as row names, as embedGenes() gives."
        )
    }
    rownames(x) <- toupper(rownames(x))
    x[!duplicated(rownames(x)), , drop = FALSE]
}

## ---- kernels ---------------------------------------------------------------

## Cosine of rows (genes x features), unit diagonal; a gene without features is
## like no other.
.cosine <- function(features) {
    length <- sqrt(Matrix::rowSums(features^2))
    has <- length > 0
    scaled <- features / ifelse(has, length, 1)
    K <- as.matrix(Matrix::tcrossprod(scaled))
    diag(K) <- 1
    K
}

## genes x `to`, sparse, from edges.
.edgeMatrix <- function(edges, genes, to, weight = NULL) {
    i <- match(edges$from, genes)
    j <- match(edges$to, to)
    keep <- !is.na(i) & !is.na(j)
    Matrix::sparseMatrix(i[keep], j[keep],
        x = if (is.null(weight)) rep(1, sum(keep)) else weight[keep],
        dims = c(length(genes), length(to))
    )
}

## `genes`: upper case. `seen`: those that the graph's degrees are counted in.
## list(kernels, direct, has): genes x genes; genes x readouts, sparse or not;
## data.frame of which genes have what.
.sideOf <- function(side, controls, readouts, sd, mean, genes, seen) {
    kernels <- list()
    direct <- list()
    up <- toupper(readouts)
    found <- list()
    if (!is.null(side$go)) {
        terms <- unique(side$go$term)
        f <- .edgeMatrix(data.frame(from = side$go$gene, to = side$go$term),
            genes, terms, side$go$weight)
        found$go <- Matrix::rowSums(f) > 0
        kernels$go <- .cosine(f)
    }
    if (!is.null(side$graph)) {
        parts <- .graphParts(side$graph, genes, seen, up)
        found$graph <- parts$has
        kernels$graph <- parts$kernel
        direct$graph <- parts$direct
    }
    if (!is.null(side$network)) {
        parts <- .networkParts(side$network, genes, up)
        found$network <- parts$has
        kernels$network <- parts$kernel
        direct[c("network", "network2")] <- parts$direct
    }
    if (!is.null(side$embedding)) {
        at <- match(genes, rownames(side$embedding))
        f <- side$embedding - rep(colMeans(side$embedding),
            each = nrow(side$embedding))
        f <- f[at, , drop = FALSE]
        f[is.na(at), ] <- 0
        found$embedding <- !is.na(at)
        kernels$embedding <- .cosine(f)
    }
    if (!is.null(controls)) {
        parts <- .controlParts(controls, genes, up, sd, mean)
        found$coexpression <- parts$has
        kernels$coexpression <- parts$kernel
        direct$covariance <- parts$direct
    }
    some <- vapply(found, any, NA)
    list(
        kernels = kernels[names(kernels) %in% names(some)[some]],
        direct = Filter(function(d) any(d != 0), direct),
        has = as.data.frame(c(list(gene = genes), found))
    )
}

.graphParts <- function(graph, genes, seen, readouts) {
    all <- unique(graph$to)
    degree <- table(factor(graph$to[graph$from %in% seen], all))
    f <- .edgeMatrix(graph, genes, all)
    f <- f %*% Matrix::Diagonal(x = 1 / sqrt(pmax(as.numeric(degree), 1)))
    list(kernel = .cosine(f), has = Matrix::rowSums(f) > 0,
        direct = -.edgeMatrix(graph, genes, readouts)
    )
}

.networkParts <- function(network, genes, readouts) {
    first <- .edgeMatrix(network, genes, readouts, network$weight)
    middle <- unique(network$from)
    steps <- .edgeMatrix(network, genes, middle, network$weight) %*%
        .edgeMatrix(network, middle, readouts, network$weight)
    list(kernel = .cosine(first), has = Matrix::rowSums(first != 0) > 0,
        direct = list(network = -first, network2 = -steps)
    )
}

## Control cells: what goes with the gene, and by how much the readouts fall
## when the gene's mean is taken away.
.controlParts <- function(controls, genes, readouts, sd, mean) {
    n <- nrow(controls$x)
    at <- match(genes, readouts)
    has <- !is.na(at)
    x <- controls$x
    count <- tabulate(controls$batch + 1L, ncol(controls$means))
    covariance <- function(rows) { # rows x readouts, within batches
        a <- as.matrix(Matrix::crossprod(x[, rows, drop = FALSE], x))
        m <- controls$means
        (a - (m[rows, , drop = FALSE] * rep(count, each = length(rows))) %*%
            t(m)) / max(n - length(count), 1)
    }
    v <- (Matrix::colSums(x^2) - drop(controls$means^2 %*% count)) /
        max(n - length(count), 1)
    v <- pmax(v, 0)
    floor <- stats::quantile(v[v > 0], 0.1, names = FALSE)
    found <- which(has)
    direct <- features <- matrix(0, length(genes), length(readouts))
    if (length(found)) {
        C <- covariance(at[found])
        r <- C / sqrt(outer(pmax(v[at[found]], 1e-12), pmax(v, 1e-12)))
        features[found, ] <- r - rep(.meanCorrelation(controls, v, count),
            each = length(found))
        d <- -C / pmax(v[at[found]], floor) * mean[at[found]] /
            rep(sd, each = length(found))
        d[cbind(seq_along(found), at[found])] <- 0
        direct[found, ] <- d
    }
    list(kernel = .cosine(features), has = has, direct = direct)
}

## Mean of the correlations of each readout with all.
.meanCorrelation <- function(controls, v, count) {
    z <- 1 / sqrt(pmax(v, 1e-12))
    z[v <= 1e-12] <- 0
    shift <- drop(crossprod(controls$means, z))
    along <- drop(as.matrix(controls$x %*% z)) - shift[controls$batch + 1L]
    n <- nrow(controls$x)
    all <- drop(as.matrix(Matrix::crossprod(controls$x, along))) -
        drop(controls$means %*% vapply(seq_along(count) - 1L, function(b) {
            sum(along[controls$batch == b])
        }, 0))
    all * z / max(n - length(count), 1) / length(v)
}
