## Networks per label, shrunken to the pooled one.

## Ridge of every column of y on f by evidence, noise given, slopes of a TF on
## itself left out: the definition, gene by gene.
ridgeReference <- function(f, y, noise, own, grid) {
    at <- lapply(seq_len(ncol(y)), function(g) setdiff(seq_len(ncol(f)),
        own[[g]]))
    fit <- function(g, a) {
        x <- f[, at[[g]], drop = FALSE]
        m <- diag(nrow(x)) + a * tcrossprod(x)
        0.5 * (sum(y[, g]^2) - sum(y[, g] * solve(m, y[, g]))) / noise[[g]] -
            0.5 * as.numeric(determinant(m)$modulus)
    }
    counted <- which(own == 0L)
    gain <- vapply(grid, function(a) {
        sum(vapply(counted, fit, 0, a = a))
    }, 0)
    a <- if (max(gain) > 0) grid[[which.max(gain)]] else 0
    slopes <- matrix(0, ncol(f), ncol(y))
    for (g in if (a > 0) seq_len(ncol(y))) {
        x <- f[, at[[g]], drop = FALSE]
        slopes[at[[g]], g] <- solve(crossprod(x) + diag(1 / a, ncol(x)),
            crossprod(x, y[, g]))
    }
    list(a = a, slopes = slopes)
}

test_that("the networks are those of their definition", {
    d <- labelledCells()
    label <- factor(d$label)
    v <- causeway:::.asSparse(d$x)
    grid <- causeway:::.labelGrid
    wide <- c(grid, causeway:::.pooledMore)
    fit <- causeway:::.labelCall(v, 1:4, label, 3L, NULL, TRUE, 1L)
    z <- t(d$x)
    z <- z - apply(z, 2L, stats::ave, label)
    z <- sweep(z, 2L, sqrt(colMeans(z^2)), "/")
    own <- c(1:4, rep(0L, 11))
    pooled <- ridgeReference(z[, 1:4], z, rep(1, 15), own, wide)
    expect_equal(fit$numbers[["a"]], pooled$a)
    expect_equal(t(matrix(fit$pooled, 15)), pooled$slopes, tolerance = 1e-5)
    slope <- array(fit$slope, c(15, 4, 3))
    for (k in 1:3) {
        i <- which(as.integer(label) == k)
        rest <- z[i, ] - z[i, 1:4] %*% pooled$slopes
        ref <- ridgeReference(z[i, 1:4], rest, pmax(0.2, colMeans(rest^2)),
            own, grid)
        expect_equal(fit$label[[k, "a"]], ref$a)
        expect_equal(t(slope[, , k]), pooled$slopes + ref$slopes,
            tolerance = 1e-5)
    }
})

test_that("labels that depart have their network, the others the pooled one", {
    d <- labelledCells(few = 5)
    grn <- fitLabels(d)
    s <- verdict(grn)$states
    expect_identical(s$state, c("a", "b", "c", "few"))
    expect_identical(s$cells, as.vector(table(d$label)))
    expect_true(s$departs[[2L]])
    expect_false(s$departs[[4L]])
    expect_identical(s$why[[4L]], "too few cells")
    expect_true(verdict(grn)$holds)
    expect_identical(colnames(memberships(grn)), s$state)
    net <- stateNetwork(grn, "few")
    expect_false(metadata(net)$departs)
    expect_equal(as.matrix(net), as.matrix(stateNetwork(grn, state = 4)))
    expect_equal(unname(as.matrix(net)), abs(grn@pooled))
    own <- stateNetwork(grn, "b")
    expect_true(metadata(own)$departs)
    expect_gt(as.matrix(own)["G4", "G5"], 1.5 * as.matrix(net)["G4", "G5"])
    expect_gt(nrow(edgeTable(own, top = 5, signed = TRUE)), 4)
    expect_true(inherits(plotGRN(own), "ggplot"))
    expect_output(print(grn), "own")
})

test_that("permuted labels have the pooled network", {
    d <- labelledCells(300)
    set.seed(1)
    grn <- fitLabels(d, label = sample(d$label))
    expect_false(verdict(grn)$holds)
    s <- verdict(grn)$states
    expect_true(all(abs(s$gain) < 0.01))
    expect_false(any(s$departs))
    expect_equal(cellNetwork(grn, 1), cellNetwork(grn, 2))
    expect_match(verdict(grn)$text, "not distinguishable.*held-out variance")
    expect_match(verdict(grn)$help, "keep their names")
})

test_that("two labels, one label, one cell a label", {
    d <- labelledCells()
    two <- fitLabels(d, label = ifelse(d$label == "b", "b", "other"))
    expect_identical(verdict(two)$states$state, c("b", "other"))
    expect_true(verdict(two)$states$departs[[1L]])
    one <- fitLabels(d, label = rep("all", 120))
    expect_match(verdict(one)$text, "not distinguishable")
    expect_identical(colnames(memberships(one)), "all")
    expect_error(fitLabels(d, label = paste0("l", 1:120)),
        "'states' has another label for every cell"
    )
    many <- fitLabels(d, label = rep(paste0("l", 1:60), 2))
    expect_false(verdict(many)$holds)
    expect_length(colnames(memberships(many)), 60)
})
