good <- list(axes = 3, usable = 60, concord = 0.9, lead = 0.85, leadZ = 8,
    gain = 5, heterogeneity = 3
)

test_that("each number of the verdict can refuse alone, with its reason", {
    expect_true(.tauVerdict(good)$identifiable)
    expect_identical(.tauVerdict(good)$reasons, character())
    bad <- list(
        axes = list(0, "share no axis"), usable = list(19, "only 19 genes"),
        concord = list(0.69, "disagree in many genes.*0.69"),
        lead = list(0.69, "doesn't follow chromatin"),
        leadZ = list(3.9, "could be chance"), gain = list(0, "better than"),
        heterogeneity = list(1.4, "one delay for all")
    )
    expect_setequal(names(bad), names(.tauThresholds))
    for (name in names(bad)) {
        v <- .tauVerdict(replace(good, name, bad[[name]][1L]))
        expect_false(v$identifiable)
        expect_length(v$reasons, 1L)
        expect_match(v$reasons, bad[[name]][[2L]])
        expect_false(.tauVerdict(replace(good, name, NaN))$identifiable)
        expect_false(.tauVerdict(good[setdiff(names(good), name)])$identifiable)
    }
    ## exactly at the threshold is enough, except for the gain
    edge <- as.list(.tauThresholds)
    edge$gain <- 1e-9
    expect_true(.tauVerdict(edge)$identifiable)
    expect_match(.tauVerdict(replace(good, "usable", 1))$reasons,
        "only 1 gene changes"
    )
    few <- .tauVerdict(list(axes = 2, usable = 3, concord = NaN, lead = NaN,
        leadZ = NaN, gain = NaN, heterogeneity = NaN
    ))
    expect_length(few$reasons, 1L)
    expect_length(.tauVerdict(list())$reasons, 1L)
})

test_that("what isn't identifiable isn't used unasked", {
    made <- alteredTau()
    null <- made$fit
    usable <- made$usable
    null@verdict$identifiable <- FALSE
    null@verdict$reasons <- "made up"
    expect_error(intervene(null, usable[[1]]), "not identifiable .made up")
    expect_error(contrastTau(null, "condition"), "nothing to compare")
    expect_silent(intervene(null, usable[[1]], force = TRUE, seed = 1))
})
