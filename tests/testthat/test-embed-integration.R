## integrationMetrics().

integrationCase <- function(n = 120) {
    set.seed(3)
    type <- rep(c("B", "T", "NK"), length.out = n)
    batch <- rep(c("x", "y"), each = n / 2)
    genes <- 60
    level <- matrix(rnorm(genes, 1, 0.5), genes, n)
    for (i in seq_len(3)) {
        own <- (i - 1) * 8 + 1:8
        level[own, type == c("B", "T", "NK")[i]] <- level[own, type ==
            c("B", "T", "NK")[i]] + 1.2
    }
    level[41:60, batch == "y"] <- level[41:60, batch == "y"] + 1.5
    m <- matrix(rpois(length(level), exp(level)), genes,
        dimnames = list(paste0("GENE", seq_len(genes)), paste0("c",
            seq_len(n))))
    x <- SingleCellExperiment::SingleCellExperiment(list(counts = m),
        colData = S4Vectors::DataFrame(cell_type = type, batch = batch))
    good <- prcomp(t(log1p(m[1:24, ])))$x[, 1:4]
    list(x = x, good = good, noise = matrix(rnorm(n * 4), n))
}

test_that("an embedding without the batch beats none, noise doesn't", {
    case <- integrationCase()
    got <- integrationMetrics(case$x, embeddings = list(good = case$good,
        noise = case$noise), nSub = 4, k = 20, seed = 1, verbose = FALSE)
    expect_true(verdict(got)$holds)
    t <- as.data.frame(got)
    rownames(t) <- t$embedding
    expect_identical(t$embedding, c("good", "noise", "unintegrated",
        "shuffled"))
    expect_gt(t["good", "ilisi"], t["unintegrated", "ilisi"])
    expect_gt(t["good", "avgBio"], t["noise", "avgBio"])
    expect_lt(t["shuffled", "avgBio"], t["unintegrated", "avgBio"])
    expect_s3_class(plot(got), "ggplot")
    bad <- integrationMetrics(case$x, embeddings = case$noise, nSub = 4,
        k = 20, seed = 1, verbose = FALSE)
    expect_false(verdict(bad)$holds)
})

test_that("reduced dimensions are found by themselves", {
    case <- integrationCase(60)
    SingleCellExperiment::reducedDim(case$x, "mine") <- case$good
    SingleCellExperiment::reducedDim(case$x, "map") <- case$good[, 1:2]
    got <- integrationMetrics(case$x, nSub = 2, k = 10, maxCells = 40,
        seed = 1, verbose = FALSE)
    expect_identical(as.data.frame(got)$embedding[[1L]], "mine")
    expect_false("map" %in% as.data.frame(got)$embedding)
    expect_identical(got@facts$cells, 40L)
})

test_that("what can't be told is refused", {
    case <- integrationCase(60)
    x <- case$x
    run <- function(...) integrationMetrics(x, nSub = 2, k = 10, seed = 1,
        verbose = FALSE, ...)
    expect_error(run(), "holds no reduced dimension")
    expect_error(run(embeddings = case$good[1:5, ]), "has 5 rows")
    bad <- case$good
    bad[2, 1] <- NA
    expect_error(run(embeddings = bad), "1 cell have|1 cell has|NA or inf")
    expect_error(run(embeddings = list(shuffled = case$good)), "of a baseline")
    expect_error(run(batch = rep("a", 60), embeddings = case$good),
        "'batch' has one value")
    expect_error(run(labels = rep("a", 60), embeddings = case$good),
        "'labels' has one value")
    expect_error(run(labels = x$batch, embeddings = case$good),
        "can't be told apart")
})
