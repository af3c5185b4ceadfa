mat <- function() as.matrix(SummarizedExperiment::assay(tinyCells()))

## Calls that fail leave a model as it is, so one serves them all.
untouched <- function() madeOnce("untouched", tinyModel)

bothFail <- function(x, message, model = untouched()) {
    before <- weightsOf(model)
    expect_error(tinyTrain(model, x), message)
    expect_error(inferGRN(x, model, nTargets = 10, verbose = FALSE), message)
    expect_identical(weightsOf(model), before)
}

test_that("empty matrices and things that are no matrix", {
    bothFail(mat()[0, ], "'x' is empty: 0 genes x 21 cells")
    bothFail(mat()[, 0], "'x' is empty: 31 genes x 0 cells")
    bothFail("a", "'x' names no file or folder: a")
    bothFail(NULL, "'x' must be a SingleCellExperiment")
    bothFail(matrix(letters[1:6], 2), "'x' must hold numbers")
    expect_error(newModel(tinyParam()), "'x' is missing")
    expect_error(
        newModel(tinyParam(), SingleCellExperiment::SingleCellExperiment()),
        "'x' has no assay"
    )
})

test_that("one cell, one gene", {
    model <- tinyModel()
    expect_error(
        tinyTrain(model, mat()[, 1, drop = FALSE],
            preprocess = list(minCells = 0)
        ), "one cell"
    )
    bothFail(mat()[1, , drop = FALSE], "'x' has one gene, MYOD1")
    expect_error(
        tinyTrain(model, mat()[, 1, drop = FALSE], genes = rownames(mat())[
            mat()[, 1] > 0
        ]), "training needs two"
    )
})

test_that("values that can't be expression", {
    for (bad in c(NA, NaN, Inf, -Inf, -1)) {
        m <- mat()
        m[20, 3] <- bad
        bothFail(m, paste0("holds .*TARGET015 in cell cell003"))
        bothFail(methods::as(m, "dgCMatrix"), "TARGET015 in cell cell003")
    }
})

test_that("all-zero cells are refused, all-zero genes left out and named", {
    m <- mat()
    m[, 4] <- 0
    bothFail(m, "1 cells without any count: cell004")
    bothFail(mat() * 0, "only zeros")
    m <- mat()
    m[20, ] <- 0
    model <- tinyModel(mat())
    expect_message(
        trainModel(m, model, epochs = 1, verbose = TRUE), "1 genes seen in"
    )
    expect_error(
        trainModel(m, model, genes = c("MYOD1", "TARGET015"), epochs = 1,
            verbose = FALSE
        ),
        "without any count.*TARGET015"
    )
    ## a trained model reads it as 0
    grn <- inferGRN(m, model, genes = c("MYOD1", "TARGET015"), verbose = FALSE)
    expect_true("TARGET015" %in% geneNames(grn))
})

test_that("names that are missing, duplicated or mean the same gene", {
    m <- mat()
    rownames(m)[8] <- "MYOD1"
    bothFail(m, "duplicated gene names: MYOD1")
    rownames(m)[8] <- " myod1"
    bothFail(m, "mean the same gene")
    rownames(m)[8] <- NA
    bothFail(m, "without a name")
    rownames(m) <- NULL
    bothFail(m, "no gene names")
    m <- mat()
    colnames(m)[2] <- "cell001"
    bothFail(m, "duplicated cell names: cell001")
})

test_that("two genes on one token", {
    vocab <- data.frame(
        token_index = c(0L, 1L, 2L, 2L), gene_symbol = c(NA, "A", "B", "C"),
        gene_id = c("<pad>", "ENSG1", "ENSG2", "ENSG3")
    )
    input <- .readCells(matrix(1, 3, 2, dimnames = list(c("A", "B", "C"))))
    expect_error(.matchGenes(input, vocab, "train", FALSE), "on one token")
})

test_that("no factor, another species, another vocabulary", {
    m <- mat()
    expect_error(
        newModel(tinyParam(), m[-(1:5), ]), "'x' has no transcription factor"
    )
    expect_error(
        newModel(tinyParam(), genes = c("AA", "BB")), "'genes' has no trans"
    )
    bothFail(m[-(1:5), ], "no transcription factor")
    expect_error(tinyTrain(tinyModel(), m, tfs = "NOBODY"),
        "'tfs' names no gene of 'x': NOBODY; .*MYOD1"
    )
    bothFail(
        `rownames<-`(m, paste0("FB", seq_len(nrow(m)))),
        "different genes.*unknown are FB1"
    )
    expect_error(tinyTrain(tinyModel(), m, species = "fly"), "'species'.*fly")
    x <- tinyCells()
    x$species[3] <- "mouse"
    expect_error(tinyTrain(tinyModel(), x, species = "species"), "mixed")
})

test_that("more genes than the model takes", {
    x <- tinyCells()
    model <- newModel(tinyParam(maxLength = 12), x, seed = 1, threads = 1)
    expect_error(tinyTrain(model, x), "'nTargets'.*at most 11")
    expect_error(
        inferGRN(x, model, verbose = FALSE), "'nTargets'.*at most 11"
    )
    tinyTrain(model, x, nTargets = 6)
    expect_identical(
        dim(inferGRN(x, model, verbose = FALSE))[[2]], 11L
    )
})

test_that("a wrong assay name", {
    expect_error(
        tinyTrain(tinyModel(), tinyCells(), assay.type = "logcounts"),
        "'assay.type' is \"logcounts\".*it has \"counts\""
    )
})

test_that("a dead pointer explains itself", {
    model <- tinyModel()
    file <- tempfile()
    saveRDS(model, file)
    dead <- readRDS(file)
    expect_error(inferGRN(tinyCells(), dead), "saveModel\\(model, dir\\)")
    expect_error(tinyTrain(dead), "loadModel")
    expect_error(saveModel(dead, tempfile()), "lost its weights")
    expect_error(modelTensors(dead), "lost its weights")
    expect_output(show(dead), "weights are gone")
    expect_s3_class(summary(dead), "summary.FoundationModel")
    expect_identical(nrow(trainingHistory(dead)), 0L)
})

test_that("not enough memory is refused before work starts", {
    model <- tinyModel()
    old <- options(causeway.memoryLimit = 1000)
    on.exit(options(old))
    bothFail(tinyCells(), "not enough memory.*causeway.memoryLimit", model)
    expect_error(tinyModel(), "not enough memory: the weights")
    options(causeway.memoryLimit = "much")
    expect_error(tinyTrain(tinyModel()), "causeway.memoryLimit")
})

test_that("arguments out of range are named", {
    x <- tinyCells()
    model <- tinyModel()
    expect_error(trainModel(x, model, epochs = 0), "'epochs'")
    expect_error(trainModel(x, model, batchSize = 2.5), "'batchSize'")
    expect_error(trainModel(x, model, lr = 0), "'lr'")
    expect_error(trainModel(x, model, learningRate = 1), "now called 'lr'")
    expect_error(trainModel(x, model, deterministic = TRUE), "same bits")
    expect_error(trainModel(x, model, rounds = 1), "known here: rounds")
    expect_error(trainModel(x, model, warmup = 2), "'warmup'")
    expect_error(trainModel(x, model, priorWeight = 3), "'priorWeight'")
    expect_error(trainModel(x, model, verbose = NA), "'verbose'")
    expect_error(trainModel(x, model, resume = 3), "'resume'")
    expect_error(trainModel(x, model, seed = "a"), "'seed'")
    expect_error(trainModel(x, model, nTargets = -1), "'nTargets'")
    expect_error(inferGRN(x, model, batchSize = 0), "'batchSize'")
    expect_error(inferGRN(x, 3), "'model' must be a FoundationModel")
    expect_error(inferGRN(x, model, genes = "NOPE"), "'genes'.*NOPE")
    expect_error(newModel(tinyParam(), x, threads = 0), "'threads'")
    expect_error(exampleCells(nCells = 0), "'nCells'")
    expect_error(exampleCells(nGenes = 2), "'nGenes'")
})

test_that("a failed call leaves the condition table as it was", {
    x <- tinyCells()
    model <- tinyModel(x)
    before <- conditionTable(model)
    old <- options(causeway.memoryLimit = 1)
    on.exit(options(old))
    expect_error(tinyTrain(model, x, tissue = "liver"), "memory")
    expect_identical(conditionTable(model), before)
})

test_that("cells of two species in one object are refused", {
    x <- tinyCells()
    x$species <- rep_len(c("human", "Mus musculus"), ncol(x))
    bothFail(x, "'x' mixes species")
    x <- tinyCells()
    half <- seq_len(nrow(x)) <= nrow(x) / 2
    rownames(x) <- paste0(ifelse(half, "GRCh38_", "mm10___"), rownames(x))
    expect_error(inferGRN(x, verbose = FALSE),
        "genes of human \\(GRCh38_.*and of mouse \\(mm10___")
})

test_that("an assay that is log-normalised by its name is not taken silently", {
    x <- SummarizedExperiment::SummarizedExperiment(list(
        logcounts = log1p(mat())
    ))
    model <- tinyModel(x)
    expect_message(got <- inferGRN(x, model, verbose = TRUE),
        "\"logcounts\" holds log-normalised values, by its name"
    )
    expect_silent(same <- inferGRN(x, model, alreadyNormalised = TRUE,
        verbose = FALSE
    ))
    expect_identical(got@expression, same@expression)
    expect_warning(inferGRN(x, model, alreadyNormalised = FALSE,
        verbose = FALSE
    ), "alreadyNormalised = TRUE")
    ## whole numbers under that name are counts
    SummarizedExperiment::assay(x, "logcounts") <- mat()
    expect_identical(inferGRN(x, model, verbose = FALSE)@expression,
        inferGRN(mat(), model, verbose = FALSE)@expression
    )
})

test_that("arguments that don't exist and swapped ones are errors", {
    grn <- exampleGRN()
    expect_error(poolGRN(grn, top = 3), "aren't known here: top")
    expect_error(edgeTable(grn, treshold = 0.2), "known here: treshold")
    expect_error(edgeTable(poolGRN(grn), cells = 2, top = 3), "here: cells")
    expect_error(writeGRN(grn, tempfile(), tops = 3), "known here: tops")
    expect_error(writeGRN(grn, NULL, top = 3), "'file' must be one")
    expect_error(toIgraph(grn, n = 3), "known here: n")
    expect_error(regulonActivity(grn, tinyCells()), "the cells come first")
    expect_error(trainModel(tinyCells(), 3), "'model' must be")
    expect_error(newModel(list(), tinyCells()), "'param' must be")
})

test_that("a damaged sparse matrix is refused before it is read", {
    x <- methods::as(mat(), "dgCMatrix")
    x@p <- x@p[1:3]
    batch <- list(values = x, ids = 1L, conditions = 1L, nonTF = TRUE)
    expect_error(
        .engineRun(tinyModel(), "networks", batch),
        "sparse matrix is damaged"
    )
})

test_that("weights that are not finite give an error, not an empty network", {
    model <- tinyModel()
    name <- "foundation_modules.sfm.backbone.final_norm.weight"
    setModelTensor(model, name, c(NaN, rep(1, 15)))
    expect_error(
        inferGRN(tinyCells(), model, nTargets = 10, verbose = FALSE),
        "'model' gives numbers that are not finite"
    )
    setModelTensor(model, name, rep(1, 16))
    grn <- inferGRN(tinyCells(), model, nTargets = 10, verbose = FALSE)
    expect_identical(length(grn), 21L)
    m <- mat()
    m[1:3, 2] <- 1e308
    bothFail(m, "total is beyond any number: cell002")
})

test_that("a sparse matrix that is not one is refused before it is read", {
    good <- list(p = c(0L, 2L, 3L, 5L), i = c(0L, 2L, 1L, 0L, 3L),
        x = c(1, 2, 3, 1, 5), cells = 3L
    )
    add <- function(view) {
        .Call(causeway:::cw_r_gram_add, .newSums(4L, 0L), view, 1L)
    }
    sums <- add(good)
    ridge <- function(sums) .Call(causeway:::cw_r_ridge_pooled, sums, 0.01, 1L)
    expect_length(ridge(sums)$evidence, 4L)
    sums$both <- sums$both[-1L]
    expect_error(ridge(sums), "internal error")
    for (bad in list(
        list("i", c(0L, 2L, 1L, 0L, 4L)), list("i", c(-1L, 2L, 1L, 0L, 3L)),
        list("p", c(0L, 2L, 3L, 9L)), list("p", c(0L, 6L, 3L, 5L)),
        list("p", c(1L, 2L, 3L, 5L)), list("x", c(1, 2, 3, 1))
    )) {
        view <- good
        view[[bad[[1L]]]] <- bad[[2L]]
        expect_error(add(view), "damaged or was built by hand")
    }
    view <- good[c("p", "i", "x")]
    view$genes <- 4
    view$cells <- 3
    state <- function(w) {
        .Call(causeway:::cw_r_percell, view, 0L, w, NULL,
            list(a = 0.01, rho = 0.1), list(low = 2, high = 2,
                neighbours = 5, centring = "gated", gateCells = 500,
                gateGenes = 80, gateGain = 5e-4), c(0, 1), 1L
        )
    }
    expect_error(state(matrix(1L, 1L, 3L)), "internal error")
    expect_error(state(matrix(1, 1L, 2L)), "internal error")
    view$i[[1L]] <- 7L
    expect_error(state(NULL), "damaged or was built by hand")
})

test_that("known edges beyond their list are refused before they are read", {
    x <- .sumsOf(rbind(c(1, 0, 0, 1), c(0, 3, 2, 0), c(1, 0, 5, 1)), 0L)
    known <- function(start) {
        .Call(causeway:::cw_r_ridge_known, x,
            list(start = start, tf = c(0L, 0L)),
            list(variance = 0.01, strength = c(1, 4)), list(nPerm = 0),
            c(0, 1), 1L
        )
    }
    expect_length(known(c(0L, 0L, 1L, 2L))$evidence, 3L)
    for (start in list(c(0L, 0L, 1L, 9L), c(0L, 9L, 1L, 2L), c(1L, 1L, 1L, 2L)))
    {
        expect_error(known(start), "internal error")
    }
})
