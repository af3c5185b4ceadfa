## Drawn networks: that they build, hold the data they claim, and leave R's
## random numbers alone.

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

test_that("unknown arguments are refused, signs and sources are drawn", {
    grn <- exampleGRN()
    pooled <- poolGRN(grn)
    for (x in list(grn, pooled, as.matrix(pooled))) {
        expect_error(plotGRN(x, state = 1), "state")
        expect_error(plotGRN(x, colour = "red"), "colour")
    }
    fit <- inferGRN(exampleCells(), RidgeGRNParam(), nTargets = 30,
        verbose = FALSE
    )
    plot <- plotGRN(fit, top = 20)
    built(plot)
    edges <- edgeTable(fit, top = 20, self = FALSE, signed = TRUE)
    expect_identical(sum(plot$layers[[1]]$data$effect == "activates"),
        sum(edges$sign == 1L))
    expect_match(plot$labels$title,
        "20 strongest edges in the network of .* cells \\(evidence ridge\\)"
    )
    expect_match(plotGRN(fit, top = 1)$labels$title, "1 strongest edge in")
})

test_that("parts that don't touch lie side by side, apart", {
    place <- .layoutNetwork(c(1, 1, 4, 6), c(2, 3, 5, 7), rep(1, 4), 7)
    expect_equal(apply(place, 2, range), matrix(c(-1, 1), 2, 2))
    parts <- list(1:3, 4:5, 6:7)
    box <- lapply(parts, function(p) apply(place[p, ], 2, range))
    for (i in 1:2) for (j in (i + 1):3) {
        apart <- box[[i]][2, ] < box[[j]][1, ] | box[[j]][2, ] < box[[i]][1, ]
        expect_true(any(apart))
    }
})
