test_that("the example opens, says what it holds, and stays in its file", {
    expect_message(x <- openCells(cellsFile()), "120 cells x 140 genes")
    expect_s4_class(x, "SingleCellExperiment")
    expect_identical(dim(x), c(140L, 120L))
    expect_true(.isDelayed(SummarizedExperiment::assay(x)))
    expect_identical(SummarizedExperiment::assayNames(x), "counts")
    y <- simulateCells(120, seed = 1)
    expect_equal(inMemory(x), inMemory(y))
    expect_identical(as.character(x$context), as.character(y$context))
    expect_silent(openCells(cellsFile(), verbose = FALSE))
})

test_that("what is no file of cells is refused with what it is", {
    refused <- function(bytes, says) {
        file <- tempfile()
        writeBin(bytes, file)
        expect_error(openCells(file), says)
        expect_error(openCells(file), basename(file))
        unlink(file)
    }
    refused(raw(), "is empty \\(0 bytes\\)")
    refused(charToRaw("gene,cell1\nA,1\n"), "looks like text")
    refused(memCompress(charToRaw(strrep("a", 99)), "gzip"), "is no HDF5 file")
    refused(as.raw(c(0x1f, 0x8b, 8, 0, 0, 0, 0, 0, 0)), "gunzip")
    refused(charToRaw("PK\003\004......"), "zip archive")
    refused(charToRaw("%%MatrixMarket matrix"), "MatrixMarket")
    expect_error(openCells("no/such.h5ad"), "names no file.*no folder no")
    expect_error(openCells(sub("h5ad", "h5da", cellsFile())),
        "There is cells.h5ad"
    )
    expect_error(openCells(42), "'file' must be one character string")
    expect_error(openCells(tempdir()), "folder without matrix.mtx")
    saved <- tempfile()
    dir.create(saved)
    file.create(file.path(saved, "annotator.rds"))
    expect_error(openCells(saved), "a saved model, no cells; loadModel")
    file <- stepsFile(list(.putGroup("other")), ".h5")
    expect_error(openCells(file), "of no kind that is read.*holds other")
    file <- stepsFile(list(), ".h5")
    expect_error(openCells(file), "this holds nothing")
})

test_that("a file cut off anywhere is refused", {
    bytes <- readBin(cellsFile(), "raw", file.size(cellsFile()))
    file <- tempfile()
    for (share in c(0.001, 0.1, 0.5, 0.9, 0.999)) {
        writeBin(bytes[seq_len(share * length(bytes))], file)
        expect_error(openCells(file), "can't be read|is no HDF5")
    }
})

test_that("every verb takes the path as cells and gives the same", {
    file <- cellsFile()
    x <- openCells(file, verbose = FALSE)
    cells <- SingleCellExperiment::SingleCellExperiment(
        list(counts = .asColumns(SummarizedExperiment::assay(x))),
        colData = SummarizedExperiment::colData(x),
        rowData = SummarizedExperiment::rowData(x)
    )
    same <- function(verb) {
        want <- verb(cells)
        expect_equal(verb(file), want)
        expect_equal(verb(x), want)
    }
    for (param in list(CorGRNParam(), RidgeGRNParam(),
        TreeGRNParam(trees = 5))) {
        same(function(x) {
            inferGRN(x, param, seed = 1, verbose = FALSE)@scores
        })
    }
    grn <- inferGRN(cells, CorGRNParam(), verbose = FALSE)
    same(function(x) {
        SummarizedExperiment::assay(SingleCellExperiment::altExp(
            regulonActivity(x, grn), "regulons"
        ))
    })
    same(function(x) {
        y <- preprocess(x, nTargets = 30, minGenes = 1, verbose = FALSE)
        list(as.data.frame(SummarizedExperiment::rowData(y)),
            inMemory(y, "logcounts")
        )
    })
    same(function(x) {
        lost <- rep_len(c("none", tfNames(grn)[1:2]), 120)
        as.data.frame(evaluatePerturbation(x, grn, lost, "none", nPerm = 5,
            nBoot = 0, minCells = 2, seed = 1
        ))
    })
    same(function(x) {
        as.data.frame(stabilityGRN(x, CorGRNParam(), nSeeds = 0,
            nSamples = 1, seed = 1, verbose = FALSE
        ))
    })
    same(function(x) {
        g <- inferGRN(x, PerCellGRNParam(), seed = 1, verbose = FALSE)
        poolGRN(g)@scores
    })
})

test_that("a model is trained from a file as from memory", {
    file <- cellsFile()
    x <- openCells(file, verbose = FALSE)
    SummarizedExperiment::assay(x) <- .asColumns(SummarizedExperiment::assay(x))
    fit <- function(x) {
        model <- newModel(tinyParam(), x, seed = 1)
        trainingHistory(trainModel(x, model, epochs = 1, seed = 1,
            nTargets = 20, verbose = FALSE
        ))$loss
    }
    expect_equal(fit(file), fit(x))
})

test_that("names given twice in a file are told with the file", {
    steps <- tinySteps()
    steps[[which(vapply(steps, function(s) {
        identical(s$name, "obs/_index")
    }, NA))]]$data <- c("c1", "c1", "c2", "c3")
    file <- stepsFile(steps)
    expect_s4_class(openCells(file, verbose = FALSE), "SingleCellExperiment")
    expect_error(inferGRN(file, CorGRNParam()), "duplicated cell names: c1")
})

test_that("the files of other programs open, or are refused clearly", {
    dir <- sharedData("06_h5_fixtures")
    files <- c(list.files(dir, "\\.(h5|h5ad)$", recursive = TRUE,
        full.names = TRUE
    ), file.path(dir, "cellranger_h5", c("mex_1.2.0_hg19_chr21", "mex_3.0.0")))
    said <- vapply(files, function(file) {
        tryCatch({
            x <- openCells(file, verbose = FALSE)
            m <- SummarizedExperiment::assay(x)
            stopifnot(identical(dim(.asColumns(m)), dim(x)))
            ""
        }, error = conditionMessage)
    }, "")
    names(said) <- basename(files)
    none <- c("v0.11.4_adata.h5ad", "7405b6_xnone.h5ad", "ba1569_x-none.h5ad")
    expect_match(said[none], "has no matrix: neither X")
    many <- "anndata_1.2.0_multiple_genomes.h5"
    expect_match(said[[many]], "several genomes.*genome = ")
    expect_true(all(said[setdiff(names(said), c(none, many))] == ""))
    x <- openCells(grep(many, files, value = TRUE), "hg19_chr21", FALSE)
    expect_identical(dim(x), c(343L, 12L))
})

test_that("verbs that take names take files of cells, too", {
    x <- exampleCells(nCells = 30)
    path <- tempfile(fileext = ".h5ad")
    on.exit(unlink(path))
    writeH5AD(x, path, verbose = FALSE)
    out <- reconcileGenes(path, species = "human", minCoverage = 0)
    expect_s4_class(out, "SingleCellExperiment")
    expect_identical(rownames(out),
        rownames(reconcileGenes(x, species = "human", minCoverage = 0)))
    expect_error(linkPeaks(path, data.frame()), "no chromatin")
})
