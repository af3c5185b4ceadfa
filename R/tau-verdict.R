## Can the data tell delays apart? Two claims, each with numbers of its own:
## RNA follows chromatin, and genes differ in it. What each number must reach,
## and what it means when it does not.

.tauThresholds <- c(axes = 1, usable = 20, concord = 0.7, usableHalf = 20,
    lead = 0.7, leadZ = 4, reliability = 0.4
)

## All numbers of a verdict; those without a threshold decide nothing.
.tauNumbers <- c(names(.tauThresholds), "spread", "clock", "gain",
    "heterogeneity"
)

## NaN, as of steps that could not be run, fails too.
.tauVerdict <- function(numbers) {
    need <- .tauThresholds
    n <- lapply(setNames(nm = .tauNumbers), function(what) {
        value <- numbers[[what]]
        if (is.null(value)) NA_real_ else as.numeric(value)[[1L]]
    })
    ok <- vapply(names(need), function(what) {
        isTRUE(n[[what]] >= need[[what]])
    }, logical(1))
    known <- !vapply(n[names(need)], is.na, logical(1))
    ## what was not computed follows from an earlier failure: not listed twice;
    ## concordance of a handful of genes says nothing; z only adds to a lead
    known[["leadZ"]] <- known[["leadZ"]] && ok[["lead"]]
    known[["usableHalf"]] <- known[["usableHalf"]] && ok[["usable"]]
    known[["concord"]] <- known[["concord"]] &&
        (ok[["usable"]] || isTRUE(n$usable / n$concord >= need[["usable"]]))
    follows <- all(ok[names(ok) != "reliability"])
    known[["reliability"]] <- known[["reliability"]] && follows
    reasons <- vapply(names(need)[!ok & known], .verdictReason, "", n = n,
        USE.NAMES = FALSE
    )
    if (!all(ok) && !length(reasons)) {
        reasons <- "the numbers that decide it couldn't be computed"
    }
    c(list(identifiable = all(ok), reasons = reasons, follows = follows,
        differ = all(ok), expected = if (follows)
            sqrt(max(n$reliability, 0, na.rm = TRUE)) else NA_real_
    ), n)
}

## Without "-0.0".
.fixed <- function(x, digits) {
    formatC(round(x, digits) + 0, digits = digits, format = "f")
}

.verdictReason <- function(what, n) {
    at <- function(x, digits = 2L) .fixed(x, digits)
    switch(what,
        axes = paste0("chromatin and RNA share no axis of variation beyond ",
            "shuffled pairs, as in unpaired cells"
        ),
        usable = paste0("only ", .count(n$usable, "gene"), " change",
            if (isTRUE(n$usable == 1)) "s", " in both chromatin and RNA ",
            "beyond noise and agree; ", .tauThresholds[["usable"]],
            " are needed"
        ),
        concord = paste0("chromatin and RNA disagree in many genes ",
            "(concordance ", at(n$concord), ", needed 0.70), as with links to ",
            "peaks of other genes"
        ),
        lead = paste0("RNA doesn't follow chromatin in genes held out (lead ",
            at(n$lead), ", needed 0.70; without a delay 0.50)"
        ),
        leadZ = paste0("that RNA follows chromatin could be chance (lead z ",
            at(n$leadZ, 1L), ", needed 4)"
        ),
        usableHalf = paste0("the data are too shallow to test whether RNA ",
            "follows chromatin: from half of the counts ",
            .count(n$usableHalf, "gene"), " are usable, ",
            .tauThresholds[["usableHalf"]], " are needed"
        ),
        reliability = paste0("RNA follows chromatin, but differences between ",
            "genes are no larger than their error (reliability ",
            at(n$reliability), ", needed 0.40)"
        )
    )
}

.reasonText <- function(verdict) paste(verdict$reasons, collapse = "; ")

## What heads every report and figure of delays.
.identifiableText <- function(verdict) {
    if (isTRUE(verdict$identifiable)) {
        paste0("Delays are identifiable", if (length(verdict$reliability)) {
            paste0(": RNA follows chromatin, and genes differ; their ranking ",
                "is expected to agree with the truth by about ",
                .fixed(verdict$expected, 2L), " (rank correlation; ",
                "reliability ", .fixed(verdict$reliability, 2L), ")"
            )
        }, ".")
    } else {
        paste0("Delays are NOT identifiable: ", .reasonText(verdict), ".")
    }
}

.needIdentifiable <- function(fit, force, what, arg = "x") {
    if (!isTRUE(fit@verdict$identifiable) && !force) {
        .stopArgument(arg, "has delays that are not identifiable (",
            .reasonText(fit@verdict), "): there is nothing to ", what,
            ". force = TRUE does it all the same."
        )
    }
    invisible()
}

.isIdentifiable <- function(x) isTRUE(verdict(x)$identifiable)
