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
