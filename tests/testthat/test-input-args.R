test_that("arguments of the wrong shape are refused, not passed over", {
    x <- tinyCells()
    run <- function(...) inferGRN(x, RidgeGRNParam(), ...)
    for (tfs in list(list("MYOG"), list(Human = "MYOG"), list(TF = "MYOG"),
        list(human = "MYOG", human = "MYOD1"), list())) {
        expect_error(run(tfs = tfs), "'tfs' is a list.*human and mouse")
    }
    expect_identical(tfNames(run(tfs = list(human = "MYOG"))), "MYOG")
    expect_identical(tfNames(run(tfs = factor("MYOG"))), "MYOG")
    expect_identical(tfNames(run(tfs = S4Vectors::DataFrame(TF = "MYOG"))),
        "MYOG"
    )
    expect_error(run(tfs = character()), "'tfs' is empty")
    expect_error(run(tfs = TRUE), "'tfs' must be gene symbols")
    for (arg in c("keep", "genes")) {
        for (bad in list(1:5, list("MYOG"), character(), NA_character_)) {
            expect_error(do.call(run, stats::setNames(list(bad), arg)),
                paste0("'", arg, "' must be gene names")
            )
        }
    }
    expect_error(run(alreadyNormalised = "yes"), "'alreadyNormalised'")
    expect_error(run(preprocess = NULL), "'preprocess' must be a named list")
    expect_error(run(nTargets = "all"), "'nTargets'")
    expect_error(run(assay = 2), "'assay' must be one character string")
})

test_that("old names of arguments say the new one", {
    x <- tinyCells()
    expect_error(preprocess(x, nTop = 3), "'nTop' is now called 'nTargets'")
    expect_error(preprocess(x, nHVG = 3), "aren't known here: nHVG")
})

test_that("the verbs share names, defaults and checks of their arguments", {
    shared <- c("assay.type", "assay", "symbols", "species", "tfs", "nTargets",
        "keep", "genes", "alreadyNormalised"
    )
    for (class in c("GRNParam", "PerCellGRNParam", "SFModel")) {
        method <- methods::getMethod("inferGRN", c("ANY", class))@.Data
        first <- body(method)[[2L]]
        formals <- if (identical(first[[2L]], quote(.local)))
            formals(eval(first[[3L]])) else formals(method)
        expect_true(all(shared %in% names(formals)), info = class)
        expect_true(all(vapply(formals[shared], is.null, NA)), info = class)
    }
})

test_that("no other file asks for the class of a container", {
    folder <- testthat::test_path("..", "..", "R")
    skip_if_not(dir.exists(folder), "the sources aren't here")
    files <- list.files(folder, "[.]R$", full.names = TRUE)
    files <- files[!grepl("^input-", basename(files))]
    asks <- paste0("(is|inherits)\\([^()]*,\\s*\"(SummarizedExperiment|",
        "SingleCellExperiment|Seurat|MultiAssayExperiment|DelayedArray|",
        "DelayedMatrix|IterableMatrix|Matrix)\""
    )
    found <- unlist(lapply(files, function(file) {
        text <- paste(readLines(file), collapse = "\n")
        if (grepl(asks, text)) basename(file)
    }))
    expect_identical(found, NULL)
})
