## encoders.R CELLS PEAKS THREADS: see encoders.sh.
suppressPackageStartupMessages(library(causeway))
args <- as.numeric(commandArgs(TRUE))
genes <- paste0("G", 1:3000)
set.seed(1)
counts <- Matrix::rsparsematrix(3000, args[[1]], 0.4,
    rand.x = function(n) rgeom(n, 0.3) + 1)
dimnames(counts) <- list(genes, paste0("c", seq_len(ncol(counts))))
peak <- function(expr) {
    before <- causeway:::.peakStart()
    seconds <- system.time(expr)[["elapsed"]]
    c(seconds = seconds, MB = causeway:::.peakEnd(before) / 2^20)
}
model <- newModel(ScGPTParam(), genes, seed = 1, threads = args[[3]])
embedCells(counts[, 1:2], model, verbose = FALSE)
found <- peak(embedCells(counts, model, verbose = FALSE))
cat(sprintf("causeway scGPT: %.2f s, %.0f MB for %d cells x 1,200 tokens\n",
    found[[1]], found[[2]], ncol(counts)))
hyena <- newModel(HyenaParam(embedDim = 256), seed = 1, threads = args[[3]])
x <- vapply(seq_len(args[[2]]), function(i) {
    paste(sample(c("A", "C", "G", "T"), 500, TRUE), collapse = "")
}, "")
embedSequences(x[1:10], hyena, verbose = FALSE)
found <- peak(embedSequences(x, hyena, verbose = FALSE))
cat(sprintf("causeway HyenaDNA: %.2f s, %.0f MB for %d peaks of 500 bases\n",
    found[[1]], found[[2]], length(x)))
