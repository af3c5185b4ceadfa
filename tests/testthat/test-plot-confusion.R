## plotConfusion() and plotCalibration().

test_that("they draw what the tables say", {
    e <- evaluateAnnotation(simulatedTypes(15), by = "donor", nBoot = 3,
        methods = c("default", "centroid"), nGenes = 60, seed = 1,
        verbose = FALSE)
    p <- plotConfusion(e, "centroid")
    expect_match(p$labels$title, "centroids")
    expect_equal(sum(p$data$share), 3)
    c <- plotCalibration(e, bins = 5)
    expect_equal(sum(c$data$cells), 45)
    expect_error(plotConfusion(e, "knn"), "method")
    expect_error(plotConfusion(1), "evaluateAnnotation")
})
