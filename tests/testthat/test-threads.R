## Results may not depend on the number of threads, and a run repeats itself.

trained <- function(threads) {
    cells <- exampleCells(nCells = 24)
    model <- newModel(SFMParam(), cells, seed = 3, threads = threads)
    trainModel(cells, model, epochs = 1, batchSize = 12, seed = 4,
        verbose = FALSE
    )
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

## A library that uses OpenMP on two threads, as data.table or mgcv do.
openmpLibrary <- function() {
    folder <- tempfile("openmp")
    dir.create(folder)
    writeLines(c("#include <omp.h>", "void cw_test_touch(double *out)", "{",
        "    double s = 0;",
        "#pragma omp parallel for reduction(+ : s) num_threads(2)",
        "    for (int i = 0; i < 1000; i++) s += i;", "    *out = s;", "}"
    ), file.path(folder, "touch.c"))
    make <- sprintf("cd %s && cc -shared -fPIC -fopenmp -O1 touch.c -o t.so",
        shQuote(folder)
    )
    skip_if(suppressWarnings(system(make, ignore.stderr = TRUE)) != 0,
        "no compiler with OpenMP"
    )
    file.path(folder, "t.so")
}

test_that("a fork comes back whoever used OpenMP before, and wherever loaded", {
    touch <- sprintf("dyn.load('%s'); invisible(.C('cw_test_touch', 0))",
        openmpLibrary()
    )
    trees <- paste("dim(inferGRN(exampleCells(nCells = 60),",
        "TreeGRNParam(), verbose = FALSE)@scores)"
    )
    load <- "suppressMessages(library(causeway))"
    ask <- paste("start <- proc.time()[[3]]; back <- NULL;",
        "while (is.null(back) && proc.time()[[3]] - start < 300)",
        "back <- parallel::mccollect(child, wait = FALSE, timeout = 2);",
        "tools::pskill(child$pid, tools::SIGKILL);",
        "cat(if (is.null(back)) 'HANGS' else 'came back')"
    )
    parent <- c(touch, load,
        sprintf("child <- parallel::mcparallel(%s)", trees), ask
    )
    child <- c(touch,
        sprintf("child <- parallel::mcparallel({%s; %s})", load, trees), ask
    )
    expect_identical(tail(rscript(parent), 1), "came back")
    expect_identical(tail(rscript(child), 1), "came back")
})

test_that("the package's library shows its entry point alone", {
    skip_if(!nzchar(Sys.which("nm")), "no nm")
    file <- getLoadedDLLs()[["causeway"]][["path"]]
    seen <- system2("nm", c("-D", "--defined-only", shQuote(file)),
        stdout = TRUE
    )
    skip_if(!length(seen), "nm doesn't read this kind of library")
    names <- sub("^.* ", "", grep(" [A-Za-z] ", seen, value = TRUE))
    names <- setdiff(names, c("_init", "_fini", "_edata", "_end",
        "__bss_start"
    ))
    expect_identical(names, "R_init_causeway")
})
