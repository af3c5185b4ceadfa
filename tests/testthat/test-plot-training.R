## The course of training.

built <- function(plot) {
    expect_s3_class(plot, "ggplot")
    ggplot2::ggplot_build(plot)
}

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
