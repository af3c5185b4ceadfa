## Time and memory of inferGRN() over the number of cells: both of the engine
## should be a line, the memory a flat one.
##   Rscript bench/linear.R OUT.csv "HARDWARE LINE"
suppressPackageStartupMessages(library(causeway))
arguments <- commandArgs(trailingOnly = TRUE)
cells <- exampleCells(nCells = 1600, nGenes = 500)
model <- newModel(SFMParam(), cells[, seq_len(50)], seed = 1)
trainModel(cells[, seq_len(50)], model, epochs = 1, verbose = FALSE)
genes <- rownames(cells)
once <- function(n) {
    seconds <- system.time(
        inferGRN(cells[, seq_len(n)], model, genes = genes, verbose = FALSE)
    )[["elapsed"]]
    memory <- .Call(causeway:::cw_r_memory, model@ptr)
    data.frame(cells = n, seconds = seconds,
        ms_per_cell = 1000 * seconds / n, engine_mb = memory[["bytes"]] / 2^20
    )
}
invisible(once(100)) # to warm up
sizes <- c(200, 400, 800, 1600)
best <- lapply(sizes, function(n) {
    runs <- do.call(rbind, lapply(seq_len(3), function(i) once(n)))
    runs[which.min(runs$seconds), ]
})
out <- do.call(rbind, best)
out$hardware <- arguments[[2L]]
write.csv(out, arguments[[1L]], row.names = FALSE, quote = FALSE)
print(out[, seq_len(4)], row.names = FALSE)
