test_that("perturbation: statistics by hand", {
    set.seed(4)
    n <- 200
    de <- data.frame(gene = sprintf("P%03d", 1:n), y_before = c(rep(0, 40),
        runif(160, 0.5, 2)))
    de$y_after <- de$y_before
    de$y_after[1:10] <- 0.5
    change <- rnorm(160)
    de$y_after[41:200] <- de$y_before[41:200] * 2^change
    de$log2FC <- c(rep(0, 40), change)
    effects <- data.frame(gene = de$gene, effect = 0)
    effects$effect[1:6] <- 0.2
    effects$effect[11:12] <- -0.2
    effects$effect[41:200] <- change + rnorm(160)
    out <- namedRows(fastEarly(), perturbation = de, effects = effects)
    own <- function(x) out[x, "statistic"]
    expect_equal(own("silence precision"), 1 - 2 / 30)
    expect_equal(own("silence recall"), 6 / 10)
    e <- effects$effect[41:200]
    expect_equal(own("direction rate"), mean(sign(change) == sign(e)))
    expect_equal(own("Spearman with log2 fold changes"),
        stats::cor(change, e, method = "spearman")
    )
    top <- function(x) order(-abs(x))[1:50]
    expect_equal(own("recall at 50"), length(intersect(top(change), top(e))) /
        50)
    expect_true(all(out[out$layer == 4, "passed"]))
    effects$effect[11:40] <- 1
    effects$effect[1:8] <- 0
    effects$effect[41:200] <- -effects$effect[41:200]
    names(de)[[4L]] <- "DE_log2FC"
    out <- namedRows(fastEarly(), perturbation = de, effects = effects)
    expect_identical(out[out$layer == 4, "status"],
        c("FAILED", "FAILED", "FAILED", "FAILED", "passed")
    )
    few <- namedRows(fastEarly(), perturbation = de[41:80, ], effects = effects)
    expect_identical(few[few$layer == 4, "status"],
        c("not run", "not run", "FAILED", "FAILED", "not run")
    )
})
