## The same fit is asked for its shapes, its parts and new cells.
anchoredFit <- function() {
    madeOnce("anchored", function() fitTau(tauInput()))
}

test_that("a fit has the promised shapes, for any number of threads", {
    d <- tauInput()
    f <- anchoredFit()
    m <- length(f$size)
    axes <- ncol(f$embedding)
    j <- nrow(f$landmarks)
    expect_identical(dim(f$embedding), c(400L, axes))
    expect_identical(dim(f$z), c(m, axes))
    expect_identical(dim(f$velocity), c(j, axes))
    expect_identical(dim(f$chromatin), c(m, 60L))
    expect_identical(dim(f$features), c(31L, m, j))
    expect_identical(dim(f$deviance), c(31L, 60L))
    expect_identical(dim(f$weight), c(j, 60L))
    expect_identical(tabulate(f$metacell, m), as.integer(f$size))
    expect_equal(colMeans(f$rna), rep(1, 60))
    expect_equal(range(f$grid), c(0, 4))
    expect_equal(sum(f$prior), 1)
    expect_length(f$peakWeight, length(d$links$gene))
    expect_equal(apply(f$features, c(1, 2), sum), matrix(1, 31, m))
    expect_identical(fitTau(d, threads = 3L), f)
    one <- fitTau(d, list(readout = "kinetics"))
    expect_identical(one$readout, "kinetics")
    expect_identical(one$shape, c(0, 0, 1))
    expect_equal(sum(f$shape), 1)
})

test_that("features, readout and posterior can be had apart", {
    f <- anchoredFit()
    skip_if(is.null(f$features))
    flow <- f[c("landmarks", "bandwidth", "velocity", "z", "size", "trace")]
    again <- .Call(cw_r_tau_features, f$z, flow, f$grid, f$shape, 2L)
    expect_equal(again, f$features, tolerance = 1e-8)
    q <- .Call(cw_r_tau_readout, f$features, f$chromatin, f$rna,
        f$depthChromatin, f$depthRna, 0.3, 1L
    )
    expect_identical(dim(q$weight), c(dim(f$features)[[3L]], 31L, 60L))
    own <- f$deviance
    expect_gt(stats::cor(c(q$deviance), c(own)), 0.95)
    p <- .Call(cw_r_tau_posterior, own, f$grid, f$usable)
    ## the same lags, before flow and clock widened their intervals
    expect_gt(stats::cor(p$mean[f$usable], f$tau[f$usable]), 0.95)
    expect_gt(mean((log(f$high) - log(f$low) > log(p$high) - log(p$low))[
        f$usable]), 0.8)
    noise <- matrix(sin(seq_len(180)), 60)
    a <- .Call(cw_r_tau_amortise, own, f$grid, f$usable, noise, noise[1:2, ])
    expect_length(a$newTau, 2L)
    expect_true(all(is.finite(a$tau[f$usable])))
    expect_true(all(is.na(a$tau[!f$usable])))
})

test_that("new cells find their place from either modality", {
    d <- tauInput()
    f <- anchoredFit()
    for (which in c("atac", "rna")) {
        side <- if (which == "atac") f$projectAtac else f$projectRna
        z <- .Call(cw_r_tau_project, side, d[[which]], which)
        expect_identical(dim(z), dim(f$embedding))
        expect_gt(stats::cor(z[, 1L], f$embedding[, 1L]), 0.9)
    }
    expect_error(.Call(cw_r_tau_project, f$projectRna, d$atac, "rna"),
        "other features"
    )
    e <- list(atac = f$embedding, rna = f$embedding + 0.01 * cos(f$embedding))
    own <- fitTau(d, embedding = e)
    expect_null(own$projectAtac$loading)
    z <- .Call(cw_r_tau_project, own$projectAtac, e$atac, "atac")
    expect_identical(nrow(z), 400L)
})

test_that("damaged input is refused and memory forecast", {
    d <- tauInput(200, 30)
    bad <- d
    bad$rna$x[[7L]] <- NaN
    expect_error(fitTau(bad), "counts are needed")
    bad <- d
    bad$links$peak[[1L]] <- 100000L
    expect_error(fitTau(bad), "joins gene")
    bad <- d
    bad$atac$i[[1L]] <- -1L
    expect_error(fitTau(bad), "damaged")
    expect_error(fitTau(d, list(landmarks = 2)), "'landmarks' is 2; it may be")
    expect_error(fitTau(d, list(lanmarks = 20)), "is 'landmarks' meant")
    expect_error(fitTau(d, list(readout = 2)), "it may be one of: auto delay")
    expect_error(fitTau(d, list(lambda = "1")), "must be a number")
    expect_error(fitTau(d, list(minAxes = 20)), "out of its range")
    sizes <- c(1e4, 2000, 3e4, 1e4, 3e7, 8e6)
    expect_gt(.Call(cw_r_tau_forecast, sizes, list()), 1e8)
    expect_lt(.Call(cw_r_tau_forecast, sizes, list()), 3e9)
})

test_that("flags say why a delay isn't reported", {
    d <- tauCounts()
    d$links <- d$links[d$links$gene != "gene8", ]
    fit <- tauFit(list(
        sd = replace(rep(0.2, 30), c(1, 2), 0.4),
        rim = seq_len(30) %in% c(2, 3),
        beta = replace(rep(1, 30), 4, -1),
        usable = !seq_len(30) %in% 5:10,
        signalChromatin = replace(rep(99, 30), c(5, 7), 60),
        signalRna = replace(rep(99, 30), c(6, 7), NaN),
        correlation = replace(rep(0.5, 30), 9:10, c(0.2, -0.6))
    ), d = d)
    expect_identical(fit@table$flag[1:11], c("wide", "wide, rim", "rim",
        "repressed", "not usable: no chromatin signal",
        "not usable: no RNA signal",
        "not usable: no chromatin signal, no RNA signal",
        "not usable: no linked peak", "not usable: chromatin and RNA disagree",
        "not usable: repressed", ""
    ))
    expect_identical(which(fit@table$reported), c(4L, 11:30))
    expect_true(all(is.na(fit@table$tau[5:10])))
    expect_identical(fit@table$peaks[[8]], 0L)
    ## a repressed gene has a delay, but isn't one of the usable
    fit <- tauFit(list(usable = seq_len(30) != 2, repressed = seq_len(30) == 2,
        correlation = replace(rep(0.5, 30), 2, -0.6)
    ), d = d)
    expect_identical(fit@table$flag[1:3], c("", "repressed", ""))
    expect_true(is.finite(fit@table$tau[[2]]))
    expect_false(fit@table$reported[[2]])
    expect_identical(verdict(fit)$usable, 29)
})

test_that("cells without structure end in a verdict, not in an error", {
    set.seed(1)
    d <- tauCounts()
    fit <- estimateTau(d$rna, d$atac, d$links, seed = 1,
        geneEmbedding = matrix(stats::rnorm(60), 30)
    )
    expect_false(verdict(fit)$identifiable)
    expect_warning(t <- tau(fit), "not identifiable")
    expect_true(all(is.na(t$tau)))
    expect_output(show(fit), "no flow could be estimated")
    few <- estimateTau(d$rna, d$atac, d$links, seed = 1,
        genesUse = c("gene3", "gene7")
    )
    expect_identical(which(few@table$peaks > 0), c(3L, 7L))
    expect_identical(few@table$flag[[1L]], "not usable: no linked peak")
    ## the same cell again and again
    one <- matrix(rep(d$rna[, 1] + 1, 230), 30, dimnames = dimnames(d$rna))
    open <- matrix(rep(d$atac[, 1] + 1, 230), 60, dimnames = dimnames(d$atac))
    expect_error(estimateTau(one, open, d$links, seed = 1),
        "1 different places"
    )
})

test_that("a fit that can't be held in memory is refused before it starts", {
    old <- options(causeway.memoryLimit = 1000)
    on.exit(options(old))
    d <- tauCounts()
    expect_error(estimateTau(d$rna, d$atac, d$links), "not enough memory")
})
