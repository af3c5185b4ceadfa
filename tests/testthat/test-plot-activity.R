## Heatmaps of regulon activity.

built <- function(plot) {
    expect_s3_class(plot, "ggplot")
    ggplot2::ggplot_build(plot)
}

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
