## Networks of states: what the verbs give.

switchers <- simulateCells(nCells = 700, nGenes = 90, nTFs = 9, seed = 4)
fitted <- inferGRN(switchers, PerCellGRNParam(nPerm = 3), seed = 1,
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
    parts <- poolGRN(fitted, group = "context")
    expect_s4_class(parts[[1L]], "PooledGRN")
    edges <- edgeTable(fitted, cells = c(5, 2), top = 7, signed = TRUE)
    expect_identical(names(edges),
        c("cell_id", "Gene1", "Gene2", "score", "sign"))
    expect_identical(edges$cell_id, rep(cellNames(fitted)[c(5, 2)], each = 7))
    expect_equal(edges$score[[8L]], max(cellNetwork(fitted, 2)))
    expect_identical(cellNames(fitted[c(9, 4)]), cellNames(fitted)[c(9, 4)])
    expect_equal(cellNetwork(fitted[c(9, 4)], 2), cellNetwork(fitted, 4))
    expect_identical(fitted$context, switchers$context)
    file <- tempfile(fileext = ".csv")
    writeGRN(fitted, file, cells = 1:3, top = 4, verbose = FALSE)
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

test_that("one state's network, its signs, its drawing", {
    signed <- cellNetwork(fitted, state = 2, signed = TRUE)
    expect_identical(abs(signed), cellNetwork(fitted, state = "state2"))
    expect_equal(as.vector(signed), as.vector(fitted@slope[, , 2] *
        fitted@sd[, 2]))
    expect_error(cellNetwork(fitted, state = "none"), "'state' must be one of")
    expect_error(cellNetwork(fitted, 1, state = 1), "can't be used together")
    expect_error(cellNetwork(fitted), "or a 'state'")
    expect_error(cellNetwork(fitted, 1, sate = 1), "sate")
    plot <- plotGRN(fitted, state = 2, top = 15)
    expect_match(plot$labels$title, "15 strongest edges in state2")
    expect_match(plot$labels$subtitle, "Per-cell|per-cell")
    drawn <- plot$layers[[1L]]$data
    want <- edgeTable(PooledGRN(abs(signed)), top = 15, self = FALSE)
    expect_equal(sort(drawn$score), sort(want$score))
    of <- sign(signed[cbind(want$Gene1, want$Gene2)])
    expect_identical(sum(drawn$effect == "represses"), sum(of < 0))
    expect_equal(plotGRN(signed, top = 15)$layers[[1L]]$data, drawn)
    expect_error(plotGRN(fitted, state = 1, cells = 1), "together")
    expect_error(plotGRN(fitted, stat = 1), "stat")
    expect_match(plotGRN(fitted)$labels$subtitle, "distinguishable")
    expect_match(plotEdge(fitted, tfNames(fitted)[[1]], geneNames(fitted)[[50]]
        )$labels$subtitle, "distinguishable")
    expect_match(plotRegulonActivity(fitted)$labels$subtitle, "distinguish")
})

test_that("the pooled network of states has signs and the verdict", {
    pooled <- poolGRN(fitted)
    mean <- Reduce(`+`, lapply(seq_along(cellNames(fitted)), function(c) {
        cellNetwork(fitted, c, signed = TRUE)
    }))
    strong <- abs(mean) > 1e-6 * max(abs(mean))
    expect_equal(edgeSign(pooled)[strong], sign(mean)[strong])
    expect_identical(verdict(pooled)$text, verdict(fitted)$text)
    expect_true(is.na(verdict(poolGRN(exampleGRN()))$holds))
    file <- tempfile(fileext = ".html")
    networkWidget(pooled, file, engine = "builtin")
    page <- paste(readLines(file), collapse = "")
    expect_match(page, "represses", fixed = TRUE)
    expect_match(page, "distinguishable from the pooled network")
    expect_error(verdict(1), "must be a result that has a verdict")
})
