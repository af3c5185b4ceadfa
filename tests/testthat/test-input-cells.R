counts <- function(x) SummarizedExperiment::assay(x, "counts")

test_that("every container gives the same cells", {
    x <- tinyCells()
    model <- tinyModel(x)
    want <- .preprocess(.readCells(x), model@vocab, model@tfs$human, "train")
    m <- counts(x)
    delayed <- x
    SummarizedExperiment::assay(delayed, "counts") <-
        DelayedArray::DelayedArray(as.matrix(m))
    sparseDelayed <- x
    SummarizedExperiment::assay(sparseDelayed, "counts") <-
        DelayedArray::DelayedArray(m)
    triplet <- methods::as(m, "TsparseMatrix")
    integers <- as.matrix(m)
    storage.mode(integers) <- "integer"
    for (y in list(
        m, as.matrix(m), integers, triplet, DelayedArray::DelayedArray(m),
        delayed, sparseDelayed,
        SummarizedExperiment::SummarizedExperiment(list(counts = m))
    )) {
        got <- .preprocess(.readCells(y), model@vocab, model@tfs$human, "train")
        expect_equal(got$values, want$values)
        expect_identical(got$labels, want$labels)
        expect_identical(got$cells, want$cells)
    }
})

test_that("cells without names are numbered", {
    m <- counts(tinyCells())
    colnames(m) <- NULL
    expect_message(i <- .readCells(m, verbose = TRUE), "cell1")
    expect_identical(i$cells[[2]], "cell2")
})

test_that("symbols may be a column or a vector", {
    x <- tinyCells()
    symbols <- rownames(x)
    rownames(x) <- paste0("row", seq_len(nrow(x)))
    SummarizedExperiment::rowData(x)$mine <- symbols
    expect_identical(.readCells(x, .inputArgs(symbols = "mine"))$names, symbols)
    expect_identical(.readCells(x, .inputArgs(symbols = symbols))$names, symbols)
    expect_error(.readCells(x, .inputArgs(symbols = "yours")), "'symbols'.*yours.*mine")
    expect_error(.readCells(x, .inputArgs(symbols = c("a", "b"))), "one name per gene")
})

smallCells <- function() {
    simulateCells(nCells = 60, nGenes = 30, nTFs = 6, seed = 1)
}

test_that("every class of Matrix is read, and a SpatialExperiment is one", {
    m <- counts(tinyCells())
    want <- as.matrix(m)
    same <- list(
        methods::as(m, "RsparseMatrix"), methods::as(m, "TsparseMatrix"),
        methods::as(methods::as(want, "dMatrix"), "unpackedMatrix"),
        DelayedArray::DelayedArray(m)[, seq_len(ncol(m))],
        structure(want, class = c("table"))
    )
    for (x in same) {
        cells <- .readCells(x)
        expect_equal(as.matrix(.sparseColumns(cells$matrix)), want,
            ignore_attr = TRUE
        )
    }
    pattern <- methods::as(m, "nMatrix")
    expect_equal(as.matrix(.sparseColumns(.readCells(pattern)$matrix)),
        (want > 0) + 0, ignore_attr = TRUE
    )
    diagonal <- Matrix::Diagonal(4)
    dimnames(diagonal) <- list(letters[1:4], LETTERS[1:4])
    expect_equal(unname(as.matrix(.sparseColumns(.readCells(diagonal)$matrix))),
        diag(4)
    )
    ## what no class is known of in advance: a subclass, as SpatialExperiment
    Place <- methods::setClass("Place", contains = "SingleCellExperiment",
        where = environment()
    )
    x <- Place(tinyCells())
    expect_equal(.readCells(x)$matrix, m, ignore_attr = TRUE)
})

test_that("the RNA is found, or chosen by 'assay'", {
    x <- tinyCells()
    other <- x[6:31, ]
    rownames(other) <- paste0("ADT", seq_len(nrow(other)))
    SingleCellExperiment::altExp(other, "RNA", withDimnames = FALSE) <-
        SummarizedExperiment::SummarizedExperiment(list(counts = counts(x)))
    cells <- .readCells(other, .inputArgs(assay = "RNA"))
    expect_identical(cells$names, rownames(x))
    expect_identical(cells$cells, colnames(x))
    expect_error(.readCells(other, .inputArgs(assay = "no")),
        "'assay' is \"no\", which isn't an altExp of 'x'; there are"
    )
    expect_error(inferGRN(other, RidgeGRNParam()), "Its parts are .*RNA")
    expect_error(.readCells(counts(x), .inputArgs(assay = "RNA")),
        "'assay' is \"RNA\", but 'x' holds one modality"
    )
    skip_if_not_installed("MultiAssayExperiment")
    d <- tauCounts()
    m <- MultiAssayExperiment::MultiAssayExperiment(
        list(peaks = d$atac, expression = d$rna)
    )
    expect_identical(.readCells(m)$names, rownames(d$rna))
    expect_identical(.readCells(m, .inputArgs(assay = "peaks"))$names,
        rownames(d$atac)
    )
    two <- MultiAssayExperiment::MultiAssayExperiment(list(a = d$rna, b = d$rna))
    expect_error(.readCells(two), "'assay' is needed: which of a, b")
})

test_that("transposed matrices are told", {
    m <- as.matrix(counts(tinyCells()))
    for (call in list(
        function() inferGRN(t(m), RidgeGRNParam()),
        function() inferGRN(t(m), PerCellGRNParam()),
        function() preprocess(t(m)), function() newModel(tinyParam(), t(m))
    )) {
        expect_error(call(), "'x' is transposed: .*MYOD1, MYOG.*t\\(x\\)")
    }
    plain <- t(m)
    rownames(plain) <- NULL
    expect_error(inferGRN(plain, RidgeGRNParam()), "transposed.*have none")
    ids <- t(m)
    colnames(ids) <- sprintf("ENSMUSG%011d", seq_len(ncol(ids)))
    expect_error(inferGRN(ids, RidgeGRNParam()), "transposed")
    ## not where a column of rowData has the symbols
    x <- tinyCells()
    SummarizedExperiment::rowData(x)$mine <- rownames(x)
    rownames(x) <- paste0("r", seq_len(nrow(x)))
    colnames(x)[1:3] <- c("SOX2", "PAX6", "MYC")
    expect_identical(.readCells(x, .inputArgs(symbols = "mine"))$names[[1L]],
        "MYOD1"
    )
})

test_that("cells without a name are told before any work", {
    m <- as.matrix(counts(smallCells()))
    for (bad in list(NA, "")) {
        x <- m
        colnames(x)[3] <- bad
        for (param in list(PerCellGRNParam(), RidgeGRNParam())) {
            expect_error(inferGRN(x, param),
                "^'x' has 1 cell without a name \\(first: column 3\\)"
            )
        }
        expect_error(preprocess(x), "column 3")
    }
})

test_that("cells that are alike, or two, give a warning with their zeros", {
    x <- smallCells()
    same <- x[, rep(1L, 40)]
    colnames(same) <- paste0("c", 1:40)
    expect_warning(grn <- inferGRN(same, CorGRNParam()), "every score .* is 0")
    expect_true(all(as.matrix(grn) == 0))
    expect_warning(inferGRN(x[, 1:2], seed = 1), "every score .* is 0")
    expect_no_warning(inferGRN(x, RidgeGRNParam()))
})

test_that("scaled data are told", {
    m <- t(scale(t(as.matrix(counts(smallCells())))))
    m[!is.finite(m)] <- 0
    expect_error(inferGRN(m, CorGRNParam()),
        "below 0 are those of scaled or centred data.*'assay.type'"
    )
    expect_error(preprocess(m, minGenes = 1), "scaled or centred")
})

test_that("an assay called logcounts is taken as logarithms", {
    x <- smallCells()
    m <- as.matrix(counts(x))
    logged <- log1p(sweep(m, 2, colSums(m), "/") * 1e4)
    SummarizedExperiment::assay(x, "logcounts") <- logged
    expect_no_warning(grn <- inferGRN(x, RidgeGRNParam(),
        assay.type = "logcounts"
    ))
    want <- inferGRN(logged, RidgeGRNParam(), alreadyNormalised = TRUE)
    expect_identical(as.matrix(grn), as.matrix(want))
    expect_equal(as.matrix(inferGRN(x, RidgeGRNParam())), as.matrix(want))
    expect_error(inferGRN(m * 3.3, RidgeGRNParam(), alreadyNormalised = TRUE),
        "'alreadyNormalised' is TRUE"
    )
    SummarizedExperiment::assay(x, "counts") <- NULL
    expect_warning(preprocess(x, minGenes = 1, verbose = FALSE),
        "\"logcounts\" looks log-normalised by its name.*needs counts"
    )
    expect_warning(preprocess(logged, minGenes = 1, verbose = FALSE),
        "looks log-normalised.*needs counts"
    )
})
