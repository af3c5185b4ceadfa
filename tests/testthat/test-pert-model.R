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
        want <- referenceFit(p$index[train], p$e$Y[, train], p$e$n[train],
            p$e$nControl[[1L]], causeway:::.averageKernel(p$known$kernels),
            p$known$direct)
        expect_equal(unname(got$alpha), unname(want$alpha), tolerance = 1e-6)
        expect_equal(got$theta[names(want$theta)], want$theta,
            tolerance = 1e-6)
        expect_identical(got$c, want$c)
        expect_equal(got$loglik, want$ll, tolerance = 1e-8)
        out <- causeway:::.predictModel(got, p$data, p$e$Y[, train], p$known,
            p$s$perts, p$s$genes, train, test, 2L)
        expect_equal(unname(out$mean), unname(want$predict(p$index[test])),
            tolerance = 1e-6)
    }
})

test_that("errors of the cross-validation are those of its predictions", {
    p <- problem()
    at <- which(lengths(p$s$perts) == 1L)
    fold <- causeway:::.foldsOf(length(at), 5L, c(1, 2), 1L)
    use <- rep(-1L, length(p$s$perts))
    use[at] <- fold - 1L
    error <- .Call(causeway:::cw_r_pert_crossval, p$data, use, NULL, 2L)
    folds <- lapply(1:5, function(k) {
        list(train = at[fold != k], test = at[fold == k])
    })
    out <- causeway:::.crossPredict(p$data, p$e, p$known, p$s$perts,
        p$s$genes, folds, 2L)
    want <- vapply(at, function(i) {
        k <- setdiff(seq_len(nrow(p$e$T)), p$e$own[[i]])
        sum((p$e$T[k, i] - out$mean[k, i])^2)
    }, 0)
    expect_equal(error[at], unname(want), tolerance = 1e-8)
    expect_true(all(is.na(error[-at])))
    train <- at[fold != 1L]
    test <- at[fold == 1L]
    got <- causeway:::.meanErrors(p$data, test, train, p$s$perts, p$s$genes)
    want <- vapply(test, function(i) {
        k <- setdiff(seq_len(nrow(p$e$T)), p$e$own[[i]])
        sum((p$e$T[k, i] - rowMeans(p$e$Y[k, train]))^2)
    }, 0)
    expect_equal(unname(got), unname(want), tolerance = 1e-8)
})

test_that("products don't depend on threads", {
    set.seed(1)
    a <- matrix(rnorm(3e5), 1000)
    b <- matrix(rnorm(3e5), 1000)
    one <- causeway:::.product(a, b, 1L)
    expect_identical(one, causeway:::.product(a, b, 2L))
    expect_equal(one, crossprod(a, b))
    expect_equal(causeway:::.product(a, t(b), 2L, plain = TRUE), a %*% t(b))
})
