## Is the variation between states more than that of permuted ones, and if not,
## what would help?

## Why there is one state where none was asked for.
.tooLittle <- function(size, s) {
    short <- vapply(names(size), function(what) {
        is.null(s$centre) && size[[what]] < s$gate[[what]]
    }, NA)
    if (!any(short)) {
        return("there is one state")
    }
    paste0("too few to ask, ", paste0(
        format(size[short], big.mark = ",", trim = TRUE), " ",
        names(size)[short], " where ", s$gate[names(size)[short]],
        " are asked for", collapse = " and "
    ), " (PerCellGRNParam(gate = ), or centre = TRUE)")
}

## Is the variation between states more than that of permuted states?
.stateVerdict <- function(pooled, slope, fit, tf, s, size) {
    at <- fit$numbers
    variation <- .slopeVariation(pooled, slope, tf)
    tried <- fit$silhouette[s$low:s$high + 1L]
    top <- if (all(is.na(tried))) NA_real_ else max(tried, na.rm = TRUE)
    reason <- if (at[["states"]] < 2) {
        if (at[["centred"]] == 0 && is.null(s$centre) &&
            is.finite(at[["gateGain"]])) {
            "no network is seen within states"
        } else {
            .tooLittle(size, s)
        }
    } else if (at[["gain"]] <= max(0, fit$nullGain)) {
        "permuted states do as well"
    } else if (is.null(s$w) && isTRUE(top < s$gate[["silhouette"]])) {
        sprintf("no separate states are seen (silhouette %.2f)", top)
    } else if (variation < 0.03) {
        "the slopes hardly differ between states"
    } else {
        ""
    }
    list(
        distinguishable = !nzchar(reason), reason = reason,
        gain = at[["gain"]], nullGain = fit$nullGain, variation = variation,
        a = at[["a"]], rho = at[["rho"]], centred = at[["centred"]] == 1,
        gateGain = at[["gateGain"]], components = at[["components"]],
        silhouette = setNames(tried, s$low:s$high)
    )
}

## Median over the strongest 6% of edges of the spread of slopes over states.
.slopeVariation <- function(pooled, slope, tf) {
    weight <- abs(pooled)
    weight[cbind(seq_along(tf), tf)] <- NA
    strong <- which(weight >= stats::quantile(weight, 0.94, na.rm = TRUE) &
        weight > 0)
    flat <- matrix(slope, length(pooled))[strong, , drop = FALSE]
    spread <- sqrt(rowMeans((flat - rowMeans(flat))^2))
    if (length(strong)) stats::median(spread / weight[strong]) else 0
}

## What would help where states aren't distinguishable.
.verdictHelp <- function(v) {
    if (v$distinguishable) {
        return("")
    }
    kept <- if (isTRUE(v$labelled)) {
        "The states given keep their names; all have the pooled network. "
    } else ""
    why <- if (v$reason == "permuted states do as well") {
        sprintf(paste0("States gain %.1f nats, permuted ones up to %.1f%s. ",
            "More cells, or fewer TFs and genes ('tfs', 'maxTFs', ",
            "'nTargets'), make differences easier to see. "
        ), v$gain, max(v$nullGain), if (max(v$nullGain) > max(0, v$gain))
            paste0(": a permuted state spans all cells, so that its slopes ",
                "are learnt from the TFs' whole range, a real one only from ",
                "its own") else ""
        )
    } else if (grepl("^too few to ask", v$reason)) {
        "More cells and genes would help. "
    } else if (v$reason == "no network is seen within states") {
        paste0("Once the states' means are removed, TFs hardly explain genes: ",
            "more cells, or fewer, better expressed genes would help; ",
            "centre = FALSE leaves the means in, and so the differences of ",
            "level between states. "
        )
    } else if (!is.null(v$states)) {
        .labelHelp(v$states)
    } else if (grepl("^no separate states", v$reason)) {
        "States that are known can be given (states = ). "
    } else ""
    paste0(kept, why, "For a network of each group by itself: inferGRN(x, ",
        "cells = which(group == \"...\"))."
    )
}

## Elsewhere 240 cells of a type were enough, and 50 deeply sequenced ones.
.labelHelp <- function(states) {
    small <- states$state[states$cells < 100]
    paste0("More cells of a state, or deeper ones, help",
        if (length(small)) paste0(" (under 100 have ", .some(small, 4L), ")"),
        "; so do fewer TFs ('tfs', 'maxTFs'). "
    )
}

.verdictText <- function(v) {
    paste0(.variationText(v), if (isTRUE(v$confounded)) paste0(
        "; no block has cells of two states, so what differs between states ",
        "can't be told from what differs between blocks"))
}

.variationText <- function(v) {
    if (v$distinguishable && !is.null(v$states)) {
        return(.labelText(v))
    }
    if (v$distinguishable) {
        sprintf(paste0("Per-cell variation is distinguishable from the ",
            "pooled network (evidence gain %.1f nats; permuted states at ",
            "most %.1f)"
        ), v$gain, max(v$nullGain))
    } else {
        paste0("Per-cell variation is not distinguishable from the pooled ",
            "network: ", v$reason
        )
    }
}

## Which states have networks of their own.
.labelText <- function(v) {
    s <- v$states
    own <- s$state[s$departs]
    paste0("Per-cell variation is distinguishable from the pooled network ",
        if (all(s$departs)) "in all " else paste0("in ", length(own), " of "),
        nrow(s), " states", if (!all(s$departs)) paste0(" (",
            .some(own, 6L), "); the others have the pooled network"),
        "; within states TFs explain ",
        sprintf("%.1f%%", 100 * max(0, v$explained)), " of held-out variance"
    )
}

## The table of states, for show().
.catStates <- function(v) {
    if (is.null(v$states)) {
        return(invisible())
    }
    s <- v$states
    shown <- data.frame(state = s$state, cells = s$cells,
        pooled = sprintf("%.3f", s$explainedPooled),
        own = sprintf("%.3f", s$explained),
        network = ifelse(s$departs, "its own", paste0("pooled: ", s$why))
    )
    cat("Held-out variance explained by the pooled network and by a state's ",
        "own:\n", sep = "")
    print(head(shown, 20L), row.names = FALSE, right = FALSE)
    if (nrow(s) > 20L) {
        cat("  ... and ", nrow(s) - 20L, " more, verdict(x)$states\n", sep = "")
    }
}
