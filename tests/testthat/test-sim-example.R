## The small simulated data set of examples and tests.

test_that("cells have the size, names and network asked for", {
    x <- exampleCells(nCells = 30, nGenes = 24)
    expect_identical(dim(x), c(24L, 30L))
    counts <- SummarizedExperiment::assay(x, "counts")
    expect_s4_class(counts, "dgCMatrix")
    expect_true(all(counts@x > 0 & counts@x == round(counts@x)))
    expect_true(all(Matrix::rowSums(counts) > 0 & Matrix::colSums(counts) > 0))
    network <- S4Vectors::metadata(x)$network
    expect_identical(unique(network$Gene1), rownames(x)[1:4])
    expect_setequal(network$Gene2, rownames(x)[5:24])
    expect_identical(anyDuplicated(network), 0L)
    expect_identical(as.vector(table(x$group)), c(10L, 10L, 10L))
})

test_that("a seed gives its cells, and R's numbers aren't touched", {
    set.seed(1)
    before <- .Random.seed
    a <- SummarizedExperiment::assay(exampleCells(30, 24, seed = 7))
    b <- SummarizedExperiment::assay(exampleCells(30, 24, seed = 7))
    expect_identical(a, b)
    expect_false(identical(a,
        SummarizedExperiment::assay(exampleCells(30, 24, seed = 8))))
    expect_identical(.Random.seed, before)
    ## Park and Miller's own check: the 10000th state from 1
    expect_equal(.exampleStream(1)(10000)[[10000]] * 2147483647, 1043618065)
    expect_error(exampleCells(seed = 0), "'seed'")
})

test_that("targets follow their factor", {
    x <- exampleCells(nCells = 300)
    m <- log1p(as.matrix(SummarizedExperiment::assay(x)))
    network <- S4Vectors::metadata(x)$network
    r <- cor(t(m))
    own <- r[cbind(network$Gene1, network$Gene2)]
    all <- r[unique(network$Gene1), unique(network$Gene2)]
    expect_gt(mean(own), mean(all) + 0.1)
})
