## kill -9 at random moments, 50 times each: nothing complete is lost.

kills <- as.integer(Sys.getenv("CAUSEWAY_KILLS", "50"))

## Runs expr in a fork and kills it after a random part of `seconds`.
killed <- function(expr, seconds, ready = function() TRUE) {
    job <- parallel::mcparallel(expr, silent = TRUE)
    while (!ready()) Sys.sleep(0.002)
    Sys.sleep(stats::runif(1, 0, seconds))
    tools::pskill(job$pid, tools::SIGKILL)
    suppressWarnings(parallel::mccollect(job))
    invisible()
}

## Networks of some cells, to the bit. (The pooled one is a sum over blocks,
## whose size is the memory's, and rounds accordingly.)
networksOf <- function(grn) {
    lapply(seq(1, 120, 17), function(i) as.matrix(cellNetwork(grn, i)))
}

old <- options(causeway.threads = 1L, causeway.blockBytes = 20000)
cells <- exampleCells(nCells = 120)
model <- newModel(SFMParam(), cells, seed = 1)
other <- newModel(SFMParam(), cells, seed = 2)

test_that("inferGRN() into a file goes on after every kill", {
    want <- inferGRN(cells, model, verbose = FALSE)
    seconds <- system.time(inferGRN(cells, model, file = tempfile(),
        verbose = FALSE
    ))[["elapsed"]]
    for (i in seq_len(kills)) {
        file <- tempfile(fileext = ".h5")
        killed(inferGRN(cells, model, file = file, verbose = FALSE), seconds,
            function() file.exists(file)
        )
        grn <- inferGRN(cells, model, file = file, resume = TRUE,
            verbose = FALSE
        )
        expect_identical(networksOf(grn), networksOf(want))
        unlink(file)
    }
})

test_that("overwriting leaves the old networks or the new ones", {
    file <- tempfile(fileext = ".h5")
    inferGRN(cells, model, file = file, verbose = FALSE)
    want <- lapply(list(model, other), function(m) {
        networksOf(inferGRN(cells, m, verbose = FALSE))
    })
    for (i in seq_len(kills)) {
        new <- list(other, model)[[1L + i %% 2L]]
        killed(inferGRN(cells, new, file = file, overwrite = TRUE,
            resume = i %% 3L == 0L, verbose = FALSE
        ), 2)
        got <- networksOf(loadGRN(file))
        expect_true(any(vapply(want, identical, NA, got)))
    }
    left <- list.files(dirname(file), all.files = TRUE)
    left <- left[startsWith(left, paste0(".", basename(file)))]
    saveGRN(loadGRN(file)[1:2], file.path(dirname(file), "another.h5"))
    inferGRN(cells, other, file = file, overwrite = TRUE, verbose = FALSE)
    left <- list.files(dirname(file), all.files = TRUE)
    expect_false(any(startsWith(left, paste0(".", basename(file)))))
})

test_that("saveModel(overwrite = TRUE) leaves a model that loads", {
    dir <- tempfile("model-")
    saveModel(model, dir)
    name <- modelTensors(model)$name[[1L]]
    known <- lapply(list(model, other), modelTensor, name)
    for (i in seq_len(kills)) {
        new <- list(other, model)[[1L + i %% 2L]]
        killed(saveModel(new, dir, overwrite = TRUE), 0.5)
        got <- modelTensor(loadModel(dir, verbose = FALSE), name)
        expect_true(any(vapply(known, identical, NA, got)))
    }
    saveModel(model, dir, overwrite = TRUE)
    left <- list.files(dirname(dir), all.files = TRUE)
    expect_false(any(startsWith(left, paste0(".", basename(dir)))))
})

test_that("pretrain() goes on to the same bits after every kill", {
    source(test_path("../../tests/testthat/helper-models.R"), local = TRUE)
    source(test_path("../../tests/testthat/helper-pretrain.R"), local = TRUE)
    folder <- pretrainFolder(epochs = 20)
    train <- function(dir) {
        suppressMessages(pretrain(file.path(folder, "c.yaml"),
            file.path(folder, dir), threads = 1, verbose = FALSE
        ))
    }
    seconds <- system.time(whole <- train("whole"))[["elapsed"]]
    want <- weightsOf(whole)
    for (i in seq_len(kills)) {
        dir <- paste0("killed", i)
        for (again in seq_len(1 + i %% 3)) {
            killed(train(dir), seconds, function() {
                file.exists(file.path(folder, "assets"))
            })
        }
        expect_identical(weightsOf(train(dir)), want)
        unlink(file.path(folder, dir), recursive = TRUE)
    }
})

options(old)
