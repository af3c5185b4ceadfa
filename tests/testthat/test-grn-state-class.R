## Networks of states: what the verbs give.

switchers <- simulateCells(nCells = 700, nGenes = 90, nTFs = 9, seed = 4)
fitted <- inferGRN(switchers, PerCellGRNParam(permutations = 3), seed = 1,
    verbose = FALSE
)

test_that("the verbs of CellGRN work", {
    expect_identical(dim(fitted), c(tfs = 9L, genes = 90L, cells = 700L))
    one <- cellNetwork(fitted, 3)
    signed <- cellNetwork(fitted, 3, signed = TRUE)
    expect_identical(abs(signed), one)
    w <- memberships(fitted)[3, ]
    by <- abs(matrix(fitted@slope, 9 * 90) %*% w)
    expect_equal(as.vector(one), as.vector(by) *
        rep(sqrt(as.vector(fitted@sd^2 %*% w)), 90))
    all <- Reduce(`+`, lapply(1:700, function(c) {
        as.matrix(cellNetwork(fitted, c))
    })) / 700
    expect_equal(as.matrix(poolGRN(fitted)), all)
    parts <- poolGRN(fitted, groups = "context")
    expect_s4_class(parts[[1L]], "PooledGRN")
    edges <- edgeTable(fitted, cells = c(5, 2), top = 7, sign = TRUE)
    expect_identical(names(edges),
        c("cell_id", "Gene1", "Gene2", "score", "sign"))
    expect_identical(edges$cell_id, rep(cellNames(fitted)[c(5, 2)], each = 7))
    expect_equal(edges$score[[8L]], max(cellNetwork(fitted, 2)))
    expect_identical(cellNames(fitted[c(9, 4)]), cellNames(fitted)[c(9, 4)])
    expect_equal(cellNetwork(fitted[c(9, 4)], 2), cellNetwork(fitted, 4))
    expect_identical(fitted$context, switchers$context)
    file <- tempfile(fileext = ".csv")
    writeGRN(fitted[1:3], file, top = 4, verbose = FALSE)
    expect_equal(read.csv(file)$score, edgeTable(fitted, 1:3, top = 4)$score,
        tolerance = 1e-5
    )
    expect_s3_class(as(fitted, "igraph"), "igraph")
    table <- switchingEdges(fitted, top = 40)
    expect_identical(nrow(table), 40L)
    expect_false(is.unsorted(-table$switching))
})

test_that("evaluateGRN() takes all its arguments for states, and no others", {
    truth <- S4Vectors::metadata(switchers)$simulation$edges
    pooled <- poolGRN(fitted, 1:100)
    some <- expand.grid(Gene1 = tfNames(fitted)[1:4],
        Gene2 = geneNames(fitted)[20:60], stringsAsFactors = FALSE
    )
    e <- evaluateGRN(fitted, truth, methods = "model", nBoot = 0,
        cells = 1:100, candidates = some, compare = list(same = pooled)
    )
    table <- as.data.frame(e)
    expect_setequal(table$method, c("model", "same"))
    expect_equal(table$auprc[[1L]], table$auprc[[2L]])
    alone <- as.data.frame(evaluateGRN(pooled, truth, methods = "model",
        nBoot = 0, candidates = some
    ))
    expect_equal(table$auprc[[1L]], alone$auprc)
    expect_error(evaluateGRN(fitted, truth, nBoots = 3), "nBoots")
})

test_that("regulon activity is what it says", {
    activity <- regulonActivity(fitted, top = 6, signed = FALSE)
    expect_identical(dimnames(activity), list(tfNames(fitted),
        cellNames(fitted)
    ))
    x <- t(as.matrix(fitted@expression))
    z <- scale(x)
    s <- cellNetwork(fitted, 17)["ADNP2", ]
    s[["ADNP2"]] <- 0
    best <- order(-s)[1:6]
    expect_equal(activity[["ADNP2", 17]],
        sum(s[best] * z[17, best]) / sum(s[best]), tolerance = 1e-6
    )
    ## repressed targets count negatively
    signed <- regulonActivity(fitted, top = 6)
    way <- sign(cellNetwork(fitted, 17, signed = TRUE)["ADNP2", ])[best]
    expect_true(any(way < 0))
    expect_equal(signed[["ADNP2", 17]],
        sum(way * s[best] * z[17, best]) / sum(s[best]), tolerance = 1e-6
    )
    strength <- regulonActivity(fitted, "strength")
    expect_equal(strength[, 17], rowMeans(cellNetwork(fitted, 17)))
})
