## Cells with known regulators, for the tests of pooled estimators.

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
