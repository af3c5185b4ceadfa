## Tables of edges, and igraph.

## All edges of a matrix, highest first, ties by TF then gene.
sortedEdges <- function(scores, self = TRUE) {
    flat <- as.vector(t(scores))
    all <- data.frame(
        Gene1 = rep(rownames(scores), each = ncol(scores)),
        Gene2 = rep(colnames(scores), nrow(scores)), score = flat
    )
    if (!self) all <- all[all$Gene1 != all$Gene2, ]
    all <- all[order(-all$score), ]
    rownames(all) <- NULL
    all
}

test_that("top edges are exact, with ties in the order of TF and gene", {
    grn <- exampleGRN()
    for (self in c(TRUE, FALSE)) {
        for (top in c(1, 7, 300)) {
            got <- edgeTable(grn, cells = "cell07", top = top, self = self)
            want <- head(sortedEdges(cellNetwork(grn, 7), self), top)
            expect_equal(got, want)
        }
    }
    expect_named(got, c("Gene1", "Gene2", "score"))
    expect_equal(nrow(edgeTable(grn, cells = 1, top = Inf)), 8 * 40)
    expect_equal(nrow(edgeTable(grn, 1, top = Inf, self = FALSE)), 8 * 39)
    ## equal scores: the same factors in all rows
    flat <- causeway:::.factorsFromDense(
        array(0.5, c(2, 2, 2)), array(0.5, c(2, 5, 2)), 2L
    )
    tied <- CellGRN(c("b", "d"), letters[1:5], c("x", "y"), 2, 2, flat,
        matrix(1, 5, 2)
    )
    e <- edgeTable(tied, cells = 2, top = 6, self = FALSE)
    expect_identical(e$Gene1, rep(c("b", "d"), c(4, 2)))
    expect_identical(e$Gene2, c("a", "c", "d", "e", "a", "b"))
})

test_that("several cells come one after the other, in the order asked for", {
    grn <- exampleGRN()
    got <- edgeTable(grn, cells = c(5, 2), top = 4)
    expect_named(got, c("cell_id", "Gene1", "Gene2", "score"))
    expect_identical(got$cell_id, rep(c("cell05", "cell02"), each = 4))
    expect_equal(got[5:8, -1], edgeTable(grn, cells = 2, top = 4),
        ignore_attr = TRUE
    )
    expect_equal(nrow(edgeTable(grn, top = 3)), 120)
})

test_that("a threshold keeps exactly the edges at or above it", {
    grn <- exampleGRN()
    at <- cellNetwork(grn, 3)[2, 9]
    at <- sort(cellNetwork(grn, 3), decreasing = TRUE)[[20]]
    got <- edgeTable(grn, cells = 3, threshold = at)
    all <- sortedEdges(cellNetwork(grn, 3))
    expect_equal(got, all[all$score >= at, ])
    many <- edgeTable(grn, threshold = 0.3, self = FALSE)
    expect_false(any(many$Gene1 == many$Gene2))
    expect_true(all(many$score >= 0.3))
    count <- vapply(seq_along(cellNames(grn)), function(c) {
        e <- sortedEdges(cellNetwork(grn, c), FALSE)
        sum(e$score >= 0.3)
    }, numeric(1))
    expect_equal(nrow(many), sum(count))
    none <- edgeTable(grn, cells = 1:2, threshold = 99)
    expect_equal(nrow(none), 0)
    expect_named(none, c("cell_id", "Gene1", "Gene2", "score"))
})

test_that("pooled networks make the same kind of table", {
    pooled <- poolGRN(exampleGRN())
    expect_equal(edgeTable(pooled, top = 9),
        head(sortedEdges(as.matrix(pooled)), 9)
    )
    expect_equal(as.data.frame(pooled), sortedEdges(as.matrix(pooled)))
    expect_equal(nrow(edgeTable(pooled, threshold = -1, self = FALSE)), 312)
})

test_that("arguments that can't be together or be at all are refused", {
    grn <- exampleGRN()
    expect_error(edgeTable(grn, top = 1, threshold = 1), "used together")
    expect_error(edgeTable(poolGRN(grn), top = 1, threshold = 1), "together")
    expect_message(edgeTable(grn, cells = 1), "1000")
    expect_error(edgeTable(grn, top = 0), "'top' must be")
    expect_error(edgeTable(grn, threshold = NA), "'threshold' must be")
    expect_error(edgeTable(grn, self = NA, top = 1), "'self' must be")
    expect_error(edgeTable(grn, cells = "no", top = 1), "aren't in the object")
})

test_that("graphs carry the edges and their scores", {
    grn <- exampleGRN()
    graph <- toIgraph(grn, top = 25)
    want <- edgeTable(poolGRN(grn), top = 25, self = FALSE)
    expect_true(igraph::is_directed(graph))
    got <- igraph::as_data_frame(graph)
    expect_equal(got$from, want$Gene1)
    expect_equal(got$to, want$Gene2)
    expect_equal(got$weight, want$score)
    expect_identical(igraph::V(graph)$tf,
        igraph::V(graph)$name %in% tfNames(grn)
    )
    expect_equal(igraph::ecount(as(grn, "igraph")), 312)
    expect_equal(igraph::ecount(as(poolGRN(grn), "igraph")), 312)
})

test_that("edges of some TFs and genes only", {
    grn <- exampleGRN()
    tfs <- c("MYOG", "SRF")
    targets <- c("CKM", "DES", "MYH3", "MYOG")
    want <- function(scores, top) {
        all <- sortedEdges(scores, FALSE)
        all <- all[all$Gene1 %in% tfs & all$Gene2 %in% targets, ]
        rownames(all) <- NULL
        head(all, top)
    }
    pooled <- poolGRN(grn)
    expect_equal(edgeTable(pooled, top = 3, self = FALSE, tfs = tfs,
        targets = targets
    ), want(as.matrix(pooled), 3))
    got <- edgeTable(grn, cells = c(4, 2), top = 3, self = FALSE, tfs = tfs,
        targets = targets
    )
    expect_equal(got[1:3, -1], want(cellNetwork(grn, 4), 3))
    expect_identical(got$cell_id, rep(c("cell04", "cell02"), each = 3))
    few <- edgeTable(grn, threshold = 0.2, targets = "CKM")
    expect_true(all(few$Gene2 == "CKM" & few$score >= 0.2))
    expect_error(edgeTable(pooled, top = 3, tfs = "CKM"), "aren't TFs")
    expect_error(edgeTable(pooled, top = 3, targets = "ZZ"), "aren't genes")
    expect_error(edgeTable(grn, 1, top = 3, targets = 2), "names of genes")
})
