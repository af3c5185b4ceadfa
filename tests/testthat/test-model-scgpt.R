test_that("settings are checked", {
    expect_error(ScGPTParam(embedDim = 30, heads = 4), "multiple of 'heads'")
    expect_error(ScGPTParam(layers = 0), "'layers'")
    expect_output(show(ScGPTParam()), "12 layers, width 512, 8 heads")
    expect_error(newModel(ScGPTParam()), "genes|x")
    expect_error(newModel(ScGPTParam(), c("A", "A")), "each once")
})

test_that("the vocabulary must have its two tokens and whole numbers", {
    no <- scgptFolder(vocab = function(v) v[names(v) != "<cls>"])
    expect_error(loadModel(no), "has no <cls>")
    twice <- scgptFolder(vocab = function(v) {
        v[["G1"]] <- 0L
        v
    })
    expect_error(loadModel(twice), "its own whole number")
    expect_error(loadModel(scgptFolder(args = function(a) a[-1])),
        "doesn't say embsize")
    expect_error(loadModel(scgptFolder(args = function(a) {
        c(a, pre_norm = TRUE)
    })), "pre-norm")
})

test_that("a folder without weights says which files it lacks", {
    dir <- scgptFolder()
    file.remove(file.path(dir, "model.safetensors"))
    expect_error(loadModel(dir), "model.safetensors, best_model")
})

test_that("category values and heads are told from the weights", {
    model <- loadModel(scgptFolder("scgpt_b"))
    expect_identical(modelReport(model)$loaded, 65L)
    expect_true(model@config$explicit_zero_prob)
    expect_identical(model@config$n_input_bins, 14L)
})
