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
    two <- plotLag(fit, "gene003", group = "branch")
    drawn(two)
    expect_setequal(unique(as.character(two$layers[[2L]]$data$group)),
        c("A", "B")
    )
    hours <- plotLag(shapedTau(clock = TRUE), "gene003")
    expect_match(hours$labels$x, "hours")
    expect_equal(max(hours$layers[[2L]]$data$time), 20)
})

test_that("curves of what isn't identifiable say so", {
    fit <- shapedTau(identifiable = FALSE)
    expect_match(plotLag(fit, "gene003")$labels$subtitle, "NOT identifiable")
})

test_that("bad arguments of plotLag are named", {
    fit <- shapedTau(tau = c(NA, seq(0.4, 2, length.out = 39)))
    expect_error(plotLag(fit, "nope"), "'genes' has names that aren't")
    expect_error(plotLag(fit, "gene001"), "without a delay: gene001 \\(not us")
    expect_identical(plotLag(fit, factor("gene003"))$labels,
        plotLag(fit, "gene003")$labels
    )
    expect_error(plotLag(fit, 3), "'genes' must be names")
    expect_error(plotLag(fit, "gene003", group = "x"), "'group' is \"x\", which is")
    expect_error(plotLag(fit, "gene003", group = "stage"), "'group' has 80 differe")
    fit@method <- "effendi"
    fit@fit$time[] <- NaN
    expect_error(plotLag(fit, "gene003"), "\"effendi\" is not one of cell")
})
