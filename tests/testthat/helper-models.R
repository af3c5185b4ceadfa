## A model small enough for every test, and the cells it is made for.
tinyParam <- function(...) {
    SFMParam(
        embedDim = 16, layers = 1, heads = 2, factors = 8, topk = 2,
        mlpHidden = 24, exprBins = 6, exprHidden = 8, batchBins = 5,
        batchHidden = 6, routerHidden = 9, vgaeHidden = 7, ...
    )
}

tinyCells <- function(...) exampleCells(nCells = 21, nGenes = 31, ...)

tinyModel <- function(x = tinyCells(), ...) {
    newModel(tinyParam(), x, seed = 7, threads = 1, ...)
}

tinyTrain <- function(model, x = tinyCells(), epochs = 2, ...) {
    trainModel(x, model,
        epochs = epochs, batchSize = 6, accumulate = 2,
        seed = 11, verbose = FALSE, ...
    )
}

weightsOf <- function(model) {
    names <- modelTensors(model)$name
    setNames(lapply(names, modelTensor, model = model), names)
}

## Rewrites a safetensors file with its header changed by `edit`.
editHeader <- function(file, edit) {
    bytes <- readBin(file, "raw", file.size(file))
    n <- sum(as.integer(bytes[1:8]) * 256^(0:7))
    text <- edit(rawToChar(bytes[8 + seq_len(n)]))
    size <- as.raw(c(nchar(text) %% 256, nchar(text) %/% 256 %% 256,
        nchar(text) %/% 65536, 0, 0, 0, 0, 0
    ))
    writeBin(c(size, charToRaw(text), bytes[-seq_len(8 + n)]), file)
}
