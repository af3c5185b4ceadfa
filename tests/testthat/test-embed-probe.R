## probeEmbedding().

## Cells with two hidden numbers, which no gene shows, and a type, which genes
## show.
probeCase <- function(n = 120, genes = 60) {
    set.seed(5)
    type <- rep(c("B", "T", "NK"), length.out = n)
    level <- matrix(0.5, genes, n)
    for (i in 1:3) {
        own <- (i - 1) * 10 + 1:10
        at <- type == c("B", "T", "NK")[i]
        level[own, at] <- level[own, at] + 2
    }
    m <- matrix(rpois(length(level), level), genes, dimnames = list(
        paste0("GENE", seq_len(genes)), paste0("c", seq_len(n))))
    hidden <- matrix(rnorm(2 * n), n)
    data <- S4Vectors::DataFrame(cell_type = type,
        donor = rep(paste0("d", 1:4), each = n / 4),
        answer = hidden[, 1] + 0.3 * rnorm(n),
        high = ifelse(hidden[, 2] > 0.5, "yes", "no"))
    list(x = SingleCellExperiment::SingleCellExperiment(list(counts = m),
        colData = data), hidden = cbind(hidden, matrix(rnorm(3 * n), n)),
        noise = matrix(rnorm(4 * n), n))
}
case <- probeCase()
probe <- function(target, ..., x = case$x, embeddings = list(good =
    case$hidden, noise = case$noise), by = "donor", nPerm = 5, nBoot = 40) {
    probeEmbedding(x, target, by, embeddings = embeddings, nPerm = nPerm,
        nBoot = nBoot, seed = 1, verbose = FALSE, ...)
}

test_that("numbers that only the embedding knows are told by it", {
    got <- probe("answer")
    s <- as.data.frame(got)
    expect_identical(s$features, c("good", "noise", "components", "genes",
        "constant"))
    rownames(s) <- s$features
    expect_gt(s["good", "r2"], 0.8)
    expect_lt(s["genes", "r2"], 0.2)
    expect_identical(s["constant", "r2"], 0)
    g <- as.data.frame(got, which = "gain")
    expect_identical(g$aboveNull, c(TRUE, FALSE))
    expect_gt(g$low[[1]], 0)
    expect_true(verdict(got)$holds)
    expect_match(verdict(got)$text[[1]], "not\\s+zero-shot")
    cells <- as.data.frame(got, which = "cells")
    expect_equal(cells$truth, case$x$answer)
    expect_equal(cells$constant[[1]], mean(case$x$answer[-(1:30)]))
})

test_that("classes that only the embedding knows, and that genes know better", {
    got <- as.data.frame(probe("high"))
    expect_gt(got$macroF1[[1]], 0.8)
    expect_lt(got$macroF1[[4]], 0.7)
    type <- probe("cell_type", embeddings = list(noise = case$noise))
    expect_false(verdict(type)$holds)
    s <- as.data.frame(type)
    expect_gt(s$macroF1[s$features == "genes"], 0.9)
    expect_gt(s$macroF1[s$features == "components"], 0.9)
    ## the commonest class, and what its F1 is
    expect_equal(s$accuracy[s$features == "constant"], mean(as.data.frame(type,
        which = "cells")$constant == case$x$cell_type))
})

test_that("the ridge regression is that of the closed form, in both spaces", {
    cw <- asNamespace("causeway")
    set.seed(2)
    y <- matrix(rnorm(24), 12)
    w <- runif(12, 0.5, 2)
    train <- rep(c(TRUE, FALSE), c(9, 3))
    o <- list(threads = 1L)
    for (p in c(3, 20)) {
        f <- matrix(rnorm(12 * p), 12)
        got <- cw$.ridgeTold(f, list(y = y, weight = w), train, !train, 0.1,
            o)[[1]]
        a <- cbind(1, f[train, ])
        W <- diag(w[train])
        B <- solve(t(a) %*% W %*% a + 0.1 * sum(w[train]) * diag(c(0, rep(1,
            p))), t(a) %*% W %*% y[train, ])
        expect_equal(got, cbind(1, f[!train, ]) %*% B, tolerance = 1e-8)
    }
})

test_that("a target of whole values of by is permuted in wholes", {
    cw <- asNamespace("causeway")
    block <- rep(letters[1:6], each = 5)
    of <- cw$.probePermuted(list(y = rep(1:6, each = 5) + 0, block = block), 1,
        list(key = c(0, 1)))
    expect_identical(sort(unique(of$y)), 1:6 + 0)
    expect_true(all(tapply(of$y, block, function(v) length(unique(v))) == 1))
    y <- rep_len(c(1, 2, 3, 4, 5), 30)
    of <- cw$.probePermuted(list(y = y, block = block), 1, list(key = c(0, 1)))
    expect_identical(unname(tapply(of$y, block, sum)), unname(tapply(y, block,
        sum)))
    expect_false(identical(of$y, y))
})

test_that("what can't be probed is refused", {
    expect_error(probe("answer", by = NULL), "'by' is missing")
    expect_error(probe("anwser"), "\"answer\" meant")
    one <- case$x
    one$tissue <- "skin"
    expect_error(probe("answer", x = one, by = "tissue"),
        "'by' has one value, \"skin\"")
    one$same <- 1
    expect_error(probe("same", x = one), "'target' has one value, 1")
    expect_error(probe("donor"), "no class that occurs in two values")
    one$text <- as.character(one$answer)
    expect_error(probe("text", x = one), "numbers kept as text")
    one$answer[-(1:9)] <- NA
    expect_error(probe("answer", x = one), "known of 9 cells")
    expect_error(probe("answer", embeddings = list(genes = case$noise)),
        "name of a baseline")
    expect_error(probe("answer", embeddings = NULL), "no reduced dimension")
    random <- probeEmbedding(case$x, "answer", split = "random",
        embeddings = case$hidden, nPerm = 3, nBoot = 5, maxCells = 40,
        seed = 1, verbose = FALSE)
    expect_match(verdict(random)$text[[1]], "optimistic")
    expect_identical(random@facts$cells, 40L)
})
