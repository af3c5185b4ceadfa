## What a summary computes, against the definitions.

test_that("correlations are Pearson's and Spearman's", {
    grn <- exampleGRN()
    x <- as.matrix(grn@expression)
    rownames(x) <- geneNames(grn)
    at <- match(tfNames(grn), geneNames(grn))
    for (m in c("pearson", "spearman")) {
        got <- causeway:::.correlations(grn@expression, at, m)
        expect_equal(unname(got), unname(cor(t(x), method = m)[at, ]))
    }
    ref <- data.frame(Gene1 = "MYOG", Gene2 = c("CKM", "MYL1"))
    a <- as.data.frame(evaluateGRN(grn, ref, nBoot = 20, seed = 2))
    b <- as.data.frame(evaluateGRN(poolGRN(grn), ref, nBoot = 20, seed = 2,
        expression = x
    ))
    expect_equal(a, b)
    expect_identical(a$method, c("model", "pearson", "spearman", "random"))
})

test_that("the summary's shares are those of their definitions", {
    grn <- exampleGRN()
    p <- as.list(summary(grn))
    s <- as.matrix(poolGRN(grn))
    d <- data.frame(score = as.vector(s), tf = rownames(s)[row(s)],
        gene = colnames(s)[col(s)]
    )
    d <- d[d$tf != d$gene, ]
    expect_equal(p$marginalShare,
        summary(lm(score ~ tf + gene, d))$r.squared, tolerance = 1e-6
    )
    all <- vapply(seq_along(cellNames(grn)), function(c) {
        m <- cellNetwork(grn, c)
        m[!outer(rownames(m), colnames(m), `==`)]
    }, numeric(nrow(d)))
    within <- sum((all - rowMeans(all))^2) / sum((all - mean(all))^2)
    expect_equal(p$betweenCells, within, tolerance = 1e-5)
    x <- as.matrix(grn@expression)
    r <- abs(cor(t(x)))[match(tfNames(grn), geneNames(grn)), ]
    use <- t(!outer(rownames(s), colnames(s), `==`))
    mine <- head(order(-t(s)[use]), p$top)
    other <- head(order(-round(t(r)[use], 10)), p$top)
    expect_equal(p$overlap$shared[[1]], length(intersect(mine, other)))
    expect_output(show(summary(grn)), "marginals: .*pooled")
})
