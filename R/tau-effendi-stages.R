## Training of Effendi, the delay model of the specification. R counts stages,
## epochs and batches; the engine does one step per call.

.effendiStages <- c("1", "2.1", "2.2")

.effendiLosses <- c("ode", "recon", "tau", "reverse", "sw2", "contrast",
    "peaks", "total"
)

.effendiInputs <- function(zAtac, zRna, expression, geneEmbedding, unpaired,
    peaks, s) {
    zAtac <- .effendiMatrix(zAtac, "zAtac", cols = s$atacDim)
    n <- nrow(zAtac)
    zRna <- .effendiMatrix(zRna, "zRna", n, s$dim)
    emb <- .effendiMatrix(geneEmbedding, "geneEmbedding", cols = ncol(zRna))
    y <- .effendiMatrix(expression, "expression", n, nrow(emb))
    range <- range(if (is.matrix(y)) y else c(0, y@x))
    if (n < 2L || range[[1L]] < 0 || range[[2L]] > 1) {
        .stopArgument("expression", "must lie in [0, 1], for two cells or ",
            "more; it has ", n, " cells, from ", format(range[[1L]]), " to ",
            format(range[[2L]]), ". Divide every gene by its maximum."
        )
    }
    list(
        zAtac = zAtac, zRna = zRna, expression = y, geneEmbedding = emb,
        freeAtac = .effendiMatrix(unpaired$atac, "unpaired$atac",
            cols = ncol(zAtac)
        ),
        freeRna = .effendiMatrix(unpaired$rna, "unpaired$rna",
            cols = ncol(zRna)
        ),
        peaks = .effendiMatrix(peaks, "peaks", n)
    )
}

## A matrix of doubles or a dgCMatrix, finite; cells in rows.
.effendiMatrix <- function(x, arg, rows = NULL, cols = NULL) {
    if (is.null(x)) {
        return(NULL)
    }
    if (methods::is(x, "sparseMatrix")) {
        x <- methods::as(methods::as(x, "generalMatrix"), "CsparseMatrix")
        x <- methods::as(x, "dMatrix")
        values <- x@x
    } else {
        x <- as.matrix(x)
        storage.mode(x) <- "double"
        values <- x
    }
    if (!all(is.finite(values))) {
        .stopArgument(arg, "holds values that are not finite.")
    }
    for (i in 1:2) {
        want <- list(rows, cols)[[i]]
        if (!is.null(want) && dim(x)[[i]] != want) {
            .stopArgument(arg, "has ", dim(x)[[i]],
                c(" rows", " columns")[[i]], ", expected ", want, "."
            )
        }
    }
    x
}

.effendiOptionNeeds <- function(s, input) {
    if (s$wPeaks > 0 && is.null(input$peaks)) {
        .stopArgument("wPeaks", "is ", s$wPeaks, ", but no peaks are given.")
    }
    if (s$wContrast > 0 &&
        !(is.null(input$freeAtac) && is.null(input$freeRna))) {
        .stopArgument("wContrast", "needs paired cells in every stage; give ",
            "no unpaired ones, or leave it at 0."
        )
    }
    invisible()
}

.effendiMemory <- function(input, s) {
    n <- nrow(input$zAtac)
    genes <- nrow(input$geneEmbedding)
    width <- ncol(input$zAtac) + ncol(input$zRna) + genes
    need <- 4 * n * width + 40 * s$batchSize * genes + 2e8
    limit <- .memoryLimit()
    if (need > limit) {
        stop("not enough memory: ", n, " cells x ", genes, " genes take about ",
            .bytes(need), ", and ", .bytes(limit), " may be used. Give fewer ",
            "cells or genes, or raise options(causeway.memoryLimit = bytes).",
            call. = FALSE
        )
    }
    invisible(need)
}

## zAtac (cells, atac), zRna (cells, D), expression (cells, genes) in [0, 1],
## geneEmbedding (genes, D); unpaired: list(atac =, rna =) for stage 1, or
## NULL: the paired cells in two orders. controls: which of "untrained" and
## "shuffled" to run; the latter takes as long as the fit. With `dir`, what is
## done is kept every `every` steps.
.effendiFit <- function(zAtac, zRna, expression, geneEmbedding,
    param = EffendiParam(), key = .newKey(), dir = NULL, unpaired = NULL,
    threads = .threads(), verbose = FALSE, peaks = NULL,
    controls = c("untrained", "shuffled"), overwrite = FALSE,
    keepCells = 2e7, every = 100L) {
    s <- .effendiSettings(param)
    input <- .effendiInputs(zAtac, zRna, expression, geneEmbedding, unpaired,
        peaks, s
    )
    .effendiOptionNeeds(s, input)
    .effendiMemory(input, s)
    print <- .hash(list(input, s))
    run <- NULL
    if (!is.null(dir)) {
        .checkText(dir, "dir")
        if (!dir.exists(dir) && !dir.create(dir, recursive = TRUE)) {
            .stopArgument("dir", "can't be made: ", dir)
        }
        run <- .effendiResume(dir, print, overwrite)
        key <- if (is.null(run)) key else as.numeric(run$key)
        if (is.null(run)) {
            .effendiWriteRun(dir, list(fingerprint = print, key = key,
                finished = 0L
            ))
        }
    }
    wide <- if (is.null(input$peaks)) 0L else ncol(input$peaks)
    make <- function() {
        .effendiNew(s, ncol(input$zAtac), ncol(input$zRna), wide, key, threads)
    }
    model <- make()
    untrained <- if ("untrained" %in% controls) {
        .effendiMeans(model, input$zAtac, input$geneEmbedding)$tau
    }
    losses <- .effendiTrain(model, input, key, dir, run, print, verbose,
        every
    )
    result <- .effendiResult(model, input, losses, keepCells)
    .effendiWriteTau(dir, result)
    shuffled <- if ("shuffled" %in% controls) {
        .effendiShuffled(make(), input, key, verbose)
    }
    result$untrained <- untrained
    result$shuffled <- shuffled
    result$rank <- c(
        untrained = .effendiRank(result$tau, untrained),
        shuffled = .effendiRank(result$tau, shuffled)
    )
    result$key <- key
    result
}

## All three stages, from what `dir` has of them. Returns the losses.
.effendiTrain <- function(model, input, key, dir, run, print, verbose,
    every = 100L) {
    .engineBind(model$engine, lapply(input, function(x) {
        if (!is.null(x)) .cellsLast(x)
    }))
    rows <- function(x, or) if (is.null(x)) nrow(or) else nrow(x)
    sizes <- c(
        cells = nrow(input$zAtac), freeAtac = rows(input$freeAtac, input$zAtac),
        freeRna = rows(input$freeRna, input$zRna)
    )
    done <- if (is.null(run)) 0L else as.integer(run$finished)
    losses <- if (done > 0L) .effendiOldLosses(run$losses)
    for (stage in seq_len(3L) - 1L) {
        if (stage < done) {
            .say(verbose, "Effendi, stage ", .effendiStages[[stage + 1L]],
                ": read from ", dir
            )
            .effendiCheckpoint(model, dir, stage, FALSE)
            next
        }
        keeping <- .effendiKeeping(dir, stage, print, key, every)
        losses <- rbind(losses,
            .effendiStage(model, stage, sizes, key, verbose, keeping)
        )
        if (!is.null(dir)) {
            .effendiCheckpoint(model, dir, stage, TRUE)
            .effendiWriteRun(dir, list(
                fingerprint = print, key = key, finished = stage + 1L,
                losses = losses
            ))
        }
        .effendiForget(keeping)
    }
    rownames(losses) <- NULL
    losses
}

## Runs one stage, from where `keeping` has it, and returns its losses, one row
## per epoch.
.effendiStage <- function(model, stage, sizes, key, verbose, keeping = NULL) {
    s <- model$settings
    epochs <- c(s$fieldEpochs, s$stage1Epochs, s$stage2Epochs)[[stage + 1L]]
    key <- .effendiKey(key, 10 * (stage + 1))
    .effendiBegin(model, stage, key)
    at <- .effendiTakeUp(model, keeping)
    label <- paste0("Effendi, stage ", .effendiStages[[stage + 1L]], " ")
    bar <- .progressStart(label, epochs, verbose && epochs > 0, length(at$log))
    on.exit(.progressDone(bar))
    while (length(at$log) < epochs) {
        epoch <- length(at$log) + 1L
        at <- .effendiEpoch(model, .effendiPairs(s, stage, sizes, key, epoch),
            at, keeping
        )
        .progressTick(bar, epoch,
            paste("loss", signif(at$log[[epoch]][["total"]], 4))
        )
    }
    .effendiLog(at$log, stage, s)
}

## The steps of an epoch that `at` doesn't have yet.
.effendiEpoch <- function(model, pairs, at, keeping) {
    n <- min(lengths(pairs))
    size <- length(at$log) * n
    for (i in seq_len(n)[seq_len(n) > length(at$steps)]) {
        at$steps[[i]] <- .effendiStep(model, pairs$atac[[i]], pairs$rna[[i]])
        if (!is.null(keeping) && (size + i) %% keeping$every == 0) {
            .effendiKeep(model, keeping, at)
        }
    }
    at$log <- c(at$log, list(rowMeans(do.call(cbind, at$steps))))
    at$steps <- list()
    at
}

## Batches of an epoch, of chromatin and of RNA: the same cells, or in stage 1
## cells drawn apart.
.effendiPairs <- function(s, stage, sizes, key, epoch) {
    paired <- stage > 0L || s$wContrast > 0
    n <- if (stage > 0L) sizes[["cells"]] else sizes[["freeAtac"]]
    atac <- .effendiBatches(n, s$batchSize, key, epoch)
    list(atac = atac, rna = if (paired) atac else {
        .effendiBatches(sizes[["freeRna"]], s$batchSize, .effendiKey(key, 1),
            epoch
        )
    })
}

## Batches of row numbers of one epoch.
.effendiBatches <- function(n, size, key, epoch) {
    order <- .shuffled(n, key, epoch)
    unname(split(as.integer(order), (seq_len(n) - 1L) %/% size))
}

## A loss that is off is NA, as in trainingHistory().
.effendiLog <- function(log, stage, s) {
    values <- matrix(as.numeric(unlist(log)), ncol = 10L, byrow = TRUE)
    colnames(values) <- c(.effendiLosses, "tauBar", "gradNorm")
    off <- c(
        if (stage == 0L) c("ode", "recon", "tau") else "sw2",
        if (stage > 0L && !s$reverseInStage2) "reverse",
        if (s$wContrast == 0) "contrast",
        if (stage == 0L || s$wPeaks == 0) "peaks"
    )
    values[, off] <- NA
    data.frame(
        stage = rep(.effendiStages[[stage + 1L]], nrow(values)),
        epoch = seq_len(nrow(values)), values
    )
}

## The same fit with the chromatin of other cells: what of the delays does
## not come from the pairing.
.effendiShuffled <- function(model, input, key, verbose) {
    .say(verbose, "Control: chromatin of permuted cells")
    order <- .shuffled(nrow(input$zAtac), .effendiKey(key, 7), 0L)
    input$zAtac <- input$zAtac[order, , drop = FALSE]
    .effendiTrain(model, input, key, NULL, NULL, NULL, verbose)
    .effendiMeans(model, input$zAtac, input$geneEmbedding)$tau
}

.effendiRank <- function(a, b) {
    if (is.null(b) || length(a) < 3L ||
        stats::sd(a) == 0 || stats::sd(b) == 0) {
        return(NA_real_)
    }
    stats::cor(a, b, method = "spearman")
}

.effendiResult <- function(model, input, losses, keepCells) {
    emb <- input$geneEmbedding
    means <- .effendiMeans(model, input$zAtac, emb)
    model$tauBar <- means$tauBar
    base <- .effendiBase(model, emb)
    cells <- if (nrow(input$zAtac) * as.numeric(nrow(emb)) <= keepCells) {
        .effendiTau(model, input$zAtac, emb)
    }
    health <- .effendiHealth(model, input$zAtac)
    list(
        tau = means$tau, tauCells = cells,
        tauBase = setNames(base$tauBase, rownames(emb)),
        tauBar = means$tauBar, losses = losses,
        lipschitz = health$lipschitz, reversibility = health$reversibility,
        model = model
    )
}
