## Five layers of validation of delays, as the written specification has them.

#' Gene sets for checking delays
#'
#' Small sets of human gene symbols that the specification of the method names,
#' and a wider list of immediate-early genes.
#'
#' @return A list of character vectors: `immediateEarly` and `pioneer` (factors
#'   that prime chromatin) and `feedback` as the specification has them;
#'   `immediateEarlyWide`, 141 genes of Wu et al.; `pioneerRegulons`, the
#'   factors whose target genes the specification expects to be slow.
#' @references Wu et al. 2017, Neuron 96, 313-329 (supplementary table 4), as
#'   distributed with the R package scCustomize.
#' @seealso [validateTau()], [plotTau()]
#' @examples
#' tauGeneSets()$immediateEarly
#' lengths(tauGeneSets())
#' @export
tauGeneSets <- function() {
    words <- function(...) strsplit(paste(...), " ", fixed = TRUE)[[1L]]
    list(
        immediateEarly = words("FOS JUN JUNB EGR1 NR4A1 NR4A2 ATF3"),
        pioneer = words("SPI1 CEBPA CEBPB GATA2 IRF8 RUNX1"),
        feedback = words("AHR NR4A1"),
        immediateEarlyWide = sort(unique(words(.wideImmediateEarly))),
        pioneerRegulons = words("PU.1 SPI1 CEBPA GATA2 RUNX1")
    )
}

.wideImmediateEarly <- paste(
    "CCL7 CCL2 TNFSF9 SIK1B RASD1 NUP98 CEBPD NFKBID NOCT FOS IER2 HBEGF RHEB",
    "PLAU IFNB1 PCDH8 WEE1 FBXO33 PMAIP1 DUSP1 PLK2 TSC22D1 MAP3K8 PIAS1",
    "KLF10 BDNF CCN2 TRIB1 SOD2 IER3 PLAT RCAN1 ZFP36 CCL5 NFKBIA NRN1 KLF2",
    "SERPINE1 MAFF NCOA7 GDF15 LDLR TNF CCRL2 CCL18 CCL3 FOSL1 DUSP2 INHBA",
    "JUND NR4A1 EGR3 IRF1 IFIT3 IFIT1B NR4A3 PER2 GADD45G SOCS3 TLR2 PELI1",
    "IL1A RGS2 CSF2 F3 APOLD1 ACKR4 BHLHE40 IL23A GBP2 IL1B ARIH1 JUN NPTX2",
    "FOSB EGR1 MBNL2 VCAM1 ZFP36L2 ARF4 MMP13 JUNB ZFP36L1 CCN1 NPAS4",
    "PPP1R15A EGR4 NFKBIZ ARC MCL1 RGS1 KLF6 CLEC4E SGK1 ARHGEF3 EGR2 IFIT2",
    "ID2 DUSP6 SIK1 DUSP5 NFIB SAA2 SAA1 THBS1 FOSL2 ICAM1 CXCL10 CSRNP1 BCL3",
    "MARCKSL1 HOMER1 TRAF1 ATF3 FLG SRF PIM1 GADD45B HES1 GEM TNFAIP3 PER1",
    "CREM CD69 IL6 BTG2 ACOD1 CEBPB CXCL11 IL12B NR4A2 PTGS2 IKBKE TXNIP CD83",
    "IER5 IL10 MYC CXCL12 SLC2A3 CXCL1"
)

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

## ---- rows of the report ----------------------------------------------------

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

## ---- what is tested --------------------------------------------------------

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

## ---- statistics ------------------------------------------------------------

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

## ---- 1: model health -------------------------------------------------------

.healthLayer <- function(fit, delays) {
    health <- if (methods::slot(fit, "method") == "effendi") {
        .effendiLayer(fit)
    } else {
        .flowHealth(fit)
    }
    one <- function(test, value, threshold, passed, note = "",
        needs = health$needs) {
        if (is.null(value) || is.na(value)) {
            return(.notRun(1L, test, threshold, needs, "nothing"))
        }
        .testRow(1L, test, value, threshold = threshold, passed = passed(value),
            note = note, uses = "nothing"
        )
    }
    rbind(
        one("Lipschitz constant of the flow", health$lipschitz, "<= 1",
            function(x) x <= 1 + 1e-6, health$note
        ),
        one("reversibility error", health$reversibility, "< 0.01",
            function(x) x < 0.01
        ),
        one("reverse consistency loss", health$loss, "< 0.1",
            function(x) x < 0.1
        ),
        one("numbers that aren't finite", health$broken, "0",
            function(x) x == 0
        ),
        one("expression reconstructed", health$reconstructed, "rho > 0.5",
            function(x) x > 0.5, "median Spearman of fit and data over genes",
            health$needsExpression
        ),
        .distributionRows(delays$tau)
    )
}

.distributionRows <- function(tau) {
    n <- length(tau)
    if (n < 3L || length(unique(tau)) < 3L) {
        needs <- "three genes with different delays"
        return(rbind(
            .notRun(1L, "delays skewed to the right", "> 0", needs),
            .notRun(1L, "delays not normal (Shapiro-Wilk)", "p < 0.05", needs)
        ))
    }
    d <- tau - mean(tau)
    skew <- mean(d^3) / mean(d^2)^1.5
    x <- if (n > 5000L) {
        stats::quantile(tau, stats::ppoints(5000L), names = FALSE)
    } else {
        tau
    }
    test <- stats::shapiro.test(x)
    rbind(
        .testRow(1L, "delays skewed to the right", skew, NA, "> 0", skew > 0,
            n, "skewness"
        ),
        .testRow(1L, "delays not normal (Shapiro-Wilk)", test$statistic,
            test$p.value, "p < 0.05", test$p.value < 0.05, n
        )
    )
}

## Of the trained model: measured again where it is still there (it isn't after
## readRDS()), else as the fit keeps it.
.effendiLayer <- function(fit) {
    engine <- .tauEngine(fit, flow = FALSE)
    losses <- engine$losses
    reverse <- losses$reverse[is.finite(losses$reverse)]
    out <- list(
        needs = "the trained model, which this fit doesn't hold",
        needsExpression = "expression, which this method doesn't keep",
        note = "product of the spectral norms of the field's layers",
        lipschitz = engine$lipschitz, reversibility = engine$reversibility,
        loss = if (length(reverse)) reverse[[length(reverse)]],
        reconstructed = engine$reconstruction,
        broken = sum(!is.finite(engine$tau))
    )
    health <- if (!is.null(engine$model) && !is.null(engine$zAtac)) {
        tryCatch(.effendiHealth(engine$model, engine$zAtac),
            error = function(e) NULL
        )
    }
    if (!is.null(health)) {
        out$lipschitz <- health$lipschitz
        out$reversibility <- health$reversibility
        out$broken <- out$broken + !health$finite
    }
    out
}

## Of the anchored flow: nothing bounds it, so that it is measured.
.flowHealth <- function(fit) {
    engine <- .tauEngine(fit, flow = FALSE)
    out <- list(needs = "a flow, which this fit doesn't have",
        needsExpression = "genes with a delay"
    )
    flow <- is.matrix(engine$velocity) && all(is.finite(engine$velocity)) &&
        all(is.finite(engine$z)) &&
        any(engine$velocity != 0)
    shown <- is.finite(as.data.frame(fit)$tau)
    out$broken <- sum(!is.finite(c(engine$z, engine$velocity)),
        !is.finite(unlist(as.data.frame(fit)[shown, c("tau", "sd")]))
    )
    if (!is.null(engine$fittedRna) && any(shown)) {
        rho <- vapply(which(shown), function(g) {
            suppressWarnings(stats::cor(engine$fittedRna[, g],
                engine$rna[, g], method = "spearman"
            ))
        }, 0)
        out$reconstructed <- stats::median(rho, na.rm = TRUE)
    }
    if (!flow) {
        return(out)
    }
    step <- .flowStep(engine)
    at <- engine$z
    there <- at
    for (i in seq_len(16L)) there <- step(there, 1 / 16)
    back <- there
    for (i in seq_len(16L)) back <- step(back, -1 / 16)
    error <- rowSums((back - at)^2)
    out$lipschitz <- .steepestFlow(engine)
    out$reversibility <- mean(sqrt(error))
    out$loss <- mean(error)
    out$note <- paste("largest norm of the flow's derivative at a metacell;",
        "not bounded by construction"
    )
    out
}

## The derivative of v = sum_j B_j v_j at z is sum_j B_j v_j (l_j - l)' / h^2,
## l the mean landmark under B; its largest singular value over metacells.
.steepestFlow <- function(engine) {
    b <- .softBasis(engine$z, engine$landmarks, engine$bandwidth)
    norms <- vapply(seq_len(nrow(b)), function(i) {
        l <- sweep(engine$landmarks, 2L, b[i, ] %*% engine$landmarks)
        j <- crossprod(engine$velocity * b[i, ], l) / engine$bandwidth^2
        svd(j, 0L, 0L)$d[[1L]]
    }, 0)
    max(norms)
}

## ---- 2: biology ------------------------------------------------------------

.biologyLayer <- function(delays, sets) {
    of <- function(set) delays$tau[delays$gene %in% toupper(sets[[set]])]
    early <- of("immediateEarly")
    slow <- of("pioneer")
    rows <- rbind(
        .groupsRow(2L, "immediate-early genes faster than pioneer factors",
            early, slow, "less"
        ),
        .quartileRow("immediate-early genes in the fastest quarter", early,
            delays$tau, "< 25", function(x) x < 25
        ),
        .quartileRow("pioneer factors in the slowest quarter", slow,
            delays$tau, "> 75", function(x) x > 75
        )
    )
    wide <- sets$immediateEarlyWide
    if (!is.null(wide)) {
        in_ <- delays$gene %in% toupper(wide)
        rows <- rbind(rows, .groupsRow(2L, paste("immediate-early genes",
            "(wide list) faster than others"
        ), delays$tau[in_], delays$tau[!in_], "less"))
    }
    feedback <- toupper(sets$feedback)
    found <- delays$gene %in% feedback
    rbind(rows, .testRow(2L, "feedback genes", n = sum(found),
        note = if (any(found)) {
            paste0("no statistic is specified; delays: ", paste(
                delays$gene[found], signif(delays$tau[found], 3),
                collapse = ", "
            ))
        } else {
            "no statistic is specified, and none of them has a delay"
        }
    ))
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

## ---- 3: genetics -----------------------------------------------------------

.geneticsLayer <- function(delays, xqtl, effects) {
    if (!is.null(xqtl) && (!is.list(xqtl) || is.data.frame(xqtl) ||
        !length(intersect(names(xqtl), c("smr", "lead"))))) {
        .stopArgument("xqtl", "must be a list with tables 'smr' (gene, beta) ",
            "and/or 'lead' (gene, caQTL_p, eQTL_p); it is ", .show(xqtl), "."
        )
    }
    rbind(.smrRows(delays, xqtl$smr, effects), .leadRow(delays, xqtl$lead))
}

.smrRows <- function(delays, smr, effects) {
    tests <- c("genes with an xQTL slower than others",
        "direction of effects as in SMR", "size of effects as in SMR"
    )
    if (is.null(smr)) {
        needs <- "xqtl$smr (gene, beta)"
        return(rbind(
            .notRun(3L, tests[[1L]], "p < 0.05", needs),
            .notRun(3L, tests[[2L]], "> 0.6", needs, "effects"),
            .notRun(3L, tests[[3L]], "rho > 0.3", needs, "effects")
        ))
    }
    smr <- .validationTable(smr, "xqtl$smr", c(gene = "text", beta = "number"))
    smr <- smr[is.finite(smr$beta), ]
    smr <- smr[order(-abs(smr$beta)), ]
    smr <- smr[!duplicated(smr$gene), ]
    in_ <- delays$gene %in% smr$gene
    rbind(
        .groupsRow(3L, tests[[1L]], delays$tau[in_], delays$tau[!in_],
            "greater"
        ),
        .smrEffects(smr, effects, tests[2:3])
    )
}

.smrEffects <- function(smr, effects, tests) {
    both <- intersect(smr$gene, effects$gene)
    if (!length(both)) {
        needs <- if (is.null(effects)) "'effects' (gene, effect)" else
            "'effects' of genes in xqtl$smr"
        return(rbind(
            .notRun(3L, tests[[1L]], "> 0.6", needs, "effects"),
            .notRun(3L, tests[[2L]], "rho > 0.3", needs, "effects")
        ))
    }
    beta <- smr$beta[match(both, smr$gene)]
    effect <- effects$effect[match(both, effects$gene)]
    same <- sign(beta) == sign(effect)
    rbind(
        .rateRow(3L, tests[[1L]], same, 0.6),
        .correlationRow(3L, tests[[2L]], abs(beta), abs(effect), 0.3,
            "rho > 0.3", "effects"
        )
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

.leadRow <- function(delays, lead) {
    test <- "genes with caQTL and eQTL slower than with caQTL only"
    if (is.null(lead)) {
        return(.notRun(3L, test, "p < 0.05",
            "xqtl$lead (gene, caQTL_p, eQTL_p)"
        ))
    }
    lead <- .validationTable(lead, "xqtl$lead",
        c(gene = "text", caQTL_p = "number", eQTL_p = "number")
    )
    open <- lead$caQTL_p < 1e-5
    both <- unique(lead$gene[which(open & lead$eQTL_p < 1e-5)])
    only <- unique(lead$gene[which(open & lead$eQTL_p > 0.05)])
    twice <- length(intersect(intersect(both, only), delays$gene))
    .groupsRow(3L, test, delays$tau[delays$gene %in% both],
        delays$tau[delays$gene %in% only], "greater",
        if (twice) paste(twice, "genes are in both groups") else ""
    )
}

## ---- 4: perturbation -------------------------------------------------------

.perturbationTests <- c("silence precision" = "> 0.85",
    "silence recall" = "> 0.3", "direction rate" = "> 0.6",
    "Spearman with log2 fold changes" = "> 0.2", "recall at 50" = "> 0.1"
)

.perturbationLayer <- function(de, effects) {
    tests <- .perturbationTests
    if (is.null(de) || is.null(effects)) {
        needs <- paste(c(
            if (is.null(de)) "'perturbation' (gene, y_before, y_after, log2FC)",
            if (is.null(effects)) "'effects' (gene, effect)"
        ), collapse = " and ")
        return(do.call(rbind, lapply(names(tests), function(t) {
            .notRun(4L, t, tests[[t]], needs, "effects")
        })))
    }
    if (is.data.frame(de) && is.null(de$log2FC)) {
        de$log2FC <- de$DE_log2FC
    }
    de <- .validationTable(de, "perturbation", c(gene = "text",
        y_before = "number", y_after = "number", log2FC = "number"
    ))
    de <- de[!duplicated(de$gene) & is.finite(de$y_before) &
        is.finite(de$y_after), ]
    at <- match(de$gene, effects$gene)
    if (all(is.na(at))) {
        .stopArgument("perturbation", "and 'effects' share no gene: ",
            .some(de$gene, 3L), " against ", .some(effects$gene, 3L), "."
        )
    }
    de$effect <- effects$effect[at]
    de <- de[!is.na(at), ]
    silent <- de$y_before < 0.01
    rbind(.silenceRows(de[silent, ]), .changeRows(de[!silent, ]))
}

.silenceRows <- function(d) {
    active <- d$y_after > 0.1
    predicted <- abs(d$effect) > 0.05
    names <- names(.perturbationTests)
    one <- function(i, value, n, threshold, what, note) {
        if (!n) {
            return(.notRun(4L, names[[i]], .perturbationTests[[i]],
                paste("genes silent before that", what), "effects"
            ))
        }
        .testRow(4L, names[[i]], value, NA, .perturbationTests[[i]],
            value > threshold, n, note, "effects"
        )
    }
    quiet <- sprintf("an effect is predicted for %.2f of all silent genes",
        mean(predicted)
    )
    rbind(
        one(1L, 1 - mean(predicted[!active]), sum(!active), 0.85,
            "stay so", quiet
        ),
        one(2L, mean(predicted[active]), sum(active), 0.3, "become active",
            quiet
        )
    )
}

.changeRows <- function(d) {
    names <- names(.perturbationTests)
    rbind(
        .rateRow(4L, names[[3L]],
            sign(d$y_after - d$y_before) == sign(d$effect), 0.6
        ),
        .correlationRow(4L, names[[4L]], d$effect, d$log2FC, 0.2, "> 0.2",
            "effects"
        ),
        .recallRow(d[is.finite(d$log2FC), ], 50L)
    )
}

## Of the k largest changes, how many are among the k largest predictions?
.recallRow <- function(d, k) {
    test <- names(.perturbationTests)[[5L]]
    if (nrow(d) <= k) {
        return(.notRun(4L, test, "> 0.1", paste0("more than ", k,
            " genes that aren't silent before; there are ", nrow(d)
        ), "effects"))
    }
    largest <- function(x) order(-abs(x))[seq_len(k)]
    hits <- length(intersect(largest(d$log2FC), largest(d$effect)))
    .testRow(4L, test, hits / k,
        stats::phyper(hits - 1, k, nrow(d) - k, k, lower.tail = FALSE),
        "> 0.1", hits / k > 0.1, nrow(d),
        sprintf("by chance %.2f (p: hypergeometric)", k / nrow(d)), "effects"
    )
}

## ---- 5: auxiliary ----------------------------------------------------------

.auxiliaryLayer <- function(delays, fit, eregulons, age, timeSeries, epigenome,
    silent) {
    rbind(
        .regulonRow(delays, eregulons), .ageRow(delays, age),
        .timeRow(delays, timeSeries), .epigenomeRow(epigenome, silent)
    )
}

.regulonRow <- function(delays, eregulons) {
    test <- "targets of pioneer factors among the slowest"
    if (is.null(eregulons)) {
        return(.notRun(5L, test, "OR > 1, p < 0.05", "eregulons (TF, gene)"))
    }
    if (is.data.frame(eregulons) && is.null(eregulons$gene)) {
        eregulons$gene <- eregulons$Gene_signature_name
    }
    eregulons <- .validationTable(eregulons, "eregulons",
        c(TF = "text", gene = "text")
    )
    pioneer <- toupper(eregulons$TF) %in% tauGeneSets()$pioneerRegulons
    slow <- if (length(delays$tau)) {
        delays$tau > stats::quantile(delays$tau, 0.75)
    } else {
        logical()
    }
    .fisherRow(5L, test, slow, delays$gene %in% eregulons$gene[pioneer], 1,
        "two-sided; the slowest quarter of the genes"
    )
}

.ageRow <- function(delays, age) {
    test <- "age-related genes slower than others"
    if (is.null(age)) {
        return(.notRun(5L, test, "p < 0.05", "age (genes)"))
    }
    if (is.data.frame(age)) {
        if (is.null(age$gene)) {
            age$gene <- age$Gene_signature_name
        }
        age <- .validationTable(age, "age", c(gene = "text"))$gene
    }
    if (!is.character(age)) {
        .stopArgument("age", "must be gene names, or a data.frame with a ",
            "column gene; it is ", .show(age), "."
        )
    }
    in_ <- delays$gene %in% toupper(age)
    .groupsRow(5L, test, delays$tau[in_], delays$tau[!in_], "greater")
}

.timeRow <- function(delays, series) {
    test <- "delays and response times"
    threshold <- "rho > 0, p < 0.05"
    if (is.null(series)) {
        return(.notRun(5L, test, threshold, "timeSeries (gene, time)"))
    }
    series <- .validationTable(series, "timeSeries",
        c(gene = "text", time = "number")
    )
    .correlationRow(5L, test, delays$tau,
        series$time[match(delays$gene, series$gene)], 0, threshold, "ranking",
        needP = TRUE, note = "Spearman"
    )
}

.epigenomeRow <- function(epigenome, silent) {
    test <- "H3K27me3 at genes open but not expressed"
    threshold <- "OR > 2, p < 0.05"
    if (is.null(epigenome)) {
        return(.notRun(5L, test, threshold, "epigenome (gene, H3K27me3)",
            "nothing"
        ))
    }
    epigenome <- .validationTable(epigenome, "epigenome",
        c(gene = "text", H3K27me3 = "any")
    )
    epigenome <- epigenome[!is.na(epigenome$H3K27me3) &
        !duplicated(epigenome$gene), ]
    if (!is.null(epigenome$openSilent)) {
        open <- epigenome$openSilent %in% TRUE
        note <- "openSilent as given"
    } else {
        epigenome <- epigenome[epigenome$gene %in% silent$gene, ]
        open <- silent$silent[match(epigenome$gene, silent$gene)]
        note <- silent$note
    }
    marked <- epigenome$H3K27me3
    if (!is.logical(marked) && length(marked)) {
        marked <- marked > stats::quantile(marked, 0.75)
    }
    row <- .fisherRow(5L, test, open, marked, 2, note)
    row$uses <- "nothing"
    row
}

## Genes whose chromatin is open and whose RNA is missing. With cells: those
## whose peaks are open as often as the median gene's, with RNA in at most 1%
## of cells. Without: those with a signal in chromatin and none in RNA.
.openSilent <- function(fit, cells, ...) {
    if (is.null(cells)) {
        .noDots(...)
        table <- as.data.frame(fit)
        need <- .tauSignal[["signal"]]
        silent <- if (is.null(table$signalRna)) {
            rep(FALSE, nrow(table))
        } else {
            table$signalChromatin > need & table$signalRna <= need
        }
        return(list(gene = toupper(table$gene), silent = silent %in% TRUE,
            note = "open and silent: signal in chromatin, none in RNA"
        ))
    }
    input <- .tauInput(cells, ..., verbose = FALSE)
    links <- peakLinks(fit)
    open <- Matrix::rowMeans(input$atac > 0)
    known <- links$peak %in% names(open)
    if (!any(known)) {
        .stopArgument("cells", "has none of the fit's peaks; give what the ",
            "fit was made from."
        )
    }
    open <- tapply(open[links$peak[known]], links$gene[known], mean)
    seen <- Matrix::rowMeans(input$rna > 0)
    genes <- intersect(names(open), names(seen))
    list(gene = toupper(genes), silent = as.vector(
        open[genes] >= stats::median(open) & seen[genes] <= 0.01),
        note = "open and silent: peaks of the upper half, RNA in 1% of cells"
    )
}

## ---- the report ------------------------------------------------------------

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
