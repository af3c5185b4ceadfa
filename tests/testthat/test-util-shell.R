test_that("help, wrong usage and failures have their exit codes", {
    shell <- function(...) causeway:::.shell(c(...))
    expect_output(expect_identical(shell("--help"), 0L), "pretrain")
    expect_output(expect_identical(shell("--version"), 0L),
        "^causeway [0-9.]+"
    )
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

test_that("tau reads a 10x multiome file, and genes or links from files", {
    x <- simulateMultiome(nCells = 600, nGenes = 60, seed = 1)
    open <- SingleCellExperiment::altExp(x)
    m <- methods::as(rbind(SummarizedExperiment::assay(x),
        SummarizedExperiment::assay(open)
    ), "CsparseMatrix")
    cells <- stepsFile(list(.putGroup("matrix"),
        .putTable("matrix/data", m@x, "i32"),
        .putTable("matrix/indices", m@i, "i64"),
        .putTable("matrix/indptr", m@p, "i64"),
        .putTable("matrix/shape", dim(m), "i32"),
        .putTable("matrix/barcodes", colnames(x), "text"),
        .putGroup("matrix/features"),
        .putTable("matrix/features/id", rownames(m), "text"),
        .putTable("matrix/features/name", rownames(m), "text"),
        .putTable("matrix/features/feature_type", rep(c("Gene Expression",
            "Peaks"
        ), c(nrow(x), nrow(open))), "text")
    ), ".h5")
    links <- tempfile(fileext = ".csv")
    genes <- tempfile(fileext = ".tsv")
    write.csv(S4Vectors::metadata(x)$links, links, row.names = FALSE)
    write.table(S4Vectors::metadata(x)$genes, genes, sep = "\t",
        row.names = FALSE
    )
    tau <- function(...) {
        out <- tempfile(fileext = ".csv")
        code <- suppressMessages(causeway:::.shell(c("tau", cells, "--out", out,
            "--seed", "1", "--quiet", ...
        )))
        if (code == 0L) read.csv(out) else code
    }
    want <- as.data.frame(estimateTau(x, links = S4Vectors::metadata(x)$links,
        seed = 1, verbose = FALSE
    ))
    expect_true(any(is.finite(want$tau)))
    expect_equal(tau("--links", links)$tau, want$tau)
    expect_identical(tau("--genes", genes)$gene, rownames(x))
    expect_identical(tau("--links", "nowhere.csv"), 1L)
    expect_identical(tau(), 1L)
})

test_that("a shell user gets results, or hears what is wrong", {
    script <- system.file("exec", "causeway", package = "causeway")
    skip_if(script == "" || file.access(script, 1L) != 0L)
    dir <- tempfile("shell")
    dir.create(dir)
    on.exit(unlink(dir, recursive = TRUE))
    env <- paste0("R_LIBS=", paste(.libPaths(), collapse = ":"))
    run <- function(...) {
        said <- suppressWarnings(system2(script, shQuote(c(...)),
            stdout = TRUE, stderr = TRUE, env = env
        ))
        status <- attr(said, "status")
        list(text = paste(said, collapse = " "),
            status = if (is.null(status)) 0L else status
        )
    }
    file <- system.file("extdata", "cells.h5ad", package = "causeway")
    out <- file.path(dir, "edges of cells.csv")
    infer <- c("infer", file, "--out", out, "--method", "ridge", "--seed=1",
        "--threads", "1")
    good <- run(infer)
    expect_identical(good$status, 0L, info = good$text)
    edges <- read.csv(out)
    grn <- inferGRN(file, RidgeGRNParam(), seed = 1, verbose = FALSE)
    expect_equal(max(edges$score), max(as.matrix(grn)), tolerance = 1e-6)
    alone <- run("tau", file, "--out", file.path(dir, "tau.csv"), "--quiet")
    expect_identical(alone$status, 1L)
    expect_match(alone$text, "chromatin")
    expect_false(grepl("Execution halted|Traceback", alone$text))
    ## what else goes wrong: a start of R costs seconds
    shell <- function(...) .shell(c(...))
    expect_message(expect_identical(shell(infer), 1L), "exists")
    expect_message(expect_identical(shell("infer", file, "--out", out,
        "--metod", "cor"
    ), 2L), "--method")
    lost <- shell("embed", file.path(dir, "none.h5ad"), "--model", dir, "--out",
        file.path(dir, "e.csv"))
    expect_identical(lost, 1L)
    expect_identical(list.files(dir), basename(out))
})
