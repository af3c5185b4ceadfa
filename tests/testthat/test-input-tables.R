test_that("every current symbol and identifier is found again", {
    for (species in c("human", "mouse")) {
        genes <- .geneIndex(species)$genes
        out <- reconcileGenes(genes$symbol, species = species)
        expect_identical(out$output, genes$symbol)
        has <- !is.na(.geneIndex(species)$main)
        ids <- reconcileGenes(genes$symbol, "ensembl", species,
            minCoverage = 0.1
        )
        expect_identical(!is.na(ids$output), has)
        back <- reconcileGenes(ids$output[has], species = species)
        single <- back$how == "ensembl"
        expect_gt(mean(single), 0.98)
        ## a gene without a name of its own gives way
        single <- single & !startsWith(genes$symbol[has], "LOC")
        expect_identical(back$output[single], genes$symbol[has][single])
    }
})
