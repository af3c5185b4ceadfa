## Blocks of cells, views of them, linear models on views: what the engine's
## sweeps over cells need (src/engine/stats/celltype.h).
##
## A data set is a list: `matrix` (dgCMatrix or any kind that .columnChunk()
## reads, its own genes x cells), `rows` (its row of every gene of the task),
## `logged`, `n` (cells). A view is a list: `genes` (numbers within the task's
## genes), `unit`, `linear`, `mean`, `sd`. A model: `view`, `B` (genes x
## types), `b`.

.dataSet <- function(matrix, rows, logged, arg = "x", assay = "counts") {
    list(matrix = matrix, rows = rows, logged = logged, n = ncol(matrix),
        arg = arg, assay = assay)
}

## Cells of a data set as the engine takes them. Totals are over the task's
## genes; a cell without any count of these has values of 0 throughout.
.typeBlock <- function(data, columns = NULL) {
    m <- if (is.null(columns)) data$matrix else
        .columnChunk(data$matrix, columns)
    m <- .asColumns(m)
    if (!is.null(columns)) {
        .checkFinite(m@x, data$assay, data$arg)
    }
    total <- NULL
    if (!data$logged) {
        seen <- numeric(nrow(m))
        seen[data$rows] <- 1
        total <- as.vector(Matrix::crossprod(m, seen))
        total[total <= 0] <- 1
    }
    list(p = m@p, i = m@i, x = m@x, total = total, rows = nrow(m),
        cells = ncol(m))
}

.view <- function(genes, unit = FALSE, linear = FALSE, mean = NULL, sd = NULL,
    clip = 10) {
    list(genes = genes, unit = unit, linear = linear, mean = mean, sd = sd,
        clip = clip)
}

## A view in terms of the rows of one data set.
.engineView <- function(view, data) {
    to <- rep(-1L, nrow(data$matrix))
    to[data$rows[view$genes]] <- seq_along(view$genes) - 1L
    standard <- !is.null(view$mean)
    list(to = to, genes = length(view$genes), linear = view$linear,
        unit = view$unit, mean = if (standard) as.double(view$mean),
        scale = if (standard) as.double(1 / view$sd), clip = view$clip)
}

## ---- sums and moments ------------------------------------------------------

## Sums and squares (genes x groups) of a view; `group` 1.., NA: left out.
.cellSums <- function(block, view, data, group, groups, threads = 0L) {
    group <- as.integer(group) - 1L
    group[is.na(group)] <- -1L
    .Call(cw_r_cell_sums, block, .engineView(view, data), group,
        as.integer(groups), threads)
}

## list(n, sum, square) by type: all that F and any weighted moments need.
.typeMoments <- function(block, view, data, y, types, threads = 0L) {
    sums <- .cellSums(block, view, data, y, types, threads)
    c(list(n = tabulate(y, types)), sums)
}

.pickMoments <- function(moments, genes) {
    list(n = moments$n, sum = moments$sum[genes, , drop = FALSE],
        square = moments$square[genes, , drop = FALSE])
}

## Mean and sd of genes where type k has the weight share[k].
.weightedMoments <- function(moments, share = moments$n / sum(moments$n)) {
    w <- share / pmax(moments$n, 1)
    mean <- as.vector(moments$sum %*% w)
    list(mean = mean, sd = sqrt(pmax(as.vector(moments$square %*% w) - mean^2,
        0)))
}

## What is added to sds, so that silent genes don't shout.
.sdFloor <- function(sd) 0.1 * stats::median(sd) + 1e-6

.zView <- function(genes, m, unit = FALSE) {
    .view(genes, unit = unit, mean = m$mean, sd = m$sd + .sdFloor(m$sd))
}

## One-way ANOVA F of every gene, the residual variance at least .001:
## F = [SSB / (K - 1)] / max[(SST - SSB) / (n - K), .001]; 0 for genes that
## don't vary.
.anovaF <- function(moments) {
    use <- moments$n > 0
    n <- moments$n[use]
    sum <- moments$sum[, use, drop = FALSE]
    all <- rowSums(sum)
    sst <- rowSums(moments$square) - all^2 / sum(n)
    ssb <- as.vector(sum^2 %*% (1 / n)) - all^2 / sum(n)
    f <- ssb / (length(n) - 1) /
        pmax((sst - ssb) / max(1, sum(n) - length(n)), 1e-3)
    f[sst <= 1e-9 * pmax(1, rowSums(moments$square))] <- 0
    f
}

## The `n` genes of highest F that vary at all, best first.
.topGenes <- function(f, n) {
    order <- order(-f, method = "radix")
    head(order[f[order] > 0], n)
}

## ---- models ----------------------------------------------------------------

## A list of log probabilities (cells x types), one per model.
.scoreBlock <- function(block, data, models, threads = 0L) {
    lapply(.Call(cw_r_cell_score, block, lapply(models, .engineModel, data),
        threads), t)
}

.engineModel <- function(model, data) {
    list(view = .engineView(model$view, data), B = model$B, b = model$b)
}

## Multinomial logistic regression with balanced weights on a view; `start`: a
## model to start from. Types without a cell get what the penalty leaves them.
.logistic <- function(block, data, view, y, types, C = 0.01, start = NULL,
    tolerance = 1e-3, threads = 0L) {
    n <- tabulate(y, types)
    weight <- length(y) / (sum(n > 0) * n[y])
    from <- if (is.null(start)) {
        list(B = matrix(0, length(view$genes), types), b = numeric(types))
    } else {
        list(B = start$B, b = start$b)
    }
    fit <- .Call(cw_r_logistic, block, .engineView(view, data),
        as.integer(y) - 1L, as.double(weight), from,
        list(C = C, tolerance = tolerance), threads)
    list(view = view, B = fit$B, b = fit$b, steps = fit$numbers[[3L]])
}

.cellMatrix <- function(block, data, view, threads = 0L) {
    t(.cellColumns(block, data, view, threads))
}

## Genes x cells, as the engine has it: at many cells the turning would cost
## more than what comes after.
.cellColumns <- function(block, data, view, threads = 0L) {
    .Call(cw_r_cell_matrix, block, .engineView(view, data), threads)$x
}

## ---- small mathematics -----------------------------------------------------

.logSoftmax <- function(x) {
    most <- x[cbind(seq_len(nrow(x)), max.col(x, "first"))]
    x - most - log(rowSums(exp(x - most)))
}

## t > 0 that maximises the weighted mean of log softmax(logp / t) at y.
.temperature <- function(logp, y, weight = rep(1, length(y))) {
    z <- logp - logp[cbind(seq_along(y), max.col(logp, "first"))]
    own <- z[cbind(seq_along(y), y)]
    loss <- function(lt) {
        t <- exp(lt)
        sum(weight * (log(rowSums(exp(z / t))) - own / t))
    }
    exp(stats::optimize(loss, c(-6, 4), tol = 1e-3)$minimum)
}

.tempered <- function(logp, t) exp(.logSoftmax(logp / t))

## Area under the ROC curve by ranks.
.auroc <- function(positive, negative) {
    n <- length(positive)
    r <- rank(c(positive, negative))
    (sum(r[seq_len(n)]) - n * (n + 1) / 2) / n / length(negative)
}

## F1 of every type that occurs in `truth`, and their mean.
.typeF1 <- function(truth, called) {
    types <- .sortedUnique(truth)
    vapply(setNames(nm = types), function(k) {
        2 * sum(truth == k & called == k) /
            max(1, sum(truth == k) + sum(called == k))
    }, 0)
}

.macroF1 <- function(truth, called) mean(.typeF1(truth, called))

## Expected calibration error over bins of the probability.
.calibrationError <- function(p, right, bins = 15L) {
    bin <- pmin(floor(p * bins), bins - 1L)
    sum(abs(tapply(p, bin, mean) - tapply(right, bin, mean)) *
        tapply(p, bin, length)) / length(p)
}
