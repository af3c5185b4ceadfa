## Maps of all pairs, and epistasis.

test_that("all singles and pairs have a place and a cluster", {
    map <- perturbationMap(pertFit(), genes = c("FAC01", "FAC02", "SIG01",
        "SIG02", "SIG05"), layout = "pca")
    t <- as.data.frame(map)
    expect_identical(nrow(t), 15L)
    expect_true(all(is.finite(t$x) & is.finite(t$y)))
    k <- as.data.frame(map, "clusters")
    expect_identical(sum(k$members), 15L)
    three <- perturbationMap(pertFit(), genes = c("FAC01", "FAC02", "SIG01"),
        layout = "pca", nClusters = 3)
    expect_identical(max(as.data.frame(three)$cluster), 3L)
})

test_that("a gene in most pairs of a cluster is named", {
    perts <- list("A", c("A", "B"), c("A", "C"), c("B", "C"))
    d <- causeway:::.dominantGenes(perts, c(1, 1, 1, 2))
    expect_identical(d$gene[[1L]], "A")
    expect_equal(d$share, c(1, 1))
})

test_that("sums are additive, more is synergy, less suppression", {
    set.seed(5)
    G <- 400
    one <- matrix(rnorm(2 * G), G)
    of <- function(f) {
        cbind(one, f * rowSums(one)) + matrix(rnorm(3 * G, sd = 0.2), G)
    }
    class <- function(f) {
        s <- list(perts = list("A", "B", c("A", "B")),
            names = c("A", "B", "A+B"), effects = list(Y = of(f), T = of(f),
                own = list(1L, 2L, 1:2), mean = seq_len(G)))
        causeway:::.epistasis(s, c("A", "B"))
    }
    expect_identical(class(1.4)$class, "synergy")
    expect_identical(class(0.6)$class, "suppression")
    expect_equal(class(1)$ratio, 1, tolerance = 0.1)
    expect_lt(class(1)$apart, 0.2)
    scores <- class(1.4)
    expect_equal(c(scores$c1, scores$c2), c(1.4, 1.4), tolerance = 0.1)
    expect_equal(scores$magnitude, sqrt(scores$c1^2 + scores$c2^2))
    expect_lt(scores$dominance, 0.05)
    expect_gt(scores$equality, 0.8)
    expect_gt(scores$dcor, 0.7)
    expect_lt(scores$dcorSingles, 0.3)
})

test_that("what can't be mapped is refused", {
    expect_error(perturbationMap(pertFit(), genes = "FAC01"), "two or more")
    expect_error(perturbationMap(pertFit(), layout = "tsne"), "layout")
})
