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

test_that("arrows of what isn't identifiable aren't to be read", {
    fit <- shapedTau(identifiable = FALSE)
    expect_match(gsub("\n", " ", plotFlow(fit)$labels$subtitle),
        "aren't to be read"
    )
})

test_that("bad arguments of plotFlow are named", {
    fit <- shapedTau()
    expect_error(plotFlow(fit, dimred = "UMAP"), "'dimred' needs")
    expect_error(plotFlow(fit, cells = 3), "'cells' must be a SingleCellExperiment")
    expect_error(plotFlow(fit, colour = "x"), "'colour' is \"x\"")
    sce <- SingleCellExperiment::SingleCellExperiment(list(counts = diag(2)))
    expect_error(plotFlow(fit, sce, "UMAP"), "'dimred' is UMAP, which 'cells'")
    place <- matrix(0, 2, 2, dimnames = list(cellNames(fit)[1:2], NULL))
    expect_error(plotFlow(fit, place), "'cells' lacks 238 cells")
    fit@fit$time[] <- NaN
    expect_error(plotFlow(fit), "'x' has no flow to draw: too few")
    expect_error(plotFlow(fit, n = 3), "'n' is now called 'arrows'")
})
