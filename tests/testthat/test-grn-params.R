## Settings of estimators.

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
    expect_error(CombinedGRNParam(weights = 1), "'weights'.*3 numbers")
    expect_error(CombinedGRNParam(weights = c(1, 0)), "'weights'")
    for (p in params) {
        expect_output(show(p), class(p))
    }
})
