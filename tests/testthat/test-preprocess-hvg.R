test_that("the dispersion agrees with a plain computation", {
    set.seed(3)
    v <- matrix(rexp(40 * 15), 40)
    v[7, ] <- 0
    got <- .normalisedDispersion(rowSums(v), rowSums(v^2), ncol(v), bins = 5L)
    mean <- rowMeans(v)
    mean[mean == 0] <- 1e-12
    d <- apply(v, 1, var) / mean
    d[d == 0] <- NA
    d <- log(d)
    bin <- as.integer(cut(log1p(mean), 5, labels = FALSE))
    want <- numeric(40)
    for (b in unique(bin)) {
        here <- bin == b
        s <- sd(d[here], na.rm = TRUE)
        c <- mean(d[here], na.rm = TRUE)
        want[here] <- if (is.na(s)) d[here] / c else (d[here] - c) / s
    }
    want[!is.finite(want)] <- 0
    expect_equal(got, want, tolerance = 1e-8)
})

test_that("moments joined from blocks are those of the whole", {
    set.seed(1)
    m <- matrix(rpois(35, 3), 5)
    m[2, ] <- 4
    m[3, ] <- 0
    sparse <- methods::as(m, "CsparseMatrix")
    got <- .geneMoments(sparse, 1:5, 1:7, function(x, at) x,
        chunks = list(1:3, 4L, 5:7)
    )
    expect_equal(got$mean, rowMeans(m))
    expect_equal(got$variance, apply(m, 1, var))
    expect_identical(got$variance[2:3], c(0, 0))
})
