## Views, moments, F, logistic regression and small mathematics.

small <- function() {
    cells <- simulatedTypes(10)
    y <- match(cells$cell_type, c("B", "NK", "T"))
    causeway:::.reference(SingleCellExperiment::counts(cells), 1:160, FALSE, y,
        c("B", "NK", "T"))
}

logs <- function(ref) {
    m <- as.matrix(ref$matrix)
    log1p(1e4 * sweep(m, 2, colSums(m), "/"))
}

test_that("a view shows logs, lengths of one and z as they are defined", {
    ref <- small()
    x <- t(logs(ref))
    show <- function(...) causeway:::.cellMatrix(ref$block, ref,
        causeway:::.view(c(5, 3, 90), ...))
    expect_equal(show(), unname(x[, c(5, 3, 90)]), tolerance = 1e-6)
    expect_equal(show(linear = TRUE), unname(expm1(x[, c(5, 3, 90)])),
        tolerance = 1e-5)
    a <- x[, c(5, 3, 90)] - rowMeans(x[, c(5, 3, 90)])
    expect_equal(show(unit = TRUE), unname(a / (sqrt(rowSums(a^2)) + 1e-8)),
        tolerance = 1e-5)
    expect_equal(show(mean = 1:3, sd = c(2, 1, .01)), unname(pmax(pmin(sweep(
        sweep(x[, c(5, 3, 90)], 2, 1:3), 2, c(2, 1, .01), "/"), 10), -10)),
        tolerance = 1e-5)
})

test_that("F is that of an analysis of variance", {
    ref <- small()
    x <- t(logs(ref))
    f <- vapply(1:30, function(g) {
        summary(aov(x[, g] ~ factor(ref$y)))[[1]][1, "F value"]
    }, 0)
    expect_equal(ref$f[1:30], f, tolerance = 1e-4)
})

test_that("weighted moments are those of the weighted cells", {
    ref <- small()
    x <- t(logs(ref))
    share <- c(.7, .2, .1)
    m <- causeway:::.weightedMoments(ref$moments, share)
    w <- (share / tabulate(ref$y))[ref$y]
    mean <- colSums(w * x)
    expect_equal(m$mean, unname(mean), tolerance = 1e-6)
    expect_equal(m$sd, unname(sqrt(colSums(w * sweep(x, 2, mean)^2))),
        tolerance = 1e-4)
})

test_that("logistic regression is where an optimiser of R's ends", {
    ref <- small()
    genes <- c(1, 2, 13, 14, 25, 26)
    m <- causeway:::.weightedMoments(causeway:::.pickMoments(ref$moments,
        genes))
    view <- causeway:::.zView(genes, m)
    fit <- causeway:::.logistic(ref$block, ref, view, ref$y, 3L, C = 0.5,
        tolerance = 1e-6)
    z <- causeway:::.cellMatrix(ref$block, ref, view)
    objective <- function(theta) {
        B <- matrix(theta[1:18], 6)
        logp <- causeway:::.logSoftmax(sweep(z %*% B, 2, theta[19:21], "+"))
        -sum(logp[cbind(1:30, ref$y)]) + sum(B^2)
    }
    other <- optim(numeric(21), objective, method = "BFGS",
        control = list(maxit = 500, reltol = 1e-12))
    expect_equal(objective(c(fit$B, fit$b)), other$value, tolerance = 1e-6)
    expect_equal(as.vector(fit$B), other$par[1:18], tolerance = 1e-2)
})

test_that("temperature, areas, F1 and calibration error are as defined", {
    expect_equal(causeway:::.auroc(c(3, 2), c(1, 2)), 0.875)
    expect_equal(causeway:::.typeF1(c("a", "a", "b"), c("a", "b", "b")),
        c(a = 2 / 3, b = 2 / 3))
    expect_equal(causeway:::.calibrationError(c(.9, .9, .5, .5),
        c(TRUE, TRUE, TRUE, FALSE)), 0.05)
    set.seed(3)
    logp <- causeway:::.logSoftmax(matrix(rnorm(3000), 1000) * 2)
    y <- apply(exp(logp), 1, function(p) sample(3, 1, prob = p))
    expect_equal(causeway:::.temperature(logp * 3, y), 3, tolerance = 0.15)
})

test_that("a cell without counts of the genes gets zeros, not NaN", {
    m <- Matrix::Matrix(c(1, 0, 0, 5), 2, sparse = TRUE)
    data <- causeway:::.dataSet(as(m, "generalMatrix"), 1L, FALSE)
    v <- causeway:::.cellMatrix(causeway:::.typeBlock(data), data,
        causeway:::.view(1L))
    expect_equal(as.vector(v), c(log1p(1e4), 0), tolerance = 1e-6)
})
