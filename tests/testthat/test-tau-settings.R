test_that("settings of the anchored method are checked", {
    o <- .tauOptions(list(metacells = 100, peakWeights = FALSE), "kinetics")
    expect_identical(o$metacells, 100L)
    expect_false(o$peakWeights)
    expect_identical(o$readout, "kinetics")
    expect_identical(.tauOptions(list(peakWeights = 1), "auto")$peakWeights,
        TRUE
    )
    expect_identical(.tauOptions(list(), "auto")$landmarks, 30L)
    expect_error(.tauOptions(list(neighbours = 20, metacells = 30), "auto"),
        "at least twice 'neighbours'"
    )
    expect_error(.tauOptions(list(metacels = 1), "auto"), "metacels")
    expect_error(.tauOptions(list(3), "auto"), "named settings")
    expect_error(.tauOptions(list(lambda = -1), "auto"), "settings.lambda")
    expect_error(.tauOptions(list(landmarks = 2.5), "auto"), "whole")
    expect_error(.tauOptions(list(minAxes = 5, maxAxes = 3), "auto"), "above")
    d <- tauCounts()
    expect_error(estimateTau(d$rna, d$atac, d$links, method = "x"), "'method'")
    expect_error(estimateTau(d$rna, d$atac, d$links, readot = "x"), "readot")
    expect_error(estimateTau(d$rna, d$atac, d$links, dir = "x"), "effendi")
    expect_error(estimateTau(d$rna, d$atac, d$links, readout = "x"), "readout")
})
