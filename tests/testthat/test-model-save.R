test_that("a saved model comes back equal", {
    x <- tinyCells()
    x$tissue <- "muscle"
    model <- tinyTrain(tinyModel(x), x, epochs = 1, tissue = "tissue")
    folder <- tempfile()
    expect_identical(saveModel(model, folder), folder)
    files <- c(
        "models/sfm/sfm_config.json", "models/sfm/sfm_model.safetensors",
        "tokenizer/vocab.json", "tokenizer/vocab.safetensors",
        "tokenizer/cond_dict.json", "resources/human_tfs.csv",
        "resources/mouse_tfs.csv", "release.json"
    )
    expect_true(all(file.exists(file.path(folder, files))))
    again <- loadModel(folder, threads = 1, verbose = FALSE)
    expect_identical(weightsOf(again), weightsOf(model))
    expect_identical(again@vocab, model@vocab)
    expect_identical(again@tfs, model@tfs)
    expect_equal(conditionTable(again), conditionTable(model),
        ignore_attr = TRUE
    )
    r <- modelReport(again)
    expect_identical(r$layout, "structured")
    expect_length(c(r$missing, r$unexpected, r$misshapen), 0L)
    expect_equal(trainingHistory(again), trainingHistory(model))
    a <- inferGRN(x, model, verbose = FALSE)
    b <- inferGRN(x, again, verbose = FALSE)
    expect_identical(as.matrix(a, 3), as.matrix(b, 3))
    emb <- readTensors(file.path(folder, "tokenizer/vocab.safetensors"))
    expect_identical(attr(emb$embeddings, "dim_rm"), c(32L, 16L))
    gene <- modelTensor(
        model, "foundation_modules.sfm.embedding.gene_embedding.weight"
    )
    expect_equal(as.vector(emb$embeddings), as.vector(t(gene)))
    dict <- jsonlite::fromJSON(file.path(folder, "tokenizer/cond_dict.json"))
    expect_identical(dict$token_index, 0:63)
})

test_that("saving twice gives the same bytes", {
    model <- tinyModel()
    a <- tempfile()
    b <- tempfile()
    saveModel(model, a)
    saveModel(loadModel(a, threads = 1, verbose = FALSE), b)
    for (f in c("models/sfm/sfm_model.safetensors", "tokenizer/vocab.json",
        "models/sfm/sfm_config.json", "tokenizer/cond_dict.json")) {
        expect_identical(
            unname(tools::md5sum(file.path(a, f))),
            unname(tools::md5sum(file.path(b, f)))
        )
    }
})

test_that("saving never overwrites unasked, and only packages when asked", {
    model <- tinyModel()
    dir <- tempfile()
    saveModel(model, dir)
    mark <- file.path(dir, "mark")
    file.create(mark)
    expect_error(saveModel(model, dir), "'dir'.*exists")
    expect_true(file.exists(mark))
    ## a file of someone else's is not swept away with the old package
    expect_error(saveModel(model, dir, overwrite = TRUE), "lost: mark")
    expect_true(file.exists(mark))
    unlink(mark)
    setModelTensor(model, "foundation_modules.sfm.backbone.final_norm.weight",
        rep(0.5, 16)
    )
    saveModel(model, dir, overwrite = TRUE)
    expect_identical(weightsOf(loadModel(dir)), weightsOf(model))
    other <- tempfile()
    dir.create(other)
    file.create(file.path(other, "precious"))
    expect_error(saveModel(model, other, overwrite = TRUE), "left alone")
    expect_true(file.exists(file.path(other, "precious")))
    expect_error(saveModel(model, "/nowhere/at/all"), "doesn't exist")
    beside <- list.files(dirname(dir), all.files = TRUE, pattern = "[.]part-")
    expect_length(beside, 0L)
})

test_that("a folder that can't be written is refused", {
    dir <- tempfile()
    dir.create(dir)
    Sys.chmod(dir, "0555")
    on.exit(Sys.chmod(dir, "0755"))
    skip_if(file.create(file.path(dir, "try")), "this user may write anywhere")
    expect_error(saveModel(tinyModel(), file.path(dir, "m")), "not writable")
})
