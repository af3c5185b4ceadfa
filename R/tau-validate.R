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
#' @param fit a [TauFit-class].
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
#'   gene that was perturbed: what `intervene(fit, gene, alpha = -1)`, its
#'   silencing, predicts (layer 4 only: of an xQTL gene the effect of its own
#'   chromatin is asked for, which must be given).
#' @param effectsFromFit FALSE if the table `effects` comes from elsewhere than
#'   this fit, so that it counts even when its delays aren't identifiable.
#' @param ... where the counts in `cells` are, as for [estimateTau()].
#' @return A `TauValidation`: `show()` prints the report; `as.data.frame()`
#'   gives it: `layer` (1 to 5), `test`, `statistic`, `p`, `threshold`, `n`
#'   (genes), `passed` (NA when not run or not meaningful), `status`
#'   (`"passed"`, `"FAILED"`, `"not run"`, `"not meaningful"`; `"listed"` where
#'   the specification has no test), `note`.
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
validateTau <- function(fit, cells = NULL, genesets = NULL, xqtl = NULL,
    perturbation = NULL, eregulons = NULL, age = NULL, timeSeries = NULL,
    epigenome = NULL, effects = NULL, effectsFromFit = TRUE, ...) {
    .checkTauFit(fit)
    .checkFlag(effectsFromFit, "effectsFromFit")
    delays <- .testedDelays(fit)
    effectsFromFit <- effectsFromFit || is.character(effects)
    own <- if (!is.character(effects)) .effectTable(effects)
    effects <- .predictedEffects(fit, effects, own)
    sets <- .validationSets(genesets)
    silent <- .openSilent(fit, cells, ...)
    trusted <- isTRUE(tauVerdict(fit)$identifiable)
    rows <- rbind(
        .healthLayer(fit, delays),
        .biologyLayer(delays, sets),
        .geneticsLayer(delays, xqtl, own),
        .perturbationLayer(perturbation, effects),
        .auxiliaryLayer(delays, fit, eregulons, age, timeSeries, epigenome,
            silent
        )
    )
    rows <- .judge(rows, trusted, effectsFromFit)
    new("TauValidation", table = rows,
        method = methods::slot(fit, "method"), identifiable = trusted,
        reasons = as.character(tauVerdict(fit)$reasons)
    )
}

#' @rdname validateTau
#' @exportClass TauValidation
setClass("TauValidation", slots = c(table = "data.frame",
    method = "character", identifiable = "logical", reasons = "character"
))

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
        good <- switch(columns[[name]],
            number = is.numeric(x[[name]]),
            text = is.character(x[[name]]) || is.factor(x[[name]]),
            any = is.numeric(x[[name]]) || is.logical(x[[name]])
        )
        if (!good) {
            .stopArgument(arg, "has a column ", name, " of class ",
                class(x[[name]])[[1L]], "; it must hold ",
                switch(columns[[name]], number = "numbers", text = "names",
                    any = "numbers, or TRUE and FALSE"
                ), "."
            )
        }
    }
    x$gene <- toupper(as.character(x$gene))
    x[!is.na(x$gene), , drop = FALSE]
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
    .effectTable(intervene(fit, effects, alpha = -1, n = 20, force = TRUE,
        seed = 1
    ))
}

#' @rdname validateTau
#' @param x,object a `TauValidation`.
#' @param row.names,optional not used.
#' @method as.data.frame TauValidation
#' @export
as.data.frame.TauValidation <- function(x, row.names = NULL, optional = FALSE,
    ...) {
    .noDots(...)
    methods::slot(x, "table")
}

.layerNames <- c("1 Model health", "2 Biology", "3 Genetics",
    "4 Perturbation", "5 Auxiliary"
)

#' @rdname validateTau
#' @export
setMethod("show", "TauValidation", function(object) {
    table <- as.data.frame(object)
    count <- function(what) sum(table$status == what)
    lines <- c(
        strwrap(if (object@identifiable) {
            "Delays are identifiable."
        } else {
            paste0("Delays are NOT identifiable: ",
                paste(object@reasons, collapse = "; "), "."
            )
        }, 80L, exdent = 2L),
        paste0("TauValidation (", object@method, "): ", count("passed"),
            " passed, ", count("FAILED"), " FAILED, ", count("not run"),
            " not run", if (count("not meaningful")) {
                paste0(", ", count("not meaningful"), " not meaningful")
            }
        )
    )
    for (layer in seq_along(.layerNames)) {
        rows <- table[table$layer == layer, ]
        ran <- rows[rows$status != "not run", ]
        lines <- c(lines, .layerNames[[layer]],
            unlist(lapply(seq_len(nrow(ran)), function(i) {
                .validationLine(ran[i, ])
            })), .notRunLines(rows[rows$status == "not run", ])
        )
    }
    cat(lines, sep = "\n")
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
