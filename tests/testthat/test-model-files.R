test_that("truncated and lying files are errors that name the file", {
    root <- tempfile()
    saveModel(tinyModel(), root)
    file <- file.path(root, "models/sfm/sfm_model.safetensors")
    good <- readBin(file, "raw", file.size(file))
    for (keep in c(0, 5, 8, 100, length(good) %/% 2, length(good) - 1)) {
        writeBin(good[seq_len(keep)], file)
        expect_error(loadModel(root), "sfm_model.safetensors")
    }
    bad <- good
    bad[8] <- as.raw(0x7f)
    writeBin(bad, file)
    expect_error(loadModel(root), "header claims")
    writeBin(good, file)
    editHeader(file, function(t) {
        sub("\"data_offsets\":\\[0,", "\"data_offsets\":[4,", t)
    })
    expect_error(loadModel(root, strict = FALSE, verbose = FALSE))
})

test_that("text that is not JSON is an error that names the file", {
    root <- tempfile()
    saveModel(tinyModel(), root)
    for (f in c("models/sfm/sfm_config.json", "tokenizer/vocab.json",
        "tokenizer/cond_dict.json")) {
        path <- file.path(root, f)
        keep <- readLines(path)
        writeLines(c(keep[1:3], "oops"), path)
        expect_error(loadModel(root), paste0(basename(f), "' is not JSON"))
        writeLines("[]", path)
        expect_error(loadModel(root), basename(f), fixed = TRUE)
        writeLines(keep, path)
    }
    expect_s4_class(
        loadModel(root, threads = 1, verbose = FALSE), "FoundationModel"
    )
})
