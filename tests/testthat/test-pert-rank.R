## Reverse search.

test_that("a measured perturbation is found by its own effect", {
    fit <- pertFit()
    strong <- as.data.frame(fit, "perturbations")
    strong <- strong$perturbation[order(-strong$strength)[1:3]]
    for (p in strong) {
        r <- rankPerturbations(fit, to = p, pairs = TRUE, top = Inf)
        t <- as.data.frame(r)
        expect_identical(nrow(t), 24L + 276L)
        expect_lte(t$rank[t$perturbation == p], 5)
        expect_identical(t$rankMeasured[t$perturbation == p], 1L)
        expect_false(is.unsorted(t$distance))
    }
    r <- rankPerturbations(fit, to = strong[[1L]], by = "cosine",
        pairs = FALSE)
    expect_false(is.unsorted(-as.data.frame(r)$cosine))
    recall <- as.data.frame(r, "recall")
    expect_identical(recall$k, c(1L, 5L, 10L))
    expect_true(all(recall$model >= 0 & recall$model <= 1))
    expect_gt(recall$model[[2L]], recall$chance[[2L]])
    ## predictions that are all alike find nothing better than by chance
    s <- fit@state
    s$crossed[] <- 1
    expect_true(all(causeway:::.recallOfSingles(s, "distance")$model == 0))
})

test_that("states may be cells, profiles or labels", {
    fit <- pertFit()
    x <- pertScreen()
    p <- "FAC01"
    label <- as.data.frame(rankPerturbations(fit, to = p, pairs = FALSE))
    cells <- as.data.frame(rankPerturbations(fit, pairs = FALSE,
        from = x[, x$perturbation == "control"],
        to = x[, x$perturbation == p]))
    profile <- fit@state$effects$mean + fit@state$final$Y[, match(p,
        fit@state$names)] * fit@state$effects$sd
    names(profile) <- fit@state$effects$readouts
    same <- as.data.frame(rankPerturbations(fit, to = profile, pairs = FALSE))
    expect_equal(same, label)
    expect_gt(cor(cells$cosine[match(label$perturbation,
        cells$perturbation)], label$cosine), 0.8)
})

test_that("what can't be ranked is refused", {
    fit <- pertFit()
    expect_error(rankPerturbations(fit), "'to' is missing")
    expect_error(rankPerturbations(fit, to = "control"), "same as 'from'")
    expect_error(rankPerturbations(fit, to = "nobody"), "isn't a pert")
    expect_error(rankPerturbations(fit, to = c(ZZZ = 1)), "none of the fit's")
    expect_error(rankPerturbations(fit, to = c("FAC01", "FAC02")),
        "'to' must be cells, one label")
    expect_error(rankPerturbations(fit, to = NA), "'to' must be")
    expect_error(rankPerturbations(fit, to = c(1, 2)), "'to'.*names")
    expect_error(rankPerturbations(fit, to = c(FAC01 = Inf)), "'to'.*finite")
    expect_error(rankPerturbations(fit, to = pertScreen()[, 0]),
        "'to', read as cells: .*empty")
    expect_error(rankPerturbations(fit, from = c(FAC01 = 1),
        to = c(FAC02 = 1)), "no gene of the fit in common")
    r <- rankPerturbations(fit, to = "FAC01", genes = c("NOSUCH"))
    expect_match(verdict(r)$text, "Beware of NOSUCH: nothing is known",
        all = FALSE)
    expect_match(as.data.frame(r, "ranking")$flag, "nothing is known")
})
