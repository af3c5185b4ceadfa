## CellLabels and addLabels().

test_that("labels go back into the containers", {
    l <- simulatedLabels()
    x <- simulatedTypes(seed = 2)
    y <- addLabels(x, l)
    expect_identical(y$cellType, as.data.frame(l)$label)
    expect_true(all(c("cellTypeProbability", "cellTypeBroad", "cellTypeSet",
        "cellTypeNovelty", "cellTypeNoveltyP") %in%
        names(SummarizedExperiment::colData(y))))
    expect_true(S4Vectors::metadata(y)$cellType$verdict$holds)
    y <- addLabels(x[, 5:1], l, name = "kind")
    expect_identical(y$kind, as.data.frame(l)$label[5:1])
    expect_error(addLabels(SingleCellExperiment::counts(x), l), "matrix|dgC")
    colnames(x) <- paste0("other", seq_len(ncol(x)))
    expect_error(addLabels(x, l), "no cell of 'x'")
    expect_error(addLabels(x, 1), "annotateCells")
    expect_error(addLabels(x), "'labels' is missing")
})

test_that("Seurat objects get meta data", {
    skip_if_not_installed("SeuratObject")
    x <- simulatedTypes(seed = 2)
    s <- SeuratObject::CreateSeuratObject(SingleCellExperiment::counts(x))
    s <- addLabels(s, simulatedLabels())
    expect_identical(unname(s[["cellType"]][, 1]),
        as.data.frame(simulatedLabels())$label)
})

test_that("it shows the verdict, then the counts", {
    out <- capture.output(show(simulatedLabels()))
    expect_match(out[[1]], "distinguishable")
    expect_true(any(grepl("meanProbability", out)))
    expect_identical(sum(as.data.frame(simulatedLabels(),
        which = "counts")$cells), 120L)
})
