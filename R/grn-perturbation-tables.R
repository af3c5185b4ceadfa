## Tables and report of evaluatePerturbation().

.perturbationResult <- function(grn, job) {
    level <- rank(Matrix::colMeans(job$values[job$control, , drop = FALSE]),
        ties.method = "first"
    )
    tfs <- unique(job$edges$Gene1)
    runs <- lapply(setNames(tfs, tfs), .oneTf, job = job, level = level)
    edges <- do.call(rbind, lapply(runs, .edgeRows, job = job))
    edges <- edges[order(match(paste(edges$Gene1, edges$Gene2),
        paste(job$edges$Gene1, job$edges$Gene2)
    )), ]
    edges <- cbind(rank = seq_len(nrow(edges)), edges)
    rownames(edges) <- NULL
    edges$q <- stats::p.adjust(edges$p, "BH")
    edges <- .edgeDirections(edges, grn, job$effect)
    summary <- .perturbationSummary(edges, runs, job)
    .report("GRNPerturbation", .perturbationVerdict(summary, nrow(edges)),
        list(edges = edges, summary = summary,
            blocks = .blockTable(runs), TF = .tfTable(edges, runs, job)
        ), list(
            control = length(job$control), genes = length(job$genes),
            perturbed = sum(lengths(job$cells[tfs])), tfs = length(tfs),
            known = length(job$cells), blocks = nlevels(job$stratum),
            nPerm = job$nPerm, nBoot = job$nBoot,
            matched = job$matched, effect = job$effect,
            candidates = length(intersect(names(job$cells), job$genes)) *
                (length(job$genes) - 1)
        ), .keyText(job$key)
    )
}

.interval <- function(draws) {
    if (is.null(draws) || length(draws) == 0L || anyNA(draws)) {
        return(c(NA_real_, NA_real_))
    }
    unname(stats::quantile(draws, c(0.025, 0.975)))
}

## Columns less their means: bootstrap distances are larger than the distance
## itself by more than chance; what is used of them is their spread.
.aboutMean <- function(draws) {
    if (is.null(draws)) NULL else .lessEach(draws, colMeans(draws))
}

.edgeRows <- function(run, job) {
    n <- nrow(run$edges)
    mine <- match(run$at, run$boot$used)
    span <- function(draws) {
        if (is.null(draws)) matrix(NA_real_, 2L, n) else
            apply(draws[, mine, drop = FALSE], 2L, .interval)
    }
    d <- span(.aboutMean(run$boot$distance))
    s <- span(run$boot$shift)
    e <- run$exact
    same <- run$blocks
    count <- function(x) if (is.null(same)) rep(NA_integer_, n) else
        as.integer(tapply(x, factor(same$edge, seq_len(n)), sum))
    data.frame(
        Gene1 = run$edges$Gene1, Gene2 = run$edges$Gene2,
        score = run$edges$score, cells = length(job$cells[[
            run$edges$Gene1[[1L]]
        ]]),
        distance = e$distance,
        distanceLow = pmax(0, e$distance + d[1L, ]),
        distanceHigh = e$distance + d[2L, ],
        nullDistance = e$nullMean, excess = e$distance - e$nullMean,
        p = e$p, q = NA_real_, shift = e$shift, shiftLow = s[1L, ],
        shiftHigh = s[2L, ],
        percentile = vapply(seq_len(n), function(i) {
            .percentileOf(run$all[[run$at[[i]]]], run$all[run$near[[i]]])
        }, numeric(1)),
        blocks = count(rep(1L, NROW(same))),
        agree = count(as.integer(same$same))
    )
}

.edgeDirections <- function(edges, grn, effect) {
    sign <- grn@metadata$sign
    if (is.null(sign)) {
        return(edges)
    }
    edges$sign <- sign[cbind(match(edges$Gene1, rownames(sign)),
        match(edges$Gene2, colnames(sign))
    )]
    way <- if (effect == "loss") -1 else 1
    edges$direction <- as.integer(sign(edges$shift) * way * edges$sign)
    edges
}

## A table of `rows` x items from whole numbers 1..m, each equally likely.
.randomPlaces <- function(rows, items, m, key, use) {
    n <- rows * items
    matrix(.Call(cw_r_permutation, n, key, use) %% m + 1L, rows)
}

## Mean distance with each edge's target drawn at random: `choices` lists the
## distances an edge may have.
.meansOfChoices <- function(choices, draws, key, use) {
    total <- numeric(draws)
    for (i in seq_along(choices)) {
        at <- .randomPlaces(draws, 1L, length(choices[[i]]), key, use + i)
        total <- total + choices[[i]][at]
    }
    total / length(choices)
}

.perturbationSummary <- function(edges, runs, job) {
    observed <- mean(edges$distance)
    nearest <- shuffled <- list()
    for (run in runs) {
        nearest <- c(nearest, lapply(seq_along(run$at), function(i) {
            run$all[c(run$at[[i]], run$near[[i]])]
        }))
        shuffled <- c(shuffled, rep(list(run$all[-run$own]), length(run$at)))
    }
    m <- .meansOfChoices(nearest, job$nPerm, job$key, 1000)
    s <- .meansOfChoices(shuffled, job$nPerm, job$key, 1e6)
    p <- function(null) {
        (1 + sum(null >= observed * (1 - 1e-12))) / (1 + length(null))
    }
    boot <- .bootSummary(runs, job)
    d <- if (is.null(boot)) c(NA_real_, NA_real_) else
        .interval(boot$distance - mean(boot$distance))
    row <- function(measure, value, span, null, p) data.frame(
        measure = measure, value = value, low = span[[1L]], high = span[[2L]],
        null = null, p = p
    )
    none <- c(NA_real_, NA_real_)
    table <- rbind(
        row("mean Wasserstein distance (published)", observed,
            pmax(0, observed + d), NA_real_, NA_real_
        ),
        row("against permuted cells (excess)", mean(edges$excess),
            mean(edges$excess) + d, 0, NA_real_
        ),
        row("against expression-matched genes", observed, none, mean(m), p(m)),
        row("against shuffled targets", observed, none, mean(s), p(s)),
        row("mean percentile among matched genes",
            mean(edges$percentile, na.rm = TRUE), .interval(boot$percentile),
            0.5, .percentileP(edges$percentile)
        ),
        row("edges with q < 0.1 (permuted cells)", sum(edges$q < 0.1), none,
            NA_real_, NA_real_
        )
    )
    rbind(table, .directionRow(edges))
}

## Percentiles of random genes are uniform, so their mean is nearly normal.
.percentileP <- function(percentile) {
    x <- percentile[!is.na(percentile)]
    stats::pnorm(mean(x), 0.5, sqrt(1 / 12 / length(x)), lower.tail = FALSE)
}

## Bootstrap samples of the mean distance and the mean percentile.
.bootSummary <- function(runs, job) {
    if (job$nBoot == 0L) {
        return(NULL)
    }
    distance <- percentile <- counted <- numeric(job$nBoot)
    n <- 0
    for (run in runs) {
        b <- run$boot
        for (i in seq_along(run$at)) {
            mine <- b$distance[, match(run$at[[i]], b$used)]
            distance <- distance + mine
            n <- n + 1
            if (length(run$near[[i]])) {
                others <- b$distance[, match(run$near[[i]], b$used),
                    drop = FALSE
                ]
                percentile <- percentile + rowMeans(others < mine) +
                    rowMeans(others == mine) / 2
                counted <- counted + 1
            }
        }
    }
    list(distance = distance / n, percentile = percentile / counted)
}

.directionRow <- function(edges) {
    if (is.null(edges$direction)) {
        return(NULL)
    }
    use <- edges$direction != 0
    if (!any(use)) {
        return(NULL)
    }
    expected <- edges$sign[use] > 0
    agrees <- edges$direction[use] > 0
    moved <- expected == agrees
    chance <- mean(expected) * mean(moved) +
        (1 - mean(expected)) * (1 - mean(moved))
    both <- length(unique(expected)) == 2L && length(unique(moved)) == 2L
    p <- if (both) stats::fisher.test(table(expected, moved),
        alternative = "greater"
    )$p.value else NA_real_
    data.frame(measure = "edges that move as their sign says",
        value = mean(agrees), low = NA_real_, high = NA_real_, null = chance,
        p = p
    )
}

.blockTable <- function(runs) {
    all <- do.call(rbind, lapply(runs, `[[`, "blocks"))
    if (is.null(all)) {
        return(data.frame())
    }
    parts <- split(all, factor(all$block, unique(all$block)))
    rows <- lapply(names(parts), function(r) {
        p <- parts[[r]]
        data.frame(block = r, edges = nrow(p), distance = mean(p$distance),
            percentile = mean(p$percentile, na.rm = TRUE),
            sameShift = mean(p$same)
        )
    })
    do.call(rbind, rows)
}

.tfTable <- function(edges, runs, job) {
    rows <- lapply(names(runs), function(tf) {
        e <- edges[edges$Gene1 == tf, ]
        run <- runs[[tf]]
        data.frame(TF = tf, cells = length(job$cells[[tf]]),
            ownShift = run$shift[[run$own]], edges = nrow(e),
            distance = mean(e$distance),
            percentile = mean(e$percentile, na.rm = TRUE),
            allGenes = mean(run$all[-run$own])
        )
    })
    do.call(rbind, rows)
}

## Do targets move more than genes expressed as much?
.perturbationVerdict <- function(t, n) {
    at <- function(measure) t[match(measure, t$measure), ]
    matched <- at("against expression-matched genes")
    half <- at("mean percentile among matched genes")
    text <- sprintf(paste("Targets of the %d highest edges move by %.3f on",
        "average, other genes expressed as much by %.3f (p = %s); mean",
        "percentile among these %.2f (p = %s)"), n, matched$value,
        matched$null, format(signif(matched$p, 2L)), half$value,
        format(signif(half$p, 2L))
    )
    few <- !is.na(half$p) && half$p > 0.05
    text <- c(text, if (matched$p > 0.05) {
        "! The targets move no more than other genes expressed as much."
    } else if (few) {
        paste("! A few targets move far; most move no more than other genes",
            "expressed as much.")
    })
    .verdict(text, matched$p <= 0.05 && !few)
}

setMethod(".showBody", "GRNPerturbation", function(x) {
    f <- x@facts
    cat("Perturbation evidence: the ", nrow(x@tables$edges), " highest of ",
        format(f$candidates, big.mark = ","), " edges of perturbed TFs (",
        .count(f$tfs, "TF"), ")\n", format(f$perturbed, big.mark = ","),
        " perturbed and ", format(f$control, big.mark = ","),
        " control cells, ", if (f$blocks)
            .count(f$blocks, "block") else "blocks not given",
        "\n", sep = ""
    )
    t <- x@tables$summary
    number <- function(x) ifelse(is.na(x), "", sprintf("%.3f", x))
    print(data.frame(
        measure = t$measure, value = number(t$value),
        `95%` = ifelse(is.na(t$low), "",
            paste(number(t$low), number(t$high), sep = " to ")
        ), null = number(t$null), p = number(t$p), check.names = FALSE
    ), row.names = FALSE, right = FALSE)
    if (nrow(x@tables$blocks)) {
        cat("By block:\n")
        print(x@tables$blocks, row.names = FALSE, digits = 3)
    }
})
