skip_if_not_installed("yaml")

readThis <- function(...) {
    file <- tempfile(fileext = ".yaml")
    writeLines(c(...), file)
    causeway:::.readConfig(file)
}

test_that("values are typed and defaults filled in", {
    c <- readThis(pretrainConfig(lr = "1e-4"))
    expect_identical(c$optimizer.lr, 1e-4)
    expect_identical(c$data.batch_size, 5)
    expect_true(c$data.condition_vocab.regenerate)
    expect_identical(c$data.preprocess.min_cells, 3)
    expect_identical(c$data.train_paths, c("a.h5ad", "b.h5ad"))
    expect_identical(c$optimizer.betas, c(0.9, 0.95))
    expect_null(c$data.gene_key)
    expect_true("loss.dag.enabled" %in% attr(c, "given"))
})

test_that("errors name the key and its line", {
    lines <- pretrainConfig()
    at <- which(lines == "  batch_size: 5")
    bad <- function(text) replace(lines, at, text)
    place <- paste0(":", at, ": ")
    expect_error(readThis(bad("  batch_size: many")),
        paste0(place, "'data.batch_size' must be a whole number")
    )
    expect_error(readThis(bad("  batch_size: 2.5")), place)
    expect_error(readThis(bad("  batch_size: null")), "it is null")
    expect_error(readThis(bad("  batchsize: 5")),
        paste0(place, "'data.batchsize' is no key .*is 'data.batch_size' meant")
    )
    expect_error(readThis(lines[-at]), ":4: 'data.batch_size' is missing")
    expect_error(readThis(sub("prior:", "prior: 3", lines)), "sound YAML|prior")
    expect_error(readThis(sub("true, unk_ratio: 0.1", "true, unk_ratio: 3",
        lines
    )), ":14: 'data.condition_mask.unk_ratio' must be a number from 0 to 1")
    expect_error(readThis(sub("name: cos.*", "name: linear", lines)),
        "'scheduler.name' must be one of cosine_with_warmup, constant"
    )
    expect_error(readThis(sub("\\[0.9, 0.95\\]", "[0.9]", lines)),
        "'optimizer.betas' must be two numbers"
    )
    expect_error(readThis(c(lines, "trainer:", "  epochs: 1")), "YAML|twice")
})

test_that("what is no configuration is refused, and no code is run", {
    expect_error(readThis("a: [1"), "is not sound YAML")
    expect_error(readThis("just text"), "must hold sections")
    expect_error(readThis(""), "must hold sections")
    mark <- tempfile()
    expect_error(readThis(sub("lr: .*", paste0("lr: !expr file.create(\"",
        mark, "\")"
    ), pretrainConfig())), "not run|YAML|must be")
    expect_false(file.exists(mark))
    expect_error(causeway:::.readConfig(tempfile()), "which is not there")
    file <- tempfile()
    writeBin(as.raw(c(1, 0, 2)), file)
    expect_error(causeway:::.readConfig(file), "no text in UTF-8")
})

test_that("lines are those of the keys", {
    text <- c("a:", "  b: 1 # c", "", "  'c':", "    d: 2", "e: {f: 1}")
    expect_identical(causeway:::.yamlLines(text),
        c(a = 1L, a.b = 2L, a.c = 4L, a.c.d = 5L, e = 6L)
    )
})
