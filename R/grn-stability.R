## How much of a network is left with other random numbers and other cells.

#' How stable a network is
#'
#' Made by [stabilityGRN()].
#'
#' A [CausewayReport-class] with the table `comparisons`, see
#' [stabilityGRN()], and the facts `top`, `edges` (possible), `cells`, `genes`,
#' `tfs`, `model`, `nSeeds`, `leaveOut`. It holds when networks of other cells
#' share more of their highest edges than random ones do.
#'
#' @return An object of this class; [verdict()] says what it gives.
#' @seealso [stabilityGRN()], [plotStability()]
#' @examples
#' cells <- simulateCells(nCells = 150, nGenes = 30, nTFs = 5, seed = 1)
#' stabilityGRN(cells, RidgeGRNParam(), nSeeds = 2, nSamples = 2, seed = 1)
#' @name GRNStability-class
#' @exportClass GRNStability
setClass("GRNStability", contains = "CausewayReport")

#' Edge overlap over seeds and samples of cells
#'
#' Infers the network again with other seeds, from parts of the cells, and with
#' one cell removed, and compares the highest edges and the ranks of all.
#'
#' @details Comparisons, all on the TFs and genes of the network of all cells:
#' `"seed"`: all cells, every pair of seeds; estimators without random numbers
#' give 1. `"cells"`: `nSamples` times a random share `leaveOut` of the cells is
#' left out; with half of them left out the two halves are compared, networks
#' from different cells of one population, otherwise the rest with the network
#' of all cells. `"one cell"`: all cells but one, drawn at random, with the
#' network of all cells, at the same seed. Per-cell networks are pooled.
#'
#' A stable network need not be a right one: what is the same in all cells,
#' such as effects of library size, is stable too. Compare with
#' [evaluateGRN()] and [nullGRN()].
#'
#' @param x the cells, as for [inferGRN()].
#' @param model what [inferGRN()] takes: a [GRNParam-class], a
#'   [PerCellGRNParam()], a [FoundationModel-class] (whose weights stay as they
#'   are); NULL: `CombinedGRNParam()`.
#' @param nSeeds seeds compared; below 2: none.
#' @param leaveOut share of cells left out, above 0, below 1.
#' @param nSamples samples of cells; also of single cells removed.
#' @param top highest edges compared; NULL: TFs x 10, at most a tenth of all.
#' @param seed NULL: drawn from R's generator, so `set.seed()` governs it; or a
#'   whole number.
#' @param ... for [inferGRN()], such as `tfs`, `nTargets`, `assay.type`.
#' @param BPPARAM see [severalProcesses].
#' @param verbose show progress.
#' @return A [GRNStability-class]; its table has a row per comparison:
#'   `comparison`, `pair`, `cells` (in the smaller of the two), `shared` (of
#'   the `top` edges), `jaccard`, `chance` (the Jaccard index of random edges),
#'   `rankCorrelation` (Spearman's, over all edges).
#' @section Errors: as for [inferGRN()]; numbers out of range; too few cells
#'   to leave some out.
#' @seealso [plotStability()], [nullGRN()], [evaluateGRN()]
#' @examples
#' cells <- simulateCells(nCells = 150, nGenes = 30, nTFs = 5, seed = 1)
#' s <- stabilityGRN(cells, TreeGRNParam(trees = 20), nSeeds = 2, nSamples = 2,
#'     seed = 1
#' )
#' s
#' plotStability(s)
#' @export
stabilityGRN <- function(x, model = NULL, nSeeds = 3, leaveOut = 0.5,
    nSamples = 3, top = NULL, seed = NULL, ..., BPPARAM = NULL,
    verbose = interactive()) {
    .noRenamed(..., renamed = c(seeds = "nSeeds", samples = "nSamples"))
    nSeeds <- .checkNumber(nSeeds, "nSeeds", 0, 1000, TRUE)
    nSamples <- .checkNumber(nSamples, "nSamples", 0, 1000, TRUE)
    leaveOut <- .checkNumber(leaveOut, "leaveOut", 0, 1, open = TRUE)
    .checkFlag(verbose, "verbose")
    if (is.null(model)) {
        model <- CombinedGRNParam()
    }
    if (nSeeds < 2L && nSamples < 1L) {
        .stopArgument("nSeeds", "below 2 and no 'nSamples' leave nothing to ",
            "compare."
        )
    }
    .noBrackets(model, "model")
    x <- .cellsOf(x)
    key <- .newKey(seed)
    if (is(model, "FoundationModel")) {
        BPPARAM <- NULL
    }
    workers <- .startWorkers(BPPARAM)
    on.exit(.stopWorkers(workers))
    args <- list(...)
    if (!is.null(workers) && is.null(args$threads)) {
        args$threads <- 1L
    }
    job <- .stabilityJob(x, model, key, args)
    if (!is.null(top)) {
        top <- .checkNumber(top, "top", 1, whole = TRUE)
    }
    possible <- sum(job$use)
    top <- max(1, min(if (is.null(top)) 10 * length(job$tfs) else top,
        floor(possible / 10)
    ))
    plan <- .stabilityPlan(ncol(x), nSeeds, leaveOut, nSamples, key)
    rows <- .runStability(job, plan, top, workers, verbose)
    facts <- list(top = top, edges = possible, cells = ncol(x),
        genes = length(job$genes), tfs = length(job$tfs),
        model = .modelName(model), nSeeds = nSeeds, leaveOut = leaveOut
    )
    .report("GRNStability", .stabilityVerdict(rows, facts),
        list(comparisons = rows), facts, .keyText(key)
    )
}

.modelName <- function(model) {
    if (is(model, "GRNParam")) .paramName(model) else class(model)[[1L]]
}

## `fit(columns, k)`: scores of the edges, of cells `columns` (NULL: all) with
## the k-th seed, always on the TFs and genes of the network of all cells.
.stabilityJob <- function(x, model, key, args) {
    random <- !is(model, "FoundationModel")
    infer <- function(cells, k, more = list(), model) {
        all <- c(list(cells, model), args, more, list(verbose = FALSE))
        if (random) {
            all$seed <- (key[[2L]] + k) %% 2^32
        }
        all <- all[!duplicated(names(all), fromLast = TRUE) |
            !nzchar(names(all))]
        grn <- do.call(inferGRN, all)
        grn <- if (is(grn, "PooledGRN")) grn else poolGRN(grn)
        grn@scores
    }
    first <- infer(x, 0, model = model)
    tfs <- rownames(first)
    genes <- colnames(first)
    use <- !.selfEdges(first)
    same <- list(genes = genes)
    if (random) {
        same$tfs <- tfs
    }
    fit <- function(columns, k) {
        if (is.null(columns) && k == 0) {
            return(first[use])
        }
        s <- infer(if (is.null(columns)) x else x[, columns], k, same,
            .modelOfCells(model, columns, ncol(x))
        )
        .onGenes(s, tfs, genes)[use]
    }
    list(fit = fit, tfs = tfs, genes = genes, use = use)
}

## Labels or coordinates of all cells, cut to some of them.
.modelOfCells <- function(model, columns, n) {
    if (is.null(columns) || !is(model, "PerCellGRNParam")) {
        return(model)
    }
    s <- model@settings
    if (length(s$states) == n && n > 1L) {
        s$states <- s$states[columns]
    }
    if (!is.character(s$embedding) && NROW(s$embedding) == n) {
        s$embedding <- as.matrix(s$embedding)[columns, , drop = FALSE]
    }
    model@settings <- s
    model
}

## Genes without a count in a part of the cells have no edges there.
.onGenes <- function(scores, tfs, genes) {
    out <- matrix(0, length(tfs), length(genes))
    rows <- match(tfs, rownames(scores))
    columns <- match(genes, colnames(scores))
    out[!is.na(rows), !is.na(columns)] <- scores[rows[!is.na(rows)],
        columns[!is.na(columns)], drop = FALSE
    ]
    out
}

## Fits needed (columns or NULL, seed number), and which are compared.
.stabilityPlan <- function(n, seeds, leaveOut, samples, key) {
    fits <- list(list(columns = NULL, k = 0))
    pairs <- list()
    fits <- c(fits, lapply(seq_len(max(0, seeds - 1L)), function(k) {
        list(columns = NULL, k = k)
    }))
    if (seeds > 1L) {
        two <- utils::combn(seeds, 2L)
        pairs <- lapply(seq_len(ncol(two)), function(i) {
            list("seed", paste(two[1L, i], two[2L, i]), two[, i])
        })
    }
    out <- round(leaveOut * n)
    if (samples > 0L && (out < 1 || n - out < 2 || n < 4)) {
        .stopArgument("leaveOut", "leaves out ", out, " of ",
            .count(n, "cell"), "; both parts need some."
        )
    }
    for (s in seq_len(samples)) {
        order <- .shuffled(n, key, s)
        halves <- abs(2 * out - n) <= 1
        at <- length(fits)
        rest <- list(columns = sort(order[-seq_len(out)]), k = 0)
        half <- list(columns = sort(order[seq_len(out)]), k = 0)
        one <- list(columns = seq_len(n)[-order[[1L]]], k = 0)
        fits <- c(fits, list(rest), if (halves) list(half), list(one))
        last <- length(fits)
        pairs <- c(pairs, list(
            list("cells", as.character(s), c(if (halves) at + 2L else 1L,
                at + 1L
            )),
            list("one cell", as.character(s), c(1L, last))
        ))
    }
    list(fits = fits, pairs = pairs, n = n)
}

.runStability <- function(job, plan, top, workers, verbose) {
    bar <- .progressStart("Network ", length(plan$fits), verbose)
    on.exit(.progressDone(bar))
    force(job)
    fit <- .partsAhead(length(plan$fits), function(i) {
        job$fit(plan$fits[[i]]$columns, plan$fits[[i]]$k)
    }, workers)
    scores <- lapply(seq_along(plan$fits), function(i) {
        s <- fit(i)
        .progressTick(bar, i)
        s
    })
    size <- vapply(plan$fits, function(f) {
        if (is.null(f$columns)) plan$n else length(f$columns)
    }, numeric(1))
    highest <- lapply(scores, function(s) {
        utils::head(order(-s, method = "radix"), top)
    })
    ranks <- lapply(scores, rank)
    rows <- lapply(plan$pairs, function(p) {
        a <- p[[3L]][[1L]]
        b <- p[[3L]][[2L]]
        shared <- length(intersect(highest[[a]], highest[[b]]))
        random <- top^2 / length(scores[[1L]])
        data.frame(comparison = p[[1L]], pair = p[[2L]],
            cells = min(size[c(a, b)]), shared = shared,
            jaccard = shared / (2 * top - shared),
            chance = random / (2 * top - random),
            rankCorrelation = .rankCorrelation(ranks[[a]], scores[[b]])
        )
    })
    do.call(rbind, rows)
}

.stabilityLabels <- function(f) {
    halves <- abs(2 * round(f$leaveOut * f$cells) - f$cells) <= 1
    c(seed = "other seeds",
        cells = if (halves) "the other half of the cells" else
            sprintf("%.0f%% of cells left out", 100 * f$leaveOut),
        `one cell` = "one cell removed"
    )
}

## Which share of the highest edges stays, over what was compared.
.stabilityVerdict <- function(t, f) {
    labels <- .stabilityLabels(f)
    kinds <- unique(t$comparison)
    kept <- vapply(kinds, function(k) {
        mean(t$shared[t$comparison == k]) / f$top
    }, 0)
    random <- 2 * t$chance[[1L]] / (1 + t$chance[[1L]])
    text <- paste0("Stability of ", f$model, ": of the ", f$top,
        " highest edges ", paste(vapply(kept, .percent, ""), "stay with",
            labels[kinds], collapse = ", "), "; of random ones ",
        .percent(random))
    if ("one cell" %in% kinds && kept[["one cell"]] < 0.9) {
        text <- c(text,
            "! Removing one cell changes more than a tenth of the edges.")
    }
    main <- if ("cells" %in% kinds) "cells" else kinds[[1L]]
    .verdict(text, kept[[main]] > random, kept = kept, random = random)
}

setMethod(".showBody", "GRNStability", function(x) {
    f <- x@facts
    cat(.count(f$tfs, "TF"), " x ", .count(f$genes, "gene"), ", ",
        .count(f$cells, "cell"), "\n", sep = ""
    )
    t <- x@tables$comparisons
    labels <- .stabilityLabels(f)
    parts <- split(t, factor(t$comparison, unique(t$comparison)))
    span <- function(x) {
        x <- x[!is.na(x)]
        if (length(x) == 0L) {
            return("NA")
        }
        sprintf("%.2f (%.2f-%.2f)", mean(x), min(x), max(x))
    }
    print(data.frame(
        compared = unname(labels[names(parts)]),
        n = vapply(parts, nrow, integer(1)),
        `edges kept` = vapply(parts, function(p) {
            .percent(mean(p$shared) / f$top)
        }, ""),
        Jaccard = vapply(parts, function(p) span(p$jaccard), ""),
        chance = vapply(parts, function(p) sprintf("%.2f", p$chance[[1L]]), ""),
        `rank correlation` = vapply(parts, function(p) {
            span(p$rankCorrelation)
        }, ""), check.names = FALSE
    ), row.names = FALSE, right = FALSE)
})
