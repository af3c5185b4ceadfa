## The entries of r_tau.c as R sees them: shapes, and the same numbers by
## another way.

sparseSlots <- function(m) {
    list(p = m@p, i = m@i, x = as.numeric(m@x), rows = nrow(m),
        columns = ncol(m)
    )
}

tauInput <- function(nCells = 400, nGenes = 60, seed = 11) {
    x <- simulateMultiome(nCells, nGenes, seed = seed)
    atac <- SummarizedExperiment::assay(SingleCellExperiment::altExp(x))
    k <- S4Vectors::metadata(x)$links
    list(atac = sparseSlots(atac),
        rna = sparseSlots(SummarizedExperiment::assay(x)),
        links = list(gene = match(k$gene, rownames(x)) - 1L,
            peak = match(k$peak, rownames(atac)) - 1L
        )
    )
}

fitTau <- function(d, options = list(), embedding = NULL, threads = 1L) {
    .Call(cw_r_tau_fit, d$atac, d$rna, d$links, embedding, options, c(1, 2),
        threads
    )
}

test_that("a fit has the promised shapes, for any number of threads", {
    d <- tauInput()
    f <- fitTau(d)
    m <- length(f$size)
    axes <- ncol(f$embedding)
    j <- nrow(f$landmarks)
    expect_identical(dim(f$embedding), c(400L, axes))
    expect_identical(dim(f$z), c(m, axes))
    expect_identical(dim(f$velocity), c(j, axes))
    expect_identical(dim(f$chromatin), c(m, 60L))
    expect_identical(dim(f$features), c(31L, m, j))
    expect_identical(dim(f$deviance$delay), c(31L, 60L))
    expect_identical(dim(f$weight), c(j, 60L))
    expect_identical(tabulate(f$metacell, m), as.integer(f$size))
    expect_equal(colMeans(f$rna), rep(1, 60))
    expect_equal(range(f$grid), c(0, 4))
    expect_equal(sum(f$prior), 1)
    expect_length(f$peakWeight, length(d$links$gene))
    expect_equal(apply(f$features, c(1, 2), sum), matrix(1, 31, m))
    expect_identical(fitTau(d, threads = 3L), f)
    one <- fitTau(d, list(readout = 2))
    expect_identical(one$readout, "kinetics")
    expect_null(one$deviance$delay)
})

test_that("features, readout and posterior can be had apart", {
    f <- fitTau(tauInput())
    skip_if(is.null(f$features))
    kind <- match(f$readout, c("delay", "kinetics"))
    flow <- f[c("landmarks", "bandwidth", "velocity", "z", "size")]
    again <- .Call(cw_r_tau_features, f$z, flow, f$grid, kind, 2L)
    expect_equal(again, f$features, tolerance = 1e-8)
    q <- .Call(cw_r_tau_readout, f$features, f$chromatin, f$rna,
        f$depthChromatin, f$depthRna, 0.3, 1L
    )
    expect_identical(dim(q$weight), c(dim(f$features)[[3L]], 31L, 60L))
    own <- f$deviance[[f$readout]]
    expect_gt(stats::cor(c(q$deviance), c(own)), 0.99)
    p <- .Call(cw_r_tau_posterior, own, f$grid, f$usable)
    expect_equal(p$mean, f$tau)
    expect_equal(p$low, f$low)
    noise <- matrix(sin(seq_len(180)), 60)
    a <- .Call(cw_r_tau_amortise, own, f$grid, f$usable, noise, noise[1:2, ])
    expect_length(a$newTau, 2L)
    expect_true(all(is.finite(a$tau[f$usable])))
    expect_true(all(is.na(a$tau[!f$usable])))
})

test_that("new cells find their place from either modality", {
    d <- tauInput()
    f <- fitTau(d)
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
    expect_error(fitTau(d, list(landmarks = 2)), "option")
    sizes <- c(1e4, 2000, 3e4, 1e4, 3e7, 8e6, 0, 30, 31, 30)
    expect_gt(.Call(cw_r_tau_forecast, sizes), 1e8)
    expect_lt(.Call(cw_r_tau_forecast, sizes), 3e9)
})
