good <- list(axes = 3, usable = 60, concord = 0.9, usableHalf = 40, lead = 0.85,
    leadZ = 8, reliability = 0.64
)

test_that("each number of the verdict can refuse alone, with its reason", {
    expect_true(.tauVerdict(good)$identifiable)
    expect_identical(.tauVerdict(good)$reasons, character())
    expect_equal(.tauVerdict(good)$expected, 0.8)
    bad <- list(
        axes = list(0, "share no axis"), usable = list(19, "only 19 genes"),
        concord = list(0.69, "disagree in many genes.*0.69"),
        usableHalf = list(19, "too shallow to test"),
        lead = list(0.69, "doesn't follow chromatin"),
        leadZ = list(3.9, "could be chance"),
        reliability = list(0.39, "no larger than their error")
    )
    expect_setequal(names(bad), names(.tauThresholds))
    for (name in names(bad)) {
        v <- .tauVerdict(replace(good, name, bad[[name]][1L]))
        expect_false(v$identifiable)
        expect_identical(v$follows, name == "reliability")
        expect_length(v$reasons, 1L)
        expect_match(v$reasons, bad[[name]][[2L]])
        expect_false(.tauVerdict(replace(good, name, NaN))$identifiable)
        expect_false(.tauVerdict(good[setdiff(names(good), name)])$identifiable)
    }
    ## exactly at the threshold is enough
    expect_true(.tauVerdict(as.list(.tauThresholds))$identifiable)
    expect_match(.tauVerdict(replace(good, "usable", 1))$reasons,
        "only 1 gene changes"
    )
    few <- .tauVerdict(list(axes = 2, usable = 3, concord = NaN, lead = NaN))
    expect_length(few$reasons, 1L)
    expect_length(.tauVerdict(list())$reasons, 1L)
})

test_that("the three verdicts are told apart", {
    text <- function(...) .identifiableText(.tauVerdict(utils::modifyList(good,
        list(...)
    )))
    expect_match(text(lead = 0.5), "NOT identifiable: RNA doesn't follow")
    expect_match(text(reliability = 0.1),
        "NOT identifiable: RNA follows chromatin, but .*reliability 0.10"
    )
    expect_match(text(), "agree with the truth by about 0.80")
})

test_that("equal delays and resting cells get their verdicts", {
    verdictOf <- function(...) {
        x <- simulateMultiome(1000, 130, ..., seed = 6)
        fit <- estimateTau(x, links = tauLinks(x), seed = 1, verbose = FALSE)
        verdict(fit)
    }
    equal <- verdictOf(tauSpread = 0)
    expect_true(equal$follows)
    expect_false(equal$identifiable)
    expect_match(equal$text, "no larger than their error")
    rest <- verdictOf(null = "resting", states = 4)
    expect_false(rest$follows)
    expect_false(rest$identifiable)
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
