test_that("myoblasts of HSMMSingleCell are read as they come", {
    skip_if_not_installed("HSMMSingleCell")
    env <- new.env()
    utils::data(
        list = c("HSMM_expr_matrix", "HSMM_gene_annotation",
            "HSMM_sample_sheet"
        ), package = "HSMMSingleCell", envir = env
    )
    x <- SingleCellExperiment::SingleCellExperiment(
        list(fpkm = env$HSMM_expr_matrix),
        rowData = S4Vectors::DataFrame(env$HSMM_gene_annotation),
        colData = S4Vectors::DataFrame(env$HSMM_sample_sheet)
    )
    model <- newModel(tinyParam(), x, minCells = 3, seed = 1, threads = 1)
    expect_identical(nrow(model@vocab), 21533L)
    args <- .inputArgs(species = "human", nTargets = 200, keep = "ID1",
        preprocess = list(minCells = 50), tissue = "Media"
    )
    p <- suppressMessages(.modelCells(model, x, "train", args, TRUE))
    expect_true(all(c("MYOG", "MEF2C", "ID1") %in% p$labels))
    expect_true(p$nonTF[match("ID1", p$labels)])
    expect_false(p$nonTF[match("MYOG", p$labels)])
    expect_equal(sum(p$nonTF), 201)
    expect_lte(max(p$values), log1p(1e4))
    expect_true(all(is.finite(p$values@x)) && min(p$values@x) > 0)
    expect_false(p$report$counts)
    expect_identical(
        sort(conditionTable(model)$cond_value),
        sort(c("<unk>", "human", "mouse", "gm", "dm"))
    )
})
