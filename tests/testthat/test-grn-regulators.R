## The table of leading regulators.

regulatorCells <- simulateCells(nCells = 600, nGenes = 90, nTFs = 9, seed = 4)
ofStates <- inferGRN(regulatorCells, PerCellGRNParam(states = "context",
    nPerm = 1), seed = 1, verbose = FALSE)
ofAll <- inferGRN(regulatorCells, RidgeGRNParam(), verbose = FALSE)

test_that("every state has its ranked regulators", {
    t <- topRegulators(ofStates, top = 3)
    expect_true(all(c("group", "rank", "TF", "effect", "beyondRandom", "auc",
        "expression", "strength", "leading", "departs") %in% names(t)))
    expect_setequal(t$group, unique(regulatorCells$context))
    expect_true(all(tapply(t$beyondRandom, t$group, function(v) {
        !is.unsorted(-v)
    })))
    ## numbers of one row, from their definitions
    a <- regulonActivity(ofStates)
    row <- t[1, ]
    here <- regulatorCells$context == row$group
    expect_equal(row$effect, unname(mean(a[row$TF, here]) -
        mean(a[row$TF, !here])))
    pairs <- outer(a[row$TF, here], a[row$TF, !here], `>`)
    expect_equal(row$auc, mean(pairs))
    z <- as.numeric(scale(as.matrix(ofStates@expression)[match(row$TF,
        geneNames(ofStates)), ]))
    expect_equal(row$expression, mean(z[here]) - mean(z[!here]))
    expect_identical(nrow(topRegulators(ofStates, top = Inf)), 36L)
})

test_that("a pooled network needs the cells, or shares out its edges", {
    t <- topRegulators(ofAll, regulatorCells, "context", top = 2)
    expect_lte(nrow(t), 8L)
    expect_identical(t, topRegulators(ofAll, regulatorCells,
        regulatorCells$context, top = 2))
    s <- topRegulators(ofAll, edges = 200, top = Inf)
    expect_equal(sum(s$share), 1)
    expect_identical(s$edges, sort(s$edges, decreasing = TRUE))
    counted <- table(edgeTable(ofAll, top = 200, self = FALSE)$Gene1)
    expect_identical(s$edges[[1L]], max(counted))
    first <- strsplit(s$leading[[1L]], ", ")[[1L]][[1L]]
    expect_identical(first, names(which.max(as.matrix(ofAll)[s$TF[[1L]], ])))
})

test_that("groups that say nothing are refused", {
    expect_error(topRegulators(ofAll, group = "context"), "'cells' is missing")
    expect_error(topRegulators(ofAll, regulatorCells), "'group' is missing")
    expect_error(topRegulators(ofStates, group = rep("a", 600)),
        "'group' has 1 value")
    expect_error(topRegulators(ofAll, regulatorCells, 1:3), "a value per cell")
    expect_error(topRegulators(exampleGRN()), "'group' is missing")
    expect_error(topRegulators(1), "must be a network")
})

test_that("cells of a file are read by blocks", {
    path <- tempfile(fileext = ".h5ad")
    on.exit(unlink(path))
    writeH5AD(regulatorCells, path, verbose = FALSE)
    memory <- topRegulators(ofAll, regulatorCells, "context", top = 3)
    expect_equal(topRegulators(ofAll, path, "context", top = 3), memory)
    old <- options(causeway.sampleCells = 150, causeway.blockBytes = 2e4)
    streamed <- topRegulators(ofAll, path, "context", top = 3)
    options(old)
    exact <- setdiff(names(memory), "auc")
    expect_equal(streamed[exact], memory[exact])
    expect_lt(max(abs(streamed$auc - memory$auc)), 0.1)
})
