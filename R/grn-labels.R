## Networks per label, shrunken to the pooled one (src/engine/stats/labels.h).

## Prior variances of a label's departure; the pooled network may have more,
## for what is shrunken too far there would be taken for departures.
.labelGrid <- c(1e-5, 3e-5, 1e-4, 3e-4, 1e-3, 3e-3, 0.01)
.pooledMore <- c(0.03, 0.1, 0.3)

## A label departs only if its own network explains so much more of held-out
## variance than the pooled one.
.leastGain <- 0.005

## Widest joint model of all labels that is tried beside: TFs x (1 + labels).
.jointWidth <- 1000L

## label: integers from 1; train: logical or NULL (all cells).
.labelCall <- function(values, tf, label, count, train, keep, threads) {
    view <- list(p = values@p, i = values@i, x = values@x,
        genes = as.numeric(nrow(values)), cells = as.numeric(ncol(values))
    )
    .nameLabelFit(.Call(cw_r_labels, view, tf - 1L, as.integer(label) - 1L,
        count, if (!is.null(train)) as.integer(train),
        c(.labelGrid, .pooledMore), length(.labelGrid), keep, threads
    ))
}

.nameLabelFit <- function(fit) {
    names(fit$numbers) <- c("a", "gain")
    colnames(fit$label) <- c("a", "gain", "total", "restPooled", "rest")
    fit
}

## The joint model where it is small, as it shares what labels have in common,
## and a network per label beside it; of cells that are streamed the latter
## alone.
.labelNetworks <- function(prepared, s, key, threads, verbose) {
    count <- nlevels(s$label)
    wide <- count > 32L ||
        sum(!prepared$nonTF) * (1 + count) > .jointWidth
    alone <- count == 1L || isFALSE(s$centre)
    streamed <- !is.null(prepared$sampled)
    joint <- if (!streamed && (!wide || alone)) {
        long <- .sayStates(prepared, s, verbose)
        .stateObject(prepared, .fitStates(prepared, s, key, threads, long), s,
            key)
    }
    if (alone && !streamed) {
        return(joint)
    }
    .checkLabelMemory(prepared, s)
    fits <- .sayLabels(prepared, s, verbose)
    bar <- .progressStart("Networks per state: fit", fits, verbose)
    on.exit(.progressDone(bar))
    bar$at <- 0L
    fit <- .fitLabels(prepared, s$label, s, key, threads, function() {
        bar$at <- bar$at + 1L
        .progressTick(bar, bar$at)
    })
    .labelObject(prepared, fit, joint, s, key, threads)
}

.checkLabelMemory <- function(prepared, s) {
    genes <- nrow(prepared$values)
    tfs <- sum(!prepared$nonTF)
    cells <- ncol(prepared$values) # of a file the sample
    need <- .Call(cw_r_labels_forecast, as.numeric(c(cells, genes, tfs))) +
        24 * nlevels(s$label) * genes * tfs
    .checkEstimatorMemory(need, "networks per label")
}

## Says size and forecast; the number of fits.
.sayLabels <- function(prepared, s, verbose) {
    genes <- nrow(prepared$values)
    tfs <- sum(!prepared$nonTF)
    fits <- 5L + 2L * s$nPerm
    few <- min(genes, tfs + 500)
    once <- function(genes) {
        2 * length(s$label) * tfs * genes +
            (nlevels(s$label) + 1) * (10 * tfs^3 + 4 * tfs^2 * genes)
    }
    work <- 5 * once(genes) + (fits - 5) * once(few)
    .say(verbose, "Networks of ", .count(nlevels(s$label), "label"), ": ",
        .count(tfs, "TF"), " x ", genes, " genes, ",
        .count(length(s$label), "cell"), ", ",
        .count(s$nPerm, "permutation"), "; about ",
        .duration(max(1, work / .workPerSecond)), "."
    )
    fits
}

## list(full: the fit of all cells; states: data.frame, see ?StateGRN; null:
## gains of permuted labels, labels x permutations; gateGain: evidence of the
## pooled network over none, per entry). `tick()` is called after every fit.
.fitLabels <- function(prepared, label, s, key, threads, tick) {
    splits <- .labelSplits(prepared, label, s$nPerm, key)
    fits <- if (is.null(prepared$sampled)) {
        .fitSplits(prepared, splits, nlevels(label), threads, tick)
    } else {
        .fitStreamed(prepared, splits, nlevels(label), threads, tick)
    }
    null <- vapply(fits$held[-(1:2)], .heldOutGain, numeric(nlevels(label)))
    null <- matrix(null, nlevels(label))
    held <- fits$held[[1L]] + fits$held[[2L]]
    list(full = fits$full, sums = fits$sums, null = null,
        states = .labelTable(label, fits$full, held, null),
        explained = 1 - sum(held[, "restPooled"]) / sum(held[, "total"]),
        gateGain = fits$full$numbers[["gain"]] /
            (length(label) * max(1, sum(prepared$nonTF)))
    )
}

## What is fitted on one half of every label and judged on the other, and the
## other way round: twice the labels, then permuted ones on at most 500 genes
## beside the TFs, evenly spread. A list of list(label, train, genes).
.labelSplits <- function(prepared, label, nPerm, key) {
    all <- seq_along(prepared$nonTF)
    few <- .nullGenes(prepared$nonTF)
    split <- function(label, genes, stream) {
        list(label = as.integer(label), train = .halfOfEach(label, key, stream),
            genes = genes
        )
    }
    c(list(split(label, all, 1), split(label, all, 2)),
        lapply(seq_len(nPerm), function(p) {
            drawn <- .Call(cw_r_permutation, length(label), key, 100 + p)
            split(label[drawn + 1L], few, 300 + p)
        })
    )
}

## list(full, held: sums of squares held out, a matrix for every split).
.fitSplits <- function(prepared, splits, count, threads, tick) {
    v <- prepared$values
    tf <- which(!prepared$nonTF)
    fit <- function(split, train, keep = FALSE) {
        rows <- split$genes
        out <- .labelCall(if (length(rows) < nrow(v)) v[rows, , drop = FALSE]
            else v, match(tf, rows), split$label, count, train, keep, threads)
        tick()
        out
    }
    list(full = fit(splits[[1L]], NULL, TRUE), held = lapply(splits,
        function(split) {
            .heldSums(fit(split, split$train)) +
                .heldSums(fit(split, !split$train))
        }
    ))
}

.heldSums <- function(fit) fit$label[, 3:5, drop = FALSE]

.nullGenes <- function(nonTF) {
    other <- which(nonTF)
    if (length(other) > 500L) {
        other <- other[floor((seq_len(500L) - 1) * length(other) / 500) + 1L]
    }
    sort(c(which(!nonTF), other))
}

## TRUE for a random half of the cells of every label.
.halfOfEach <- function(label, key, split) {
    drawn <- .Call(cw_r_permutation, length(label), key, split)
    rank <- stats::ave(drawn, label, FUN = rank)
    rank <= stats::ave(drawn, label, FUN = length) / 2
}

## Share of held-out variance that a label's own network explains beyond the
## pooled one; NA where no cell was held out.
.heldOutGain <- function(held) {
    more <- held[, "restPooled"] - held[, "rest"]
    ifelse(held[, "total"] > 0, more / held[, "total"], NA_real_)
}

.labelTable <- function(label, full, held, null) {
    cells <- as.vector(table(label))
    share <- function(rest) {
        ifelse(held[, "total"] > 0, 1 - rest / held[, "total"], NA_real_)
    }
    most <- apply(null, 1L, function(n) max(n, -Inf, na.rm = TRUE))
    table <- data.frame(state = levels(label), cells = cells,
        explainedPooled = share(held[, "restPooled"]),
        explained = share(held[, "rest"]),
        gain = .heldOutGain(held), nullGain = ifelse(is.finite(most), most, NA),
        a = full$label[, "a"], evidence = full$label[, "gain"]
    )
    table$why <- ifelse(cells < 10L, "too few cells",
        ifelse(table$a == 0, "no departure is seen",
            ifelse(!is.finite(table$gain) | table$gain <= .leastGain,
                "no better on held-out cells",
                ifelse(table$gain <= most, "permuted labels do as well", ""))))
    table$departs <- !nzchar(table$why)
    table
}

## The StateGRN of labels from their fit. `joint`: that of the joint model, or
## NULL; it is taken where its labels are distinguishable.
.labelObject <- function(prepared, fit, joint, s, key, threads) {
    label <- s$label
    states <- fit$states
    held <- if (is.null(prepared$sampled)) seq_along(label) else
        prepared$sampled
    if (!is.null(joint) && joint@verdict$distinguishable) {
        joint <- .jointLabels(joint, states, fit$explained)
        if (any(joint@verdict$states$departs)) {
            return(joint)
        }
    }
    size <- c(cells = length(label), genes = length(prepared$nonTF))
    open <- size[["cells"]] >= s$gate[["cells"]] &&
        size[["genes"]] >= s$gate[["genes"]] &&
        fit$gateGain > s$gate[["gain"]]
    any <- any(states$departs)
    centred <- any || isTRUE(s$centre) || open
    tf <- which(!prepared$nonTF)
    shape <- c(size[["genes"]], length(tf), nlevels(label))
    prepared$sums <- fit$sums
    pooled <- if (centred) t(matrix(fit$full$pooled, shape[[1L]])) else
        .uncentredSlopes(prepared, s, key, threads)
    slope <- array(pooled, c(dim(pooled), shape[[3L]]))
    sd <- matrix(1, length(tf), shape[[3L]])
    own <- array(fit$full$slope, shape)
    for (k in which(states$departs)) {
        slope[, , k] <- t(own[, , k])
        sd[, k] <- fit$full$sd[, k]
    }
    w <- outer(as.integer(label)[held], seq_len(shape[[3L]]), `==`) + 0
    colnames(w) <- levels(label)
    verdict <- list(distinguishable = any, reason = if (any) "" else
        .labelReason(fit$explained), gain = sum(states$evidence),
        nullGain = fit$null, variation = .slopeVariation(pooled, slope, tf),
        a = fit$full$numbers[["a"]], rho = NA_real_, centred = centred,
        gateGain = fit$gateGain, components = 0, silhouette = NA_real_,
        labelled = TRUE, tfs = length(tf), states = states,
        explained = fit$explained
    )
    .newStates(.sampleOf(prepared), pooled, slope, sd, w, verdict, key,
        "ridge per label")
}

## The pooled network of cells as they are.
.uncentredSlopes <- function(prepared, s, key, threads) {
    grid <- .priorGrid(s$a, sum(!prepared$nonTF))
    fit <- .estimate(RidgeGRNParam(variance = grid), .estimatorView(prepared),
        key, threads)
    unname(fit$scores * fit$sign)
}

## The joint model's networks for the labels that held-out cells support by
## more than permuted labels do, the pooled one for the others.
.jointLabels <- function(joint, states, explained) {
    seen <- states$gain > pmax(0, states$nullGain, na.rm = TRUE)
    states$departs <- states$cells >= 10L & !is.na(seen) & seen
    states$why[!states$departs & !nzchar(states$why)] <-
        "permuted labels do as well"
    states$why[states$departs] <- ""
    for (k in which(!states$departs)) {
        joint@slope[, , k] <- joint@pooled
        joint@sd[, k] <- 1
    }
    joint@verdict$states <- states
    joint@verdict$explained <- explained
    joint
}

.labelReason <- function(explained) {
    if (is.finite(explained) && explained > .leastGain) {
        sprintf(paste0("TFs explain %.1f%% of held-out variance within ",
            "states, but no state's own network does better by more than ",
            "%.1f%%"), 100 * explained, 100 * .leastGain)
    } else {
        sprintf(paste0("within states TFs explain %.1f%% of held-out ",
            "variance, no network is seen"), 100 * max(0, explained))
    }
}
