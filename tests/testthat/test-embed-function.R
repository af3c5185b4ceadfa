## Gene vectors and what genes do.

functionCells <- function() {
    set.seed(1)
    genes <- sprintf("GENE%02d", 1:48)
    counts <- matrix(rpois(48 * 60, rep(c(1, 4), each = 24)), 48,
        dimnames = list(genes, NULL))
    counts[1, ] <- 1
    SingleCellExperiment::SingleCellExperiment(list(counts = counts))
}

test_that("vectors that know win, and those that don't are told so", {
    cells <- functionCells()
    genes <- rownames(cells)
    know <- rep(c(1, -1), 24)
    vectors <- matrix(rnorm(48 * 16), 48, dimnames = list(genes, NULL))
    vectors[, 1:4] <- vectors[, 1:4] + 2 * know
    go <- rbind(data.frame(gene = genes[know > 0], term = "one", branch = "BP"),
        data.frame(gene = genes[know < 0], term = "two", branch = "BP"),
        data.frame(gene = genes[25:48], term = "loud", branch = "MF"),
        data.frame(gene = genes, term = "all", branch = "MF"))
    run <- function(vectors, ..., epochs = 10) {
        evaluateGeneFunction(cells, vectors, ..., folds = 3, epochs = epochs,
            nBoot = 40, seed = 1, verbose = FALSE)
    }
    out <- run(vectors, go = go)
    gain <- as.data.frame(out, "gain")
    expect_identical(gain$task, c("BP", "MF"))
    expect_gt(gain$low[[1L]], 0)
    expect_lt(gain$high[[2L]], 0.05) # expression tells who is loud
    scores <- as.data.frame(out)
    expect_gt(scores$average[scores$task == "MF" &
        scores$features == "expression"], 0.9)
    f <- scores[scores$features == "frequency" & scores$task == "BP", ]
    expect_lt(abs(f$average - 0.5), 0.1)
    expect_identical(as.data.frame(run(vectors, go = go)), scores)
    two <- run(vectors, class = setNames(ifelse(know > 0, "yes", "no"), genes),
        epochs = 80)
    t <- as.data.frame(two)
    expect_gt(t$accuracy[t$features == "embedding"], 0.85)
    expect_lt(t$accuracy[t$features == "expression"], 0.8)
    expect_true(verdict(two)$holds)
})

test_that("scores are those of their definitions", {
    truth <- c(1L, 0L, 1L, 0L, 0L)
    got <- .binaryScores(c(0.9, 0.8, 0.7, 0.2, 0.1), truth)
    expect_equal(got[["average"]], (1 + 2 / 3) / 2)
    expect_equal(got[["aupr"]], 0.5 * 1 + 0.5 * (1 / 2 + 2 / 3) / 2)
    expect_equal(got[["fMax"]], (0.8 + 2 * 2 / (2 * 2 + 1)) / 2)
    k <- .Call(cw_r_classify_classes, c(0L, 0L, 1L), c(0L, 1L, 1L), 3L)
    expect_equal(k, c(2 / 3, 2 / 3, 2 / 3, 0.5, 0.5))
})

test_that("what can't be told is refused", {
    cells <- functionCells()
    v <- matrix(rnorm(48 * 4), 48, dimnames = list(rownames(cells), NULL))
    go <- data.frame(gene = rownames(cells), term = "all")
    run <- function(...) evaluateGeneFunction(cells, ..., verbose = FALSE)
    expect_error(run(v), "'go' or 'class'")
    expect_error(run(v, go = go), "no term of")
    expect_error(run(v, go = data.frame(gene = "X", term = "t")), "names of one")
    expect_error(run(v, class = setNames(1:48, rownames(cells))), "two classes")
    expect_error(run(unname(v), go = go), "embedding")
    expect_error(run(v, go = go, folds = 1), "folds")
})
