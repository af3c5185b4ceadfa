test_that("published folders are recognised, and others are not", {
    expect_identical(causeway:::.encoderLayout(scgptFolder())$load,
        ".loadScGPT")
    expect_identical(causeway:::.encoderLayout(hyenaFolder())$load,
        ".loadHyena")
    empty <- tempfile()
    dir.create(empty)
    expect_null(causeway:::.encoderLayout(empty))
    writeLines("{\"model_type\": \"bert\"}", file.path(empty, "config.json"))
    expect_null(causeway:::.encoderLayout(empty))
    expect_error(loadModel(empty), "not an SFM package")
})

test_that("what is missing, misshapen or extra is told", {
    dir <- scgptFolder()
    model <- loadModel(dir)
    report <- modelReport(model)
    expect_identical(report$layout, "scGPT")
    expect_identical(report$loaded, 52L)
    expect_length(c(report$missing, report$unexpected, report$misshapen), 0L)
    ## args that contradict the weights
    thin <- scgptFolder(args = function(a) {
        a$embsize <- 16
        a
    })
    expect_error(loadModel(thin), "misshapen \\(encoder.embedding.weight")
    expect_warning(loadModel(thin, strict = FALSE), "keep random values")
    deep <- scgptFolder(args = function(a) {
        a$nlayers <- 3
        a
    })
    expect_error(loadModel(deep), "12 tensors missing")
    flat <- scgptFolder(args = function(a) {
        a$nlayers <- 1
        a
    })
    expect_length(modelReport(loadModel(flat))$unexpected, 12L)
})

test_that("a model keeps its folder and tells what it is", {
    model <- tinyScGPT()
    expect_output(show(model), "2 layers, width 16, 4 heads")
    expect_output(show(model), "random weights")
    parts <- summary(model)
    expect_identical(sum(parts$parameters),
        sum(modelTensors(model)$parameters))
    dir <- file.path(tempfile("m-"), "model")
    dir.create(dirname(dir))
    expect_error(saveModel(model, dir, misspelt = 1), "misspelt")
    saveModel(model, dir)
    expect_error(saveModel(model, dir), "exists")
    writeLines("mine", file.path(dir, "notes.txt"))
    expect_error(saveModel(model, dir, overwrite = TRUE), "notes.txt")
    again <- loadModel(dir)
    expect_identical(embedGenes(again), embedGenes(model))
    expect_identical(modelReport(again)$loaded,
        nrow(modelTensors(model)))
})
