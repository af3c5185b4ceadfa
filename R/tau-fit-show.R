## What a TauFit prints: the verdict first.

#' @rdname TauFit-class
#' @export
setMethod("show", "TauFit", function(object) {
    lines <- c(
        strwrap(.identifiableText(object@verdict), 80L, exdent = 2L),
        paste0("TauFit (", object@method, "): ",
            .count(length(object@genes), "gene"), ", ",
            .count(length(object@cells), "cell")
        ),
        .unitLine(object),
        if (object@method == "effendi") .effendiLines(object) else
            .anchoredLines(object),
        .nextLine(object)
    )
    cat(lines, sep = "\n")
})

.field <- function(name, ...) {
    paste0("  ", formatC(paste0(name, ":"), width = -15L), ...)
}

.unitLine <- function(x) {
    if (.clocked(x)) {
        .field("unit", x@unit$name, "; 1 median delay = ",
            signif(x@unit$scale, 3), " +- ", signif(x@unit$error, 2), " ",
            x@unit$name
        )
    } else {
        .field("unit", x@unit$name, ", relative: no clock time",
            if (length(x@unit$reason)) paste0(" (", x@unit$reason, ")")
        )
    }
}

.anchoredLines <- function(x) {
    v <- x@verdict
    mark <- function(value, digits, need, pass) {
        paste0(if (is.null(value) || is.na(value)) "not computed" else
            .fixed(value, digits),
        " (needed ", need, ")", if (!isTRUE(pass)) " FAILED")
    }
    t <- .tauThresholds
    table <- x@table
    count <- function(n) if (is.null(n) || is.na(n)) "not computed" else n
    capped <- .cappedText(x@metadata$capped)
    c(
        .readoutLine(x),
        .field("usable genes", count(v$usable), " of ", length(x@genes),
            " (needed ", t[["usable"]], "); ", sum(table$reported),
            " reported (sd < 0.4, not rim)"
        ),
        .field("shared axes", count(v$axes), " (needed ", t[["axes"]], ")"),
        .field("concordance", mark(v$concord, 2L, "0.70",
            v$concord >= t[["concord"]]
        )),
        .field("lead", mark(v$lead, 2L, "0.70", v$lead >= t[["lead"]]), ", z ",
            mark(v$leadZ, 1L, "4", v$leadZ >= t[["leadZ"]])
        ),
        .field("-> follows", if (isTRUE(v$follows)) "RNA follows chromatin" else
            "RNA isn't seen to follow chromatin"),
        .reliabilityLines(v, mark),
        if (length(capped)) .field("capped", capped),
        .baselineLine(x),
        if (isTRUE(v$identifiable)) .extremeLines(x)
    )
}

## Meant for fits whose RNA follows chromatin; shown for the others without
## what it would mean.
.reliabilityLines <- function(v, mark) {
    rel <- v$reliability
    c(
        .field("reliability", mark(rel, 2L, "0.40",
            rel >= .tauThresholds[["reliability"]]
        ), if (isTRUE(v$follows)) {
            paste0("; expected rank correlation ", .fixed(v$expected, 2L))
        }),
        .field("gain", .numberOr(v$gain, 1L), "; heterogeneity ",
            .numberOr(v$heterogeneity, 1L), " (no thresholds)"
        )
    )
}

.numberOr <- function(x, digits) {
    if (is.null(x) || is.na(x)) "not computed" else .fixed(x, digits)
}

.readoutLine <- function(x) {
    what <- c(
        delay = "a delay (RNA repeats chromatin later)",
        kinetics = "kinetics (RNA approaches chromatin at rate 1/tau)",
        auto = "total lag"
    )
    known <- length(x@readout) == 1L && x@readout %in% names(what)
    shape <- x@metadata$shape
    .field("readout", if (known && any(is.finite(x@table$tau))) {
        paste0(what[[x@readout]], if (x@readout == "auto" && length(shape)) {
            paste0("; shapes: ", paste0(names(shape), " ",
                .fixed(shape, 2L), collapse = ", "
            ))
        })
    } else {
        "none: no flow could be estimated"
    })
}

## Spearman of the estimate with each baseline over usable genes.
.baselineLine <- function(x) {
    b <- x@metadata$baselines
    if (is.null(b) || all(is.na(b))) {
        return(NULL)
    }
    .field("baselines", "Spearman of tau with lag of cross-correlation ",
        .rho(b[["xcorr"]]), ",\n", strrep(" ", 17L),
        "difference of switch times ", .rho(b[["switchTime"]])
    )
}

.rho <- function(r) {
    if (is.null(r) || is.na(r)) "-" else formatC(r, digits = 2L, format = "f")
}

.extremeLines <- function(x, n = 5L) {
    good <- which(x@table$reported & is.finite(x@table$tau))
    if (length(good) < 2L * n) {
        return(.field("ranking", "fewer than ", 2L * n, " genes reported"))
    }
    o <- good[order(x@table$tau[good])]
    scale <- if (.clocked(x)) x@unit$scale else 1
    one <- function(at) {
        paste0(x@genes[at], " ", formatC(x@table$tau[at] * scale, digits = 2L,
            format = "f"
        ), collapse = ", ")
    }
    c(
        .field("fastest", one(head(o, n))), .field("slowest", one(rev(tail(o,
            n
        ))))
    )
}

.effendiLines <- function(x) {
    rank <- x@fit$rank
    value <- function(what) {
        if (is.null(rank) || !what %in% names(rank)) "not run" else
            .rho(rank[[what]])
    }
    c(
        paste("  tau is exchangeable over genes: permuting tau over genes",
            "leaves the loss"
        ),
        "  unchanged, so these numbers don't rank genes.",
        .field("rank cor.", "Spearman with an untrained model ",
            value("untrained"), ", with a shuffled run ", value("shuffled")
        ),
        if (length(x@metadata$anchored)) {
            .field("anchored", "method = \"anchored\" finds delays ",
                if (!isTRUE(x@metadata$anchored$identifiable)) "NOT ",
                "identifiable in these cells"
            )
        }
    )
}

.nextLine <- function(x) {
    if (isTRUE(x@verdict$identifiable)) {
        "Go on with tau(), plotTau(), plotLag(), plotTauNull(), validateTau()"
    } else if (x@method == "effendi") {
        "For delays that may be told apart: estimateTau(method = \"anchored\")"
    } else {
        paste("Nothing is ranked. Look at verdict(), peakLinks() and",
            "plotTauNull(); tau(x,\nforce = TRUE) gives the numbers all the",
            "same"
        )
    }
}
