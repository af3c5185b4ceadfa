## Cells as models and estimators read them.

prepared <- function(n = 4L) {
    list(values = matrix(seq_len(2 * n), 2), conditions = matrix(0L, 1, n),
        cells = letters[seq_len(n)], columns = seq_len(n) + 10L,
        cellData = data.frame(day = seq_len(n)), report = list(cells = n))
}

test_that("cells are picked by name, number or flag, in the order asked", {
    want <- .pickCells(prepared(), c("d", "b"))
    expect_identical(want$cells, c("d", "b"))
    expect_identical(want$values, cbind(7:8, 3:4))
    expect_identical(want$columns, c(14L, 12L))
    expect_identical(want$cellData$day, c(4L, 2L))
    expect_identical(want$report$cells, 2L)
    expect_identical(.pickCells(prepared(), c(4, 2)), want)
    expect_identical(.pickCells(prepared(), c(FALSE, TRUE, FALSE, TRUE))$cells,
        c("b", "d"))
    expect_identical(.pickCells(prepared(), NULL), prepared())
})

test_that("cells that can't be picked are named", {
    pick <- function(cells) .pickCells(prepared(), cells)
    expect_error(pick(c("a", "z")), "'cells' names cells .*have: z")
    for (bad in list(0, 5, 1.5, NA_real_, TRUE, list(1))) {
        expect_error(pick(bad), "'cells' must be names, whole numbers from 1")
    }
    expect_error(pick(c("a", "a")), "at least one cell, each once")
    expect_error(pick(character()), "at least one cell")
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
    expect_error(.networkCells(m, .inputArgs(nTargets = Inf), FALSE, pick = 2),
        "'cells' leaves one cell")
})
