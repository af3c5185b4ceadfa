## Reading reference and query, shared genes, labels.

read <- function(x, ...) causeway:::.typeCells(x, causeway:::.inputArgs(...))

test_that("counts and logs are told apart by their values", {
    cells <- simulatedTypes(5)
    expect_false(read(cells)$logged)
    m <- as.matrix(SingleCellExperiment::counts(cells))
    expect_true(read(log1p(m))$logged)
    expect_false(read(m * 1000.5)$logged)
    expect_error(read(m * 1000.5, alreadyNormalised = TRUE), "no logs")
    expect_error(read(m - 3), "negative values")
    m[3, 4] <- NA
    expect_error(read(m), "1 value that is NA, NaN or infinite")
})

test_that("too few shared genes say which naming each has", {
    human <- read(simulatedTypes(5))
    other <- simulatedTypes(5)
    rownames(other) <- sprintf("ENSMUSG%011d", seq_len(160))
    other <- read(other)
    expect_error(causeway:::.sharedGenes(human, other), "share 0 genes")
    expect_error(causeway:::.sharedGenes(human, other), "reconcileGenes")
})

test_that("genes match without regard to order and case; species are told", {
    a <- simulatedTypes(5)
    b <- a[160:1, ]
    rownames(b) <- sub("GENE", "Gene", rownames(b))
    expect_warning(s <- causeway:::.sharedGenes(read(a), read(b)),
        "different species")
    expect_identical(s$query, 160:1)
})

test_that("labels that can't be learnt are left out and said so", {
    out <- causeway:::.usableLabels(c("a", "a", "a", "b", "b", "b", "c", NA))
    expect_identical(out$label[7:8], c(NA_character_, NA_character_))
    expect_match(out$notes[[2]], "fewer than 3 cells: c")
    expect_error(causeway:::.usableLabels(c("a", "a", "a", "b")), "1 type")
    cells <- simulatedTypes(5)
    expect_error(causeway:::.typeColumn(read(cells), "cel_type", "labels"),
        "Is \"cell_type\" meant")
    expect_error(causeway:::.typeColumn(read(cells), 1:3, "labels"),
        "length 3")
    cells$odd <- factor(cells$cell_type, c("B", "NK", "T", "nobody"))
    expect_identical(causeway:::.typeColumn(read(cells), "odd", "labels"),
        cells$cell_type)
})
