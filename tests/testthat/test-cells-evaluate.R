## evaluateAnnotation().

test_that("left-out donors are scored, beside baselines", {
    e <- evaluateAnnotation(simulatedTypes(30), by = "donor", nBoot = 20,
        methods = c("logisticZ", "knn", "majority"), seed = 1,
        verbose = FALSE)
    m <- as.data.frame(e)
    expect_identical(m$method, c("default", "logisticZ", "knn", "majority"))
    expect_gt(m$macroF1[[1]], 0.85)
    expect_lt(m$macroF1[[4]], 0.3)
    expect_true(all(m$low <= m$macroF1 & m$macroF1 <= m$high))
    cells <- as.data.frame(e, which = "cells")
    d <- cells[cells$method == "default", ]
    expect_equal(m$accuracy[[1]], mean(d$truth == d$called))
    expect_identical(sort(d$cell), sort(colnames(simulatedTypes(30))))
    expect_match(verdict(e)$text[[2]], "Best baseline")
    expect_s3_class(plot(e), "ggplot")
})

test_that("a random split is called one, and never taken unasked", {
    cells <- simulatedTypes(15)
    expect_error(evaluateAnnotation(cells), "by.*is missing")
    cells$one <- "x"
    expect_error(evaluateAnnotation(cells, by = "one"), "one value")
    expect_error(evaluateAnnotation(cells, by = "donor", methods = "magic"),
        "methods")
    e <- evaluateAnnotation(cells, split = "random", methods = "default",
        nBoot = 5, nGenes = 50, seed = 1, verbose = FALSE)
    expect_match(verdict(e)$text[[1]], "optimistic")
})
