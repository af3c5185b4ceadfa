## Do delays differ between groups of cells?

#' Differences of delays between two groups of cells
#'
#' Reads every gene's delay in each group alone, with the states and the flow
#' that both share, and asks whether the difference is more than when the
#' labels are permuted over cells of the same state. Permuting within states
#' keeps what cell composition does out of the comparison.
#'
#' @details
#' Chromatin and RNA are pooled by state (metacell) and group. The statistic of
#' a gene is the difference of its delays over its sd, z = (tauLevel - tauRef)
#' / sqrt(sdRef^2 + sdLevel^2). Its null is the same
#' statistic over all usable genes and permutations; p = (1 + how many null |z|
#' are as large) / (1 + their number), q after Benjamini and Hochberg. Cells
#' are what is permuted: when the groups are samples or donors, differences
#' between samples of the same condition count as differences too, and only
#' replicates can tell them apart.
#'
#' @param x a [TauFit-class] by the anchored method.
#' @param group the name of a column of `cellData(x)`, or a value per cell;
#'   cells without a value are left out.
#' @param ref,level two values of `group`, compared as `level` less `ref`.
#'   `level` alone is compared with all other cells, `ref` alone with the one
#'   other group. Neither: for two groups, the first is `ref` (a factor's first
#'   level; else the first of the sorted values).
#' @param nPerm permutations.
#' @param minCells cells of each group a state must have to be used.
#' @param force use a fit that isn't identifiable?
#' @param seed NULL: drawn from R's generator; or a whole number.
#' @param threads threads of the engine; NULL: option `causeway.threads`.
#' @param verbose show messages and progress.
#' @param ... not used.
#' @return A `TauContrast`, a report (see [verdict()] for what all reports
#'   give): `show()` says first how many genes differ at q < 0.05, and how far
#'   delays differ as a whole; the table `genes` has `gene`, `tauRef`, `sdRef`,
#'   `tauLevel`, `sdLevel`, `difference` (`level` less `ref`, in model units),
#'   `z`, `p`, `q`, by p.
#' @section Errors: a fit that isn't identifiable or keeps no counts; a group
#'   without two values; fewer than 20 states with `minCells` cells of both.
#' @seealso [estimateTau()], [scRNAToTau()], [plotTau()]
#' @examples
#' x <- simulateMultiome(nCells = 1200, nGenes = 60, seed = 1)
#' x$batch <- rep(c("a", "b"), length.out = ncol(x))
#' fit <- estimateTau(x, links = S4Vectors::metadata(x)$links, seed = 1)
#' contrastTau(fit, "batch", nPerm = 3, force = TRUE, seed = 1)
#' @export
contrastTau <- function(x, group, ref = NULL, level = NULL, nPerm = 20,
    minCells = 3, force = FALSE, seed = NULL, threads = NULL, verbose = TRUE,
    ...) {
    .noDots(..., renamed = c(fit = "x", levels = "ref' and 'level"))
    .checkTauFit(x)
    .checkFlag(force, "force")
    .checkFlag(verbose, "verbose")
    nPerm <- .checkNumber(nPerm, "nPerm", 1, 1e5, whole = TRUE)
    minCells <- .checkNumber(minCells, "minCells", 1, whole = TRUE)
    .needIdentifiable(x, force, "compare")
    if (x@method != "anchored" || is.null(x@fit$counts)) {
        .stopArgument("x", "must be made by the anchored method of ",
            "estimateTau(), which keeps the counts."
        )
    }
    labels <- .twoGroups(x, group, ref, level)
    threads <- .threads(threads)
    key <- .newKey(seed)
    states <- .sharedStates(x, labels, minCells)
    seen <- .groupDelays(x, labels, states, threads)
    null <- .permutedDelays(x, labels, states, nPerm, key, threads, verbose)
    .contrastReport(.contrastTable(x, seen, null), facts = list(
        ref = levels(labels)[[1L]], level = levels(labels)[[2L]],
        cells = table(labels), states = length(states), permutations = nPerm,
        identifiable = isTRUE(x@verdict$identifiable),
        spread = stats::sd(seen$z, na.rm = TRUE),
        nullSpread = stats::sd(null, na.rm = TRUE)
    ), key)
}

#' @rdname contrastTau
#' @exportClass TauContrast
setClass("TauContrast", contains = "CausewayReport")

.contrastReport <- function(table, facts, key) {
    hits <- sum(table$q < 0.05, na.rm = TRUE)
    between <- paste0("between ", facts$ref, " and ", facts$level)
    text <- if (hits) {
        paste0(.count(hits, "gene"), " of ", nrow(table), " differ in delay ",
            between, " (q < 0.05)."
        )
    } else {
        paste0("Delays differ no more ", between, " than between permuted ",
            "labels."
        )
    }
    if (!facts$identifiable) {
        text <- c(text, paste("! The fit's delays are not identifiable: this",
            "says nothing."))
    }
    .report("TauContrast",
        .verdict(text, if (facts$identifiable) hits > 0 else NA),
        list(genes = table), facts, .keyText(key)
    )
}

## A factor over the fit's cells, levels ref and level, NA for cells left out.
.twoGroups <- function(fit, group, ref, level) {
    groups <- .contrastGroups(fit@cellData, group, ref, level)
    labels <- rep(NA_character_, length(fit@cells))
    labels[groups$at] <- ifelse(groups$y, groups$level, groups$ref)
    factor(labels, c(groups$ref, groups$level))
}

.sharedStates <- function(fit, labels, minCells) {
    count <- table(factor(fit@fit$metacell, seq_len(nrow(fit@fit$z))), labels)
    states <- which(apply(count >= minCells, 1L, all))
    if (length(states) < 20L) {
        .stopArgument("group", "shares ", length(states), " states with ",
            minCells, " cells of both groups; 20 are needed. The groups may ",
            "be different kinds of cells, whose delays can't be compared."
        )
    }
    unname(states)
}

## z of all genes (rows) with permuted labels (columns).
.permutedDelays <- function(fit, labels, states, nPerm, key, threads,
    verbose) {
    bar <- .progressStart("Permuting ", nPerm, verbose)
    on.exit(.progressDone(bar))
    vapply(seq_len(nPerm), function(b) {
        mixed <- .permuteWithin(labels, fit@fit$metacell, key, b)
        z <- .groupDelays(fit, mixed, states, threads)$z
        .progressTick(bar, b)
        z
    }, numeric(length(fit@genes)))
}

## Labels permuted among the cells of each state.
.permuteWithin <- function(labels, state, key, draw) {
    at <- which(!is.na(labels))
    luck <- .Call(cw_r_permutation, length(at), as.double(key), draw)
    place <- at[order(state[at])]
    labels[place] <- labels[at[order(state[at], luck)]]
    labels
}

## Delays of each group: tau and sd (genes x 2) and z.
.groupDelays <- function(fit, labels, states, threads) {
    parts <- lapply(seq_len(2L), function(g) {
        .oneGroup(fit, which(as.integer(labels) == g), states, threads)
    })
    tau <- vapply(parts, `[[`, numeric(length(fit@genes)), "mean")
    sd <- vapply(parts, `[[`, numeric(length(fit@genes)), "sd")
    usable <- fit@fit$usable
    tau[!usable, ] <- sd[!usable, ] <- NA
    list(tau = tau, sd = sd,
        z = (tau[, 2L] - tau[, 1L]) / sqrt(pmax(rowSums(sd^2), 1e-6))
    )
}

.oneGroup <- function(fit, cells, states, threads) {
    f <- fit@fit
    row <- match(f$metacell[cells], states)
    cells <- cells[!is.na(row)]
    pool <- Matrix::sparseMatrix(i = cells, j = row[!is.na(row)], x = 1,
        dims = c(length(fit@cells), length(states))
    )
    depthA <- as.vector(f$counts$depthChromatin %*% pool)
    depthR <- as.vector(f$counts$depthRna %*% pool)
    rate <- function(m, depth) t(as.matrix(m %*% pool)) / pmax(depth, 1e-9)
    fitted <- .Call(cw_r_tau_readout, f$features[, states, , drop = FALSE],
        rate(f$counts$chromatin, depthA), rate(f$counts$rna, depthR),
        depthA, depthR, f$options$lambda, threads
    )
    ok <- f$usable & colSums(!is.finite(fitted$deviance)) == 0
    .Call(cw_r_tau_posterior, fitted$deviance, f$grid, ok)
}

.contrastTable <- function(fit, seen, null) {
    known <- sort(abs(null[is.finite(null)]))
    z <- seen$z
    above <- length(known) - findInterval(abs(z), known, left.open = TRUE)
    p <- (1 + above) / (1 + length(known))
    p[!is.finite(z)] <- NA
    table <- data.frame(gene = fit@genes, tauRef = seen$tau[, 1L],
        sdRef = seen$sd[, 1L], tauLevel = seen$tau[, 2L],
        sdLevel = seen$sd[, 2L],
        difference = seen$tau[, 2L] - seen$tau[, 1L], z = z, p = p,
        q = stats::p.adjust(p, "BH")
    )
    table <- table[is.finite(z), ]
    table <- table[order(table$p, -abs(table$z)), ]
    rownames(table) <- NULL
    table
}

setMethod(".showBody", "TauContrast", function(x) {
    f <- x@facts
    t <- x@tables$genes
    cat("  cells: ", paste(names(f$cells), f$cells, collapse = ", "), "; ",
        f$states, " states with both; ", .count(f$permutations, "permutation"),
        "\n  spread of z: ", signif(f$spread, 3), ", permuted ",
        signif(f$nullSpread, 3), "\n", sep = ""
    )
    top <- head(t[which(t$q < 0.05), ], 5L)
    if (nrow(top)) {
        cat("  ", paste0(top$gene, " ", ifelse(top$difference > 0, "+", ""),
            signif(top$difference, 2), collapse = ", "), "\n", sep = "")
    }
})
