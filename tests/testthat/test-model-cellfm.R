test_that("settings are checked, sizes have names", {
    expect_output(show(CellFMParam("800M")), "40 layers, width 1536, 48 heads")
    expect_identical(CellFMParam("80M")@settings$valueDim, 256L)
    expect_error(CellFMParam("8M"), "'size'")
    expect_error(CellFMParam(embedDim = 30, heads = 4), "multiple of 'heads'")
    expect_error(newModel(CellFMParam(), c("A", "A")), "each once")
    expect_error(newModel(CellFMParam(), 3), "x|genes")
})

test_that("a published file is told from its weights", {
    ## without a config.json the heads are 32 wide, and the port's constants
    model <- loadModel(cellfmFolder(config = NULL), threads = 1)
    s <- model@config
    expect_identical(as.integer(c(s$enc_dims, s$enc_nlayers, s$enc_num_heads,
        s$value_enc_hidden, s$num_cls)), c(24L, 2L, 1L, 40L, 5L))
    expect_identical(s$leaky_relu_slope, 0.01)
    expect_true(s$label)
    golden <- loadModel(cellfmFolder(), threads = 1)
    expect_identical(modelReport(golden)$missing, character())
    expect_identical(golden@config$enc_num_heads, 3L)
    expect_output(show(golden), "CellFM")
    ft <- loadModel(cellfmFolder("cellfm_b"), threads = 1)
    expect_identical(c(ft@config$variant, ft@config$pad_zero),
        c("finetune", "FALSE"))
    expect_identical(as.integer(ft@config$lora), 4L)
    expect_identical(modelReport(ft)$unexpected, character())
})

test_that("MindSpore's names are read, and what only training needs is not", {
    dir <- cellfmFolder()
    tensors <- readTensors(file.path(dir, "model.safetensors"))
    file.remove(file.path(dir, c("model.safetensors", "config.json")))
    names <- sub("(post_norm[12])\\.weight", "\\1.gamma", names(tensors))
    names <- sub("(post_norm[12])\\.bias", "\\1.beta", names)
    writeMindSpore(file.path(dir, "CellFM_80M_weight.ckpt"),
        setNames(tensors, names))
    model <- loadModel(dir, threads = 1)
    expect_identical(model@config$leaky_relu_slope, 0.2)
    expect_identical(modelReport(model)$missing, character())
    expect_equal(modelTensor(model, "encoder.1.post_norm2.weight"),
        as.vector(tensors[["encoder.1.post_norm2.weight"]]))
})

test_that("folders that don't fit are refused", {
    dir <- cellfmFolder()
    write.csv(data.frame(gene = paste0("G", 1:30)),
        file.path(dir, "gene_info.csv"))
    expect_error(loadModel(dir), "gene_info.csv with 30 genes.*56 rows")
    file.remove(file.path(dir, "gene_info.csv"))
    expect_error(loadModel(dir), "no table of genes")
    dir <- cellfmFolder()
    file.copy(file.path(dir, "model.safetensors"), file.path(dir, "b.bin"))
    file.rename(file.path(dir, "model.safetensors"), file.path(dir, "a.bin"))
    expect_error(loadModel(dir), "several files of weights")
    file.remove(file.path(dir, c("a.bin", "b.bin")))
    expect_error(loadModel(dir), "no weights")
})

test_that("saved and loaded again it is the same, and pairs merge", {
    model <- tinyCellFM(loraRank = 2, variant = "finetune")
    for (name in grep("lora", modelTensors(model)$name, value = TRUE)) {
        size <- dim(modelTensor(model, name))
        setModelTensor(model, name, matrix(sin(seq_len(prod(size))) / 4,
            size[[1]]))
    }
    dir <- tempfile("cellfm-")
    saveModel(model, dir)
    again <- loadModel(dir, threads = 1)
    cells <- exampleCells(nCells = 30, nGenes = 40)
    vectors <- function(m) SingleCellExperiment::reducedDim(
        embedCells(cells, m, verbose = FALSE), "CellFM")
    expect_identical(vectors(again), vectors(model))
    expect_error(saveModel(model, dir), "exists")
    merged <- mergeLora(model)
    expect_false(any(grepl("lora", modelTensors(merged)$name)))
    expect_equal(vectors(merged), vectors(model), tolerance = 1e-4)
    expect_error(mergeLora(merged), "no LoRA pairs")
    expect_error(mergeLora(tinyScGPT()), "must be a CellFM model")
})
