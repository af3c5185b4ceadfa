## Plots: that they build, hold the data they claim, and leave R's random
## numbers alone.

built <- function(plot) {
    expect_s3_class(plot, "ggplot")
    ggplot2::ggplot_build(plot)
}

test_that("plotGRN draws the strongest edges", {
    grn <- exampleGRN()
    plot <- plotGRN(grn, top = 12)
    b <- built(plot)
    want <- edgeTable(poolGRN(grn), top = 12, self = FALSE)
    expect_equal(nrow(b$data[[1]]), 12)
    expect_setequal(plot$layers[[1]]$data$score, want$score)
    expect_setequal(plot$layers[[2]]$data$name, c(want$Gene1, want$Gene2))
    expect_match(plot$labels$title, "12 strongest .* 40 cells")
    some <- plotGRN(grn, tfs = c("MYOG", "SRF"), top = 8, labels = "tfs")
    expect_equal(nrow(some$layers[[1]]$data), 8)
    expect_gt(length(unique(b$data[[2]]$shape)), 1)
    expect_error(plotGRN(grn, tfs = "XX"), "aren't TFs of the network: XX")
    expect_error(plotGRN(grn, top = 0), "'top' must be")
    s <- as.matrix(poolGRN(grn)) * 0
    expect_error(plotGRN(PooledGRN(s)), "no edge")
    one <- s
    one[1, 2] <- 1
    expect_equal(nrow(plotGRN(PooledGRN(one))$layers[[1]]$data), 1)
})

test_that("layouts are repeatable and leave the random numbers alone", {
    grn <- exampleGRN()
    set.seed(1)
    before <- .Random.seed
    a <- plotGRN(grn, top = 40)
    expect_identical(before, .Random.seed)
    stats::runif(3)
    b <- plotGRN(grn, top = 40)
    expect_equal(a$layers[[2]]$data, b$layers[[2]]$data)
})

test_that("plotRegulonActivity orders cells and rows", {
    grn <- exampleGRN()
    plot <- plotRegulonActivity(grn, order = "time")
    built(plot)
    z <- plot$data
    expect_equal(nrow(z), 8 * 40)
    expect_true(all(abs(z$z) <= 2))
    ## the TFs made for later times come lower
    rows <- rev(levels(z$tf))
    expect_identical(setdiff(rows, "MYOD1"), tfNames(grn)[-1])
    panels <- plotRegulonActivity(regulonActivity(grn), grn$group, n = 3)
    built(panels)
    expect_setequal(levels(panels$data$panel), c("early", "late"))
    expect_equal(length(levels(panels$data$tf)), 3)
    few <- plotRegulonActivity(grn, order = rep(c(24, 0), 20), tfs = "MYOG")
    expect_identical(levels(few$data$panel), c("0", "24"))
    expect_message(
        plotRegulonActivity(grn, group = c(NA, grn$group[-1])), "1 cells"
    )
    expect_error(plotRegulonActivity(grn, group = 1:3), "value per cell")
    expect_error(plotRegulonActivity(grn, order = "age"), "isn't a column")
    expect_error(plotRegulonActivity(unname(regulonActivity(grn))), "row names")
})

test_that("plotRegulonActivity reads an altExp", {
    grn <- exampleGRN()
    sce <- SingleCellExperiment::SingleCellExperiment(list(
        counts = matrix(1, 2, 40, dimnames = list(NULL, cellNames(grn)))
    ), colData = S4Vectors::DataFrame(time = grn$time))
    expect_error(plotRegulonActivity(sce), "no altExp")
    sce <- regulonActivity(sce, grn)
    a <- plotRegulonActivity(sce, order = "time")
    expect_equal(a$data, plotRegulonActivity(grn, order = "time")$data)
})

test_that("plotTraining shows the terms that are there", {
    h <- data.frame(step = 1:30, epoch = rep(1:3, each = 10),
        elbo = 50 - 1:30, prior = 0, dag = 10^-(1:30 / 10), lr = 1
    )
    plot <- plotTraining(h)
    built(plot)
    expect_setequal(levels(plot$data$panel), c("elbo", "dag (log10)"))
    dag <- plot$data[plot$data$panel == "dag (log10)", ]
    expect_equal(dag$value, -(1:30) / 10)
    h$elbo[[4]] <- NaN
    built(plotTraining(h, terms = "elbo", window = 3))
    expect_equal(causeway:::.runningMean(c(1, 2, 6, NA, 4), 3),
        c(1.5, 3, 4, 5, 4)
    )
    expect_error(plotTraining(h[0, ]), "no training steps")
    expect_error(plotTraining(h, terms = "zz"), "'x' lacks: zz")
})
