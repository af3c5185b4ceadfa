## Figures of delays, on fits of made-up numbers and one of simulated cells.

drawn <- function(plot) {
    expect_s3_class(plot, "ggplot")
    file <- openPdf()
    on.exit(unlink(file))
    print(plot)
    grDevices::dev.off()
    ggplot2::ggplot_build(plot)
}
openPdf <- function() {
    file <- tempfile(fileext = ".pdf")
    grDevices::pdf(file)
    file
}

test_that("plotTau ranks what is reported, with sets and units", {
    reported <- rep(TRUE, 40)
    reported[[7]] <- FALSE
    fit <- shapedTau(tau = rev(seq(0.4, 2.2, length.out = 40)),
        reported = reported
    )
    plot <- plotTau(fit, sets = list(fast = c("gene040", "gene039")))
    drawn(plot)
    expect_identical(nrow(plot$data), 39L)
    expect_identical(plot$data$gene[1:2], c("gene040", "gene039"))
    expect_false(is.unsorted(plot$data$tau))
    expect_identical(as.character(plot$data$set[1:3]), c("fast", "fast", NA))
    expect_match(plot$labels$subtitle, "Delays are identifiable")
    expect_match(plot$labels$subtitle, "1 without a reliable delay")
    expect_match(plot$labels$y, "median")
    top <- plotTau(fit, sets = list(), top = 5)
    expect_identical(nrow(top$data), 10L)
    expect_match(top$labels$subtitle, "5 fastest and slowest of 39")
    with <- plotTau(fit, sets = list(a = "gene020"), top = 5)
    expect_true("gene020" %in% with$data$gene)
    expect_match(plotTau(shapedTau(clock = TRUE))$labels$y, "hours")
    drawn(plotTau(shapedTau(sprintf("g%03d", 1:90)),
        sets = list(a = c("g001", "g005"), b = "g002")
    ))
})

test_that("the sets of the specification are the default, in any case", {
    genes <- c("Fos", "Gata2", sprintf("gene%03d", 1:20))
    plot <- plotTau(shapedTau(genes))
    expect_identical(as.character(stats::na.omit(plot$data$set)),
        c("immediate-early", "pioneer factor")
    )
    expect_true(all(is.na(plotTau(shapedTau())$data$set)))
})

test_that("what isn't identifiable is not ranked", {
    fit <- shapedTau(tau = rev(seq(0.4, 2.2, length.out = 40)),
        identifiable = FALSE
    )
    plot <- plotTau(fit)
    drawn(plot)
    expect_identical(plot$data$gene, geneNames(fit))
    expect_match(plot$labels$subtitle, "NOT identifiable: RNA doesn't follow")
    expect_match(plot$labels$x, "not ranked")
    expect_match(plotLag(fit, "gene003")$labels$subtitle, "NOT identifiable")
    expect_match(gsub("\n", " ", plotFlow(fit)$labels$subtitle),
        "aren't to be read"
    )
})

test_that("plotLag draws the shift where it is", {
    fit <- shapedTau()
    plot <- plotLag(fit, c("gene003", "gene010"))
    drawn(plot)
    table <- as.data.frame(fit)
    layers <- plot$layers
    lines <- layers[[2L]]$data
    ## RNA on the chromatin's scale, tau later: the curves differ by tau
    for (gene in c("gene003", "gene010")) {
        own <- lines[lines$gene == gene, ]
        cross <- vapply(c("chromatin", "RNA"), function(m) {
            d <- own[own$modality == m, ]
            stats::approx(d$value, d$time, 1, ties = "ordered")$y
        }, 0)
        expect_equal(cross[["RNA"]] - cross[["chromatin"]],
            table$tau[table$gene == gene], tolerance = 0.03
        )
    }
    arrow <- layers[[4L]]$data
    expect_equal(arrow$tau, table$tau[c(3, 10)])
    ## on the chromatin's curve, at its steepest
    expect_equal(arrow$value, c(1, 1), tolerance = 0.1)
    two <- plotLag(fit, "gene003", by = "branch")
    drawn(two)
    expect_setequal(unique(as.character(two$layers[[2L]]$data$group)),
        c("A", "B")
    )
    hours <- plotLag(shapedTau(clock = TRUE), "gene003")
    expect_match(hours$labels$x, "hours")
    expect_equal(max(hours$layers[[2L]]$data$time), 20)
})

test_that("a loop is followed once round", {
    fit <- shapedTau()
    engine <- fit@fit
    expect_false(causeway:::.flowReturns(engine))
    angle <- seq(0, 2 * pi, length.out = 81)[-81]
    at <- seq(0, 2 * pi, length.out = 31)[-31]
    ## period 2 pi / 0.5
    engine$z <- 2 * cbind(cos(angle), sin(angle))
    engine$landmarks <- 2 * cbind(cos(at), sin(at))
    engine$velocity <- cbind(-sin(at), cos(at))
    engine$time <- rep(c(0, 0.1), 40)
    engine$embedding <- engine$z[engine$metacell, ]
    place <- causeway:::.flowTime(engine)
    expect_true(place$loop)
    expect_equal(max(place$time), 4 * pi, tolerance = 0.05)
    turned <- (place$time - place$time[[1L]]) %% (4 * pi)
    expect_equal(turned[2:79], 2 * angle[2:79], tolerance = 0.05)
    fit@fit <- engine
    drawn(plotFlow(fit))
    expect_match(plotLag(fit, "gene003")$labels$x, "once round")
})

test_that("plotFlow points where the flow goes", {
    fit <- shapedTau()
    plot <- plotFlow(fit)
    drawn(plot)
    arrows <- plot$layers[[2L]]$data
    ## the flow runs along the first axis, from early to late
    early <- plot$data$x[[1L]]
    late <- plot$data$x[[nrow(plot$data)]]
    expect_true(all(arrows$dx * sign(late - early) > 0))
    expect_true(all(abs(arrows$dy) < 0.2 * abs(arrows$dx)))
    ## turned by a quarter on another embedding, with cells in another order
    place <- fit@fit$embedding %*% matrix(c(0, -1, 1, 0), 2)
    rownames(place) <- cellNames(fit)
    place <- place[rev(seq_len(nrow(place))), ]
    other <- plotFlow(fit, place)
    drawn(other)
    arrows <- other$layers[[2L]]$data
    expect_gt(mean(arrows$dy > 0), 0.95)
    sce <- SingleCellExperiment::SingleCellExperiment(
        list(counts = matrix(1, 1, nrow(place),
            dimnames = list("a", rownames(place))
        )), reducedDims = list(TURN = place)
    )
    same <- plotFlow(fit, sce, "TURN", colour = "branch")
    drawn(same)
    expect_equal(same$layers[[2L]]$data$dy, arrows$dy)
    expect_identical(same$labels$y, "TURN 2")
})

test_that("bad arguments are named", {
    fit <- shapedTau(tau = c(NA, seq(0.4, 2, length.out = 39)))
    expect_error(plotTau(1), "'fit' must be a TauFit")
    expect_error(plotTau(fit, sets = "FOS"), "'sets' must be a list")
    expect_error(plotTau(fit, sets = list("FOS")), "'sets' must be a list")
    expect_error(plotTau(fit, top = 0), "'top' must be")
    none <- shapedTau(tau = rep(NA_real_, 40))
    expect_error(plotTau(none), "'fit' has no gene with a delay")
    expect_error(plotLag(fit, "nope"), "'genes' has names that aren't")
    expect_error(plotLag(fit, "gene001"), "without a delay: gene001 \\(not us")
    expect_error(plotLag(fit, 3), "'genes' must be names")
    expect_error(plotLag(fit, "gene003", by = "x"), "'by' is \"x\", which is")
    expect_error(plotLag(fit, "gene003", by = "stage"), "'by' has 80 differe")
    expect_error(plotFlow(fit, dimred = "UMAP"), "'dimred' needs")
    expect_error(plotFlow(fit, x = 3), "'x' must be a SingleCellExperiment")
    expect_error(plotFlow(fit, colour = "x"), "'colour' is \"x\"")
    sce <- SingleCellExperiment::SingleCellExperiment(list(counts = diag(2)))
    expect_error(plotFlow(fit, sce, "UMAP"), "'dimred' is UMAP, which 'x'")
    place <- matrix(0, 2, 2, dimnames = list(cellNames(fit)[1:2], NULL))
    expect_error(plotFlow(fit, place), "'x' lacks 238 cells")
    fit@fit$time[] <- NaN
    expect_error(plotFlow(fit), "'fit' has no flow to draw: too few")
    fit@method <- "effendi"
    expect_match(plotTau(fit)$labels$caption, "over cells")
    expect_error(plotLag(fit, "gene003"), "\"effendi\" is not one of cell")
    expect_error(tauNull(fit, 1), "'fit' must be of method = \"anchored\"")
    expect_error(plotTauNull(shapedTau()), "'x' must hold the counts")
    expect_error(plotTauNull(data.frame(a = 1)), "'null' must come from")
})

test_that("the data are set beside permuted pairing and links", {
    x <- simulateMultiome(nCells = 700, nGenes = 100, seed = 1)
    fit <- estimateTau(x, links = S4Vectors::metadata(x)$links, seed = 1,
        verbose = FALSE
    )
    null <- tauNull(fit, x, n = 1, seed = 1, verbose = FALSE)
    expect_identical(null$data, c("observed", "pairing", "links"))
    expect_identical(null$identifiable, c(TRUE, FALSE, FALSE))
    expect_identical(null$lead[[1L]], tauVerdict(fit)$lead)
    expect_lt(null$concord[[3L]], 0.7)
    expect_identical(tauNull(fit, x, n = 1, seed = 1, verbose = FALSE), null)
    plot <- plotTauNull(null)
    drawn(plot)
    expect_match(plot$labels$subtitle, "identifiable.*\n2 of 2 permuted data")
    expect_error(tauNull(fit, x, n = 0), "'n' must be")
    expect_error(tauNull(fit, x, what = "cells"), "'what' must be")
    expect_error(tauNull(fit, x[, 1:300], n = 1), "lacks 400 of its cells")
    expect_error(tauNull(fit, x[1:50, ], n = 1), "lacks features such as")
})
