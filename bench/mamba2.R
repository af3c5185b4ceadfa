## mamba2.R CELLS THREADS: see mamba2.sh.
suppressPackageStartupMessages(library(causeway))
args <- as.numeric(commandArgs(TRUE))
genes <- paste0("G", 1:1199)
set.seed(1)
counts <- matrix(rgeom(1199 * args[[1]], 0.3) + 1, 1199,
    dimnames = list(genes, paste0("c", seq_len(args[[1]]))))
model <- newModel(KCellFMParam(), genes, seed = 1, threads = args[[2]])
invisible(embedCells(counts[, 1, drop = FALSE], model, verbose = FALSE))
before <- causeway:::.peakStart()
seconds <- system.time(embedCells(counts, model, batchSize = 2,
    verbose = FALSE))[["elapsed"]]
cat(sprintf("causeway KCellFM: %.2f s, %.0f MB for %d cells x 1,200 tokens\n",
    seconds, causeway:::.peakEnd(before) / 2^20, ncol(counts)))
