sparse <- function(m) methods::as(m, "CsparseMatrix")
cases <- c("cellfm_data_a", "cellfm_data_b")

test_that("counts are got back and depth is capped as published", {
    for (case in cases) {
        all <- readTensors(file.path(fixture(case), "case.safetensors"))
        logged <- sparse(genesByCells(all$recover.in))
        expect_true(causeway:::.looksLogged(logged))
        expect_equal(as.matrix(causeway:::.recoverCounts(logged)),
            genesByCells(all$expect.recover), ignore_attr = TRUE
        )
        counts <- sparse(genesByCells(all$cap.counts) + 0)
        expect_equal(as.matrix(causeway:::.capDepth(counts)),
            genesByCells(all$expect.cap), ignore_attr = TRUE
        )
    }
})

test_that("names become approved symbols as published", {
    for (case in cases) {
        dir <- fixture(case)
        genes <- jsonlite::fromJSON(file.path(dir, "genes.json"))
        want <- jsonlite::fromJSON(file.path(dir, "expect_names.json"))
        map <- causeway:::.hgncMap(file.path(dir, "hgnc.csv"))
        expect_identical(as.list(map$to)[names(want$map)], want$map)
        expect_setequal(names(map$to), names(want$map))
        expect_identical(causeway:::.hgncNames(genes$names, genes$genes, map),
            want$new_names)
    }
    table <- data.frame(`Approved symbol` = "A", Status = "Approved",
        `Alias symbols` = NA, `Previous symbols` = "B, C", check.names = FALSE)
    expect_identical(causeway:::.hgncNames(c("B", "C"), "A",
        causeway:::.hgncMap(table)), c("A", "C"))
    expect_error(causeway:::.hgncMap(table[-2]), "'hgnc'.*Status")
})

test_that("a container comes back with counts and names", {
    cells <- exampleCells(nCells = 30, nGenes = 40)
    counts <- as.matrix(SingleCellExperiment::counts(cells))
    hgnc <- data.frame(`Approved symbol` = "NEW1", Status = "Approved",
        `Alias symbols` = "", `Previous symbols` = rownames(cells)[[3]],
        check.names = FALSE)
    out <- preprocess(cells, "cellfm", minGenes = 5, hgnc = hgnc,
        verbose = FALSE)
    kept <- SummarizedExperiment::rowData(out)$given
    expect_identical(rownames(out)[kept == rownames(cells)[[3]]], "NEW1")
    expect_identical(S4Vectors::metadata(out)$preprocess$renamed, 1L)
    expect_equal(as.matrix(SingleCellExperiment::counts(out)),
        counts[kept, colnames(out)], ignore_attr = TRUE)
    ## logarithms give the counts again, where every cell has a 1
    ones <- apply(counts, 2, function(v) min(v[v > 0])) == 1
    logged <- log1p(sweep(counts, 2, colSums(counts), "/") * 1e4)
    back <- preprocess(logged[, ones], "cellfm", minGenes = 0, minCells = 0,
        verbose = FALSE)
    expect_equal(as.matrix(SingleCellExperiment::counts(back)), counts[, ones],
        ignore_attr = TRUE)
    expect_error(preprocess(cells, "cellfm", minGenes = 1e6, verbose = FALSE),
        "'minGenes'")
})
