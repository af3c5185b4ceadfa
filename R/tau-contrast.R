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
#' a gene is `z = (tau2 - tau1) / sqrt(sd1^2 + sd2^2)`. Its null is the same
#' statistic over all usable genes and permutations; p = (1 + how many null |z|
#' are as large) / (1 + their number), q after Benjamini and Hochberg. Cells
#' are what is permuted: when the groups are samples or donors, differences
#' between samples of the same condition count as differences too, and only
#' replicates can tell them apart.
#'
#' @param fit a [TauFit-class] by the anchored method.
#' @param group the name of a column of `cellData(fit)`, or a value per cell;
#'   two values (others and missing ones are left out by `levels`).
#' @param levels the two values, first the reference; NULL: sorted values.
#' @param n permutations.
#' @param minCells cells of each group a state must have to be used.
#' @param force use a fit that isn't identifiable?
#' @param seed NULL: drawn from R's generator; or a whole number.
#' @param threads threads of the engine; NULL: option `causeway.threads`.
#' @param verbose show messages and progress.
#' @param x,object a `TauContrast`.
#' @param row.names,optional,... not used.
#' @return A `TauContrast`: `show()` says first how many genes differ at q <
#'   0.05, and how far delays differ as a whole; `as.data.frame()` gives
#'   `gene`, `tau1`, `sd1`, `tau2`, `sd2`, `difference` (second less first, in
#'   model units), `z`, `p`, `q`, by p.
#' @section Errors: a fit that isn't identifiable or keeps no counts; a group
#'   without two values; fewer than 20 states with `minCells` cells of both.
#' @seealso [estimateTau()], [scRNAToTau()], [plotTau()]
#' @examples
#' x <- simulateMultiome(nCells = 1200, nGenes = 60, seed = 1)
#' x$batch <- rep(c("a", "b"), length.out = ncol(x))
#' fit <- estimateTau(x, links = S4Vectors::metadata(x)$links, seed = 1)
#' contrastTau(fit, "batch", n = 3, force = TRUE, seed = 1)
#' @export
contrastTau <- function(fit, group, levels = NULL, n = 20, minCells = 3,
    force = FALSE, seed = NULL, threads = NULL, verbose = interactive()) {
    .checkTauFit(fit)
    .checkFlag(force, "force")
    n <- .checkNumber(n, "n", 1, 1e5, whole = TRUE)
    minCells <- .checkNumber(minCells, "minCells", 1, whole = TRUE)
    .needIdentifiable(fit, force, "compare")
    if (fit@method != "anchored" || is.null(fit@fit$counts)) {
        .stopArgument("fit", "must be made by the anchored method of ",
            "estimateTau(), which keeps the counts."
        )
    }
    labels <- .twoGroups(fit, group, levels)
    threads <- .threads(threads)
    key <- .newKey(seed)
    cells <- which(!is.na(labels))
    states <- .sharedStates(fit, labels, minCells)
    bar <- .progressStart("Permuting ", n, verbose)
    on.exit(.progressDone(bar))
    seen <- .groupDelays(fit, labels, states, threads)
    null <- vapply(seq_len(n), function(b) {
        mixed <- .permuteWithin(labels, fit@fit$metacell, key, b)
        z <- .groupDelays(fit, mixed, states, threads)$z
        .progressTick(bar, b)
        z
    }, numeric(length(fit@genes)))
    new("TauContrast", table = .contrastTable(fit, seen, null),
        facts = list(levels = base::levels(labels), cells = table(labels),
            states = length(states), permutations = n,
            identifiable = isTRUE(fit@verdict$identifiable),
            spread = stats::sd(seen$z, na.rm = TRUE),
            nullSpread = stats::sd(null, na.rm = TRUE)
        )
    )
}

#' @rdname contrastTau
#' @exportClass TauContrast
setClass("TauContrast", slots = c(table = "data.frame", facts = "list"))

## A factor over the fit's cells with two levels, NA for cells left out.
.twoGroups <- function(fit, group, levels) {
    if (is.character(group) && length(group) == 1L) {
        if (!group %in% colnames(fit@cellData)) {
            .stopArgument("group", "is \"", group, "\", which isn't a column ",
                "of cellData(fit): ", .some(colnames(fit@cellData), 8L), "."
            )
        }
        group <- fit@cellData[[group]]
    }
    if (length(group) != length(fit@cells)) {
        .stopArgument("group", "must have a value per cell, ",
            length(fit@cells), "; it has ", length(group), "."
        )
    }
    found <- as.character(sort(unique(group[!is.na(group)])))
    if (is.null(levels)) {
        levels <- found
    }
    levels <- as.character(levels)
    if (length(levels) != 2L || !all(levels %in% found)) {
        .stopArgument(if (length(found) == 2L) "levels" else "group",
            "must give two groups; it has ", length(found), " (",
            .some(found), "). Choose two with 'levels'."
        )
    }
    factor(as.character(group), levels)
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
    table <- data.frame(gene = fit@genes, tau1 = seen$tau[, 1L],
        sd1 = seen$sd[, 1L], tau2 = seen$tau[, 2L], sd2 = seen$sd[, 2L],
        difference = seen$tau[, 2L] - seen$tau[, 1L], z = z, p = p,
        q = stats::p.adjust(p, "BH")
    )
    table <- table[is.finite(z), ]
    table <- table[order(table$p, -abs(table$z)), ]
    rownames(table) <- NULL
    table
}

#' @rdname contrastTau
#' @export
setMethod("show", "TauContrast", function(object) {
    f <- object@facts
    t <- object@table
    hits <- sum(t$q < 0.05, na.rm = TRUE)
    cat(if (hits) {
        paste0(.count(hits, "gene"), " of ", nrow(t), " differ in delay ",
            "between ", f$levels[[1L]], " and ", f$levels[[2L]],
            " (q < 0.05).\n"
        )
    } else {
        paste0("Delays differ no more between ", f$levels[[1L]], " and ",
            f$levels[[2L]], " than between permuted labels.\n"
        )
    })
    if (!f$identifiable) {
        cat("! The fit's delays are not identifiable: this says nothing.\n")
    }
    cat("  cells: ", paste(names(f$cells), f$cells, collapse = ", "), "; ",
        f$states, " states with both; ", .count(f$permutations, "permutation"),
        "\n  spread of z: ", signif(f$spread, 3), ", permuted ",
        signif(f$nullSpread, 3), "\n", sep = ""
    )
    if (hits) {
        top <- head(t[t$q < 0.05, ], 5L)
        cat("  ", paste0(top$gene, " ", ifelse(top$difference > 0, "+", ""),
            signif(top$difference, 2), collapse = ", "), "\n", sep = "")
    }
    cat("Go on with as.data.frame(x)\n")
})

#' @rdname contrastTau
#' @method as.data.frame TauContrast
#' @export
as.data.frame.TauContrast <- function(x, row.names = NULL, optional = FALSE,
    ...) {
    x@table
}
