test_that("a damaged training state and impossible shapes are named", {
    model <- tinyModel()
    dir <- tempfile()
    saveModel(model, dir)
    file <- file.path(dir, "models", "sfm", "train_state.json")
    for (text in c("[]", "{}", "{\"version\": 1}", "{\"run\": 3}")) {
        writeLines(text, file)
        expect_error(loadModel(dir), "train_state.json' is not the state")
    }
    unlink(file)
    expect_identical(weightsOf(loadModel(dir)), weightsOf(model))
    weights <- file.path(dir, "models", "sfm", "sfm_model.safetensors")
    bytes <- readBin(weights, "raw", file.size(weights))
    n <- sum(as.integer(bytes[1:8]) * 256^(0:7))
    header <- rawToChar(bytes[8 + seq_len(n)])
    name <- "cond_embedding.weight\":\\{\"dtype\":\"F32\",\"shape\":"
    for (shape in c("[\"a\",16]", "[-64,16]", "[1e30,16]", "[]", "null")) {
        lie <- sub(paste0("(", name, ")\\[[0-9,]*\\]"),
            paste0("\\1", shape), header
        )
        expect_false(identical(lie, header))
        con <- file(weights, "wb")
        writeBin(as.integer(c(nchar(lie), 0L)), con, endian = "little")
        writeBin(c(charToRaw(lie), bytes[-seq_len(8 + n)]), con)
        close(con)
        expect_error(loadModel(dir), "sfm_model.safetensors")
    }
})

test_that("a run that is killed goes on from its folder to the same bits", {
    skip_on_os("windows")
    x <- tinyCells()
    straight <- tinyTrain(tinyModel(x), x, epochs = 40)
    dir <- tempfile("run-")
    code <- c(
        "suppressPackageStartupMessages(library(causeway))",
        sprintf("dir <- %s", deparse(dir)),
        "x <- exampleCells(nCells = 21, nGenes = 31)",
        "model <- if (file.exists(dir)) loadModel(dir, threads = 1,",
        "    verbose = FALSE) else readRDS(param)",
        "if (is(model, 'SFMParam')) {",
        "    model <- newModel(model, x, seed = 7, threads = 1)",
        "}",
        "trainModel(x, model, epochs = 40, batchSize = 6, accumulate = 2,",
        "    seed = 11, dir = dir, saveEvery = 3, verbose = FALSE)"
    )
    param <- tempfile(fileext = ".rds")
    saveRDS(tinyParam(), param)
    file <- tempfile(fileext = ".R")
    libs <- paste(deparse(.libPaths()), collapse = "")
    writeLines(c(sprintf(".libPaths(%s)", libs),
        sprintf("param <- %s", deparse(param)), code
    ), file)
    points <- file.path(dir, "checkpoints")
    steps <- function() length(list.files(points))
    for (i in 1:3) {
        started <- list.files(points)
        p <- as.integer(system(paste(
            shQuote(file.path(R.home("bin"), "Rscript")), "--no-environ",
            shQuote(file), "</dev/null >/dev/null 2>&1 & echo $!"
        ), intern = TRUE))
        ## killed once it has got on by at least one checkpoint
        for (wait in 1:6000) {
            if (length(setdiff(list.files(points), started))) break
            Sys.sleep(0.02)
        }
        tools::pskill(p, tools::SIGKILL)
        Sys.sleep(0.1)
    }
    expect_lte(steps(), 3L + 1L)
    model <- loadModel(dir, threads = 1, verbose = FALSE)
    expect_gt(model@state$run$step, 0)
    tinyTrain(model, x, epochs = 40, dir = dir, saveEvery = 3)
    expect_identical(weightsOf(model), weightsOf(straight))
    keep <- setdiff(names(trainingHistory(model)), "seconds")
    expect_identical(trainingHistory(model)[keep],
        trainingHistory(straight)[keep]
    )
    ## the folder holds the finished run, and no other run goes into it
    again <- loadModel(dir, threads = 1, verbose = FALSE)
    expect_identical(weightsOf(again), weightsOf(straight))
    expect_error(
        trainModel(x, tinyModel(x), dir = dir, seed = 3, verbose = FALSE),
        "another run or model"
    )
})
