test_that("help, wrong usage and failures have their exit codes", {
    shell <- function(...) causeway:::.shell(c(...))
    expect_output(expect_identical(shell("--help"), 0L), "pretrain")
    for (command in c("pretrain", "infer", "embed", "tau")) {
        expect_output(expect_identical(shell(command, "--help"), 0L), "--threads")
    }
    expect_message(expect_identical(shell("dance"), 2L), "no command 'dance'")
    expect_message(expect_identical(shell("infer"), 2L), "infer needs CELLS")
    expect_message(expect_identical(shell("infer", "x"), 2L), "needs --out")
    expect_message(expect_identical(shell("infer", "x", "--outt", "y"), 2L),
        "is --out meant"
    )
    expect_message(expect_identical(shell("tau", "x", "--out", "y",
        "--seed=one"
    ), 2L), "--seed needs a number")
    expect_message(expect_identical(shell("infer", "nothing.h5ad", "--out",
        "y.csv", "--quiet"
    ), 1L), "nothing.h5ad")
})

test_that("infer and embed write what the verbs give", {
    file <- system.file("extdata", "cells.h5ad", package = "causeway")
    out <- tempfile(fileext = ".csv")
    expect_identical(causeway:::.shell(c("infer", file, "--out", out,
        "--method", "cor", "--quiet"
    )), 0L)
    expect_true(nrow(read.csv(out)) > 10)
    cells <- openCells(file, verbose = FALSE)
    model <- newModel(EFMParam(embedDim = 16, layers = 1, heads = 2), cells,
        seed = 1, threads = 1
    )
    package <- tempfile("efm")
    saveModel(model, package)
    out <- tempfile(fileext = ".csv")
    expect_identical(causeway:::.shell(c("embed", file, "--out", out,
        "--model", package, "--quiet"
    )), 0L)
    expect_identical(read.csv(out)$cell, colnames(cells))
})

test_that("the installed script runs", {
    script <- system.file("exec", "causeway", package = "causeway")
    skip_if(script == "" || file.access(script, 1L) != 0L)
    env <- paste0("R_LIBS=", paste(.libPaths(), collapse = ":"))
    said <- system2(script, "--version", stdout = TRUE, env = env)
    expect_match(said, "^causeway [0-9.]+")
})
