## Five layers of validation of delays, as the written specification has them:
## the verb, what is tested, and the report.

#' Validate delays against what is known
#'
#' The five layers of validation of the written specification, with its
#' statistics and thresholds, as one report. A layer runs when its data are
#' given; otherwise the report says what it needs. When the delays aren't
#' identifiable, tests that use their ranking are still computed but marked
#' "not meaningful", and never pass.
#'
#' @details
#' Delays of usable genes are tested: those of other genes are no estimates.
#' Gene symbols are compared without regard to case. p values of two groups
#' are those of the Mann-Whitney test, exact when one group has at most 8
#' genes, none more than 50 and there are no ties, otherwise normal with
#' correction for ties and continuity; the statistic shown is the probability
#' that a gene of the first group is slower than one of the second (U / (n1
#' n2); 0.5: no difference).
#'
#' \describe{
#' \item{1 Model health}{Lipschitz constant of the flow at most 1 (`"effendi"`:
#'   product of the spectral norms; `"anchored"`, whose flow isn't bounded by
#'   construction: the largest norm of its derivative at a metacell);
#'   reversibility, mean of |z - phi_-1(phi_1(z))|, below 0.01; reverse loss,
#'   the mean square of the same, below 0.1; all numbers finite; delays skewed
#'   to the right and not normal (Shapiro-Wilk p < 0.05; of more than 5,000
#'   genes, 5,000 quantiles); expression reconstructed (median Spearman of fit
#'   and data > 0.5).}
#' \item{2 Biology}{immediate-early genes faster than pioneer factors (p <
#'   0.05); the median of the former in the lowest, of the latter in the
#'   highest quarter. Beside it a wider list of immediate-early genes against
#'   all others. For feedback genes the specification states no statistic:
#'   their delays are listed.}
#' \item{3 Genetics}{genes of the SMR table slower than all others (p < 0.05);
#'   predicted effects have the sign of `beta` in more than 60% of genes;
#'   Spearman of their sizes > 0.3; genes with both caQTL and eQTL (p < 1e-5)
#'   slower than those with a caQTL only (eQTL p > 0.05) (p < 0.05).}
#' \item{4 Perturbation}{genes silent before (`y_before` < 0.01): silence
#'   precision (share of those staying silent, `y_after` at most 0.1, for which
#'   no effect above 0.05 was predicted) > 0.85 and silence recall (share of
#'   activated ones for which one was) > 0.3; the others: direction rate >
#'   0.6, Spearman with `log2FC` > 0.2, recall at 50 (share of the 50 largest
#'   changes among the 50 largest predictions) > 0.1.}
#' \item{5 Auxiliary}{targets of pioneer factors enriched in the slowest
#'   quarter (Fisher, odds ratio > 1, p < 0.05); age-related genes slower (p
#'   < 0.05); delays and response times correlate (Spearman > 0, p < 0.05);
#'   genes open but not expressed enriched for H3K27me3 (Fisher, odds ratio >
#'   2, p < 0.05).}
#' }
#'
#' Where the specification leaves something open, or would count genes that
#' weren't measured, this is what is done: genes of a table that the fit
#' doesn't have are left out everywhere, also in Fisher tests and in the
#' denominator of the direction rate; of a gene listed several times in the SMR
#' table the row with the largest |beta| counts; recall at 50 and the threshold
#' of the time series are the package's reading.
#'
#' @param x a [TauFit-class].
#' @param cells NULL, or what the fit was made from (any `x` of
#'   [estimateTau()]): tells which genes are open but not expressed.
#' @param genesets a list with `immediateEarly`, `pioneer` and optionally
#'   `immediateEarlyWide` and `feedback`; NULL: [tauGeneSets()].
#' @param xqtl a list with `smr`, a data.frame with columns `gene` and `beta`,
#'   and/or `lead`, a data.frame with columns `gene`, `caQTL_p`, `eQTL_p`.
#' @param perturbation a data.frame of differential expression after a
#'   perturbation: `gene`, `y_before`, `y_after` (mean expression), `log2FC`.
#' @param eregulons a data.frame with columns `TF` and `gene`.
#' @param age names of age-related genes, or a data.frame with a column `gene`.
#' @param timeSeries a data.frame with columns `gene` and `time` (until the
#'   gene responds to a stimulus).
#' @param epigenome a data.frame with columns `gene` and `H3K27me3` (signal at
#'   the promoter: the highest quarter counts as marked; or TRUE and FALSE);
#'   optionally `openSilent` (TRUE for genes open but not expressed).
#' @param effects predicted effects for layers 3 and 4: a data.frame with
#'   columns `gene` and `effect`, as [intervene()] gives; or the name of the
#'   gene that was perturbed: what `intervene(x, gene, alpha = -1)`, its
#'   silencing, predicts (layer 4 only: of an xQTL gene the effect of its own
#'   chromatin is asked for, which must be given).
#' @param effectsFromFit FALSE if the table `effects` comes from elsewhere than
#'   this fit, so that it counts even when its delays aren't identifiable.
#' @param ... where the counts in `cells` are, as for [estimateTau()].
#' @return A `TauValidation`, a report (see [verdict()] for what all reports
#'   give). Its verdict counts the tests against what is known, which are
#'   evidence, apart from the model's checks of itself, which are none: a model
#'   can be healthy and wrong. `holds` is TRUE when delays are identifiable and
#'   no evidence speaks against them, NA when no such test could be run. The
#'   table `tests`: `layer` (1 to 5), `kind` (`"self-check"` or `"evidence"`),
#'   `test`, `statistic`, `p`, `threshold`, `n` (genes), `passed` (NA when not
#'   run or not meaningful), `status` (`"passed"`, `"FAILED"`, `"not run"`,
#'   `"not meaningful"`; `"listed"` where the specification has no test),
#'   `note`.
#' @section Errors: tables without the columns above, or with nothing in them
#'   that the fit has, are errors that say so.
#' @seealso [tauGeneSets()], [tauNull()], [intervene()], [TauFit-class]
#' @examples
#' x <- simulateMultiome(nCells = 600, nGenes = 80, seed = 1)
#' fit <- estimateTau(x, links = S4Vectors::metadata(x)$links, seed = 1)
#' response <- data.frame(gene = rownames(x),
#'     time = simulatedTruth(x)$tau + runif(80)
#' )
#' validateTau(fit, timeSeries = response)
#' @export
validateTau <- function(x, cells = NULL, genesets = NULL, xqtl = NULL,
    perturbation = NULL, eregulons = NULL, age = NULL, timeSeries = NULL,
    epigenome = NULL, effects = NULL, effectsFromFit = TRUE, ...) {
    .noRenamed(..., renamed = c(fit = "x"))
    .checkTauFit(x)
    .checkFlag(effectsFromFit, "effectsFromFit")
    delays <- .testedDelays(x)
    effectsFromFit <- effectsFromFit || is.character(effects)
    own <- if (!is.character(effects)) .effectTable(effects)
    effects <- .predictedEffects(x, effects, own)
    sets <- .validationSets(genesets)
    silent <- .openSilent(x, cells, ...)
    rows <- rbind(
        .healthLayer(x, delays),
        .biologyLayer(delays, sets),
        .geneticsLayer(delays, xqtl, own),
        .perturbationLayer(perturbation, effects),
        .auxiliaryLayer(delays, x, eregulons, age, timeSeries, epigenome,
            silent
        )
    )
    trusted <- isTRUE(x@verdict$identifiable)
    .validationReport(.judge(rows, trusted, effectsFromFit), x)
}

#' @rdname validateTau
#' @exportClass TauValidation
setClass("TauValidation", contains = "CausewayReport")

.validationReport <- function(rows, fit) {
    rows <- cbind(rows["layer"],
        kind = ifelse(rows$layer == 1L, "self-check", "evidence"),
        rows[setdiff(names(rows), "layer")]
    )
    count <- table(factor(rows$kind, c("evidence", "self-check")),
        factor(rows$status, c("passed", "FAILED", "not meaningful", "not run"))
    )
    trusted <- isTRUE(fit@verdict$identifiable)
    ran <- sum(count["evidence", c("passed", "FAILED")])
    holds <- if (!trusted) FALSE else if (ran) {
        count[["evidence", "FAILED"]] == 0
    } else {
        NA
    }
    .report("TauValidation", .verdict(c(.identifiableText(fit@verdict),
        .countsText("Evidence", count["evidence", ], "test"),
        .countsText("Self-checks of the model, no evidence",
            count["self-check", ], "check")
    ), holds), list(tests = rows), list(method = fit@method,
        identifiable = trusted, reasons = as.character(fit@verdict$reasons),
        evidence = as.list(count["evidence", ]),
        selfChecks = as.list(count["self-check", ])
    ))
}

## "Evidence: 3 of 5 tests passed, 2 FAILED; 12 not run."
.countsText <- function(what, n, unit) {
    ran <- n[["passed"]] + n[["FAILED"]]
    more <- n[c("not meaningful", "not run")]
    more <- more[more > 0]
    paste0(what, ": ", if (ran) {
        paste0(n[["passed"]], " of ", .count(ran, unit), " passed, ",
            n[["FAILED"]], " FAILED"
        )
    } else {
        paste0("no ", unit, " could be run")
    }, if (length(more)) {
        paste0("; ", paste(more, names(more), collapse = ", "))
    }, ".")
}

## What became of each test. A test that could not be computed has not run.
.judge <- function(rows, trusted, effectsFromFit) {
    doubted <- !trusted & (rows$uses == "ranking" |
        (rows$uses == "effects" & effectsFromFit))
    ran <- !is.na(rows$passed)
    rows$status <- ifelse(!ran, "not run", ifelse(doubted, "not meaningful",
        ifelse(rows$passed, "passed", "FAILED")
    ))
    rows$status[!nzchar(rows$threshold)] <- "listed"
    rows$passed[doubted] <- NA
    rows$uses <- NULL
    rownames(rows) <- NULL
    rows
}

## Usable genes with a delay, in the unit of the fit.
.testedDelays <- function(fit) {
    values <- tau(fit, force = TRUE)
    keep <- is.finite(values$tau)
    if (methods::slot(fit, "method") == "anchored") {
        keep <- keep & as.data.frame(fit)$usable %in% TRUE
    }
    list(gene = toupper(values$gene[keep]), tau = values$tau[keep])
}

.validationSets <- function(sets) {
    if (is.null(sets)) {
        return(tauGeneSets())
    }
    if (is.list(sets)) {
        sets <- lapply(sets, .textOf)
    }
    good <- is.list(sets) && all(vapply(sets, is.character, NA)) &&
        all(c("immediateEarly", "pioneer") %in% names(sets))
    if (!good) {
        .stopArgument("genesets", "must be a list of character vectors ",
            "'immediateEarly' and 'pioneer' (and, if wanted, ",
            "'immediateEarlyWide', 'feedback'); it is ", .show(sets), "."
        )
    }
    sets
}

## A table with these columns, of these kinds; gene in capitals.
.validationTable <- function(x, arg, columns) {
    x <- if (methods::is(x, "DataFrame")) as.data.frame(x) else x
    if (!is.data.frame(x)) {
        .stopArgument(arg, "must be a data.frame with columns ",
            paste(names(columns), collapse = ", "), "; it is a ",
            class(x)[[1L]], "."
        )
    }
    missing <- setdiff(names(columns), names(x))
    if (length(missing)) {
        .stopArgument(arg, "lacks the columns ", paste(missing,
            collapse = ", "), "; it has ", .some(names(x), 10L), "."
        )
    }
    for (name in names(columns)) {
        x[[name]] <- .validationColumn(x[[name]], arg, name, columns[[name]])
    }
    x$gene <- toupper(x$gene)
    x[!is.na(x$gene), , drop = FALSE]
}

.validationColumn <- function(x, arg, name, kind) {
    if (kind == "number" || kind == "any" && !is.logical(x)) {
        return(.numbersOf(x, arg, paste("a column", name)))
    }
    if (kind == "text" && !is.character(x) && !is.factor(x)) {
        .stopArgument(arg, "has a column ", name, " of class ",
            class(x)[[1L]], "; it must hold names."
        )
    }
    if (kind == "text") as.character(x) else x
}

.effectTable <- function(effects) {
    if (is.null(effects)) {
        return(NULL)
    }
    effects <- .validationTable(effects, "effects",
        c(gene = "text", effect = "number")
    )
    twice <- unique(effects$gene[duplicated(effects$gene)])
    if (length(twice)) {
        .stopArgument("effects", "names genes more than once: ", .some(twice),
            "."
        )
    }
    effects[is.finite(effects$effect), ]
}

## The table given, or what the fit says of silencing a gene.
.predictedEffects <- function(fit, effects, table) {
    if (!is.character(effects)) {
        return(table)
    }
    .checkText(effects, "effects")
    .effectTable(intervene(fit, effects, alpha = -1, nBoot = 20, force = TRUE,
        seed = 1
    ))
}

.layerNames <- c("1 Model health (self-checks)", "2 Biology", "3 Genetics",
    "4 Perturbation", "5 Auxiliary"
)

setMethod(".showBody", "TauValidation", function(x) {
    table <- x@tables$tests
    for (layer in seq_along(.layerNames)) {
        rows <- table[table$layer == layer, ]
        ran <- rows[rows$status != "not run", ]
        writeLines(c(.layerNames[[layer]],
            unlist(lapply(seq_len(nrow(ran)), function(i) {
                .validationLine(ran[i, ])
            })), .notRunLines(rows[rows$status == "not run", ])
        ))
    }
})

.validationLine <- function(row) {
    number <- function(x) if (is.na(x)) "" else format(signif(x, 4))
    text <- if (row$status == "listed") {
        row$note
    } else {
        paste0(number(row$statistic),
            if (!is.na(row$p)) paste0(", p = ", number(row$p)),
            " (needed ", row$threshold, ")",
            if (row$status == "not meaningful") {
                "; not meaningful: delays not identifiable"
            },
            if (nzchar(row$note)) paste0("; ", row$note)
        )
    }
    mark <- switch(row$status, listed = "  -       ",
        "not meaningful" = "  ?       ",
        paste0("  ", formatC(row$status, width = -8L))
    )
    strwrap(paste0(row$test, ": ", text), 80L, initial = mark,
        prefix = strrep(" ", 12L)
    )
}

## Tests that need the same are named together.
.notRunLines <- function(rows) {
    unlist(lapply(unique(rows$note), function(note) {
        strwrap(paste0("not run: ", note, ": ",
            paste(rows$test[rows$note == note], collapse = "; ")
        ), 80L, initial = "  -       ", prefix = strrep(" ", 12L))
    }))
}
