test_that("settings are checked, models tell what they are", {
    expect_error(HyenaParam(features = 4), "'features' must be odd")
    expect_error(HyenaParam(order = 1), "'order'")
    expect_output(show(HyenaParam()), "2 blocks, width 128")
    expect_output(show(tinyHyena()), "up to 98 bases")
})

test_that("the published folder is read, and what no file says is noted", {
    model <- loadModel(hyenaFolder())
    report <- modelReport(model)
    expect_length(c(report$missing, report$unexpected, report$misshapen), 0L)
    expect_match(report$notes, "shift", all = FALSE)
    expect_identical(model@config$layer$order, 3L)
    dir <- hyenaFolder()
    config <- jsonlite::fromJSON(file.path(dir, "config.json"))
    config$d_model <- 8
    jsonlite::write_json(config, file.path(dir, "config.json"),
        auto_unbox = TRUE, digits = NA
    )
    expect_error(loadModel(dir), "don't fit the configuration")
    copy <- file.path(tempfile("h-"), "model")
    dir.create(dirname(copy))
    saveModel(model, copy)
    expect_identical(embedSequences("ACGTTGCAGT", loadModel(copy)),
        embedSequences("ACGTTGCAGT", model))
})

test_that("tokens are those of the published tokenizer", {
    cases <- jsonlite::fromJSON(file.path(fixture("hyena_o3"),
        "tokenizer_cases.json"
    ), simplifyVector = FALSE)
    for (case in cases) {
        if (nchar(case$sequence) == 0L) next
        found <- causeway:::.dnaTokens(case$sequence)
        expect_identical(found$id, as.integer(unlist(case$ids)))
        expect_identical(found$length, length(found$id))
        both <- causeway:::.dnaTokens(c(case$sequence, "AC"), special = TRUE)
        expect_identical(both$id, c(
            as.integer(unlist(case$ids_with_cls_and_sep)), 0L, 7L, 8L, 1L
        ))
        expect_identical(
            causeway:::.reverseComplement(toupper(case$sequence)),
            toupper(case$reverse_complement)
        )
    }
})
