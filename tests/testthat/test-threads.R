## Results may not depend on the number of threads, and a run repeats itself.

trained <- function(threads) {
    cells <- exampleCells(nCells = 40)
    model <- newModel(SFMParam(), cells, seed = 3, threads = threads)
    trainModel(cells, model, epochs = 2, seed = 4, verbose = FALSE)
    list(
        weights = lapply(modelTensors(model)$name, modelTensor, model = model),
        history = trainingHistory(model)[, c("elbo", "dag", "gradNorm")],
        factors = inferGRN(cells, model, verbose = FALSE)@factors
    )
}

test_that("one and two threads, and two runs, agree to the last bit", {
    one <- trained(1)
    expect_identical(trained(2), one)
    expect_identical(trained(2), one)
})

test_that("a forked process computes too, with the same result", {
    skip_on_os("windows")
    cells <- exampleCells(nCells = 40)
    model <- newModel(SFMParam(embedDim = 128), cells, seed = 3, threads = 2)
    here <- inferGRN(cells, model, verbose = FALSE)@factors
    job <- parallel::mcparallel(inferGRN(cells, model,
        verbose = FALSE
    )@factors)
    there <- parallel::mccollect(job, wait = FALSE, timeout = 60)
    if (is.null(there)) {
        tools::pskill(job$pid, tools::SIGKILL)
    }
    expect_identical(there[[1L]], here)
})
