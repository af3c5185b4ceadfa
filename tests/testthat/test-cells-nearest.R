of <- function(name) goldenTensor("kcfm_ontology_a", name)
golden <- function() {
    types <- of("type_emb")
    rownames(types) <- paste("Type", seq_len(nrow(types)))
    list(cells = of("cell_emb"), types = types,
        truth = paste("type", of("cell_label") + 1L))
}

test_that("golden cosines, ranks and levels come out", {
    fixture("kcfm_ontology_a")
    g <- golden()
    found <- nearestTypes(g$cells, g$types, top = 99)
    expect_identical(matrix(found$type, nrow(g$cells), byrow = TRUE),
        matrix(rownames(g$types)[of("expect.cosine_rank") + 1L],
            nrow(g$cells)))
    expect_equal(found$cosine, as.vector(t(of("expect.cosine"))[
        cbind(as.vector(t(of("expect.cosine_rank"))) + 1L,
            rep(seq_len(nrow(g$cells)), each = nrow(g$types)))]),
        tolerance = 1e-6)
    ## the pinned choices of types
    pick <- of("selection")
    size <- of("expect.difficulty.n_types")
    for (i in seq_along(size)) {
        got <- .Call(cw_r_pick_scores, t(of("expect.cosine")),
            as.integer(of("cell_label")), as.integer(pick[i,
                seq_len(size[[i]])]))
        expect_equal(got, c(of("expect.difficulty.accuracy")[[i]],
            of("expect.difficulty.macro_f1")[[i]]), tolerance = 1e-6)
    }
    r <- evaluateNovelTypes(g$cells, g$types, g$truth, nDraws = 5, nPerm = 9,
        seed = 1)
    t <- as.data.frame(r)
    present <- unique(of("cell_label"))
    if (length(present) == nrow(g$types)) {
        expect_identical(t$types, as.integer(size))
        expect_equal(t$accuracy[[5]], of("expect.difficulty.accuracy")[[5]],
            tolerance = 1e-6)
    }
    expect_identical(t$draws, c(5L, 5L, 5L, 5L, 1L))
})

types <- matrix(sin(seq_len(48)^2), 6, dimnames = list(LETTERS[1:6]))
truth <- rep(LETTERS[1:6], 10)
near <- types[truth, ] + matrix(cos(seq_len(480)^2) / 4, 60)

test_that("true names are told from wrong ones, and noise isn't", {
    r <- evaluateNovelTypes(near, types, tolower(truth), nPerm = 39, seed = 1)
    expect_true(verdict(r)$holds)
    t <- as.data.frame(r)
    expect_gt(t$accuracy[[5]], 0.9)
    expect_gt(t$accuracy[[5]], t$null[[5]])
    expect_equal(t$chance, 1 / t$types)
    expect_identical(t$accuracy[[1]], 1) # one type to choose from
    noise <- matrix(sin(7 * seq_len(480)^3), 60)
    n <- evaluateNovelTypes(noise, types, truth, nPerm = 39, seed = 1)
    expect_false(verdict(n)$holds)
    expect_match(verdict(n)$text[[1]], "no more than the null")
    expect_identical(as.data.frame(evaluateNovelTypes(near, types, truth,
        nPerm = 5, seed = 3)), as.data.frame(evaluateNovelTypes(near, types,
        truth, nPerm = 5, seed = 3)))
})

test_that("groups and reduced dimensions are taken", {
    g <- nearestTypes(near, types, group = truth, top = 1)
    expect_identical(g$type, g$group)
    expect_identical(g$cells, rep(10L, 6))
    cells <- exampleCells(nCells = 60, nGenes = 40)
    cells$truth <- truth
    SingleCellExperiment::reducedDim(cells, "KCellFM") <- unname(near)
    expect_identical(nearestTypes(cells, types, group = "truth", top = 1), g)
    expect_error(nearestTypes(cells, types, name = "X"), "KCellFM")
    expect_error(nearestTypes(cells), "'types' is missing")
    expect_error(nearestTypes(matrix("a", 2, 2), types), "'x'")
})

test_that("what can't be is refused", {
    expect_error(nearestTypes(near[, 1:3], types), "8 columns.*3")
    expect_error(nearestTypes(near, unname(types)), "'types'")
    expect_error(nearestTypes(near, types, group = "a"), "one value per cell")
    expect_error(evaluateNovelTypes(near, types, rep("z", 60)), "0 of the")
    expect_error(evaluateNovelTypes(near, types, truth, levels = 2), "'levels'")
    bad <- near
    bad[3, 1] <- NA
    expect_error(nearestTypes(bad, types), "not finite: cells 3")
})
