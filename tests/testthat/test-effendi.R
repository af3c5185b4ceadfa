## The Effendi delay model: settings, fitting, checkpoints, predictions.

effendiData <- function(n = 150, seed = 1) {
    set.seed(seed)
    time <- runif(n) * 6
    path <- function(t) cbind(sin(t), cos(t), t / 3 - 1, sin(2 * t))
    zAtac <- matrix(rnorm(n * 9, sd = 0.3), n)
    zRna <- matrix(rnorm(n * 8, sd = 0.3), n)
    zAtac[, 1:4] <- zAtac[, 1:4] + path(time)
    zRna[, 1:4] <- zRna[, 1:4] + path(time - 0.5)
    emb <- matrix(rnorm(11 * 8, sd = 0.5), 11)
    rownames(emb) <- paste0("g", 1:11)
    rownames(zAtac) <- rownames(zRna) <- paste0("c", seq_len(n))
    list(
        zAtac = zAtac, zRna = zRna, geneEmbedding = emb,
        expression = stats::plogis(zRna %*% t(emb))
    )
}

newFolder <- function() {
    dir <- tempfile("effendi-")
    dir.create(dir)
    dir
}

smallEffendi <- function(...) {
    args <- list(
        fieldEpochs = 4, stage1Epochs = 2, stage2Epochs = 2, batchSize = 32,
        nSteps = 6, nStepsField = 5, alignHidden = 12, fieldHidden = 7,
        tauHidden = 6, decoderHidden = 10, nProjections = 12
    )
    new <- list(...)
    args[names(new)] <- new
    do.call(EffendiParam, args)
}

fitEffendi <- function(d, ..., param = smallEffendi(), key = c(3, 4),
    controls = character()) {
    .effendiFit(d$zAtac, d$zRna, d$expression, d$geneEmbedding, param, key,
        controls = controls, threads = 1L, ...
    )
}

test_that("EffendiParam has the published defaults and checks values", {
    s <- EffendiParam()@settings
    expect_identical(
        unlist(s[c("alignHidden", "tauHidden", "decoderHidden",
            "nProjections", "fieldEpochs", "stage1Epochs", "stage2Epochs",
            "batchSize")]),
        c(alignHidden = 512L, tauHidden = 128L, decoderHidden = 256L,
            nProjections = 200L, fieldEpochs = 50L, stage1Epochs = 10L,
            stage2Epochs = 40L, batchSize = 128L)
    )
    expect_equal(
        unlist(s[c("tauModScale", "fieldLr", "stage1Lr", "stage2LrField",
            "wOde", "wRecon", "wTau", "wReverse", "clip")]),
        c(tauModScale = 0.1, fieldLr = 1e-3, stage1Lr = 1e-3,
            stage2LrField = 1e-6, wOde = 1, wRecon = 0.5, wTau = 0.01,
            wReverse = 0.1, clip = 50)
    )
    expect_output(show(EffendiParam()), "changed from the defaults: nothing")
    expect_output(show(EffendiParam(tauMax = 4)), "tauMax = 4")
    expect_error(EffendiParam(tauMax = 0), "'tauMax' must be one number gr")
    expect_error(EffendiParam(batchSize = 1.5), "'batchSize' must be one who")
    expect_error(EffendiParam(method = "rk5"), "'method' must be one of")
    expect_error(EffendiParam(readout = "all"), "'readout' must be one of")
    expect_error(EffendiParam(dropout = 1), "'dropout'")
    expect_error(EffendiParam(reverseInStage2 = NA), "'reverseInStage2'")
})

test_that("a fit returns delays, losses, health and controls", {
    d <- effendiData()
    fit <- fitEffendi(d, controls = c("untrained", "shuffled"))
    expect_named(fit$tau, rownames(d$geneEmbedding))
    expect_identical(dim(fit$tauCells), c(150L, 11L))
    expect_equal(fit$tau, colMeans(fit$tauCells), tolerance = 1e-5)
    expect_true(all(fit$tauCells > 1e-3))
    expect_identical(fit$losses$stage, rep(c("1", "2.1", "2.2"), c(4, 2, 2)))
    expect_identical(fit$losses$epoch, c(1:4, 1:2, 1:2))
    expect_true(all(is.na(fit$losses$ode[1:4])))
    expect_true(all(is.na(fit$losses$sw2[5:8])))
    expect_lt(fit$losses$sw2[[4]], fit$losses$sw2[[1]])
    expect_lt(fit$losses$total[[8]], fit$losses$total[[5]])
    expect_lt(abs(fit$lipschitz - 1), 0.1)
    expect_lt(fit$reversibility, 0.5)
    expect_true(all(abs(fit$rank) <= 1) && !anyNA(fit$rank))
    expect_named(fit$rank, c("untrained", "shuffled"))
    expect_false(isTRUE(all.equal(fit$tau, fit$shuffled)))
})

test_that("the key governs a fit, threads do not", {
    d <- effendiData()
    a <- fitEffendi(d)
    b <- .effendiFit(d$zAtac, d$zRna, d$expression, d$geneEmbedding,
        smallEffendi(), c(3, 4), controls = character(), threads = 2L
    )
    expect_identical(a$tau, b$tau)
    expect_identical(a$losses, b$losses)
    expect_false(identical(a$tau, fitEffendi(d, key = c(3, 5))$tau))
    sparse <- d
    sparse$expression[sparse$expression < 0.4] <- 0
    dense <- fitEffendi(sparse)
    sparse$expression <- Matrix::Matrix(sparse$expression, sparse = TRUE)
    expect_s4_class(sparse$expression, "dgCMatrix")
    expect_identical(fitEffendi(sparse)$tau, dense$tau)
})

test_that("every option changes the fit and leaves it finite", {
    d <- effendiData(64)
    plain <- fitEffendi(d)$tau
    options <- list(
        list(readout = "gene"),
        list(readout = "attention", readoutTokens = 3),
        list(attentionHeads = 2),
        list(adapterHidden = 4), list(wContrast = 0.5),
        list(reverseInStage2 = TRUE), list(method = "rk4"),
        list(spectral = "exact"), list(stage2LrField = 0),
        list(weightDecay = 0.1), list(dropout = 0)
    )
    for (o in options) {
        tau <- fitEffendi(d, param = do.call(smallEffendi, o))$tau
        expect_true(all(is.finite(tau)), info = names(o))
        expect_false(isTRUE(all.equal(tau, plain, tolerance = 1e-9)),
            info = names(o)
        )
    }
    peaks <- (d$zAtac[, 1:5] > 0) * 1
    fit <- fitEffendi(d, param = smallEffendi(wPeaks = 1, stage2Epochs = 15),
        peaks = peaks
    )
    expect_lt(tail(fit$losses$peaks, 1), fit$losses$peaks[[5]])
})

test_that("stage 1 takes unpaired cells of other numbers", {
    d <- effendiData(70)
    more <- effendiData(55, seed = 2)
    fit <- fitEffendi(d, unpaired = list(
        atac = more$zAtac[1:33, ], rna = more$zRna
    ))
    expect_true(all(is.finite(fit$tau)))
    expect_false(identical(fit$losses$sw2, fitEffendi(d)$losses$sw2))
    expect_error(
        fitEffendi(d, unpaired = list(atac = more$zAtac[, -1])),
        "unpaired\\$atac"
    )
    expect_error(
        fitEffendi(d, param = smallEffendi(wContrast = 1),
            unpaired = list(rna = more$zRna)
        ), "'wContrast' needs paired"
    )
})

test_that("checkpoints resume from the last finished stage", {
    d <- effendiData()
    dir <- newFolder()
    whole <- fitEffendi(d, dir = dir)
    files <- c(
        "align_mlp.safetensors", "effendi_final.safetensors",
        "effendi_run.json", "effendi_stage1.safetensors",
        "gene_tau_estimates.csv", "vector_field_frozen.safetensors"
    )
    expect_identical(sort(list.files(dir)), files)
    table <- utils::read.csv(file.path(dir, "gene_tau_estimates.csv"))
    expect_equal(table$tau, unname(whole$tau))
    expect_identical(table$gene, names(whole$tau))

    before <- tools::md5sum(file.path(dir, files))
    again <- fitEffendi(d, dir = dir, key = c(9, 9))
    expect_identical(again$tau, whole$tau)
    expect_equal(again$losses, whole$losses)
    expect_identical(tools::md5sum(file.path(dir, files[-5])), before[-5])

    run <- jsonlite::read_json(file.path(dir, "effendi_run.json"),
        simplifyVector = TRUE
    )
    run$finished <- 1
    run$losses <- run$losses[run$losses$stage == "1", ]
    jsonlite::write_json(run, file.path(dir, "effendi_run.json"),
        auto_unbox = TRUE, digits = NA
    )
    unlink(file.path(dir, files[c(2, 4, 5)]))
    resumed <- fitEffendi(d, dir = dir)
    expect_identical(resumed$tau, whole$tau)
    expect_equal(resumed$losses, whole$losses)
})

test_that("files of another run are never overwritten unasked", {
    d <- effendiData(64)
    dir <- newFolder()
    fitEffendi(d, dir = dir)
    before <- tools::md5sum(list.files(dir, full.names = TRUE))
    other <- d
    other$zAtac <- d$zAtac * 2
    expect_error(fitEffendi(other, dir = dir), "holds files of another run")
    expect_error(
        fitEffendi(d, dir = dir, param = smallEffendi(tauMax = 3)),
        "holds files of another run"
    )
    expect_identical(
        tools::md5sum(list.files(dir, full.names = TRUE)), before
    )
    fitEffendi(other, dir = dir, overwrite = TRUE)
    expect_false(identical(
        tools::md5sum(list.files(dir, full.names = TRUE)), before
    ))
    file <- file.path(dir, "effendi_stage1.safetensors")
    writeBin(as.raw(1:20), file)
    expect_error(fitEffendi(other, dir = dir), "safetensors")
})

test_that("a fitted model predicts, reverses and intervenes", {
    d <- effendiData()
    fit <- fitEffendi(d)
    m <- fit$model
    tau <- .effendiTau(m, d$zAtac[5:9, ], d$geneEmbedding)
    expect_equal(tau, fit$tauCells[5:9, ], tolerance = 1e-6)
    p <- .effendiForward(m, d$zAtac, d$geneEmbedding)
    expect_identical(dim(p$yHat), c(150L, 11L))
    expect_true(all(p$yHat > 0 & p$yHat < 1))
    expect_equal(p$tauBar, fit$tauBar)
    expect_identical(p$tauBar, {
        all <- sort(fit$tauCells)
        all[[(length(all) + 1) %/% 2]]
    })
    back <- .effendiReverse(m, p$zIntegrated)
    expect_gt(cor(c(back), c(p$zA)), 0.999)
    none <- .effendiIntervene(m, d$zRna, numeric(8), 1, d$geneEmbedding)
    expect_true(all(none$CE == 0) && all(none$displacement == 0))
    some <- .effendiIntervene(m, d$zRna, rep(0.5, 8), 2, d$geneEmbedding)
    expect_identical(dim(some$CE), c(150L, 11L))
    expect_equal(some$CE, some$after - some$before)
    expect_gt(min(some$displacement), 1)
    expect_error(.effendiIntervene(m, d$zRna, 1:3, 1, d$geneEmbedding),
        "'direction' must be 8 finite"
    )
    health <- .effendiHealth(m, d$zAtac)
    expect_true(health$finite)
    expect_equal(health$lipschitz, fit$lipschitz)
    expect_error(.effendiTau(m, d$zAtac[, -1], d$geneEmbedding),
        "'zAtac' has 8 columns, expected 9"
    )
})

test_that("a perturbation runs through the chromatin", {
    d <- effendiData()
    peaks <- (d$zAtac %*% matrix(rnorm(9 * 20), 9) > 0) * 1
    fit <- fitEffendi(d, param = smallEffendi(wPeaks = 1, stage2Epochs = 10),
        peaks = peaks
    )
    m <- fit$model
    open <- .effendiPeaks(m, d$zAtac)
    expect_identical(dim(open), c(150L, 20L))
    expect_gt(cor(c(open), c(peaks)), 0.2)
    encoder <- .effendiEncoder(peaks, d$zAtac)
    again <- (peaks - rep(encoder$centre, each = 150)) %*% encoder$loadings
    expect_gt(cor(c(again), c(d$zAtac)), 0.6)
    run <- function(...) {
        .effendiCascade(m, d$zRna, d$geneEmbedding, 1:5, rep(1, 5), ...,
            encoder = encoder
        )
    }
    none <- run(delta = 0)
    expect_lt(max(abs(none$CE)), 1e-6)
    shut <- run(delta = -1)
    expect_gt(max(abs(shut$CE)), 1e-4)
    expect_true(all(shut$CErna == 0))
    expect_true(all(shut$accessibility[1:5] < 0))
    expect_true(all(shut$accessibility[6:20] == 0))
    both <- run(delta = -1, direction = rep(1, 8))
    expect_gt(max(abs(both$CErna)), 1e-4)
    expect_error(run(delta = 1, direction = 1), "'direction' must be 8")
    expect_error(.effendiCascade(m, d$zRna, d$geneEmbedding, 30, 1, 1,
        encoder
    ), "'peaks' must be numbers of the model's 20")
    expect_error(.effendiCascade(m, d$zRna, d$geneEmbedding, 3, 1:2, 1,
        encoder
    ), "'weights' must be 1 finite")
    expect_error(.effendiPeaks(fitEffendi(d)$model, d$zAtac), "no peak dec")
})

test_that("a model from another session says what to do", {
    d <- effendiData(64)
    m <- fitEffendi(d)$model
    file <- newFolder()
    path <- file.path(file, "m.rds")
    saveRDS(m, path)
    expect_error(.effendiTau(readRDS(path), d$zAtac, d$geneEmbedding),
        "memory is gone.*Fit again"
    )
})

test_that("bad input is named", {
    d <- effendiData(40)
    bad <- function(what, value, text, ...) {
        d[[what]] <- value
        expect_error(fitEffendi(d, ...), text)
    }
    bad("expression", d$expression * 2, "'expression' must lie in \\[0, 1\\]")
    bad("expression", d$expression[-1, ], "'expression' has 39 rows")
    bad("zRna", d$zRna[, -1], "'geneEmbedding' has 8 columns, expected 7")
    x <- d$zAtac
    x[3, 2] <- NA
    bad("zAtac", x, "'zAtac' holds values that are not finite")
    expect_error(fitEffendi(d, param = smallEffendi(dim = 5)),
        "'zRna' has 8 columns, expected 5"
    )
    expect_error(fitEffendi(d, param = smallEffendi(attentionHeads = 3)),
        "'attentionHeads' must divide"
    )
    expect_error(fitEffendi(d, param = smallEffendi(wPeaks = 1)), "'wPeaks'")
    expect_error(fitEffendi(d, param = list()), "'param' must be an Effen")
    withr <- options(causeway.memoryLimit = 1e6)
    on.exit(options(withr))
    expect_error(fitEffendi(d), "not enough memory")
})

test_that("exchanging genes' embeddings exchanges their delays only", {
    ## what makes Effendi's delays exchangeable over genes
    d <- effendiData()
    fit <- fitEffendi(d)
    order <- c(5:11, 1:4)
    tau <- .effendiTau(fit$model, d$zAtac, d$geneEmbedding[order, ])
    expect_equal(unname(tau), unname(fit$tauCells[, order]), tolerance = 1e-5)
})
