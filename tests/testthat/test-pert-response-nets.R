## scGen and CellOT among the maps.

test_that("networks learn what the treatment does", {
    d <- treatedCells()
    told <- function(method) {
        predictResponse(d$m, d$condition, "none", "drug", nComponents = 5,
            seed = 1, nBoot = 20, method = method)
    }
    nets <- list("mean shift",
        ScGenParam(hidden = 32, code = 5, steps = 300, batchSize = 64),
        CellOTParam(hidden = c(64, 64), steps = 150, batchSize = 64))
    r <- told(nets)
    s <- as.data.frame(r)
    expect_identical(as.list(r)$method, "mean shift")
    of <- function(m, v) s[s$method == m, v]
    expect_gt(of("scGen", "explained"), 0.7)
    expect_gt(of("CellOT", "explained"), 0.9)
    expect_lt(of("CellOT", "energy"), of("identity", "energy") / 5)
    expect_lt(of("scGen", "energy"), of("identity", "energy"))
    expect_identical(r, told(nets))
    ## without them the closed maps say the same
    rest <- as.data.frame(told("mean shift"))
    expect_equal(s[s$method %in% rest$method, ], rest, ignore_attr = TRUE)
})

test_that("CellOT works in codes and on genes, cAE as the other condition", {
    d <- treatedCells()
    small <- ScGenParam(hidden = 32, code = 4, steps = 200, batchSize = 64)
    for (method in list(
        CellOTParam(hidden = c(64, 64), space = "codes", steps = 150,
            batchSize = 64, scgen = small),
        CellOTParam(hidden = c(64, 64), space = "genes", steps = 300,
            batchSize = 64),
        ScGenParam(hidden = 32, code = 4, steps = 300, batchSize = 64,
            conditional = TRUE)
    )) {
        r <- predictResponse(d$m, d$condition, "none", "drug", nComponents = 5,
            seed = 1, nBoot = 20, method = method)
        s <- as.data.frame(r)
        chosen <- as.list(r)$method
        expect_lt(s$energy[s$method == chosen],
            s$energy[s$method == "identity"])
        expect_identical(ncol(r@cells), 180L)
        up <- as.data.frame(r, "genes")
        expect_gt(mean(sprintf("G%02d", 1:10) %in%
            up$gene[up$delta > 0][1:10]), 0.6)
    }
})

test_that("batches go through all cells before one comes again", {
    pick <- causeway:::.batchesOf(10, 3, c(1, 2), 5)
    first <- unlist(lapply(0:2, pick))
    expect_identical(anyDuplicated(first), 0L)
    expect_true(all(first %in% 1:10))
    expect_false(identical(first, unlist(lapply(3:5, pick))))
    expect_identical(first, unlist(lapply(0:2, pick)))
    expect_length(causeway:::.batchesOf(4, 9, c(1, 2), 5)(7), 4L)
})

test_that("shifts of codes are balanced over groups where asked for", {
    code <- rbind(c(0, 0, 0, 1, 3, 5))
    treated <- c(FALSE, FALSE, FALSE, TRUE, TRUE, TRUE)
    group <- c("a", "a", "b", "a", "a", "b")
    expect_equal(causeway:::.codeShift(code, treated, group, TRUE), 3.5)
    expect_equal(causeway:::.codeShift(code, treated, group, FALSE), 3)
})

test_that("settings are checked and shown", {
    expect_output(show(CellOTParam()), "64, 64, 64, 64 on components, 400 x")
    expect_output(show(ScGenParam(conditional = TRUE)), "conditional")
    expect_error(CellOTParam(hidden = c(4, 0)), "hidden")
    expect_error(CellOTParam(hidden = rep(4, 9)), "one to 8")
    expect_error(CellOTParam(space = "umap"), "space")
    expect_error(CellOTParam(scgen = 3), "scgen")
    expect_error(ScGenParam(lr = 0), "lr")
})
