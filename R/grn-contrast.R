## Differences of per-cell networks between two groups of cells.

#' Differences of networks between groups of cells
#'
#' Which edges and which regulators differ between two groups of cells, or
#' between one group and the rest, against permuted labels.
#'
#' @section Edges:
#' Tested are the edges that are among the `top` of the mean network of either
#' group, self edges left out. The effect is the difference of the mean scores,
#' `level` less `ref`; z is the effect over its standard deviation under
#' permutation of the labels. p is the share of the z of all tested edges and
#' all permutations that are as large in size (1 added to both counts), q is
#' Benjamini and Hochberg's over the edges tested. As the choice of edges sees
#' the labels, read q as approximate for edges near the end of `top`; the count
#' under permuted labels, which is made on the same edges, says how much
#' to expect.
#'
#' In a [StateGRN-class] the cells of a state share one estimated network, so
#' permuted labels ask only whether the groups are in different states: then
#' nearly every edge differs, if only by the noise of its estimation. Therefore
#' `pNoise`: the difference of the slopes (times the TF's standard deviation)
#' over its standard error in the ridge regression (of networks per label those
#' of the departures, the pooled network being taken as known, and a label with
#' the pooled network as having none); count on edges with both
#' `q` and `qNoise` below 0.05. Neither tells direct edges from indirect ones.
#' In 6 simulations with known edges (2,000 cells, two of four contexts, 300
#' edges each) 9 to 25% of the edges with q < 0.05 truly differed, 18 to 40%
#' of those with both, and of those with both that are edges at all 50 to 80%.
#' @section Regulators:
#' The same for [regulonActivity()], with `method = "targets"` (`activity`) and
#' `"strength"`, and, as the baseline, for the standardised expression of the
#' TF's own gene (`expression`). Where edges have signs ([StateGRN-class]) the
#' targets that a TF represses count negatively in its activity, so that it is
#' high when activated targets are up and repressed ones down. `pSets` asks
#' something else: whether the targets of the TF in the mean network differ
#' otherwise than genes drawn at random with the same weights (and the signs
#' the network gives to them). The distance from random genes, in their
#' standard deviations, is compared with that under permuted labels. Where half
#' of all genes differ between the groups, so does nearly every regulon: then
#' only `pSets` says something about the regulator. The network was estimated
#' from the same cells: a difference is an association, not an effect of the
#' TF.
#' @section What is permuted:
#' Cells, as if each were drawn independently. Where cells come from a few
#' donors or batches, give `block`. If the groups share blocks, the effect is
#' the mean difference within blocks (blocks weighted by n1 n2 / (n1 + n2)) and
#' labels are permuted within blocks; blocks with one group are left out. If
#' the group is the same throughout every block, the effect is the
#' difference between means of blocks, and whole blocks are permuted.
#' Intervals are 95%, normal, with the variances within each group.
#'
#' @section Files of many cells: With cells as `x`, such as the path of a file,
#' the networks are those of labels, inferred first unless `grn` gives them.
#' What [inferGRN()] then holds of a large file is a sample of its cells; this
#' verb reads all of them twice, block by block, and every effect, p and
#' interval is what it would be in memory. Held are the permuted labels (a byte for each
#' cell and permutation) and sums; how much that takes is said before.
#'
#' @param x a [CellGRN-class] or [StateGRN-class]; or cells in any container, or
#'   the path of a file, see [cellInput].
#' @param group a column of `cellData(x)` (`colData(x)`) or a value per cell;
#'   cells without a
#'   value are left out.
#' @param ref,level two values of `group`. `level` alone is compared with
#'   all other cells, `ref` alone with the one other group. Neither: for two
#'   groups, the first is `ref`: the first level of a factor, the lower number,
#'   of text the one first by character codes (capitals before small letters),
#'   whatever the locale.
#' @param nPerm permutations, at least 19.
#' @param top highest edges of each group's mean network that are tested.
#' @param by what to compare.
#' @param block NULL, or a column of `cellData(x)` or a value per cell, such as
#'   the donor.
#' @param targets targets per TF and cell for the activity.
#' @param signed use the signs of edges in the activity? NULL: where known.
#' @param seed NULL: from R's generator; or a whole number.
#' @param BPPARAM see [severalProcesses]; the scores of edges are shared among
#'   workers, by cells.
#' @param verbose show messages?
#' @param ... for cells as `x`: without `grn` what [inferGRN()] takes; with it
#'   `assay.type`, `symbols`, `species`, `alreadyNormalised`. Else not used.
#' @return A [GRNContrast-class].
#' @section Errors: `group` with one value, or more than two and no `level`; a
#'   value that isn't there; a group with fewer than two cells (or, where whole
#'   blocks are permuted, fewer than two blocks); no block with both groups.
#' @seealso [plotContrast()], [plotEdge()], [poolGRN()], [switchingEdges()],
#'   [regulonActivity()]
#' @references Benjamini and Hochberg (1995) J. R. Stat. Soc. B 57, 289-300.
#'   Tusher et al. (2001) PNAS 98, 5116-5121 (the pooled permutation null).
#'   Efron and Tibshirani (2007) Ann. Appl. Stat. 1, 107-129 (`pSets`).
#' @examples
#' grn <- exampleGRN()
#' change <- contrastGRN(grn, "group", ref = "early", level = "late",
#'     top = 50, seed = 1)
#' change
#' head(as.data.frame(change, "edges"))
#' @rdname contrastGRN
#' @aliases contrastGRN,CellGRN-method contrastGRN,StateGRN-method
#'   contrastGRN,ANY-method
#' @export
setMethod("contrastGRN", "PerCellNetworks", function(x, group, ref = NULL,
    level = NULL, nPerm = 100, top = 500, by = c("edges", "regulators"),
    block = NULL, targets = 50, signed = NULL, seed = NULL, ...,
    BPPARAM = NULL, verbose = interactive()) {
    .noDots(..., renamed = c(permutations = "nPerm", sign = "signed"))
    s <- .contrastSettings(x, nPerm, top, by, targets, signed, verbose)
    groups <- .contrastGroups(x@cellData, group, ref, level)
    if (is(x, "CellGRN") && is(x@factors, "LazyFactors")) {
        BPPARAM <- NULL
    }
    s$workers <- .startWorkers(BPPARAM)
    on.exit(.stopWorkers(s$workers))
    key <- .newKey(seed)
    design <- .contrastDesign(x@cellData, groups, block, s$nPerm, key)
    networks <- .networkColumns(x, design$at)
    if ("edges" %in% s$by) {
        .say(verbose, "Edges, ", design$facts$nPerm, " permutations")
        s$tested <- .testedEdges(x, networks, design, s$top)
        s$noise <- .slopeNoiseP(x, networks, design, s$tested$at)
    }
    if ("regulators" %in% s$by) {
        .say(verbose, "Regulators, ", design$facts$nPerm, " permutations")
        s$values <- .heldValues(x, design, s)
    }
    .contrastOf(x, networks, design, groups, s, key)
})

## What was asked for, checked.
.contrastSettings <- function(x, nPerm, top, by, targets, signed, verbose) {
    .checkFlag(verbose, "verbose")
    list(signed = .signsKnown(x, signed), verbose = verbose,
        nPerm = .checkNumber(nPerm, "nPerm", 19, 1e6, whole = TRUE),
        top = .checkNumber(top, "top", 1, 1e6, whole = TRUE),
        targets = .checkNumber(targets, "targets", 1, 2^31, whole = TRUE),
        by = .someOf(by, c("edges", "regulators"), "by")
    )
}

## The report. networks: see .networkColumns(); s: settings, and of edges
## `tested` and `noise`, of regulators `values`, see .contrastRegulators().
.contrastOf <- function(x, networks, design, groups, s, key) {
    facts <- c(groups[c("level", "ref")], design$facts, s[c("top", "targets")])
    edges <- regulators <- NULL
    if (!is.null(s$tested)) {
        edges <- .contrastEdges(x, networks, design, s)
        facts$edges <- edges$found
    }
    if (!is.null(s$values)) {
        regulators <- .contrastRegulators(x, networks, design, s)
        facts$regulators <- regulators$found
    }
    facts$signed <- s$signed
    facts$noVariation <- .sharedNetwork(x, networks$first)
    facts$pooled <- .pooledAmong(x, networks$first)
    .report("GRNContrast", .contrastVerdict(facts), list(edges = edges$table,
        regulators = regulators$table), facts, .keyText(key))
}

## TRUE or FALSE; an error when signs are asked for that aren't there.
.signsKnown <- function(x, signed) {
    known <- methods::is(x, "StateGRN")
    if (is.null(signed)) {
        return(known)
    }
    if (.checkFlag(signed, "signed") && !known) {
        .stopArgument("signed", "is TRUE, but the scores of a ",
            class(x)[[1L]], " have no signs; leave it NULL."
        )
    }
    signed
}

## One or more of `choices`.
.someOf <- function(x, choices, arg) {
    if (!is.character(x) || !length(x) || anyNA(x) || !all(x %in% choices)) {
        .stopArgument(arg, "must be one or more of ",
            paste0("\"", choices, "\"", collapse = ", "), "; it is ",
            .show(x), "."
        )
    }
    unique(x)
}

## ---- edges -----------------------------------------------------------------

## The top of either group's mean network: list(edges, at: TF and gene).
.testedEdges <- function(x, networks, design, top) {
    y <- .ofLevel(design)
    pools <- lapply(list(y, !y), function(which) {
        .matrixEdges(as.matrix(.poolOf(x, networks, design, which)),
            list(top = top), FALSE)
    })
    edges <- unique(do.call(rbind, pools)[c("Gene1", "Gene2")])
    list(edges = edges, at = cbind(match(edges$Gene1, tfNames(x)),
        match(edges$Gene2, geneNames(x))))
}

## Scores of the edges at `at` in the networks `first[part]`.
.edgeValues <- function(x, first, at) {
    force(list(x, first, at))
    function(part) .edgeScores(x, first[part], at)
}

.contrastEdges <- function(x, networks, design, s) {
    tested <- s$tested
    edges <- tested$edges
    sums <- .contrastSums(.edgeValues(x, networks$first, tested$at),
        length(networks$first), networks$of, design, s$workers)
    test <- .contrastTest(sums, design)
    if (methods::is(x, "StateGRN")) {
        edges$sign <- as.integer(sign(x@pooled[tested$at]))
        test <- .addSlopeNoise(test, s$noise)
    }
    table <- cbind(edges, test$table)
    first <- if (is.null(table$pNoise)) order(table$p, -abs(table$z)) else
        order(pmax(table$p, table$pNoise), -abs(table$effect))
    table <- table[first, ]
    rownames(table) <- NULL
    list(table = table, found = test$found)
}

## The mean network of the cells design$at[which].
.poolOf <- function(x, networks, design,
    which = rep(TRUE, length(design$at))) {
    if (!methods::is(x, "StateGRN")) {
        return(poolGRN(x, design$at[which]))
    }
    .poolStates(x, networks$first, tabulate(networks$of[which],
        length(networks$first)))
}

.addSlopeNoise <- function(test, p) {
    if (is.null(p)) {
        return(test)
    }
    test$table$pNoise <- p
    test$table$qNoise <- stats::p.adjust(p, "BH")
    test$found$beyondNoise <- sum(test$table$q < 0.05 &
        test$table$qNoise < 0.05)
    test
}

## Cells whose networks differ: list(first = one cell of each, of = which of
## them every cell has).
.networkColumns <- function(x, at) {
    if (methods::is(x, "StateGRN")) {
        return(.sameMemberships(x, at))
    }
    list(first = at, of = seq_along(at))
}

## Scores of the edges at (TF, gene) in cells: edges x cells.
.edgeScores <- function(x, cells, at) {
    if (methods::is(x, "StateGRN")) {
        w <- t(x@memberships[cells, , drop = FALSE])
        flat <- matrix(x@slope, length(x@pooled))
        slope <- flat[(at[, 2L] - 1L) * length(x@tfs) + at[, 1L], ,
            drop = FALSE
        ] %*% w
        sd <- sqrt(x@sd^2 %*% w)
        return(abs(slope) * sd[at[, 1L], , drop = FALSE])
    }
    ## factors on disk, or made anew, are fetched once for all these cells
    here <- is.list(x@factors)
    view <- if (here) .networkView(x) else
        .viewOf(x, length(cells), .factorsAt(x, cells))
    cells <- if (here) cells else seq_along(cells)
    threads <- .threads()
    out <- vapply(as.integer(cells) - 1L, function(cell) {
        .Call(cw_r_network_cell, view, cell, threads)[at]
    }, numeric(nrow(at)))
    matrix(out, nrow(at))
}

## ---- regulators ------------------------------------------------------------

## The expression and activity of cells that are held, see
## .contrastRegulators().
.heldValues <- function(x, design, s) {
    activity <- if (methods::is(x, "StateGRN")) {
        regulonActivity(x, top = s$targets, signed = s$signed)
    } else {
        regulonActivity(x, top = s$targets)
    }
    list(z = .standardiser(x@expression),
        activity = function(v, at) {
            activity[, design$at[at], drop = FALSE]
        },
        each = function(f) {
            for (at in .columnBlocks(length(design$at), 2048L)) {
                f(.expressionOf(x, design$at[at]), at)
            }
        }
    )
}

## s$values: list(z: mean and scale of genes; each(f): calls f(values, at) for
## blocks of the cells design$at; activity(values, at): of such a block).
.contrastRegulators <- function(x, networks, design, s) {
    tfs <- tfNames(x)
    z <- s$values$z
    own <- match(tfs, geneNames(x))
    sums <- list(activity = list(), expression = list(), change = list())
    s$values$each(function(v, at) {
        part <- .designAt(design, at)
        sums$activity <<- .addContrast(sums$activity,
            s$values$activity(v, at), part)
        sums$expression <<- .addContrast(sums$expression,
            (as.matrix(v[own, , drop = FALSE]) - z$mean[own]) * z$scale[own],
            part)
        sums$change <<- .addContrast(sums$change, v, part, FALSE)
    })
    strength <- regulonActivity(x, method = "strength")
    strength <- .contrastSums(function(part) {
        strength[, networks$first[part], drop = FALSE]
    }, length(networks$first), networks$of, design)
    tests <- lapply(list(
        activity = .finishContrast(sums$activity, design),
        strength = strength,
        expression = .finishContrast(sums$expression, design)
    ), .contrastTest, design = design)
    part <- function(what, prefix) {
        t <- tests[[what]]$table[c("effect", "low", "high", "p", "q")]
        names(t) <- c(prefix, paste0(prefix, c("Low", "High", "P", "Q")))
        t
    }
    a <- tests$activity$table
    sets <- .setsP(x, as.matrix(.poolOf(x, networks, design)),
        .finishContrast(sums$change, design)$effect * z$scale, s)
    table <- data.frame(TF = tfs, a,
        pSets = sets, qSets = stats::p.adjust(sets, "BH"),
        part("strength", "strength"), part("expression", "expression")
    )
    ## half of all genes may differ: first what differs otherwise than they do
    table <- table[order(table$pSets, table$p, -abs(table$z)), ]
    rownames(table) <- NULL
    found <- lapply(tests, `[[`, "found")
    found$sets <- sum(table$qSets < 0.05)
    list(table = table, found = found)
}

## p of "the targets of the TF in the mean network differ otherwise than genes
## at random": their weighted difference between the groups, less the mean of
## random sets of genes and over their standard deviation, against the same
## with permuted labels (restandardised, Efron and Tibshirani 2007).
## scores: of the mean network; change: genes x (1 + n).
.setsP <- function(x, scores, change, s) {
    own <- match(rownames(scores), colnames(scores))
    scores[cbind(seq_along(own), own)] <- 0
    weight <- .topWeights(scores, s$targets)
    t <- vapply(seq_along(own), function(i) {
        moved <- if (s$signed) change * sign(x@pooled[i, ]) else change
        moved <- moved[-own[[i]], , drop = FALSE]
        w <- weight[i, -own[[i]]]
        mean <- colMeans(moved)
        sd <- sqrt(pmax(colMeans(moved^2) - mean^2, 0) * sum(w^2))
        away <- as.vector(w %*% moved) - mean * sum(w)
        abs(away) / ifelse(sd > 0, sd, Inf)
    }, numeric(ncol(change)))
    .pooledP(t(t))[, 1L]
}
