## Cells as models and estimators read them.

test_that("cells are picked by name, number or flag, in the order asked", {
    at <- function(cells) .cellsAt(cells, letters[1:4])
    expect_identical(at(c("d", "b")), c(4L, 2L))
    expect_identical(at(c(4, 2)), c(4L, 2L))
    expect_identical(at(c(FALSE, TRUE, FALSE, TRUE)), c(2L, 4L))
    expect_identical(at(NULL), 1:4)
})

test_that("cells that can't be picked are named", {
    pick <- function(cells) .cellsAt(cells, letters[1:4])
    expect_error(pick(c("a", "z")), "'cells' names cells .*have: z")
    for (bad in list(0, 5, 1.5, NA_real_, TRUE, list(1))) {
        expect_error(pick(bad), "'cells' must be names, whole numbers from 1")
    }
    expect_error(pick(c("a", "a")), "at least one cell, each once")
    expect_error(pick(character()), "at least one cell")
})

test_that("genes are chosen on all cells, values read of those picked", {
    x <- exampleCells(40, 24)
    how <- .inputArgs(nTargets = Inf)
    all <- .networkCells(x, how, FALSE)
    some <- .networkCells(x, how, FALSE, cells = c(30, 4))
    expect_identical(some$labels, all$labels)
    expect_identical(some$values, all$values[, c(30, 4)])
    expect_identical(some$cells, all$cells[c(30, 4)])
    expect_identical(some$columns, all$columns[c(30, 4)])
    expect_identical(some$cellData, all$cellData[c(30, 4), , drop = FALSE])
    expect_identical(some$report$cells, 2L)
    expect_identical(some$report$cellsDropped, 0L)
})

test_that("estimators leave out genes of fewer than three cells", {
    m <- as.matrix(SummarizedExperiment::assay(exampleCells(40, 24)))
    m["TARGET001", ] <- 0
    m["TARGET001", 3:4] <- 5
    read <- function(...) {
        .networkCells(m, .inputArgs(nTargets = Inf, ...), FALSE)
    }
    expect_false("TARGET001" %in% read()$labels)
    expect_true("TARGET001" %in%
        read(preprocess = list(minCells = 1))$labels)
    expect_identical(dim(read()$conditions), c(0L, 40L))
    expect_error(.networkCells(m, .inputArgs(nTargets = Inf), FALSE, cells = 2),
        "'cells' leaves one cell")
})
