test_that("every class describes itself", {
    classes <- .Call(cw_r_model_classes)
    expect_true(all(c("sfm", "effendi") %in% names(classes)))
    for (class in names(classes)) {
        table <- .engineSettings(class)
        expect_gt(nrow(table), 3L)
        expect_true(all(nzchar(table$help) | table$type == "text"))
        expect_false(anyDuplicated(table$name) > 0L)
        given <- table$type %in% c("integer", "number") & is.finite(table$default)
        expect_true(all(table$default[given] >= table$min[given] &
            table$default[given] <= table$max[given]))
    }
    expect_identical(names(.engineTerms("sfm", "pretrain")),
        c("reconstruction", "kl", "prior", "dag", "sparsity")
    )
    expect_named(.enginePresets("sfm"), c("laptop", "published"))
    expect_error(.engineSettings("sfn"), "no model class 'sfn'")
    expect_error(.engineTerms("sfm", "pretrane"), "no task 'pretrane'")
})

test_that("a misspelt or wrongly typed option is refused by name", {
    config <- list(vocab = 10, conditions = 3, pad = 9,
        sfm = list(embed_dm = 32)
    )
    expect_error(.engineNew("sfm", config, c(0, 1), 1), "is 'sfm.embed_dim' meant")
    config$sfm <- list(embed_dim = "many")
    expect_error(.engineNew("sfm", config, c(0, 1), 1), "'sfm.embed_dim' is \"many\"")
    config$sfm <- list(embed_dim = 2.5)
    expect_error(.engineNew("sfm", config, c(0, 1), 1), "whole number")
    model <- tinyModel()
    expect_error(.engineBegin(model, "pretrain", list(learningrate = 1)),
        "no option 'learningrate'"
    )
    expect_error(.engineBegin(model, "pretrain", list(lr = -1)), "'lr' is -1")
    expect_error(.engineBegin(model, "pretrain", list(), list(priorEdge = 3)),
        "is 'priorEdges' meant"
    )
    expect_error(
        .engineBegin(model, "pretrain", list(), weights = c(dagg = 1)),
        "no loss called 'dagg'"
    )
    expect_error(.engineBegin(model, "pretrain", list(), groups = data.frame(
        match = "routers.*", lr = NA, weightDecay = NA, frozen = TRUE
    )), "routers")
    expect_error(.engineRun(model, "network", list()), "no query 'network'")
    expect_error(.engineRun(model, "networks", list(), list(kep = 1)),
        "is 'keep' meant"
    )
    expect_error(.engineRun(model, "networks", list(values = matrix(1, 2, 2),
        ids = 1:3, nonTF = c(TRUE, FALSE), conditions = matrix(0L, 4, 2)
    )), "the input 'ids' is 3; it should be 2")
})

test_that("frozen parameters stay, bit for bit, with weight decay", {
    model <- tinyModel()
    name <- "foundation_modules.sfm.embedding.gene_embedding.weight"
    before <- weightsOf(model)
    x <- tinyCells()
    p <- .modelCells(model, x, "train", .inputArgs(), FALSE)
    .engineBegin(model, "pretrain", list(lr = 0.01, weightDecay = 0.5),
        groups = data.frame(match = c("*embedding*", "*router*"),
            lr = c(NA, 0.05), weightDecay = NA, frozen = c(TRUE, FALSE)
        ), key = c(1, 2)
    )
    for (i in 1:3) {
        .engineMicro(model, .tokenBatch(p, 1:4))
        .engineApply(model)
    }
    after <- weightsOf(model)
    moved <- !mapply(identical, before, after)
    expect_false(any(moved[grepl("embedding", names(moved))]))
    expect_true(all(moved[grepl("router.*weight", names(moved))]))
})
