## A comparison of methods as one page: the tables with how to read them.

setMethod(".pageBody", "GRNBenchmark", function(x) {
    tags <- htmltools::tags
    small <- function(...) tags$p(class = "small", paste(...))
    summary <- x@tables$summary
    sets <- length(unique(x@tables$table$data))
    list(
        tags$h2("What was compared"), tags$p(.comparedText(x)),
        .tagTable(.setsText(x@tables$sets)),
        tags$h2("Over all sets"),
        .tagTable(.benchmarkText(summary), ifelse(summary$null, "null", "")),
        small(.summaryNote), tags$h2("Set by set: AUPRC ratio"),
        .reportFigure(x, height = max(3, min(24, 1.6 + 0.55 * sets)),
            alt = "AUPRC ratio by set and method"),
        .ratioTable(x), small(.ratioNote, .failedText(x@tables$table)),
        tags$h2("How to read this"),
        tags$ul(lapply(.benchmarkCaveats, tags$li))
    )
})

.setsText <- function(sets) {
    data.frame(`data set` = sets$data,
        cells = format(sets$cells, big.mark = ","),
        genes = format(sets$genes, big.mark = ","), TFs = sets$tfs,
        candidates = format(sets$candidates, big.mark = ","),
        `known edges` = format(sets$known, big.mark = ","),
        share = sprintf("%.1f%%", 100 * sets$share), check.names = FALSE
    )
}

.failedText <- function(t) {
    failed <- t[!is.na(t$error), ]
    if (nrow(failed)) {
        paste("Failed:", paste(unique(paste0(failed$method, " on ",
            failed$data, ": ", failed$error)), collapse = "; "))
    }
}

.comparedText <- function(x) {
    n <- sum(!x@tables$summary$null)
    paste0("Each of ", .count(n, "method"), " ranked all candidate edges (a ",
        "transcription factor acting on a gene) from expression alone, on ",
        .count(length(unique(x@tables$table$data)), "data set"), " whose true ",
        "or published edges are known. A good method puts known edges first. ",
        "Candidates are the factors that have a known edge x all genes."
    )
}

.summaryNote <- paste(
    "AUPRC ratio: area under the precision-recall curve over the share of",
    "known edges, geometric mean over sets; 1 is about chance. Early ratio:",
    "the same for precision among as many edges as are known. AUROC: mean area",
    "under the ROC curve, 0.5 is chance. Mean rank: 1 would be best on every",
    "set. Within best: sets where the best method's value is not above this",
    "one's interval. Above chance: above 97.5% of random rankings. Above",
    "marginal: above one number per TF plus one per gene. In brackets: nulls.",
    "Means are over the sets all methods finished."
)

.ratioNote <- paste(
    "AUPRC ratio with 95% bootstrap interval over edges (mean over seeds).",
    "Bold: the highest of its set. Grey: not above chance."
)

.benchmarkCaveats <- c(
    paste("A known edge that is missing in the reference counts as an error:",
        "with published references for real cells, values near 1 may say as",
        "much about the reference as about the methods."),
    paste("Intervals say how much a value hangs on single edges. They do not",
        "say how it would be with other cells; compare several sets."),
    paste("Differences smaller than the intervals are no ranking: methods",
        "\"within best\" can't be told from the best on that set."),
    paste("A method that is above chance but not above the marginal null may",
        "only know which factors and genes have many edges."),
    paste("Simulated cells follow equations that suit some methods; rank on",
        "them is no promise for real cells."),
    paste("Edges are associations in expression. None of this shows that a",
        "factor acts on a gene; perturbations can.")
)

## sets x methods as text, the interval below its value, so that many methods
## fit a screen; the best in bold, those at chance in grey.
.ratioTable <- function(x) {
    t <- .overSeeds(x@tables$table)
    wide <- .wide(t, "auprcRatio")
    low <- .wide(t, "auprcRatioLow")
    high <- .wide(t, "auprcRatioHigh")
    chance <- .wide(t, "aboveChance")
    text <- sprintf("%.2f", wide)
    span <- !is.na(low)
    text[span] <- sprintf("%.2f\n%.2f\u2013%.2f", wide, low, high)[span]
    text[is.na(wide)] <- "failed"
    text <- as.data.frame(matrix(text, nrow(wide)))
    names(text) <- colnames(wide)
    mine <- unique(t$method[!t$null])
    top <- suppressWarnings(apply(wide[, mine, drop = FALSE], 1L, max,
        na.rm = TRUE))
    class <- ifelse(is.na(chance) | chance == 0, "chance", "")
    class[, mine][which(wide[, mine] == top)] <- "best"
    .tagTable(cbind(`data set` = rownames(wide), text),
        class = cbind("", class)
    )
}
