## trainAnnotator(): verdict, tables, files, refusals.

test_that("types that differ are distinguishable, and say so first", {
    a <- simulatedAnnotator()
    expect_true(verdict(a)$holds)
    expect_match(capture.output(show(a))[[1]], "labels are distinguishable")
    expect_gt(as.data.frame(a, which = "baselines")$macroF1[[1]], 0.85)
    expect_true(all(as.data.frame(a, which = "pairs")$distinguishable))
    expect_identical(as.data.frame(a, which = "types")$type,
        c("B", "NK", "T"))
})

test_that("labels dealt at random are not distinguishable", {
    cells <- simulatedTypes(20)
    told <- vapply(1:4, function(i) {
        set.seed(10 + i)
        cells$any <- sample(cells$cell_type)
        verdict(trainAnnotator(cells, "any", nPerm = 5, nGenes = 50, seed = i,
            verbose = FALSE))$holds
    }, NA)
    expect_false(any(told))
})

test_that("the same seed gives the same annotator, file and all", {
    a <- simulatedAnnotator()
    b <- trainAnnotator(simulatedTypes(), block = "donor", nPerm = 3,
        seed = 1, verbose = FALSE, threads = 2)
    expect_identical(a@tables, b@tables)
    dir <- file.path(tempfile(), "annotator")
    dir.create(dirname(dir))
    saveModel(a, dir)
    expect_error(saveModel(a, dir), "exists")
    expect_identical(loadModel(dir)@tables, a@tables)
    saveRDS(1, file.path(dir, "annotator.rds"))
    expect_error(loadModel(dir), "holds no annotator")
})

test_that("what can't be learnt from is refused", {
    cells <- simulatedTypes(10)
    expect_error(trainAnnotator(cells[, cells$cell_type == "B"]), "1 type")
    expect_error(trainAnnotator(cells[1:30, ]), "50 are needed")
    cells$one <- "x"
    expect_error(trainAnnotator(cells, block = "one"), "one value")
    cells$half <- c("x", NA)
    expect_error(trainAnnotator(cells, block = "half"), "missing for")
    expect_error(trainAnnotator(cells, genes = c("A", "B")), "share 0")
    expect_error(trainAnnotator(cells, nPerm = 1), "nPerm")
})
