## What GEARS is told beside cells: graphs, and gene vectors of other models.

## ---- graphs ----------------------------------------------------------------

## Of links (i: target, j: source, from 1; x) the strongest `most` of each
## target.
.topLinks <- function(i, j, x, most) {
    order <- order(i, -x, j)
    i <- i[order]
    first <- !duplicated(i)
    place <- seq_along(i) - cummax(ifelse(first, seq_along(i), 0L))
    keep <- order[place < most]
    data.frame(target = as.integer(i[place < most] - 1L),
        source = as.integer(j[keep] - 1L), weight = x[keep])
}

.coexpressionLinks <- function(values, s, threads, most = 5000L) {
    n <- ncol(values)
    at <- if (n > most) round(seq(1, n, length.out = most)) else seq_len(n)
    z <- t(as.matrix(values[, at, drop = FALSE]))
    z <- .lessEach(z, colMeans(z))
    norm <- sqrt(colSums(z^2))
    z <- .perColumn(z, ifelse(norm > 1e-8, norm, Inf))
    r <- abs(.product(z, z, threads))
    diag(r) <- 1
    keep <- which(r > s$threshold, arr.ind = TRUE)
    .topLinks(keep[, 2L], keep[, 1L], r[keep], s$neighbours + 1L)
}

## Jaccard of sets of terms.
.termLinks <- function(go, genes, s) {
    go <- go[go$gene %in% genes, ]
    if (is.null(go) || !nrow(go)) {
        return(.noLinks())
    }
    terms <- unique(go$term)
    f <- .edgeMatrix(data.frame(from = go$gene, to = go$term), genes, terms)
    both <- methods::as(methods::as(Matrix::tcrossprod(f), "generalMatrix"),
        "TsparseMatrix")
    n <- Matrix::rowSums(f)
    i <- both@i + 1L
    j <- both@j + 1L
    x <- both@x / (n[i] + n[j] - both@x)
    keep <- x > s$overlap
    .topLinks(i[keep], j[keep], x[keep], s$neighbours + 1L)
}

## ---- embeddings of other models --------------------------------------------

## Rows of an embedding for the readouts; the mean where there is none.
.readoutVectors <- function(embedding, readouts) {
    if (methods::is(embedding, "FoundationModel")) {
        embedding <- .sideEmbedding(embedGenes(readouts, embedding),
            "geneEmbedding")
    }
    at <- .embeddedGenes(rownames(embedding), readouts)
    out <- embedding[at, , drop = FALSE]
    out[is.na(at), ] <- rep(colMeans(embedding), each = sum(is.na(at)))
    rownames(out) <- NULL
    out
}

.embeddedGenes <- function(names, readouts) {
    at <- match(toupper(readouts), toupper(names))
    if (all(is.na(at))) {
        .stopArgument("geneEmbedding", "has none of the screen's genes: its ",
            "are like ", .some(names, 3L), ".")
    }
    at
}

## Of control cells, each its own: `vectors`, a function of numbers of cells (of
## d) that gives width x readouts x cells; `has`, the control cells that have
## them; `width`. A gene that is missing has the cell's mean.
.vectorsOfCells <- function(embedding, d) {
    gene <- .embeddedGenes(dimnames(embedding)[[2L]], d$readouts)
    row <- match(d$cells, dimnames(embedding)[[1L]])
    has <- which(d$of == 0L & !is.na(row))
    if (length(has) < 2L) {
        .stopArgument("geneEmbedding", "has ", .count(length(has),
            "control cell"), " of the screen's, which are like ",
            .some(d$cells[d$of == 0L], 3L), "; 2 are needed.")
    }
    list(has = has, width = dim(embedding)[[3L]], vectors = function(cells) {
        vapply(row[cells], function(i) {
            v <- t(embedding[i, , ])
            out <- v[, gene, drop = FALSE]
            out[, is.na(gene)] <- rowMeans(v)
            out
        }, matrix(0, dim(embedding)[[3L]], length(gene)))
    })
}
