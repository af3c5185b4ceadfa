test_that("EffendiParam has the published defaults and checks values", {
    s <- EffendiParam()@settings
    expect_identical(
        unlist(s[c("alignHidden", "tauHidden", "decoderHidden",
            "nProjections", "fieldEpochs", "stage1Epochs", "stage2Epochs",
            "batchSize")]),
        c(alignHidden = 512L, tauHidden = 128L, decoderHidden = 256L,
            nProjections = 200L, fieldEpochs = 50L, stage1Epochs = 10L,
            stage2Epochs = 40L, batchSize = 128L)
    )
    expect_equal(
        unlist(s[c("tauModScale", "lr", "wOde", "wRecon", "wTau",
            "wReverse", "clip")]),
        c(tauModScale = 0.1, lr.field = 1e-3, lr.stage2 = 1e-3,
            lr.stage2Field = 1e-6, wOde = 1, wRecon = 0.5, wTau = 0.01,
            wReverse = 0.1, clip = 50)
    )
    expect_output(show(EffendiParam()), "changed from the defaults: nothing")
    expect_output(show(EffendiParam(tauMax = 4)), "tauMax = 4")
    expect_error(EffendiParam(tauMax = 0), "'tauMax' must be one number gr")
    expect_error(EffendiParam(batchSize = 1.5), "'batchSize' must be one who")
    expect_error(EffendiParam(method = "rk5"), "'method' must be one of")
    expect_error(EffendiParam(readout = "all"), "'readout' must be one of")
    expect_error(EffendiParam(dropout = 1), "'dropout'")
    expect_error(EffendiParam(reverseInStage2 = NA), "'reverseInStage2'")
})

test_that("the signature is the table's", {
    expect_named(formals(EffendiParam), c(.effendiTable$argument, "lr", "..."))
    expect_identical(formals(EffendiParam)$nSteps, 200)
    expect_identical(eval(formals(EffendiParam)$readout),
        c("mean", "gene", "attention")
    )
    expect_null(EffendiParam()@settings$dim)
    expect_identical(EffendiParam(dim = 8)@settings$dim, 8L)
    expect_false(anyDuplicated(.effendiTable$argument) > 0)
    help <- .effendiHelp()
    expect_length(help, nrow(.effendiTable))
    expect_match(help[[3L]], "^@param alignHidden .*`ALIGN_HIDDEN`")
})

test_that("defaults and ranges are the engine's", {
    checks <- .effendiChecks()
    expect_false(anyNA(checks$min[checks$type %in% c("integer", "number")]))
    engine <- rbind(.engineSettings("effendi"),
        .engineSettings("effendi", "task", "match"))
    ## what R alone sets otherwise: 20 steps in stage 1, tokens where they are
    ## asked for
    both <- subset(merge(checks, engine, by = "name"),
        !argument.x %in% c("nStepsField", "readoutTokens"))
    expect_gt(nrow(both), 12)
    expect_equal(both$default.x, both$default.y, ignore_attr = TRUE)
    expect_true(all(both$min.x >= both$min.y & both$max.x <= both$max.y,
        na.rm = TRUE))
    expect_error(EffendiParam(alignHidden = 2^21), "'alignHidden' must be")
})

test_that("EffendiParam is one of the package's Params", {
    expect_s4_class(EffendiParam(), "CausewayParam")
})

test_that("learning rates are a list, each by its name", {
    s <- EffendiParam(lr = list(stage2 = 5e-4, stage2Field = 0))@settings
    expect_identical(s$lr, list(field = 1e-3, stage2 = 5e-4, stage2Field = 0))
    expect_output(show(EffendiParam(lr = list(field = 0.01))),
        "defaults: lr.field = 0.01$"
    )
    expect_error(EffendiParam(lr = list(field = 0)), "'lr\\$field' must be")
    expect_error(EffendiParam(lr = list(feild = 1)), "'lr' must be a list")
    expect_error(EffendiParam(lr = 0.1), "'lr' must be a list .* it is 0.1")
    expect_error(EffendiParam(fieldLr = 1), "is now called 'lr\\$field'")
    expect_error(EffendiParam(stage2LrField = 1), "called 'lr\\$stage2Field'")
    expect_error(EffendiParam(epochs = 1), "aren't known here: epochs")
})
