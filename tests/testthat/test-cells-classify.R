## The default classifier and the baselines.

task <- function(query = simulatedTypes(20, seed = 5)) {
    cells <- simulatedTypes(30)
    types <- c("B", "NK", "T")
    ref <- causeway:::.reference(SingleCellExperiment::counts(cells), 1:160,
        FALSE, match(cells$cell_type, types), types)
    q <- causeway:::.dataSet(SingleCellExperiment::counts(query), 1:160, FALSE)
    q$block <- causeway:::.typeBlock(q)
    list(ref = ref, query = q, truth = match(query$cell_type, types))
}

test_that("every method finds types that differ", {
    t <- task()
    for (m in c("default", "guess", "matched", "logisticZ", "logisticZZ",
        "centroid", "bayes", "lda")) {
        logp <- causeway:::.classify(t$ref, t$query, 100L, m)$logp
        expect_equal(rowSums(exp(logp)), rep(1, 60), tolerance = 1e-6)
        expect_gt(mean(max.col(logp) == t$truth), 0.85)
    }
})

test_that("linear discriminants are those of the textbook", {
    t <- task()
    model <- causeway:::.modelLda(t$ref, 160L)
    z <- causeway:::.cellMatrix(t$ref$block, t$ref, model$view)
    s <- causeway:::.ldaSpace(z, t$ref$y, 3L)
    white <- sweep(z, 2, s$centre) %*% s$rotation
    d <- sapply(1:3, function(k) rowSums(sweep(white, 2, s$means[k, ])^2))
    logp <- causeway:::.scoreBlock(t$ref$block, t$ref, list(model))[[1]]
    ratio <- (logp[, 1] - logp[, 2]) / ((d[, 2] - d[, 1]) / 2)
    expect_equal(ratio, rep(ratio[[1]], length(ratio)), tolerance = 1e-3)
})

test_that("a query of one type is not taken for a batch", {
    cells <- simulatedTypes(40, seed = 6)
    t <- task(cells[, cells$cell_type == "NK"])
    share <- function(m) mean(max.col(causeway:::.classify(t$ref, t$query,
        100L, m)$logp) == 2L)
    expect_gt(share("default"), 0.85)
    expect_lt(share("logisticZZ"), share("default"))
})

test_that("few cells per type stop at the first guess", {
    cells <- simulatedTypes(8)
    types <- c("B", "NK", "T")
    ref <- causeway:::.reference(SingleCellExperiment::counts(cells), 1:160,
        FALSE, match(cells$cell_type, types), types)
    t <- task()
    out <- causeway:::.classify(ref, t$query, 100L)
    expect_null(out$matched)
    expect_identical(out$logp, out$guess)
    expect_gt(mean(max.col(out$logp) == t$truth), 0.8)
})

test_that("the number of threads changes nothing", {
    t <- task()
    one <- causeway:::.classify(t$ref, t$query, 100L)$logp
    t$ref$threads <- 2L
    expect_identical(causeway:::.classify(t$ref, t$query, 100L)$logp, one)
})
