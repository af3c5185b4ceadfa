## Published splits and scores.

test_that("every published set is drawn", {
    root <- fixture("gears_split_b")
    all <- jsonlite::read_json(file.path(root, "expect_splits.json"))
    for (name in names(all)) {
        split <- all[[name]]$split
        type <- sub("_[0-9]+$", "", name)
        got <- publishedSplit(names(split), type, as.numeric(sub(".*_", "",
            name)))
        want <- vapply(split, function(s) if (is.null(s)) NA_character_ else s, "")
        want[want %in% "val"] <- "valid"
        expect_identical(got$set, unname(want), label = name)
        for (g in names(all[[name]]$subgroup$test_subgroup)) {
            kind <- c(combo_seen0 = "pair, 0 seen", combo_seen1 =
                "pair, 1 seen", combo_seen2 = "pair, 2 seen", unseen_single =
                "single, unseen")[[g]]
            expect_setequal(
                got$condition[got$set %in% "test" & got$seen %in% kind],
                as.character(unlist(all[[name]]$subgroup$test_subgroup[[g]]))
            )
        }
    }
})

test_that("labels that no split is published for are refused", {
    expect_error(publishedSplit(c("A", "A+B+C")), "conditions.*A\\+B\\+C")
    expect_error(publishedSplit(c("A", "A")), "conditions.*more than once")
    expect_error(publishedSplit(character()), "conditions")
    expect_error(publishedSplit("A", seed = -1), "seed")
    expect_error(publishedSplit("A", "pairs"), "type")
})

test_that("models are scored on them", {
    fit <- pertFit()
    truth <- fit@state$effects$T
    kept <- new.env()
    perfect <- function(train, test) {
        kept$seen <- c(kept$seen, colnames(train), test)
        truth[, match(test, fit@state$names), drop = FALSE]
    }
    ev <- evaluatePerturbationModel(fit, "gears", list(perfect = perfect),
        seed = 1)
    label <- fit@state$labels
    label <- label$label[match(fit@state$names, label$perturbation)]
    split <- publishedSplit(label, seed = 1)
    t <- as.data.frame(ev)
    for (n in unique(t$split)) {
        expect_equal(t$perturbations[t$split == n][[1L]],
            sum(split$set %in% "test" & split$seen %in% n))
    }
    p <- as.data.frame(ev, "published")
    p <- p[p$method == "perfect", ]
    expect_equal(p$mse, rep(0, nrow(p)), tolerance = 1e-12)
    expect_equal(p$pearsonDelta, rep(1, nrow(p)))
    expect_equal(p$direction, rep(1, nrow(p)))
    expect_equal(p$within, rep(1, nrow(p)))
    none <- as.data.frame(ev, "published")
    none <- none[none$method == "no change", ]
    expect_true(all(is.na(none$pearsonDelta)))
    expect_true(all(none$mse > 0))
    expect_setequal(fit@state$names[split$set != "valid"], unique(kept$seen))
})

test_that("the order of genes is that of Welch's t", {
    set.seed(1)
    a <- matrix(rnorm(60), 6)
    b <- matrix(rnorm(90, 0.5), 6)
    a[2, ] <- b[2, ] <- 1
    moments <- function(m) {
        list(mean = rowMeans(m), var = apply(m, 1, var), cells = ncol(m))
    }
    t <- vapply(1:6, function(g) {
        if (g == 2L) 0 else abs(t.test(a[g, ], b[g, ])$statistic)
    }, 0)
    got <- .Call(causeway:::cw_r_judge_order, moments(a), moments(b))
    expect_identical(got + 1L, order(-t))
})
