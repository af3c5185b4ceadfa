## Unpaired shifts: maps, scores, refusals.

## Three groups; treatment shifts the first ten genes, in the third group by
## half as much.
treated <- function() {
    set.seed(9)
    group <- rep(c("a", "b", "c"), each = 120)
    yes <- rep(c(FALSE, TRUE), 180)
    level <- matrix(2, 30, 360)
    for (k in 1:3) {
        level[(10 * k - 9):(10 * k), group == c("a", "b", "c")[[k]]] <- 6
    }
    level[1:10, yes] <- level[1:10, yes] * 4
    m <- matrix(rpois(length(level), level), 30, dimnames = list(
        sprintf("G%02d", 1:30), sprintf("c%03d", 1:360)))
    list(m = m, group = group, condition = ifelse(yes, "drug", "none"))
}

test_that("a shift is learnt and tested on groups left out", {
    d <- treated()
    r <- predictResponse(d$m, d$condition, "none", "drug", group = d$group,
        nComponents = 10, seed = 1)
    expect_true(verdict(r)$holds)
    s <- as.data.frame(r)
    of <- function(m, v) s[s$method == m, v]
    expect_equal(of("identity", "explained"), 0)
    for (m in c("mean shift", "local shift", "Gaussian transport")) {
        expect_gt(of(m, "explained"), 0.5)
        expect_lt(of(m, "energy"), of("identity", "energy"))
        expect_lt(of(m, "wasserstein"), of("identity", "wasserstein"))
        expect_lt(of(m, "mmd"), of("identity", "mmd"))
        expect_gte(of(m, "de"), 0.5)
    }
    expect_lt(of("floor", "energy"), of("local shift", "energy"))
    expect_identical(nrow(as.data.frame(r, "groups")), 18L)
    expect_identical(r, predictResponse(d$m, d$condition, "none", "drug",
        group = d$group, nComponents = 10, seed = 1))
})

test_that("groups never treated are the ones moved", {
    d <- treated()
    keep <- !(d$group == "c" & d$condition == "drug")
    r <- predictResponse(d$m[, keep], d$condition[keep], "none", "drug",
        group = d$group[keep], nComponents = 10, seed = 1)
    expect_identical(as.list(r)$moved, "c")
    expect_identical(ncol(r@cells), 60L)
    expect_true(all(r@cells$group == "c"))
    genes <- as.data.frame(r, "genes")
    expect_gt(mean(genes$gene[1:10] %in% sprintf("G%02d", 1:10)), 0.8)
    one <- predictResponse(d$m, d$condition, "none", "drug", nComponents = 5,
        seed = 1)
    expect_identical(as.list(one)$method, "Gaussian transport")
})

test_that("Gaussian transport carries mean and covariance", {
    set.seed(1)
    a <- matrix(rnorm(4000), 4) * c(1, 2, 3, 1)
    b <- (matrix(rnorm(4000), 4) + 1) * c(2, 1, 1, 3)
    g <- .Call(causeway:::cw_r_gaussian_map, a, b, 1L)
    moved <- g$map %*% (a - g$from) + g$to
    expect_equal(rowMeans(moved), rowMeans(b))
    expect_equal(cov(t(moved)), cov(t(b)), tolerance = 0.1)
    s <- function(S) {
        e <- eigen(S)
        e$vectors %*% (sqrt(e$values) * t(e$vectors))
    }
    S <- lapply(list(a, b), function(x) { # Ledoit and Wolf
        n <- ncol(x)
        c <- x - rowMeans(x)
        S <- tcrossprod(c) / n
        m <- mean(diag(S))
        d2 <- sum((S - m * diag(4))^2)
        b2 <- min(mean(colSums(c^2)^2) / n - sum(S^2) / n, d2)
        (1 - b2 / d2) * S + b2 / d2 * m * diag(4)
    })
    r <- s(S[[1L]])
    want <- solve(r) %*% s(r %*% S[[2L]] %*% r) %*% solve(r)
    expect_equal(g$map, want, tolerance = 1e-6)
})

test_that("what can't be predicted is refused", {
    d <- treated()
    p <- function(...) predictResponse(d$m, d$condition, ...)
    expect_error(p("none"), "'level' is missing")
    expect_error(p("none", "other"), "level.*drug")
    expect_error(p("none", "none"), "same as 'ref'")
    expect_error(p("none", "drug", method = "cellot"), "method")
    expect_error(predictResponse(d$m, rep(c("none", "drug"), c(357, 3)),
        "none", "drug"), "no group")
})
