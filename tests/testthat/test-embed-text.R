model <- loadModel(system.file("extdata", "bert", package = "causeway"),
    threads = 1
)

test_that("KCFM's checkpoint gives the golden vector of a text", {
    dir <- tempfile()
    dir.create(dir)
    file.copy(file.path(fixture("kcfm_bert_b"),
        c("config.json", "vocab.txt", "finetune_bert.pth")
    ), dir)
    kcfm <- loadModel(dir, threads = 1)
    expect_length(unlist(modelReport(kcfm)[
        c("missing", "misshapen", "unexpected")
    ]), 0)
    texts <- jsonlite::fromJSON(
        file.path(fixture("kcfm_bert_b"), "triples.json")
    )
    ## the longest of the batch: the others' golden means count padding
    expect_message(
        found <- embedText(texts[4, 1], kcfm, maxLength = 25, verbose = TRUE),
        "1 text of more than 25 tokens"
    )
    golden <- goldenTensor("kcfm_bert_b", "expect.head")
    expect_equal(unname(found[1, ]), golden[4, ], tolerance = 1e-4)
})

test_that("a text has its vector whatever comes with it", {
    texts <- c(a = "T cell", b = "memory T cell", c = "T cell", d = "")
    all <- embedText(texts, model)
    expect_identical(dim(all), c(4L, 24L))
    expect_identical(rownames(all), names(texts))
    expect_identical(all["a", ], all["c", ])
    for (i in 1:4) {
        expect_equal(unname(embedText(texts[[i]], model)[1, ]),
            unname(all[i, ]),
            tolerance = 1e-5
        )
    }
    expect_identical(rownames(embedText("Na\u00efve", model)), "Na\u00efve")
    expect_equal(embedText("NA\u00cfVE", model)[1, ],
        embedText("naive", model)[1, ]
    )
    expect_equal(embedText(factor("T cell"), model)[1, ],
        embedText("T cell", model)[1, ]
    )
})

test_that("poolings, pairs, lengths, unit vectors differ as they must", {
    mean <- embedText("memory T cell", model)
    cls <- embedText("memory T cell", model, pooling = "cls")
    pooler <- embedText("memory T cell", model, pooling = "pooler")
    expect_gt(max(abs(mean - cls)), 0.01)
    w <- modelTensor(model, "bert.pooler.dense.weight")
    b <- modelTensor(model, "bert.pooler.dense.bias")
    expect_equal(unname(pooler[1, ]), drop(tanh(w %*% cls[1, ] + b)),
        tolerance = 1e-5
    )
    unit <- embedText("memory T cell", model, normalise = TRUE)
    expect_equal(unit, mean / sqrt(sum(mean^2)), tolerance = 1e-6)
    pair <- embedText("memory", model, pair = "T cell")
    expect_gt(max(abs(pair - mean)), 0.01)
    short <- embedText("memory T cell", model, maxLength = 4)
    expect_equal(short[1, ], embedText("memory T", model)[1, ],
        tolerance = 1e-6
    )
})

test_that("what is no text, and heads that aren't there, are refused", {
    expect_error(embedText(3, model), "'x' must be texts")
    expect_error(embedText(character(), model), "'x' must be texts")
    expect_error(embedText(c("a", NA), model), "missing: number 2")
    broken <- "neur\xff"
    Encoding(broken) <- "UTF-8"
    expect_error(embedText(broken, model), "UTF-8")
    expect_error(embedText("a", model, pooling = "projection"),
        "no weights for"
    )
    expect_error(embedText("a", model, pooling = "max"), "'pooling'")
    expect_error(embedText("a", model, maxLength = 21), "'maxLength'")
    expect_error(embedText("a", model, pair = c("b", "c")), "'pair'")
    expect_error(embedText("a", model, poling = "cls"), "poling")
    expect_error(embedText(model, "a"), "texts come first")
    expect_error(embedText("a", exampleCells()), "'model' must be an encoder")
})

test_that("how a sentence encoder's folder makes vectors is heeded", {
    dir <- tempfile()
    dir.create(file.path(dir, "1_Pooling"), recursive = TRUE)
    file.copy(list.files(system.file("extdata", "bert", package = "causeway"),
        full.names = TRUE
    ), dir)
    writeLines("{\"pooling_mode_cls_token\": true}",
        file.path(dir, "1_Pooling", "config.json")
    )
    writeLines("[{\"type\": \"sentence_transformers.models.Normalize\"}]",
        file.path(dir, "modules.json")
    )
    writeLines("{\"max_seq_length\": 5}",
        file.path(dir, "sentence_bert_config.json")
    )
    found <- embedText("memory T cell neuron", loadModel(dir, threads = 1))
    want <- embedText("memory T cell", model, pooling = "cls",
        normalise = TRUE
    )
    expect_equal(found[1, ], want[1, ], tolerance = 1e-6)
})
