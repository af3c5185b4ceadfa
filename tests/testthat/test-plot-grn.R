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
