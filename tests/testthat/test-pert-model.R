## The engine's model against the reference in R (helper-perturbation.R).

problem <- function() {
    s <- pertFit()@state
    e <- s$effects
    known <- causeway:::.sideOf(s$side, e$controls, e$readouts, e$sd, e$mean,
        s$genes, s$genes)
    list(s = s, e = e, known = known, data = causeway:::.modelData(e, known,
        s$perts, s$genes, 2L), index = lapply(s$perts, match, s$genes))
}

test_that("coefficients, weights and predictions are those of the equations", {
    p <- problem()
    for (train in list(1:20, c(5:24, 27:32))) {
        test <- setdiff(seq_along(p$s$perts), train)
        got <- causeway:::.fitModel(p$data, train, 2L)
        Y <- causeway:::.filledEffects(p$e, train)
        want <- referenceFit(p$index[train], Y, p$e$n[train],
            p$e$nControl[[1L]], causeway:::.averageKernel(p$known$kernels),
            lapply(p$known$direct, as.matrix))
        expect_equal(unname(got$alpha), unname(want$alpha), tolerance = 1e-6)
        expect_equal(got$theta[names(want$theta)], want$theta,
            tolerance = 1e-6)
        expect_identical(got$c, want$c)
        expect_equal(got$loglik, want$ll, tolerance = 1e-8)
        out <- causeway:::.predictModel(got, p$data, Y, p$known, p$s$perts,
            p$s$genes, train, test, 2L)
        expect_equal(unname(out$mean), unname(want$predict(p$index[test])),
            tolerance = 1e-6)
    }
})

test_that("errors of the cross-validation are those of its predictions", {
    p <- problem()
    at <- which(lengths(p$s$perts) == 1L)
    fold <- causeway:::.foldsOf(length(at), 5L, c(1, 2), 1L)
    folds <- lapply(1:5, function(k) {
        list(train = at[fold != k], test = at[fold == k])
    })
    told <- causeway:::.runFolds(p$data, folds, 2L, told = FALSE)
    error <- numeric(length(p$s$perts))
    for (k in 1:5) error[folds[[k]]$test] <- told[[k]]$error
    out <- causeway:::.crossPredict(p$data, p$e, p$known, p$s$perts,
        p$s$genes, folds, 2L)
    want <- vapply(at, function(i) {
        k <- setdiff(seq_len(nrow(p$e$T)), p$e$own[[i]])
        sum((p$e$T[k, i] - out$mean[k, i])^2)
    }, 0)
    expect_equal(error[at], unname(want), tolerance = 1e-8)
})

test_that("predictions are told nothing of the perturbations left out", {
    p <- problem()
    at <- which(lengths(p$s$perts) == 1L)
    f <- list(list(train = at[-(1:4)], test = at[1:4]))
    tell <- function(e) {
        data <- causeway:::.modelData(e, p$known, p$s$perts, p$s$genes, 2L)
        c(list(model = causeway:::.crossPredict(data, e, p$known, p$s$perts,
            p$s$genes, f, 2L)$mean), causeway:::.crossBaselines(e, p$known,
            p$s$perts, p$s$genes, f, list(key = c(1, 2), threads = 2L)))
    }
    told <- tell(p$e)
    other <- p$e # readings of others are in place of own ones
    other$Y[, at[1:4]] <- other$Y[, at[1:4]] + 100
    other$Y <- causeway:::.withoutOwn(other$Y, other$own)
    expect_equal(tell(other), told, tolerance = 1e-10)
    other$Y[, at[[9]]] <- other$Y[, at[[9]]] + 100
    expect_gt(max(abs(tell(other)$model - told$model), na.rm = TRUE), 0.1)
})

test_that("products of both halves are those of their mean", {
    p <- problem()
    e <- p$e
    e$nControl <- c(96, 144)
    joint <- causeway:::.jointEffects(e)
    expect_equal(joint, 0.4 * e$Y + 0.6 * e$T)
    got <- causeway:::.joinHalves(p$data, e, joint, 2L)
    e$Y <- joint
    e$nControl <- c(240, 0)
    want <- causeway:::.modelData(e, p$known, p$s$perts, p$s$genes, 2L)
    expect_equal(got, want[names(got)])
})

test_that("products don't depend on threads", {
    set.seed(1)
    a <- matrix(rnorm(3e5), 1000)
    b <- matrix(rnorm(3e5), 1000)
    one <- causeway:::.product(a, b, 1L)
    expect_identical(one, causeway:::.product(a, b, 2L))
    expect_equal(one, crossprod(a, b))
    expect_equal(causeway:::.product(a, t(b), 2L, "ab"), a %*% t(b))
    expect_equal(causeway:::.product(a, b, 2L, "abt"), a %*% t(b))
})
