## Layers 2, 3 and 5 of the validation: known biology, genetics and auxiliary
## tables.

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
    age <- .textOf(age)
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
    input <- .readPairs(cells, ..., verbose = FALSE)
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
