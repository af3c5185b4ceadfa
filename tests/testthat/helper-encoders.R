## Encoders small enough for tests: random weights, and the golden ones.

tinyScGPT <- function(x = exampleCells(nCells = 30, nGenes = 40), ...,
    seed = 3) {
    newModel(ScGPTParam(embedDim = 16, layers = 2, heads = 4, hiddenDim = 24,
        ...
    ), x, seed = seed, threads = 1)
}

tinyHyena <- function(..., longest = 100) {
    newModel(HyenaParam(embedDim = 8, layers = 2, longest = longest, ...),
        seed = 5, threads = 1
    )
}

## A published folder of a golden case; args and vocabulary can be changed.
scgptFolder <- function(case = "scgpt_a", args = identity, vocab = identity) {
    from <- fixture(case)
    config <- jsonlite::fromJSON(file.path(from, "config.json"))
    dir <- tempfile("scgpt-")
    dir.create(dir)
    genes <- paste0("G", seq_len(config$ntoken) - 1L)
    genes[c(config$pad_token_id, config$cls_token_id) + 1L] <-
        c("<pad>", "<cls>")
    keep <- c("embsize", "nheads", "d_hid", "nlayers", "n_layers_cls",
        "dropout", "pad_token", "pad_value", "mask_value", "n_bins",
        "input_emb_style", "cell_emb_style", "mvc_decoder_style"
    )
    jsonlite::write_json(args(config[keep]), file.path(dir, "args.json"),
        auto_unbox = TRUE, digits = NA
    )
    jsonlite::write_json(vocab(setNames(as.list(seq_along(genes) - 1L),
        genes
    )), file.path(dir, "vocab.json"), auto_unbox = TRUE)
    file.copy(file.path(from, "model.safetensors"), dir)
    dir
}

hyenaFolder <- function(case = "hyena_o3") {
    from <- fixture(case)
    dir <- tempfile("hyena-")
    dir.create(dir)
    file.copy(file.path(from, c("config.json", "model.safetensors")), dir)
    dir
}

## A tensor of a golden case, with its R dimensions (row-major order undone).
goldenTensor <- function(case, name) {
    x <- readTensors(file.path(fixture(case), "case.safetensors"))[[name]]
    shape <- attr(x, "dim_rm")
    x <- as.vector(x)
    if (length(shape) > 1L) aperm(array(x, rev(shape))) else x
}
