## Settings of estimators.

## 3 TFs that matter, 2 that don't, targets with known regulators and signs.
pooledCells <- function(n = 240) {
    wave <- function(k) {
        x <- sin(seq_len(n) * (0.7 + 0.37 * k) + k) +
            sin(seq_len(n) * (1.3 + 0.21 * k)^2)
        round(x - min(x), 3)
    }
    tf <- vapply(1:5, wave, numeric(n))
    noise <- vapply(11:16, wave, numeric(n))
    x <- rbind(
        t(tf),
        TA = 2 * tf[, 1] + 0.3 * noise[, 1],
        TB = 8 - 2 * tf[, 2] + 0.3 * noise[, 2],
        TC = tf[, 1] + 1.2 * tf[, 3] + 0.3 * noise[, 3],
        TN = noise[, 4], TK = rep(2, n)
    )
    rownames(x) <- c(paste0("TF", 1:5), "TA", "TB", "TC", "TN", "TK")
    colnames(x) <- paste0("cell", seq_len(n))
    x
}
pooledTFs <- paste0("TF", 1:5)

infer <- function(param, x = pooledCells(), ...) {
    inferGRN(x, param, tfs = pooledTFs, alreadyNormalised = TRUE, ...)
}

params <- list(
    extra = TreeGRNParam(trees = 60), boost = TreeGRNParam("boosting"),
    ridge = RidgeGRNParam(), pearson = CorGRNParam(),
    spearman = CorGRNParam("spearman"), partial = CorGRNParam("partial"),
    all = CombinedGRNParam(list(TreeGRNParam(trees = 60), RidgeGRNParam()))
)

test_that("settings are checked, with argument, value and remedy", {
    expect_error(TreeGRNParam("forest"), "'method'.*extratrees")
    expect_error(TreeGRNParam(trees = 0), "'trees'.*it is 0")
    expect_error(TreeGRNParam(features = -1), "'features'")
    expect_error(TreeGRNParam(features = "log"), "'features'.*sqrt")
    expect_error(TreeGRNParam(features = 2.5), "'features'.*whole")
    expect_error(TreeGRNParam(minLeaf = NA), "'minLeaf'")
    expect_error(TreeGRNParam(sampleSize = 1), "'sampleSize'")
    expect_error(TreeGRNParam(cut = "x"), "'cut'")
    expect_error(TreeGRNParam("boosting", response = "both"), "'response'")
    expect_error(TreeGRNParam("boosting", depth = 9), "'depth'.*1 to 6")
    expect_error(TreeGRNParam("boosting", rate = 0), "'rate'")
    expect_error(TreeGRNParam("boosting", subsample = 2), "'subsample'")
    expect_error(TreeGRNParam("boosting", window = -1), "'window'")
    expect_error(TreeGRNParam(byTrees = NA), "'byTrees'")
    expect_error(RidgeGRNParam(c(1, -1)), "'variance'")
    expect_error(CorGRNParam("kendall"), "'method'.*kendall")
    expect_error(CombinedGRNParam(list(RidgeGRNParam())), "'estimators'")
    expect_error(CombinedGRNParam(list(RidgeGRNParam(), 1)), "'estimators'")
    expect_error(CombinedGRNParam(weights = 1), "'weights'.*2 numbers")
    expect_error(CombinedGRNParam(weights = c(1, 0)), "'weights'")
    for (p in params) {
        expect_output(show(p), class(p))
    }
})
