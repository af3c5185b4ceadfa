sets <- tauGeneSets()

test_that("gene sets are the specification's", {
    expect_identical(sets$immediateEarly,
        c("FOS", "JUN", "JUNB", "EGR1", "NR4A1", "NR4A2", "ATF3")
    )
    expect_setequal(sets$pioneer,
        c("SPI1", "CEBPA", "CEBPB", "GATA2", "IRF8", "RUNX1")
    )
    expect_length(sets$immediateEarlyWide, 141L)
    expect_true(all(sets$immediateEarly %in% sets$immediateEarlyWide))
})
