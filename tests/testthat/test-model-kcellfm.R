test_that("settings are checked and shown", {
    expect_output(show(KCellFMParam()),
        "6 layers, width 512, 16 heads with states of 128")
    expect_error(KCellFMParam(embedDim = 12, headDim = 5), "must divide.* 24")
    expect_error(KCellFMParam(strategy = "sum"), "'strategy'")
    expect_error(KCellFMParam(cell = "all-genes"), "'cell'")
    expect_error(KCellFMParam(stateDim = 0), "'stateDim'")
    expect_error(newModel(KCellFMParam(), c("A", "A")), "each once")
})

test_that("a published folder is told from its weights", {
    model <- loadModel(kcellfmFolder(config = FALSE), threads = 1)
    said <- jsonlite::fromJSON(file.path(fixture("kcfm_b"), "config.json"))
    s <- model@config
    expect_identical(as.integer(c(s$d_model, s$nlayers, s$class_num, s$ntoken)),
        c(said$d_model, said$nlayers, said$class_num, said$ntoken))
    expect_identical(as.integer(unlist(s[paste0("mamba2.", c("d_state", "d_conv",
        "expand", "headdim"))])), unlist(said$mamba2[c("d_state", "d_conv",
        "expand", "headdim")], use.names = FALSE))
    expect_false(s$bidirectional_weight_tie)
    expect_identical(modelReport(model)$missing, character())
    expect_identical(modelReport(model)$unexpected, character())
    golden <- loadModel(kcellfmFolder(), threads = 1)
    expect_identical(golden@config$bidirectional_strategy, "ew_multiply")
    expect_output(show(golden), "both directions")
    ## tied matrices are seen to be the same
    tied <- loadModel(kcellfmFolder("kcfm_tune_a", FALSE), threads = 1)
    expect_true(tied@config$bidirectional_weight_tie)
    golden <- readTensors(file.path(fixture("kcfm_tune_a"), "model.safetensors"))
    name <- "mamba_encoder.2.mamba_fwd.in_proj.weight"
    expect_equal(as.vector(modelTensor(tied, name)), as.vector(
        matrix(as.vector(golden[[name]]), ncol = 16, byrow = TRUE)))
    expect_false(any(grepl("mamba_rev.in_proj", modelTensors(tied)$name)))
})

test_that("folders that don't fit are refused", {
    dir <- kcellfmFolder()
    file.remove(file.path(dir, "model.safetensors"))
    writeLines(c("version https://git-lfs.github.com/spec/v1",
        "oid sha256:0000", "size 134"),
        file.path(dir, "cell_cls_3loss_6layer_final.pth"))
    expect_error(loadModel(dir), "git lfs pull")
    dir <- kcellfmFolder()
    vocab <- jsonlite::fromJSON(file.path(dir, "vocab.json"))
    jsonlite::write_json(c(vocab, list(more = 99)), file.path(dir, "vocab.json"),
        auto_unbox = TRUE)
    expect_error(loadModel(dir), "up to 99, its weights 33 rows")
    jsonlite::write_json(vocab["G3"], file.path(dir, "vocab.json"),
        auto_unbox = TRUE)
    expect_error(loadModel(dir), "no <pad> and no <cls>")
    dir <- kcellfmFolder()
    file.copy(file.path(dir, "model.safetensors"), file.path(dir, "b.bin"))
    file.rename(file.path(dir, "model.safetensors"), file.path(dir, "a.bin"))
    expect_error(loadModel(dir), "several files of weights")
})

test_that("saved and loaded again it is the same", {
    cells <- exampleCells(nCells = 30, nGenes = 40)
    for (tied in c(TRUE, FALSE)) {
        model <- tinyKCellFM(tied = tied, strategy = "ew_multiply",
            cell = "w-pool")
        dir <- tempfile("kcellfm-")
        saveModel(model, dir)
        again <- loadModel(dir, threads = 1)
        vectors <- function(m) SingleCellExperiment::reducedDim(
            embedCells(cells, m, verbose = FALSE), "KCellFM")
        expect_identical(vectors(again), vectors(model))
        expect_identical(again@config$bidirectional_weight_tie, tied)
    }
    expect_error(saveModel(model, dir), "exists")
})
