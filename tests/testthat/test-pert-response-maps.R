## Closed maps.

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


test_that("maps do what they are called", {
    set.seed(2)
    group <- rep(c("a", "b"), c(80, 40))
    treated <- rep(c(FALSE, TRUE), 60)
    shift <- rbind(a = c(3, 0), b = c(0, 1))[group, ]
    x <- cbind(4 * (group == "b"), 0) + matrix(rnorm(240, sd = 0.1), 120) +
        treated * shift
    d <- list(treated = treated, group = group)
    maps <- causeway:::.responseMaps(d, list(scores = x), rep(TRUE, 120),
        c("a", "b"), list(threads = 1L))
    expect_named(maps, causeway:::.responseMethods)
    at <- rbind(c(0, 0), c(4, 0))
    expect_identical(maps$identity(at, 1:2), at)
    near <- function(name, want) {
        expect_equal(maps[[name]](at, 1:2) - at, want, tolerance = 0.05)
    }
    near("mean shift", rbind(c(2, 1 / 3), c(2, 1 / 3)))
    near("balanced shift", rbind(c(1.5, 0.5), c(1.5, 0.5)))
    w <- 1 / (1 + exp(-1)) # two centres, one distance between
    near("local shift", rbind(c(3 * w, 1 - w), c(3 - 3 * w, w)))
})
