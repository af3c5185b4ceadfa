test_that("the TF catalogue is what its page says", {
    human <- tfCatalogue("human")
    mouse <- tfCatalogue("Mus musculus")
    expect_identical(nrow(human), 1430L)
    expect_identical(nrow(mouse), 1014L)
    expect_true(all(c("MYOG", "MEF2C", "MYF5", "MYOD1") %in% human$TF))
    expect_false(any(c("ID1", "ID2", "ID3", "ID4") %in% human$TF))
    expect_true(all(mouse$human %in% human$TF))
    expect_false(anyDuplicated(mouse$TF) > 0)
})

test_that("TF tables may be symbols, a data.frame or a list", {
    expect_identical(.resolveTfs(c("a", " b "), "human")$human, c("a", "b"))
    expect_identical(
        .resolveTfs(data.frame(TF = "x"), "mouse")$mouse, "x"
    )
    expect_identical(.resolveTfs(list(human = "q"), "mouse")$human, "q")
    expect_error(.resolveTfs(data.frame(gene = "x"), "human"), "column 'TF'")
    expect_error(.resolveTfs(3, "human"), "'tfs'")
    expect_identical(.isTf(c("Gata1", NA, "X"), "GATA1"), c(TRUE, FALSE, FALSE))
})

test_that("species names are understood, mixed ones refused", {
    expect_identical(.resolveSpecies(NULL), "human")
    expect_identical(.resolveSpecies(" Homo sapiens "), "human")
    expect_identical(.resolveSpecies("mm"), "mouse")
    data <- data.frame(organism = c("hs", "human"))
    expect_identical(.resolveSpecies("organism", data), "human")
    expect_error(.resolveSpecies("zebrafish"), "'species'.*zebrafish")
    expect_error(.resolveSpecies(c("human", "mouse")), "mixed")
})

test_that("factors may be named as the rows are; none of them is an error", {
    x <- as.matrix(SummarizedExperiment::assay(tinyCells()))
    catalogue <- tfCatalogue("human")
    tfs <- rownames(x)[1:5]
    ids <- catalogue$ensembl[match(tfs, catalogue$TF)]
    ens <- x
    rownames(ens) <- c(ids, sprintf("ENSG%011d", 900001:900026))
    for (given in list(ids[1:3], paste0(ids[1:3], ".7"), tolower(tfs[1:3]))) {
        for (param in list(RidgeGRNParam(), PerCellGRNParam(nPerm = 1))) {
            expect_identical(tfNames(inferGRN(ens, param, tfs = given,
                seed = 1
            )), tfs[1:3])
        }
    }
    ## a row without a symbol
    expect_identical(tfNames(inferGRN(ens, RidgeGRNParam(),
        tfs = rownames(ens)[7]
    )), rownames(ens)[7])
    expect_error(inferGRN(x, RidgeGRNParam(), tfs = c("AAA1", "BBB2")),
        "'tfs' names no gene of 'x': AAA1, BBB2; those of 'x' are like MYOD1"
    )
    expect_error(inferGRN(x, RidgeGRNParam(), tfs = "all"), "rownames\\(x\\)")
    expect_error(inferGRN(x, RidgeGRNParam(), tfs = "mouse"), "'species'")
    expect_error(inferGRN(x, tinyModel(x), tfs = "AAA1"), "AAA1")
    model <- newModel(tinyParam(), ens, tfs = ids[1:2], seed = 1, threads = 1)
    expect_length(tfNames(inferGRN(ens, model, verbose = FALSE)), 2L)
})

test_that("names written as in the other species are told, either way", {
    x <- as.matrix(SummarizedExperiment::assay(tinyCells()))
    expect_warning(inferGRN(x, RidgeGRNParam(), species = "mouse"),
        "'x' has human genes .*'species' is \"mouse\": say species = \"human\""
    )
    expect_warning(preprocess(x, minGenes = 1, species = "mouse",
        verbose = FALSE
    ), "human genes")
    expect_warning(newModel(tinyParam(), x, species = "mouse", threads = 1),
        "human genes"
    )
    expect_no_warning(inferGRN(x, RidgeGRNParam(), species = "human"))
})
