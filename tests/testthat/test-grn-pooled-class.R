## PooledGRN: construction.

test_that("a pooled network can be made from a matrix", {
    s <- matrix(c(0, 2, 1, 0, 3, 1), 2,
        dimnames = list(c("A", "B"), c("A", "B", "C"))
    )
    p <- PooledGRN(s)
    expect_identical(as.matrix(p), s)
    expect_identical(geneNames(p), c("A", "B", "C"))
    expect_error(PooledGRN(unname(s)), "row and column names")
    expect_error(PooledGRN(as.data.frame(s)), "must be a matrix")
    expect_error(PooledGRN(s[, -1]), "must be among the genes")
    s[[1]] <- NA
    expect_error(PooledGRN(s), "finite")
})

test_that("some TFs and genes of a network, and its drawing", {
    pooled <- inferGRN(exampleCells(), RidgeGRNParam(), nTargets = 30,
        verbose = FALSE
    )
    tfs <- tfNames(pooled)[c(3, 1)]
    genes <- rev(geneNames(pooled))[1:4]
    part <- pooled[tfs, genes]
    expect_identical(tfNames(part), tfs)
    expect_setequal(geneNames(part), c(tfs, genes))
    expect_identical(as.matrix(part), as.matrix(pooled)[tfs, geneNames(part)])
    expect_identical(edgeSign(part), edgeSign(pooled)[tfs, geneNames(part)])
    expect_identical(metadata(part)$targets$gene, geneNames(part))
    expect_identical(dim(pooled[2:3]), c(tfs = 2L,
        genes = length(geneNames(pooled))))
    expect_identical(pooled[], pooled)
    expect_identical(tfNames(pooled[-1]), tfNames(pooled)[-1])
    expect_error(pooled["XX"], "'i' has names that aren't a TF")
    expect_error(pooled[1, "XX"], "'j' has names that aren't a gene")
    expect_error(pooled[c(1, 1)], "each once")
    expect_s3_class(plot(pooled, top = 10), "ggplot")
})
