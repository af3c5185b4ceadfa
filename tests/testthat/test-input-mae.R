test_that("a MultiAssayExperiment pairs by cell or by primary", {
    skip_if_not_installed("MultiAssayExperiment")
    d <- tauCounts()
    cells <- colnames(d$rna)
    data <- S4Vectors::DataFrame(day = seq_along(cells), row.names = cells)
    x <- MultiAssayExperiment::MultiAssayExperiment(
        list(peaks = d$atac, rna = d$rna), data
    )
    got <- .readPairs(x)
    expect_equal(got$rna, d$rna)
    expect_equal(got$atac, d$atac)
    expect_identical(got$cellData$day, seq_along(cells))
    expect_error(.readPairs(x, rna = "x"), "isn't an experiment of 'x'")
    ## columns named apart, joined by their primary
    colnames(d$atac) <- paste0("a_", seq_along(cells))
    map <- S4Vectors::DataFrame(
        assay = factor(rep(c("peaks", "rna"), each = length(cells))),
        primary = c(cells, cells), colname = c(colnames(d$atac), cells)
    )
    x <- MultiAssayExperiment::MultiAssayExperiment(
        list(peaks = d$atac, rna = d$rna), data, map
    )
    got <- .readPairs(x)
    expect_identical(got$cells, cells)
    expect_equal(unname(as.matrix(got$atac)), unname(as.matrix(d$atac)))
    ## primaries that are donors: the column names pair
    d <- tauCounts()
    map <- S4Vectors::DataFrame(
        assay = factor(rep(c("peaks", "rna"), each = length(cells))),
        primary = "donor", colname = c(cells, cells)
    )
    x <- MultiAssayExperiment::MultiAssayExperiment(
        list(peaks = d$atac, rna = d$rna),
        S4Vectors::DataFrame(age = 5, row.names = "donor"), map
    )
    got <- .readPairs(x)
    expect_identical(got$cells, cells)
    expect_true(all(got$cellData$age == 5))
})
