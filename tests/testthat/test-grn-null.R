## Null networks: counts of their scores, and what is refused.

cells <- simulateCells(nCells = 300, nGenes = 40, nTFs = 8, seed = 3)
truth <- S4Vectors::metadata(cells)$simulation$edges
grn <- inferGRN(cells, CorGRNParam(), nTargets = Inf)

test_that("nulls that can't be are refused", {
    s <- as.matrix(grn)
    expect_error(nullGRN(PooledGRN(s, filtered = TRUE)), "is filtered")
    expect_error(nullGRN(PooledGRN(s * 0)), "equal scores for all edges")
    expect_error(nullGRN(grn, "expression"), "'cells' is needed")
    expect_error(nullGRN(grn, "magic"), "'type' must be one of")
    expect_error(nullGRN(grn, "shuffle", nPerm = 0), "'nPerm' must be")
    expect_error(nullGRN(grn, "shuffle", tops = 3), "aren't known")
    expect_error(nullGRN(grn, "expression", nPerm = 1, cells = cells[1:20, ]),
        "'cells' lacks genes of the network"
    )
    expect_error(nullGRN(grn, "expression", nPerm = 1, cells = cells,
        group = "nothing"
    ), "isn't a column")
    expect_error(nullGRN(grn, "expression", nPerm = 1, cells = cells,
        group = seq_len(300)
    ), "puts every cell alone")
    expect_error(nullGRN(grn, "expression", nPerm = 1, cells = cells,
        group = 1:2
    ), "a value per cell")
    expect_error(nullGRN(grn, "expression", nPerm = 1, cells = cells, colour = 1),
        "aren't known"
    )
    other <- nullGRN(PooledGRN(s + 1), "degree", nPerm = 1)
    expect_error(edgeFDR(grn, other), "another network")
    expect_error(edgeFDR(grn, grn), "what nullGRN\\(\\) returns")
    expect_error(edgeFDR(s, other), "'x' must be a network")
    expect_s4_class(nullGRN(exampleGRN(), "shuffle", nPerm = 2), "GRNNull")
})

test_that("pooled counts are those of all targets of the TF", {
    one <- nullGRN(grn, "expression", nPerm = 1, cells = cells, seed = 4)
    s <- as.matrix(grn)
    t <- 3
    use <- rownames(s)[[t]] != colnames(s)
    want <- vapply(which(use), function(g) {
        sum(one@mean[t, use] >= s[t, g])
    }, numeric(1))
    expect_equal(unname(one@pooled[t, use]), want)
    expect_true(all(is.na(one@sd)))
    p <- edgeFDR(grn, one)
    p <- p[p$Gene1 == rownames(s)[[t]], ]
    expect_equal(p$p[match(colnames(s)[use], p$Gene2)], (1 + want) / 40)
})
