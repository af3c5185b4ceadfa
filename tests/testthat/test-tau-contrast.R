made <- alteredTau()
fit <- made$fit
x <- made$cells
truth <- made$truth

test_that("groups with other delays are told from groups without", {
    changed <- contrastTau(fit, "condition", n = 3, seed = 1, verbose = FALSE)
    t <- as.data.frame(changed)
    altered <- t$gene %in% rownames(x)[truth$altered]
    expect_gt(mean(outer(abs(t$z[altered]), abs(t$z[!altered]), ">")), 0.65)
    expect_gt(mean(t$difference[altered]), 0)
    expect_true(all(t$p > 0 & t$p <= 1 & t$q >= t$p))
    coin <- rep(c("heads", "tails"), length.out = ncol(x))
    same <- contrastTau(fit, coin, n = 3, seed = 1, verbose = FALSE)
    expect_equal(sum(as.data.frame(same)$q < 0.05), 0)
    expect_output(print(same), "no more between heads and tails")
    expect_error(contrastTau(fit, "nowhere"), "isn't a column")
    expect_error(contrastTau(fit, seq_len(ncol(x))), "must give two groups")
    apart <- ifelse(x$time < median(x$time), "early", "late")
    expect_error(contrastTau(fit, apart), "shares .* states")
})
