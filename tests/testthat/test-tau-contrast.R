made <- alteredTau()
fit <- made$fit
x <- made$cells
truth <- made$truth

test_that("groups with other delays are told from groups without", {
    changed <- contrastTau(fit, "condition", nPerm = 3, seed = 1, verbose = FALSE)
    t <- as.data.frame(changed)
    altered <- t$gene %in% rownames(x)[truth$altered]
    expect_gt(mean(outer(abs(t$z[altered]), abs(t$z[!altered]), ">")), 0.65)
    expect_gt(mean(t$difference[altered]), 0)
    expect_true(all(t$p > 0 & t$p <= 1 & t$q >= t$p))
    coin <- rep(c("heads", "tails"), length.out = ncol(x))
    same <- contrastTau(fit, coin, nPerm = 3, seed = 1, verbose = FALSE)
    expect_equal(sum(as.data.frame(same)$q < 0.05), 0)
    expect_output(print(same), "no more between heads and tails")
    expect_false(verdict(same)$holds)
    expect_identical(same@facts[c("ref", "level")],
        list(ref = "heads", level = "tails")
    )
    back <- contrastTau(fit, coin, ref = "tails", nPerm = 3, seed = 1,
        verbose = FALSE
    )
    t <- as.data.frame(same, "genes")
    b <- as.data.frame(back)
    expect_equal(b$tauRef[match(t$gene, b$gene)], t$tauLevel)
    expect_equal(b$difference[match(t$gene, b$gene)], -t$difference)
    expect_error(contrastTau(fit, coin, levels = c("a", "b")),
        "'levels' is now called 'ref' and 'level'"
    )
    expect_error(contrastTau(fit = fit, "condition"), "now called 'x'")
    expect_error(contrastTau(fit, "nowhere"), "isn't a column")
    expect_error(contrastTau(fit, seq_len(ncol(x))), "'level' is needed")
    apart <- ifelse(x$time < median(x$time), "early", "late")
    expect_error(contrastTau(fit, apart), "shares .* states")
})
