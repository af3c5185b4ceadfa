# Students: what they learn, how they read new cells, what is kept on disk.

cells <- simulateCells(nCells = 700, nGenes = 90, nTFs = 8, seed = 5)
seen <- cells[, 1:550]
teacher <- inferGRN(seen, PerCellGRNParam(nPerm = 2), seed = 1,
    verbose = FALSE
)
student <- trainModel(seen, SFMParam(embedDim = 32), teacher = teacher,
    seed = 1, epochs = 80, batchSize = 8, verbose = FALSE
)

test_that("a student's networks are its teacher's", {
    expect_true(verdict(teacher)$distinguishable)
    taught <- inferGRN(seen, student, verbose = FALSE)
    expect_identical(tfNames(taught), tfNames(teacher))
    cells <- seq(1, 550, by = 37)
    agreement <- vapply(cells, function(i) {
        a <- as.vector(cellNetwork(taught, i))
        b <- as.vector(cellNetwork(teacher, i))
        cor(a, b)
    }, 1)
    expect_gt(mean(agreement), 0.95)
    ## and differ between states as the teacher's do
    w <- memberships(teacher)
    a <- which.max(w[, 1L])
    b <- which.max(w[, 2L])
    change <- function(g) as.vector(cellNetwork(g, a) - cellNetwork(g, b))
    expect_gt(cor(change(taught), change(teacher)), 0.9)
})

test_that("new cells get the networks of their states, alone or in company", {
    new <- inferGRN(cells[, 551:700], student, verbose = FALSE)
    own <- inferGRN(cells, PerCellGRNParam(
        states = max.col(S4Vectors::metadata(cells)$simulation$context |> t())
    ), seed = 1, verbose = FALSE)
    expect_gt(cor(as.vector(as.matrix(poolGRN(new))),
        as.vector(as.matrix(poolGRN(own, cells = 551:700)))
    ), 0.7)
    alone <- inferGRN(cells[, 560], student, verbose = FALSE)
    expect_lt(max(abs(cellNetwork(alone, 1) - cellNetwork(new, 10))), 1e-5)
})

test_that("a pooled teacher gives a student without variation", {
    pooled <- trainModel(seen, SFMParam(embedDim = 32), seed = 1,
        teacher = poolGRN(teacher), epochs = 200, verbose = FALSE
    )
    taught <- inferGRN(seen[, 1:3], pooled, verbose = FALSE)
    expect_lt(max(abs(cellNetwork(taught, 1) - cellNetwork(taught, 3))), 1e-5)
    expect_gt(cor(as.vector(cellNetwork(taught, 1)),
        as.vector(as.matrix(poolGRN(teacher)))
    ), 0.95)
})

test_that("a student survives saveModel", {
    dir <- file.path(tempfile(), "student")
    dir.create(dirname(dir))
    saveModel(student, dir)
    again <- loadModel(dir, verbose = FALSE)
    a <- inferGRN(cells[, 600:605], student, verbose = FALSE)
    b <- inferGRN(cells[, 600:605], again, verbose = FALSE)
    expect_lt(max(abs(cellNetwork(a, 2) - cellNetwork(b, 2))), 1e-5)
    file <- file.path(dir, "models", "sfm", "train_state.json")
    text <- readLines(file, warn = FALSE)
    writeLines(sub("\"neighbours\": *[0-9]+", "\"neighbours\": -1", text), file)
    expect_error(loadModel(dir, verbose = FALSE), "don't fit together")
})

test_that("what can't be taught is refused", {
    teach <- function(x, ...) trainModel(x, SFMParam(embedDim = 32), ...,
        verbose = FALSE
    )
    expect_error(teach(seen, teacher = 3), "'teacher' must be a StateGRN")
    expect_error(teach(cells, teacher = teacher), "550 of the 700 cells")
    expect_error(teach(seen, teacher = teacher, tfs = "MYOD1"),
        "'tfs' can't be chosen"
    )
    flat <- matrix(0, 2, 3, dimnames = list(rownames(seen)[1:2],
        rownames(seen)[1:3]
    ))
    expect_error(teach(seen, teacher = PooledGRN(flat)), "has no edge")
    expect_error(teach(seen, teacher = teacher, epochs = 0), "'epochs'")
    expect_error(teach(seen, teacher = teacher, priorWeight = 1), "unused")
})
