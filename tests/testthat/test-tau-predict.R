made <- alteredTau()
fit <- made$fit
x <- made$cells
truth <- made$truth

test_that("embeddings that know of delays predict them, others are called", {
    known <- cbind(log(truth$tau), sin(seq_along(truth$tau)))
    rownames(known) <- rownames(x)
    new <- rbind(known, extraSlow = c(max(known[, 1]), 0),
        extraFast = c(min(known[, 1]), 0)
    )
    p <- predictTau(fit, c("extraSlow", "extraFast"), new, seed = 1)
    expect_identical(p$gene, c("extraSlow", "extraFast"))
    expect_gt(p$tau[[1]], 1.5 * p$tau[[2]])
    expect_true(all(p$low < p$tau & p$tau < p$high))
    expect_gt(attr(p, "heldOut"), 0.4)
    expect_lt(attr(p, "shuffled"), 0.35)
    noise <- cbind(cos(seq_len(nrow(x)) * 12.9898), sin(seq_len(nrow(x)) * 78))
    rownames(noise) <- rownames(x)
    expect_warning(predictTau(fit, rownames(x)[1:2], noise, seed = 1),
        "tells little of delays"
    )
    expect_error(predictTau(fit, "nobody", known), "'genes' names genes that")
    expect_error(predictTau(fit), "'embedding' is needed")
    expect_error(predictTau(fit, embedding = unname(known)), "row names")
    expect_error(predictTau(3), "'x' must be a TauFit")
})
