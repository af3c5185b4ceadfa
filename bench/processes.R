## What a second process brings: cells a second of SFM training in one process
## and in two under mpirun, one thread each, the same cells per process. Taken in
## turns; of each the median step counts.
## Usage: Rscript bench/processes.R [ROUNDS] [CSV] [LIBRARY]
script <- sub("^--file=", "", grep("^--file=", commandArgs(), value = TRUE))
source(file.path(dirname(script), "common.R"))

## One run: seconds of its median step, from rank 0.
step <- function(library) {
    attachCauseway(library)
    cells <- simulateCells(nCells = 256, nGenes = 400, seed = 1)
    model <- newModel(SFMParam(embedDim = 128, layers = 3, heads = 4,
        factors = 64, topk = 4), cells, seed = 1, threads = 1)
    suppressMessages(trainModel(cells, model, epochs = 2, batchSize = 16,
        nTargets = 400, seed = 1, verbose = FALSE))
    if (Sys.getenv("OMPI_COMM_WORLD_RANK", "0") == "0") {
        cat("seconds", stats::median(trainingHistory(model)$seconds[-(1:2)]),
            nrow(trainingHistory(model)), "\n")
    }
}

measure <- function(n, library) {
    rscript <- c(file.path(R.home("bin"), "Rscript"), script, "step", library)
    command <- if (n > 1) c("mpirun", "-n", n, rscript) else rscript
    said <- system2(command[[1L]], command[-1L], stdout = TRUE, env = c(
        "OMPI_ALLOW_RUN_AS_ROOT=1", "OMPI_ALLOW_RUN_AS_ROOT_CONFIRM=1",
        "OMP_NUM_THREADS=1"
    ))
    found <- grep("^seconds ", said, value = TRUE)
    if (length(found) != 1L) stop(paste(said, collapse = "\n"))
    as.numeric(strsplit(found, " ")[[1L]][[2L]])
}

if (or(1, "") == "step") {
    step(or(2, ""))
} else {
    rounds <- as.integer(or(1, 5))
    table <- do.call(rbind, lapply(seq_len(rounds), function(i) {
        one <- measure(1, or(3, ""))
        two <- measure(2, or(3, ""))
        row <- data.frame(round = i, one = one, two = two,
            ratio = 2 * one / two)
        print(row, row.names = FALSE)
        row
    }))
    cat("two processes do", format(stats::median(table$ratio), digits = 3),
        "times the cells a second of one\n")
    if (nzchar(or(2, ""))) write.csv(table, or(2, ""), row.names = FALSE)
}
