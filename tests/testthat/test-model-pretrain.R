skip_if_not_installed("yaml")

folder <- pretrainFolder(epochs = 4)
config <- file.path(folder, "c.yaml")
train <- function(dir, ...) {
    suppressMessages(pretrain(config, file.path(folder, dir), threads = 1,
        verbose = FALSE, ...
    ))
}
record <- function(model) {
    h <- trainingHistory(model)
    h$seconds <- NULL
    list(weightsOf(model), h, conditionTable(model))
}
want <- record(train("whole"))

test_that("a configured run trains on all files and leaves a package", {
    model <- loadModel(file.path(folder, "whole"), verbose = FALSE)
    expect_identical(record(model), want)
    expect_identical(nrow(want[[2]]), 20L)
    expect_true(all(c("lung", "heart") %in% want[[3]]$cond_value))
    own <- causeway:::.safetensorsHeader(file.path(folder, "whole",
        "models/sfm/sfm_model.safetensors"
    ))
    expect_identical(causeway:::.readSafetensor(file.path(folder, "whole",
        "models/sfm/sfm_model.safetensors"
    ), names(own)[[1L]])$values, as.numeric(causeway:::.engineGet(model,
        names(own)[[1L]]
    )))
    log <- readLines(file.path(folder, "whole/logs/sfm_pretrain.jsonl"))
    log <- lapply(log, jsonlite::parse_json)
    expect_identical(vapply(log, `[[`, "", "event"),
        c("begin", rep("step", 20), "finished")
    )
    expect_equal(log[[2]]$loss, want[[2]]$total[[1]])
    expect_message(pretrain(config, file.path(folder, "whole"), threads = 1,
        verbose = TRUE
    ), "has finished")
})

test_that("the killed run goes on to the same bits", {
    skip_on_os("windows")
    set.seed(5)
    for (i in 1:2) {
        dir <- paste0("killed", i)
        job <- parallel::mcparallel(train(dir), silent = TRUE)
        while (!file.exists(file.path(folder, dir))) Sys.sleep(0.002)
        Sys.sleep(stats::runif(1, 0, 0.2))
        tools::pskill(job$pid, tools::SIGKILL)
        suppressWarnings(parallel::mccollect(job))
        expect_identical(record(train(dir)), want)
    }
})

test_that("SIGTERM leaves a checkpoint of the step it came in", {
    skip_on_os("windows")
    log <- file.path(folder, "told/logs/sfm_pretrain.jsonl")
    job <- parallel::mcparallel(train("told")@state$status, silent = TRUE)
    while (!file.exists(log)) Sys.sleep(0.002)
    tools::pskill(job$pid, tools::SIGTERM)
    ended <- parallel::mccollect(job)[[1L]]
    lines <- lapply(readLines(log), jsonlite::parse_json)
    last <- lines[[length(lines)]]
    expect_identical(last$event, ended)
    points <- list.files(file.path(folder, "told/checkpoints"))
    expect_identical(max(points), sprintf("step-%09d.safetensors", last$step))
    expect_identical(record(train("told")), want)
})

test_that("changed files, other configurations and other folders are refused", {
    dir <- tempfile("moved")
    dir.create(dir)
    file.copy(file.path(folder, c("assets", "whole", "a.h5ad", "b.h5ad",
        "c.yaml"
    )), dir, recursive = TRUE)
    again <- function(...) {
        pretrain(file.path(dir, "c.yaml"), file.path(dir, "whole"),
            threads = 1, verbose = FALSE, ...
        )
    }
    finished <- again() # other times, same content
    expect_identical(record(finished), want)
    expect_identical(finished@state$status, "finished")
    lines <- readLines(file.path(dir, "c.yaml"))
    writeLines(sub("lr: 0.001", "lr: 0.002", lines), file.path(dir, "c.yaml"))
    expect_error(again(), "c.yaml:[0-9]+: 'optimizer.lr' is 0.002, but")
    writeLines(lines, file.path(dir, "c.yaml"))
    writeH5AD(exampleCells(nCells = 22, nGenes = 31), file.path(dir, "a.h5ad"),
        overwrite = TRUE, verbose = FALSE
    )
    expect_error(again(), "has changed since the run's checkpoint: .*a.h5ad")
    expect_error(again(resume = FALSE), "'resume' is FALSE")
    expect_error(pretrain(config, file.path(dir, "new"), resume = TRUE,
        verbose = FALSE
    ), "'resume' is TRUE, but there is no run")
    expect_error(pretrain(config, file.path(folder, "assets"),
        verbose = FALSE
    ), "didn't make")
    expect_error(pretrain(config, tempdir(), verbose = FALSE), "no run of this")
})

test_that("a warm start has the other's weights", {
    plan <- causeway:::.pretrainPlan(causeway:::.readConfig(config), "x",
        file.path(folder, "whole"), FALSE
    )
    model <- causeway:::.pretrainModel(plan, 1)
    name <- modelTensors(model)$name
    new <- endsWith(name, causeway:::.conditionTensor)
    expect_identical(weightsOf(model)[!new], want[[1L]][!new])
})
