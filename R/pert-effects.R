## From cells to effects of perturbations: what is read, how control cells are
## split, and sums that are streamed.

## Which cells are of which perturbation: `perts` (list of genes), `names`,
## `of` (per cell: 0 control, 1.. perturbation, NA not used), `batch`,
## `batches`, `few` (left out).
.perturbationPlan <- function(input, perturbation, control, block, minCells,
    sep, guides) {
    given <- .cellColumn(input, perturbation, "perturbation")
    measured <- if (is.null(input$symbols)) input$names else
        c(input$symbols, input$names)
    labels <- .readLabels(given, control, measured, sep, guides)
    name <- labels$perturbation[match(trimws(given), labels$label)]
    isControl <- name %in% "control"
    if (all(is.na(name))) {
        .stopArgument("perturbation", "is missing for all ",
            .count(length(name), "cell"), ".")
    }
    if (!any(isControl)) {
        .stopArgument("control", "finds no control cells among the labels ",
            .some(labels$label, 8L), "; name their label."
        )
    }
    if (all(isControl | is.na(name))) {
        .stopArgument("perturbation", "has no perturbed cells: all are ",
            "control."
        )
    }
    count <- table(.asFactor(name[!isControl]))
    few <- names(count)[count < minCells]
    keep <- setdiff(names(count), few)
    if (!length(keep)) {
        .stopArgument("perturbation", "has no perturbation of ", minCells,
            " cells or more ('minCells'); the largest is ",
            names(count)[[which.max(count)]], " with ",
            .count(max(count), "cell"), "."
        )
    }
    genes <- strsplit(keep, "+", fixed = TRUE)
    order <- order(lengths(genes), keep, method = "radix")
    keep <- keep[order]
    of <- match(name, keep)
    of[isControl] <- 0L
    c(list(labels = labels, perts = setNames(genes[order], keep),
        names = keep, few = few, of = of, unlabelled = sum(is.na(name))
    ), .perturbationBatches(input, block, of))
}

.perturbationBatches <- function(input, block, of) {
    if (is.null(block)) {
        batch <- rep(0L, length(of))
        batches <- "all"
    } else {
        value <- .cellColumn(input, block, "block")
        if (anyNA(value[!is.na(of)])) {
            .stopArgument("block", "is missing for ",
                .count(sum(is.na(value) & !is.na(of)), "cell"),
                " to be compared. Leave them out, x[, !is.na(block)], or call ",
                "them a batch of their own."
            )
        }
        batches <- sort(unique(value[!is.na(of)]), method = "radix")
        batch <- match(value, batches) - 1L
        batch[is.na(batch)] <- 0L
    }
    controls <- tabulate(batch[of %in% 0L] + 1L, length(batches))
    if (any(controls < 4L)) {
        bad <- which(controls < 4L)
        if (is.null(block)) {
            .stopArgument("control", "labels ", .count(controls, "cell"),
                "; at least 4 are needed, for half of them must not be those ",
                "that a prediction is tested against."
            )
        }
        .stopArgument("block", "has fewer than 4 control cells in ",
            .some(batches[bad]), ": there, what the perturbation did can't be ",
            "told from the batch. Leave these cells out, or join batches."
        )
    }
    list(batch = batch, batches = batches)
}

## Halves of the cells at random, within what `by` says: 0 or 1 per cell.
.halves <- function(by, key, use) {
    n <- length(by)
    order <- .shuffled(n, key, use)
    order <- order[order(by[order], method = "radix")]
    half <- integer(n)
    half[order] <- (seq_len(n) - 1L) %% 2L
    half
}

## ---- sums ------------------------------------------------------------------

## Sums of v - centre and of their squares, genes x groups; see effects.h.
## `group` per cell from 0, NA: left out.
.groupSums <- function(m, rows, group, groups, centre, plan, how, threads) {
    sums <- NULL
    for (part in .cellParts(m, which(!is.na(group)))) {
        sums <- .Call(cw_r_effects_add, sums, groups,
            .cellBlock(m, rows, part, group, plan, how), centre, threads
        )
    }
    sums
}

## A sparse matrix that is in memory is looked at where it is, without a copy:
## all of its cells are one part, and the engine is told which rows to read and
## which cells to pass over.
.cellParts <- function(m, used) {
    if (methods::is(m, "dgCMatrix")) list(seq_len(ncol(m))) else
        .columnChunks(m, used)
}

.cellBlock <- function(m, rows, part, group, plan, how) {
    inPlace <- methods::is(m, "dgCMatrix")
    x <- if (inPlace) m else .columnChunk(m, part, rows)
    gene <- NULL
    if (inPlace && !is.null(rows)) {
        gene <- rep(-1L, nrow(m))
        gene[rows] <- seq_along(rows) - 1L
    }
    group <- as.integer(group[part])
    group[is.na(group)] <- -1L
    list(p = x@p, i = x@i, x = x@x, gene = gene,
        genes = if (is.null(rows)) nrow(x) else length(rows),
        cells = ncol(x), scale = if (!how$logged) how$scale[part],
        group = group, batch = plan$batch[part]
    )
}

## Cells a few million values at a time, of a matrix in memory, too: for what
## makes copies of the values. A list of numbers of cells.
.cellSlices <- function(m, used, values = 5e6) {
    if (!methods::is(m, "dgCMatrix")) {
        return(.columnChunks(m, used))
    }
    unname(split(used, cumsum(as.numeric(diff(m@p))[used]) %/% values))
}

## log or not, totals, and values that can't be.
.valueScale <- function(input, used, logged) {
    m <- input$matrix
    scan <- list(whole = TRUE, largest = 0)
    total <- numeric(ncol(m))
    for (part in .cellSlices(m, used)) {
        x <- .columnChunk(m, part)
        .badValues(x, input$names, input$cells, part, sanitize = FALSE)
        scan$whole <- scan$whole && all(x@x == floor(x@x))
        scan$largest <- max(scan$largest, x@x)
        total[part] <- Matrix::colSums(x)
    }
    logged <- .isLogged(logged, input$assay, scan)
    if (!logged && !scan$whole) {
        .warnLogs(input$assay, scan$largest, "If it holds log values, say ",
            "alreadyNormalised = TRUE.", verbose = FALSE
        )
    }
    empty <- used[total[used] == 0]
    if (length(empty)) {
        .stopArgument("x", "has ", .count(length(empty), "cell"),
            " without any count: ", .some(input$cells[empty]),
            ". Drop them, x[, colSums(counts(x)) > 0]."
        )
    }
    target <- stats::median(total[used])
    list(logged = logged, target = target, total = total,
        scale = target / .nonZero(total))
}

## Rows read out: the most variable ones, and the perturbed genes.
.readoutRows <- function(input, plan, how, nTargets, own, threads) {
    group <- ifelse(is.na(plan$of), NA_integer_, 0L)
    sums <- .valueSums(input, group, 1L, how, threads)
    .mostVariable(sums, sum(!is.na(group)), nTargets, own)
}

## Sums of values and of squares of all genes, genes x groups (from 0).
.valueSums <- function(input, group, groups, how, threads) {
    .groupSums(input$matrix, NULL, group, groups,
        matrix(0, nrow(input$matrix), 1L),
        list(batch = rep(0L, length(group))), how, threads
    )
}

## Rows of the `nTargets` most variable genes of n cells, and of `own` ones.
.mostVariable <- function(sums, n, nTargets, own = integer()) {
    variance <- rowSums(sums$square) / n - (rowSums(sums$sum) / n)^2
    there <- which(variance > 1e-12)
    if (length(there) < 2L) {
        .stopArgument("x", "has ", length(there), " genes that vary; there is ",
            "nothing to predict."
        )
    }
    if (length(there) > nTargets) {
        there <- there[order(-variance[there], there)[seq_len(nTargets)]]
    }
    sort(union(there, own[variance[own] > 1e-12]))
}

## ---- effects ---------------------------------------------------------------

## All in units of the standard deviation in control cells (`sd`): `Y`, `T`
## (readouts x perturbations; own readings are 0, see .filledEffects()) against
## the two halves of the control cells, `R1`,
## `R2` halves of the perturbed cells against one half each, `se2`, `n`,
## `nControl` (of each half), `mean` and `trainMean` (of control cells, of the
## first half of them), `ownChange`.
.perturbationEffects <- function(input, plan, how, rows, key, threads) {
    m <- input$matrix
    B <- length(plan$batches)
    P <- length(plan$names)
    control <- plan$of %in% 0L
    group <- ifelse(control, plan$batch, NA_integer_)
    zero <- matrix(0, length(rows), B)
    sums <- .groupSums(m, rows, group, B, zero, plan, how, threads)
    n <- tabulate(plan$batch[control] + 1L, B)
    centre <- sums$sum / rep(n, each = length(rows))
    used <- which(!is.na(plan$of))
    half <- integer(length(plan$of))
    half[used] <- .halves(plan$of[used] * B + plan$batch[used], key, 1)
    group <- ifelse(control, 2L * (P + plan$batch) + half,
        2L * (plan$of - 1L) + half
    )
    sums <- .groupSums(m, rows, group, 2 * (P + B), centre, plan, how, threads)
    e <- .effectsOfSums(sums, plan, group, centre)
    own <- .ownRows(plan$perts, input$labels[rows])
    e$ownChange <- vapply(seq_along(own), function(p) {
        if (length(own[[p]])) mean(e$Y[own[[p]], p] * e$sd[own[[p]]]) else NA
    }, 0)
    e[c("Y", "T")] <- lapply(e[c("Y", "T")], .withoutOwn, own = own)
    c(list(centre = centre, half = half, rows = rows, own = own), e)
}

.effectsOfSums <- function(sums, plan, group, centre) {
    P <- length(plan$names)
    B <- length(plan$batches)
    n <- tabulate(group + 1L, 2L * (P + B))
    first <- 2L * seq_len(P) - 1L
    control <- lapply(0:1, function(h) 2L * P + 2L * seq_len(B) - 1L + h)
    share <- .batchShares(plan, group, 2L * P, B)
    ## mean over the cells of some groups less that of a control half, both
    ## batch by batch
    delta <- function(groups, half) {
        at <- control[[half]]
        base <- .perColumn(sums$sum[, at, drop = FALSE], pmax(n[at], 1L))
        s <- 0
        k <- 0
        for (g in groups) {
            s <- s + sums$sum[, g, drop = FALSE]
            k <- k + share[g, , drop = FALSE]
        }
        .perColumn(s - tcrossprod(base, k), pmax(rowSums(k), 1))
    }
    v <- .controlVariance(sums, n, control[[1L]])
    sd <- sqrt(pmax(v, stats::quantile(v[v > 0], 0.1, names = FALSE)))
    count <- n[first] + n[first + 1L]
    both <- lapply(sums, function(m) {
        m[, first, drop = FALSE] + m[, first + 1L, drop = FALSE]
    })
    within <- .perColumn(both$square - .perColumn(both$sum^2, count),
        pmax(count - 1L, 1L)
    )
    within[, count < 2L] <- v
    of <- n[control[[1L]]] + n[control[[2L]]]
    list(
        Y = delta(list(first, first + 1L), 1L) / sd,
        T = delta(list(first, first + 1L), 2L) / sd,
        R1 = delta(list(first), 1L) / sd, R2 = delta(list(first + 1L), 2L) / sd,
        se2 = (.perColumn(pmax(within, 0), count) +
            v / sum(n[control[[1L]]])) / sd^2,
        trainMean = drop((centre + .perColumn(sums$sum[, control[[1L]],
            drop = FALSE], n[control[[1L]]])) %*% (of / sum(of))),
        n = count, nControl = vapply(control, function(at) sum(n[at]), 0),
        sd = sd, mean = drop(centre %*% (of / sum(of)))
    )
}

## Cells of each group (rows, the first `groups`) in each batch.
.batchShares <- function(plan, group, groups, batches) {
    used <- which(!is.na(group) & group < groups)
    at <- group[used] + groups * plan$batch[used]
    matrix(as.numeric(tabulate(at + 1L, groups * batches)), groups)
}

## Variance of control cells of one half within batches.
.controlVariance <- function(sums, n, at) {
    mean <- .perColumn(sums$sum[, at, drop = FALSE], pmax(n[at], 1L))
    square <- sums$square[, at, drop = FALSE] - mean^2 *
        rep(n[at], each = nrow(mean))
    pmax(rowSums(square) / max(sum(n[at]) - length(at), 1), 0)
}

## Own genes: for each perturbation the rows of its genes among the readouts.
.ownRows <- function(perts, readouts) {
    readouts <- toupper(readouts)
    lapply(perts, function(g) {
        at <- match(toupper(g), readouts)
        at[!is.na(at)]
    })
}

## A gene's own reading when it is perturbed is the manipulation, no effect: 0.
.withoutOwn <- function(Y, own) {
    Y[cbind(unlist(own), rep(seq_along(own), lengths(own)))] <- 0
    Y
}

## What stands in for the own readings of the perturbations `train`: the gene's
## mean over the others of them, and nothing of any that are left out: a fold's
## predictions may know no more of what they are tested on. `row`, `owner` (place
## in train), `fill`.
.fillOf <- function(e, train, Y = e$Y) {
    own <- e$own[train]
    row <- unlist(own)
    others <- length(train) - tabulate(row, nrow(Y))[row]
    list(row = row, owner = rep(seq_along(own), lengths(own)),
        fill = ifelse(others > 0, rowSums(Y[row, train, drop = FALSE]) /
            pmax(others, 1), 0))
}

## `Y` of the perturbations `train` with these.
.filledEffects <- function(e, train, Y = e$Y) {
    own <- .fillOf(e, train, Y)
    Y <- Y[, train, drop = FALSE]
    Y[cbind(own$row, own$owner)] <- own$fill
    Y
}

## Mean squared effects, free of noise: products of two halves of the cells.
.strengthOf <- function(e) {
    vapply(seq_len(ncol(e$R1)), function(p) mean(e$R1[, p] * e$R2[, p]), 0)
}

## ---- escaped cells ---------------------------------------------------------

## Share of cells in which a perturbation did something, by moments of
## projections on the direction that the other half of the cells gives:
## m^2 / (m^2 + V - V of control cells), 1 where m isn't clearly above 0.
.respondedShare <- function(input, plan, how, e, threads) {
    P <- length(plan$names)
    v <- e$sd^2
    out <- matrix(NA_real_, P, 2L)
    control <- .controlDense(e$controls)
    top <- min(20L, nrow(e$R1))
    for (h in 1:2) {
        w <- (if (h == 1L) e$R1 else e$R2) * e$sd / v
        strong <- vapply(seq_len(P), function(p) {
            a <- -abs(w[, p]) * e$sd
            large <- which(a <= sort(a, partial = top)[[top]])
            large[order(a[large])[seq_len(top)]]
        }, integer(top))
        strong <- matrix(strong, top)
        at <- cbind(c(strong), rep(seq_len(P), each = nrow(strong)))
        weight <- matrix(0, nrow(w), P)
        weight[at] <- w[at]
        other <- !is.na(plan$of) & plan$of > 0L & e$half == 2L - h
        along <- .projections(input, plan, how, e, other, weight, threads)
        of <- factor(plan$of[other], seq_len(P))
        m <- tapply(along, of, mean)
        V <- tapply(along, of, stats::var)
        n <- tabulate(of, P)
        V0 <- vapply(seq_len(P), function(p) {
            stats::var(drop(control[, strong[, p], drop = FALSE] %*%
                w[strong[, p], p]))
        }, 0)
        share <- m^2 / (m^2 + pmax(V - V0, 0))
        clear <- n >= 10L & m / sqrt(V / n) > 4
        out[, h] <- ifelse(clear, pmin(pmax(share, 0.2), 1), NA)
    }
    clear <- rowSums(!is.na(out)) == 2L
    ifelse(clear, rowMeans(out), 1)
}

.projections <- function(input, plan, how, e, which, weight, threads) {
    group <- ifelse(which, plan$of - 1L, NA_integer_)
    unlist(lapply(.cellParts(input$matrix, which(which)), function(part) {
        .Call(cw_r_effects_project,
            .cellBlock(input$matrix, e$rows, part, group, plan, how),
            e$centre, weight, threads
        )[which[part]]
    }), use.names = FALSE)
}

## Control cells of the first half, at most `most`, kept for covariances and
## for sampling: `x` (cells x readouts, sparse, log values), `batch`, `means`.
.keptControls <- function(input, plan, how, e, most = 5000L) {
    at <- which(plan$of %in% 0L & e$half == 0L)
    if (length(at) > most) {
        at <- at[round(seq(1, length(at), length.out = most))]
    }
    x <- .extractValues(input$matrix, e$rows, at, 1 / how$scale[at], 1,
        how$logged, FALSE
    )
    batch <- plan$batch[at]
    x <- Matrix::t(x)
    means <- vapply(seq_along(plan$batches) - 1L, function(b) {
        Matrix::colMeans(x[batch == b, , drop = FALSE])
    }, numeric(ncol(x)))
    means[is.nan(means)] <- 0
    list(x = x, batch = batch, means = matrix(means, ncol(x)))
}

## The same within batches, dense.
.controlDense <- function(kept) {
    as.matrix(kept$x) - t(kept$means)[kept$batch + 1L, , drop = FALSE]
}
