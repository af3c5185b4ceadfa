skip_if_not_installed("yaml")

folder <- pretrainFolder()
config <- file.path(folder, "c.yaml")
edited <- function(from, to) {
    file <- file.path(folder, "edited.yaml")
    writeLines(sub(from, to, readLines(config)), file)
    file
}

test_that("a dry run says what would be done and does nothing", {
    plan <- pretrain(config, file.path(folder, "run"), dryRun = TRUE,
        threads = 1, verbose = FALSE
    )
    expect_s4_class(plan, "PretrainPlan")
    files <- as.data.frame(plan, which = "files")
    expect_identical(sort(files$steps), c(2, 3))
    expect_identical(files$known, c(31L, 31L))
    expect_identical(plan@facts$steps, 10)
    expect_true(all(as.data.frame(plan, which = "checks")$holds))
    expect_true(plan@facts$bytes > 1e5 && plan@facts$seconds >= 0)
    expect_false(file.exists(file.path(folder, "run")))
    expect_output(print(plan), "Ready: 2 files, 40 cells, at most 10 steps")
})

test_that("a dry run finds what is broken", {
    writeBin(as.raw(1:50), file.path(folder, "broken.h5ad"))
    plan <- pretrain(edited("b.h5ad", "broken.h5ad"), file.path(folder, "run"),
        dryRun = TRUE, threads = 1, verbose = FALSE
    )
    checks <- as.data.frame(plan, which = "checks")
    expect_identical(checks$holds, c(FALSE, TRUE, TRUE))
    expect_match(checks$note[[1L]], "broken.h5ad")
    expect_output(print(plan), "Not ready")
})

test_that("keys that contradict each other are refused by line", {
    plan <- function(from, to) {
        pretrain(edited(from, to), file.path(folder, "run"), dryRun = TRUE,
            verbose = FALSE
        )
    }
    expect_error(plan("n_top_genes: 20", "n_top_genes: 200"),
        ":18: 'data.preprocess.n_top_genes' is 200, but data.max_length"
    )
    expect_error(plan("min_genes: 0", "log1p: false"), ":17: .*can't be false")
    expect_error(plan("a.h5ad", "zzz.h5ad"), ":5: 'data.train_paths' is")
    expect_error(plan("source: assets", "source: nowhere"), ":1: 'model_source'")
    expect_error(pretrain(config), "'dir' is missing")
    expect_identical(pretrain(config, dryRun = TRUE, threads = 1,
        verbose = FALSE
    )@facts$steps, 10)
})

test_that("published settings reach the run", {
    c <- causeway:::.readConfig(config)
    s <- causeway:::.configSettings(c, 16, "sfm")
    expect_identical(s$priorPositive, 5)
    expect_identical(s$lambdaSparsity, 0.001)
    expect_identical(s$conditionMask, 0.1)
    expect_identical(causeway:::.configHow(c)$preprocess$minGenes, 0)
    expect_identical(c$causeway.conditions, 1024)
    expect_match(causeway:::.configNotes(c), "runtime.fsdp")
})

test_that("an EFM is trained from a package with its SFM", {
    efm <- file.path(folder, "efm")
    dir.create(efm)
    file.copy(file.path(folder, c("assets", "a.h5ad")), efm, recursive = TRUE)
    cells <- exampleCells(nCells = 40, nGenes = 31)
    own <- newModel(EFMParam(embedDim = 16, layers = 1, heads = 2,
        mlpHidden = 24, exprBins = 6, exprHidden = 8, batchBins = 5,
        batchHidden = 6
    ), cells, seed = 3, threads = 1)
    saveModel(own, file.path(folder, "made"))
    file.copy(file.path(folder, "made/models/efm"), file.path(efm,
        "assets/models"
    ), recursive = TRUE)
    lines <- readLines(config)
    drop <- seq(which(lines == "loss:"), which(lines == "trainer:") - 1)
    lines <- append(lines[-drop], c("loss:", "  lambda_exp: 1.0"), drop[[1]] - 1)
    lines <- sub("regenerate: True", "regenerate: false", lines)
    lines <- sub(", b.h5ad", "", lines)
    writeLines(lines, file.path(efm, "c.yaml"))
    model <- pretrain(file.path(efm, "c.yaml"), file.path(efm, "run"),
        threads = 1, verbose = FALSE
    )
    expect_s4_class(model, "EFModel")
    expect_identical(nrow(trainingHistory(model)), 6L)
    expect_true(file.exists(file.path(efm, "run/logs/efm_pretrain.jsonl")))
})
