## Drawings of perturbations.

built <- function(p) ggplot2::ggplot_build(p)

test_that("fits, evaluations, predictions and maps are drawn", {
    fit <- pertFit()
    p <- plotPerturbation(fit)
    expect_s3_class(built(p)$plot, "ggplot")
    expect_true("the model" %in% p$data$method)
    q <- plotPerturbation(fit, "predicted", perturbations = "fac01")
    expect_identical(levels(q$data$perturbation), "FAC01")
    expect_false("FAC01" %in% q$data$gene)
    built(q)
    ev <- evaluatePerturbationModel(fit, splits = "single, unseen")
    built(plot(ev))
    g <- plotPerturbation(predictPerturbation(fit, c("FAC01", "SIG01")))
    expect_identical(nlevels(g$data$perturbation), 2L)
    built(g)
    map <- perturbationMap(fit, genes = fit@state$genes[1:24], layout = "pca")
    built(plot(map))
    h <- plot(map, type = "heatmap")
    expect_identical(nrow(h$data), 16L)
    built(h)
})

test_that("what can't be drawn is refused", {
    fit <- pertFit()
    expect_error(plotPerturbation(1), "'x' must be")
    expect_error(plotPerturbation(fit, "genes"), "type")
    expect_error(plotPerturbation(fit, "predicted", "NOBODY"),
        "perturbations.*NOBODY")
})
