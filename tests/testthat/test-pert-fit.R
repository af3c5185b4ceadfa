## Fits from cells: what is in them, containers, seeds, refusals.

test_that("a fit says first whether it predicts, and has its tables", {
    fit <- pertFit()
    expect_s4_class(fit, "PerturbationFit")
    expect_match(verdict(fit)$text[[1L]], "^Predicts unseen perturbations: ")
    b <- as.data.frame(fit)
    expect_identical(b$method, c("no change", "mean perturbed", "additive",
        "nearest", "bilinear ridge", "no side information", "the model",
        "half of the cells"))
    expect_equal(b$skill[b$method == "mean perturbed"], 0)
    p <- as.data.frame(fit, "perturbations")
    expect_identical(nrow(p), 32L)
    expect_true(all(is.na(p$error) == grepl("+", p$perturbation, fixed = TRUE)))
    expect_true("pair, 2 seen" %in% as.data.frame(fit, "pairs")$group)
    expect_identical(names(as.data.frame(fit, "side")), c("gene", "go",
        "graph", "network", "coexpression"))
    w <- as.data.frame(fit, "weights")
    expect_equal(sum(w$value[grepl("share", w$part)]), 1)
    expect_output(show(fit), "Predicts unseen")
})

test_that("the same seed gives the same fit, from any container, any threads", {
    x <- simulatePerturbations(nPathways = 2, nTargets = 25, nPairs = 0,
        cells = c(20, 30), nControl = 80, seed = 2)
    known <- S4Vectors::metadata(x)
    made <- function(x, threads = 2, perturbation = "perturbation") {
        fit <- fitPerturbation(x, perturbation, network = known$network,
            go = known$go, nPerm = 9, nBoot = 20, seed = 4, threads = threads,
            verbose = FALSE)
        list(fit@tables, fit@facts)
    }
    one <- made(x)
    expect_identical(made(x, threads = 1), one)
    expect_identical(made(SummarizedExperiment::assay(x), perturbation =
        x$perturbation), one)
    skip_if_not_installed("HDF5Array")
    y <- x
    file <- tempfile(fileext = ".h5")
    SummarizedExperiment::assay(y, "counts") <- HDF5Array::writeHDF5Array(
        SummarizedExperiment::assay(x), file, name = "counts",
        with.dimnames = TRUE)
    expect_equal(made(y), one)
    unlink(file)
    skip_if_not_installed("SeuratObject")
    seurat <- SeuratObject::CreateSeuratObject(
        counts = SummarizedExperiment::assay(x),
        meta.data = data.frame(perturbation = x$perturbation,
            row.names = colnames(x)))
    expect_identical(made(seurat), one)
})

test_that("pairs only, and few singles, can't be judged but are predicted", {
    x <- pertScreen()
    pairs <- x[, grepl("control|[+]", x$perturbation)]
    fit <- fitPerturbation(pairs, "perturbation", nPerm = 9, nBoot = 10,
        seed = 1, verbose = FALSE)
    expect_identical(verdict(fit)$holds, NA)
    expect_match(verdict(fit)$text[[1L]], "Can't say")
    p <- predictPerturbation(fit, "FAC01+FAC02")
    expect_true(all(is.finite(p@profile)))
})

test_that("bad arguments are errors that name them", {
    x <- pertScreen()
    expect_error(fitPerturbation(x), "'perturbation' is missing")
    expect_error(fitPerturbation(x, "guide"), "perturbation.*guide")
    expect_error(fitPerturbation(x, "perturbation", control = "mock"),
        "control.*mock")
    expect_error(fitPerturbation(x, "perturbation", folds = 1), "folds")
    expect_error(fitPerturbation(x, "perturbation", nPerm = 0), "nPerm")
    expect_error(fitPerturbation(x, "perturbation", network = 3), "network")
    expect_error(fitPerturbation(x, "perturbation", colour = 3), "colour")
    expect_error(fitPerturbation(perturbation = "perturbation"),
        "'x' is missing")
    counts <- SummarizedExperiment::assay(x)
    expect_error(fitPerturbation(counts, "perturbation"),
        "'x' has none; give a value per cell")
    expect_error(fitPerturbation(x[, 1], "perturbation"),
        "no perturbed cells|no control cells")
    expect_error(fitPerturbation(x, "perturbation", block = c(NA,
        rep("a", ncol(x) - 1L))), "'block' is missing for 1 cell.*Leave")
})

test_that("a perturbed gene that isn't measured is named", {
    x <- pertScreen()[-match("FAC01", rownames(pertScreen())), ]
    said <- character()
    fit <- withCallingHandlers(fitPerturbation(x, "perturbation", nPerm = 1,
        nBoot = 0, folds = 2, seed = 1), message = function(m) {
        said <<- c(said, conditionMessage(m))
        invokeRestart("muffleMessage")
    })
    expect_match(said, "1 perturbed gene not among .*FAC01", all = FALSE)
    t <- as.data.frame(fit, "perturbations")
    expect_true(is.na(t$own[t$perturbation == "FAC01"]))
})

test_that("what couldn't be used is said", {
    x <- pertScreen()
    x$perturbation[c(1, 5)] <- c(NA, "")
    said <- character()
    fit <- withCallingHandlers(fitPerturbation(x, "perturbation", nPerm = 9,
        nBoot = 0, folds = 2, seed = 1,
        graph = data.frame(from = "no", to = "such")), message = function(m) {
        said <<- c(said, conditionMessage(m))
        invokeRestart("muffleMessage")
    })
    expect_match(said, "2 cells not used: without a label", all = FALSE)
    text <- verdict(fit)$text
    expect_match(text, "none of the perturbed genes: graph", all = FALSE)
    expect_match(text, "With 9 permutations.*19 or more", all = FALSE)
    expect_false(any(grepl("permutations p|none of the perturbed",
        verdict(pertFit())$text)))
})
