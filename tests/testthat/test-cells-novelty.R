## noveltyScore(): cells of a type that the reference lacks.

test_that("a missing type that differs is found, by group and by cell", {
    cells <- simulatedTypes(40, types = c("B", "NK", "T"))
    x <- simulatedTypes(40, types = c("B", "NK", "T", "new"), seed = 2)
    l <- annotateCells(x, cells, nPerm = 3, block = "donor",
        cluster = "cell_type", seed = 1, verbose = FALSE)
    s <- noveltyScore(l)
    expect_gt(causeway:::.auroc(s$score[x$cell_type == "new"],
        s$score[x$cell_type != "new"]), 0.8)
    g <- as.data.frame(l, which = "groups")
    expect_identical(g$group[which.max(g$novelty)], "new")
    expect_true(all(s$p > 0 & s$p <= 1))
    f <- as.data.frame(l, which = "findable")
    expect_true(all(f$auroc > 0.5))
})

test_that("labels without novelty say how to get it", {
    l <- annotateCells(simulatedTypes(10, seed = 2), simulatedAnnotator(),
        novelty = FALSE, seed = 1, verbose = FALSE)
    expect_error(noveltyScore(l), "novelty = TRUE")
    expect_null(as.data.frame(l)$novelty)
})

test_that("p is a share of the null", {
    expect_equal(causeway:::.upperP(c(0, 2.5, 9), 1:4), c(1, 3 / 5, 1 / 5))
})

test_that("both measures of novelty are as defined", {
    a <- simulatedAnnotator()
    stored <- a@reference
    ref <- causeway:::.reference(stored$matrix, seq_len(nrow(stored$matrix)),
        stored$logged, stored$y, stored$types)
    data <- causeway:::.partOf(causeway:::.dataSet(SingleCellExperiment::counts(
        simulatedTypes(seed = 2)), seq_len(nrow(stored$matrix)), FALSE), 1:120)
    model <- causeway:::.noveltyModel(ref, data, c(0.2, 0.3, 0.5))
    got <- causeway:::.noveltyOf(model, data$block, data, 2L)
    z <- causeway:::.cellMatrix(data$block, data, model$view)
    centred <- z - rowMeans(z)
    cosine <- tcrossprod(centred / sqrt(rowSums(centred^2)), model$centre)
    best <- max.col(cosine, "first")
    white <- sweep(z, 2, model$space$centre) %*% model$space$rotation
    near <- apply(white, 1, function(v) {
        min(colSums((t(model$space$means) - v)^2))
    })
    away <- sweep(white, 2, model$middle)
    expect_equal(got$raw, cbind(apply(cosine, 1, max) / model$ownCosine[best],
        rowSums((away %*% model$overall) * away) - near), tolerance = 1e-4)
    expect_equal(t(got$point), causeway:::.cellMatrix(data$block, data,
        model$own$view) %*% model$own$rotation, tolerance = 1e-4)
})
