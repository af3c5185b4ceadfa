test_that("legacy layouts are found, the structured one first", {
    model <- tinyModel()
    root <- tempfile()
    saveModel(model, root)
    flat <- tempfile()
    half <- tempfile()
    dir.create(flat)
    dir.create(file.path(half, "models"), recursive = TRUE)
    from <- file.path(root, c(
        "models/sfm/sfm_config.json", "models/sfm/sfm_model.safetensors",
        "tokenizer/vocab.json", "tokenizer/cond_dict.json"
    ))
    file.copy(from, flat)
    file.copy(from, file.path(half, "models"))
    a <- loadModel(flat, threads = 1, verbose = FALSE)
    b <- loadModel(half, threads = 1, verbose = FALSE)
    expect_identical(modelReport(a)$layout, "legacy, flat")
    expect_identical(modelReport(b)$layout, "legacy, files in models/")
    expect_identical(weightsOf(a), weightsOf(model))
    expect_identical(weightsOf(b), weightsOf(model))
    expect_match(modelReport(a)$notes, "human_tfs.csv", all = FALSE)
})

test_that("the fixtures load completely, without a condition table", {
    for (name in c("sfm_a", "sfm_b")) {
        root <- fixture(name)
        model <- loadModel(root, threads = 1, verbose = FALSE)
        r <- modelReport(model)
        expect_length(c(r$missing, r$unexpected, r$misshapen), 0L)
        expect_match(r$notes, "cond_dict.json", all = FALSE)
        file <- readTensors(file.path(root, "models/sfm/sfm_model.safetensors"))
        w <- weightsOf(model)
        expect_setequal(names(w), names(file))
        for (n in names(file)) {
            expect_identical(
                .toRowMajor(w[[n]]), as.numeric(as.vector(file[[n]]))
            )
        }
    }
})

test_that("missing, unexpected and misshapen tensors are reported", {
    root <- tempfile()
    saveModel(tinyModel(), root)
    file <- file.path(root, "models/sfm/sfm_model.safetensors")
    name <- "foundation_modules.sfm.backbone.final_norm.weight"
    unlink(file.path(root, "MD5SUMS")) # what follows is meant
    editHeader(file, function(t) sub(name, "somewhere.else", t, fixed = TRUE))
    expect_error(loadModel(root), "1 tensors missing.*final_norm")
    expect_warning(
        model <- loadModel(root, strict = FALSE, verbose = FALSE), "1 tensors"
    )
    expect_match(modelReport(model)$missing, "final_norm.weight")
    expect_match(modelReport(model)$unexpected, "somewhere.else")
    config <- file.path(root, "models/sfm/sfm_config.json")
    writeLines(sub("\"num_factors\": 8", "\"num_factors\": 9",
        readLines(config)
    ), config)
    expect_warning(model <- loadModel(root, strict = FALSE, verbose = FALSE))
    expect_true(length(modelReport(model)$misshapen) >= 6L)
})

test_that("folders that are no packages are refused", {
    expect_error(loadModel("/nowhere/at/all"), "'path'.*not there")
    empty <- tempfile()
    dir.create(empty)
    expect_error(loadModel(empty), "not an SFM package")
    file <- tempfile()
    file.create(file)
    expect_error(loadModel(file), "a file")
    expect_error(loadModel(3), "'path' must be one character string")
})

test_that("a model that a killed call moved aside is found again", {
    model <- tinyModel()
    dir <- tempfile("model-")
    saveModel(model, dir)
    aside <- file.path(dirname(dir), paste0(".", basename(dir), ".old"))
    file.rename(dir, aside)
    expect_message(again <- loadModel(dir), "it is back")
    expect_identical(weightsOf(again), weightsOf(model))
    expect_false(file.exists(aside))
    ## through a link, which stays one; a folder whose name is a pattern
    link <- tempfile("link-")
    file.symlink(dir, link)
    saveModel(model, link, overwrite = TRUE)
    expect_identical(Sys.readlink(link), dir)
    odd <- file.path(dirname(dir), "m[o]del*")
    saveModel(model, odd)
    saveModel(model, odd, overwrite = TRUE)
    expect_identical(weightsOf(loadModel(odd)), weightsOf(model))
    expect_identical(weightsOf(loadModel(dir)), weightsOf(model))
    unlink(c(dir, odd), recursive = TRUE, expand = FALSE)
    unlink(link)
})
