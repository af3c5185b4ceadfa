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
    panels <- plotRegulonActivity(regulonActivity(grn), grn$group, top = 3)
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

test_that("means of groups are a dot plot", {
    grn <- exampleGRN()
    plot <- plotRegulonActivity(grn, group = "group", means = TRUE, limit = 9)
    built(plot)
    a <- regulonActivity(grn)
    z <- (a - rowMeans(a)) / apply(a, 1, sd)
    early <- grn$group == "early"
    row <- plot$data[plot$data$tf == "MYOG" & plot$data$group == "early", ]
    expect_equal(row$mean, mean(z["MYOG", early]))
    expect_equal(row$share, mean(z["MYOG", early] > 0))
    expect_error(plotRegulonActivity(grn, means = TRUE), "no groups")
    expect_error(plotRegulonActivity(grn, n = 3), "now called 'top'")
    expect_error(plotRegulonActivity(a, n = 3), "now called 'top'")
    expect_error(plotRegulonActivity(grn, groups = "group"), "groups")
    expect_error(plotRegulonActivity(a, groups = 1:40), "groups")
    expect_error(plotRegulonActivity(poolGRN(grn)), "holds no expression")
    expect_error(plotRegulonActivity(1:3), "'x' must be per-cell networks")
})

test_that("names of rare groups stand upright and are not cut", {
    a <- regulonActivity(exampleGRN())
    rare <- plotRegulonActivity(a, group = c(rep("common", 38),
        rep("megakaryocytes", 2)))
    expect_identical(rare$theme$strip.text.x$angle, 90)
    expect_identical(rare$theme$strip.clip, "off")
    even <- plotRegulonActivity(a, group = rep(c("a", "b"), 20))
    expect_null(even$theme$strip.text.x$angle)
})

test_that("plotRegulonActivity reads an assay of a Seurat object", {
    skip_if_not_installed("SeuratObject")
    grn <- exampleGRN()
    counts <- matrix(1, 3, 40, dimnames = list(letters[1:3], cellNames(grn)))
    x <- SeuratObject::CreateSeuratObject(counts = counts)
    x[["time"]] <- grn$time
    expect_error(plotRegulonActivity(x), "has no assay")
    x <- regulonActivity(x, grn)
    expect_equal(plotRegulonActivity(x, order = "time")$data,
        plotRegulonActivity(grn, order = "time")$data
    )
    expect_error(plotRegulonActivity(x, group = "no"), "the meta data")
})
