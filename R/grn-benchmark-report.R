## The report of benchmarkGRN().

#' A comparison of network methods
#'
#' What [benchmarkGRN()] returns: a [CausewayReport-class] with three tables.
#'
#' `table`, a row per data set, method and seed: `data`, `method`, `null` (is
#' it a null?), `seed`, `auprc`, `auprcRatio`, `auroc`, `early` (early
#' precision), `earlyRatio`, with `...Low` and `...High`; `aboveChance` (AUPRC
#' above 97.5% of random rankings), `seconds`, `memory` (bytes), `error`.
#'
#' `summary`, one row per method over all sets: `sets` without error, `ratio`
#' (geometric mean of AUPRC ratios), `early` (mean of early precision ratios),
#' `auroc` (mean), `meanRank` (1 is best, nulls not ranked), `best` (sets where
#' it is highest), `withinBest` (sets where the highest of the methods is not
#' above its interval), `aboveChance` and `aboveMarginal` (sets), `seconds`
#' (sum).
#'
#' `sets`, a row per set: `data`, `cells`, `genes`, `tfs`, `candidates`,
#' `known`, `share`. Facts: `title`, `seeds`, `nBoot`, `methods`.
#'
#' @param object a `GRNBenchmark`.
#' @param ... not used.
#' @return `summary()` gives the table `summary`. `write(x, file)` with a file
#'   that ends in `.html` makes one page of figure, tables and how to read
#'   them; see [verdict()] for this and the rest.
#' @seealso [benchmarkGRN()], [plotBenchmark()]
#' @examples
#' cells <- simulateCells(nCells = 200, nGenes = 40, nTFs = 8, seed = 1)
#' truth <- S4Vectors::metadata(cells)$simulation$edges
#' result <- benchmarkGRN(cells, truth,
#'     benchmarkMethods()[c("pearson", "ridge")], nBoot = 20
#' )
#' summary(result)
#' @name GRNBenchmark-class
#' @exportClass GRNBenchmark
setClass("GRNBenchmark", contains = "CausewayReport")

## Means over seeds, a row per set and method.
.overSeeds <- function(t) {
    key <- paste(match(t$data, unique(t$data)),
        match(t$method, unique(t$method))
    )
    parts <- split(t, factor(key, unique(key)))
    number <- vapply(t, is.numeric, logical(1))
    do.call(rbind, unname(lapply(parts, function(p) {
        row <- p[1L, ]
        row[number] <- lapply(p[number], mean)
        row$aboveChance <- mean(p$aboveChance) > 0.5
        row$error <- c(p$error[!is.na(p$error)], NA)[[1L]]
        row
    })))
}

## sets x methods of one column
.wide <- function(t, column) {
    sets <- unique(t$data)
    methods <- unique(t$method)
    out <- matrix(NA_real_, length(sets), length(methods),
        dimnames = list(sets, methods)
    )
    out[cbind(match(t$data, sets), match(t$method, methods))] <- t[[column]]
    out
}

#' @rdname GRNBenchmark-class
#' @export
setMethod("summary", "GRNBenchmark", function(object, ...) {
    .noDots(...)
    object@tables$summary
})

## One row per method over all sets.
.benchmarkSummary <- function(table) {
    t <- .overSeeds(table)
    wide <- .wide(t, "auprcRatio")
    high <- .wide(t, "auprcRatioHigh")
    high <- ifelse(is.na(high), wide, high)
    methods <- unique(t$method[!t$null])
    mine <- wide[, methods, drop = FALSE]
    ## over the sets that every method finished
    whole <- rowSums(is.na(mine)) == 0L
    ranks <- t(apply(-mine, 1L, rank))
    dim(ranks) <- dim(mine)
    top <- suppressWarnings(apply(mine, 1L, max, na.rm = TRUE))
    chance <- .wide(t, "aboveChance") == 1
    marginal <- if ("marginal" %in% colnames(wide)) wide[, "marginal"] else NA
    all <- colnames(wide)
    count <- function(m) unname(colSums(m, na.rm = TRUE))
    rank <- rep(NA_real_, length(all))
    if (any(whole)) {
        rank[match(methods, all)] <- colMeans(ranks[whole, , drop = FALSE])
    }
    data.frame(
        method = all, null = all %in% c("random", "marginal"),
        sets = count(!is.na(wide)),
        ratio = unname(exp(colMeans(log(wide[whole, , drop = FALSE])))),
        early = unname(colMeans(.wide(t, "earlyRatio")[whole, ,
            drop = FALSE])),
        auroc = unname(colMeans(.wide(t, "auroc")[whole, , drop = FALSE])),
        meanRank = rank,
        best = count(wide >= top & !(col(wide) > length(methods))),
        withinBest = count(high >= top),
        aboveChance = count(chance), aboveMarginal = count(wide > marginal),
        seconds = count(.wide(t, "seconds"))
    )
}

## What came out, in sentences.
.benchmarkVerdict <- function(s, t) {
    t <- .overSeeds(t)
    t <- t[!t$null & !is.na(t$auprc), ]
    nSets <- length(unique(t$data))
    m <- s[!s$null, ]
    seen <- vapply(split(t$aboveChance, factor(t$data, unique(t$data))), any,
        NA)
    none <- names(seen)[!seen]
    out <- character()
    if (nrow(m) > 1L && any(!is.na(m$meanRank))) {
        best <- m[which.min(m$meanRank), ]
        out <- sprintf(paste("Best mean rank of %d methods on %s: %s (%.1f);",
            "on %d of them the highest value is not above its interval."),
            nrow(m), .count(min(m$sets), "set"), best$method,
            best$meanRank, as.integer(best$withinBest)
        )
    }
    out <- c(out, if (length(none)) {
        sprintf("No method can be told from chance on %d of %s: %s.",
            length(none), .count(nSets, "set"), .some(none, 12L))
    } else {
        "On every set at least one method is above chance."
    })
    weak <- m$method[m$aboveMarginal <= m$sets / 2]
    if (length(weak)) {
        out <- c(out, sprintf(paste("Not above one number per TF and gene",
            "(the marginal null) on half of the sets or more: %s."),
            .some(weak, 12L)))
    }
    .verdict(out, holds = length(none) < nSets && length(weak) < nrow(m))
}

.benchmarkText <- function(s) {
    number <- function(v, digits) {
        ifelse(is.na(v), "", sprintf(paste0("%.", digits, "f"), v))
    }
    count <- function(v) {
        ifelse(s$null & s$method == "random", "", sprintf("%d", as.integer(v)))
    }
    data.frame(
        method = ifelse(s$null, paste0("(", s$method, ")"), s$method),
        `AUPRC ratio` = number(s$ratio, 2), `early ratio` = number(s$early, 2),
        AUROC = number(s$auroc, 2), `mean rank` = number(s$meanRank, 1),
        `within best` = ifelse(s$null, "", count(s$withinBest)),
        `above chance` = count(s$aboveChance),
        `above marginal` = ifelse(s$null, "", count(s$aboveMarginal)),
        sets = sprintf("%d", as.integer(s$sets)),
        seconds = ifelse(s$null, "", number(s$seconds, 1)),
        check.names = FALSE
    )
}

setMethod(".showBody", "GRNBenchmark", function(x) {
    table <- x@tables$table
    cat(.count(sum(!x@tables$summary$null), "method"), " on ",
        .count(length(unique(table$data)), "set"), ":\n", sep = ""
    )
    text <- .benchmarkText(x@tables$summary)
    names(text) <- c("method", "ratio", "early", "AUROC", "rank", "near best",
        "> chance", "> marginal", "sets", "seconds"
    )
    print(text, row.names = FALSE, right = TRUE)
    cat(strwrap(paste("ratio: AUPRC over the share of known edges, geometric",
        "mean, about 1 by chance; near best: sets where the best is not above",
        "its interval; (nulls)"
    ), width = 78L), sep = "\n")
    failed <- table[!is.na(table$error), ]
    if (nrow(failed)) {
        cat("Failed: ", .some(unique(paste0(failed$method, " on ",
            failed$data, " (", failed$error, ")"
        )), 3L), "\n", sep = "")
    }
})
