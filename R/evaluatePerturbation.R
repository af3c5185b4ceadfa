## Do the targets of a network move when their TF is perturbed?

#' Result of comparing a network with perturbed cells
#'
#' Made by [evaluatePerturbation()].
#'
#' @slot edges,summary,replicates,tfs data.frames, see
#'   [evaluatePerturbation()].
#' @slot facts list: what was compared.
#' @param x,object a `GRNPerturbation`.
#' @param which which of the tables.
#' @param row.names,optional,... not used.
#' @return `as.data.frame()` gives a table; `show()` prints.
#' @seealso [evaluatePerturbation()]
#' @name GRNPerturbation-class
#' @exportClass GRNPerturbation
#' @examples
#' ## see evaluatePerturbation()
#' methods::slotNames("GRNPerturbation")
setClass("GRNPerturbation", slots = c(
    edges = "data.frame", summary = "data.frame", replicates = "data.frame",
    tfs = "data.frame", facts = "list"
))

#' Perturbation evidence for the edges of a network
#'
#' For the highest edges of perturbed TFs: how far the target's expression in
#' perturbed cells is from that in control cells, by the Wasserstein distance
#' as published for scCAFM, and, because a distance alone says nothing, how
#' that compares with other genes that are expressed as much, with targets
#' shuffled, and with cells whose labels are permuted.
#'
#' @details The distance between the values x of perturbed and control cells is
#' the area between their cumulative distributions (Wasserstein-1), on
#' log-normalised values. It grows with a gene's expression and spread, and is
#' never 0 for finite samples; so the published mean over edges has no meaning
#' of its own. Beside it stand
#' \itemize{
#'   \item `percentile`: of the edge's distance among the `matched` other genes
#'     (not chosen as the TF's targets) whose mean in control cells is nearest;
#'     0.5 is what a target chosen by its expression level alone has. Summary p:
#'     share of random choices, each edge's target drawn from itself and its
#'     matched genes, whose mean distance is as large; that mean can hang on a
#'     few edges, so the mean percentile has a p too (normal approximation).
#'   \item shuffled targets: as many random genes per TF. A network that just
#'     picks highly expressed genes beats these, but not the matched ones.
#'   \item permuted cells: p of an edge, the mean distance `nullDistance` under
#'     permutation of the labels within replicates, and `excess`, the distance
#'     less that mean.
#' }
#' Intervals are from bootstrap samples of cells within label and replicate:
#' 95% percentile intervals, for distances moved by the mean of the samples less
#' the distance, for resampling alone inflates them. They don't cover what would
#' differ in other cells, guides or experiments. A TF's response comprises
#' everything downstream, so evidence for an edge is evidence for regulation,
#' direct or not. Give `replicate`: without it, differences between batches count as effects if
#' perturbations are not spread evenly over them.
#'
#' Direction: with signs in the network (see [edgeSign()]) and
#' `effect = "loss"`, a target of an activator should fall. The summary gives
#' the share of edges that agree, what would agree by chance given how many
#' signs are positive and how many targets fall, and Fisher's exact p.
#'
#' @param grn a [PooledGRN-class] that isn't filtered, or per-cell networks,
#'   which are pooled. Infer it from control cells, or others, but not from the
#'   perturbed ones.
#' @param x cells, perturbed and control ones, as for [inferGRN()].
#' @param perturbation name of a column of `colData(x)`, or a value per cell:
#'   the gene perturbed. Compared with TFs in upper case; cells of other labels
#'   and missing ones are not used.
#' @param control the label of control cells.
#' @param replicate NULL, or as `perturbation`: replicates or batches.
#' @param top highest edges looked at (published: 100), among those of perturbed
#'   TFs and measured targets, self edges left out.
#' @param minCells perturbed cells a TF must have; also, of either kind, a
#'   replicate to be looked at alone.
#' @param matched expression-matched genes per edge.
#' @param permutations,nBoot permutations of labels (and random choices of
#'   targets), bootstrap samples; `nBoot = 0`: no intervals.
#' @param effect does the perturbation take the TF away (`"loss"`) or add to it
#'   (`"gain"`)?
#' @param assay.type,symbols,alreadyNormalised as for [inferGRN()].
#' @param seed NULL: drawn from R's generator, so `set.seed()` governs it; or a
#'   whole number.
#' @param threads threads of the engine; NULL: `causeway.threads`. Results
#'   don't depend on it.
#' @return A [GRNPerturbation-class]. `as.data.frame(which = )` gives
#'   \describe{
#'     \item{edges}{one row per edge: `rank`, `Gene1`, `Gene2`, `score`,
#'       `cells` (perturbed), `distance`, `distanceLow`, `distanceHigh`,
#'       `nullDistance`, `excess`, `p`, `q` (BH), `shift` (mean of perturbed
#'       less control cells), `shiftLow`, `shiftHigh`, `percentile`,
#'       `replicates` and `agree` (replicates with the shift's sign), and with
#'       signs `sign` and `direction` (1 as expected, -1 not).}
#'     \item{summary}{one row per measure: `measure`, `value`, `low`, `high`,
#'       `null`, `p`.}
#'     \item{replicates}{one row per replicate: `replicate`, `edges`,
#'       `distance`, `percentile`, `sameShift` (share of edges with the sign of
#'       the shift over all cells).}
#'     \item{TF}{one row per TF: `TF`, `cells`, `ownShift`, `edges`,
#'       `distance`, `percentile`, and `allGenes` (mean distance over all
#'       measured genes).}
#'   }
#' @section Errors: a filtered network; no such column, control label or
#'   perturbed TF of the network; too few cells per perturbation; no measured
#'   target.
#' @references The published measure: scCAFM,
#'   <https://github.com/Catchxu/scCAFM>, `evaluate_perturbseq_grn()`.
#' @seealso [evaluateGRN()], [nullGRN()], [stabilityGRN()]
#' @examples
#' cells <- simulateCells(nCells = 300, nGenes = 40, nTFs = 6, seed = 1)
#' grn <- inferGRN(cells, CorGRNParam())
#' ## made-up labels: no effect is there to be found
#' label <- rep(c("control", tfNames(grn)[1:2]), 100)
#' evaluatePerturbation(grn, cells, label, "control", top = 10,
#'     matched = 10, permutations = 100, nBoot = 20, seed = 1
#' )
#' @export
evaluatePerturbation <- function(grn, x, perturbation, control,
    replicate = NULL, top = 100, minCells = 10, matched = 50,
    permutations = 1000, nBoot = 200, effect = c("loss", "gain"),
    assay.type = NULL, symbols = NULL, alreadyNormalised = FALSE, seed = NULL,
    threads = NULL) {
    job <- list(
        top = .checkNumber(top, "top", 1, whole = TRUE),
        minCells = .checkNumber(minCells, "minCells", 2, whole = TRUE),
        matched = .checkNumber(matched, "matched", 1, whole = TRUE),
        permutations = .checkNumber(permutations, "permutations", 1, 1e6,
            TRUE
        ),
        nBoot = .checkNumber(nBoot, "nBoot", 0, 1e5, TRUE),
        effect = .oneOf(effect, c("loss", "gain"), "effect"),
        key = .newKey(seed), threads = .threads(threads)
    )
    .checkFlag(alreadyNormalised, "alreadyNormalised")
    if (is(grn, "PerCellNetworks")) {
        grn <- poolGRN(grn)
    }
    if (!is(grn, "PooledGRN")) {
        .stopArgument("grn", "must be a network, such as inferGRN() gives; ",
            "it is a ", class(grn)[[1L]], "."
        )
    }
    .refuseFiltered(grn, "grn")
    input <- .cellInput(x, assay.type, symbols, FALSE)
    job <- c(job, .perturbedCells(input, perturbation, control, replicate,
        grn, job$minCells
    ))
    job <- c(job, .measuredGenes(input, grn, alreadyNormalised))
    job$edges <- .perturbedEdges(grn, job)
    .perturbationResult(grn, job)
}

## ---- cells and genes -------------------------------------------------------

.cellColumn <- function(input, value, arg) {
    n <- ncol(input$matrix)
    if (is.character(value) && length(value) == 1L && n != 1L) {
        if (!value %in% colnames(input$cellData)) {
            .stopArgument(arg, "is \"", value, "\", which isn't a column of ",
                "colData(x): ", .some(colnames(input$cellData), 8L), "."
            )
        }
        value <- input$cellData[[value]]
    }
    if (length(value) != n) {
        .stopArgument(arg, "must be the name of a column or have a value per ",
            "cell, ", n, "; it has ", length(value), "."
        )
    }
    as.character(value)
}

.perturbedCells <- function(input, perturbation, control, replicate, grn,
    minCells) {
    given <- trimws(.cellColumn(input, perturbation, "perturbation"))
    label <- toupper(given)
    .checkText(control, "control")
    isControl <- which(label == toupper(trimws(control)))
    if (length(isControl) < minCells) {
        .stopArgument("control", "\"", control, "\" labels ",
            .count(length(isControl), "cell"), ", fewer than minCells = ",
            minCells, "; the labels are ", .some(unique(given), 8L), "."
        )
    }
    tfs <- tfNames(grn)
    cells <- lapply(setNames(toupper(tfs), tfs), function(tf) {
        which(label == tf)
    })
    cells <- cells[toupper(names(cells)) != toupper(trimws(control))]
    count <- lengths(cells)
    if (all(count == 0L)) {
        .stopArgument("perturbation", "has no label that is a TF of the ",
            "network; it has ", .some(unique(given), 8L), ", the TFs are ",
            .some(tfs), "."
        )
    }
    few <- count > 0L & count < minCells
    if (all(count < minCells)) {
        .stopArgument("perturbation", "has no TF of the network with ",
            minCells, " cells or more ('minCells'): ",
            .some(paste(names(count)[few], count[few])), "."
        )
    }
    if (any(few)) {
        message("left out for having fewer than ", minCells, " cells: ",
            .some(names(count)[few])
        )
    }
    stratum <- if (is.null(replicate)) NULL else
        factor(.cellColumn(input, replicate, "replicate"))
    if (anyNA(stratum[c(isControl, unlist(cells))])) {
        .stopArgument("replicate", "is missing for cells that are compared.")
    }
    list(control = isControl, cells = cells[count >= minCells],
        stratum = stratum
    )
}

## Log-normalised values of the network's genes that were measured: `values`
## (cells x genes, sparse), `genes` (their names in the network).
.measuredGenes <- function(input, grn, logged) {
    genes <- geneNames(grn)
    at <- match(toupper(genes), toupper(input$clean))
    if (!is.null(input$symbols)) {
        other <- match(toupper(genes), toupper(input$symbols))
        at[is.na(at)] <- other[is.na(at)]
    }
    if (sum(!is.na(at)) < 2L) {
        .stopArgument("x", "has ", sum(!is.na(at)), " of the network's ",
            length(genes), " genes; such as ", .some(genes, 3L),
            " are missing. Check the kind of gene names."
        )
    }
    m <- input$matrix
    all <- seq_len(ncol(m))
    for (part in .columnChunks(m)) {
        .badValues(.asSparse(.columnChunk(m, part)), input$names, input$cells,
            part
        )
    }
    values <- .extractValues(m, at[!is.na(at)], all, .cellTotals(m), 1e4,
        logged, FALSE
    )
    list(values = Matrix::t(values), genes = genes[!is.na(at)])
}

## The `top` edges between perturbed, measured TFs and measured genes.
.perturbedEdges <- function(grn, job) {
    tfs <- intersect(names(job$cells), job$genes)
    if (length(tfs) == 0L) {
        .stopArgument("x", "has not measured the perturbed TFs ",
            .some(names(job$cells)), ", which are then not in the network's ",
            "part that can be compared."
        )
    }
    s <- grn@scores[tfs, job$genes, drop = FALSE]
    edges <- .matrixEdges(s, list(top = length(s)), FALSE)
    edges <- utils::head(edges, job$top)
    if (nrow(edges) == 0L) {
        .stopArgument("x", "has no gene measured but the perturbed TF.")
    }
    edges
}

## ---- distances -------------------------------------------------------------

.shifts <- function(job, cells, genes, permutations, nBoot, stratum, use) {
    label <- as.raw(rep(0:1, c(length(job$control), length(cells))))
    at <- c(job$control, cells)
    if (!is.null(use)) {
        label <- label[use[at]]
        at <- at[use[at]]
    }
    x <- as.matrix(job$values[at, match(genes, job$genes), drop = FALSE])
    strata <- if (is.null(stratum)) NULL else as.integer(stratum[at]) - 1L
    .Call(cw_r_wasserstein, x, label, strata, nlevels(stratum),
        list(permutations = permutations, draws = nBoot), job$key, job$threads
    )
}

## All that one TF's edges need. Rows of `matched` are edges, of places in
## job$genes.
.oneTf <- function(tf, job, level) {
    edges <- job$edges[job$edges$Gene1 == tf, ]
    all <- .shifts(job, job$cells[[tf]], job$genes, 0, 0, job$stratum, NULL)
    at <- match(edges$Gene2, job$genes)
    own <- match(tf, job$genes)
    free <- setdiff(seq_along(job$genes), c(at, own))
    near <- lapply(at, function(g) {
        free[utils::head(order(abs(level[free] - level[[g]])), job$matched)]
    })
    exact <- .shifts(job, job$cells[[tf]], edges$Gene2, job$permutations, 0,
        job$stratum, NULL
    )
    boot <- if (job$nBoot > 0L) {
        used <- unique(c(at, unlist(near)))
        drawn <- .shifts(job, job$cells[[tf]], job$genes[used], 0, job$nBoot,
            job$stratum, NULL
        )
        list(used = used, distance = drawn$drawn, shift = drawn$drawnShift)
    }
    list(edges = edges, at = at, own = own, near = near, boot = boot,
        all = all$distance, shift = all$shift, exact = exact,
        replicates = .byReplicate(tf, edges, near, job, all$shift[at])
    )
}

.percentileOf <- function(value, others) {
    if (length(others) == 0L) NA_real_ else
        mean(others < value) + mean(others == value) / 2
}

## The same within each replicate with cells enough.
.byReplicate <- function(tf, edges, near, job, shift) {
    at <- match(edges$Gene2, job$genes)
    rows <- lapply(levels(job$stratum), function(r) {
        use <- job$stratum == r
        cells <- job$cells[[tf]]
        if (sum(use[cells]) < job$minCells ||
            sum(use[job$control]) < job$minCells) {
            return(NULL)
        }
        used <- unique(c(at, unlist(near)))
        s <- .shifts(job, cells, job$genes[used], 0, 0, NULL, use)
        mine <- match(at, used)
        data.frame(replicate = r, edge = seq_along(at),
            distance = s$distance[mine],
            percentile = vapply(seq_along(at), function(e) {
                .percentileOf(s$distance[mine[[e]]],
                    s$distance[match(near[[e]], used)]
                )
            }, numeric(1)),
            same = sign(s$shift[mine]) == sign(shift) & shift != 0
        )
    })
    do.call(rbind, rows)
}

## ---- tables ----------------------------------------------------------------

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
    new("GRNPerturbation", edges = edges,
        summary = .perturbationSummary(edges, runs, job),
        replicates = .replicateTable(runs),
        tfs = .tfTable(edges, runs, job),
        facts = list(
            control = length(job$control), genes = length(job$genes),
            perturbed = sum(lengths(job$cells[tfs])), tfs = length(tfs),
            known = length(job$cells), replicates = nlevels(job$stratum),
            permutations = job$permutations, nBoot = job$nBoot,
            matched = job$matched, effect = job$effect,
            candidates = length(intersect(names(job$cells), job$genes)) *
                (length(job$genes) - 1), seed = .keyText(job$key)
        )
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
    if (is.null(draws)) NULL else
        draws - rep(colMeans(draws), each = nrow(draws))
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
    same <- run$replicates
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
        replicates = count(rep(1L, NROW(same))),
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
    m <- .meansOfChoices(nearest, job$permutations, job$key, 1000)
    s <- .meansOfChoices(shuffled, job$permutations, job$key, 1e6)
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

.replicateTable <- function(runs) {
    all <- do.call(rbind, lapply(runs, `[[`, "replicates"))
    if (is.null(all)) {
        return(data.frame())
    }
    parts <- split(all, factor(all$replicate, unique(all$replicate)))
    rows <- lapply(names(parts), function(r) {
        p <- parts[[r]]
        data.frame(replicate = r, edges = nrow(p), distance = mean(p$distance),
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

#' @rdname GRNPerturbation-class
#' @method as.data.frame GRNPerturbation
#' @export
as.data.frame.GRNPerturbation <- function(x, row.names = NULL,
    optional = FALSE, ..., which = c("edges", "summary", "replicates", "TF")) {
    which <- .oneOf(which, c("edges", "summary", "replicates", "TF"), "which")
    slot(x, if (which == "TF") "tfs" else which)
}

#' @rdname GRNPerturbation-class
#' @export
setMethod("show", "GRNPerturbation", function(object) {
    f <- object@facts
    cat("Perturbation evidence: the ", nrow(object@edges), " highest of ",
        format(f$candidates, big.mark = ","), " edges of perturbed TFs (",
        .count(f$tfs, "TF"), ")\n", format(f$perturbed, big.mark = ","),
        " perturbed and ", format(f$control, big.mark = ","),
        " control cells, ", if (f$replicates)
            .count(f$replicates, "replicate") else "replicates not given",
        "\n", sep = ""
    )
    t <- object@summary
    number <- function(x) ifelse(is.na(x), "", sprintf("%.3f", x))
    print(data.frame(
        measure = t$measure, value = number(t$value),
        `95%` = ifelse(is.na(t$low), "",
            paste(number(t$low), number(t$high), sep = " to ")
        ), null = number(t$null), p = number(t$p), check.names = FALSE
    ), row.names = FALSE, right = FALSE)
    if (nrow(object@replicates)) {
        cat("By replicate:\n")
        print(object@replicates, row.names = FALSE, digits = 3)
    }
    p <- t$p[t$measure == "against expression-matched genes"]
    half <- t$p[t$measure == "mean percentile among matched genes"]
    if (p > 0.05) {
        cat("! The targets move no more than other genes expressed as much.\n")
    } else if (!is.na(half) && half > 0.05) {
        cat("! A few targets move far; most move no more than other genes ",
            "expressed as much.\n", sep = ""
        )
    }
})
