## The verdict: yes where side information is true, no where it is shuffled.

test_that("true side information is found, shuffled is not", {
    fit <- pertFit()
    expect_true(verdict(fit)$holds)
    f <- as.list(fit)
    expect_gt(f$skill, f$null95)
    expect_gt(f$gainLow, 0)
    t <- as.data.frame(fit)
    best <- t[which.max(t$skill * !t$method %in% causeway:::.notBaselines), ]
    expect_equal(f[c("overBest", "overBestLow", "overBestHigh")],
        as.list(best[c("gain", "gainLow", "gainHigh")]), ignore_attr = TRUE)
    expect_match(verdict(fit)$text, sprintf("Best baseline: %s, skill %.2f; the model's gain over it, by perturbation: %.2f [",
        best$method, best$skill, best$gain), fixed = TRUE, all = FALSE)
    x <- pertScreen()
    known <- S4Vectors::metadata(x)
    genes <- unique(known$go$gene)
    set.seed(6)
    other <- setNames(sample(genes), genes)
    moved <- function(v) ifelse(v %in% genes, other[v], v)
    e <- fit@state$effects
    side <- causeway:::.sideInformation(transform(known$network,
        from = moved(from)), transform(known$go, gene = moved(gene)), NULL,
        NULL)
    e$controls <- NULL
    plan <- list(perts = setNames(fit@state$perts, fit@state$names),
        batches = "all", labels = fit@state$labels, few = character())
    e$R1 <- e$Y
    e$R2 <- e$T
    no <- causeway:::.fitEffects(e, side, plan, list(folds = 10, nPerm = 19L,
        nBoot = 50L, key = c(1, 2), threads = 2L, verbose = FALSE))
    expect_false(verdict(no)$holds)
    expect_match(verdict(no)$text[[1L]], "no. Use measured")
})

test_that("without side information nothing is claimed", {
    s <- pertFit()@state
    e <- s$effects
    e["controls"] <- list(NULL)
    e$R1 <- e$Y
    e$R2 <- e$T
    plan <- list(perts = setNames(s$perts, s$names), batches = "all",
        labels = s$labels, few = character())
    no <- causeway:::.fitEffects(e, list(), plan, list(folds = 5, nPerm = 9L,
        nBoot = 20L, key = c(1, 2), threads = 2L, verbose = FALSE))
    expect_false(verdict(no)$holds)
    expect_equal(as.list(no)$p, 1)
    expect_equal(as.list(no)$gain, 0)
})
