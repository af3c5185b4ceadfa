## Published splits, baselines and models of one's own.

test_that("every split has every method, and own models are scored too", {
    fit <- pertFit()
    truth <- fit@state$effects$T
    kept <- new.env()
    perfect <- function(train, test) {
        kept$seen <- c(kept$seen, list(list(colnames(train), test)))
        truth[, match(test, fit@state$names), drop = FALSE]
    }
    ev <- evaluatePerturbationModel(fit, splits = c("single, unseen",
        "pair, 2 seen"), models = list(perfect = perfect), folds = 4)
    t <- as.data.frame(ev)
    expect_equal(t$skill[t$method == "perfect"], c(1, 1))
    expect_equal(t$skill[t$method == "mean perturbed"], c(0, 0))
    for (s in kept$seen) {
        expect_length(intersect(s[[1L]], s[[2L]]), 0L)
    }
    expect_true(all(table(t$split) == length(unique(t$method))))
    ## a replicate is there, and no baseline
    half <- t[t$method == "half of the cells", ]
    expect_true(all(half$rTop > t$rTop[t$method == "mean perturbed"]))
    expect_true(all(half$skill < 1))
    e <- fit@state$effects
    at <- which(lengths(fit@state$perts) == 1L)
    expect_equal(half$rAll[[1L]], mean(vapply(at, function(p) {
        k <- setdiff(seq_along(e$sd), e$own[[p]])
        cor(e$R1[k, p], e$R2[k, p])
    }, 0)))
    expect_match(verdict(ev)$text, "What a replicate reaches", all = FALSE)
    best <- as.data.frame(ev, "best")
    expect_identical(best$baseline, c("perfect", "perfect"))
    expect_false(verdict(ev)$holds)
    each <- as.data.frame(ev, "perturbations")
    expect_identical(nrow(each), 24L + 8L)
})

test_that("splits of pairs hold out what they say", {
    s <- pertFit()@state
    splits <- causeway:::.pairSplits(s$perts, s$genes, c(1, 2))
    for (n in names(splits)) {
        for (f in splits[[n]]) {
            seen <- unique(unlist(s$perts[f$train]))
            count <- vapply(s$perts[f$test], function(g) sum(g %in% seen), 0L)
            expect_true(all(count == as.integer(sub("[^0-9]*([0-9]).*", "\\1",
                n))))
        }
    }
})

test_that("what can't be evaluated is refused", {
    fit <- pertFit()
    expect_error(evaluatePerturbationModel(fit, splits = "all"), "splits")
    expect_error(evaluatePerturbationModel(fit, models = list(mean)), "models")
    expect_error(evaluatePerturbationModel(fit, splits = "single, unseen",
        models = list(bad = function(train, test) 1)), "models.*readouts")
    expect_error(evaluatePerturbationModel(pertFit(), models = list(
        mine = function(train, test) stop("not today"))),
        "'models' has a function that failed: not today")
})
