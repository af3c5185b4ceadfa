folder <- function() system.file("extdata", "bert", package = "causeway")

## A copy of the folder with some files changed.
bertFolder <- function(..., from = folder()) {
    dir <- tempfile("bert-")
    dir.create(dir)
    file.copy(list.files(from, full.names = TRUE), dir)
    files <- list(...)
    for (name in names(files)) {
        writeLines(files[[name]], file.path(dir, name))
    }
    dir
}

config <- function(...) {
    old <- jsonlite::fromJSON(file.path(folder(), "config.json"))
    new <- list(...)
    old[names(new)] <- new
    jsonlite::toJSON(old, auto_unbox = TRUE, digits = NA)
}

test_that("a published folder is read: encoder alone, old names, heads told", {
    model <- loadModel(folder(), threads = 1)
    report <- modelReport(model)
    expect_length(c(report$missing, report$misshapen, report$unexpected), 0)
    expect_identical(report$loaded, 39L)
    expect_true(model@config$pooler)
    expect_false(model@config$mlm_head)
    expect_output(show(model), "BERT.*2 layers, width 24.*156 tokens.*pooler")
    ## as the model it was taken from, which has all heads
    whole <- tempfile()
    dir.create(whole)
    file.copy(file.path(fixture("bert_a"),
        c("config.json", "model.safetensors", "vocab.txt")
    ), whole)
    whole <- loadModel(whole, threads = 1)
    expect_true(whole@config$mlm_head && whole@config$nsp_head)
    expect_identical(embedText("T cell", whole), embedText("T cell", model))
})

test_that("saveModel writes what loadModel reads", {
    model <- loadModel(folder(), threads = 1)
    dir <- tempfile()
    saveModel(model, dir)
    again <- loadModel(dir, threads = 1)
    expect_identical(embedText("T cell", again), embedText("T cell", model))
    expect_error(saveModel(model, dir), "'dir'")
    writeLines("x", file.path(dir, "mine.txt"))
    expect_error(saveModel(model, dir, overwrite = TRUE), "mine.txt")
})

test_that("what doesn't fit is refused with its name", {
    vocab <- readLines(file.path(folder(), "vocab.txt"))
    expect_error(
        loadModel(bertFolder("vocab.txt" = setdiff(vocab, "[UNK]"))),
        "vocab.txt' has no \\[UNK\\]"
    )
    expect_error(
        loadModel(bertFolder("vocab.txt" = c(vocab, "more"))),
        "157 tokens, its weights know 156"
    )
    expect_warning(
        loadModel(bertFolder("vocab.txt" = head(vocab, 60))),
        "60 tokens, its weights know 156: is vocab.txt cut off"
    )
    file <- file.path(folder(), "vocab.txt")
    expect_error(loadModel(file), "is a file; .*inspectCheckpoint")
    expect_error(loadModel(bertFolder("config.json" = config(
        vocab_size = 150
    ))), "vocab_size 150, the weights have 156")
    expect_error(loadModel(bertFolder("config.json" = config(
        intermediate_size = 41
    ))), "misshapen")
    expect_error(loadModel(bertFolder("config.json" = config(
        num_hidden_layers = 3
    ))), "16 tensors missing")
    expect_warning(model <- loadModel(bertFolder("config.json" = config(
        num_hidden_layers = 3
    )), strict = FALSE), "16 tensors")
    expect_length(modelReport(model)$missing, 16)
    model <- loadModel(bertFolder("config.json" = config(
        num_hidden_layers = 1
    )))
    expect_length(modelReport(model)$unexpected, 16)
    expect_error(loadModel(bertFolder("config.json" = config(
        hidden_act = "swish"
    ))), "swish")
    expect_error(loadModel(bertFolder("config.json" = config(
        position_embedding_type = "relative_key"
    ))), "relative_key")
    empty <- bertFolder()
    unlink(file.path(empty, "vocab.txt"))
    expect_error(loadModel(empty), "no vocab.txt")
    unlink(file.path(empty, "pytorch_model.bin"))
    expect_error(loadModel(empty), "no weights")
})
