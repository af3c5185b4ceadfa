test_that("one human gene per mouse gene, as published", {
    table <- data.frame(
        mouse_EnsemblID = c("ENSMUSG1.4", "ENSMUSG2", "ENSMUSG2", "ENSMUSG3",
            "ENSMUSG4", "ENSMUSG5"),
        mouse_Symbol = c("A", "B", "B", "", "D", "E"),
        human_EnsemblID = c("ENSG1.2", "ENSG9", "ENSG2", "ENSG3", "nan", "ENSG1"),
        human_Symbol = c("A", "O", "B", "C", "D", "A")
    )
    map <- causeway:::.homologMap(table, "ENSG9")
    expect_identical(map[order(names(map))], c(ENSMUSG1 = "ENSG1",
        ENSMUSG2 = "ENSG9", ENSMUSG5 = "ENSG1"
    ))
    expect_identical(causeway:::.homologMap(table, NULL)[["ENSMUSG2"]], "ENSG2")
    expect_error(causeway:::.homologMap(table[1:2], NULL), "must have the columns")
})

## Two data sets, human and mouse, and the API's list of them.
folder <- tempfile("discover")
dir.create(folder)
server <- startServer(folder)
old <- options(causeway.retryWait = 0)
x <- exampleCells(nCells = 40, nGenes = 31)
rownames(x) <- sprintf("ENSG%011d", seq_len(31))
x$tissue <- rep(c("lung", "heart"), 20)
x$disease <- "normal"
x$is_primary_data <- rep(c(TRUE, TRUE, FALSE, TRUE), 10)
x$suspension_type <- rep(c("cell", "na"), c(36, 4))
writeH5AD(x, file.path(folder, "a.h5ad"), verbose = FALSE)
rownames(x) <- sprintf("ENSMUSG%011d", seq_len(31))
writeH5AD(x, file.path(folder, "m.h5ad"), verbose = FALSE)
entry <- function(id, file, organism, how) {
    list(dataset_id = id, dataset_version_id = "v1", title = id,
        organism = list(list(label = organism)),
        tissue = list(list(label = "lung")),
        disease = list(list(label = "normal")), assets = list(list(
            filetype = "H5AD", url = paste0(server$url, "/", how, "/", file),
            filesize = file.size(file.path(folder, file))
        ))
    )
}
dir.create(file.path(folder, "curation/v1"), recursive = TRUE)
writeLines(jsonlite::toJSON(list(
    entry("a", "a.h5ad", "Homo sapiens", "cut"),
    entry("m", "m.h5ad", "Mus musculus", "500")
), auto_unbox = TRUE), file.path(folder, "curation/v1/datasets"))
cache <- tempfile("cache")
out <- tempfile("cells")
get <- function(...) {
    downloadCells(..., dir = out, cache = cache, verbose = FALSE,
        server = paste0(server$url, "/429")
    )
}

test_that("partitions hold the cells asked for, and stay", {
    got <- get("lung", size = 6)
    lung <- x$tissue == "lung" & x$is_primary_data & x$suspension_type != "na"
    expect_identical(sum(got$cells), sum(lung))
    expect_identical(nrow(got), 2L)
    first <- openCells(got$file[[1L]], verbose = FALSE)
    expect_identical(unique(first$species), "human")
    expect_identical(colnames(first), colnames(x)[which(lung)[1:6]])
    expect_equal(as.matrix(assay(first)), as.matrix(assay(x))[, which(lung)[1:6]],
        ignore_attr = TRUE
    )
    n <- length(server$log())
    expect_identical(get("lung", size = 6)$sha256, got$sha256)
    expect_identical(length(server$log()), n + 1L)
    writeBin(as.raw(1), got$file[[2L]])
    expect_identical(sum(repairDownloads(cache)$state == "broken"), 1L)
    expect_identical(get("lung", size = 6)$cells, got$cells)
    ## what another query made is neither given nor overwritten
    expect_error(get("lung", size = 7), "another query.*'size' was another")
    expect_error(get("lung", size = 6, primary = FALSE), "'primary' was another")
    expect_error(get("lung", size = 6, genes = "ENSG1"), "'genes' was another")
    expect_gt(sum(get("lung", primary = FALSE, name = "all-lung")$cells),
        sum(got$cells))
    expect_error(get("brain"), "fit none of 2 data sets")
})

test_that("mouse genes become human ones", {
    map <- data.frame(mouse_EnsemblID = rownames(x)[1:5], mouse_Symbol = "a",
        human_EnsemblID = sprintf("ENSG%011d", c(1, 2, 2, 4, 5)),
        human_Symbol = "A"
    )
    got <- get("lung", organism = "mouse", homologs = map)
    mouse <- openCells(got$file, verbose = FALSE)
    expect_identical(rownames(mouse), sprintf("ENSG%011d", c(1, 2, 4, 5)))
    expect_identical(unique(mouse$species), "mouse")
})

server$stop()
options(old)
