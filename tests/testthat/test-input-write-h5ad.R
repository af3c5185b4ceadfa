richCells <- function() {
    x <- simulateCells(60, seed = 1)
    x$maybe <- c(NA, rep(TRUE, 59))
    x$whole <- c(NA, 1:59)
    x$word <- c(NA, rep("\u00e9", 59))
    x$level <- factor(c(NA, rep(c("b", "a"), c(30, 29))), c("b", "a"),
        ordered = TRUE
    )
    SingleCellExperiment::reducedDim(x, "PCA") <- matrix(seq_len(120) / 7, 60)
    SummarizedExperiment::assay(x, "logcounts") <- log1p(
        SummarizedExperiment::assay(x)
    )
    grn <- inferGRN(x, CorGRNParam(), verbose = FALSE)
    regulonActivity(x, grn)
}

test_that("what is written is read back", {
    x <- richCells()
    file <- tempfile(fileext = ".h5ad")
    expect_identical(writeH5AD(x, file), file)
    y <- openCells(file, verbose = FALSE)
    expect_identical(dimnames(y), dimnames(x))
    expect_equal(inMemory(y, "counts"), inMemory(x, "counts"))
    expect_identical(inMemory(y, "logcounts"), inMemory(x, "logcounts"))
    for (column in c("maybe", "whole", "level", "context", "position")) {
        expect_equal(y[[column]], x[[column]])
    }
    expect_identical(as.character(y$word), x$word)
    expect_equal(SingleCellExperiment::reducedDim(y, "PCA"),
        SingleCellExperiment::reducedDim(x, "PCA"), ignore_attr = TRUE
    )
    uns <- S4Vectors::metadata(y)$uns
    expect_match(uns$causeway$version, "^[0-9.]+$")
    expect_identical(.h5Frame(file, "obsm/regulons")$names, colnames(x))
    activity <- SingleCellExperiment::altExp(x, "regulons")
    expect_equal(
        t(as.matrix(as.data.frame(.h5Frame(file, "obsm/regulons")$data,
            optional = TRUE
        ))), as.matrix(SummarizedExperiment::assay(activity)),
        ignore_attr = TRUE
    )
})

test_that("a file is written again from a file", {
    file <- tempfile(fileext = ".h5ad")
    writeH5AD(cellsFile(), file)
    expect_equal(inMemory(openCells(file, verbose = FALSE)),
        inMemory(openCells(cellsFile(), verbose = FALSE))
    )
    expect_error(writeH5AD(cellsFile(), file), "'file' exists")
    before <- file.size(file)
    expect_error(writeH5AD(cellsFile(), file, "none", overwrite = TRUE),
        "'assay.type' is \"none\""
    )
    expect_identical(file.size(file), before)
    m <- inMemory(simulateCells(60, seed = 1))
    writeH5AD(m, file, overwrite = TRUE)
    expect_equal(inMemory(openCells(file, verbose = FALSE)), m)
})

test_that("what has no place in a file is named", {
    x <- simulateCells(60, seed = 1)
    x$list <- rep(list(1), 60)
    colnames(x)[2] <- colnames(x)[1]
    file <- tempfile(fileext = ".h5ad")
    expect_message(expect_message(writeH5AD(x, file), "Not written.*obs.list"),
        "twice are numbered"
    )
    expect_identical(anyDuplicated(colnames(openCells(file, verbose = FALSE))),
        0L
    )
})

test_that("Python's anndata reads it", {
    python <- Sys.getenv("CAUSEWAY_PYTHON")
    skip_if(!nzchar(python), "CAUSEWAY_PYTHON names no Python with anndata")
    x <- richCells()
    file <- tempfile(fileext = ".h5ad")
    writeH5AD(x, file)
    code <- paste0("import anndata; a = anndata.read_h5ad('", file, "'); ",
        "print(a.shape, float(a.X.sum()), a.obs['level'].cat.ordered, ",
        "int(a.obs['whole'].isna().sum()), a.obsm['X_pca'].shape, ",
        "a.obsm['regulons'].shape[0], 'version' in a.uns['causeway'], ",
        "sorted(a.layers))"
    )
    said <- system2(python, c("-c", shQuote(code)), stdout = TRUE)
    expect_identical(tail(said, 1L), paste0("(60, 140) ",
        format(sum(inMemory(x)), nsmall = 1), " True 1 (60, 2) 60 True ",
        "['logcounts']"
    ))
})

test_that("cells and genes without a name are named by their places", {
    m <- matrix(1:6, 3, dimnames = list(c("A", NA, "C"), c("", "b")))
    file <- tempfile(fileext = ".h5ad")
    expect_message(expect_message(writeH5AD(m, file),
        "1 gene without a name: by place"), "1 cell without a name")
    expect_identical(.h5Frame(file, "obs")$names, c("cell1", "b"))
    expect_identical(.h5Frame(file, "var")$names, c("A", "gene2", "C"))
})

test_that("R ends well after a file that the disk had no room for", {
    skip_on_os("windows")
    code <- tempfile(fileext = ".R")
    on.exit(unlink(code))
    writeLines(c("suppressPackageStartupMessages(library(causeway))",
        "x <- simulateCells(200, 300, 20, seed = 1)",
        "try(writeH5AD(x, tempfile(fileext = '.h5ad'), verbose = FALSE))",
        "cat('end\\n')"
    ), code)
    said <- suppressWarnings(system(paste("trap '' XFSZ; ulimit -f 100;",
        shQuote(file.path(R.home("bin"), "Rscript")), shQuote(code), "2>&1"),
        intern = TRUE))
    expect_null(attr(said, "status"))
    expect_match(said, "'file' could not be written", all = FALSE)
    expect_identical(tail(said, 1L), "end")
})
