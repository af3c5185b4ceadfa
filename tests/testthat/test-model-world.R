## Several processes that train one model: what the launcher says, how cells
## are shared out, refusals; and two processes under mpirun where it is there.

test_that("the launcher's variables tell how many processes there are", {
    n <- function(...) .launched(c(...))
    expect_identical(n(HOME = "/root"), 1L)
    expect_identical(n(OMPI_COMM_WORLD_SIZE = "3"), 3L)
    expect_identical(n(PMI_SIZE = "2", PMI_RANK = "0"), 2L)
    ## a batch job's script is one R, whatever it was given; a step of it isn't
    expect_identical(n(SLURM_NTASKS = "4", SLURM_PROCID = "0"), 1L)
    expect_identical(n(SLURM_NTASKS = "4", SLURM_PROCID = "0",
        SLURM_STEP_ID = "1"), 4L)
    expect_identical(n(SLURM_NTASKS = "8", SLURM_PROCID = "1",
        SLURM_STEPID = "0", SLURM_STEP_NUM_TASKS = "2"), 2L)
    expect_identical(n(OMPI_COMM_WORLD_SIZE = "many"), 1L)
})

test_that("without a launcher a process is alone, and nothing is started", {
    skip_if(.launched() > 1L, "these tests run under a launcher")
    expect_identical(.world(), list(rank = 0L, size = 1L))
    expect_identical(.inWorld(4), 4)
    expect_identical(.ofFirst("a"), "a")
    expect_null(.worldFails("nobody hears it"))
    expect_identical(.withProcesses(list(a = 1)), list(a = 1))
    skip_if(nzchar(engineInfo()$mpi), "this build has MPI")
    expect_error(.Call(cw_r_world, 2L), "built without MPI.*libopenmpi-dev")
})

test_that("the cells of a batch are shared out once each, evenly", {
    for (size in 1:5) {
        for (n in c(0, 1, 3, 12, 13)) {
            parts <- lapply(seq_len(size) - 1L, function(rank) {
                .ownCells(seq_len(n), list(rank = rank, size = size))
            })
            expect_identical(as.integer(unlist(parts)), seq_len(n))
            expect_lte(diff(range(lengths(parts))), 1L)
        }
    }
    ## the windows of three processes with 5 cells are those of one with 15
    s <- list(batchSize = 5, accumulate = 2)
    for (cells in c(2, 15, 30, 31, 100)) {
        three <- c(s, processes = 3)
        one <- list(batchSize = 15, accumulate = 2)
        expect_identical(.windowsOf(cells, three), .windowsOf(cells, one))
        for (w in seq_len(.windowsOf(cells, one)) - 1) {
            expect_identical(.windowCells(seq_len(cells), w, three),
                .windowCells(seq_len(cells), w, one))
        }
    }
})

test_that("a run goes on with as many processes as it began with", {
    x <- tinyCells()
    model <- tinyTrain(tinyModel(x), x, epochs = 1)
    state <- model@state
    state$run$settings$processes <- 3
    expect_output(show(model), "by 3 processes")
    before <- weightsOf(model)
    expect_error(tinyTrain(model, x, epochs = 2),
        "'resume' can't be: the run was done by 3 processes, and there is one .*mpirun -n 3.*resume = FALSE")
    expect_error(tinyTrain(model, x, epochs = 2, resume = TRUE), "mpirun -n 3")
    expect_identical(weightsOf(model), before)
    tinyTrain(model, x, epochs = 1, resume = FALSE)
    expect_null(state$run$settings$processes)
})

## ---- under mpirun ------------------------------------------------------------

worldScript <- c(
    "suppressPackageStartupMessages(library(causeway))",
    "out <- commandArgs(TRUE)[[1]]",
    "rank <- as.integer(Sys.getenv('OMPI_COMM_WORLD_RANK', '0'))",
    "x <- exampleCells(nCells = 24, nGenes = 31)",
    "param <- SFMParam(embedDim = 16, layers = 1, heads = 2, factors = 8,",
    "    topk = 2, mlpHidden = 24, routerHidden = 9, vgaeHidden = 7)",
    ## weights are rank 0's
    "model <- newModel(param, x, seed = 7 + 10 * rank, threads = 1)",
    "train <- function(model, x, ...) trainModel(x, model, batchSize = 6,",
    "    seed = 11, verbose = TRUE, ...)"
)

underMpirun <- function(script, out, n = 2L) {
    dir.create(out)
    file <- file.path(out, "script.R")
    writeLines(script, file)
    paths <- paste(.libPaths(), collapse = .Platform$path.sep)
    said <- suppressWarnings(system2("mpirun", c("-n", n,
        shQuote(file.path(R.home("bin"), "Rscript")), shQuote(file),
        shQuote(out)
    ), stdout = TRUE, stderr = TRUE, timeout = 300, env = c(
        paste0("R_LIBS=", shQuote(paths)), "OMPI_ALLOW_RUN_AS_ROOT=1",
        "OMPI_ALLOW_RUN_AS_ROOT_CONFIRM=1",
        "OMPI_MCA_rmaps_base_oversubscribe=1", "OMP_NUM_THREADS=1"
    )))
    list(said = paste(said, collapse = "\n"),
        code = if (is.null(attr(said, "status"))) 0L else attr(said, "status")
    )
}

skipWithoutMpi <- function() {
    skip_if_not(nzchar(engineInfo()$mpi), "causeway was built without MPI")
    skip_if_not(nzchar(Sys.which("mpirun")), "there is no mpirun")
    skip_if(.launched() > 1L, "these tests run under a launcher")
    skip_if_not(underMpirun("", tempfile("nothing"))$code == 0L,
        "mpirun can't start two processes here")
}

test_that("two processes do what one does with twice the batches", {
    skipWithoutMpi()
    out <- tempfile("world")
    run <- underMpirun(c(worldScript,
        "model <- train(model, x, epochs = 3, dir = file.path(out, 'run'), saveEvery = 2)",
        "weights <- unlist(lapply(modelTensors(model)$name, modelTensor, model = model))",
        "saveRDS(list(history = trainingHistory(model), weights = weights),",
        "    file.path(out, paste0(rank, '.rds')))",
        ## one reads other cells: both hear of it, and can go on together
        "other <- if (rank == 1) x[, -1] else x",
        "why <- tryCatch(train(model, other, epochs = 1, resume = FALSE),",
        "    error = conditionMessage)",
        "again <- train(newModel(param, x, seed = 1, threads = 1), x, epochs = 1)",
        "saveRDS(list(why, trainingHistory(again)), file.path(out, paste0('why', rank, '.rds')))",
        ## one ends while the other trains
        "if (rank == 1) stop('the second is lost')",
        "train(model, x, epochs = 9)"
    ), out)
    got <- lapply(file.path(out, c("0.rds", "1.rds")), readRDS)
    expect_identical(got[[1]]$weights, got[[2]]$weights)
    x <- exampleCells(nCells = 24, nGenes = 31)
    one <- newModel(SFMParam(embedDim = 16, layers = 1, heads = 2, factors = 8,
        topk = 2, mlpHidden = 24, routerHidden = 9, vgaeHidden = 7
    ), x, seed = 7, threads = 1)
    trainModel(x, one, batchSize = 6, accumulate = 2, epochs = 3, seed = 11,
        verbose = FALSE)
    numbers <- c("elbo", "dag", "sparsity", "total", "gradNorm", "lr")
    a <- as.matrix(trainingHistory(one)[numbers])
    expect_identical(dim(a), c(6L, 6L))
    for (g in got) {
        b <- as.matrix(g$history[numbers])
        expect_lt(max(abs(a - b) / abs(a)), 1e-5)
    }
    ## rank 0 alone speaks and writes
    expect_length(gregexpr("by 2 processes", run$said)[[1L]], 2L)
    why <- lapply(file.path(out, c("why0.rds", "why1.rds")), readRDS)
    expect_match(why[[1]][[1]], "process 2 of 2: process 2 reads other cells")
    expect_match(why[[2]][[1]], "^process 2 reads other cells")
    expect_identical(nrow(why[[1]][[2]]), 2L)
    expect_match(run$said, "the second is lost")
    expect_match(run$said, "process 2 of 2: it has ended, and others have not")
    expect_gt(run$code, 0L)
    ## another number of processes can't go on
    saved <- loadModel(file.path(out, "run"), threads = 1, verbose = FALSE)
    expect_equal(as.vector(weightsOf(saved)[[1]]),
        got[[1]]$weights[seq_along(weightsOf(saved)[[1]])])
    expect_error(trainModel(x, saved, batchSize = 6, epochs = 4, seed = 11,
        verbose = FALSE, dir = file.path(out, "run"), saveEvery = 2),
        "done by 2 processes.*mpirun -n 2")
    unlink(out, recursive = TRUE)
})

test_that("a process that is killed takes the others along", {
    skipWithoutMpi()
    out <- tempfile("world")
    run <- underMpirun(c(worldScript,
        "train(model, x, epochs = 1)",
        "if (rank == 1) tools::pskill(Sys.getpid(), tools::SIGKILL)",
        "train(model, x, epochs = 100000)"
    ), out)
    expect_gt(run$code, 0L)
    expect_match(run$said, "signal 9")
    unlink(out, recursive = TRUE)
})
