## What do cell embeddings tell by a linear probe that genes don't?

#' Probe cell embeddings
#'
#' Tells something of held-out cells (a type, the answer to a drug, time along
#' a trajectory, which perturbation they had) from embeddings by a linear
#' probe, ridge regression on frozen vectors, beside the same probe on principal
#' components and on highly variable genes. It is trained on labelled cells: a
#' probe, not zero-shot. The verdict is whether the best embedding tells more
#' than the best of the others, and more than it tells of permuted values.
#'
#' @details
#' Whole values of `by` are held out, in at most `folds` parts. Within the
#' other cells variable genes are chosen (variance over mean of log values),
#' components found, columns scaled, and the penalty chosen out of seven by
#' holding out again (by `by`, where two values are left). Numbers are
#' regressed; classes are regressed as 0 and 1 with cells weighted so that
#' classes count the same, and the largest value is the answer.
#'
#' `score` is `r2` (1 less the squared error over that of the training cells'
#' mean) for numbers and `macroF1` for classes. Permutations are of whole values
#' of `by` where the target is the same in all cells of each (a cell line's
#' drug sensitivity), else within them. Bootstrap samples are of values of `by`
#' if there are ten or more, else of cells.
#'
#' Embeddings of a model that was fine-tuned on these cells' labels have seen
#' the held-out ones: what they tell then says nothing.
#'
#' @inheritParams integrationMetrics
#' @param x cells with embeddings as reduced dimensions, see [cellInput].
#' @param target column of the cell data, or a value per cell: numbers, or
#'   classes (text, factor, logical). Cells with NA are left out.
#' @param by column of the cell data (or a value per cell) of which whole values
#'   are held out: donors, cell lines, batches, drugs.
#' @param split `"by"`, or `"random"`: random cells, which hides differences
#'   between batches and says so.
#' @param embeddings names of reduced dimensions, or a named list of matrices
#'   (cells x dimensions); `NULL`: all of `x` with three dimensions or more.
#' @param nGenes highly variable genes of the baseline, from which the
#'   components are made, too.
#' @param components principal components of the baseline.
#' @param folds parts that are held out in turn.
#' @param maxCells above this many cells, as many are drawn.
#' @param nPerm permutations of the target, 3 or more.
#' @param nBoot bootstrap samples.
#' @return A `ProbeReport` (see [verdict()]). Tables: `"scores"` (a row per
#'   embedding, `components`, `genes`, and `constant`: the training cells' mean
#'   or commonest class; `score` and either `r2`, `pearson`, `spearman` or
#'   `macroF1`, `accuracy`), `"gain"` (a row per embedding: its score less that
#'   of the best of the others, with a 95% bootstrap interval, and `null`, the
#'   largest score of a permutation) and `"cells"` (`truth` and what each
#'   tells).
#' @section Errors: a target of one value, classes in too few values of `by`,
#'   `by` of one value, embeddings with other cells, `NA` or infinite values.
#' @seealso [embedCells()], [evaluateAnnotation()], [integrationMetrics()]
#' @examples
#' cells <- exampleCells(120)
#' cells$donor <- rep(c("a", "b", "c"), 40)
#' pca <- prcomp(t(log1p(SummarizedExperiment::assay(cells))))$x[, 1:5]
#' report <- probeEmbedding(cells, "time", by = "donor",
#'     embeddings = list(mine = pca), nPerm = 3, nBoot = 20, seed = 1
#' )
#' report
#' as.data.frame(report, which = "gain")
#' @aliases ProbeReport-class
#' @export
probeEmbedding <- function(x, target, by = NULL, split = c("by", "random"),
    embeddings = NULL, nGenes = 1000, components = 50, folds = 5,
    maxCells = 5000, nPerm = 9, nBoot = 200, assay.type = NULL, assay = NULL,
    symbols = NULL, alreadyNormalised = NULL, seed = NULL, threads = NULL,
    verbose = TRUE) {
    split <- match.arg(split)
    .given(target, "target", "a column of the cell data, or a value per cell")
    o <- list(nGenes = .checkNumber(nGenes, "nGenes", 2, 1e5, whole = TRUE),
        components = .checkNumber(components, "components", 1, 1000, TRUE),
        folds = .checkNumber(folds, "folds", 2, 100, whole = TRUE),
        maxCells = .checkNumber(maxCells, "maxCells", 20, 1e5, whole = TRUE),
        nPerm = .checkNumber(nPerm, "nPerm", 3, 1000, whole = TRUE),
        nBoot = .checkNumber(nBoot, "nBoot", 2, 1e5, whole = TRUE),
        key = .newKey(seed), threads = .threads(threads),
        verbose = .checkFlag(verbose, "verbose"))
    input <- .typeCells(x, .inputArgs(assay.type = assay.type, assay = assay,
        symbols = symbols, alreadyNormalised = alreadyNormalised), "x",
        o$verbose)
    task <- .probeTask(input, target, by, split, o)
    maps <- .integrationMaps(input, embeddings, c("components", "genes",
        "constant"))
    maps <- lapply(maps, function(m) m[task$cells, , drop = FALSE])
    values <- .loggedBlock(.dataSet(input$matrix, seq_len(nrow(input$matrix)),
        input$logged, "x", input$assay), task$cells)
    .probeReport(task, .probeFolds(task, maps, values, o), o)
}

#' @exportClass ProbeReport
setClass("ProbeReport", contains = "CausewayReport")

## ---- the task --------------------------------------------------------------

## list(y: numbers, or classes 1 .. K; classes: their names, or NULL; block:
## values of `by`, or NULL; fold; cells: the columns of x; names).
.probeTask <- function(input, target, by, split, o) {
    y <- target
    if (is.character(target) && length(target) == 1L) {
        .typeColumn(input, target, "target") # is there such a column?
        y <- input$cellData[[target]]
    }
    isNumber <- is.numeric(y)
    text <- .typeColumn(input, y, "target")
    known <- if (isNumber) is.finite(y) else !is.na(text)
    block <- .probeBlocks(input, by, split)
    if (!is.null(block)) known <- known & !is.na(block)
    cells <- which(known)
    if (length(cells) > o$maxCells) {
        cells <- sort(cells[.shuffled(length(cells), o$key, 1)[
            seq_len(o$maxCells)]])
    }
    classes <- if (!isNumber) .sortedUnique(text[cells])
    task <- list(cells = cells, names = input$cells[cells], classes = classes,
        y = if (isNumber) as.double(y[cells]) else match(text[cells], classes),
        block = block[cells])
    .checkProbe(task, o)
    task$fold <- .folds(if (isNumber) rep(1L, length(cells)) else task$y,
        task$block, .shuffled(length(cells), o$key, 2), o$folds)
    task
}

.probeBlocks <- function(input, by, split) {
    if (split == "random") {
        return(NULL)
    }
    if (is.null(by)) {
        .stopArgument("by", "is missing: a column with donors, cell lines, ",
            "batches or drugs, of which whole values are held out; for random ",
            "cells, which are optimistic, say split = \"random\"."
        )
    }
    .typeColumn(input, by, "by")
}

.checkProbe <- function(task, o) {
    if (length(task$cells) < 20L) {
        .stopArgument("target", "is known of ", .count(length(task$cells),
            "cell"), if (!is.null(task$block)) " that have a value of 'by'",
            "; 20 are needed.")
    }
    if (length(unique(task$y)) < 2L) {
        .stopArgument("target", "has one value, ", if (is.null(task$classes))
            format(task$y[[1L]]) else paste0("\"", task$classes, "\""),
            ": there is nothing to tell.")
    }
    if (!is.null(task$block) && length(unique(task$block)) < 2L) {
        .stopArgument("by", "has one value, \"", task$block[[1L]],
            "\"; two or more are needed to hold one out. For random cells ",
            "say split = \"random\".")
    }
    if (is.null(task$classes)) {
        return(invisible())
    }
    if (length(task$classes) > length(task$y) / 2) {
        .stopArgument("target", "has ", length(task$classes), " classes in ",
            .count(length(task$y), "cell"), "; are they numbers kept as text?")
    }
    lone <- if (is.null(task$block)) tabulate(task$y) < 2L else
        rowSums(table(task$y, task$block) > 0) < 2L
    if (all(lone)) {
        .stopArgument("target", "has no class that occurs in two values of ",
            "'by', so none can be told where its own is held out.")
    }
}

## ---- the probe -------------------------------------------------------------

## What each of the embeddings and baselines tells of every cell, held out
## (names: "constant" among them), and of permuted targets (embeddings alone):
## list(told, null), each a list of matrices (cells x outputs).
.probeFolds <- function(task, maps, values, o) {
    parts <- sort(unique(task$fold))
    bar <- .progressStart("Probing", length(parts), o$verbose)
    permuted <- lapply(seq_len(o$nPerm), function(i) .probePermuted(task, i, o))
    blank <- matrix(NA_real_, length(task$y), max(1L, length(task$classes)))
    told <- lapply(c(maps, list(components = 0, genes = 0, constant = 0)),
        function(m) blank)
    null <- lapply(maps, function(m) rep(list(blank), o$nPerm))
    for (j in parts) {
        out <- task$fold == j
        features <- c(maps, .probeBaselines(values, !out, o))
        inner <- .innerFolds(task, which(!out), o)
        for (name in names(features)) {
            f <- .probeScaled(features[[name]], !out)
            told[[name]][out, ] <- .probeTold(f, task, !out, inner, o)
            for (i in if (name %in% names(maps)) seq_len(o$nPerm)) {
                null[[name]][[i]][out, ] <- .probeTold(f, permuted[[i]], !out,
                    inner, o)
            }
        }
        told$constant[out, ] <- rep(.probeConstant(task, !out), each = sum(out))
        .progressTick(bar, j)
    }
    .progressDone(bar)
    list(told = told, null = null, permuted = permuted)
}

## The task with its target permuted: whole blocks, where it is the same in all
## cells of each, else within them.
.probePermuted <- function(task, i, o) {
    n <- length(task$y)
    block <- task$block
    first <- if (!is.null(block)) match(block, block)
    if (!is.null(block) && all(task$y == task$y[first])) {
        own <- unique(first)
        to <- own[.shuffled(length(own), o$key, 100 + i)]
        task$y <- task$y[to[match(first, own)]]
    } else {
        task$y <- .permuteLabels(task$y, block, .shuffled(n, o$key, 100 + i))
    }
    task
}

## Within the training cells `at`: parts to choose the penalty by.
.innerFolds <- function(task, at, o) {
    block <- task$block[at]
    if (length(unique(block)) < 2L) block <- NULL
    fold <- integer(length(task$y))
    fold[at] <- .folds(if (is.null(task$classes)) rep(1L, length(at)) else
        task$y[at], block, .shuffled(length(at), o$key, 3), 3L)
    fold
}

## list(components, genes), cells x numbers, chosen and rotated by the training
## cells. `values`: log values, genes x cells.
.probeBaselines <- function(values, train, o) {
    own <- values[, train, drop = FALSE]
    mean <- Matrix::rowMeans(own)
    variance <- pmax(Matrix::rowMeans(own^2) - mean^2, 0)
    top <- head(order(-variance / (mean + 0.1)), min(o$nGenes,
        sum(variance > 0)))
    genes <- as.matrix(Matrix::t(values[sort(top), , drop = FALSE]))
    centred <- .lessEach(genes, colMeans(genes[train, , drop = FALSE]))
    list(components = centred %*% .principal(centred[train, , drop = FALSE],
        o$components), genes = genes)
}

## Columns scaled by the training cells, and those that vary among them.
.probeScaled <- function(m, train) {
    own <- m[train, , drop = FALSE]
    mean <- colMeans(own)
    sd <- sqrt(colMeans(.lessEach(own, mean)^2))
    use <- sd > 1e-8 * max(sd, 1e-30)
    m <- .perColumn(.lessEach(m[, use, drop = FALSE], mean[use]), sd[use])
    pmin(pmax(m, -10), 10)
}

.penalties <- 10^(-4:2)

## What ridge regression trained on `train` tells of the other cells; the
## penalty (times the number of cells) is the best of the inner parts.
.probeTold <- function(f, task, train, inner, o) {
    target <- .probeTarget(task, train)
    loss <- Reduce(`+`, lapply(sort(unique(inner[train])), function(j) {
        held <- train & inner == j
        told <- .ridgeTold(f, target, train & inner != j, held, .penalties, o)
        vapply(told, function(p) {
            sum(target$weight[held] * (target$y[held, ] - p)^2)
        }, 0)
    }))
    .ridgeTold(f, target, train, !train, .penalties[[which.min(loss)]],
        o)[[1L]]
}

## y: cells x outputs, weight: classes count the same among `train`.
.probeTarget <- function(task, train) {
    if (is.null(task$classes)) {
        return(list(y = matrix(task$y), weight = rep(1, length(task$y))))
    }
    n <- tabulate(task$y[train], length(task$classes))
    list(y = diag(length(n))[task$y, , drop = FALSE],
        weight = (sum(train) / (sum(n > 0) * pmax(n, 1)))[task$y])
}

## Weighted ridge regression with an intercept, for each penalty what it tells
## of `held`: in the smaller of the spaces of cells and of columns.
.ridgeTold <- function(f, target, train, held, penalties, o) {
    w <- target$weight[train]
    a <- f[train, , drop = FALSE]
    y <- target$y[train, , drop = FALSE]
    mean <- colSums(w * a) / sum(w)
    level <- colSums(w * y) / sum(w)
    a <- sqrt(w) * .lessEach(a, mean)
    y <- sqrt(w) * .lessEach(y, level)
    b <- .lessEach(f[held, , drop = FALSE], mean)
    wide <- nrow(a) < ncol(a)
    if (wide) {
        b <- t(.product(t(a), t(b), o$threads)) # held x train
        gram <- .product(t(a), t(a), o$threads)
    } else {
        gram <- .product(a, a, o$threads)
        y <- crossprod(a, y)
    }
    e <- .Call(cw_r_dense_eigen, gram)
    b <- b %*% e$vectors
    y <- crossprod(e$vectors, y)
    lapply(penalties * sum(w), function(l) {
        b %*% (y / (pmax(e$values, 0) + l)) + rep(level, each = nrow(b))
    })
}

.probeConstant <- function(task, train) {
    if (is.null(task$classes)) mean(task$y[train]) else
        as.double(seq_along(task$classes) == which.max(tabulate(
            task$y[train], length(task$classes))))
}

## ---- report ----------------------------------------------------------------

.probeScore <- function(told, constant, task, at = seq_along(task$y)) {
    y <- task$y[at]
    if (!is.null(task$classes)) {
        called <- max.col(told[at, , drop = FALSE], "first")
        return(.macroF1(y, called))
    }
    1 - sum((y - told[at, ])^2) / sum((y - constant[at, ])^2)
}

.probeRow <- function(name, told, constant, task) {
    score <- .probeScore(told, constant, task)
    out <- data.frame(features = name, score = score)
    if (is.null(task$classes)) {
        flat <- stats::sd(told) == 0 || name == "constant"
        correlation <- function(method) if (flat) NA_real_ else
            stats::cor(told[, 1L], task$y, method = method)
        return(cbind(out, r2 = score, pearson = correlation("pearson"),
            spearman = correlation("spearman")))
    }
    cbind(out, macroF1 = score,
        accuracy = mean(max.col(told, "first") == task$y))
}

.probeReport <- function(task, found, o) {
    told <- found$told
    constant <- told$constant
    scores <- do.call(rbind, lapply(names(told), function(n) {
        .probeRow(n, told[[n]], constant, task)
    }))
    own <- names(found$null)
    base <- scores[!scores$features %in% own, ]
    best <- base$features[[which.max(base$score)]]
    gain <- do.call(rbind, lapply(seq_along(own), function(i) {
        .probeGain(own[[i]], best, found, scores, task, 200L + i, o)
    }))
    what <- function(m) if (is.null(task$classes)) m[, 1L] else
        task$classes[max.col(m, "first")]
    cells <- data.frame(cell = task$names, split = if (is.null(task$block))
        paste("random part", task$fold) else task$block,
        truth = if (is.null(task$classes)) task$y else task$classes[task$y],
        lapply(told, what), check.names = FALSE)
    .report("ProbeReport", .probeVerdict(scores, gain, best, task, o),
        list(scores = scores, gain = gain, cells = cells),
        list(cells = length(task$y), classes = task$classes,
            blocks = length(unique(task$block)), folds = max(task$fold),
            nPerm = o$nPerm, nBoot = o$nBoot), .keyText(o$key))
}

## An embedding against the best of the baselines, over samples of the values of
## `by` (or cells).
.probeGain <- function(name, best, found, scores, task, use, o) {
    told <- found$told
    units <- split(seq_along(task$y), if (length(unique(task$block)) >= 10L)
        .asFactor(task$block) else seq_along(task$y))
    gain <- function(at) {
        at <- unlist(units[at], use.names = FALSE)
        .probeScore(told[[name]], told$constant, task, at) -
            .probeScore(told[[best]], told$constant, task, at)
    }
    low <- .bootInterval(length(units), gain, o$key, use, o$nBoot)
    null <- vapply(seq_len(o$nPerm), function(i) {
        .probeScore(found$null[[name]][[i]], told$constant,
            found$permuted[[i]])
    }, 0)
    score <- scores$score[scores$features == name]
    data.frame(features = name, score = score, baseline = best,
        gain = gain(seq_along(units)), low = low[[1L]], high = low[[2L]],
        null = max(null), aboveNull = .isAbove(score, null))
}

.probeVerdict <- function(scores, gain, best, task, o) {
    top <- gain[which.max(gain$score), ]
    holds <- top$low > 0 && top$aboveNull
    what <- if (is.null(task$classes)) "r2" else "macro-F1"
    text <- c(sprintf(paste("A linear probe (ridge, trained on other cells:",
        "not zero-shot) on %s reaches %s %.3f on held-out %s; %s %.3f (gain",
        "%.3f [%.3f, %.3f]); permuted, %.3f: %s."), top$features, what, top$score,
        if (is.null(task$block)) "random cells, which is optimistic" else
            sprintf("values of 'by' (%d in %d parts)", length(unique(
            task$block)), max(task$fold)), best,
        scores$score[scores$features == best], top$gain, top$low, top$high,
        top$null, .probeWords(holds, top$aboveNull)),
        paste0("Beside it: ", paste(sprintf("%s %.3f", scores$features,
            scores$score)[scores$features != top$features], collapse = ", "),
            "."))
    .verdict(text, holds)
}

.probeWords <- function(holds, aboveNull) {
    if (is.na(aboveNull)) {
        return("too few permutations to say whether that is chance")
    }
    if (!aboveNull) {
        return("it tells no more than chance")
    }
    if (holds) "it tells more than components, genes and the constant" else
        "it tells something, but no more than what needs no model"
}
