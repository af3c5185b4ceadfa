## One test each: its statistic, p and row of the report.

## One test. `uses`: "ranking" or "effects" of the fit, or "nothing" of it that
## needs identifiable delays.
.testRow <- function(layer, test, statistic = NA_real_, p = NA_real_,
    threshold = "", passed = NA, n = NA_integer_, note = "",
    uses = "ranking") {
    data.frame(layer = layer, test = test, statistic = as.numeric(statistic),
        p = as.numeric(p), threshold = threshold, n = as.integer(n),
        passed = as.logical(passed), status = "", note = note, uses = uses
    )
}

.notRun <- function(layer, test, threshold, needs, uses = "ranking") {
    .testRow(layer, test, threshold = threshold,
        note = paste("needs", needs), uses = uses
    )
}

## Mann-Whitney: are the first greater (less)? U / (n1 n2) and p.
.mannWhitney <- function(x, y, alternative) {
    n <- c(length(x), length(y))
    if (any(n == 0L)) {
        return(list(share = NaN, p = NaN))
    }
    exact <- min(n) <= 8L && max(n) <= 50L && !anyDuplicated(c(x, y))
    test <- suppressWarnings(stats::wilcox.test(x, y,
        alternative = alternative, exact = exact, correct = TRUE
    ))
    list(share = unname(test$statistic) / prod(n), p = test$p.value)
}

## A row for two groups of genes. `side`: what the first is expected to be.
.groupsRow <- function(layer, test, x, y, side, note = "") {
    found <- .mannWhitney(x, y, side)
    threshold <- "p < 0.05"
    if (is.nan(found$p)) {
        return(.notRun(layer, test, threshold, paste0("genes with a delay in ",
            "both groups; there are ", length(x), " and ", length(y)
        )))
    }
    .testRow(layer, test, found$share, found$p, threshold, found$p < 0.05,
        length(x) + length(y),
        paste0(length(x), " against ", length(y), " genes; medians ",
            signif(stats::median(x), 3), " and ", signif(stats::median(y), 3),
            if (nzchar(note)) paste0("; ", note)
        )
    )
}

## 2 x 2: sample odds ratio and Fisher's p, two-sided.
.fisherRow <- function(layer, test, first, second, above, note) {
    table <- table(factor(first, c(TRUE, FALSE)), factor(second,
        c(TRUE, FALSE)
    ))
    threshold <- paste0("OR > ", above, ", p < 0.05")
    if (any(rowSums(table) == 0) || any(colSums(table) == 0)) {
        return(.notRun(layer, test, threshold, paste0("genes in and outside ",
            "both sets; ", sum(first), " and ", sum(second), " of ",
            length(first), " are in them"
        )))
    }
    ratio <- table[1, 1] * table[2, 2] / (table[1, 2] * table[2, 1])
    p <- stats::fisher.test(table)$p.value
    .testRow(layer, test, ratio, p, threshold, ratio > above && p < 0.05,
        length(first), paste0(table[1, 1], " in both; ", note)
    )
}

.correlationRow <- function(layer, test, x, y, above, threshold, uses,
    needP = FALSE, note = "") {
    ok <- is.finite(x) & is.finite(y)
    if (sum(ok) < 5L || length(unique(x[ok])) < 2L ||
        length(unique(y[ok])) < 2L) {
        return(.notRun(layer, test, threshold, paste0("five genes that ",
            "differ in both; there are ", sum(ok)
        ), uses))
    }
    test_ <- suppressWarnings(stats::cor.test(x[ok], y[ok],
        method = "spearman", exact = FALSE
    ))
    rho <- unname(test_$estimate)
    p <- test_$p.value
    .testRow(layer, test, rho, p, threshold,
        rho > above && (!needP || p < 0.05), sum(ok), note, uses
    )
}

## Where the median of a set stands among all delays, in percent.
.quartileRow <- function(test, x, all, threshold, passed) {
    threshold <- paste("percentile", threshold)
    if (!length(x)) {
        return(.notRun(2L, test, threshold, "genes of the set with a delay"))
    }
    middle <- stats::median(x)
    at <- 100 * (mean(all < middle) + mean(all == middle) / 2)
    .testRow(2L, test, at, NA, threshold, passed(at), length(x),
        "percentile of the set's median; 50: no difference"
    )
}

## A share of agreements; p against tossing a coin.
.rateRow <- function(layer, test, same, above) {
    threshold <- paste(">", above)
    if (!length(same)) {
        return(.notRun(layer, test, threshold, "genes to compare", "effects"))
    }
    p <- stats::binom.test(sum(same), length(same),
        alternative = "greater"
    )$p.value
    .testRow(layer, test, mean(same), p, threshold, mean(same) > above,
        length(same), "by chance 0.5 (p: binomial)", "effects"
    )
}
