## Rankings of candidate edges: their measures and intervals.

## method -> score of every candidate
.methodScores <- function(scores, set, methods, expression) {
    out <- list()
    if ("model" %in% methods) {
        out$model <- as.vector(scores[set$tfs, , drop = FALSE])[set$use]
    }
    for (m in intersect(c("pearson", "spearman"), methods)) {
        at <- match(colnames(scores), rownames(expression))
        if (anyNA(at)) {
            .stopArgument("expression", "lacks genes of the network: ",
                .some(colnames(scores)[is.na(at)]),
                "; its row names must have all of them."
            )
        }
        values <- .expressionRows(expression, at)
        tfAt <- match(set$tfs, colnames(scores))
        r <- .correlations(values, tfAt, m)
        ## equal but for rounding counts as equal
        out[[m]] <- signif(abs(as.vector(r)), 12L)[set$use]
    }
    out
}

## One ranking: its point values, bootstrap samples and values by TF.
.rankScores <- function(score, set, key, nBoot, threads) {
    rank <- .Call(cw_r_rank_sort, as.double(score))
    labels <- as.raw(set$positive)
    point <- .Call(cw_r_rank_metrics, rank$order, rank$group, labels)
    draws <- if (nBoot > 0L) {
        .Call(cw_r_rank_bootstrap, rank$order, rank$group, labels, key, nBoot,
            threads
        )
    }
    list(point = point, draws = draws, byTF = .rankByTF(rank, labels, set))
}

.rankByTF <- function(rank, labels, set) {
    n <- length(set$tfs)
    member <- rep(seq_len(n) - 1L, length.out = length(set$use))[set$use]
    s <- .Call(cw_r_rank_by, rank$order, rank$group, labels, member, n)
    rate <- s$positives / s$candidates
    table <- data.frame(
        TF = set$tfs, candidates = s$candidates, positives = s$positives,
        positiveRate = rate, auprc = s$auprc, auprcRatio = s$auprc / rate,
        auroc = ifelse(is.nan(s$auroc), NA_real_, s$auroc), early = s$early,
        earlyRatio = s$early / rate
    )
    table <- table[table$positives > 0, ]
    rownames(table) <- NULL
    table
}

.rankRandom <- function(set, key, nBoot, threads) {
    known <- sum(set$positive)
    draws <- as.integer(max(nBoot, min(200, max(50, 2e8 / known))))
    draws <- .Call(cw_r_rank_random, as.numeric(length(set$positive)),
        as.numeric(known), key, draws, threads
    )
    list(point = lapply(draws, mean), draws = draws)
}

.evaluationRow <- function(method, run, model, rate) {
    interval <- function(draws) {
        if (is.null(draws)) c(NA_real_, NA_real_) else
            unname(stats::quantile(draws, c(0.025, 0.975)))
    }
    a <- interval(run$draws$auprc)
    e <- interval(run$draws$early)
    o <- interval(run$draws$auroc)
    above <- NA_real_
    if (method == "random" && !is.null(model)) {
        above <- mean(model$point$auprc > run$draws$auprc)
    } else if (method != "model" && !is.null(model$draws)) {
        above <- mean(model$draws$auprc > run$draws$auprc)
    }
    data.frame(
        method = method,
        auprc = run$point$auprc, auprcLow = a[[1L]], auprcHigh = a[[2L]],
        auprcRatio = run$point$auprc / rate, auprcRatioLow = a[[1L]] / rate,
        auprcRatioHigh = a[[2L]] / rate,
        early = run$point$early, earlyLow = e[[1L]], earlyHigh = e[[2L]],
        earlyRatio = run$point$early / rate, earlyRatioLow = e[[1L]] / rate,
        earlyRatioHigh = e[[2L]] / rate, auroc = run$point$auroc,
        aurocLow = o[[1L]], aurocHigh = o[[2L]], modelAbove = above
    )
}
