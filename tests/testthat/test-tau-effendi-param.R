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
        unlist(s[c("tauModScale", "fieldLr", "stage1Lr", "stage2LrField",
            "wOde", "wRecon", "wTau", "wReverse", "clip")]),
        c(tauModScale = 0.1, fieldLr = 1e-3, stage1Lr = 1e-3,
            stage2LrField = 1e-6, wOde = 1, wRecon = 0.5, wTau = 0.01,
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
