## encoders.R CELLS PEAKS THREADS BERT: see encoders.sh.
suppressPackageStartupMessages(library(causeway))
folder <- commandArgs(TRUE)[[4]]
args <- as.numeric(commandArgs(TRUE)[1:3])
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
invisible(embedCells(counts[, 1:2], model, verbose = FALSE))
found <- peak(embedCells(counts, model, verbose = FALSE))
cat(sprintf("causeway scGPT: %.2f s, %.0f MB for %d cells x 1,200 tokens\n",
    found[[1]], found[[2]], ncol(counts)))
hyena <- newModel(HyenaParam(embedDim = 256), seed = 1, threads = args[[3]])
x <- vapply(seq_len(args[[2]]), function(i) {
    paste(sample(c("A", "C", "G", "T"), 500, TRUE), collapse = "")
}, "")
invisible(embedSequences(x[1:10], hyena, verbose = FALSE))
found <- peak(embedSequences(x, hyena, verbose = FALSE))
cat(sprintf("causeway HyenaDNA: %.2f s, %.0f MB for %d peaks of 500 bases\n",
    found[[1]], found[[2]], length(x)))

## CellFM: inference, a step of pre-training, and of LoRA alone. PyTorch computes all rows of the last layer; here it computes
## those that are read (the cells' in inference, those judged besides in training).
genes <- paste0("G", 1:2048)
few <- max(2, args[[1]] %/% 8)
counts <- matrix(rgeom(2048 * few, 0.3) + 1, 2048,
    dimnames = list(genes, paste0("c", seq_len(few))))
param <- function(...) CellFMParam("80M", dropout = 0, ...)
cellfm <- newModel(param(), genes, seed = 1, threads = args[[3]])
invisible(embedCells(counts[, 1:2], cellfm, verbose = FALSE))
found <- peak(embedCells(counts, cellfm, batchSize = 2, verbose = FALSE))
cat(sprintf("causeway CellFM: %.2f s, %.0f MB for %d cells x 2,048 genes\n",
    found[[1]], found[[2]], few))
step <- function(what, model, groups) {
    causeway:::.engineBegin(model, "train", list(optimizer = "adam",
        totalSteps = 10), list(maxLength = 2048), groups = groups, key = c(1, 2))
    batch <- list(counts = counts[, 1:2], token = seq_along(genes))
    one <- function() {
        causeway:::.engineMicro(model, batch)
        causeway:::.engineApply(model)
    }
    one()
    found <- peak(for (i in 1:3) one())
    cat(sprintf("causeway CellFM, %s: %.2f s a step, %.0f MB, 2 cells\n", what,
        found[[1]] / 3, found[[2]]))
}
step("all weights", cellfm, NULL)
pairs <- newModel(param(loraRank = 32), genes, seed = 1, threads = args[[3]])
step("LoRA", pairs, causeway:::.cellfmGroups("lora", FALSE)[1:2, ])

## BERT-base: names of six words, eight tokens
text <- vapply(1:1000, function(i) {
    paste0("w", sample(30000, 6), collapse = " ")
}, "")
bert <- loadModel(folder, verbose = FALSE, threads = args[[3]])
invisible(embedText(text[1:2], bert))
found <- peak(embedText(text, bert))
cat(sprintf("causeway BERT-base: %.2f s, %.0f MB for 1,000 names of 8 tokens\n",
    found[[1]], found[[2]]))
