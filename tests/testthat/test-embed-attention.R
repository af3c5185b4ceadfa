cells <- exampleCells(nCells = 24, nGenes = 40)
model <- tinyScGPT(cells)
net <- function(...) {
    suppressMessages(inferGRN(cells, model, nTargets = 15, verbose = FALSE,
        ...))
}

test_that("scores are the published ranks of attention", {
    grn <- net()
    expect_s4_class(grn, "PooledGRN")
    s <- as.matrix(grn)
    m <- metadata(grn)
    expect_identical(dim(m$pearson), dim(s))
    expect_identical(m$layer, 2L)
    genes <- colnames(s)
    self <- cbind(match(rownames(s), genes))
    expect_true(all(s[cbind(seq_len(nrow(s)), self)] == 0))
    expect_true(all(s >= 0 & s <= 1))
    ## weights: what a gene gives to all others, itself and <cls> is 1
    all <- net(layer = 1, kind = "softmax", tfs = rownames(cells))
    given <- colSums(as.matrix(all))
    expect_true(all(given > 0 & given < 1))
    expect_identical(nrow(as.matrix(all)), ncol(as.matrix(all)))
})

test_that("batches don't matter, cells do", {
    expect_equal(as.matrix(net(batchSize = 1)), as.matrix(net(batchSize = 9)),
        tolerance = 1e-6)
    a <- as.matrix(net(cells = 1:12))
    b <- as.matrix(net(cells = 13:24))
    expect_equal((a + b) / 2, as.matrix(net()), tolerance = 1e-6)
})

test_that("what can't be asked is refused", {
    expect_error(net(layer = 3), "'layer' must be one whole number from 1 to 2")
    expect_error(net(kind = "raw"), "'kind'")
    expect_error(inferGRN(cells, model, genes = "NOSUCHGENE"), "NOSUCHGENE")
    old <- options(causeway.memoryLimit = 1e4)
    on.exit(options(old))
    expect_error(net(), "not enough|needs about")
})
