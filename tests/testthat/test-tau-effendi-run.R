test_that("checkpoints resume from the last finished stage", {
    d <- effendiData()
    dir <- newFolder()
    whole <- fitEffendi(d, dir = dir)
    files <- c(
        "align_mlp.safetensors", "effendi_final.safetensors",
        "effendi_run.json", "effendi_stage1.safetensors",
        "gene_tau_estimates.csv", "vector_field_frozen.safetensors"
    )
    expect_identical(sort(list.files(dir)), files)
    table <- utils::read.csv(file.path(dir, "gene_tau_estimates.csv"))
    expect_equal(table$tau, unname(whole$tau))
    expect_identical(table$gene, names(whole$tau))

    before <- tools::md5sum(file.path(dir, files))
    again <- fitEffendi(d, dir = dir, key = c(9, 9))
    expect_identical(again$tau, whole$tau)
    expect_equal(again$losses, whole$losses)
    expect_identical(tools::md5sum(file.path(dir, files[-5])), before[-5])

    run <- jsonlite::read_json(file.path(dir, "effendi_run.json"),
        simplifyVector = TRUE
    )
    run$finished <- 1
    run$losses <- run$losses[run$losses$stage == "1", ]
    jsonlite::write_json(run, file.path(dir, "effendi_run.json"),
        auto_unbox = TRUE, digits = NA
    )
    unlink(file.path(dir, files[c(2, 4, 5)]))
    resumed <- fitEffendi(d, dir = dir)
    expect_identical(resumed$tau, whole$tau)
    expect_equal(resumed$losses, whole$losses)
})

test_that("files of another run are never overwritten unasked", {
    d <- effendiData(64)
    dir <- newFolder()
    fitEffendi(d, dir = dir)
    before <- tools::md5sum(list.files(dir, full.names = TRUE))
    other <- d
    other$zAtac <- d$zAtac * 2
    expect_error(fitEffendi(other, dir = dir), "holds files of another run")
    expect_error(
        fitEffendi(d, dir = dir, param = smallEffendi(tauMax = 3)),
        "holds files of another run"
    )
    ## cells in another order, with the same sums and first row and column
    order <- c(1, 64:2)
    turned <- lapply(d, function(m) if (nrow(m) == 64) m[order, ] else m)
    expect_error(fitEffendi(turned, dir = dir), "holds files of another run")
    expect_identical(
        tools::md5sum(list.files(dir, full.names = TRUE)), before
    )
    fitEffendi(other, dir = dir, overwrite = TRUE)
    expect_false(identical(
        tools::md5sum(list.files(dir, full.names = TRUE)), before
    ))
    file <- file.path(dir, "effendi_stage1.safetensors")
    writeBin(as.raw(1:20), file)
    expect_error(fitEffendi(other, dir = dir), "safetensors")
})

## Evaluates `code`; the k-th step of training is an error.
stopAtStep <- function(k, code) {
    left <- new.env()
    left$steps <- k
    where <- asNamespace("causeway")
    suppressMessages(trace(".effendiStep", print = FALSE, where = where,
        tracer = function() {
            left$steps <- left$steps - 1
            if (left$steps == 0) stop("killed")
        }
    ))
    on.exit(suppressMessages(untrace(".effendiStep", where = where)))
    force(code)
}

test_that("a run that is killed anywhere goes on to the same bits", {
    d <- effendiData()
    param <- smallEffendi(fieldEpochs = 2)
    whole <- fitEffendi(d, param = param)
    ## 5 steps an epoch, 2 + 2 + 2 epochs; R stops in front of the k-th step
    for (k in c(1, 4, 8, 13, 17, 24, 29)) {
        dir <- newFolder()
        stopAtStep(k, expect_error(
            fitEffendi(d, param = param, dir = dir, every = 2L), "killed"
        ))
        again <- fitEffendi(d, param = param, dir = dir, every = 2L,
            key = c(9, 9)
        )
        expect_identical(again$tau, whole$tau)
        expect_equal(again$losses, whole$losses)
        expect_false(any(dir.exists(file.path(dir, c("stage-1", "stage-2.1",
            "stage-2.2")))))
    }
})

test_that("a process killed by the system goes on to the same bits", {
    skip_on_os("windows")
    d <- effendiData()
    param <- smallEffendi(fieldEpochs = 60, stage1Epochs = 30)
    whole <- fitEffendi(d, param = param)
    dir <- newFolder()
    ## killed as soon as the stage has kept something
    for (stage in c("stage-1", "stage-2.1")) {
        job <- parallel::mcparallel(fitEffendi(d, param = param, dir = dir,
            every = 3L), silent = TRUE)
        folder <- file.path(dir, stage)
        until <- Sys.time() + 60
        while (!length(list.files(folder)) && Sys.time() < until) {
            Sys.sleep(0.01)
        }
        tools::pskill(job$pid, tools::SIGKILL)
        suppressWarnings(parallel::mccollect(job))
        expect_gt(length(list.files(folder)), 0)
    }
    again <- fitEffendi(d, param = param, dir = dir, key = c(9, 9))
    expect_identical(again$tau, whole$tau)
    expect_equal(again$losses, whole$losses)
})

test_that("a folder's name is no pattern", {
    folder <- newFolder()
    dirs <- file.path(folder, c("run[1]", "run1"))
    for (dir in dirs) {
        dir.create(dir)
        file.create(file.path(dir, "step-000001.safetensors"))
    }
    causeway:::.effendiForget(list(folder = dirs[[1L]]))
    expect_identical(list.files(folder, recursive = TRUE, include.dirs = TRUE),
        c("run1", "run1/step-000001.safetensors"))
})
