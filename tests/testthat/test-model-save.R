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

test_that("missing, unexpected and misshapen tensors are reported", {
    root <- tempfile()
    saveModel(tinyModel(), root)
    file <- file.path(root, "models/sfm/sfm_model.safetensors")
    name <- "foundation_modules.sfm.backbone.final_norm.weight"
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

test_that("a damaged training state and impossible shapes are named", {
    model <- tinyModel()
    dir <- tempfile()
    saveModel(model, dir)
    file <- file.path(dir, "models", "sfm", "train_state.json")
    for (text in c("[]", "{}", "{\"version\": 1}", "{\"run\": 3}")) {
        writeLines(text, file)
        expect_error(loadModel(dir), "train_state.json' is not the state")
    }
    unlink(file)
    expect_identical(weightsOf(loadModel(dir)), weightsOf(model))
    weights <- file.path(dir, "models", "sfm", "sfm_model.safetensors")
    bytes <- readBin(weights, "raw", file.size(weights))
    n <- sum(as.integer(bytes[1:8]) * 256^(0:7))
    header <- rawToChar(bytes[8 + seq_len(n)])
    name <- "cond_embedding.weight\":\\{\"dtype\":\"F32\",\"shape\":"
    for (shape in c("[\"a\",16]", "[-64,16]", "[1e30,16]", "[]", "null")) {
        lie <- sub(paste0("(", name, ")\\[[0-9,]*\\]"),
            paste0("\\1", shape), header
        )
        expect_false(identical(lie, header))
        con <- file(weights, "wb")
        writeBin(as.integer(c(nchar(lie), 0L)), con, endian = "little")
        writeBin(c(charToRaw(lie), bytes[-seq_len(8 + n)]), con)
        close(con)
        expect_error(loadModel(dir), "sfm_model.safetensors")
    }
})
