test_that("conditions are cleaned, learnt in training and frozen after", {
    x <- tinyCells()
    x$tissue <- rep(c(" Muscle", "nan", NA), length.out = ncol(x))
    model <- tinyModel(x)
    args <- .inputArgs(species = "human", nTargets = 10, tissue = "tissue",
        platform = "10x v3"
    )
    p <- .modelCells(model, x, "train", args, FALSE)
    table <- conditionTable(model)
    expect_identical(
        table$cond_value, c("<unk>", "human", "mouse", "10x v3", "muscle")
    )
    expect_identical(dim(p$conditions), c(4L, ncol(x)))
    expect_identical(unname(p$conditions[, 1]), c(3L, 1L, 4L, 0L))
    expect_identical(unname(p$conditions[3, 2:3]), c(0L, 0L))
    args$disease <- "flu"
    expect_message(
        q <- .modelCells(model, x, "infer", args, TRUE), "flu"
    )
    expect_identical(conditionTable(model), table)
    expect_true(all(q$conditions[4, ] == 0L))
    args$disease <- c("a", "b")
    expect_error(.modelCells(model, x, "infer", args, FALSE), "'disease'")
})

test_that("a full condition table gives <unk> to what doesn't fit", {
    table <- data.frame(cond_value = "<unk>", token_index = 0L)
    grown <- .growConditions(table, c("a", "b", "c"), 3L)
    expect_identical(grown$cond_value, c("<unk>", "a", "b"))
    expect_identical(grown$token_index, 0:2)
})

test_that("masking hits the share asked for and never the species", {
    conditions <- matrix(rep(1:4, 100), 4)
    masked <- .maskConditions(conditions, 0.1, c(1, 2), 0L)
    expect_identical(masked[2, ], conditions[2, ])
    expect_identical(sum(masked == 0L), 30L)
    expect_identical(
        masked, .maskConditions(conditions, 0.1, c(1, 2), 0L)
    )
    expect_false(identical(
        masked, .maskConditions(conditions, 0.1, c(1, 2), 1L)
    ))
    expect_identical(.maskConditions(conditions, 0, c(1, 2), 0L), conditions)
})
