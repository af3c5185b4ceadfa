## Edges whose slopes differ between states.

test_that("switching is one less the smallest share of the largest slope", {
    states <- inferGRN(simulateCells(nCells = 600, nGenes = 85, nTFs = 6,
        seed = 4
    ), PerCellGRNParam(states = "context", nPerm = 2), seed = 1,
    verbose = FALSE)
    expect_true(verdict(states)$holds)
    table <- switchingEdges(states, top = 30)
    row <- table[3L, ]
    slope <- states@slope[match(row$Gene1, tfNames(states)),
        match(row$Gene2, geneNames(states)), ]
    big <- which.max(abs(slope))
    s <- sign(slope[[big]])
    expect_equal(row$switching, 1 - min(s * slope) / max(abs(slope)))
    expect_identical(row$strongest, colnames(memberships(states))[[big]])
    expect_error(switchingEdges(states, top = 0), "'top'")
})
