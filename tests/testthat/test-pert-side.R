## Kernels and direct profiles against their formulas.

sideOf <- function(side, controls = NULL, readouts = c("A", "B", "C", "D"),
    genes = c("A", "B", "X"), seen = genes) {
    causeway:::.sideOf(side, controls, readouts, rep(1, length(readouts)),
        rep(1, length(readouts)), genes, seen)
}
information <- function(network = NULL, go = NULL, graph = NULL,
    embedding = NULL) {
    causeway:::.sideInformation(network, go, graph, embedding)
}

test_that("terms, graphs and networks become kernels and profiles", {
    go <- data.frame(gene = c("A", "B", "A", "X", "A", "B", "X"),
        term = c("t1", "t1", "t2", "t2", "one", "t3", "t3"))
    s <- sideOf(information(go = go))
    w <- log(18000 / 2)^2
    expect_equal(s$kernels$go["A" == c("A", "B", "X"), 2], 0.5)
    expect_identical(length(s$direct), 0L)
    s <- sideOf(information(graph = data.frame(from = c("A", "b", "A"),
        to = c("C", "C", "B"))))
    expect_equal(unname(s$direct$graph[1, ]), c(0, -1, -1, 0))
    expect_identical(s$has$graph, c(TRUE, TRUE, FALSE))
    net <- data.frame(from = c("A", "B", "A"), to = c("B", "C", "D"),
        weight = c(2, -1, 1))
    s <- sideOf(information(network = net))
    expect_equal(unname(s$direct$network[1, ]), c(0, -2, 0, -1))
    expect_equal(unname(s$direct$network2[1, ]), c(0, 0, 2, 0))
    expect_equal(unname(s$kernels$network[1, 2:3]), c(0, 0))
    m <- matrix(c(0, 2, 1, 0), 2, dimnames = list(c("A", "B"), c("C", "D")))
    expect_equal(unname(sideOf(information(network = m))$direct$network[1, ]),
        c(0, 0, 0, -1))
    e <- matrix(rnorm(12), 4, dimnames = list(c("A", "B", "C", "D"), NULL))
    s <- sideOf(information(embedding = e))
    centred <- scale(e, scale = FALSE)
    expect_equal(s$kernels$embedding[1, 2], sum(centred[1, ] * centred[2, ]) /
        sqrt(sum(centred[1, ]^2) * sum(centred[2, ]^2)))
    expect_equal(unname(s$kernels$embedding[3, ]), c(0, 0, 1))
})

test_that("control cells give covariances within batches", {
    set.seed(4)
    x <- matrix(rpois(400, 2), 100)
    batch <- rep(0:1, 50)
    x[batch == 1, ] <- x[batch == 1, ] + 3
    means <- sapply(0:1, function(b) colMeans(x[batch == b, ]))
    controls <- list(x = Matrix::Matrix(x, sparse = TRUE), batch = batch,
        means = means)
    s <- sideOf(list(), controls)
    centred <- x - t(means)[batch + 1, ]
    C <- crossprod(centred) / 98
    want <- -C[1, ] / C[1, 1]
    want[[1]] <- 0
    expect_equal(unname(s$direct$covariance[1, ]), want)
    r <- cov2cor(C)
    f <- r[1:2, ] - rep(colMeans(r), each = 2)
    expect_equal(s$kernels$coexpression[1, 2], sum(f[1, ] * f[2, ]) /
        sqrt(sum(f[1, ]^2) * sum(f[2, ]^2)))
    expect_identical(s$has$coexpression, c(TRUE, TRUE, FALSE))
})

test_that("side information of the wrong shape is refused", {
    expect_error(information(go = "GO:1"), "'go'")
    expect_error(information(go = data.frame(gene = c("A", "B"),
        term = c("a", "b"))), "no term of 2 to 500")
    expect_error(information(graph = data.frame(from = "A")), "'graph'")
    expect_error(information(network = data.frame(from = 1, to = 2)),
        "'network'.*names")
    expect_error(information(embedding = matrix(1, 2, 2)), "'embedding'")
})
