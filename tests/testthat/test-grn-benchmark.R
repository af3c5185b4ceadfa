## Methods compared: the table against evaluateGRN(), the nulls.

cells <- simulateCells(nCells = 220, nGenes = 40, nTFs = 8, seed = 1)
truth <- S4Vectors::metadata(cells)$simulation$edges
two <- benchmarkMethods()[c("pearson", "ridge")]
trees <- TreeGRNParam(trees = 20)

test_that("the table says what evaluateGRN says", {
    got <- benchmarkGRN(cells, truth, c(two, trees = trees), seeds = 1:2,
        nBoot = 20
    )
    t <- as.data.frame(got)
    ## methods without random numbers run once
    expect_identical(as.vector(table(t$method)[c("pearson", "ridge", "trees")]),
        c(1L, 1L, 2L)
    )
    grn <- inferGRN(cells, trees, nTargets = Inf, seed = 2, verbose = FALSE)
    e <- as.data.frame(evaluateGRN(grn, truth, c("model", "random"),
        nBoot = 20, seed = 2
    ))
    row <- t[t$method == "trees" & t$seed == 2, ]
    expect_equal(row$auprcRatio, e$auprcRatio[[1L]])
    expect_equal(row$auprcRatioHigh, e$auprcRatioHigh[[1L]])
    expect_equal(row$earlyRatio, e$earlyRatio[[1L]])
    expect_true(row$aboveChance)
    s <- summary(got)
    expect_setequal(s$method[s$null], c("random", "marginal"))
    expect_equal(s$ratio[s$method == "trees"],
        mean(t$auprcRatio[t$method == "trees"])
    )
    expect_equal(sum(s$meanRank, na.rm = TRUE), 6)
    expect_equal(s$ratio[s$method == "random"], 1, tolerance = 0.5)
    expect_identical(as.data.frame(got, "sets")$known,
        nrow(unique(truth[1:2]))
    )
    expect_output(show(got), "Best mean rank")
    expect_s3_class(plotBenchmark(got), "ggplot")
    expect_silent(ggplot2::ggplot_build(plotBenchmark(got, "earlyRatio")))
})

test_that("nulls score as nulls; failures are told and don't stop the rest", {
    methods <- list(
        nothing = function(x, seed) {
            m <- matrix(sin(seq_len(8 * 40)^2), 8, 40)
            dimnames(m) <- list(rownames(x)[1:8], rownames(x))
            m
        },
        broken = function(x, seed) stop("out of order"),
        odd = function(x, seed) "a network",
        truth = function(x, seed) {
            m <- matrix(0, 8, 40)
            dimnames(m) <- list(rownames(x)[1:8], rownames(x))
            m[as.matrix(truth[1:2])] <- 1
            m
        }
    )
    warned <- capture_warnings(got <- benchmarkGRN(list(a = cells, b = cells),
        list(b = truth, a = truth), methods, nBoot = 10
    ))
    expect_length(warned, 4L)
    expect_match(warned[[1L]], "broken on a: out of order")
    t <- as.data.frame(got)
    expect_true(all(is.na(t$auprc[t$method == "broken"])))
    expect_true(all(t$auprc[t$method == "truth"] == 1))
    expect_false(any(t$aboveChance[t$method == "nothing"]))
    expect_output(show(got), "Failed: broken on a")
    s <- summary(got)
    expect_identical(s$sets[s$method %in% c("broken", "truth")], c(0, 2))
    expect_error(suppressWarnings(benchmarkGRN(cells, truth, methods[2:3])),
        "no method gave a network.*out of order"
    )
})

test_that("bad input is named, before any work", {
    never <- list(slow = function(x, seed) stop("was called"))
    expect_error(benchmarkGRN(list(a = cells), list(b = truth), never),
        "there is none for: a"
    )
    expect_error(benchmarkGRN(list(cells), list(truth), never), "names\\(x")
    expect_error(benchmarkGRN(cells, truth, list(two[[1L]], two[[2L]])),
        "names\\(methods"
    )
    expect_error(benchmarkGRN(cells, truth, list(random = two[[1L]])),
        "name of a null"
    )
    expect_error(benchmarkGRN(cells, truth, list(a = 3)), "'methods' must be")
    expect_error(benchmarkGRN(cells, truth, list()), "'methods' is empty")
    expect_error(benchmarkGRN(cells, truth, never, seeds = c(1, 1)),
        "'seeds' must be"
    )
    expect_error(benchmarkGRN(cells, truth, never, tfs = list(b = "all")),
        "'tfs' lacks"
    )
    file <- tempfile()
    writeLines("keep", file)
    expect_error(benchmarkGRN(cells, truth, never, file = file),
        "'file' exists"
    )
    expect_identical(readLines(file), "keep")
    expect_error(plotBenchmark(1), "'x' must be")
})
